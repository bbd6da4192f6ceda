// SPDX-License-Identifier: MIT
//
// A shell of this machine at the tool's own terminal: a real pseudo-terminal of the host, driven by a dialogue.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CLI } from './trapline.ts';

const DRIVER = fileURLToPath(new URL('sources/at-terminal.py', import.meta.url));
const PYTHON = '/usr/bin/python3';
const hasPython =
  process.platform === 'linux' &&
  process.arch === 'x64' &&
  spawnSync(PYTHON, ['-c', 'import pty'], { stdio: 'ignore' }).status === 0;

type Step = ['send', string] | ['expect', string] | ['raw'];

interface Played {
  readonly missing: string | null;
  readonly status: number;
  readonly raw: readonly boolean[];
  readonly restored: boolean;
  readonly screen: string;
}

function play(args: readonly string[], steps: readonly Step[]): Played {
  const ended = spawnSync(PYTHON, [DRIVER, process.execPath, CLI, ...args], {
    input: steps.map((step) => JSON.stringify(step)).join('\n'),
    encoding: 'utf8',
  });
  if (ended.status !== 0) throw new Error(ended.stderr);
  return JSON.parse(ended.stdout) as Played;
}

const BASH = ['run', '--root', '/', '--env', 'PS1=ready> ', '--', '/bin/bash', '--norc', '-i'];

describe.runIf(hasPython)('bash -i at a terminal', () => {
  it('edits lines, ends with its own status and leaves the terminal as it was', { timeout: 180_000 }, () => {
    const played = play(BASH, [
      ['expect', 'ready> '],
      ['raw'],
      // Ctrl-A goes to the start of the line, Ctrl-H takes a letter back: readline's, so keys come one by one.
      ['send', ' $((20+3))x\b\u0001echo got\r'],
      ['expect', 'got 23'],
      ['expect', 'ready> '],
      ['send', 'tty; exit 7\r'],
      ['expect', '/dev/'],
    ]);
    expect(played).toMatchObject({ missing: null, status: 7, raw: [true], restored: true });
  });
});
