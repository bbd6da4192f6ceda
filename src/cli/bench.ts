// SPDX-License-Identifier: MIT
//
// `trapline bench`: the figures of the README, measured here and now: the engine by itself, then runs of the guests that
// come with Trapline. Each is the best of several; processor time where that can be had, so that a busy machine does
// little harm.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TraplineError } from '../base/errors.ts';
import { openUnicorn } from '../cpu/unicorn/index.ts';
import { measureEngine } from '../cpu/unicorn/bench/index.ts';
import { nodeHost, openHostPath } from '../sandbox/host-node/index.ts';
import { Sandbox, type SandboxOptions } from '../sandbox/sandbox.ts';
import { measureCheckpoints } from './bench-checkpoint.ts';
import { benchGuest as guest, cliPath as cli, formatFigure, type Figure } from './bench-figure.ts';
import { measurePrograms } from './bench-programs.ts';
import { measureRaces } from './bench-race.ts';
import { CLASS, measureWorkshop, SHORT_CLASS, type LoadOptions } from './bench-workshop.ts';
import { calibrate } from './calibration.ts';
import { writeToStdout } from './output-file.ts';
import { parseCount } from './sizes.ts';
import { UsageError } from './usage-error.ts';

const RUNS = 5;
const GETPID_CALLS = 100_000;
const YIELDS = 40_000;
const TOUCHED_PAGES = 16_384;

export interface BenchOptions {
  /** Prints one JSON object instead of the table. */
  readonly json?: boolean;
  /** Of a class: how long and how large; as on the command line. */
  readonly seconds?: string;
  readonly clients?: string;
}

type PatchMode = NonNullable<SandboxOptions['patch']>;

/** Exit status: 0; figures that miss their goals are marked, for the machine may be busy. */
export async function benchCommand(part: string | undefined, options: BenchOptions): Promise<number> {
  if (part !== undefined && part !== 'workshop') {
    throw new UsageError(`bench: "${part}" is no part; the only one by itself is workshop`);
  }
  if (part === undefined && (options.seconds ?? options.clients) !== undefined) {
    throw new UsageError('bench: --seconds and --clients are for trapline bench workshop');
  }
  const figures: Figure[] = [];
  for await (const figure of part === undefined ? measureAll() : measureWorkshop(loadOf(options))) {
    figures.push(figure);
    if (options.json !== true) writeToStdout(`${formatFigure(figure)}\n`);
  }
  if (options.json === true) writeToStdout(`${JSON.stringify(figures, undefined, 2)}\n`);
  return 0;
}

async function* measureAll(): AsyncGenerator<Figure> {
  const folder = mkdtempSync(join(tmpdir(), 'trapline-bench-'));
  try {
    yield* measure(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function loadOf({ seconds, clients }: BenchOptions): LoadOptions {
  return {
    seconds: seconds === undefined ? CLASS.seconds : parseCount('--seconds', seconds, 3, 86_400),
    clients: clients === undefined ? CLASS.clients : parseCount('--clients', clients, 1, 400),
  };
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
    name: 'a patched call, hardened against upstream',
    value: (calls.get('hardened') ?? Number.NaN) / (calls.get('upstream') ?? Number.NaN),
    unit: 'times',
    goal: 1.2,
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

  yield* measureCheckpoints();
  yield* wholeCommand();
  yield* measureRaces();
  yield* measurePrograms(folder);
  yield* measureWorkshop(SHORT_CLASS);
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
