// SPDX-License-Identifier: MIT
//
// Whatever is not a recording is refused in one sentence; whatever is accepted can be walked from end to end.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TraplineError } from '../../../src/base/errors.ts';
import { RecordingCursor } from '../../../src/trace/recording/cursor.ts';
import { MOST_CHARACTERS, parseRecordings } from '../../../src/trace/recording/parse.ts';
import type { Recording } from '../../../src/trace/recording/format.ts';
import { RECORDINGS, recordingText } from './samples.ts';

/** The sentence with which a text is refused; undefined when it is accepted. */
function refusal(text: string): string | undefined {
  try {
    for (const recording of parseRecordings(text)) walk(recording);
    return undefined;
  } catch (error) {
    if (!(error instanceof TraplineError) || error.code !== 'RECORDING_FORMAT') throw error;
    expect(error.message).not.toContain('\n');
    expect(error.message.length).toBeLessThan(500);
    return error.message;
  }
}

/** Everything that a page asks of a recording. */
function walk(recording: Recording): void {
  const cursor = new RecordingCursor(recording);
  const jump = Math.max(1, Math.floor(cursor.length / 10));
  for (let moment = 0; moment <= cursor.length; moment += jump) {
    const state = cursor.goTo(moment);
    for (const [site] of recording.sites.entries()) {
      for (const actor of [undefined, ...recording.actors.keys()]) {
        const bytes = cursor.siteBytes(site, state, actor);
        if (bytes !== null) cursor.decode(site, bytes);
      }
    }
    for (const [region] of recording.regions.entries()) cursor.listing(region, state);
    cursor.eventFrom(moment, 1);
    cursor.eventFrom(moment, -1, ['call', 'failure']);
    cursor.maps(0, moment);
    cursor.text(cursor.step?.text);
    for (const call of recording.calls.slice(0, 20)) cursor.callText(call);
  }
}

const SMALL = recordingText('sample-race.json');
const RUN = recordingText('sample-run.json');

/** All paths to values of a JSON text, to choose from. */
function paths(value: unknown, path: readonly (string | number)[] = [], out: (readonly (string | number)[])[] = []) {
  if (out.length > 20_000) return out;
  out.push(path);
  if (Array.isArray(value)) value.forEach((item, i) => paths(item, [...path, i], out));
  else if (typeof value === 'object' && value !== null)
    for (const [name, item] of Object.entries(value)) paths(item, [...path, name], out);
  return out;
}

function replaced(value: unknown, path: readonly (string | number)[], by: (old: unknown) => unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return by(value);
  if (Array.isArray(value)) return value.map((item: unknown, i) => (i === head ? replaced(item, rest, by) : item));
  const entries = Object.entries(value as object);
  return Object.fromEntries(entries.map(([name, item]) => [name, name === head ? replaced(item, rest, by) : item]));
}

const ODD = fc.oneof(
  fc.constantFrom<unknown>(null, true, -1, 0, 1, 2 ** 31, 2 ** 53, 1e300, 0.5, '', 'zz', '0f', [], {}, [[]], {
    actor: 0,
  }),
  fc.string(),
  fc.integer(),
  fc.jsonValue(),
);

describe('parseRecordings', () => {
  it.each(RECORDINGS)('accepts %s, which can be walked from end to end', (name) => {
    expect(refusal(recordingText(name))).toBeUndefined();
  });

  it('accepts a set, and names the part of it that is damaged', () => {
    const set = { format: 'trapline-recording', version: 1, kind: 'set', title: 't', recordings: [JSON.parse(SMALL)] };
    expect(parseRecordings(JSON.stringify(set))).toHaveLength(1);
    const damaged = { ...set, recordings: [...set.recordings, { ...(JSON.parse(RUN) as object), steps: 7 }] };
    expect(refusal(JSON.stringify(damaged))).toBe(
      'the recording is damaged: recordings[1].steps is 7 instead of a list of at most 200000; make it again with trapline run --html or trapline race --html',
    );
    expect(refusal(JSON.stringify({ ...set, recordings: [] }))).toContain('it holds nothing');
  });

  it('says what is wrong, where, and what to do', () => {
    const again = 'make it again with trapline run --html or trapline race --html';
    expect(refusal('')).toBe(`this is no recording of Trapline: it is no JSON; ${again}`);
    expect(refusal('[1, 2]')).toBe(`this is no recording of Trapline: it does not say that it is one; ${again}`);
    expect(refusal('{"format":"trapline-trace","version":1}')).toContain('it does not say that it is one');
    expect(refusal(SMALL.replace('"version":1', '"version":2'))).toBe(
      `the recording is of version 2, and this Trapline reads version 1: open it with the Trapline that made it, or ${again}`,
    );
    expect(refusal(SMALL.replace('"kind":"lock"', '"kind":"luck"'))).toBe(
      `the recording is damaged: steps[0].kind is "luck" instead of a known name; ${again}`,
    );
    expect(refusal(SMALL.slice(0, SMALL.length / 2))).toContain('it is no JSON');
    expect(refusal(SMALL.replace('"actor":1', '"actor":9'))).toMatch(
      /\.actor is 9 instead of a whole number from 0 to 1;/,
    );
  });

  it('refuses what is too large before it reads it', () => {
    const text = ' '.repeat(MOST_CHARACTERS + 1);
    expect(refusal(text)).toContain(`has ${MOST_CHARACTERS + 1} characters`);
  });

  it.each([
    ['sample-race.json', SMALL],
    ['sample-run.json', RUN],
  ])('refuses or can walk %s with any value of it replaced by any other', (_, text) => {
    const value: unknown = JSON.parse(text);
    const all = paths(value);
    fc.assert(
      fc.property(fc.nat(all.length - 1), ODD, (index, odd) => {
        refusal(JSON.stringify(replaced(value, all[index] ?? [], () => odd)));
      }),
      { numRuns: 400 },
    );
  });

  it('refuses or can walk a recording with numbers and lists a little wrong', () => {
    const value: unknown = JSON.parse(SMALL);
    const all = paths(value);
    const nudge = (old: unknown, by: number): unknown => {
      if (typeof old === 'number') return old + by;
      if (typeof old === 'string') return by > 0 ? old + old : old.slice(by);
      if (Array.isArray(old)) return by > 0 ? [...old, ...old] : old.slice(0, by);
      return old;
    };
    fc.assert(
      fc.property(fc.nat(all.length - 1), fc.constantFrom(-2, -1, 1, 2), (index, by) => {
        refusal(JSON.stringify(replaced(value, all[index] ?? [], (old) => nudge(old, by))));
      }),
      { numRuns: 400 },
    );
  });

  it('refuses texts with characters changed', () => {
    fc.assert(
      fc.property(fc.nat(SMALL.length - 1), fc.string({ minLength: 1, maxLength: 3 }), (at, piece) => {
        refusal(SMALL.slice(0, at) + piece + SMALL.slice(at + piece.length));
      }),
      { numRuns: 300 },
    );
  });

  it('takes no field for one of an object’s own', () => {
    const hostile = SMALL.replace('"regs":{', '"regs":{"__proto__":"0",');
    expect(hostile).not.toBe(SMALL);
    expect(refusal(hostile)).toContain('.regs.__proto__ is no field of it');
  });
});
