// SPDX-License-Identifier: MIT
//
// Runs a program once as it is, once with checkpoints taken on the way, and from each checkpoint to its end in a machine
// of its own; what all of them did must be the same.

import { fromLatin1 } from '../../../src/base/bytes.ts';
import type { Host, HostStream } from '../../../src/base/host.ts';
import { Reg } from '../../../src/cpu/regs.ts';
import { openUnicorn } from '../../../src/cpu/unicorn/index.ts';
import { SyscallTracer } from '../../../src/kernel/decode/tracer.ts';
import { StraceText } from '../../../src/report/strace-text.ts';
import { nodeHost } from '../../../src/sandbox/host-node/index.ts';
import type { RestoreOptions, RunResult, SandboxOptions } from '../../../src/sandbox/sandbox.ts';
import { Sandbox } from '../../../src/sandbox/sandbox.ts';

/** What a run has done, so far or in all. */
interface Record {
  output: string;
  strace: string;
}

export interface Outcome extends Record {
  readonly exit: RunResult['exit'];
  readonly ended: string | undefined;
  /** Without the time that it took. */
  readonly metrics: Omit<RunResult['metrics'], 'wallMs'>;
}

/** A checkpoint, and what had been done by then. */
export interface Taken extends Record {
  readonly at: number;
  /** Where the tasks were. */
  readonly rips: readonly number[];
  /** How many of them a tracer had stopped. */
  readonly traced: number;
  readonly file: Uint8Array;
}

export type ProgramOptions = Omit<SandboxOptions, 'host' | 'openCpu'> & { readonly input?: string };

function stream(sink: (text: string) => void, input: { text: string; at: number }): HostStream {
  return {
    isTerminal: false,
    windowSize: () => ({ rows: 24, columns: 80 }),
    read(into) {
      const part = input.text.slice(input.at, input.at + into.length);
      for (let i = 0; i < part.length; i++) into[i] = part.charCodeAt(i);
      input.at += part.length;
      return part.length;
    },
    onReadable: (callback) => callback(),
    write(from) {
      sink(fromLatin1(from));
      return from.length;
    },
  };
}

/** A host whose streams are in memory, and renderers that fill `record`. */
function recorded(
  record: Record,
  input: string,
): Pick<RestoreOptions, 'host' | 'openCpu' | 'consumers' | 'makeTracer'> {
  const write = (text: string): void => {
    record.output += text;
  };
  const stdin = { text: input, at: 0 };
  const host: Host = {
    ...nodeHost(),
    stdin: stream(write, stdin),
    stdout: stream(write, stdin),
    stderr: stream(write, stdin),
  };
  const strace = new StraceText({
    write: (lines) => (record.strace += lines),
    immediate: true,
    times: true,
    epochNs: () => 0n,
  });
  return { host, openCpu: openUnicorn, consumers: [strace], makeTracer: (trace) => new SyscallTracer(trace) };
}

async function finish(sandbox: Sandbox, record: Record): Promise<Outcome> {
  try {
    const { exit, ended, metrics } = await sandbox.run();
    const { wallMs: _, ...rest } = metrics;
    return { ...record, exit, ended, metrics: rest };
  } finally {
    sandbox.dispose();
  }
}

/**
 * Runs to the end; checkpoints are taken at the instruction counts in `points`, which ascend.
 * @param every of so many points only the first is saved, at the others the run is paused
 */
export async function runTaking(
  options: ProgramOptions,
  points: readonly number[],
  every = 1,
): Promise<{ outcome: Outcome; taken: Taken[] }> {
  const record = { output: '', strace: '' };
  const sandbox = Sandbox.create({ ...options, ...recorded(record, options.input ?? '') });
  const taken: Taken[] = [];
  const next = (i: number): void => {
    const at = points[i];
    if (at === undefined) return;
    sandbox.checkpointAt(at, () => {
      next(i + 1);
      if (i % every !== 0) return;
      const file = sandbox.save();
      const tasks = [...sandbox.kernel.groups.values()].flatMap((group) => group.tasks);
      const traced = tasks.filter(({ state }) => state === 'traced').length;
      taken.push({ at, rips: tasks.map((task) => task.regs.get(Reg.rip)), traced, file, ...record });
    });
  };
  next(0);
  return { outcome: await finish(sandbox, record), taken };
}

/** Goes on from a checkpoint to the end: with what had been done before, all that the run did. */
export async function goOn(taken: Taken, options: ProgramOptions): Promise<Outcome> {
  const record = { output: taken.output, strace: taken.strace };
  const { root, binds, timeoutSec, input } = options;
  const sandbox = Sandbox.restore(taken.file, {
    ...recorded(record, (input ?? '').slice(0)),
    ...(root === undefined ? {} : { root }),
    ...(binds === undefined ? {} : { binds }),
    ...(timeoutSec === undefined ? {} : { timeoutSec }),
    ...(options.maxInstructions === undefined ? {} : { maxInstructions: options.maxInstructions }),
  });
  return await finish(sandbox, record);
}

/** `count` points over a run of so many instructions. */
export function spread(instructions: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor((instructions * (i + 0.5)) / count));
}
