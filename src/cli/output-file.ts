// SPDX-License-Identifier: MIT
//
// Files that a run writes beside the guest's output. They are opened before the guest starts, so that a bad path is
// an error at once; results appear whole (a temporary file, then a rename), streams grow by whole lines.

import type { Stats } from 'node:fs';
import { closeSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { reason } from '../base/errors.ts';
import { UsageError } from './usage-error.ts';

/** What this command writes: paths, and the options that named them. */
const claimed = new Map<string, string>();

/**
 * Before anything is written: refuses what is no name, a folder, and a file that another option has named.
 * @throws UsageError
 */
export function claimOutput(option: string, path: string): void {
  if (path === '') throw new UsageError(`${option}: the name of the file is empty`);
  const stat = statOf(path);
  if (stat?.isDirectory() === true) throw new UsageError(`${option}: cannot write ${path}: it is a directory`);
  // Devices and pipes (/dev/null) take what comes from anywhere.
  if (stat?.isFile() === false) return;
  const name = resolve(path);
  const other = claimed.get(name);
  if (other !== undefined) throw new UsageError(`${option}: ${path} is the file of ${other} already; name another`);
  claimed.set(name, option);
}

/** A file that grows during the run. */
export class StreamFile {
  readonly #fd: number;
  readonly #path: string;
  #failed: Error | undefined;

  /** @throws UsageError when the file cannot be written */
  constructor(option: string, path: string) {
    this.#path = path;
    this.#fd = openForWriting(option, path, path);
  }

  /** Writes all of it, or remembers why not: a full disk must not change what the guest does. */
  write(text: string): void {
    if (this.#failed !== undefined) return;
    try {
      writeAll(this.#fd, text);
    } catch (error) {
      this.#failed = error instanceof Error ? error : new Error(String(error));
    }
  }

  /** @throws UsageError when something could not be written */
  close(): void {
    closeSync(this.#fd);
    if (this.#failed !== undefined) throw new UsageError(`${this.#path}: not complete: ${reason(this.#failed)}`);
  }
}

/** A file that is there completely or not at all. */
export class ResultFile {
  readonly #path: string;
  readonly #temporary: string;
  /** Of a device or a pipe (/dev/stdout): it cannot be replaced and is written directly. */
  #device: number | undefined;

  /** @throws UsageError when the file cannot be written */
  constructor(option: string, path: string) {
    this.#path = path;
    const isFile = isReplaceable(path);
    this.#temporary = isFile ? `${path}.${process.pid}.tmp` : path;
    const fd = openForWriting(option, this.#temporary, path);
    // What is left of a file is only that it can be made: whatever ends this process, nothing stays behind.
    if (isFile) this.#remove(fd);
    else this.#device = fd;
  }

  /** @throws UsageError when it could not be written */
  finish(text: string): void {
    const fd = this.#device ?? this.#open();
    this.#device = undefined;
    try {
      writeAll(fd, text);
      if (this.#temporary !== this.#path) renameSync(this.#temporary, this.#path);
      closeSync(fd);
    } catch (error) {
      this.#remove(fd);
      throw new UsageError(`${this.#path}: ${reason(error)}`);
    }
  }

  /** The run did not come to its end: there is no result. */
  discard(): void {
    if (this.#device !== undefined) closeSync(this.#device);
    this.#device = undefined;
  }

  #open(): number {
    try {
      return openSync(this.#temporary, 'w');
    } catch (error) {
      throw new UsageError(`${this.#path}: ${reason(error)}`);
    }
  }

  #remove(fd: number): void {
    closeSync(fd);
    if (this.#temporary !== this.#path) rmSync(this.#temporary, { force: true });
  }
}

/** A file, or nothing yet. */
function isReplaceable(path: string): boolean {
  return statOf(path)?.isFile() ?? true;
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function openForWriting(option: string, path: string, shown: string): number {
  claimOutput(option, shown);
  try {
    return openSync(path, 'w');
  } catch (error) {
    throw new UsageError(`${option}: cannot write ${shown}: ${reason(error)}`);
  }
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      // A pipe that somebody made non-blocking: its reader is slow.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}

/** Writes to stderr at once and completely; a closed stderr is no reason to fail. */
export function writeToStderr(text: string): void {
  try {
    writeAll(2, text);
  } catch {
    // Nobody is listening.
  }
}

/**
 * Writes to stdout at once and completely; a reader that has gone away has seen enough.
 * @throws UsageError when the output cannot be written
 */
export function writeToStdout(text: string): void {
  try {
    writeAll(1, text);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return;
    throw new UsageError(`cannot write to standard output: ${reason(error)}`);
  }
}
