// SPDX-License-Identifier: MIT
//
// --strace against the real strace, call by call: programs whose only purpose is to make calls with arguments of all
// kinds, most of which fail.

import { spawnSync } from 'node:child_process';
import type { StdioOptions } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byTask, childrenLast, hasStrace, isThere } from './strace-lines.ts';
import { CLI } from './trapline.ts';

const hasMusl = isThere('musl-gcc', '--version');

/** Ids of objects and moments, which no two machines share. */
function withoutIds(line: string): string {
  return (
    line
      .replace(/^((?:shm|sem|msg)(?:at|ctl|op|timedop|snd|rcv)\()\d+/, '$1ID')
      .replace(/^((?:shm|sem|msg)get\(IPC_PRIVATE.*\) = )\d+$/, '$1ID')
      .replace(/^(semctl\(.*GETPID.* = )\d+$/, '$1ID')
      .replace(/\b(\w+_(?:cpid|lpid|lspid|lrpid|[asdrco]time))=\d+/g, '$1=N')
      // Words that hold pids, and a mask that depends on the processor.
      .replace(/si_code=0x85, si_addr=0x[0-9a-f]+/, 'si_code=0x85, si_addr=ID')
      .replace(/rval=\d+/, 'rval=ID')
      .replace(/mxcr_mask=\w+/, 'mxcr_mask=MASK')
      .replace(
        /^(process_vm_readv\(|ptrace\(PTRACE_\w+, |ptrace\(0x[0-9a-f]+ \/\* PTRACE_\?\?\? \*\/, |rt_sigqueueinfo\(|waitid\(P_PID, )\d+/,
        '$1ID',
      )
  );
}

describe.runIf(hasStrace && hasMusl)('--strace', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-strace-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    ['sockets', 50],
    ['ipc', 50],
    ['jobs', 120],
    ['misc', 100],
    ['places', 45],
    // A tracee of strace's cannot have another tracer: its children go their own ways.
    ['ptrace', 150, 'alone'],
  ])('shows calls of %s as strace does', (name, calls, followed = 'all') => {
    const source = fileURLToPath(new URL(`sources/strace-${name}.c`, import.meta.url));
    // musl's own headers leave the kernel's to the system.
    const headers = ['-idirafter', '/usr/include', '-idirafter', '/usr/include/x86_64-linux-gnu'];
    const made = spawnSync('musl-gcc', ['-static', '-w', ...headers, '-o', join(folder, name), source], {
      encoding: 'utf8',
    });
    expect(made.stderr).toBe('');
    const out = join(folder, 'out');
    const stdio: StdioOptions = ['ignore', 'ignore', 'inherit'];
    const uid = ['--uid', String(process.getuid?.() ?? 1000)];
    const run = ['run', '--root', '/', '--cwd', folder, ...uid, '--strace-file', out, '--', `./${name}`];
    spawnSync(process.execPath, [CLI, ...run], { stdio, env: process.env });
    const guest = lines(out, /^\[pid +(\d+)\] /, followed === 'all');
    const follow = followed === 'all' ? ['-f'] : [];
    spawnSync('strace', [...follow, '-o', out, `./${name}`], { cwd: folder, stdio, env: {} });
    const native = lines(out, /^(\d+) +/);
    expect(native.length).toBeGreaterThan(calls);
    expect(guest).toEqual(native);
  });
});

/** All but the first line, which names the program; of the first task only, or of all. */
function lines(file: string, prefix: RegExp, ofAll = true): string[] {
  const tasks = byTask(readFileSync(file, 'latin1'), prefix);
  return childrenLast(ofAll ? tasks : tasks.slice(0, 1))
    .flat()
    .slice(1)
    .map(withoutIds);
}
