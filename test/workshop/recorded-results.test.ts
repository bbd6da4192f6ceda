// SPDX-License-Identifier: MIT
//
// The laboratory that needs no server: it knows what was recorded, whatever a program's layout is, and says so where it
// does not.

import { describe, expect, it } from 'vitest';
import type { JobRequest } from '../../src/workshop/api.ts';
import { parseResults, RecordedLab, requestKey } from '../../src/workshop/lessons/recorded-results.ts';
import type { ResultsFile } from '../../src/workshop/lessons/recorded-results.ts';

const CHECK: JobRequest = { kind: 'check', code: { asm: '_start: nop\n        syscall\n' } };
const FILE: ResultsFile = {
  format: 'trapline-lesson-results',
  version: 1,
  results: [
    { request: CHECK, outcome: { kind: 'check', verdict: 'same', text: 'same', json: {} }, recordings: ['one'] },
  ],
};

describe('The recorded laboratory', () => {
  it('knows a program by its instructions', () => {
    const same: JobRequest = { kind: 'check', code: { asm: '# mine\n_start:\tnop   # nothing\n\n\tsyscall' } };
    expect(requestKey(same)).toBe(requestKey(CHECK));
    expect(requestKey({ code: { asm: '_start: nop\nsyscall' }, kind: 'check' })).toBe(requestKey(CHECK));
    const other: JobRequest = { kind: 'check', code: { asm: '_start: nop\nnop\nsyscall' } };
    expect(requestKey(other)).not.toBe(requestKey(CHECK));
  });

  it('gives what was recorded, and names what only a server could answer', async () => {
    const lab = new RecordedLab({ results: async () => FILE, recording: async (name) => ({ name }) });
    expect(lab.status.value).toEqual({ kind: 'recorded' });
    expect(await lab.submit(CHECK)).toEqual({
      ok: true,
      outcome: FILE.results[0]?.outcome,
      recordings: [{ name: 'one' }],
    });
    expect(await lab.submit({ kind: 'check', code: { guest: 'hello' } })).toMatchObject({
      ok: false,
      reason: 'not-recorded',
      sentence: expect.stringContaining('npx trapline workshop'),
    });
  });

  it('says when its files cannot be read, and tries again', async () => {
    let fails = true;
    const lab = new RecordedLab({
      async results() {
        if (fails) throw new Error('no such file');
        return FILE;
      },
      recording: async () => ({}),
    });
    expect(await lab.submit(CHECK)).toMatchObject({ ok: false, reason: 'unreachable' });
    fails = false;
    expect(await lab.submit(CHECK)).toMatchObject({ ok: true });
  });

  it('refuses a file that is none', () => {
    for (const value of [null, {}, { format: 'trapline-lesson-results', version: 2, results: [] }])
      expect(() => parseResults(value)).toThrow(
        'results.json: is none of this version; make it anew with npm run docs',
      );
  });
});
