// SPDX-License-Identifier: MIT
//
// Checks of untrusted JSON, put together from small ones. A check says what is wrong and where, in one sentence's part;
// nothing is copied, and nothing is trusted before it was looked at.

/** What is wrong: where below the value that was checked, and what. */
export interface Problem {
  readonly path: string;
  readonly what: string;
}

/** Null when the value is as it should be. */
export type Check = (value: unknown) => Problem | null;

const SHOWN = 40;

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

function wrong(value: unknown, expected: string): Problem {
  return { path: '', what: `is ${shown(value)} instead of ${expected}` };
}

function below(step: string, problem: Problem | null): Problem | null {
  return problem === null ? null : { path: step + problem.path, what: problem.what };
}

/** A whole number. */
export function integer(low: number, high: number): Check {
  return (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high
      ? null
      : wrong(value, `a whole number from ${low} to ${high}`);
}

/** Any number, infinities and NaN apart. */
export const finite: Check = (value) =>
  typeof value === 'number' && Number.isFinite(value) ? null : wrong(value, 'a number');

/** A number from 0 to 1. */
export const share: Check = (value) =>
  typeof value === 'number' && value >= 0 && value <= 1 ? null : wrong(value, 'a number from 0 to 1');

export const flag: Check = (value) => (typeof value === 'boolean' ? null : wrong(value, 'true or false'));

export function text(most: number): Check {
  return (value) =>
    typeof value === 'string' && value.length <= most ? null : wrong(value, `a text of at most ${most} characters`);
}

/** Digits of so many bytes at most. */
export function hexBytes(most: number): Check {
  return (value) =>
    typeof value === 'string' && value.length % 2 === 0 && value.length <= 2 * most && !/[^0-9a-f]/.test(value)
      ? null
      : wrong(value, `hex digits of at most ${most} bytes`);
}

/** Digits of a 64-bit word. */
export const word: Check = (value) =>
  typeof value === 'string' && /^[0-9a-f]{1,16}$/.test(value) ? null : wrong(value, 'up to 16 hex digits');

export function oneOf(values: readonly unknown[]): Check {
  const known = new Set(values);
  return (value) =>
    known.has(value) ? null : wrong(value, values.length > 8 ? 'a known name' : values.map(shown).join(' or '));
}

/** Null, or what the check wants. */
export function orNull(check: Check): Check {
  return (value) => (value === null ? null : check(value));
}

export function list(check: Check, most: number): Check {
  return (value) => {
    if (!Array.isArray(value) || value.length > most) return wrong(value, `a list of at most ${most}`);
    for (let i = 0; i < value.length; i++) {
      const problem = check(value[i]);
      if (problem !== null) return below(`[${i}]`, problem);
    }
    return null;
  };
}

/** A list with one check for each place. */
export function tuple(...checks: readonly Check[]): Check {
  return (value) => {
    if (!Array.isArray(value) || value.length !== checks.length) return wrong(value, `a list of ${checks.length}`);
    for (const [i, check] of checks.entries()) {
      const problem = check(value[i]);
      if (problem !== null) return below(`[${i}]`, problem);
    }
    return null;
  };
}

/** An object with these fields, perhaps the optional ones, and no others. */
export function object(fields: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>> = {}): Check {
  const known = new Map([...Object.entries(optional), ...Object.entries(fields)]);
  const needed = Object.keys(fields);
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(value, 'an object');
    for (const name of needed) if (!Object.hasOwn(value, name)) return below(`.${name}`, wrong(undefined, 'there'));
    for (const name of Object.keys(value)) {
      const check = known.get(name);
      if (check === undefined) return { path: `.${name.slice(0, SHOWN)}`, what: 'is no field of it' };
      const problem = check((value as Record<string, unknown>)[name]);
      if (problem !== null) return below(`.${name}`, problem);
    }
    return null;
  };
}

/** An object whose names are not known, or some of those given. */
export function record(check: Check, most: number, names?: readonly string[]): Check {
  const known = names === undefined ? undefined : new Set(names);
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(value, 'an object');
    const keys = Object.keys(value);
    const stranger = known === undefined ? undefined : keys.find((name) => !known.has(name));
    if (stranger !== undefined) return { path: `.${stranger.slice(0, SHOWN)}`, what: 'is no field of it' };
    if (keys.length > most) return { path: '', what: `has ${keys.length} fields; ${most} is the most` };
    for (const name of keys) {
      const problem = check((value as Record<string, unknown>)[name]);
      if (problem !== null) return below(`.${name.slice(0, SHOWN)}`, problem);
    }
    return null;
  };
}

/** One of several. The problem told is the last one's. */
export function either(...checks: readonly Check[]): Check {
  return (value) => {
    let problem: Problem | null = null;
    for (const check of checks) {
      problem = check(value);
      if (problem === null) return null;
    }
    return problem;
  };
}
