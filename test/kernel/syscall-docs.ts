// SPDX-License-Identifier: MIT
//
// The table of calls in src/kernel/syscalls/README.md: every number of Linux 6.1 with what it does here, why where it
// does nothing, and which program of test/programs/sources makes it here and on Linux.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoName } from '../../src/abi/errno-text.ts';
import { SYS } from '../../src/abi/sysno.ts';
import { makeSyscallTable } from '../../src/kernel/syscalls/index.ts';
import type { SyscallDef } from '../../src/kernel/syscalls/table.ts';

const SOURCES = join('test', 'programs', 'sources');
/** Calls of Linux 6.1: what came later may be there, too. */
export const LAST_NUMBER_OF_6_1 = 450;
const SHOWN_PROGRAMS = 3;

/** Functions of the C library that are not called as the number they use. */
const WRAPPERS: Readonly<Record<string, readonly string[]>> = {
  newfstatat: ['fstatat'],
  pread64: ['pread'],
  pwrite64: ['pwrite'],
  rt_sigaction: ['sigaction', 'signal'],
  rt_sigprocmask: ['sigprocmask', 'pthread_sigmask'],
  rt_sigpending: ['sigpending'],
  rt_sigsuspend: ['sigsuspend'],
  rt_sigtimedwait: ['sigtimedwait', 'sigwaitinfo'],
  rt_sigqueueinfo: ['sigqueue'],
  prlimit64: ['prlimit'],
  fadvise64: ['posix_fadvise'],
  exit_group: ['_exit', 'exit'],
  mq_getsetattr: ['mq_getattr', 'mq_setattr'],
  mq_timedsend: ['mq_send'],
  mq_timedreceive: ['mq_receive'],
  eventfd2: ['eventfd'],
  signalfd4: ['signalfd'],
  pselect6: ['pselect'],
  uname: ['uname'],
  getdents64: ['readdir'],
  umount2: ['umount'],
};

/** Programs whose text has a call of that name, those that try errors first. */
function programsWith(name: string, programs: ReadonlyMap<string, string>): string[] {
  const names = [name, ...(WRAPPERS[name] ?? [])].join('|');
  const call = new RegExp(`\\b(?:SYS_|__NR_)(?:${name})\\b|\\b(?:${names})\\s*\\(|\\bS\\(${name}\\b`);
  return [...programs].filter(([, text]) => call.test(text)).map(([file]) => file);
}

function readPrograms(root: string): ReadonlyMap<string, string> {
  const files = readdirSync(join(root, SOURCES)).filter((file) => file.endsWith('.c'));
  const isAboutErrors = (file: string): number => (file.includes('error') ? 0 : 1);
  files.sort((a, b) => isAboutErrors(a) - isAboutErrors(b) || (a < b ? -1 : 1));
  return new Map(files.map((file) => [file.slice(0, -2), readFileSync(join(root, SOURCES, file), 'utf8')]));
}

function state(def: SyscallDef | undefined): string {
  if (def === undefined) return 'unknown: ENOSYS';
  if (def.refused !== undefined) return `refused: ${errnoName(def.refused.errno)}, ${def.refused.reason}`;
  return def.partial === undefined ? 'full' : `partial: without ${def.partial}`;
}

/** Markdown: how many there are of each state, then one row a number. */
export function syscallTable(root = '.'): string {
  const table = makeSyscallTable();
  const programs = readPrograms(root);
  const counts = new Map<string, number>();
  const rows: string[] = [];
  for (const [name, nr] of Object.entries(SYS).sort((a, b) => a[1] - b[1])) {
    const def = table[nr];
    if (nr > LAST_NUMBER_OF_6_1 && def === undefined) continue;
    const text = state(def);
    const word = text.split(':')[0] ?? text;
    counts.set(word, (counts.get(word) ?? 0) + 1);
    const shown = programsWith(name, programs);
    const more = shown.length > SHOWN_PROGRAMS ? ', …' : '';
    rows.push(`| ${nr} | ${name} | ${text} | ${shown.slice(0, SHOWN_PROGRAMS).join(', ')}${more} |`);
  }
  const sum = [...counts].map(([word, count]) => `${count} ${word}`).join(', ');
  return [
    `${rows.length} calls: ${sum}.`,
    '',
    '| number | call | state | tried by |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
