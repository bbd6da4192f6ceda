// SPDX-License-Identifier: MIT
//
// Debian's own gdb and strace, run in the sandbox on a program, say what they say on Linux.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trapline } from './trapline.ts';

const PROGRAM = `#include <stdio.h>
int counter;
int leaf(int x) { counter += x; return x * 2; }
int main(void) { int a = leaf(3); a += leaf(4); printf("a=%d\\n", a); return 0; }
`;

const has = (command: string): boolean =>
  process.platform === 'linux' && spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;

/** What differs from run to run: addresses and process numbers. */
function normal(text: string): string {
  return text
    .replace(/0x[0-9a-f]+/g, '0x')
    .replace(/process \d+/g, 'process')
    .replace(/Process \d+/g, 'Process');
}

function gdb(...commands: string[]): string[] {
  return ['gdb', '-batch', ...commands.flatMap((command) => ['-ex', command]), './prog'];
}

describe.runIf(has('gdb') && has('strace') && has('gcc'))('tracers in the sandbox', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-tracers-'));
    writeFileSync(join(folder, 'prog.c'), PROGRAM);
    spawnSync('gcc', ['-g', '-O0', '-o', 'prog', 'prog.c'], { cwd: folder });
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const cases: readonly (readonly [string, string[]])[] = [
    ['breaks, shows the stack, steps and goes on', gdb('break main', 'run', 'bt', 'info registers rip', 'stepi', 'c')],
    [
      'finishes functions, calls them and changes variables',
      gdb('tbreak main', 'run', 'next', 'step', 'finish', 'call leaf(10)', 'p counter', 'set var a=100', 'c'),
    ],
    ['injects errors into calls', ['strace', '-e', 'trace=write', '-e', 'inject=write:error=EIO', './prog']],
  ];

  it.each(cases)('%s', (_name, command) => {
    const env = { PATH: process.env['PATH'] ?? '', HOME: '/root', LC_ALL: 'C' };
    const native = spawnSync(command[0] as string, command.slice(1), {
      cwd: folder,
      env,
      encoding: 'latin1',
      input: '',
    });
    const given = Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
    const run = trapline(['run', '--root', '/', '--cwd', folder, '--uid', '0', ...given, '--', ...command]);
    expect({ status: run.status, stdout: normal(run.stdout), stderr: normal(run.stderr) }).toEqual({
      status: native.status,
      stdout: normal(native.stdout),
      stderr: normal(native.stderr),
    });
  });
});
