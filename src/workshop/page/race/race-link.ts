// SPDX-License-Identifier: MIT
//
// What a link says of a race that the laboratory has shown: the token of a schedule, or the question that led to what was
// explored. Opening the link asks the laboratory for it again.

import { TraplineError } from '../../../base/errors.ts';
import type { Recording } from '../../../trace/recording/format.ts';
import type { RaceRequest, ScheduleRequest } from '../../api.ts';
import { parseJobRequest } from '../../api-requests.ts';
import { t } from '../../texts/texts.ts';

/** Characters at most: what is longer is not part of a link, as browsers and mail cut long ones. */
export const MOST_LINKED = 4000;

/** A token in one word. Whether it is whole only the laboratory can tell. */
const TOKEN = /^xr\d+\.[\w-]+$/;

/** What each recording of the laboratory is the answer to. */
const questions = new WeakMap<Recording, RaceRequest | ScheduleRequest>();

/** Remembers what recordings are the answer to. */
export function keepQuestion(recordings: readonly Recording[], request: RaceRequest | ScheduleRequest): void {
  for (const recording of recordings) questions.set(recording, request);
}

/** The part of a link that stands for a recording; undefined where it is none of the laboratory, or too long. */
export function raceLink(recording: Recording | undefined): string | undefined {
  const request = recording && questions.get(recording);
  if (request === undefined || recording?.kind !== 'race') return undefined;
  // A schedule is what was made in the end, whatever was asked for.
  const text = request.kind === 'schedule' ? recording.race.compactToken : JSON.stringify(request);
  return text.length <= MOST_LINKED ? text : undefined;
}

/** What a link asks for, or a sentence about what is wrong with it. */
export function linkedRace(text: string): RaceRequest | ScheduleRequest | string {
  if (text.length > MOST_LINKED) return t('app.race.damaged', { problem: t('app.race.long', { most: MOST_LINKED }) });
  try {
    const request = parseJobRequest(TOKEN.test(text) ? { kind: 'schedule', token: text } : JSON.parse(text));
    if (request.kind === 'race' || request.kind === 'schedule') return request;
    return t('app.race.damaged', { problem: t('app.race.kind', { kind: request.kind }) });
  } catch (error) {
    const problem = error instanceof TraplineError ? error.message : t('app.race.unreadable');
    return t('app.race.damaged', { problem });
  }
}
