// SPDX-License-Identifier: MIT
//
// What it takes to save and to restore a machine that uses 64 MiB: processor time of `Sandbox.save` and
// `Sandbox.restore`, without the file.

import { TraplineError } from '../base/errors.ts';
import { openUnicorn } from '../cpu/unicorn/index.ts';
import { nodeHost, openHostPath } from '../sandbox/host-node/index.ts';
import { Sandbox } from '../sandbox/sandbox.ts';
import { benchGuest, type Figure } from './bench-figure.ts';

const RUNS = 5;
const MEMORY_BYTES = 256 * 2 ** 20;
const GOAL_MS = 300;
/** Instructions before its end at which the guest has touched all of its memory. */
const BEFORE_END = 20;

/** Runs the guest; `take` is called at an instruction count. Gives how many instructions it had. */
async function run(at: number | undefined, take: (sandbox: Sandbox) => void): Promise<number> {
  const host = nodeHost();
  const program = benchGuest('bench-touch');
  const sandbox = Sandbox.create({
    host,
    openCpu: openUnicorn,
    program,
    programFile: openHostPath(program, { writable: false }),
    memoryBytes: MEMORY_BYTES,
  });
  try {
    if (at !== undefined) sandbox.checkpointAt(at, () => take(sandbox));
    return (await sandbox.run()).metrics.instructions;
  } finally {
    sandbox.dispose();
    host.dispose();
  }
}

function millisecondsSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

export async function* measureCheckpoints(): AsyncGenerator<Figure> {
  const instructions = await run(undefined, () => undefined);
  let saved = Number.POSITIVE_INFINITY;
  let restored = Number.POSITIVE_INFINITY;
  let file: Uint8Array | undefined;
  for (let i = 0; i < RUNS; i++) {
    await run(instructions - BEFORE_END, (sandbox) => {
      const start = process.cpuUsage();
      file = sandbox.save();
      saved = Math.min(saved, millisecondsSince(start));
    });
    if (file === undefined) throw new TraplineError('CLI_BENCH', 'the guest ended before it could be saved');
    const host = nodeHost();
    const start = process.cpuUsage();
    const sandbox = Sandbox.restore(file, { host, openCpu: openUnicorn });
    restored = Math.min(restored, millisecondsSince(start));
    sandbox.dispose();
    host.dispose();
  }
  yield { name: 'save a machine that uses 64 MiB', value: saved, unit: 'ms', goal: GOAL_MS };
  yield { name: 'restore it', value: restored, unit: 'ms', goal: GOAL_MS };
}
