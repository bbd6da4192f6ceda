// SPDX-License-Identifier: MIT

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SYS } from '../../src/abi/sysno.ts';
import { makeSyscallTable } from '../../src/kernel/syscalls/index.ts';
import { Regs } from '../../src/cpu/regs.ts';
import { Args } from '../../src/kernel/syscalls/table.ts';
import type { SyscallDef } from '../../src/kernel/syscalls/table.ts';
import type { Task } from '../../src/kernel/task.ts';
import { LAST_NUMBER_OF_6_1, syscallTable } from './syscall-docs.ts';

const byName = new Map<string, number>(Object.entries(SYS));

describe('the syscall table', () => {
  const table = makeSyscallTable();
  const rows = table.filter((def): def is SyscallDef => def !== undefined);

  it('has each row at its number and under Linux’s name for it', () => {
    for (const [nr, def] of table.entries()) {
      if (def === undefined) continue;
      expect(def.nr).toBe(nr);
      expect(byName.get(def.name), def.name).toBe(nr);
    }
  });

  it('refuses two rows for one number', () => {
    const row: SyscallDef = { nr: 39, name: 'getpid', args: [], call: () => 1 };
    expect(() => makeSyscallTable([[row], [row]])).toThrow(/39/);
  });

  it('answers the calls that most programs make', () => {
    // The forty most used calls over 2,552 programs.
    const wanted =
      'execve exit_group arch_prctl set_tid_address brk mprotect prlimit64 set_robust_list rseq getrandom close write rt_sigaction ' +
      'newfstatat readlink read openat ioctl mmap getcwd getpid getuid fcntl rt_sigprocmask munmap clone getppid uname wait4 dup2 ' +
      'rt_sigreturn pipe2 access pread64 prctl unlink geteuid getegid getgid futex';
    const names = new Set(rows.map((def) => def.name));
    expect(wanted.split(' ').filter((name) => !names.has(name))).toEqual([]);
  });

  it('has a row for every number of Linux 6.1', () => {
    const missing = Object.entries(SYS).filter(([, nr]) => nr <= LAST_NUMBER_OF_6_1 && table[nr] === undefined);
    expect(missing).toEqual([]);
  });

  it('answers with the errno of a refusal, and nothing else', () => {
    const task = {} as Task;
    const none = new Args(new Regs());
    for (const def of rows) if (def.refused !== undefined) expect(def.call(task, none)).toBe(-def.refused.errno);
  });

  it('is described in README.md as it is (npm run docs)', () => {
    const readme = readFileSync(new URL('../../src/kernel/syscalls/README.md', import.meta.url), 'utf8');
    const shown = /<!-- calls -->\n\n(.*)\n<!-- end -->/s.exec(readme)?.[1] ?? '';
    // Which programs try a call changes with every program: what is said of the calls themselves must be right.
    const withoutPrograms = (table: string): string => table.replace(/[^|\n]*\|$/gm, '');
    expect(withoutPrograms(shown)).toBe(withoutPrograms(syscallTable()));
  });

  it('names at most six arguments', () => {
    expect(rows.filter((def) => def.args.length > 6)).toEqual([]);
  });
});
