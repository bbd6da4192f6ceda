// SPDX-License-Identifier: MIT
//
// What is said about steps: every kind has a sentence, every step of every recording gets a whole one, and no text
// names what it is not given.

import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { RecordingCursor } from '../../src/trace/recording/cursor.ts';
import { ACTOR_STATES, COST_EVENTS, EVENT_KINDS, MEANINGS, STEP_KINDS } from '../../src/trace/recording/format.ts';
import { parseRecordings } from '../../src/trace/recording/parse.ts';
import { PATCH_RULES } from '../../src/usertrap/patcher.ts';
import { stepSentence } from '../../src/workshop/texts/step-sentence.ts';
import { hasText, t } from '../../src/workshop/texts/texts.ts';

const FOLDER = fileURLToPath(new URL('../../src/workshop/lessons/recordings/', import.meta.url));
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

describe('Texts', () => {
  it('are there for every kind of step, event, state, meaning, cost and rule of the format', () => {
    for (const kind of STEP_KINDS) expect(hasText(`step.${kind}`), kind).toBe(true);
    for (const kind of EVENT_KINDS) expect(hasText(`event.${kind}`), kind).toBe(true);
    for (const state of ACTOR_STATES) expect(hasText(`state.${state}`), state).toBe(true);
    for (const meaning of MEANINGS) expect(hasText(`site.meaning.${meaning}`), meaning).toBe(true);
    for (const event of COST_EVENTS) expect(hasText(`cost.event.${event}`), event).toBe(true);
    for (const rule of PATCH_RULES) expect(hasText(`rule.${rule}`), rule).toBe(true);
  });

  it('fill in what they are given, count, and leave out a part that nothing is known about', () => {
    expect(t('site.beyond', { bytes: 1 })).toBe('goes on for 1 byte behind the site');
    expect(t('site.beyond', { bytes: 3 })).toBe('goes on for 3 bytes behind the site');
    expect(t('step.fork', { actor: 'T0' })).toBe('T0 makes another task.');
    expect(t('step.fork', { actor: 'T0', childname: 'C' })).toBe('T0 makes another task: C.');
    expect(t('no such text')).toBe('no such text');
  });
});

describe('The sentence about a step', () => {
  it.each(FILES)('is whole at every moment of %s', (name) => {
    for (const recording of parseRecordings(readFileSync(`${FOLDER}${name}`, 'utf8'))) {
      const cursor = new RecordingCursor(recording);
      for (let moment = 0; moment <= cursor.length; moment++) {
        const { what, why } = stepSentence(cursor, moment);
        const where = `${name} at ${moment}: ${what} ${why}`;
        expect(what, where).toMatch(/^.{8,}[.!?:]$/);
        expect(`${what} ${why}`.replace('[usertrap]', 'usertrap'), where).not.toMatch(
          /[{}[\]]|undefined|NaN|\bstep\.|rule\.|\S {2}|\(\)| [.,:]/,
        );
        expect(why, where).toMatch(/^$|[.!?]$/);
      }
    }
  });

  it('tells the three stores of gVisor apart, and the same stores at another time', () => {
    const said = (name: string): string => {
      const [recording] = parseRecordings(readFileSync(`${FOLDER}${name}`, 'utf8'));
      if (recording === undefined) return '';
      const cursor = new RecordingCursor(recording);
      return recording.steps.map((_, i) => stepSentence(cursor, i + 1).what).join('\n');
    };
    const inOrder = said('sample-run.json');
    expect(inOrder.indexOf('stores the guard byte')).toBeGreaterThan(-1);
    expect(inOrder.indexOf('bytes of the slot’s address')).toBeGreaterThan(inOrder.indexOf('stores the guard byte'));
    expect(inOrder.indexOf('the last byte')).toBeGreaterThan(inOrder.indexOf('bytes of the slot’s address'));
    expect(said('sample-race.json')).toContain('before the address behind it is there');
  });
});
