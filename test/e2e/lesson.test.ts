// SPDX-License-Identifier: MIT
//
// `trapline lesson` as a process: on a real terminal by single keys, in pipes by lines, and with files of one's own.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { hasPython, play } from './play.ts';
import { CLI, ONE_LINE, trapline } from './trapline.ts';

const LESSONS = fileURLToPath(new URL('../../src/workshop/lessons/', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'trapline-lesson-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** UTF-8, which the helper gives as Latin-1. */
const utf8 = (text: string): string => Buffer.from(text, 'latin1').toString();

describe('trapline lesson', () => {
  it('lists the lessons', () => {
    const { status, stdout, stderr } = trapline(['lesson', '--list']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.trimEnd().split('\n')).toHaveLength(9);
    expect(stdout).toMatch(/^ 1 {2}see-a-trap {8} 8 min {2}A trap/);
    expect(trapline(['lesson']).stdout).toBe(stdout);
  });

  it('is done by the lines of a pipe: status 0, or 1 when a goal is missed', () => {
    const right = trapline(['lesson', '1'], { input: 'n\ng 6\n!\n0x4000c7\n4\n' });
    expect(right).toMatchObject({ status: 0, stderr: '' });
    expect(right.stdout).toContain('The lesson is done.');
    const wrong = trapline(['lesson', 'see-a-trap'], { input: '!\ng 6\n!\n0x400000\nq\n' });
    expect(wrong).toMatchObject({ status: 1, stderr: '' });
    expect(wrong.stdout).toContain('This is the start: nothing has happened yet.');
    expect(wrong.stdout).toContain('0x400000 is not it.');
  });

  it('prints all of a lesson where nothing is typed, and the same each time', () => {
    const printed = trapline(['lesson', '1', '--print']);
    expect(printed).toMatchObject({ status: 0, stderr: '' });
    expect(utf8(printed.stdout)).toContain('step 45 of 45');
    expect(trapline(['lesson', '1'], { input: '' }).stdout).toBe(printed.stdout);
  });

  it('runs what was not recorded on the engine of this machine', () => {
    const source = ['_start: mov $2,%ebx', 'again: xor %r8d,%r8d', 'mov $102,%eax', 'mov $102,%r8d', 'syscall'];
    const rest = ['cmp $102,%r8d', 'jne wrong', 'dec %ebx', 'jnz again', 'xor %edi,%edi', 'jmp end'];
    const end = ['wrong: mov $1,%edi', 'end: mov $231,%ecx', 'mov %ecx,%eax', 'syscall', '.'];
    const matcher = ['mov $39,%eax', 'mov $39,%r8d', 'syscall', '.'];
    const input = `${[...matcher, ...source, ...rest, ...end].join('\n')}\n`;
    const { status, stdout, stderr } = trapline(['lesson', '8'], { input });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(utf8(stdout)).toContain('The lesson is done.');
  });

  it("plays a teacher's own file, and says what is wrong with one", () => {
    const lesson = JSON.parse(readFileSync(join(LESSONS, '02-count-bytes.json'), 'utf8')) as object;
    const { lessons } = JSON.parse(readFileSync(join(LESSONS, 'texts/en.json'), 'utf8')) as {
      lessons: Record<string, object>;
    };
    const texts = lessons['count-bytes'];
    const file = join(scratch, '10-mine.json');
    writeFileSync(file, JSON.stringify({ ...lesson, number: 10, texts }));
    const played = trapline(['lesson', file], { input: '2\n5\n4\nff 24 25 50 20 06 00\n' });
    expect(played).toMatchObject({ status: 0, stderr: '' });
    const refusal = (content: string): string => {
      writeFileSync(file, content);
      const { status, stdout, stderr } = trapline(['lesson', file]);
      expect({ status, stdout }).toEqual({ status: 125, stdout: '' });
      expect(stderr).toMatch(ONE_LINE);
      return stderr;
    };
    expect(refusal('{')).toBe('trapline: 10-mine.json:1:2: this is no JSON from here on; correct it\n');
    expect(refusal(JSON.stringify(lesson))).toBe('trapline: 10-mine.json: the file: has no "texts"; add it\n');
    expect(refusal(JSON.stringify({ ...lesson, texts: { ...texts, tasks: {} } }))).toContain(
      'has no texts for the task',
    );
    expect(refusal(JSON.stringify({ ...lesson, minutes: 0, texts }))).toContain('minutes: 0 is not what is asked for');
  });

  it('refuses what is no lesson', () => {
    for (const [which, message] of [
      ['0', /there is no lesson "0"; use 1 to 9/],
      ['nonsense', /there is no lesson "nonsense"/],
      [join(scratch, 'absent.json'), /absent\.json: /],
    ] as const) {
      const { status, stdout, stderr } = trapline(['lesson', which]);
      expect({ status, stdout }).toEqual({ status: 125, stdout: '' });
      expect(stderr).toMatch(ONE_LINE);
      expect(stderr).toMatch(message);
    }
  });
});

describe.skipIf(!hasPython)('trapline lesson at a terminal', () => {
  const LESSON = [process.execPath, CLI, 'lesson', '1'];
  const PROMPT = '] > ';

  it('takes single keys and typed answers, and is put back at its end', async () => {
    const played = await play(LESSON, [
      ['expect', PROMPT],
      ['raw'],
      ['send', 'n'],
      ['expect', 'step 1 of 45'],
      ['expect', PROMPT],
      ['send', '\u001b[C'],
      ['expect', 'step 2 of 45'],
      ['expect', PROMPT],
      ['send', 'p'],
      ['expect', 'step 1 of 45'],
      ['expect', PROMPT],
      ['send', 'h'],
      ['expect', 'Hint 1 of 2'],
      ['expect', PROMPT],
      ['send', 'e'],
      ['expect', 'step 6 of 45'],
      ['expect', PROMPT],
      ['send', '!'],
      ['expect', 'Right.'],
      ['expect', PROMPT],
      ['send', '0x4000c9\u007f7\r'],
      ['expect', 'Right.'],
      ['expect', PROMPT],
      ['send', '5\u00154\r'],
      ['expect', 'The lesson is done.'],
    ]);
    expect(played).toMatchObject({ missing: null, status: 0, raw: [true], restored: true });
  });

  it.each([
    ['q', 'q'],
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('%s leaves it, and the terminal is as before', async (_, key) => {
    const played = await play(LESSON, [
      ['expect', PROMPT],
      ['send', key],
    ]);
    expect(played).toMatchObject({ missing: null, status: 0, restored: true });
  });
});
