// SPDX-License-Identifier: MIT
//
// Plays a dialogue with a command at a real pseudo-terminal of the host, through sources/at-terminal.py.

import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const PYTHON = '/usr/bin/python3';
const DRIVER = fileURLToPath(new URL('sources/at-terminal.py', import.meta.url));

export const hasPython =
  process.platform === 'linux' &&
  process.arch === 'x64' &&
  spawnSync(PYTHON, ['-c', 'import pty'], { stdio: 'ignore' }).status === 0;

export type Step =
  | ['send' | 'expect' | 'file', string]
  | ['resize', number, number]
  | ['kill', 'SIGTERM' | 'SIGHUP' | 'SIGINT' | 'SIGUSR1' | 'SIGKILL']
  | ['raw'];

export interface Played {
  readonly missing: string | null;
  /** Of the command; -n when signal n has ended it. */
  readonly status: number;
  readonly raw: readonly boolean[];
  readonly restored: boolean;
  readonly screen: string;
}

/** @param more environment, beside that of the tests */
export function play(
  command: readonly string[],
  steps: readonly Step[],
  more: Readonly<Record<string, string>> = {},
): Promise<Played> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, TERM: 'dumb', ...more };
    const driver = spawn(PYTHON, [DRIVER, ...command], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    let text = '';
    driver.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
    driver.on('error', reject);
    driver.on('close', (status) => {
      if (status === 0) resolve(JSON.parse(text) as Played);
      else reject(new Error(`the driver ended with ${status}`));
    });
    driver.stdin.end(steps.map((step) => JSON.stringify(step)).join('\n'));
  });
}
