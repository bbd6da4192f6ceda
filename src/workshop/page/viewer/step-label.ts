// SPDX-License-Identifier: MIT
//
// A step in few words, as lanes and lists show it; the sentence about it is texts/step-sentence.ts.

import type { RecordingCursor } from '../../../trace/recording/cursor.ts';
import type { Facts, Step } from '../../../trace/recording/format.ts';
import { hasText, t } from '../../texts/texts.ts';
import { spaced } from './numbers.ts';

/** The instruction, or what the step is. */
export function stepLabel(cursor: RecordingCursor, step: Step): string {
  const text = cursor.text(step.text);
  if (step.kind === 'instruction' || step.kind === 'other') return text;
  if (step.kind === 'store') {
    const store = step.stores?.[0];
    const offset = step.data?.['offset'];
    if (store !== undefined && typeof offset === 'number') {
      return t('label.store.site', { offset, bytes: spaced(store.bytes) });
    }
  }
  if (step.kind === 'served' && step.data?.['result'] === undefined) return t('label.served.never');
  const special = `label.${step.kind}.${String(step.data?.['what'])}`;
  const key = hasText(special) ? special : `label.${step.kind}`;
  return hasText(key) ? t(key, factsOf(step)) : text || step.kind;
}

/** Facts of a step or an event as texts take them. */
export function factsOf(step: { readonly data?: Facts }): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(step.data ?? {}).map(([name, value]) => [name, typeof value === 'boolean' ? String(value) : value]),
  );
}
