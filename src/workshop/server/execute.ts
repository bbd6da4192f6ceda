// SPDX-License-Identifier: MIT
//
// Does one job on the real engine in this process: the workers of the server, the recorded results of the lessons and the
// lessons in the terminal all come through here, so that they show the same.

import { signalName } from '../../abi/signal.ts';
import { fromHex } from '../../base/bytes.ts';
import { TraplineError } from '../../base/errors.ts';
import type { Disassembler } from '../../isa/disassembler.ts';
import { changeScheduleCommand, formatToken, startRaceCommand } from '../../race/index.ts';
import type { RaceCommandOptions } from '../../race/index.ts';
import { recordRace, recordToken } from '../../race/recording/index.ts';
import type { RaceRecordingHost } from '../../race/recording/index.ts';
import { checkJson } from '../../report/check-json.ts';
import { checkText } from '../../report/check-text.ts';
import { checkProgram } from '../../sandbox/check/check.ts';
import { recordRun } from '../../sandbox/recording/record-run.ts';
import type { RunResult, SandboxOptions } from '../../sandbox/sandbox.ts';
import { HARDENED_GUARDS } from '../../usertrap/guards.ts';
import type { Guards } from '../../usertrap/guards.ts';
import { UPSTREAM_VERSION_NAMES } from '../../usertrap/versions.ts';
import type { Recording } from '../../trace/recording/format.ts';
import type {
  CheckRequest,
  GuestCode,
  JobLimits,
  JobOutcome,
  JobRequest,
  RaceRequest,
  RunOutcome,
  RunRequest,
  ScheduleRequest,
} from '../api.ts';
import { assembledImage, guestImage } from '../lab/guest-image.ts';
import { PROGRAM_ENTRY, programDirectory } from './program-directory.ts';
import { jobHost } from './job-host.ts';

/** What a job needs of its process. */
export interface Laboratory {
  readonly openCpu: SandboxOptions['openCpu'];
  readonly disassembler: () => Disassembler;
  /** The ELF image of a guest that comes with Trapline; undefined when there is none of the name. */
  readonly guest: (name: string) => Uint8Array | undefined;
}

/** What came of a job. */
export interface Execution {
  readonly outcome: JobOutcome;
  readonly recordings: readonly Recording[];
}

/**
 * Does a job.
 * @throws TraplineError `LAB_…` or `RACE_…` for a request that names what is not there, `LAB_CODE` for a program that the
 *   assembler does not take, and what the engine throws
 */
export async function executeJob(request: JobRequest, limits: JobLimits, laboratory: Laboratory): Promise<Execution> {
  switch (request.kind) {
    case 'run':
      return run(request, limits, laboratory);
    case 'race':
      return race(request, limits, laboratory);
    case 'schedule':
      return schedule(request, laboratory);
    case 'check':
      return check(request, limits, laboratory);
  }
}

/** The program of a request and what bounds it. */
function guestOptions(code: GuestCode, limits: JobLimits, laboratory: Laboratory): Omit<SandboxOptions, 'host'> {
  const name = 'guest' in code ? code.guest : 'program';
  return {
    openCpu: laboratory.openCpu,
    program: `/${name}`,
    programFile: { directory: programDirectory(imageOf(code, laboratory)), entry: PROGRAM_ENTRY },
    memoryBytes: limits.memoryBytes,
    timeoutSec: limits.seconds,
    maxInstructions: limits.instructions,
    limits: { tasks: limits.tasks, outputBytes: limits.outputBytes },
    disassembler: laboratory.disassembler,
  };
}

function imageOf(code: GuestCode, laboratory: Laboratory): Uint8Array {
  if ('guest' in code) {
    const image = laboratory.guest(code.guest);
    if (image !== undefined) return image;
    throw new TraplineError('LAB_GUEST', `there is no guest of the name "${code.guest}"; see guests/README.md`);
  }
  if ('asm' in code) return assembledImage(code.asm);
  try {
    return guestImage(fromHex(code.bytes));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TraplineError('LAB_CODE', 'the machine code is not an even number of hex digits', { cause: error });
  }
}

async function run(request: RunRequest, limits: JobLimits, laboratory: Laboratory): Promise<Execution> {
  const instructions = Math.min(request.limits?.instructions ?? Infinity, limits.instructions);
  const bounds = { ...limits, instructions };
  const host = jobHost(limits.outputBytes);
  const { seed, stubPreemption } = request.scheduling ?? {};
  const { everyInstruction, steps } = request.record ?? {};
  const { recording, result } = await recordRun(
    {
      ...guestOptions(request.code, bounds, laboratory),
      host,
      patch: request.mode,
      ...(request.upstream !== undefined && { upstream: upstreamNamed(request.upstream) }),
      ...(request.guards !== undefined && { guards: guardsNamed(request.guards) }),
      ...(seed !== undefined && { seed }),
      ...(stubPreemption !== undefined && { stubPreemption }),
    },
    {
      disassembler: laboratory.disassembler,
      ...(everyInstruction !== undefined && { everyInstruction }),
      ...(steps !== undefined && { steps: Math.min(steps, limits.steps) }),
    },
  );
  return { outcome: runOutcome(result, host.output(), bounds), recordings: [recording] };
}

function upstreamNamed(name: string): (typeof UPSTREAM_VERSION_NAMES)[number] {
  const found = UPSTREAM_VERSION_NAMES.find((known) => known === name);
  if (found !== undefined) return found;
  throw new TraplineError(
    'LAB_REQUEST',
    `upstream "${name}" is not a version that is known; use one of ${UPSTREAM_VERSION_NAMES.join(', ')}`,
  );
}

function guardsNamed(given: Readonly<Record<string, boolean>>): Partial<Guards> {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(HARDENED_GUARDS, name)) {
      const known = Object.keys(HARDENED_GUARDS).join(', ');
      throw new TraplineError('LAB_REQUEST', `"${name}" is no guard; the guards are ${known}`);
    }
  }
  return given;
}

function runOutcome(result: RunResult, output: string, limits: JobLimits): RunOutcome {
  const { wallMs: _, ...metrics } = result.metrics;
  const sentence = sentenceOf(result, limits);
  return {
    kind: 'run',
    exit: result.exit,
    ...(result.ended !== undefined && { ended: result.ended }),
    ...(sentence !== undefined && { sentence }),
    output,
    metrics,
  };
}

/** What ended a run, where it was not the program's own exit. */
function sentenceOf({ exit, ended, metrics }: RunResult, limits: JobLimits): string | undefined {
  const after = `after ${metrics.instructions} instructions`;
  switch (ended) {
    case 'budget':
      return `The program was ended ${after}: that is the limit here. Does it loop for ever?`;
    case 'timeout':
      return `The program was ended ${after}: it took longer than ${limits.seconds} s.`;
    case 'output':
      return `The program was ended ${after}: it wrote more than ${limits.outputBytes} bytes, which is the limit here.`;
    case 'deadlock':
      return `The program was ended ${after}: all of its tasks wait for ever, and nothing can wake them.`;
    case 'stopped':
      return `The program was stopped ${after}.`;
    default:
      return 'signal' in exit ? `The signal ${signalName(exit.signal)} ended the program ${after}.` : undefined;
  }
}

async function race(request: RaceRequest, limits: JobLimits, laboratory: Laboratory): Promise<Execution> {
  const { kind: _, ...options } = request;
  const search = startRaceCommand({
    ...(options satisfies Omit<RaceCommandOptions, 'makeCpu'>),
    budget: Math.min(request.budget ?? Infinity, limits.states),
    makeCpu: laboratory.openCpu,
  });
  const start = performance.now();
  let at = search.next();
  while (at.done !== true) {
    const isOver = performance.now() - start > limits.seconds * 1000;
    at = search.next(isOver ? 'time' : null);
  }
  const { result, text, json } = at.value;
  return {
    outcome: { kind: 'race', verdict: result.verdict, text, json: { ...json } },
    recordings: recordRace(result, recordingHost(laboratory)),
  };
}

function schedule(request: ScheduleRequest, laboratory: Laboratory): Execution {
  const { token, steps } = request;
  const change = steps?.map(({ actor, name }) => `${actor}:${name}`).join(' | ');
  const changed = changeScheduleCommand({
    token,
    makeCpu: laboratory.openCpu,
    change: change ?? { from: 0, to: 0 },
  });
  const { kind: outcome, failure, fits, problem, skipped, added } = changed;
  return {
    outcome: {
      kind: 'schedule',
      outcome,
      failure: failure?.text ?? null,
      fits,
      problem,
      skipped,
      added,
      token: formatToken(changed.token),
    },
    recordings: [recordToken({ token, ...(change !== undefined && { change }) }, recordingHost(laboratory))],
  };
}

function recordingHost({ openCpu, disassembler }: Laboratory): RaceRecordingHost {
  return { makeCpu: openCpu, disassembler };
}

async function check(request: CheckRequest, limits: JobLimits, laboratory: Laboratory): Promise<Execution> {
  const result = await checkProgram({
    program: { ...guestOptions(request.code, limits, laboratory), host: jobHost(limits.outputBytes) },
    modes: ['upstream', 'hardened'],
    input: () => 0,
    disassembler: laboratory.disassembler,
  });
  const { verdict } = result;
  return {
    outcome: { kind: 'check', verdict, text: checkText(result), json: { ...checkJson(result) } },
    recordings: [],
  };
}
