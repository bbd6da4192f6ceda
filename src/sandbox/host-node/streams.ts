// SPDX-License-Identifier: MIT
//
// The tool's stdin, stdout and stderr. Input never blocks: plain files are read at once, everything else through
// Node's stream. Output to a pipe or a terminal does not block either, so that a stopped reader stops nothing else.

import { spawnSync } from 'node:child_process';
import { constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { EAGAIN, EPIPE } from '../../abi/errno.ts';
import type { HostStream } from '../../base/host.ts';
import { attempt } from './errors.ts';
import { terminalMode } from './terminal-mode.ts';

/**
 * The tool's terminal, as rows and columns; those of the descriptor that shows output first. Node learns of a new size by a
 * signal, which comes later than the keys that were pressed after it: so the terminal itself is asked.
 */
function windowSize(): { rows: number; columns: number } {
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream.isTTY) continue;
    (stream as { _refreshSize?: () => void })._refreshSize?.();
    return { rows: stream.rows, columns: stream.columns };
  }
  return { rows: 0, columns: 0 };
}

/**
 * A pipe or terminal opened anew without blocking, which leaves the mode that others share alone; the descriptor itself
 * for everything else, and where the system does not allow that.
 */
function withoutBlocking(fd: number): number {
  const stat = attempt(() => fstatSync(fd));
  if (typeof stat === 'number' || process.platform !== 'linux' || !(stat.isFIFO() || isatty(fd))) return fd;
  const own = attempt(() =>
    openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY),
  );
  return own < 0 ? fd : own;
}

/** A descriptor that output goes to. */
class OutputStream implements HostStream {
  readonly isTerminal: boolean;
  readonly #fd: number;
  /** What the reader has not taken yet, in order. */
  #waiting: Uint8Array[] = [];
  #forgetResize: (() => void) | null = null;

  constructor(fd: number) {
    this.isTerminal = isatty(fd);
    this.#fd = withoutBlocking(fd);
  }

  windowSize(): { rows: number; columns: number } {
    return windowSize();
  }

  onResize(callback: () => void): void {
    const stream = process.stdout.isTTY ? process.stdout : process.stderr;
    if (!stream.isTTY) return;
    stream.on('resize', callback);
    this.#forgetResize = (): void => void stream.off('resize', callback);
  }

  dispose(): void {
    this.#forgetResize?.();
  }

  read(): number {
    return 0;
  }

  onReadable(callback: () => void): void {
    setImmediate(callback);
  }

  write(from: Uint8Array): number {
    if (!this.flush()) {
      this.#waiting.push(from.slice());
      return from.length;
    }
    const n = this.#put(from);
    if (n < 0) return n;
    if (n < from.length) this.#waiting.push(from.slice(n));
    return from.length;
  }

  flush(): boolean {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const n = this.#put(first);
      // Nobody will take the rest: the next write tells the guest.
      if (n < 0) this.#waiting = [];
      else if (n < first.length) {
        this.#waiting[0] = first.subarray(n);
        return false;
      } else this.#waiting.shift();
    }
    return true;
  }

  /** Bytes that were taken at once, or -errno. */
  #put(from: Uint8Array): number {
    let done = 0;
    while (done < from.length) {
      const n = attempt(() => writeSync(this.#fd, from, done, from.length - done));
      if (n === -EAGAIN) break;
      if (n < 0) return done > 0 && n !== -EPIPE ? done : n;
      done += n;
    }
    return done;
  }
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

  /** A terminal that only input comes from can still show something. */
  write(from: Uint8Array): number {
    return this.isTerminal ? attempt(() => writeSync(0, from)) : -EPIPE;
  }

  /**
   * Node's raw mode leaves output processing on, which would break programs that draw on the screen; stty(1) takes that
   * away, too. Node puts the mode that was there first back, here and in whatever way its process ends.
   */
  setRaw(isRaw: boolean): boolean {
    if (!this.isTerminal) return false;
    process.off('SIGCONT', this.#onContinued);
    process.stdin.setRawMode(isRaw);
    terminalMode.isRaw = process.stdin.isRaw;
    if (process.stdin.isRaw !== isRaw) return false;
    if (!isRaw) return true;
    spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
    process.on('SIGCONT', this.#onContinued);
    return true;
  }

  /** Somebody had stopped the tool; meanwhile a shell has used the terminal in a mode of its own. */
  readonly #onContinued = (): void => {
    process.stdin.setRawMode(false);
    this.setRaw(true);
  };

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
  const stdout = new OutputStream(1);
  const stderr = new OutputStream(2);
  return {
    stdin,
    stdout,
    stderr,
    dispose: () => {
      input?.dispose();
      stdout.dispose();
      stderr.dispose();
    },
  };
}
