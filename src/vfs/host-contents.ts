// SPDX-License-Identifier: MIT
//
// Reads host files below a memory file system: handles are opened when needed, a few are kept open, and a file that
// is not the one whose attributes the guest has seen is refused.

import { ESTALE } from '../abi/errno.ts';
import { TraplineError } from '../base/errors.ts';
import type { HostDirectory, HostFile, HostStat } from '../base/host.ts';
import { savable } from '../base/savable.ts';
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

  /** A checkpoint takes the files along: nobody gives this directory again. */
  readonly goesAlong: boolean;

  constructor(directory: HostDirectory, goesAlong = false) {
    this.directory = directory;
    this.goesAlong = goesAlong;
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
  /** A guest has seen some of it: a restored machine must find the same. */
  private wasRead = false;

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
    this.wasRead = true;
    return this.contents.pread(this, into, position);
  }

  /** What a checkpoint holds: the bytes, or which file it is and what it was like. */
  static saved(file: HostFileContent): object {
    const { contents, path, ino, dev, wasRead } = file;
    const stat = wasRead || contents.goesAlong ? contents.directory.stat(path) : null;
    if (typeof stat === 'number' || (stat !== null && (stat.ino !== ino || stat.dev !== dev))) {
      throw new TraplineError(
        'CHECKPOINT_STATE',
        `the sandbox cannot be saved: the host's file ${path} is gone or another one`,
      );
    }
    if (!contents.goesAlong) return { contents, path, ino, dev, size: stat?.size ?? -1, mtimeNs: stat?.mtimeNs ?? 0n };
    const bytes = new Uint8Array(stat?.size ?? 0);
    const length = file.pread(bytes, 0);
    return { bytes: bytes.subarray(0, Math.max(0, length)) };
  }

  /** The counterpart of `saved`. The path is checked: no file may lead out of the directory that was given. */
  static restored(data: object): LowerContent {
    if ('bytes' in data && data.bytes instanceof Uint8Array) return new EmbeddedContent(data.bytes);
    const { contents, path, ino, dev, size, mtimeNs } = data as Partial<
      Pick<HostStat, 'ino' | 'dev' | 'size' | 'mtimeNs'> & { contents: unknown; path: unknown }
    >;
    const isComplete = typeof ino === 'bigint' && typeof dev === 'bigint' && typeof mtimeNs === 'bigint';
    if (!(contents instanceof HostContents) || typeof path !== 'string' || !isComplete || typeof size !== 'number') {
      throw new TraplineError('CHECKPOINT_CORRUPT', 'the checkpoint is damaged: a file of the host is not described');
    }
    checkHostPath(path);
    const file = Object.create(HostFileContent.prototype) as HostFileContent;
    Object.assign(file, { path, ino, dev, contents, firstBlock: -1, wasRead: size >= 0 });
    if (size >= 0) checkUnchanged(contents.directory, path, { ino, dev, size, mtimeNs });
    return file;
  }
}

/** The bytes of a host file that came with a checkpoint. */
class EmbeddedContent implements LowerContent {
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  pread(into: Uint8Array, position: number): number {
    const part = this.bytes.subarray(position, position + into.length);
    into.set(part);
    return part.length;
  }
}

/**
 * Refuses a path of a checkpoint that `HostDirectory` would not be given by anybody else.
 * @throws TraplineError `CHECKPOINT_CORRUPT`
 */
export function checkHostPath(path: string): void {
  const parts = path === '' ? [] : path.split('/');
  if (path.includes('\0') || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new TraplineError('CHECKPOINT_CORRUPT', 'the checkpoint is damaged: a path in it leads elsewhere');
  }
}

/**
 * Refuses a tree in which a file has changed since a guest saw it.
 * @throws TraplineError `CHECKPOINT_TREE`
 */
export function checkUnchanged(
  directory: HostDirectory,
  path: string,
  was: Pick<HostStat, 'ino' | 'dev' | 'size' | 'mtimeNs'>,
): void {
  const now = directory.stat(path);
  const isSame =
    typeof now !== 'number' &&
    now.ino === was.ino &&
    now.dev === was.dev &&
    now.size === was.size &&
    now.mtimeNs === was.mtimeNs;
  if (isSame) return;
  throw new TraplineError(
    'CHECKPOINT_TREE',
    `the host's file ${path} ${typeof now === 'number' ? 'is gone' : 'has changed'} since the checkpoint was taken: ` +
      'restore it, or give the tree that the run had',
  );
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

savable('vfs/host-contents', { EmbeddedContent });
savable(
  'vfs/host-contents',
  { HostFileContent },
  { as: { to: HostFileContent.saved, from: HostFileContent.restored } },
);
savable('vfs/host-contents', { HostContents }, { isPlace: true, kept: ['directory', 'blocks', 'open'] });
