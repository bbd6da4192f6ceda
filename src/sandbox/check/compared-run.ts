// SPDX-License-Identifier: MIT
//
// One of the runs that are compared: a sandbox in a patch mode with an observer, the shared input, and an end that is
// found even when the mode has sent the program round in circles.

import { SILENT_LOGGER } from '../../base/logger.ts';
import type { PatchMode } from '../../platform/sentry.ts';
import type { Guards } from '../../usertrap/guards.ts';
import { TABLE_NAME } from '../../usertrap/layout.ts';
import type { RunResult, SandboxOptions } from '../sandbox.ts';
import { Sandbox } from '../sandbox.ts';
import type { EventTaker } from './observer.ts';
import { RunObserver } from './observer.ts';
import { OutputDigest, runHost } from './run-streams.ts';
import type { SharedStreams } from './run-streams.ts';

/** What the runs have in common. */
export type CheckedProgram = Omit<
  SandboxOptions,
  'patch' | 'consumers' | 'makeTracer' | 'comparable' | 'wallClock' | 'entropy'
>;

/** A run that has ended. */
export interface EndedRun {
  readonly result: RunResult;
  readonly output: OutputDigest;
}

/** Takes the events of a run that it may stop. */
export interface RunTaker extends EventTaker {
  /** The sandbox exists and is about to run. */
  begin(sandbox: Sandbox): void;
}

/** How a run differs from the others: the mode, and guards of it that are switched on or off. */
export interface RunMode {
  readonly patch: PatchMode;
  readonly guards?: Partial<Guards>;
}

/**
 * Runs the program once.
 * @param shows its output goes out
 * @param maxInstructions where the run ends at the latest; the program's own limit holds, too
 */
export async function runOnce(
  program: CheckedProgram,
  mode: RunMode,
  shared: SharedStreams,
  taker: RunTaker,
  { shows = false, maxInstructions = Infinity } = {},
): Promise<EndedRun> {
  const output = new OutputDigest();
  const observer = new RunObserver(taker);
  const limit = Math.min(maxInstructions, program.maxInstructions ?? Infinity);
  const sandbox = Sandbox.create({
    ...program,
    host: runHost(program.host, shared, output, shows),
    ...mode,
    comparable: true,
    // Warnings about the program would come again with each run.
    ...(shows ? {} : { logger: SILENT_LOGGER }),
    consumers: [observer],
    makeTracer: (trace) => observer.makeTracer(trace),
    ...(limit === Infinity ? {} : { maxInstructions: limit }),
  });
  try {
    sandbox.kernel.memory.hiddenArea = TABLE_NAME;
    observer.attach(sandbox);
    taker.begin(sandbox);
    return { result: await sandbox.run(), output };
  } finally {
    observer.detach();
    sandbox.dispose();
  }
}
