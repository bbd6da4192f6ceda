// SPDX-License-Identifier: MIT
//
// Lines that students hand in: what a check finds, on the server, on the command line, and by everybody.

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { fc, test } from '@fast-check/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkedLine,
  checkHandIn,
  handInChecksum,
  handInText,
  parseHandIn,
  type HandIn,
} from '../../src/workshop/hand-in.ts';
import { RecordingCursor } from '../../src/trace/recording/cursor.ts';
import { parseRecordings } from '../../src/trace/recording/parse.ts';
import { cursorSteps } from '../../src/workshop/lessons/cursor-steps.ts';
import { readLessons } from '../../src/workshop/lessons/lesson-set.ts';
import type { TaskView } from '../../src/workshop/lessons/lesson-set.ts';
import { solutionOf } from '../../src/workshop/lessons/solutions.ts';
import { ClassKey } from '../../src/workshop/server/class-key.ts';
import { readLessonFiles } from '../../src/workshop/server/lesson-files.ts';
import { ONE_LINE, trapline } from '../e2e/trapline.ts';
import { ServerProcess, Student } from './server-process.ts';

const ADA: HandIn = {
  lesson: 'break-it',
  done: 3,
  tasks: 3,
  steps: 42,
  seconds: 310,
  at: '2026-11-23T17:40:00Z',
  name: 'Ada Lovelace',
};
const key = new ClassKey(Buffer.from('a key of this class and no other'));
const other = new ClassKey(Buffer.from('a key of another class, elsewhere'));

describe('a hand-in line', () => {
  it('is text that a person can read and copy', () => {
    expect(checkedLine(ADA)).toMatch(/^TL1 break-it 3\/3 42 310 2026-11-23T17:40:00Z Ada%20Lovelace c:[0-9a-f]{8}$/);
    expect(key.sign(ADA)).toMatch(/^TL1 break-it 3\/3 42 310 2026-11-23T17:40:00Z Ada%20Lovelace s:[\w-]{22}$/);
  });

  test.prop([fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }), fc.nat(1e6), fc.nat(1e6)])(
    'says again what it was made of, whatever the name',
    (name, steps, seconds) => {
      const handIn = { ...ADA, name, steps, seconds };
      expect(checkHandIn(checkedLine(handIn), undefined)).toEqual({ verdict: 'checksum', handIn });
      expect(key.check(key.sign(handIn))).toEqual({ verdict: 'signed', handIn });
    },
  );

  test.prop([fc.nat(), fc.integer({ min: 33, max: 126 })])(
    'with one character changed is never right again',
    (at, code) => {
      const line = key.sign(ADA);
      const index = at % line.length;
      const changed = line.slice(0, index) + String.fromCharCode(code) + line.slice(index + 1);
      fc.pre(changed !== line);
      expect(['wrong', 'unreadable']).toContain(key.check(changed).verdict);
    },
  );

  it('may be copied with other white space', () => {
    expect(key.check(`  ${key.sign(ADA).replaceAll(' ', '   ')}\r`)).toMatchObject({ verdict: 'signed' });
  });

  it('of another class is wrong, and without a key is not checked', () => {
    expect(key.check(other.sign(ADA))).toMatchObject({ verdict: 'wrong' });
    expect(checkHandIn(key.sign(ADA), undefined)).toMatchObject({ verdict: 'no-key' });
  });

  it('with a checksum does not pass for a signed one', () => {
    const forged = checkedLine(ADA).replace(' c:', ' s:');
    expect(key.check(forged)).toMatchObject({ verdict: 'wrong' });
  });

  test.prop([fc.string({ maxLength: 200 })])('is recognised, whatever else comes', (text) => {
    expect(parseHandIn(text) === undefined || text.trim().startsWith('TL1')).toBe(true);
  });

  it('has the checksum of zlib', () => {
    const text = handInText({ ...ADA, name: 'Grété Hermann' });
    expect(Number.parseInt(handInChecksum(text), 16)).toBe(crc32(Buffer.from(text)));
  });
});

describe('trapline workshop --verify', () => {
  let folder = '';
  let keyFile = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-hand-in-'));
    keyFile = join(folder, 'key');
    writeFileSync(keyFile, 'a key of this class and no other');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function verify(lines: readonly string[], ...options: string[]): ReturnType<typeof trapline> {
    const list = join(folder, 'lines');
    writeFileSync(list, lines.join('\n'));
    return trapline(['workshop', '--verify', list, ...options]);
  }

  it('exits with 0 when all lines are signed', () => {
    const run = verify([key.sign(ADA), '', key.sign({ ...ADA, name: 'Kurt' })], '--class-key', keyFile);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toBe(
      'signed: Ada Lovelace, break-it, 3 of 3 tasks, 42 steps, 310 s, 2026-11-23T17:40:00Z\n' +
        'signed: Kurt, break-it, 3 of 3 tasks, 42 steps, 310 s, 2026-11-23T17:40:00Z\n2 of 2 lines are right\n',
    );
  });

  it('exits with 1 for lines that are wrong, that are none, or that everybody could have made', () => {
    const forged = key.sign(ADA).replace(' 42 ', ' 99 ');
    const run = verify([forged, 'hello', checkedLine(ADA), key.sign(ADA)], '--class-key', keyFile);
    expect(run.status).toBe(1);
    expect(run.stdout).toMatch(/^WRONG: Ada.*\nNO HAND-IN LINE: hello\nchecksum only: Ada.*\nsigned: Ada.*\n1 of 4/);
  });

  it('takes checksums where there is no key, and says what it cannot check', () => {
    expect(verify([checkedLine(ADA)]).status).toBe(0);
    const run = verify([key.sign(ADA)]);
    expect(run.status).toBe(1);
    expect(run.stdout).toContain('--class-key FILE is needed');
  });

  it("shows no control characters of a student's", () => {
    const run = verify([checkedLine({ ...ADA, name: '\x1b[2Jx' }), '\x1b[2J']);
    expect(run.stdout).not.toContain('\x1b');
  });

  it('refuses files that are not there or hold nothing, and keys that are too short', () => {
    expect(verify([], '--class-key', keyFile)).toMatchObject({ status: 125, stdout: '' });
    const short = join(folder, 'short');
    writeFileSync(short, 'x\n');
    for (const options of [
      ['--verify', '/nonexistent'],
      ['--verify', keyFile, '--class-key', '/nonexistent'],
      ['--verify', keyFile, '--class-key', short],
      ['--verify', keyFile, '--export', folder],
    ]) {
      const run = trapline(['workshop', ...options]);
      expect(run.stderr, options.join(' ')).toMatch(ONE_LINE);
      expect(run).toMatchObject({ status: 125, stdout: '' });
    }
  });

  it('a server makes a key that only its owner can read, signs with it, and sends it nowhere', async () => {
    const made = join(folder, 'made');
    const server = await ServerProcess.start('--workers', '1', '--class-key', made);
    try {
      expect(statSync(made).mode & 0o777).toBe(0o600);
      const student = await Student.arrive(server);
      const request = { lesson: 'break-it', steps: 3, seconds: 60, name: 'Zoë', answers: {} };
      const answer = (await (await student.post('/api/hand-in', request)).json()) as { line: string; signed: boolean };
      expect(answer).toMatchObject({ signed: true, line: expect.stringMatching(/^TL1 break-it 0\/3 3 60 .* s:/) });
      const forged = answer.line.replace(' 0/3 ', ' 3/3 ');
      const check = await student.post('/api/hand-in/check', { lines: [answer.line, forged] });
      expect(await check.json()).toMatchObject({ results: [{ verdict: 'signed' }, { verdict: 'wrong' }] });
      expect(verify([answer.line], '--class-key', made).status).toBe(0);
      const secret = readFileSync(made, 'latin1').trim();
      expect(await (await student.request('/api/status')).text()).not.toContain(secret);
      expect(await (await student.request('/check')).text()).not.toContain(secret);
      const stranger = await fetch(`${server.url}/api/hand-in`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(request),
      });
      expect(stranger.status).toBe(403);
      for (const bad of [
        { ...request, lesson: 'a b' },
        { ...request, name: '\ud800' },
        { ...request, name: ' ' },
        { ...request, steps: -1 },
        { ...request, more: 1 },
        { ...request, lesson: 'no-such-lesson' },
        { ...request, answers: undefined },
        { ...request, answers: { 'wrong-order': 'acb' } },
        { ...request, answers: { 'wrong-order': { kind: 'order', order: 'acb' } } },
        { ...request, answers: { 'wrong-order': { kind: 'shell', text: 'x' } } },
      ]) {
        expect((await student.post('/api/hand-in', bad)).status).toBe(400);
      }
    } finally {
      await server.stop('SIGKILL');
    }
  });
});

describe('a server that signs', () => {
  const files = readLessonFiles(fileURLToPath(new URL('../../src/workshop/lessons', import.meta.url)));
  const { lessons } = readLessons(files);
  let server: ServerProcess;

  beforeAll(async () => {
    server = await ServerProcess.start('--workers', '1', '--job-seconds', '600');
  });
  afterAll(async () => {
    await server.stop('SIGKILL');
  });

  /** The tasks that the server finds right, as the line says them. */
  async function counted(lesson: string, answers: Readonly<Record<string, unknown>>): Promise<string> {
    const student = await Student.arrive(server);
    const response = await student.post('/api/hand-in', { lesson, steps: 1, seconds: 1, name: 'Ada', answers });
    const { line } = (await response.json()) as { line: string };
    return line.split(' ')[2] ?? '';
  }

  function steps({ recording }: TaskView): ReturnType<typeof cursorSteps> | undefined {
    if (recording === undefined) return undefined;
    const [first] = parseRecordings(files.get(`recordings/${recording}.json`) ?? '');
    return first && cursorSteps(new RecordingCursor(first));
  }

  it.each(lessons.map((lesson) => [lesson.id, lesson] as const))(
    'counts every solution of %s, and no wrong attempt',
    async (id, { tasks }) => {
      const solutions = tasks.map((task) => [task.id, solutionOf(task, steps(task))] as const);
      expect(await counted(id, Object.fromEntries(solutions))).toBe(`${tasks.length}/${tasks.length}`);
      const wrong = tasks.map((task) => [task.id, task.wrong] as const);
      expect(await counted(id, Object.fromEntries(wrong))).toBe(`0/${tasks.length}`);
    },
  );

  it('judges a moment by the recording of the order that was broken', async () => {
    const order = { kind: 'order', order: 'bac', guard: 6, model: 'coherent' };
    const at = (step: number): Record<string, unknown> => ({
      'wrong-order': order,
      'failing-step': { kind: 'moment', step },
    });
    expect(await counted('break-it', at(10))).toBe('2/3');
    expect(await counted('break-it', at(3))).toBe('1/3');
    expect(await counted('break-it', { 'failing-step': { kind: 'moment', step: 3 } })).toBe('1/3');
  });

  it('has code run that nobody has recorded', async () => {
    const lesson = lessons.find(({ id }) => id === 'be-adversarial');
    const task = lesson?.tasks.find(({ goal }) => goal.kind === 'code' && goal.judge === 'differs');
    const solution = task === undefined ? undefined : solutionOf(task, undefined);
    if (task === undefined || solution?.kind !== 'code') throw new Error('the lesson has changed');
    const source = `    nop\n    nop\n    nop\n${solution.source}`.replace('_start:', '');
    expect(await counted('be-adversarial', { [task.id]: { kind: 'code', source } })).toBe('1/2');
    expect(await counted('be-adversarial', { [task.id]: { kind: 'code', source: 'nop: jmp nop' } })).toBe('0/2');
  });
});
