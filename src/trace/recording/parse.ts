// SPDX-License-Identifier: MIT
//
// Reads recordings from text that may be anything. What is accepted can be walked by cursor.ts without a further look:
// every index is in range, every list and number is bounded.

import { USER_HALF_END } from '../../base/addr.ts';
import { TraplineError } from '../../base/errors.ts';
import {
  ACTOR_STATES,
  COST_EVENTS,
  EVENT_KINDS,
  MEANINGS,
  MOST_RECORDINGS,
  PLACES,
  RECORDING_FORMAT,
  RECORDING_VERSION,
  RECORD_FIELDS,
  REGISTERS,
  STEP_KINDS,
} from './format.ts';
import type { Recording, RecordingSet } from './format.ts';
import {
  either,
  finite,
  flag,
  hexBytes,
  integer,
  list,
  object,
  oneOf,
  orNull,
  record,
  share,
  text,
  tuple,
  word,
} from './shape.ts';
import type { Check } from './shape.ts';

/** Characters of a file at most. */
export const MOST_CHARACTERS = 128 * 2 ** 20;
/** Steps of one recording at most. */
export const MOST_RECORDED_STEPS = 200_000;

const MOST_ACTORS = 256;
const MOST_SPACES = 256;
const MOST_SITES = 1024;
const MOST_REGIONS = 1024;
const MOST_REGION_BYTES = 65_536;
const MOST_GRANULES = 1024;
const MOST_TEXTS = 400_000;
const MOST_LISTINGS = 100_000;
const MOST_ROWS = 4096;
const MOST_EVENTS = 400_000;
const MOST_STORES = 1024;
const MOST_STORED = 4096;
const LONG = 2 ** 20;
const NAME = 4096;

const AGAIN = 'make it again with trapline run --html or trapline race --html';

const address = integer(0, USER_HALF_END);
const count = integer(0, Number.MAX_SAFE_INTEGER);
const facts = record(either(text(LONG), finite, flag), 64);
const exit = either(object({ code: integer(0, 255) }), object({ signal: integer(0, 64) }));
const mode = oneOf(['off', 'upstream', 'hardened']);

/**
 * Reads one recording, or a set of them.
 * @throws TraplineError `RECORDING_FORMAT`: what is wrong, where, and what to do, in one sentence
 */
export function parseRecordings(json: string): readonly Recording[] {
  if (json.length > MOST_CHARACTERS) {
    throw refused(`it has ${json.length} characters, and ${MOST_CHARACTERS} is the most`, 'record fewer steps');
  }
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw refused('it is no JSON', AGAIN);
  }
  return checkRecordings(value);
}

/**
 * The same for a value that was parsed already.
 * @throws TraplineError `RECORDING_FORMAT`
 */
export function checkRecordings(value: unknown): readonly Recording[] {
  checkHead(value, '');
  if ((value as { kind?: unknown }).kind !== 'set') return [checkOne(value, '')];
  const problem = object({ ...HEAD, title: text(NAME), recordings: list(() => null, MOST_RECORDINGS) })(value);
  if (problem !== null) throw damaged(problem.path, problem.what);
  const { recordings } = value as RecordingSet;
  if (recordings.length === 0) throw refused('it holds nothing', AGAIN);
  return recordings.map((one: unknown, i) => {
    checkHead(one, `.recordings[${i}]`);
    return checkOne(one, `.recordings[${i}]`);
  });
}

const HEAD = {
  format: oneOf([RECORDING_FORMAT]),
  version: oneOf([RECORDING_VERSION]),
  kind: oneOf(['run', 'race', 'set']),
};

function checkHead(value: unknown, where: string): void {
  const { format, version } = Object(value) as { format?: unknown; version?: unknown };
  if (format !== RECORDING_FORMAT)
    throw refused(`${where === '' ? 'it' : where.slice(1)} does not say that it is one`, AGAIN);
  if (version !== RECORDING_VERSION) {
    const found = typeof version === 'number' ? String(version) : 'none that is known';
    throw new TraplineError(
      'RECORDING_FORMAT',
      `the recording is of version ${found}, and this Trapline reads version ${RECORDING_VERSION}: open it with the Trapline that made it, or ${AGAIN}`,
    );
  }
}

function checkOne(value: unknown, where: string): Recording {
  const problem = shapeOf(value)(value);
  if (problem !== null) throw damaged(where + problem.path, problem.what);
  return value as Recording;
}

function refused(why: string, what: string): TraplineError {
  return new TraplineError('RECORDING_FORMAT', `this is no recording of Trapline: ${why}; ${what}`);
}

function damaged(path: string, what: string): TraplineError {
  const where = path === '' ? 'it' : path.replace(/^\./, '');
  return new TraplineError('RECORDING_FORMAT', `the recording is damaged: ${where} ${what}; ${AGAIN}`);
}

/** How many entries a list has; 0 where it is none: the shape says so itself. */
function lengthOf(value: unknown, name: string): number {
  const found = (Object(value) as Record<string, unknown>)[name];
  return Array.isArray(found) ? found.length : 0;
}

/** The check of a recording, with indices bounded by its own lists. */
function shapeOf(value: unknown): Check {
  const bound = (name: string): Check => integer(0, lengthOf(value, name) - 1);
  const ofActor = bound('actors');
  const ofText = bound('texts');
  const ofSite = bound('sites');
  const ofRegion = bound('regions');
  const ofGranule = bound('granules');
  const moment = integer(0, lengthOf(value, 'steps'));
  const space = integer(0, MOST_SPACES - 1);
  const bytes = hexBytes(MOST_REGION_BYTES);
  const rows = list(tuple(integer(0, MOST_REGION_BYTES), integer(1, 4096), ofText), MOST_ROWS);
  const kind = (Object(value) as { kind?: unknown }).kind;

  const actorChange = object(
    {},
    {
      actor: ofActor,
      state: oneOf(ACTOR_STATES),
      space,
      rip: address,
      regs: record(word, REGISTERS.length, REGISTERS),
      fetched: list(tuple(ofGranule, orNull(bytes)), MOST_GRANULES),
      record: record(word, RECORD_FIELDS.length, RECORD_FIELDS),
    },
  );
  const spaceChange = object(
    { space },
    { base: address, next: count, isLocked: flag, readers: count, isStopped: flag },
  );
  const step = object(
    { actor: ofActor, kind: oneOf(STEP_KINDS) },
    {
      rip: address,
      text: ofText,
      place: oneOf(PLACES),
      name: text(NAME),
      seen: hexBytes(64),
      changes: list(actorChange, 2 * MOST_ACTORS),
      stores: list(object({ space, address, bytes: hexBytes(MOST_STORED) }), MOST_STORES),
      memory: list(memoryOf(value, ofRegion, bytes), MOST_REGIONS),
      spaces: list(spaceChange, MOST_SPACES),
      cost: oneOf(COST_EVENTS),
      share,
      fails: oneOf([true]),
      others: list(tuple(ofActor, text(NAME)), MOST_EVENTS),
      data: facts,
    },
  );
  const figure = object({ low: finite, high: finite, how: text(NAME) });
  const cost = object({
    name: text(NAME),
    source: text(NAME),
    figures: object(Object.fromEntries(COST_EVENTS.map((name) => [name, figure]))),
  });
  const call = object(
    {
      at: moment,
      end: orNull(moment),
      actor: ofActor,
      sysno: integer(0, 2 ** 32),
      name: text(NAME),
      enter: text(LONG),
      exit: text(LONG),
      via: oneOf(['trap', 'trampoline', 'restart']),
      rip: address,
    },
    { site: ofSite },
  );
  return object({
    ...HEAD,
    title: text(NAME),
    origin: object({ command: text(LONG), engine: text(NAME), mode, protocol: text(NAME), seed: finite }),
    actors: list(
      object({ name: text(NAME), role: oneOf(['task', 'patcher', 'kernel']) }, { tid: count, tgid: count }),
      MOST_ACTORS,
    ),
    sites: list(siteShape(space, ofRegion), MOST_SITES),
    regions: list(regionShape(space, ofSite), MOST_REGIONS),
    granules: list(object({ address, length: integer(1, 4096) }), MOST_GRANULES),
    texts: list(text(NAME), MOST_TEXTS),
    listings: list(object({ region: ofRegion, bytes, rows }), MOST_LISTINGS),
    decodes: list(
      object({
        site: ofSite,
        bytes,
        entries: list(object({ offset: integer(0, 6), meaning: oneOf(MEANINGS), rows }), 7),
      }),
      MOST_LISTINGS,
    ),
    start: object({ actors: list(actorChange, 2 * MOST_ACTORS), spaces: list(spaceChange, MOST_SPACES) }),
    steps: list(step, MOST_RECORDED_STEPS),
    events: list(
      object({ at: moment, kind: oneOf(EVENT_KINDS), actor: ofActor }, { index: count, data: facts }),
      MOST_EVENTS,
    ),
    calls: list(call, MOST_EVENTS),
    output: list(object({ at: moment, fd: oneOf([1, 2]), bytes: hexBytes(LONG) }), MOST_EVENTS),
    maps: list(object({ at: moment, space, text: text(LONG) }), MOST_EVENTS),
    costs: list(cost, 16),
    leftOut: list(object({ what: text(NAME), count, at: moment }), 64),
    ...(kind === 'race' ? { race: raceShape(moment) } : { run: RUN }),
  });
}

/** A region and its whole content. */
function memoryOf(value: unknown, ofRegion: Check, bytes: Check): Check {
  const shape = tuple(ofRegion, orNull(bytes));
  const regions = (Object(value) as { regions?: unknown }).regions;
  return (entry) => {
    const problem = shape(entry);
    if (problem !== null) return problem;
    const [region, content] = entry as [number, string | null];
    const length = (Object((regions as unknown[])[region]) as { length?: unknown }).length;
    if (content === null || content.length / 2 === length) return null;
    return { path: '[1]', what: `holds ${content.length / 2} bytes of a region of ${String(length)}` };
  };
}

function siteShape(space: Check, ofRegion: Check): Check {
  return object(
    {
      name: text(NAME),
      space,
      address,
      sysno: orNull(integer(0, 2 ** 32)),
      lineOffset: integer(0, 63),
      pageOffset: integer(0, 4095),
      region: ofRegion,
      before: hexBytes(8),
    },
    { callName: text(NAME) },
  );
}

function regionShape(space: Check, ofSite: Check): Check {
  const shape = object(
    {
      kind: oneOf(['text', 'slot', 'table', 'stub', 'stack', 'data']),
      name: text(NAME),
      space,
      address,
      length: integer(0, MOST_REGION_BYTES),
      bytes: orNull(hexBytes(MOST_REGION_BYTES)),
    },
    { site: ofSite },
  );
  return (value) => {
    const problem = shape(value);
    if (problem !== null) return problem;
    const { bytes, length } = value as { bytes: string | null; length: number };
    if (bytes === null || bytes.length / 2 === length) return null;
    return { path: '.bytes', what: `has ${bytes.length / 2} bytes instead of ${length}` };
  };
}

const RUN = object(
  {
    program: text(LONG),
    argv: list(text(LONG), 65_536),
    exit,
    instructions: count,
    syscalls: count,
    trapped: count,
    patchedCalls: count,
    restarted: count,
    faults: count,
    tasks: count,
    signals: count,
    slots: object({ used: count, capacity: count }),
    patched: list(object({ address, sysno: integer(0, 2 ** 32), slot: address, calls: count }), MOST_EVENTS),
    refused: list(object({ address: finite, bytes: hexBytes(64), rule: text(NAME), traps: count }), MOST_EVENTS),
  },
  { ended: text(NAME) },
);

function raceShape(moment: Check): Check {
  const failure = object({
    signature: text(LONG),
    text: text(LONG),
    explanation: orNull(text(LONG)),
    switches: count,
    isMinimal: flag,
    flip: orNull(tuple(moment, moment)),
    certainAt: orNull(moment),
    share: orNull(share),
  });
  return object({
    scenario: text(NAME),
    promise: text(NAME),
    patch: oneOf(['upstream', 'hardened']),
    protocol: text(NAME),
    model: object({
      name: text(NAME),
      words: text(NAME),
      granule: integer(1, 4096),
      grain: text(NAME),
      atom: integer(1, 4096),
      returnBy: text(NAME),
    }),
    placement: object({
      offset: integer(0, 63),
      atPageEnd: flag,
      startAt: integer(0, 5),
      sysno: integer(0, 2 ** 32),
      table: address,
      threads: integer(0, 256),
    }),
    verdict: oneOf(['holds', 'fails', 'incomplete', 'replayed']),
    complete: flag,
    states: count,
    transitions: count,
    schedules: count,
    outcomes: list(object({ outcome: text(LONG), count }), MOST_EVENTS),
    passesWith: orNull(list(object({ text: text(NAME), options: text(NAME) }), 64)),
    failure: orNull(failure),
    token: text(LONG),
    compactToken: text(LONG),
    skipped: count,
    added: count,
  });
}
