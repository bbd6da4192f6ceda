// SPDX-License-Identifier: MIT
//
// Figures of the race explorer: what a transition and a schedule cost on a world that begins with nothing remembered,
// the longest of the small cells, and a large model as a command.

import { spawnSync } from 'node:child_process';
import { TraplineError } from '../base/errors.ts';
import { openUnicorn } from '../cpu/unicorn/index.ts';
import { COHERENT, DEFAULT_PARAMETERS, explore, fetchNamed, RACE_MEMORY_BYTES, scenarioNamed } from '../race/index.ts';
import type { Exploration, ScenarioParameters } from '../race/index.ts';
import { cliPath, type Figure } from './bench-figure.ts';

const RUNS = 5;
const SCHEDULES = 20_000;
/** The cells of races.md 4.2 with one and two threads: offset of the site, and fetch. */
const CELLS: readonly (readonly [number, string])[] = [
  [0, 'coherent'],
  [0, 'torn-asc'],
  [58, 'torn-asc'],
  [63, 'torn-any'],
  [0, 'stale'],
  [63, 'stale'],
  [60, 'stale'],
  [58, 'stale'],
];

interface Timed {
  readonly result: Exploration;
  readonly milliseconds: number;
}

interface How {
  readonly strategy?: string;
  readonly budget: number;
  /** Takes equal threads for one another. */
  readonly exchanges?: boolean;
}

/** Processor time of one exploration, the world's making included. */
function timed(parameters: Partial<ScenarioParameters>, how: How): Timed {
  const cpu = openUnicorn({ memoryBytes: RACE_MEMORY_BYTES });
  try {
    const before = process.cpuUsage();
    const scenario = scenarioNamed('patch-vs-exec');
    const exchangesEqualActors = how.exchanges ?? true;
    const world = scenario.build({ ...DEFAULT_PARAMETERS, ...parameters }, { cpu, exchangesEqualActors });
    const result = explore(world, how);
    const { user, system } = process.cpuUsage(before);
    return { result, milliseconds: (user + system) / 1000 };
  } finally {
    cpu.dispose();
  }
}

function quickest(parameters: Partial<ScenarioParameters>, how: How): Timed {
  let best = timed(parameters, how);
  for (let i = 1; i < RUNS; i++) {
    const next = timed(parameters, how);
    if (next.milliseconds < best.milliseconds) best = next;
  }
  return best;
}

export function* measureRaces(): Generator<Figure> {
  const whole = { budget: 10_000_000 };
  const coherent = quickest({ threads: 2 }, { ...whole, exchanges: false });
  yield {
    name: 'race, two threads, coherent: a transition',
    value: (coherent.milliseconds * 1000) / coherent.result.transitions,
    unit: 'us',
    goal: 10,
  };
  const sampled = quickest({ threads: 2 }, { strategy: 'random', budget: SCHEDULES });
  yield {
    name: 'race, two threads, coherent: a schedule',
    value: (sampled.milliseconds * 1000) / sampled.result.schedules,
    unit: 'us',
    goal: 200,
  };
  let longest = 0;
  for (const threads of [1, 2]) {
    for (const [offset, fetch] of CELLS) {
      const model = { ...COHERENT, ...fetchNamed(fetch) };
      longest = Math.max(longest, timed({ threads, offset, model }, { ...whole, exchanges: false }).milliseconds);
    }
  }
  yield { name: 'race, the longest cell of one or two threads', value: longest / 1000, unit: 's', goal: 3 };
  yield* largeModel();
}

/** Three threads, stale fetch, the last byte in a line of its own, as a command: time and memory. */
function* largeModel(): Generator<Figure> {
  // VmHWM and not the resource usage, whose maximum a process inherits from the one that started it.
  const tell =
    'data:text/javascript,import { readFileSync } from "node:fs";' +
    'process.on("exit", () => process.stderr.write(readFileSync("/proc/self/status", "latin1")))';
  const args = ['race', 'patch-vs-exec', '--patch', 'upstream', '--offset', '58', '--model', 'stale', '--threads', '3'];
  const before = performance.now();
  const imported = process.platform === 'linux' ? ['--import', tell] : [];
  const run = spawnSync(process.execPath, [...imported, cliPath(), ...args], { encoding: 'utf8' });
  if (run.status !== 1) throw new TraplineError('BENCH', `trapline ${args.join(' ')} failed`);
  const name = 'race, three threads, stale, +6 in a line of its own';
  yield { name, value: (performance.now() - before) / 1000, unit: 's', goal: 180 };
  const kibibytes = Number(/^VmHWM:\s+(\d+) kB/m.exec(run.stderr)?.[1] ?? Number.NaN);
  if (Number.isFinite(kibibytes)) yield { name: `${name}, memory`, value: kibibytes / 1024, unit: 'MiB', goal: 2048 };
}
