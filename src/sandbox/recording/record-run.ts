// SPDX-License-Identifier: MIT
//
// Runs a program and records it: what `run --html`, the workshop's server and the lessons call.

import { wrapHost, wrapStream } from '../../base/host-wrapper.ts';
import type { Host, HostStream } from '../../base/host.ts';
import type { Disassembler } from '../../isa/disassembler.ts';
import { SyscallTracer } from '../../kernel/decode/tracer.ts';
import { hardenedStubCode, upstreamStubCode } from '../../platform/stub-code.ts';
import { CodeTables } from '../../trace/recording/code-tables.ts';
import { DEFAULT_STEPS, MOST_STEPS, RECORDING_FORMAT, RECORDING_VERSION } from '../../trace/recording/format.ts';
import type { RunFacts, RunRecording } from '../../trace/recording/format.ts';
import { HARDENED_GUARDS, UPSTREAM_GUARDS } from '../../usertrap/guards.ts';
import { HEAD, upstreamVersion } from '../../usertrap/versions.ts';
import { COST_BASES } from '../cost-figures.ts';
import type { Metrics } from '../metrics.ts';
import { Sandbox } from '../sandbox.ts';
import type { RunResult, SandboxOptions } from '../sandbox.ts';
import { RunLog } from './run-log.ts';
import { RunMemory } from './run-memory.ts';
import { RunRecorder } from './run-recorder.ts';
import { StepCpu } from './step-cpu.ts';
import { StepLog } from './step-log.ts';

/** Of so many steps one may be an instruction from the start; unless all are. */
const HEAD_SHARE = 10;

/** What to record. */
export interface RecordingSettings {
  /** Default: the program's name. */
  readonly title?: string;
  /** The command that makes it again. Default: one made of the program and its arguments. */
  readonly command?: string;
  /** From 1 to {@link MOST_STEPS}; default {@link DEFAULT_STEPS}. When they are used up the run goes on. */
  readonly steps?: number;
  /** Every instruction is a step, until the recording is full. Default: the first ones, and windows around what is new. */
  readonly everyInstruction?: boolean;
  readonly disassembler: () => Disassembler;
}

/** Records one run. */
export class RunRecordingSession {
  /** Make the sandbox with these. */
  readonly options: SandboxOptions;
  readonly #run: RunLog;
  readonly #settings: RecordingSettings;
  #engine = '';

  constructor(options: SandboxOptions, settings: RecordingSettings) {
    const disassembler = settings.disassembler();
    const version = options.patch === 'upstream' ? upstreamVersion(options.upstream ?? HEAD.name) : HEAD;
    const steps = Math.min(MOST_STEPS, Math.max(1, settings.steps ?? DEFAULT_STEPS));
    const log = new StepLog(steps, version);
    const tables = new CodeTables(disassembler);
    const head = settings.everyInstruction === true ? Infinity : Math.ceil(steps / HEAD_SHARE);
    const run = new RunLog(log, tables, new RunMemory(tables, log));
    const recorder = new RunRecorder(run, disassembler, head);
    this.#run = run;
    this.#settings = settings;
    this.options = {
      ...options,
      openCpu: (machine) => new StepCpu(options.openCpu(machine), recorder),
      host: watchedHost(options.host, run),
      observer: recorder,
      consumers: [...(options.consumers ?? []), recorder.kernel],
      makeTracer: options.makeTracer ?? ((trace) => new SyscallTracer(trace)),
    };
  }

  /** The sandbox exists and is about to run. */
  attach(sandbox: Sandbox): void {
    this.#engine = sandbox.cpu.name;
    this.#run.attach(sandbox, stubBytes(this.options));
  }

  /** The run is over: what it was. */
  finish(result: RunResult): RunRecording {
    const run = this.#run;
    run.finish();
    const { options } = this;
    const { texts, listings, decodes } = run.tables;
    const program = options.program;
    const argv = options.argv ?? [program];
    return {
      format: RECORDING_FORMAT,
      version: RECORDING_VERSION,
      kind: 'run',
      title: this.#settings.title ?? program.slice(program.lastIndexOf('/') + 1),
      origin: {
        command: this.#settings.command ?? `trapline run --patch ${options.patch ?? 'hardened'} -- ${argv.join(' ')}`,
        engine: this.#engine,
        mode: options.patch ?? 'hardened',
        protocol: 'abc',
        seed: options.seed ?? 0,
      },
      run: runFacts(options, argv, result),
      actors: run.actors,
      sites: run.memory.sites,
      regions: run.memory.regions,
      granules: [],
      texts,
      listings,
      decodes,
      start: { actors: run.start, spaces: [] },
      steps: run.steps.steps,
      events: run.events,
      calls: run.calls,
      output: run.output,
      maps: run.maps,
      costs: COST_BASES,
      leftOut: run.steps.leftOut,
    };
  }
}

/**
 * Runs a program in a sandbox of its own and records it, however it ends.
 * @throws TraplineError as `Sandbox.create` and `run` do
 */
export async function recordRun(
  options: SandboxOptions,
  settings: RecordingSettings,
): Promise<{ readonly recording: RunRecording; readonly result: RunResult }> {
  const session = new RunRecordingSession(options, settings);
  const sandbox = Sandbox.create(session.options);
  try {
    session.attach(sandbox);
    const result = await sandbox.run();
    return { recording: session.finish(result), result };
  } finally {
    sandbox.dispose();
  }
}

function runFacts(options: SandboxOptions, argv: readonly string[], { exit, ended, metrics }: RunResult): RunFacts {
  return {
    program: options.program,
    argv,
    exit,
    ...(ended === undefined ? {} : { ended }),
    ...figures(metrics),
  };
}

function figures(metrics: Metrics): Omit<RunFacts, 'program' | 'argv' | 'exit' | 'ended'> {
  const { instructions, syscalls, trapped, patchedCalls, restarted, faults, tasks, signals, slots } = metrics;
  return {
    instructions,
    syscalls,
    trapped,
    patchedCalls,
    restarted,
    faults,
    tasks,
    signals,
    slots,
    patched: metrics.sites.map((site) => ({ ...site, address: Number(site.address), slot: Number(site.slot) })),
    refused: metrics.refused.map((place) => ({
      ...place,
      address: Number(place.address),
      bytes: place.bytes.replaceAll(' ', ''),
    })),
  };
}

function stubBytes({ patch, guards, upstream }: SandboxOptions): Uint8Array | null {
  if (patch === 'off') return null;
  const isUpstream = patch === 'upstream';
  const { syscallClobbers } = { ...(isUpstream ? UPSTREAM_GUARDS : HARDENED_GUARDS), ...guards };
  if (!isUpstream && syscallClobbers) return hardenedStubCode().bytes;
  return upstreamStubCode(false, isUpstream ? upstreamVersion(upstream ?? HEAD.name) : HEAD).bytes;
}

/** The host with its two outputs watched. */
function watchedHost(host: Host, run: RunLog): Host {
  const watched = (fd: 1 | 2, stream: HostStream): HostStream =>
    wrapStream(stream, {
      write: (from) => {
        const n = stream.write(from);
        if (n > 0) run.wrote(fd, from.subarray(0, n));
        return n;
      },
    });
  const { stdin, stdout, stderr } = host;
  return wrapHost(host, { stdin, stdout: watched(1, stdout), stderr: watched(2, stderr) });
}
