// SPDX-License-Identifier: MIT
//
// `trapline race`: options to scenario, exploration, report and exit status. The caller brings the engine.

import { TraplineError } from '../base/errors.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { protocolNamed } from '../usertrap/protocol.ts';
import { explore } from './explorer.ts';
import { RACE_MEMORY_BYTES } from './patch-machine.ts';
import { patchReport, scheduleToken } from './patch-report.ts';
import type { PatchRaceParameters } from './patch-report.ts';
import { PatchVersusExec } from './patch-vs-exec.ts';
import { parseSchedule, replay } from './schedule.ts';

/** Options as the command line has them; all but the scenario optional. */
export interface RaceCommandOptions {
  readonly scenario: string;
  readonly patch?: string;
  readonly protocol?: string;
  readonly grain?: string;
  readonly model?: string;
  readonly threads?: number;
  readonly offset?: number;
  readonly nr?: number;
  /** Address of the trap table. */
  readonly table?: number;
  /** States at most. */
  readonly budget?: number;
  readonly makeCpu: (options: { memoryBytes: number }) => Cpu;
}

/** What the command line prints and exits with. */
export interface RaceCommandResult {
  readonly text: string;
  /** 0 holds, 1 fails, 3 incomplete. */
  readonly exitCode: 0 | 1 | 3;
  readonly json: object;
}

/** Scenarios, for `--list`. */
export const RACE_SCENARIOS: readonly { readonly name: string; readonly summary: string }[] = [
  { name: 'patch-vs-exec', summary: 'one site, a patcher, and threads that execute it' },
];

function usage(message: string): TraplineError {
  return new TraplineError('RACE_OPTION', message);
}

function oneOf<T extends string>(option: string, value: string | undefined, allowed: readonly T[]): T {
  const found = allowed.find((a) => a === (value ?? allowed[0]));
  if (found === undefined) throw usage(`--${option} ${value ?? ''} is not known; use one of ${allowed.join(', ')}`);
  return found;
}

function integer(option: string, value: number | undefined, fallback: number, low: number, high: number): number {
  const n = value ?? fallback;
  if (!Number.isInteger(n) || n < low || n > high)
    throw usage(`--${option} must be a whole number from ${low} to ${high}`);
  return n;
}

interface Resolved {
  readonly parameters: PatchRaceParameters;
  readonly make: (cpu: Cpu) => PatchVersusExec;
}

function resolve(options: RaceCommandOptions): Resolved {
  if (!RACE_SCENARIOS.some((s) => s.name === options.scenario)) {
    throw usage(`there is no scenario "${options.scenario}"; see trapline race --list`);
  }
  oneOf('model', options.model, ['coherent']);
  const patch = oneOf('patch', options.patch, ['upstream', 'hardened']);
  const grain = oneOf('grain', options.grain, ['isa', 'step', 'byte']);
  const name = options.protocol ?? 'abc';
  const protocol = protocolNamed(name);
  if (protocol === undefined)
    throw usage(
      `--protocol ${name} is not known; use gvisor, abc-sync, one-shot or an order of a, b and c such as acb`,
    );
  const threads = integer('threads', options.threads, 1, 1, 6);
  const offset = integer('offset', options.offset, 0, 0, 63);
  const sysno = integer('nr', options.nr, 39, 0, 2 ** 32 - 1);
  const table = integer('table', options.table, 0x61000, 0x60000, 0x6a000);
  if (table % 4096 !== 0) throw usage('--table must be the address of a page');
  return {
    parameters: { patch, protocol: protocol.name, grain, offset, sysno, table, threads },
    make: (cpu) => new PatchVersusExec({ cpu, patch, protocol, grain, threads, offset, sysno, tableBase: table }),
  };
}

/**
 * Explores a scenario exhaustively.
 * @throws TraplineError `RACE_OPTION` for an option that is not known
 */
export function runRaceCommand(options: RaceCommandOptions): RaceCommandResult {
  const { parameters, make } = resolve(options);
  const budget = integer('budget', options.budget, 200_000, 1, 2 ** 31);
  const cpu = options.makeCpu({ memoryBytes: RACE_MEMORY_BYTES });
  try {
    const system = make(cpu);
    const result = explore(system, budget);
    const json = {
      version: 1,
      scenario: options.scenario,
      ...parameters,
      model: 'coherent',
      verdict: result.verdict,
      complete: result.complete,
      states: result.states,
      transitions: result.transitions,
      outcomes: Object.fromEntries(result.outcomes),
      failures: result.witnesses.map((w) => ({
        signature: w.failure.signature,
        text: w.failure.text,
        switches: w.switches,
        steps: w.steps.length,
        schedule: scheduleToken(system.actors, parameters, w),
      })),
    };
    const exitCode = result.verdict === 'holds' ? 0 : result.verdict === 'fails' ? 1 : 3;
    return { text: patchReport(parameters, result, system), exitCode, json };
  } finally {
    cpu.dispose();
  }
}

/**
 * Replays a schedule as a report prints it: the parameters on one line, the steps on the next.
 * Exit status 1 when the failure comes again, 0 when it passes, 3 when the schedule no longer fits.
 * @throws TraplineError `RACE_SCHEDULE` when the text is no schedule
 */
export function replayCommand(token: string, makeCpu: RaceCommandOptions['makeCpu']): RaceCommandResult {
  const [head = '', ...rest] = token.trim().split(/\s*\n\s*/);
  const fields = new Map(head.split(';').map((part) => part.split('=', 2) as [string, string | undefined]));
  if (!fields.has('xr1') || rest.length === 0)
    throw new TraplineError('RACE_SCHEDULE', 'a schedule starts with "xr1;scn=…" and has its steps on the next line');
  const number = (name: string, radix = 10): number => Number.parseInt(fields.get(name) ?? '', radix);
  const { make } = resolve({
    scenario: fields.get('scn') ?? '',
    patch: fields.get('patch') ?? '',
    protocol: fields.get('protocol') ?? '',
    grain: fields.get('grain') ?? '',
    model: fields.get('model') ?? '',
    offset: number('off'),
    nr: number('nr'),
    table: number('tbl', 16),
    threads: number('threads'),
    makeCpu,
  });
  const cpu = makeCpu({ memoryBytes: RACE_MEMORY_BYTES });
  try {
    const system = make(cpu);
    const result = replay(system, parseSchedule(system.actors, rest.join(' ')));
    const what =
      result.kind === 'failed'
        ? `FAIL  ${result.failure?.text ?? ''}`
        : result.kind === 'passed'
          ? 'PASS  the schedule runs without a failure'
          : `DIVERGED  ${result.problem ?? ''}`;
    const steps = result.steps.map(
      (s, i) => `${String(i + 1).padStart(2)}  ${(system.actors[s.actor] ?? '').padEnd(4)}${s.text}`,
    );
    const exitCode = result.kind === 'failed' ? 1 : result.kind === 'passed' ? 0 : 3;
    return {
      text: `${[what, ...steps].join('\n')}\n`,
      exitCode,
      json: { version: 1, kind: result.kind, steps: result.steps.length },
    };
  } finally {
    cpu.dispose();
  }
}
