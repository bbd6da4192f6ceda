// SPDX-License-Identifier: MIT
//
// Checks requests that come from outside: everything that is not known is refused with a sentence that says what is
// wrong, where, and what to do. What a name stands for (a guest, a scenario) is looked up later, where it is known.

import { TraplineError } from '../base/errors.ts';
import type {
  CheckRequest,
  GuestCode,
  HandInRequest,
  JobRequest,
  PatchModeName,
  RaceRequest,
  RunRequest,
  ScheduleRequest,
  ScheduleStep,
} from './api.ts';
import type { Attempt } from './lessons/lesson.ts';

/** Longest program of a student: hex digits or text of assembly. */
export const MAX_CODE_CHARACTERS = 32_768;
/** Longest schedule. */
export const MAX_SCHEDULE_STEPS = 4096;
const MAX_NAME = 200;
const MAX_TOKEN = 65_536;
const MODES: readonly PatchModeName[] = ['off', 'upstream', 'hardened'];

/** Reads one object field by field and refuses what is left over. */
class Fields {
  readonly #where: string;
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #left: Set<string>;

  constructor(where: string, value: unknown) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw bad(where, 'must be an object');
    }
    this.#where = where;
    this.#object = value as Readonly<Record<string, unknown>>;
    this.#left = new Set(Object.keys(value));
  }

  /** The place of a field, for messages. */
  at(name: string): string {
    return this.#where === '' ? name : `${this.#where}.${name}`;
  }

  raw(name: string): unknown {
    this.#left.delete(name);
    return Object.hasOwn(this.#object, name) ? this.#object[name] : undefined;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#object, name) && this.#object[name] !== undefined;
  }

  text(name: string, longest = MAX_NAME): string {
    const value = this.raw(name);
    if (typeof value !== 'string' || value === '') throw bad(this.at(name), 'must be a text that is not empty');
    if (value.length > longest) throw bad(this.at(name), `is longer than ${longest} characters`);
    return value;
  }

  choice<T extends string>(name: string, choices: readonly T[]): T {
    const value = this.raw(name);
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw bad(this.at(name), `must be one of ${choices.join(', ')}`);
    return found;
  }

  count(name: string, least: number, most: number): number {
    const value = this.raw(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most) {
      throw bad(this.at(name), `must be a whole number from ${least} to ${most}`);
    }
    return value;
  }

  flag(name: string): boolean {
    const value = this.raw(name);
    if (typeof value !== 'boolean') throw bad(this.at(name), 'must be true or false');
    return value;
  }

  /** Nothing else may be there. */
  end(): void {
    const [unknown] = this.#left;
    if (unknown !== undefined) throw bad(this.at(printable(unknown)), 'is not known; leave it out');
  }
}

function bad(where: string, what: string): TraplineError {
  return new TraplineError('API_REQUEST', `the request is not understood: ${where === '' ? 'it' : where} ${what}`);
}

/** A name out of a request as it can be shown: short, without control characters. */
function printable(name: string): string {
  const shown = name.replace(/[^\x20-\x7e]/g, '?');
  return shown.length > 40 ? `${shown.slice(0, 40)}...` : shown;
}

/**
 * A request for a job.
 * @throws TraplineError `API_REQUEST`
 */
export function parseJobRequest(value: unknown): JobRequest {
  const fields = new Fields('', value);
  const kind = fields.choice('kind', ['run', 'race', 'schedule', 'check']);
  const request = READERS[kind](fields);
  fields.end();
  return request;
}

const READERS: Readonly<Record<JobRequest['kind'], (fields: Fields) => JobRequest>> = {
  run: readRun,
  race: readRace,
  schedule: readSchedule,
  check: (fields): CheckRequest => ({ kind: 'check', code: readCode(fields) }),
};

function readCode(fields: Fields): GuestCode {
  const code = new Fields(fields.at('code'), fields.raw('code'));
  const given = (['bytes', 'asm', 'guest'] as const).filter((name) => code.has(name));
  const [kind] = given;
  if (kind === undefined || given.length > 1) throw bad(fields.at('code'), 'must hold one of bytes, asm or guest');
  const text = code.text(kind, kind === 'guest' ? MAX_NAME : MAX_CODE_CHARACTERS);
  code.end();
  if (kind === 'guest') return { guest: text };
  return kind === 'asm' ? { asm: text } : { bytes: text };
}

function readRun(fields: Fields): RunRequest {
  const code = readCode(fields);
  const mode = fields.choice('mode', MODES);
  const inner = <T>(name: string, read: (fields: Fields) => T): Record<string, T> => {
    if (!fields.has(name)) {
      fields.raw(name);
      return {};
    }
    const object = new Fields(fields.at(name), fields.raw(name));
    const result = read(object);
    object.end();
    return { [name]: result };
  };
  return {
    kind: 'run',
    code,
    mode,
    ...(fields.has('upstream') && { upstream: fields.text('upstream') }),
    ...(fields.has('guards') && { guards: readGuards(fields) }),
    ...inner('scheduling', (f) => ({
      ...(f.has('seed') && { seed: f.count('seed', 0, 2 ** 32 - 1) }),
      ...(f.has('stubPreemption') && { stubPreemption: f.flag('stubPreemption') }),
    })),
    ...inner('record', (f) => ({
      ...(f.has('everyInstruction') && { everyInstruction: f.flag('everyInstruction') }),
      ...(f.has('steps') && { steps: f.count('steps', 0, 1_000_000) }),
    })),
    ...inner('limits', (f) => ({
      ...(f.has('instructions') && { instructions: f.count('instructions', 1, 1e12) }),
    })),
  };
}

function readGuards(fields: Fields): Readonly<Record<string, boolean>> {
  const where = fields.at('guards');
  const value = fields.raw('guards');
  const guards = new Fields(where, value);
  const names = Object.keys(value as object);
  if (names.length > 64) throw bad(where, 'has too many entries');
  return Object.fromEntries(names.map((name) => [name, guards.flag(name)]));
}

const RACE_TEXTS = ['patch', 'protocol', 'model', 'grain', 'return', 'strategy'] as const;
const RACE_COUNTS = [
  'granule',
  'atom',
  'threads',
  'offset',
  'startAt',
  'nr',
  'table',
  'seed',
  'budget',
] as const satisfies readonly (keyof RaceRequest)[];

function readRace(fields: Fields): RaceRequest {
  const texts = RACE_TEXTS.flatMap((name) => (fields.has(name) ? [[name, fields.text(name)] as const] : []));
  const counts = RACE_COUNTS.flatMap((name) =>
    fields.has(name) ? [[name, fields.count(name, 0, Number.MAX_SAFE_INTEGER)] as const] : [],
  );
  return {
    kind: 'race',
    scenario: fields.text('scenario'),
    ...Object.fromEntries(texts),
    ...Object.fromEntries(counts),
    ...(fields.has('page') && { page: fields.flag('page') }),
  };
}

function readSchedule(fields: Fields): ScheduleRequest {
  const token = fields.text('token', MAX_TOKEN);
  if (!fields.has('steps')) return { kind: 'schedule', token };
  const steps = fields.raw('steps');
  const where = fields.at('steps');
  if (!Array.isArray(steps)) throw bad(where, 'must be a list');
  if (steps.length > MAX_SCHEDULE_STEPS) throw bad(where, `has more than ${MAX_SCHEDULE_STEPS} steps`);
  return { kind: 'schedule', token, steps: steps.map((step, index) => readStep(`${where}[${index}]`, step)) };
}

function readStep(where: string, value: unknown): ScheduleStep {
  const fields = new Fields(where, value);
  const step = { actor: fields.text('actor'), name: fields.text('name') };
  fields.end();
  // They become parts of a schedule's text, where white space, bars and colons separate.
  if (!/^[^\s|:]+$/.test(step.actor)) throw bad(`${where}.actor`, 'is no name of an actor');
  if (!/^[^\s|]+$/.test(step.name)) throw bad(`${where}.name`, 'is no name of a step');
  return step;
}

/**
 * What a hand-in line is to be made of.
 * @throws TraplineError `API_REQUEST`
 */
export function parseHandInRequest(
  value: unknown,
): HandInRequest & { readonly answers: Readonly<Record<string, Attempt>> } {
  const fields = new Fields('', value);
  const request = {
    lesson: fields.text('lesson', 64),
    steps: fields.count('steps', 0, 1e9),
    seconds: fields.count('seconds', 0, 1e7),
    name: fields.text('name', 80).trim(),
    answers: readAnswers(fields),
  };
  fields.end();
  if (!/^[a-z0-9-]+$/.test(request.lesson)) throw bad('lesson', 'is no id of a lesson');
  // Half of a pair of UTF-16 has no bytes that could be signed.
  if (request.name === '' || /\p{Cc}|\p{Cs}/u.test(request.name)) throw bad('name', 'holds what cannot be written');
  return request;
}

const MAX_ANSWERS = 40;

function readAnswers(fields: Fields): Readonly<Record<string, Attempt>> {
  const where = fields.at('answers');
  const value = fields.raw('answers');
  const answers = new Fields(where, value);
  const names = Object.keys(value as object);
  if (names.length > MAX_ANSWERS) throw bad(where, `has more than ${MAX_ANSWERS} entries`);
  return Object.fromEntries(names.map((name) => [name, readAttempt(answers, name)]));
}

function readAttempt(answers: Fields, name: string): Attempt {
  const fields = new Fields(answers.at(name), answers.raw(name));
  const kind = fields.choice('kind', ['moment', 'answer', 'bytes', 'choice', 'order', 'code']);
  const attempt = attemptOf(kind, fields);
  fields.end();
  return attempt;
}

function attemptOf(kind: Attempt['kind'], fields: Fields): Attempt {
  switch (kind) {
    case 'moment':
      return { kind, step: fields.count('step', 0, 10_000_000) };
    case 'answer':
      return { kind, text: fields.text('text') };
    case 'bytes':
      return { kind, bytes: fields.text('bytes') };
    case 'choice':
      return { kind, option: fields.text('option') };
    case 'order':
      return { kind, order: fields.text('order'), guard: fields.count('guard', 0, 255), model: fields.text('model') };
    case 'code':
      return { kind, source: fields.text('source', MAX_CODE_CHARACTERS) };
  }
}

/**
 * Lines whose signatures are to be checked.
 * @throws TraplineError `API_REQUEST`
 */
export function parseHandInCheck(value: unknown): readonly string[] {
  const fields = new Fields('', value);
  const lines = fields.raw('lines');
  fields.end();
  if (!Array.isArray(lines) || lines.length > 1000) throw bad('lines', 'must be a list of at most 1000 lines');
  return lines.map((line, index) => {
    if (typeof line !== 'string' || line.length > 1000) throw bad(`lines[${index}]`, 'must be a line of text');
    return line;
  });
}
