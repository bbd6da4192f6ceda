// SPDX-License-Identifier: MIT
//
// The outside world of compared runs: all of them read the same input, from its beginning, and only the first one's
// output goes out. No stream is a terminal, and input never has to be waited for: time would depend on who gives it. Where
// the outside has taken no more of the first run's output, it takes no more of the others'.

import { EAGAIN } from '../../abi/errno.ts';
import { TraplineError } from '../../base/errors.ts';
import { wrapHost } from '../../base/host-wrapper.ts';
import type { Host, HostStream } from '../../base/host.ts';
import { HashChain } from './hash-chain.ts';

/** Input that is kept for the runs to come. */
export const MAX_INPUT = 64 * 2 ** 20;

/** Reads more input, waiting for it: bytes read, 0 at the end, or a negative errno. */
export type InputSource = (into: Uint8Array) => number;

type OutputName = 'out' | 'err';

/** From which write on the outside has refused output, and with which -errno. */
interface Refusal {
  readonly write: number;
  readonly errno: number;
}

/** The tool's streams: input is read once, and what became of output is kept. */
export class SharedStreams {
  /** Set by the run whose output goes out; a reader that has gone away (`| head`) does not come back. */
  readonly refusals = new Map<OutputName, Refusal>();
  private readonly source: InputSource;
  private chunks: Uint8Array[] = [];
  private length = 0;
  private hasEnded = false;

  constructor(source: InputSource) {
    this.source = source;
  }

  /** The input from its beginning. */
  openInput(): HostStream {
    let chunk = 0;
    let at = 0;
    return {
      isTerminal: false,
      windowSize: () => ({ rows: 0, columns: 0 }),
      read: (into) => {
        while (chunk >= this.chunks.length) if (!this.more()) return 0;
        const bytes = this.chunks[chunk] as Uint8Array;
        const n = Math.min(into.length, bytes.length - at);
        into.set(bytes.subarray(at, at + n));
        at += n;
        if (at === bytes.length) {
          chunk++;
          at = 0;
        }
        return n;
      },
      onReadable: (callback) => queueMicrotask(callback),
      write: (from) => from.length,
    };
  }

  private more(): boolean {
    if (this.hasEnded) return false;
    const into = new Uint8Array(65536);
    const n = this.source(into);
    if (n <= 0) {
      this.hasEnded = true;
      return false;
    }
    this.length += n;
    if (this.length > MAX_INPUT) {
      const size = MAX_INPUT / 2 ** 20;
      throw new TraplineError(
        'CHECK_INPUT',
        `the program reads more than ${size} MiB of input, which each run needs again: give it a file with --bind instead`,
      );
    }
    this.chunks.push(into.slice(0, n));
    return true;
  }
}

/** A hash of a stream of bytes that does not depend on how it was cut into pieces. */
class StreamHash {
  private readonly chain = new HashChain();
  private word = 0;
  private held = 0;

  take(data: Uint8Array): void {
    let at = 0;
    while (at < data.length && this.held !== 0) this.byte(data[at++] as number);
    const { chain } = this;
    for (; at + 4 <= data.length; at += 4) {
      chain.word(
        (data[at] as number) |
          ((data[at + 1] as number) << 8) |
          ((data[at + 2] as number) << 16) |
          ((data[at + 3] as number) << 24),
      );
    }
    while (at < data.length) this.byte(data[at++] as number);
  }

  private byte(value: number): void {
    this.word |= value << (8 * this.held);
    this.held = (this.held + 1) & 3;
    if (this.held !== 0) return;
    this.chain.word(this.word);
    this.word = 0;
  }

  equals(other: StreamHash): boolean {
    return this.chain.value === other.chain.value && this.word === other.word && this.held === other.held;
  }
}

/** What a run wrote to its standard output and error, as hashes: how it cut that into writes shows in its calls. */
export class OutputDigest {
  private readonly out = new StreamHash();
  private readonly err = new StreamHash();

  take(stream: OutputName, data: Uint8Array): void {
    this[stream].take(data);
  }

  equals(other: OutputDigest): boolean {
    return this.out.equals(other.out) && this.err.equals(other.err);
  }
}

/** The host as one run sees it. @param shows this run's output goes out */
export function runHost(host: Host, shared: SharedStreams, digest: OutputDigest, shows: boolean): Host {
  const output = (name: OutputName, real: HostStream): HostStream => {
    let writes = 0;
    return {
      isTerminal: false,
      windowSize: () => ({ rows: 0, columns: 0 }),
      read: () => -EAGAIN,
      onReadable: () => {},
      write: (from) => {
        const write = writes++;
        const refusal = shared.refusals.get(name);
        if (refusal !== undefined && write >= refusal.write) return refusal.errno;
        const written = shows ? real.write(from) : from.length;
        if (written < 0) shared.refusals.set(name, { write, errno: written });
        else digest.take(name, from);
        return written;
      },
      ...(shows && real.flush !== undefined ? { flush: () => real.flush?.() ?? true } : {}),
    };
  };
  return wrapHost(host, {
    stdin: shared.openInput(),
    stdout: output('out', host.stdout),
    stderr: output('err', host.stderr),
  });
}
