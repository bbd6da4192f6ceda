// SPDX-License-Identifier: MIT
//
// The tool's stdin, stdout and stderr. Input never blocks: plain files are read at once, everything else through
// Node's stream. Output is complete when `write` returns.

import { fstatSync, readSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { EAGAIN, EPIPE } from '../../abi/errno.ts';
import type { HostStream } from '../../base/host.ts';
import { attempt } from './errors.ts';

function windowSize(): { rows: number; columns: number } {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.isTTY) return { rows: stream.rows, columns: stream.columns };
  }
  return { rows: 0, columns: 0 };
}

/** A descriptor that output goes to. */
class OutputStream implements HostStream {
  readonly isTerminal: boolean;
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
    this.isTerminal = isatty(fd);
  }

  windowSize(): { rows: number; columns: number } {
    return windowSize();
  }

  read(): number {
    return 0;
  }

  onReadable(callback: () => void): void {
    setImmediate(callback);
  }

  write(from: Uint8Array): number {
    let done = 0;
    while (done < from.length) {
      const n = attempt(() => writeSync(this.#fd, from, done, from.length - done));
      if (n === -EAGAIN) pause();
      else if (n < 0) return done > 0 && n !== -EPIPE ? done : n;
      else done += n;
    }
    return done;
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** The descriptor was made non-blocking by somebody and its reader is slow. */
function pause(): void {
  Atomics.wait(sleeper, 0, 0, 2);
}

/** Descriptor 0 where reading cannot block: a file or a null device. */
class FileInput implements HostStream {
  readonly isTerminal = false;

  windowSize(): { rows: number; columns: number } {
    return windowSize();
  }

  read(into: Uint8Array): number {
    return attempt(() => readSync(0, into, 0, into.length, null));
  }

  onReadable(callback: () => void): void {
    setImmediate(callback);
  }

  write(): number {
    return -EPIPE;
  }
}

/** A terminal, pipe or socket as input, through Node's own stream, which is touched only when a guest reads. */
class EventInput implements HostStream {
  readonly isTerminal = isatty(0);
  #isStarted = false;
  #hasEnded = false;
  #left: Buffer | null = null;
  #waiting: (() => void)[] = [];

  windowSize(): { rows: number; columns: number } {
    return windowSize();
  }

  #start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const { stdin } = process;
    const ended = (): void => {
      this.#hasEnded = true;
      this.#notify();
    };
    stdin.on('readable', () => this.#notify());
    stdin.on('end', ended);
    stdin.on('error', ended);
    stdin.on('close', ended);
  }

  #notify(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) callback();
  }

  read(into: Uint8Array): number {
    this.#start();
    const chunk = this.#left ?? (process.stdin.read() as Buffer | null);
    this.#left = null;
    if (chunk === null) return this.#hasEnded ? 0 : -EAGAIN;
    const n = Math.min(into.length, chunk.length);
    into.set(chunk.subarray(0, n));
    if (n < chunk.length) this.#left = chunk.subarray(n);
    return n;
  }

  onReadable(callback: () => void): void {
    this.#start();
    if (this.#left !== null || this.#hasEnded || process.stdin.readableLength > 0) setImmediate(callback);
    else this.#waiting.push(callback);
  }

  write(): number {
    return -EPIPE;
  }

  dispose(): void {
    if (!this.#isStarted) return;
    process.stdin.pause();
    process.stdin.removeAllListeners('readable');
    process.stdin.unref();
  }
}

/** Descriptor 0 without anything behind it. */
class ClosedInput implements HostStream {
  readonly isTerminal = false;

  windowSize(): { rows: number; columns: number } {
    return windowSize();
  }

  read(): number {
    return 0;
  }

  onReadable(callback: () => void): void {
    setImmediate(callback);
  }

  write(): number {
    return -EPIPE;
  }
}

/** The tool's own streams. */
export function openStandardStreams(): {
  stdin: HostStream;
  stdout: HostStream;
  stderr: HostStream;
  dispose(): void;
} {
  const stat = attempt(() => fstatSync(0));
  let stdin: HostStream;
  let input: EventInput | null = null;
  if (typeof stat === 'number') stdin = new ClosedInput();
  else if (stat.isFile() || (stat.isCharacterDevice() && !isatty(0))) stdin = new FileInput();
  else {
    input = new EventInput();
    stdin = input;
  }
  return {
    stdin,
    stdout: new OutputStream(1),
    stderr: new OutputStream(2),
    dispose: () => input?.dispose(),
  };
}
