// SPDX-License-Identifier: MIT
//
// Debian's own gdb and strace, run in the sandbox on a program, say what they say on Linux.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byTask } from './strace-lines.ts';
import { trapline } from './trapline.ts';

const PROGRAM = `#include <stdio.h>
int counter;
int leaf(int x) { counter += x; return x * 2; }
int main(void) { int a = leaf(3); a += leaf(4); printf("a=%d\\n", a); return 0; }
`;
const OTHERS = ['threads', 'waiter', 'forks'];

const has = (command: string): boolean =>
  process.platform === 'linux' && spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;

/** What differs from run to run: addresses and process numbers, and the width of columns with them. */
function normal(text: string): string {
  return text
    .replace(/0x[0-9a-f]+/g, '0x')
    .replace(/([Pp]rocess|LWP) \d+/g, '$1')
    .replace(/getrandom\("[^"]*"/g, 'getrandom("RANDOM"')
    .replace(/ +/g, ' ');
}

/** gdb on `program` with commands. */
function gdbOn(program: string, ...commands: string[]): string[] {
  return ['gdb', '-batch', ...commands.flatMap((command) => ['-ex', command]), program];
}

const gdb = (...commands: string[]): string[] => gdbOn('./prog', ...commands);

/** A script that starts the waiter with a pipe as input and waits until it sleeps there; then `body`; then its end. */
function withWaiter(body: string): string[] {
  const script = `
    waiter=$PWD/waiter; d=$(mktemp -d); cd "$d"; mkfifo input
    "$waiter" < input > output & pid=$!
    exec 3> input
    until grep -q ready output; do sleep 0.01; done
    until grep -q 'State:.S' /proc/$pid/status; do sleep 0.01; done
    ${body}
    cat output; cd /; rm -r "$d"`;
  return ['sh', '-c', script];
}

const LET_GO = 'echo x >&3; wait $pid; echo "status $?"';

describe.runIf(has('gdb') && has('strace') && has('gcc'))('tracers in the sandbox', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-tracers-'));
    writeFileSync(join(folder, 'prog.c'), PROGRAM);
    spawnSync('gcc', ['-g', '-O0', '-o', 'prog', 'prog.c'], { cwd: folder });
    for (const name of OTHERS) {
      const source = fileURLToPath(new URL(`sources/traced-${name}.c`, import.meta.url));
      spawnSync('gcc', ['-g', '-O0', '-w', '-pthread', '-o', name, source], { cwd: folder });
    }
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  interface Said {
    readonly status: number | null;
    readonly stdout: string;
    readonly stderr: string;
  }

  /** Runs the command on Linux and in the sandbox. */
  function both(command: readonly string[]): { readonly native: Said; readonly guest: Said } {
    const env = { PATH: process.env['PATH'] ?? '', HOME: '/root', LC_ALL: 'C' };
    const native = spawnSync(command[0] as string, command.slice(1), {
      cwd: folder,
      env,
      encoding: 'latin1',
      input: '',
    });
    const given = Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
    const guest = trapline(['run', '--root', '/', '--cwd', folder, '--uid', '0', ...given, '--', ...command]);
    const said = ({ status, stdout, stderr }: Said): Said => ({ status, stdout, stderr });
    return { native: said(native), guest: said(guest) };
  }

  const cases: readonly (readonly [string, string[]])[] = [
    [
      'gdb breaks, shows the stack, steps and goes on',
      gdb('break main', 'run', 'bt', 'info registers rip', 'stepi', 'c'),
    ],
    [
      'gdb finishes functions, calls them and changes variables',
      gdb('tbreak main', 'run', 'next', 'step', 'finish', 'call leaf(10)', 'p counter', 'set var a=100', 'c'),
    ],
    ['gdb watches a variable that is written', gdb('watch counter', 'run', 'c', 'c', 'info watchpoints')],
    ['gdb watches a variable that is read', gdb('break main', 'run', 'rwatch counter', 'c', 'bt', 'c')],
    ['gdb watches every access', gdb('break main', 'run', 'awatch counter', 'c', 'c', 'c')],
    ['gdb watches a variable of the stack', gdb('break main', 'run', 'watch a', 'c', 'c', 'c', 'c')],
    ['gdb breaks by hardware', gdb('break main', 'run', 'hbreak leaf', 'c', 'c', 'p x', 'c')],
    [
      'gdb watches under a condition, together with a breakpoint',
      gdb('watch counter if counter > 3', 'break leaf', 'run', 'c', 'c', 'delete', 'c'),
    ],
    [
      'gdb shows threads and their stacks',
      gdbOn('./threads', 'break ready', 'run', 'info threads', 'thread apply all bt 1', 'kill'),
    ],
    [
      'gdb watches a variable that other threads write',
      gdbOn('./threads', 'break ready', 'run', 'watch sum', 'c', 'kill'),
    ],
    ['gdb catches calls', gdbOn('./forks', 'catch syscall write', 'run', 'bt 1', 'c', 'c')],
    ['gdb catches fork', gdbOn('./forks', 'catch fork', 'run', 'bt 1', 'c')],
    [
      'gdb follows the child of a fork',
      gdbOn('./forks', 'set follow-fork-mode child', 'set detach-on-fork off', 'run', 'info inferiors'),
    ],
    [
      'gdb attaches to a running process, changes it and lets it go',
      withWaiter(`gdb -batch -p $pid -ex bt -ex 'p counter' -ex 'set var counter = 9' -ex detach; ${LET_GO}`),
    ],
    ['strace injects errors into calls', ['strace', '-e', 'trace=write', '-e', 'inject=write:error=EIO', './prog']],
    ['strace counts calls', ['strace', '-c', '-S', 'name', '-U', 'calls,errors,name', './forks']],
    [
      'strace attaches to a running process',
      withWaiter(`
        strace -o log -p $pid 2> said & tracer=$!
        until grep -q 'read(' log 2> /dev/null; do sleep 0.01; done
        ${LET_GO}; wait $tracer; cat log said`),
    ],
  ];

  it.each(cases)('%s', (_name, command) => {
    const { native, guest } = both(command);
    const lines = (said: Said): Said => ({ ...said, stdout: normal(said.stdout), stderr: normal(said.stderr) });
    expect(lines(guest)).toEqual(lines(native));
  });

  // Debuggers ask for every register, GS among them, and put breakpoints where code would be patched.
  it.each([
    ['gdb', gdb('break main', 'run', 'break write', 'c', 'stepi 20', 'info registers', 'c')],
    ['strace', ['strace', '-f', '-o', '/dev/stdout', './forks']],
  ])('%s and its tracee are the same in every patch mode', { timeout: 20 * 60_000 }, (_name, command) => {
    const { status, stderr } = trapline(['check', '--root', '/', '--cwd', folder, '--uid', '0', '--', ...command]);
    expect(stderr).toMatch(/^upstream {2}same .*\nhardened {2}same /m);
    expect(status).toBe(0);
  });

  it('strace follows threads', () => {
    const command = ['sh', '-c', 'strace -f -qq -o log -e trace=read,write ./threads > /dev/null; cat log; rm log'];
    const { native, guest } = both(command);
    const tasks = byTask(native.stdout, /^(\d+) +/);
    expect(tasks.length).toBe(3);
    expect(byTask(guest.stdout, /^(\d+) +/)).toEqual(tasks);
  });
});
