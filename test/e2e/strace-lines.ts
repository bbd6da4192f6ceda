// SPDX-License-Identifier: MIT
//
// Lines of strace, ours and the real one's, made comparable: task by task, calls that were broken off joined again,
// and what no two runs of a program share taken out. Everything else must be equal.

import { spawnSync } from 'node:child_process';

export function isThere(command: string, ...args: string[]): boolean {
  return spawnSync(command, args).status === 0;
}

/** strace works: it is installed, and this system lets it trace. */
export const hasStrace =
  process.platform === 'linux' && process.arch === 'x64' && isThere('strace', '-o', '/dev/null', 'true');

/** One line without what differs from run to run. */
function normalised(line: string): string {
  return (
    line
      .replace(/0x[0-9a-f]{5,}/g, 'ADDRESS')
      .replace(/(\/\* \d+) vars/, 'N vars')
      .replace(/getrandom\("[^"]*"/, 'getrandom("RANDOM"')
      .replace(
        /(set_tid_address|getpid|gettid|getppid|clone|clone3|fork|vfork|wait4|getpgrp|getsid|setsid)(\(.*\)| resumed>.*\)) += \d+$/,
        '$1$2 = ID',
      )
      .replace(/(wait4|kill|tgkill|getpgid)\(\d+/, '$1(ID')
      .replace(/tgkill\(ID, \d+/, 'tgkill(ID, ID')
      .replace(/parent_tid=\[\d+\]/, 'parent_tid=[ID]')
      .replace(/FUTEX_CLOCK_REALTIME, \d+/, 'FUTEX_CLOCK_REALTIME, ID')
      .replace(/si_pid=\d+/, 'si_pid=ID')
      .replace(/superseded by execve in pid \d+/, 'superseded by execve in pid ID')
      .replace(/si_([us])time=\d+( \/\* [\d.]+ s \*\/)?/g, 'si_$1time=T')
      .replace(/\{tv_sec=\d+, tv_([nu])sec=\d+\}/g, '{TIME}')
      .replace(/ += /, ' = ')
      .replace(/^execve\("\.\//, 'execve("/')
      .replace(/sysinfo\(\{.*\}\)/, 'sysinfo({...})')
      // What the machine is: its name, processors, limits, file systems.
      .replace(/nodename="[^"]*"/, 'nodename="NAME"')
      .replace(/(sched_getaffinity)\(.*/, '$1()')
      .replace(/(prlimit64\(0, RLIMIT_(?:NPROC|NOFILE), NULL), .*/, '$1)')
      .replace(/(fstatfs|statfs)\((\d+|"[^"]*"), \{.*/, '$1($2)')
      .replace(/stx_mask=[A-Z_|]+/, 'stx_mask=MASK')
      .replace(/read\(3, "nodev.*/, 'read(3, FILESYSTEMS)')
      // Seeds of hash tables, and names made of them.
      .replace(/read\(3, "(?:[^"\\]|\\.)*", 4\) = 4/, 'read(3, "SEED", 4) = 4')
      .replace(/\/tmp\/cc\w{6}/, '/tmp/ccNAME')
      .replace(/tmp_obj_\w{6}/, 'tmp_obj_NAME')
      // rax is what the signal interrupted: at times a pid.
      .replace(/(rt_sigreturn\(.*\)) = -?\d+.*/, '$1 = RAX')
      // Where the program lies, and what its standard descriptors are.
      .replace(/readlink\("\/proc\/self\/exe".*/, 'readlink("/proc/self/exe")')
      .replace(/(newfstatat|fstat)\(([012]), .*/, '$1($2)')
      .replace(/(ioctl\([012], (?:TCGETS|TIOCGWINSZ)), .*/, '$1)')
  );
}

/** What depends on where the standard descriptors lead, and how often dice are thrown again for a temporary name. */
const BY_CHANCE = /^(lseek\([012], |getrandom\(.*, 8, GRND_NONBLOCK\))/;

/** Lines of each task, tasks in the order of their ids; unfinished calls are joined with their rest. */
export function byTask(text: string, prefix: RegExp): string[][] {
  const tasks = new Map<string, string[]>();
  const unfinished = new Map<string, string>();
  for (const raw of text.split('\n')) {
    if (raw === '' || raw.includes('--- usertrap: ')) continue;
    const match = prefix.exec(raw);
    const task = match?.[1] ?? '1';
    let line = raw.slice(match?.[0].length ?? 0);
    if (line.endsWith(' <unfinished ...>')) {
      unfinished.set(task, line.slice(0, -' <unfinished ...>'.length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>/.exec(line);
    if (resumed !== null) {
      line = (unfinished.get(task) ?? '') + line.slice(resumed[0].length);
      unfinished.delete(task);
    }
    if (BY_CHANCE.test(line)) continue;
    const lines = tasks.get(task);
    if (lines === undefined) tasks.set(task, [normalised(line)]);
    else lines.push(normalised(line));
  }
  return [...tasks].sort(([x], [y]) => Number(x) - Number(y)).map(([, lines]) => lines);
}

/**
 * What the end of a child brings about: when it comes, what it interrupts, and whether two ends are heard of at once, is
 * a matter of time. So the signal stands behind the other lines, once, and what its handler may do is left out.
 */
export function childrenLast(tasks: readonly string[][]): string[][] {
  const isOfHandler = (line: string): boolean => /^(rt_sigreturn|wait4\(-1, |wait4\(.* = \? ERESTARTSYS)/.test(line);
  const isSignal = (line: string): boolean => line.startsWith('--- SIGCHLD');
  return tasks.map((lines) => [
    ...lines.filter((line) => !isSignal(line) && !isOfHandler(line)),
    ...[...new Set(lines.filter(isSignal))].sort(),
  ]);
}
