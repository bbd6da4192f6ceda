// SPDX-License-Identifier: MIT
//
// `--checkpoint FILE` and `--restore FILE`: when one is taken, and that a file is there whole or not at all.

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { TraplineError, reason } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { readInputFile } from './input-file.ts';
import { claimInput, claimOutput } from './output-file.ts';
import { UsageError } from './usage-error.ts';

const LIMIT_BYTES = 2 ** 32;

/** Where the checkpoints of a run go. Each takes the place of the one before; SIGUSR1 asks for one. */
export class CheckpointFile {
  /** As it was given, and where that is. */
  readonly #path: string;
  readonly #place: string;
  readonly #at: number | undefined;
  readonly #logger: Logger;
  #sandbox: Sandbox | undefined;
  /** The one at a count of instructions has not been taken. */
  #isDue: boolean;
  #isWritten = false;
  /** Why the last one that was taken is not in the file. */
  #failed: Error | undefined;
  readonly #onSignal = (): void =>
    this.#sandbox?.checkpointAt(0, () => {
      this.#take();
      this.#arm();
    });

  /**
   * @param at instructions after which one is taken; undefined for none but those that signals ask for
   * @throws UsageError when the file cannot be written
   */
  constructor(path: string, at: number | undefined, logger: Logger) {
    this.#path = path;
    this.#at = at;
    this.#logger = logger;
    this.#isDue = at !== undefined;
    const place = claimOutput('--checkpoint', path);
    if (!place.isReplaceable) {
      throw new UsageError(`--checkpoint: cannot write ${path}: it is no file of its own, which a checkpoint replaces`);
    }
    this.#place = place.path;
    this.#write(new Uint8Array(0));
    rmSync(this.#temporary, { force: true });
  }

  get #temporary(): string {
    return `${this.#place}.${process.pid}.tmp`;
  }

  /** The run is about to begin. */
  watch(sandbox: Sandbox): void {
    this.#sandbox = sandbox;
    this.#arm();
    process.on('SIGUSR1', this.#onSignal);
  }

  /** A machine waits for one point at a time. */
  #arm(): void {
    if (this.#at === undefined || !this.#isDue) return;
    this.#sandbox?.checkpointAt(this.#at, () => {
      this.#isDue = false;
      this.#take();
    });
  }

  /** The run goes on whatever comes of it: what cannot be saved is said, and an earlier file stays. */
  #take(): void {
    try {
      this.#write(this.#sandbox?.save() ?? new Uint8Array(0));
      renameSync(this.#temporary, this.#place);
      this.#isWritten = true;
      this.#failed = undefined;
    } catch (error) {
      rmSync(this.#temporary, { force: true });
      const isState = error instanceof TraplineError;
      if (!isState && !(error instanceof UsageError) && !(error instanceof Error && 'code' in error)) throw error;
      this.#failed = isState ? undefined : error;
      const why = isState || error instanceof UsageError ? error.message : reason(error);
      this.#logger.warn(`--checkpoint: nothing was written: ${why}`);
    }
  }

  #write(bytes: Uint8Array): void {
    let fd: number;
    try {
      fd = openSync(this.#temporary, 'w', 0o600);
    } catch (error) {
      throw new UsageError(`--checkpoint: cannot write ${this.#path}: ${reason(error)}`);
    }
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
      if (bytes.length > 0) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** @throws UsageError when the last one could not be written, once the run has come to its end */
  finish(): void {
    if (this.#failed instanceof UsageError) throw this.#failed;
    if (this.#failed === undefined) return;
    throw new UsageError(`--checkpoint: cannot write ${this.#path}: ${reason(this.#failed)}`);
  }

  /** The run is over. */
  close(): void {
    process.off('SIGUSR1', this.#onSignal);
    if (!this.#isDue) return;
    const what = this.#isWritten ? 'none was taken there' : 'nothing was written';
    this.#logger.warn(`--checkpoint: the run ended before instruction ${this.#at ?? 0}: ${what}`);
  }
}

/** The bytes of `--restore FILE`. @throws UsageError */
export function readCheckpoint(path: string): Uint8Array {
  const bytes = readInputFile('--restore', path, LIMIT_BYTES);
  claimInput('--restore', path);
  return bytes;
}
