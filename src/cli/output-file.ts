// SPDX-License-Identifier: MIT
//
// Files that a run writes beside the guest's output. They are opened before the guest starts, so that a bad path is
// an error at once; results appear whole (a temporary file, then a rename), streams grow by whole lines.

import type { Stats } from 'node:fs';
import { closeSync, fstatSync, openSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { isatty } from 'node:tty';
import { reason } from '../base/errors.ts';
import { terminalMode } from '../sandbox/host-node/terminal-mode.ts';
import { UsageError } from './usage-error.ts';

/** What this command reads and writes: files by path and, where they exist, by inode; and what has named them. */
const claimed = new Map<string, string>();

/** A checkpoint may take the place of the one that the run goes on from. */
const MAY_TAKE_OVER: ReadonlyMap<string, string> = new Map([['--checkpoint', '--restore']]);

/** Notes a file that is read, so that nothing is written over it. */
export function claimInput(what: string, path: string): void {
  for (const name of namesOf(path)) claimed.set(name, what);
}

function namesOf(path: string): string[] {
  const stat = statOf(path);
  return [resolve(path), ...(stat === undefined ? [] : [`${stat.dev}:${stat.ino}`])];
}

/** Where a file that an option names is written to. */
export interface OutputPlace {
  /** No link: that is followed, not replaced. */
  readonly path: string;
  /** A file that can be put in the place of what is there. Devices and pipes (/dev/null) are written to as they are. */
  readonly isReplaceable: boolean;
  /** The tool's own stream that goes there already (/dev/stdout): a descriptor that others write to as well. */
  readonly stream: number | undefined;
}

/**
 * Before anything is written: refuses what is no name, a folder, and a file that has another use already.
 * @throws UsageError
 */
export function claimOutput(option: string, path: string): OutputPlace {
  if (path === '') throw new UsageError(`${option}: the name of the file is empty`);
  const stat = statOf(path);
  if (stat?.isDirectory() === true) throw new UsageError(`${option}: cannot write ${path}: it is a directory`);
  // These take what comes from anywhere.
  if (stat?.isFile() === false) return { path, isReplaceable: false, stream: undefined };
  const stream = stat === undefined ? undefined : ownStream(stat);
  if (stream !== undefined) return { path, isReplaceable: false, stream };
  const names = namesOf(path);
  for (const name of names) {
    const other = claimed.get(name);
    if (other === undefined || other === MAY_TAKE_OVER.get(option)) continue;
    throw new UsageError(`${option}: ${path} is the file of ${other} already; name another`);
  }
  for (const name of names) claimed.set(name, option);
  return { path: stat === undefined ? path : realpathSync(path), isReplaceable: true, stream: undefined };
}

/** Standard output or error, sent to a file. */
function ownStream({ dev, ino }: Stats): number | undefined {
  return [1, 2].find((fd) => {
    try {
      const own = fstatSync(fd);
      return own.dev === dev && own.ino === ino;
    } catch {
      return false;
    }
  });
}

/** A file that grows during the run. */
export class StreamFile {
  readonly #fd: number;
  readonly #path: string;
  #failed: Error | undefined;

  /** @throws UsageError when the file cannot be written */
  constructor(option: string, path: string) {
    this.#path = path;
    const place = claimOutput(option, path);
    this.#fd = openForWriting(option, place.path, path, place);
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
    release(this.#fd);
    if (this.#failed !== undefined) throw new UsageError(`${this.#path}: not complete: ${reason(this.#failed)}`);
  }
}

/** A file that is there completely or not at all. */
export class ResultFile {
  readonly #path: string;
  readonly #place: OutputPlace;
  readonly #temporary: string;
  /** Of a device or a pipe (/dev/stdout): it cannot be replaced and is written directly. */
  #device: number | undefined;

  /** @throws UsageError when the file cannot be written */
  constructor(option: string, path: string) {
    this.#path = path;
    const place = claimOutput(option, path);
    this.#place = place;
    this.#temporary = place.isReplaceable ? `${place.path}.${process.pid}.tmp` : place.path;
    const fd = openForWriting(option, this.#temporary, path, place);
    // What is left of a file is only that it can be made: whatever ends this process, nothing stays behind.
    if (place.isReplaceable) this.#remove(fd);
    else this.#device = fd;
  }

  /** @throws UsageError when it could not be written */
  finish(text: string): void {
    const fd = this.#device ?? this.#open();
    this.#device = undefined;
    try {
      writeAll(fd, text);
      if (this.#place.isReplaceable) renameSync(this.#temporary, this.#place.path);
      release(fd);
    } catch (error) {
      this.#remove(fd);
      throw new UsageError(`${this.#path}: ${reason(error)}`);
    }
  }

  /** The run did not come to its end: there is no result. */
  discard(): void {
    if (this.#device !== undefined) release(this.#device);
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
    release(fd);
    if (this.#place.isReplaceable) rmSync(this.#temporary, { force: true });
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/**
 * Finishes files: each is written, or said not to be, whatever becomes of the others.
 * @throws UsageError for all that could not be
 */
export function finishAll(files: readonly (() => void)[]): void {
  const failures: string[] = [];
  for (const finish of files) {
    try {
      finish();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      failures.push(error.message);
    }
  }
  if (failures.length > 0) throw new UsageError(failures.join('; '));
}

/** The tool's own streams stay open. */
function release(fd: number): void {
  if (fd > 2) closeSync(fd);
}

function openForWriting(option: string, path: string, shown: string, { stream }: OutputPlace): number {
  // A file that the guest's output goes to gets the rest behind it.
  if (stream !== undefined) return stream;
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

/**
 * Writes lines to stderr at once and completely; a closed stderr is no reason to fail. On a terminal that is the guest's,
 * nobody else begins a new line at its start.
 */
export function writeToStderr(text: string): void {
  try {
    writeAll(2, terminalMode.isRaw && isatty(2) ? text.replaceAll('\n', '\r\n') : text);
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
