// SPDX-License-Identifier: MIT
//
// `trapline bench`: the figures of the README, measured here and now: the engine by itself, then runs of the guests that
// come with Trapline. Each is the best of several; processor time where that can be had, so that a busy machine does
// little harm.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TraplineError } from '../base/errors.ts';
import { openUnicorn } from '../cpu/unicorn/index.ts';
import { measureEngine } from '../cpu/unicorn/bench/index.ts';
import { findCommand, packageFolder } from '../cpu/unicorn/setup/index.ts';
import { nodeHost, openHostPath } from '../sandbox/host-node/index.ts';
import { Sandbox, type SandboxOptions } from '../sandbox/sandbox.ts';
import { calibrate } from './calibration.ts';
import { writeToStdout } from './output-file.ts';

const RUNS = 5;
const GETPID_CALLS = 100_000;
const YIELDS = 40_000;
const TOUCHED_PAGES = 16_384;
const HASHED_BYTES = 50_000_000;

export interface BenchOptions {
  /** Prints one JSON object instead of the table. */
  readonly json?: boolean;
}

type PatchMode = NonNullable<SandboxOptions['patch']>;

interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the figure is compared with, when that was measured too: the same unit, and how often it goes in. */
  readonly reference?: number;
  readonly ratio?: number;
  /** Kernels: the ratio to a C program that counts blocks, as anything with a budget must. */
  readonly countedRatio?: number;
  /** The most that it should be, in the same unit. */
  readonly goal?: number;
  /** The least that the ratio should be. */
  readonly ratioGoal?: number;
}

/** Exit status: 0; figures that miss their goals are marked, for the machine may be busy. */
export async function benchCommand(options: BenchOptions): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'trapline-bench-'));
  try {
    const figures: Figure[] = [];
    for await (const figure of measure(folder)) {
      figures.push(figure);
      if (options.json !== true) writeToStdout(`${format(figure)}\n`);
    }
    if (options.json === true) writeToStdout(`${JSON.stringify(figures, undefined, 2)}\n`);
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function format(figure: Figure): string {
  const { name, value, unit, ratio, countedRatio, goal, ratioGoal } = figure;
  const notes: string[] = [];
  if (ratio !== undefined) notes.push(`${round(ratio)} of the reference`);
  if (countedRatio !== undefined) notes.push(`${round(countedRatio)} of one that counts blocks`);
  if (goal !== undefined) notes.push(`goal: at most ${goal}`);
  if (ratioGoal !== undefined) notes.push(`goal: at least ${ratioGoal}`);
  if (value > (goal ?? value) || (ratio ?? 1) < (ratioGoal ?? 0)) notes.push('MISSED');
  return `${name.padEnd(54)}${round(value).padStart(8)} ${unit.padEnd(10)}${notes.join(', ')}`.trimEnd();
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

async function* measure(folder: string): AsyncGenerator<Figure> {
  yield* calibrate(folder);
  for (const figure of measureEngine()) {
    const isKernel = figure.name.startsWith('kernel ') && !figure.name.includes('flushes');
    yield { ...figure, ...(isKernel && { ratioGoal: 0.85 }), ...(figure.name.includes('flushes') && { ratioGoal: 5 }) };
  }

  const calls = new Map<string, number>();
  for (const mode of ['off', 'upstream', 'hardened'] as const) {
    const ns = ((await best('getpid-loop', mode)) * 1e6) / GETPID_CALLS;
    calls.set(mode, ns);
    yield { name: `getpid, --patch ${mode}`, value: ns, unit: 'ns a call', ...(mode === 'off' && { goal: 450 }) };
  }
  const off = calls.get('off') ?? Number.NaN;
  yield {
    name: 'getpid, upstream against off',
    value: (calls.get('upstream') ?? Number.NaN) / off,
    unit: 'times',
    goal: 4,
  };
  yield {
    name: 'getpid, hardened against off',
    value: (calls.get('hardened') ?? Number.NaN) / off,
    unit: 'times',
    goal: 1.6,
  };

  yield {
    name: 'switch between two tasks',
    value: ((await best('bench-yield', 'off')) * 1000) / YIELDS,
    unit: 'us',
    goal: 5,
  };
  yield {
    name: 'first touch of a page',
    value: ((await best('bench-touch', 'off')) * 1000) / TOUCHED_PAGES,
    unit: 'us',
    goal: 2,
  };
  yield {
    name: '1,000 mmaps and munmaps of a page',
    value: await best('bench-mmap', 'off'),
    unit: 'ms',
    goal: 20,
  };

  yield* wholeCommand();
  yield* againstQemu(folder);
}

/** `trapline run hello` as a whole: time from start to end, and memory. */
function* wholeCommand(): Generator<Figure> {
  let milliseconds = Number.POSITIVE_INFINITY;
  let kibibytes = Number.POSITIVE_INFINITY;
  // VmHWM and not the resource usage, whose maximum a process inherits from the one that started it.
  const tell =
    'data:text/javascript,import { readFileSync } from "node:fs";' +
    'process.on("exit", () => process.stderr.write(readFileSync("/proc/self/status", "latin1")))';
  for (let i = 0; i < RUNS; i++) {
    const before = performance.now();
    const run = spawnSync(process.execPath, [cli(), 'run', '--', guest('hello')], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (run.status !== 0) throw new TraplineError('BENCH', 'trapline run hello failed');
    milliseconds = Math.min(milliseconds, performance.now() - before);
    if (process.platform !== 'linux') continue;
    const told = spawnSync(process.execPath, ['--import', tell, cli(), 'run', '--', guest('hello')], {
      encoding: 'utf8',
    });
    kibibytes = Math.min(kibibytes, Number(/^VmHWM:\s+(\d+) kB/m.exec(told.stderr)?.[1] ?? Number.NaN));
  }
  yield { name: 'trapline run hello', value: milliseconds, unit: 'ms', goal: 300 };
  if (Number.isFinite(kibibytes))
    yield { name: 'trapline run hello, memory', value: kibibytes / 1024, unit: 'MiB', goal: 150 };
}

/** busybox sha256sum of 50 MB, processor time against qemu-user's where both are there. */
function* againstQemu(folder: string): Generator<Figure> {
  const busybox = findCommand('busybox');
  const qemu = findCommand('qemu-x86_64');
  if (busybox === undefined) return;
  const file = join(folder, 'data');
  writeFileSync(file, Buffer.alloc(HASHED_BYTES, 'trapline '));
  const ours = cpuSeconds([
    process.execPath,
    cli(),
    'run',
    '--root',
    '/',
    '--uid',
    String(process.getuid?.() ?? 1000),
    '--',
    busybox,
    'sha256sum',
    file,
  ]);
  yield { name: 'busybox sha256sum of 50 MB', value: ours, unit: 's CPU' };
  if (qemu === undefined) return;
  yield {
    name: 'against qemu-x86_64',
    value: ours / cpuSeconds([qemu, busybox, 'sha256sum', file]),
    unit: 'times',
    goal: 4,
  };
}

/** Processor time, user and system, of a command and its children: the shell's `times` prints it. */
function cpuSeconds(command: readonly string[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 2; i++) {
    const run = spawnSync('/bin/sh', ['-c', '"$@" >/dev/null || exit 1; times', 'sh', ...command], {
      encoding: 'utf8',
    });
    if (run.status !== 0) throw new TraplineError('BENCH', `${command.join(' ')} failed: ${run.stderr}`);
    const times = (run.stdout.trim().split('\n').at(-1) ?? '').match(/(\d+)m([\d.]+)s/g) ?? [];
    const seconds = times.map((text) => {
      const [minutes = '0', rest = '0'] = text.split(/[ms]/);
      return Number(minutes) * 60 + Number(rest);
    });
    least = Math.min(
      least,
      seconds.reduce((sum, part) => sum + part, 0),
    );
  }
  return least;
}

/** Milliseconds of processor time of the quickest of several runs of a guest, from its first instruction to its end. */
async function best(name: string, patch: PatchMode): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < RUNS; i++) {
    const host = nodeHost();
    const programFile = openHostPath(guest(name), { writable: false });
    const sandbox = Sandbox.create({ host, openCpu: openUnicorn, program: `/${name}`, programFile, patch });
    try {
      const before = process.cpuUsage();
      const { exit } = await sandbox.run();
      const { user, system } = process.cpuUsage(before);
      if (!('code' in exit) || exit.code !== 0) throw new TraplineError('BENCH', `the guest ${name} failed`);
      least = Math.min(least, (user + system) / 1000);
    } finally {
      sandbox.dispose();
      host.dispose();
    }
  }
  return least;
}

function cli(): string {
  return join(packageFolder(), 'dist', 'cli.js');
}

function guest(name: string): string {
  const path = join(packageFolder(), 'guests', 'bin', `${name}.elf`);
  if (!existsSync(path)) throw new TraplineError('BENCH', `${path} is not there; install trapline again`);
  return path;
}
