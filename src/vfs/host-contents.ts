// SPDX-License-Identifier: MIT
//
// Reads host files below a memory file system: handles are opened when needed, a few are kept open, and a file that
// is not the one whose attributes the guest has seen is refused.

import { ESTALE } from '../abi/errno.ts';
import type { HostDirectory, HostFile, HostStat } from '../base/host.ts';
import type { LowerContent } from './sparse-content.ts';

/** Host files that stay open at the same time. */
const MAX_OPEN = 64;

/** Reads smaller than this are served from a window of the file. */
const SMALL_READ = 16_384;
const WINDOW_BYTES = 65_536;

/** A host directory with its open files. */
export class HostContents {
  readonly directory: HostDirectory;
  /** The part of a file that was read last. Host files below a memory layer count as unchanging. */
  readonly #window = new Uint8Array(WINDOW_BYTES);
  #windowPath: string | null = null;
  #windowStart = 0;
  #windowLength = 0;
  /** In the order of last use, oldest first. */
  readonly #open = new Map<string, HostFile>();

  constructor(directory: HostDirectory) {
    this.directory = directory;
  }

  /** The bytes of the host file at `path`, which `stat` describes. */
  content(path: string, stat: HostStat): LowerContent {
    return {
      pread: (into, position) => {
        if (into.length < SMALL_READ && this.#copyFromWindow(path, into, position)) return into.length;
        const file = this.#handle(path, stat);
        if (typeof file === 'number') return file;
        if (into.length >= SMALL_READ) return readFully(file, into, position);
        return this.#readThroughWindow(file, path, into, position);
      },
    };
  }

  #copyFromWindow(path: string, into: Uint8Array, position: number): boolean {
    const at = position - this.#windowStart;
    if (path !== this.#windowPath || at < 0 || at + into.length > this.#windowLength) return false;
    into.set(this.#window.subarray(at, at + into.length));
    return true;
  }

  #readThroughWindow(file: HostFile, path: string, into: Uint8Array, position: number): number {
    this.#windowPath = null;
    const n = readFully(file, this.#window, position);
    if (n < 0) return n;
    this.#windowPath = path;
    this.#windowStart = position;
    this.#windowLength = n;
    const copied = Math.min(n, into.length);
    into.set(this.#window.subarray(0, copied));
    return copied;
  }

  #handle(path: string, stat: HostStat): HostFile | number {
    const open = this.#open.get(path);
    if (open !== undefined) {
      this.#open.delete(path);
      this.#open.set(path, open);
      return open;
    }
    const now = this.directory.stat(path);
    if (typeof now === 'number') return now;
    if (now.ino !== stat.ino || now.dev !== stat.dev || now.kind !== 'file') return -ESTALE;
    const file = this.directory.open(path, false);
    if (typeof file === 'number') return file;
    if (this.#open.size >= MAX_OPEN) {
      const oldest = this.#open.keys().next().value;
      if (oldest !== undefined) {
        this.#open.get(oldest)?.close();
        this.#open.delete(oldest);
      }
    }
    this.#open.set(path, file);
    return file;
  }

  /** Closes every handle; they come back when needed. */
  close(): void {
    for (const file of this.#open.values()) file.close();
    this.#open.clear();
  }
}

/** Reads until `into` is full or the file ends. */
export function readFully(file: HostFile, into: Uint8Array, position: number): number {
  let done = 0;
  while (done < into.length) {
    const n = file.pread(done === 0 ? into : into.subarray(done), position + done);
    if (n < 0) return done > 0 ? done : n;
    if (n === 0) break;
    done += n;
  }
  return done;
}

/** Entries of a directory that `newestTime` looks at. */
const MAX_LOOKED_AT = 4096;

/**
 * The latest modification of a host directory or of what lies directly in it: the moment from which a virtual clock
 * can start without the tree lying in its future. It depends on the tree alone, so a run stays repeatable.
 */
export function newestTime(directory: HostDirectory): bigint {
  let newest = 0n;
  const look = (path: string): void => {
    const stat = directory.stat(path);
    if (typeof stat === 'number') return;
    if (stat.mtimeNs > newest) newest = stat.mtimeNs;
    if (stat.ctimeNs > newest) newest = stat.ctimeNs;
  };
  look('');
  const names = directory.list('');
  if (typeof names !== 'number') for (const name of [...names].sort().slice(0, MAX_LOOKED_AT)) look(name);
  return newest;
}
