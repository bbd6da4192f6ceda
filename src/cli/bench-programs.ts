// SPDX-License-Identifier: MIT
//
// The part of `trapline bench` that runs this system's own programs: processor time beside qemu-user's (getrusage of both,
// median of several, taken in turns), processes, and memory. What this system does not have is left out.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TraplineError } from '../base/errors.ts';
import { Prng } from '../base/prng.ts';
import { findCommand, packageFolder } from '../cpu/unicorn/setup/index.ts';
import { benchGuest, cliPath, type Figure } from './bench-figure.ts';

const RUNS = 5;
/** Of what is compared closely. */
const PAIRS = 9;
const MEBIBYTE = 2 ** 20;
const HASHED_BYTES = 300 * MEBIBYTE;
const TEXT_BYTES = 24 * MEBIBYTE;
const SORTED_LINES = 400_000;
const LOOP = 100;

/** A program that both run. */
interface Job {
  readonly name: string;
  readonly command: readonly string[];
  /** How often qemu's time may go into ours. */
  readonly goal: number;
}

/** The system's own program: what stands before it on PATH may be a script that looks for it. */
function systemProgram(name: string): string | undefined {
  return findCommand(name.includes('/') ? name : `/usr/bin/${name}`);
}

export function* measurePrograms(folder: string): Generator<Figure> {
  if (process.platform !== 'linux') return;
  yield* processes(folder);
  yield* firstPatches();
  yield* checking(folder);
  yield* memory();
  const qemu = findCommand('qemu-x86_64');
  if (qemu === undefined) return;
  for (const job of [...callJobs(), ...programJobs(folder)]) {
    const [program, ...rest] = job.command;
    const path = program === undefined ? undefined : systemProgram(program);
    if (path === undefined) continue;
    const command = [path, ...rest];
    const ours: number[] = [];
    const theirs: number[] = [];
    // In turns, so that a machine that is busy for a while is so for both.
    for (let i = 0; i < RUNS; i++) {
      ours.push(usageOf(traplineRun(command)).cpuSeconds);
      theirs.push(usageOf([qemu, ...command]).cpuSeconds);
    }
    yield { name: job.name, value: median(ours), unit: 's CPU' };
    yield { name: '  against qemu-x86_64', value: median(ours) / median(theirs), unit: 'times', goal: job.goal };
  }
}

/** Calls that do little, from sites that are patched. */
function callJobs(): Job[] {
  const guest = benchGuest('bench-calls');
  return (
    [
      ['getpid, 4,000,000 times', 'g', 4_000_000],
      ['a byte through a pipe, 1,000,000 times', 'p', 1_000_000],
      ['open and close, 600,000 times', 'o', 600_000],
      ['stat, 1,500,000 times', 's', 1_500_000],
    ] as const
  ).map(([name, kind, count]) => ({ name, command: [guest, kind, String(count)], goal: 3 }));
}

function programJobs(folder: string): Job[] {
  const [binary, text, lines] = ['binary', 'text', 'lines'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const prng = new Prng(1).stream('bench-programs');
  const block = new Uint8Array(MEBIBYTE);
  prng.fill(block);
  writeFileSync(binary, Buffer.concat(Array.from({ length: HASHED_BYTES / MEBIBYTE }, () => block)));
  writeFileSync(text, prose(prng, TEXT_BYTES));
  let numbers = '';
  for (let i = 0; i < SORTED_LINES; i++) numbers += `${prng.below(2 ** 31).toString(36)} ${i}\n`;
  writeFileSync(lines, numbers);
  const python =
    'd = {}\nfor i in range(1500000):\n    d[i % 1000] = d.get(i % 1000, 0) + i * i % 7\nprint(sum(d.values()))';
  const lua = 'local t = {} for i = 1, 12000000 do t[i % 1000] = (t[i % 1000] or 0) + i * i % 7 end print(t[7])';
  const sql =
    'with recursive c(x) as (select 1 union all select x + 1 from c where x < 900000) select sum(x * x % 7) from c;';
  return [
    { name: 'sha256sum of 300 MiB', command: ['sha256sum', binary], goal: 3 },
    { name: 'gzip of 24 MiB of text', command: ['gzip', '-c', text], goal: 3 },
    { name: 'sort of 400,000 lines', command: ['sort', lines], goal: 5 },
    { name: 'python3, a loop over a dict', command: ['python3', '-c', python], goal: 5 },
    { name: 'lua5.4, a loop over a table', command: ['lua5.4', '-e', lua], goal: 5 },
    { name: 'sqlite3, a recursive query', command: ['sqlite3', ':memory:', sql], goal: 5 },
  ];
}

/** Words that come again as words of a text do. */
function prose(prng: Prng, bytes: number): string {
  const letters = 'etaoinshrdlucmfwypvbgkjqxz';
  const words = Array.from({ length: 4000 }, () => {
    let word = '';
    for (let n = 1 + prng.below(9); n > 0; n--) word += letters[Math.min(prng.below(26), prng.below(26))] ?? '';
    return word;
  });
  const parts: string[] = [];
  for (let length = 0; length < bytes;) {
    // Small indices are more frequent, as in any language.
    const word = words[Math.floor(prng.below(4000) ** 2 / 4000)] ?? '';
    const end = parts.length % 12 === 11 ? '.\n' : ' ';
    parts.push(word + end);
    length += word.length + end.length;
  }
  return parts.join('');
}

/** How long processes take to start, in seconds from start to end of the whole command. */
function* processes(folder: string): Generator<Figure> {
  const shell = systemProgram('bash');
  const isThere = systemProgram('true') !== undefined;
  if (shell !== undefined && isThere) {
    const loop = (n: number): number => wall([shell, '-c', `for ((i = 0; i < ${n}; i++)); do /bin/true; done`]);
    const empty = loop(0);
    yield {
      name: 'fork, exec and wait of /bin/true',
      value: ((loop(4 * LOOP) - empty) * 1000) / (4 * LOOP),
      unit: 'ms',
      goal: 15,
    };
    const command = `for i in $(seq ${LOOP}); do /bin/true; done`;
    yield { name: 'bash loop of 100 /bin/true', value: wall([shell, '-c', command]), unit: 's', goal: 2 };
  }
  const python = systemProgram('python3');
  if (python !== undefined)
    yield { name: "python3 -c 'pass'", value: wall([python, '-c', 'pass']), unit: 's', goal: 1.5 };
  const gcc = systemProgram('gcc');
  if (gcc === undefined) return;
  const source = join(folder, 'source.c');
  writeFileSync(source, cSource(500));
  yield { name: 'gcc -c of 500 lines', value: wall([gcc, '-c', '-o', '/tmp/source.o', source]), unit: 's', goal: 20 };
}

function cSource(lines: number): string {
  const head = '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n';
  const functions = Array.from(
    { length: Math.floor((lines - 4) / 9) },
    (_, i) => `int f${i}(int a, int b) {
  int sum = 0;
  for (int i = 0; i < a; i++) {
    if (sum % ${(i % 90) + 3} == 0) sum -= b;
    else sum = sum * 3 + ${i} + (int)strlen("${i}");
  }
  printf("%d\\n", sum);
  return sum ^ abs(a);
}
`,
  );
  return `${head}${functions.join('')}int main(void) { return f0(3, 4); }\n`;
}

/** What the tool takes at most beyond the frames that the guest's machine has ever used. */
function* memory(): Generator<Figure> {
  const shell = systemProgram('bash');
  if (shell === undefined) return;
  const script =
    'for i in 1 2 3 4 5; do ls -lR /etc 2>/dev/null | sort | wc -l; done; head -c 100000000 /dev/zero | sort | wc -c';
  const program = join(packageFolder(), 'dist', 'cli', 'bench-memory.js');
  const run = spawnSync(process.execPath, [program, shell, '-c', script], { encoding: 'utf8' });
  if (run.status !== 0) throw new TraplineError('BENCH', `bench-memory failed: ${run.stderr}`);
  const last = run.stderr.trim().split('\n').at(-1) ?? '{}';
  const { peakFrames = Number.NaN, peakKibibytes = Number.NaN } = JSON.parse(last) as Record<string, number>;
  yield { name: "pipelines: memory of the guest's machine, peak", value: peakFrames / 256, unit: 'MiB' };
  yield {
    name: '  what the tool takes beside it',
    value: peakKibibytes / 1024 - peakFrames / 256,
    unit: 'MiB',
    goal: 200,
  };
}

function traplineRun(command: readonly string[], ...options: string[]): string[] {
  return traplineCommand('run', command, ...options);
}

function traplineCommand(name: 'run' | 'check', command: readonly string[], ...options: string[]): string[] {
  const uid = String(process.getuid?.() ?? 1000);
  return [process.execPath, cliPath(), name, '--root', '/', '--uid', uid, ...options, '--', ...command];
}

/** Programs that make most of their calls once from each site: what patching costs is paid, what it gains is not had. */
function* firstPatches(): Generator<Figure> {
  const programs: readonly (readonly [string, ...string[]])[] = [
    ['bash', '-c', 'for i in $(seq 5); do ls / | sort | head -1; done'],
    ['find', '/usr/share/doc', '-maxdepth', '1'],
    ['python3', '-c', 'pass'],
  ];
  for (const [name, ...args] of programs) {
    const path = systemProgram(name);
    if (path === undefined) continue;
    const command = [path, ...args];
    const [off, hardened]: [number[], number[]] = [[], []];
    for (let i = 0; i < PAIRS; i++) {
      off.push(usageOf(traplineRun(command, '--patch', 'off')).cpuSeconds);
      hardened.push(usageOf(traplineRun(command, '--patch', 'hardened')).cpuSeconds);
    }
    yield {
      name: `first patches, ${name}: hardened against off`,
      value: median(hardened.map((seconds, i) => seconds / (off[i] ?? Number.NaN))),
      unit: 'times',
      goal: 1.05,
    };
  }
}

/** What `check` takes beside one run of the same program. */
function* checking(folder: string): Generator<Figure> {
  const busybox = systemProgram('busybox');
  if (busybox === undefined) return;
  const lines = join(folder, 'mebibyte');
  const prng = new Prng(2).stream('bench-check');
  let text = '';
  while (text.length < MEBIBYTE) text += `${prng.below(2 ** 31).toString(36)}\n`;
  writeFileSync(lines, text);
  const command = [busybox, 'sort', lines];
  const [once, checked]: [number[], number[]] = [[], []];
  for (let i = 0; i < RUNS; i++) {
    once.push(usageOf(traplineRun(command)).cpuSeconds);
    checked.push(usageOf(traplineCommand('check', command)).cpuSeconds);
  }
  const value = median(checked) / median(once);
  yield { name: 'check of busybox sort, 1 MiB, against one run', value, unit: 'times', goal: 4 };
}

interface Usage {
  /** User and system time of the command and its children. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
}

/** Runs a command; the shell's `times` tells its processor time. */
function usageOf(command: readonly string[]): Usage {
  const before = performance.now();
  const run = spawnSync('/bin/sh', ['-c', '"$@" >/dev/null || exit 1; times', 'sh', ...command], { encoding: 'utf8' });
  const wallSeconds = (performance.now() - before) / 1000;
  if (run.status !== 0) throw new TraplineError('BENCH', `${command.join(' ')} failed: ${run.stderr}`);
  const times = (run.stdout.trim().split('\n').at(-1) ?? '').match(/(\d+)m([\d.]+)s/g) ?? [];
  const cpuSeconds = times
    .map((text) => text.split(/[ms]/).map(Number))
    .reduce((sum, [minutes = 0, seconds = 0]) => sum + minutes * 60 + seconds, 0);
  return { cpuSeconds, wallSeconds };
}

function wall(command: readonly string[]): number {
  return median(Array.from({ length: RUNS }, () => usageOf(traplineRun(command)).wallSeconds));
}

function median(values: readonly number[]): number {
  const ordered = [...values].sort((a, b) => a - b);
  return ordered[Math.floor(ordered.length / 2)] ?? Number.NaN;
}
