// SPDX-License-Identifier: MIT
//
// Reads host files below a memory file system: handles are opened when needed, a few are kept open, and a file that
// is not the one whose attributes the guest has seen is refused.

import { ESTALE } from '../abi/errno.ts';
import type { HostDirectory, HostFile, HostStat } from '../base/host.ts';
import type { LowerContent } from './sparse-content.ts';

/** Host files that stay open at the same time. */
const MAX_OPEN = 64;

/** Reads smaller than this are served from blocks of the file. */
const SMALL_READ = 16_384;
const BLOCK_BYTES = 65_536;
/** Blocks that a key has room for: what lies behind 256 GiB is read as it is asked for. */
const BLOCKS_PER_FILE = 2 ** 22;

/** Blocks that are kept: a program touches the pages of its files in no order. */
const MAX_BLOCKS = 128;

/** A block of a host file: shorter at its end. */
interface Block {
  readonly bytes: Uint8Array;
  length: number;
}

/** A host directory with its open files. Host files below a memory layer count as unchanging. */
export class HostContents {
  readonly directory: HostDirectory;
  /** By file and position, oldest first. */
  private readonly blocks = new Map<number, Block>();
  private files = 0;
  /** In the order of last use, oldest first. */
  private readonly open = new Map<string, HostFile>();

  constructor(directory: HostDirectory) {
    this.directory = directory;
  }

  /** The bytes of the host file at `path`, which `stat` describes. */
  content(path: string, stat: HostStat): LowerContent {
    return new HostFileContent(this, path, stat);
  }

  /** A number for a file's blocks. @internal */
  nextKey(): number {
    return this.files++ * BLOCKS_PER_FILE;
  }

  /** @internal */
  pread(file: HostFileContent, into: Uint8Array, position: number): number {
    const number = Math.floor(position / BLOCK_BYTES);
    const from = position - number * BLOCK_BYTES;
    if (into.length >= SMALL_READ || from + into.length > BLOCK_BYTES || number >= BLOCKS_PER_FILE) {
      const handle = this.handle(file);
      return typeof handle === 'number' ? handle : readFully(handle, into, position);
    }
    const block = this.blocks.get(file.key + number) ?? this.readBlock(file, number);
    if (typeof block === 'number') return block;
    const n = Math.max(0, Math.min(block.length - from, into.length));
    into.set(block.bytes.subarray(from, from + n));
    return n;
  }

  private readBlock(file: HostFileContent, number: number): Block | number {
    const handle = this.handle(file);
    if (typeof handle === 'number') return handle;
    let bytes: Uint8Array | undefined;
    if (this.blocks.size >= MAX_BLOCKS) {
      const [oldest, taken] = this.blocks.entries().next().value as [number, Block];
      this.blocks.delete(oldest);
      ({ bytes } = taken);
    }
    bytes ??= new Uint8Array(BLOCK_BYTES);
    const length = readFully(handle, bytes, number * BLOCK_BYTES);
    if (length < 0) return length;
    const block = { bytes, length };
    this.blocks.set(file.key + number, block);
    return block;
  }

  private handle({ path, ino, dev }: HostFileContent): HostFile | number {
    const open = this.open.get(path);
    if (open !== undefined) {
      this.open.delete(path);
      this.open.set(path, open);
      return open;
    }
    const now = this.directory.stat(path);
    if (typeof now === 'number') return now;
    if (now.ino !== ino || now.dev !== dev || now.kind !== 'file') return -ESTALE;
    const file = this.directory.open(path, false);
    if (typeof file === 'number') return file;
    if (this.open.size >= MAX_OPEN) {
      const oldest = this.open.keys().next().value;
      if (oldest !== undefined) {
        this.open.get(oldest)?.close();
        this.open.delete(oldest);
      }
    }
    this.open.set(path, file);
    return file;
  }

  /** Closes every handle; they come back when needed. */
  close(): void {
    for (const file of this.open.values()) file.close();
    this.open.clear();
  }
}

/** One file. There is one for each that a guest has looked at, so it holds no more than it must. */
class HostFileContent implements LowerContent {
  readonly path: string;
  readonly ino: bigint;
  readonly dev: bigint;
  private readonly contents: HostContents;
  private firstBlock = -1;

  constructor(contents: HostContents, path: string, stat: HostStat) {
    this.contents = contents;
    this.path = path;
    this.ino = stat.ino;
    this.dev = stat.dev;
  }

  /** Of the first block; given out when the file is first read. */
  get key(): number {
    if (this.firstBlock < 0) this.firstBlock = this.contents.nextKey();
    return this.firstBlock;
  }

  pread(into: Uint8Array, position: number): number {
    return this.contents.pread(this, into, position);
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
