// SPDX-License-Identifier: MIT
//
// A machine of one gVisor restored by another: slots are part of the image, and those of 2023 store their state where
// later stubs have something else (usertrap.md 2.11, scenario 30).

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openUnicorn } from '../../../src/cpu/unicorn/index.ts';
import { nodeHost, openHostPath } from '../../../src/sandbox/host-node/index.ts';
import { Sandbox } from '../../../src/sandbox/sandbox.ts';
import type { RunResult } from '../../../src/sandbox/sandbox.ts';
import type { UpstreamVersionName } from '../../../src/usertrap/versions.ts';
import type { ProgramOptions } from './continuations.ts';
import { runTaking } from './continuations.ts';

const program = fileURLToPath(new URL('../../../guests/bin/getpid-loop.elf', import.meta.url));

async function savedBy(upstream: UpstreamVersionName): Promise<Uint8Array> {
  const options: ProgramOptions = {
    program,
    programFile: openHostPath(program, { writable: false }),
    patch: 'upstream',
    upstream,
    memoryBytes: 32 * 2 ** 20,
  };
  const [first] = (await runTaking(options, [5000])).taken;
  if (first === undefined) throw new Error('no checkpoint was taken');
  return first.file;
}

async function restoredBy(
  file: Uint8Array,
  upstream: UpstreamVersionName,
): Promise<{ exit: RunResult['exit']; warnings: string[] }> {
  const warnings: string[] = [];
  const logger = { warn: (message: string) => void warnings.push(message), debug: () => undefined };
  const host = nodeHost();
  const sandbox = Sandbox.restore(file, { host, openCpu: openUnicorn, upstream, logger });
  try {
    return { exit: (await sandbox.run()).exit, warnings };
  } finally {
    sandbox.dispose();
    host.dispose();
  }
}

describe('a patched program that one gVisor has saved', () => {
  it.each(['2023-02', '2024-07', '3c5eee1'] as const)('goes on under the same: %s', async (upstream) => {
    const { exit, warnings } = await restoredBy(await savedBy(upstream), upstream);
    expect({ exit, warnings }).toEqual({ exit: { code: 0 }, warnings: [] });
  });

  it('goes on under one whose slots are alike', async () => {
    expect((await restoredBy(await savedBy('2024-07'), '3c5eee1')).exit).toEqual({ code: 0 });
  });

  it('is killed under one whose stub expects another state in another place', async () => {
    // The old slot's state lies over the upper half of what is now the pointer to the context.
    const { exit } = await restoredBy(await savedBy('2023-02'), '3c5eee1');
    expect(exit).toEqual({ signal: 11 });
  });
});
