// SPDX-License-Identifier: MIT
//
// The outside world of a job: no input, output that is kept up to a bound, clocks for the limits. Nothing else of the
// host can be reached.

import { EAGAIN } from '../../abi/errno.ts';
import { fromLatin1 } from '../../base/bytes.ts';
import type { Host, HostStream } from '../../base/host.ts';
import { nodeServices } from '../../sandbox/host-node/index.ts';

/** A Host whose output can be read afterwards. */
export interface JobHost extends Host {
  /** What was written to stdout and stderr, in order, as Latin-1. */
  output(): string;
}

/** @param bound bytes of output that are kept */
export function jobHost(bound: number): JobHost {
  const pieces: string[] = [];
  let kept = 0;
  const write = (from: Uint8Array): number => {
    const part = from.subarray(0, Math.max(0, bound - kept));
    kept += part.length;
    if (part.length > 0) pieces.push(fromLatin1(part.slice()));
    return from.length;
  };
  const stream = (read: () => number): HostStream => ({
    isTerminal: false,
    windowSize: () => ({ rows: 0, columns: 0 }),
    read,
    onReadable: (callback) => queueMicrotask(callback),
    write,
  });
  return {
    stdin: stream(() => 0),
    stdout: stream(() => -EAGAIN),
    stderr: stream(() => -EAGAIN),
    ...nodeServices(),
    output: () => pieces.join(''),
  };
}
