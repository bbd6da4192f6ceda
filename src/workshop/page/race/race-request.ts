// SPDX-License-Identifier: MIT
//
// Requests to the laboratory out of what a recording says of itself, and out of the options that a remedy names.

import type { RaceFacts, RaceRecording } from '../../../trace/recording/format.ts';
import type { RaceRequest, ScheduleRequest } from '../../api.ts';

/** Where the trap table lies when nobody says. */
export const USUAL_TABLE = 0x61000;

/** Values that need not be said; a request without them is the one that was recorded. */
const USUAL = { granule: 64, atom: 64, grain: 'isa', return: 'iret', threads: 1, page: false, startAt: 0, nr: 39 };

/** A request with what differs from the usual only. */
export function raceRequest(request: RaceRequest): RaceRequest {
  const isUsual = ([name, value]: readonly [string, unknown]): boolean =>
    value === undefined || (USUAL as Readonly<Record<string, unknown>>)[name] === value;
  return Object.fromEntries(Object.entries(request).filter((entry) => !isUsual(entry))) as unknown as RaceRequest;
}

/** The exploration that a recording is from. */
export function requestOf({ scenario, patch, protocol, model, placement }: RaceFacts): RaceRequest {
  return raceRequest({
    kind: 'race',
    scenario,
    patch,
    protocol,
    model: model.name,
    offset: placement.offset,
    table: placement.table,
    granule: model.granule,
    atom: model.atom,
    grain: model.grain,
    return: model.returnBy,
    threads: placement.threads,
    page: placement.atPageEnd,
    startAt: placement.startAt,
    nr: placement.sysno,
  });
}

/** Options of `trapline race` by the fields of a request. */
const NUMBERS = ['granule', 'atom', 'threads', 'offset', 'nr', 'table'];

/** The same request with a remedy's options, such as `--protocol abc` or `--offset 0`; undefined where one is not known. */
export function withOptions(request: RaceRequest, options: string): RaceRequest | undefined {
  const words = options.trim().split(/\s+/);
  const changes: Record<string, string | number | boolean> = {};
  for (let i = 0; i < words.length; i += 2) {
    const name = /^--([a-z]+)$/.exec(words[i] ?? '')?.[1];
    const value = words[i + 1];
    if (name === undefined || value === undefined) return undefined;
    changes[name] = NUMBERS.includes(name) ? Number(value) : value;
    // A site that is moved is moved away from the end of its page.
    if (name === 'offset') changes['page'] = false;
  }
  return raceRequest({ ...request, ...changes });
}

/** The recording's schedule with one step put elsewhere. */
export function movedSchedule({ race, actors, steps }: RaceRecording, from: number, to: number): ScheduleRequest {
  const order = steps.map(({ actor, name }) => ({ actor: actors[actor]?.name ?? '', name: name ?? '' }));
  const [moved] = order.splice(from, 1);
  if (moved !== undefined) order.splice(to, 0, moved);
  return { kind: 'schedule', token: race.token, steps: order };
}
