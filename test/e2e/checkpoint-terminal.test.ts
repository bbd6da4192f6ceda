// SPDX-License-Identifier: MIT
//
// A run at a terminal of the host that is saved and goes on at another one: a shell with its variables, its jobs, the
// settings of its terminal and what was typed ahead; other sizes, and no terminal where one must be.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasPython, play as playAt, PYTHON, type Played, type Step } from './play.ts';
import { CLI, ONE_LINE, trapline } from './trapline.ts';

const PROMPT = 'ready> ';
const TOOL = [process.execPath, CLI, 'run', '--root', '/'];
const ENV = ['--env', `PS1=${PROMPT}`, '--env', 'INPUTRC=/dev/null'];
const BASH = ['--', '/bin/bash', '--norc', '-i'];
const BUSYBOX = '/usr/bin/busybox';
const CTRL_D = '\u0004';
const CTRL_Z = '\u001a';

/** The driver loses its patience earlier, and says with what. */
const TIMEOUT_MS = 20 * 60_000;

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trapline-terminal-'));
  file = join(folder, 'saved');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Plays with a run of `program` until it is saved by SIGUSR1, and kills it then. */
function save(program: readonly string[], steps: readonly Step[]): Promise<Played> {
  return playAt(
    [...TOOL, ...ENV, '--checkpoint', file, ...program],
    [...steps, ['kill', 'SIGUSR1'], ['file', file], ['kill', 'SIGKILL']],
  );
}

function goOn(steps: readonly Step[]): Promise<Played> {
  return playAt([...TOOL, '--restore', file], steps);
}

/** A line for the shell, and the prompt after it. */
const line = (text: string, shown: string): Step[] => [
  ['send', `${text}\n`],
  ['expect', shown],
  ['expect', PROMPT],
];

describe.runIf(hasPython)('a run at a terminal that is saved', () => {
  it('goes on at another one: variables, jobs, who is in front', { timeout: TIMEOUT_MS }, async () => {
    const saved = await save(BASH, [
      ['expect', PROMPT],
      ['send', 'kept=still; echo $((1+1))"set"\n'],
      ['expect', '2set'],
      ['expect', PROMPT],
      ['send', 'echo go""es; cat\n'],
      ['expect', 'goes'],
      ['send', 'first\n'],
      ['expect', 'first\r\nfirst'],
      ['send', CTRL_Z],
      ['expect', 'Stopped'],
      ['expect', PROMPT],
    ]);
    expect(saved).toMatchObject({ missing: null, status: -9 });
    const rest = await goOn([
      ['send', '\n'],
      ['expect', PROMPT],
      ['raw'],
      ...line('echo "$kept"-here', 'still-here'),
      ...line('jobs', 'Stopped'),
      ['send', 'fg\n'],
      ['expect', 'cat'],
      ['send', 'second\n'],
      ['expect', 'second\r\nsecond'],
      ['send', CTRL_D],
      ['expect', PROMPT],
      ['send', 'exit 5\n'],
    ]);
    expect(rest).toMatchObject({ missing: null, status: 5, raw: [true], restored: true });
  });

  it('keeps its settings and what was typed ahead, and tells of the new size', { timeout: TIMEOUT_MS }, async () => {
    const source = fileURLToPath(new URL('sources/in-front.py', import.meta.url));
    const saved = await save(
      ['--', PYTHON, '-S', source],
      [
        ['expect', 'size 30 x 100'],
        ['resize', 20, 70],
        ['expect', 'size 20 x 70'],
        ['send', 'typed x@ahead\n'],
        ['expect', 'typed x\b \bahead\r\n'],
        ['send', 'half'],
        ['expect', 'half'],
      ],
    );
    expect(saved).toMatchObject({ missing: null, status: -9 });
    // The driver's terminals begin with 30 x 100.
    const rest = await goOn([
      ['expect', 'size 30 x 100\r\n'],
      ['expect', 'line: typed ahead\r\n'],
      ['send', '@@lves\n'],
      ['expect', 'line: halves\r\n'],
      ['send', CTRL_D],
    ]);
    expect(rest).toMatchObject({ missing: null, status: 0, restored: true });
  });

  it.runIf(existsSync(BUSYBOX))('can be one at a count of instructions', { timeout: TIMEOUT_MS }, async () => {
    const script =
      'kept=7; i=0; while [ $((i+=1)) -lt 300 ]; do :; done; echo asks; read -r answer; echo "$answer $kept"; tty';
    const shell = ['--', BUSYBOX, 'sh', '-c', script];
    // In the loop.
    const run = [...TOOL, '--checkpoint', file, '--checkpoint-at', '1000000', ...shell];
    const steps: Step[] = [
      ['expect', 'asks'],
      ['send', 'word\n'],
      ['expect', 'word 7\r\n/dev/pts/0'],
    ];
    expect(await playAt(run, steps)).toMatchObject({ missing: null, status: 0, restored: true });
    expect(await goOn(steps)).toMatchObject({ missing: null, status: 0, restored: true });
  });

  it('is refused without a terminal, and with more of one than it had', { timeout: TIMEOUT_MS }, async () => {
    const saved = await save(BASH, [['expect', PROMPT]]);
    expect(saved.missing).toBe(null);
    const { status, stdout, stderr } = trapline(['run', '--root', '/', '--restore', file]);
    expect({ status, stdout }).toEqual({ status: 125, stdout: '' });
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toMatch(/had a terminal as its standard input: restore it in a terminal/);
    rmSync(file);

    const redirected = ['sh', '-c', 'exec "$0" "$@" 2>/dev/null', ...TOOL, '--checkpoint', file, ...ENV, ...BASH];
    const sleeper: Step[] = [
      ['send', 'echo be"gins"; sleep 1000\n'],
      ['expect', 'begins'],
      ['kill', 'SIGUSR1'],
      ['file', file],
      ['kill', 'SIGKILL'],
    ];
    expect(await playAt(redirected, sleeper)).toMatchObject({ missing: null });
    const refused = await goOn([['expect', 'redirect that one, with 2>FILE']]);
    expect(refused).toMatchObject({ missing: null, status: 125, restored: true });
  });
});

describe.runIf(hasPython)('a run on pipes that is saved', () => {
  it('goes on at a terminal, which it takes for pipes', { timeout: TIMEOUT_MS }, async () => {
    const script = 'for ((i = 0; i < 300; i++)); do :; done; tty; read -r line; echo "read $line"';
    const run = ['run', '--root', '/', '--checkpoint', file, '--checkpoint-at', '1000000'];
    expect(trapline([...run, '--', '/bin/bash', '-c', script], { input: 'x\n' }).status).toBe(0);
    const rest = await goOn([
      ['expect', 'not a tty'],
      ['send', 'a line\n'],
      ['expect', 'read a line'],
    ]);
    expect(rest).toMatchObject({ missing: null, status: 0, restored: true });
  });
});
