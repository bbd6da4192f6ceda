// SPDX-License-Identifier: MIT
//
// Knows whether anybody waits for the host: only then is a kernel without runnable tasks not at a dead end. And
// whether the host has not taken all output yet: then no guest code runs, so that the host's pace changes nothing.

import { wrapHost, wrapStream } from '../base/host-wrapper.ts';
import type { Host, HostStream } from '../base/host.ts';

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
    this.host = wrapHost(host, {
      stdin: this.#counted(host.stdin),
      stdout: this.#watched(host.stdout),
      stderr: this.#watched(host.stderr),
    });
  }

  #watched(stream: HostStream): HostStream {
    if (stream.flush === undefined) return stream;
    return wrapStream(stream, {
      write: (from) => {
        const n = stream.write(from);
        if (stream.flush?.() === false) this.onStalled?.();
        return n;
      },
    });
  }

  /** Tries to write what waits; true when nothing is left. */
  flush(): boolean {
    const { stdout, stderr } = this.#host;
    const isOutDone = stdout.flush?.() ?? true;
    return (stderr.flush?.() ?? true) && isOutDone;
  }

  #counted(stream: HostStream): HostStream {
    return wrapStream(stream, {
      onReadable: (callback) => {
        this.waiting++;
        stream.onReadable(() => {
          this.waiting--;
          callback();
          this.#notify?.();
        });
      },
    });
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
