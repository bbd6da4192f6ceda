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
  yield* largeModels();
}

/** Upstream, stale fetch, the last byte in a line of its own, as commands: time and memory. */
function* largeModels(): Generator<Figure> {
  const three = asCommand(3, 1);
  const name = 'race, three threads, stale, +6 in a line of its own';
  yield { name, value: three.seconds, unit: 's', goal: 180 };
  if (three.mebibytes !== null) yield { name: `${name}, memory`, value: three.mebibytes, unit: 'MiB', goal: 2048 };
  for (const workers of [1, 2]) {
    const four = asCommand(4, workers);
    const title = `race, four threads, --workers ${workers}`;
    yield { name: title, value: four.seconds, unit: 's' };
    if (four.processorSeconds !== null)
      yield { name: `${title}, processor time of all`, value: four.processorSeconds, unit: 's' };
    if (four.mebibytes !== null)
      yield { name: `${title}, memory of the first`, value: four.mebibytes, unit: 'MiB', goal: 2048 };
  }
}

/** Figures of a process; those of /proc are null where there is none. */
interface Large {
  readonly seconds: number;
  /** Of the process and its workers. */
  readonly processorSeconds: number | null;
  readonly mebibytes: number | null;
}

function asCommand(threads: number, workers: number): Large {
  // VmHWM and not the resource usage, whose maximum a process inherits from the one that started it; in stat also the
  // time of children that have ended.
  const tell =
    'data:text/javascript,import { readFileSync } from "node:fs";' +
    'process.on("exit", () => process.stderr.write(["status", "stat"].map((name) => readFileSync("/proc/self/" + name, "latin1")).join("")))';
  const args = ['race', 'patch-vs-exec', '--patch', 'upstream', '--offset', '58', '--model', 'stale'];
  args.push('--threads', String(threads), '--workers', String(workers), '--budget', '10000000');
  const before = performance.now();
  const imported = process.platform === 'linux' ? ['--import', tell] : [];
  const run = spawnSync(process.execPath, [...imported, cliPath(), ...args], { encoding: 'utf8' });
  const seconds = (performance.now() - before) / 1000;
  if (run.status !== 1) throw new TraplineError('BENCH', `trapline ${args.join(' ')} failed`);
  const kibibytes = /^VmHWM:\s+(\d+) kB/m.exec(run.stderr)?.[1];
  // Behind the name: utime, stime, cutime and cstime are the 12th to the 15th, in ticks of 10 ms (proc(5)).
  const ticks = /^\d+ \(.*\) (.*)$/m.exec(run.stderr)?.[1]?.split(' ').slice(11, 15);
  return {
    seconds,
    processorSeconds: ticks === undefined ? null : ticks.reduce((sum, n) => sum + Number(n), 0) / 100,
    mebibytes: kibibytes === undefined ? null : Number(kibibytes) / 1024,
  };
}
