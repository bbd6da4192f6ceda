// SPDX-License-Identifier: MIT
//
// The fields of a stub thread's record (gVisor's struct sysmsg, MSG:117-162) as a recording shows them.

import { Msg } from '../../platform/stub-layout.ts';
import { RECORD_FIELDS } from '../../trace/recording/format.ts';
import type { RecordField, Word } from '../../trace/recording/format.ts';
import type { UpstreamVersion } from '../../usertrap/versions.ts';

/** Fields of 4 bytes; the others have 8. */
const SHORT_FIELDS: readonly RecordField[] = ['interrupt', 'state'];

function offsetOf(field: RecordField, version: UpstreamVersion): number {
  if (field === 'state') return version.stateOffset;
  return field === 'context' ? version.contextOffset : Msg[field];
}

/** Every field. @param words the record, from its first byte on */
export function recordFields(words: Uint32Array, version: UpstreamVersion): Record<RecordField, Word> {
  const rows = RECORD_FIELDS.map((field) => {
    const at = offsetOf(field, version) / 4;
    const low = BigInt(words[at] ?? 0);
    const value = SHORT_FIELDS.includes(field) ? low : low + (BigInt(words[at + 1] ?? 0) << 32n);
    return [field, value.toString(16)] as const;
  });
  return Object.fromEntries(rows) as Record<RecordField, Word>;
}

/** Entries of `now` that are others in `before`; undefined when none is. */
export function changedWords<K extends string>(
  before: Readonly<Partial<Record<K, Word>>>,
  now: Readonly<Record<K, Word>>,
): Partial<Record<K, Word>> | undefined {
  const names = (Object.keys(now) as K[]).filter((name) => before[name] !== now[name]);
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.map((name) => [name, now[name]])) as Partial<Record<K, Word>>;
}
