// SPDX-License-Identifier: MIT
//
// Knows whether anybody waits for the host: only then is a kernel without runnable tasks not at a dead end. And
// whether the host has not taken all output yet: then no guest code runs, so that the host's pace changes nothing.

import type { Host, HostStream } from '../base/host.ts';

/** What only terminals have, passed on as it is. */
function terminalParts(stream: HostStream): Pick<HostStream, 'setRaw' | 'onResize'> {
  return {
    ...(stream.setRaw === undefined ? {} : { setRaw: (isRaw: boolean) => stream.setRaw?.(isRaw) === true }),
    ...(stream.onResize === undefined ? {} : { onResize: (callback: () => void) => stream.onResize?.(callback) }),
  };
}

/** Wraps the host's stdin and counts those who wait for it. */
export class HostInput {
  readonly #host: Host;
  /** The host with its stdin wrapped: give this one to the file system. */
  readonly host: Host;
  waiting = 0;
  /** Called when output begins to wait for its reader. */
  onStalled: (() => void) | null = null;
  #notify: (() => void) | null = null;

  constructor(host: Host) {
    this.#host = host;
    this.host = {
      stdin: this.#counted(host.stdin),
      stdout: this.#watched(host.stdout),
      stderr: this.#watched(host.stderr),
      wallClockNs: () => host.wallClockNs(),
      monotonicMs: () => host.monotonicMs(),
      entropy: (into) => host.entropy(into),
      breathe: () => host.breathe(),
      sleep: (ms) => host.sleep(ms),
    };
  }

  #watched(stream: HostStream): HostStream {
    if (stream.flush === undefined) return stream;
    return {
      isTerminal: stream.isTerminal,
      windowSize: () => stream.windowSize(),
      read: (into) => stream.read(into),
      onReadable: (callback) => stream.onReadable(callback),
      write: (from) => {
        const n = stream.write(from);
        if (stream.flush?.() === false) this.onStalled?.();
        return n;
      },
      ...terminalParts(stream),
    };
  }

  /** Tries to write what waits; true when nothing is left. */
  flush(): boolean {
    const { stdout, stderr } = this.#host;
    const isOutDone = stdout.flush?.() ?? true;
    return (stderr.flush?.() ?? true) && isOutDone;
  }

  #counted(stream: HostStream): HostStream {
    return {
      isTerminal: stream.isTerminal,
      windowSize: () => stream.windowSize(),
      read: (into) => stream.read(into),
      write: (from) => stream.write(from),
      onReadable: (callback) => {
        this.waiting++;
        stream.onReadable(() => {
          this.waiting--;
          callback();
          this.#notify?.();
        });
      },
      ...terminalParts(stream),
    };
  }

  /** Resolves when input has come or `ms` have passed. */
  async waitOrSleep(ms: number): Promise<void> {
    const input = new Promise<void>((resolve) => {
      this.#notify = resolve;
    });
    await Promise.race([input, this.#host.sleep(ms)]);
    this.#notify = null;
  }
}
