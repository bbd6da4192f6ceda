// SPDX-License-Identifier: MIT
//
// What the race laboratory is asked and what it answers; the answer's recordings go to the panes.

import { batch, signal } from '@preact/signals';
import type { Recording } from '../../../trace/recording/format.ts';
import { checkRecordings } from '../../../trace/recording/parse.ts';
import { t } from '../../texts/texts.ts';
import type { Lab, RaceRequest, ScheduleRequest } from '../../api.ts';
import { keepQuestion } from './race-link.ts';
import { raceRequest, USUAL_TABLE } from './race-request.ts';

/** How a question stands. */
export type Asking =
  | { readonly kind: 'idle' }
  | { readonly kind: 'busy'; readonly text: string }
  | { readonly kind: 'answered'; readonly text: string; readonly isGood: boolean }
  | { readonly kind: 'refused'; readonly sentence: string };

/** What the form says. */
export const form = signal<RaceRequest>({
  kind: 'race',
  scenario: 'patch-vs-exec',
  patch: 'upstream',
  protocol: 'acb',
  model: 'coherent',
  offset: 0,
  table: USUAL_TABLE,
});

export const asking = signal<Asking>({ kind: 'idle' });

/** What the last exploration found; moved schedules start from it. */
export const explored = signal<readonly Recording[]>([]);

export type ShowRecordings = (recordings: readonly Recording[]) => void;

/** Asks, and shows what comes back. */
export async function ask(lab: Lab, request: RaceRequest | ScheduleRequest, show: ShowRecordings): Promise<void> {
  if (asking.value.kind === 'busy') return;
  asking.value = { kind: 'busy', text: t('race.busy') };
  const sent = request.kind === 'race' ? raceRequest(request) : request;
  const result = await lab.submit(sent, {
    onProgress(state) {
      const text = state.state === 'queued' ? t('race.queued', { position: state.position }) : t('race.busy');
      asking.value = { kind: 'busy', text };
    },
  });
  if (!result.ok) {
    asking.value = { kind: 'refused', sentence: result.sentence };
    return;
  }
  try {
    const recordings = result.recordings.flatMap((one) => checkRecordings(one));
    keepQuestion(recordings, sent);
    batch(() => {
      if (recordings.length > 0) show(recordings);
      if (request.kind === 'race') explored.value = recordings;
      asking.value = answerOf(result.outcome, recordings.length);
    });
  } catch (error) {
    asking.value = { kind: 'refused', sentence: error instanceof Error ? error.message : String(error) };
  }
}

function answerOf(
  outcome: Extract<Awaited<ReturnType<Lab['submit']>>, { ok: true }>['outcome'],
  recordings: number,
): Asking {
  if (outcome.kind === 'race') {
    const text = t(`race.answer.${outcome.verdict}`, { ways: recordings });
    return { kind: 'answered', text, isGood: outcome.verdict === 'holds' };
  }
  if (outcome.kind === 'schedule') {
    const { failure, problem, skipped } = outcome;
    const text = t(`race.moved.${outcome.outcome}`, {
      failure: failure ?? undefined,
      problem: problem ?? undefined,
      skipped: skipped === 0 ? undefined : skipped,
    });
    return { kind: 'answered', text, isGood: outcome.outcome === 'passed' };
  }
  return { kind: 'idle' };
}
