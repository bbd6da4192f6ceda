// SPDX-License-Identifier: MIT
//
// The outside world on Node: streams, clocks, entropy, directories.

import { randomFillSync } from 'node:crypto';
import type { Host } from '../../base/host.ts';
import { openStandardStreams } from './streams.ts';

export { openHostArchive } from './archive.ts';
export { NodeDirectory, openHostDirectory, openHostPath } from './directory.ts';

/** The tool's process as a Host. */
export interface NodeHost extends Host {
  /** Lets the process end although a guest has read from stdin. */
  dispose(): void;
}

/** What a Host has beside its streams: clocks, entropy, waiting. */
export function nodeServices(): Omit<Host, 'stdin' | 'stdout' | 'stderr'> {
  return {
    wallClockNs: () => BigInt(Date.now()) * 1_000_000n,
    monotonicMs: () => performance.now(),
    entropy: (into) => {
      randomFillSync(into);
    },
    breathe: () => new Promise((done) => setImmediate(done)),
    sleep: (ms) => new Promise((done) => setTimeout(done, ms)),
  };
}

/** Makes the Host of this process. */
export function nodeHost(): NodeHost {
  const streams = openStandardStreams();
  return {
    stdin: streams.stdin,
    stdout: streams.stdout,
    stderr: streams.stderr,
    ...nodeServices(),
    dispose: () => streams.dispose(),
  };
}
