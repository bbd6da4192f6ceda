// SPDX-License-Identifier: MIT
//
// Reads an archive once from its begin to its end, header by header, and keeps where the data of each file lies. Knows
// ustar, pax and GNU entries, long names, extended attributes and the four forms of sparse files. POSIX pax, tar(5).

import { makedev } from '../../abi/stat.ts';
import { fromLatin1 } from '../../base/bytes.ts';
import { TraplineError } from '../../base/errors.ts';
import type { HostStat } from '../../base/host.ts';
import { BLOCK, isZeroBlock, paxTime, readHeader, readPaxRecords } from './tar-header.ts';
import type { TarHeader } from './tar-header.ts';
import { mapOfNumbers, oldGnuMap, parseNumberList, SparseRecords } from './tar-sparse.ts';
import { badEntry, TarTree } from './tar-tree.ts';
import type { TarExtent, TarNode } from './tar-tree.ts';

/** The bytes of an archive that is not compressed. */
export interface ArchiveBytes {
  /** Bytes read, 0 at the end, or a negative errno. */
  pread(into: Uint8Array, position: number): number;
  size(): number;
}

/** Headers are read through a window of this size: small files lie close together. */
const WINDOW = 32_768;
/** Names and attributes of one entry. */
const MAX_EXTENDED = 1 << 20;

/** What extended headers say of the entry after them. */
interface Extended {
  readonly values: Map<string, Uint8Array>;
  readonly xattrs: Map<string, Uint8Array>;
  readonly sparse: SparseRecords;
  /** GNU's long names. */
  name: string | undefined;
  linkName: string | undefined;
}

const KINDS: Readonly<Record<string, HostStat['kind']>> = {
  '0': 'file',
  '7': 'file',
  S: 'file',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  D: 'directory',
  '6': 'fifo',
};

const XATTR_PREFIX = 'SCHILY.xattr.';

/** Reads one archive. */
class TarReader {
  readonly tree = new TarTree();
  readonly #bytes: ArchiveBytes;
  readonly #size: number;
  readonly #window = new Uint8Array(WINDOW);
  #windowAt = 0;
  #windowLength = 0;
  #at = 0;
  /** What global headers said. */
  #global = new Map<string, Uint8Array>();

  constructor(bytes: ArchiveBytes) {
    this.#bytes = bytes;
    this.#size = bytes.size();
  }

  /** The block at `at`, valid until the next one. */
  #block(at: number): Uint8Array {
    if (at + BLOCK > this.#windowAt + this.#windowLength || at < this.#windowAt) {
      if (at + BLOCK > this.#size) throw truncated();
      const n = this.#bytes.pread(this.#window, at);
      if (n < BLOCK) throw truncated();
      this.#windowAt = at;
      this.#windowLength = n;
    }
    const from = at - this.#windowAt;
    return this.#window.subarray(from, from + BLOCK);
  }

  /** The data of an entry that describes another, and on to the next header. */
  #data(header: TarHeader): Uint8Array {
    if (header.size > MAX_EXTENDED) throw badEntry(header.name, `describes another in more than ${MAX_EXTENDED} bytes`);
    const data = new Uint8Array(header.size);
    for (let done = 0; done < data.length;) {
      const n = this.#bytes.pread(data.subarray(done), this.#at + done);
      if (n <= 0) throw truncated();
      done += n;
    }
    this.#skip(header.size);
    return data;
  }

  #skip(size: number): void {
    this.#at += Math.ceil(size / BLOCK) * BLOCK;
  }

  read(): TarNode {
    for (let next = fresh(); ;) {
      const block = this.#block(this.#at);
      if (isZeroBlock(block)) return this.tree.root;
      const header = readHeader(block);
      if (header === undefined) {
        throw this.#at === 0
          ? new TraplineError('TAR_FORMAT', 'it is no tar archive')
          : new TraplineError('TAR_FORMAT', `it is damaged: there is no valid header at byte ${this.#at}`);
      }
      if (!Number.isFinite(header.size) || header.size < 0) throw badEntry(header.name, 'has no valid size');
      const headerAt = this.#at;
      this.#at += BLOCK;
      if (this.#describes(header, next)) continue;
      this.#entry(header, headerAt, next);
      next = fresh();
    }
  }

  /** Takes an entry that describes the next one; false for any other. */
  #describes(header: TarHeader, next: Extended): boolean {
    switch (header.type) {
      case 'x':
      case 'X':
      case 'g':
        this.#records(header, next);
        return true;
      case 'L':
        next.name = cString(this.#data(header));
        return true;
      case 'K':
        next.linkName = cString(this.#data(header));
        return true;
      case 'V':
        // The label of the archive.
        this.#skip(header.size);
        return true;
      default:
        return false;
    }
  }

  #records(header: TarHeader, next: Extended): void {
    const records = readPaxRecords(this.#data(header));
    if (records === undefined) throw badEntry(header.name, 'is an extended header that is damaged');
    for (const { key, value } of records) {
      if (header.type === 'g') this.#global.set(key, value);
      else if (key.startsWith(XATTR_PREFIX)) next.xattrs.set(key.slice(XATTR_PREFIX.length), value);
      else if (key.startsWith('GNU.sparse.')) next.sparse.take(key.slice('GNU.sparse.'.length), fromLatin1(value));
      else next.values.set(key, value);
    }
  }

  #entry(header: TarHeader, headerAt: number, extended: Extended): void {
    const get = (key: string): string | undefined => {
      const value = extended.values.get(key) ?? this.#global.get(key);
      // An empty value takes back what a global header said.
      return value === undefined || value.length === 0 ? undefined : fromLatin1(value);
    };
    const name = extended.sparse.name ?? get('path') ?? extended.name ?? header.name;
    const number = (key: string, otherwise: number): number => {
      const value = get(key);
      const result = value === undefined ? otherwise : /^[0-9]{1,16}$/.test(value) ? Number(value) : NaN;
      if (!Number.isSafeInteger(result) || result < 0) throw badEntry(name, `has no valid ${key}`);
      return result;
    };
    const stored = number('size', header.size);
    const linkName = get('linkpath') ?? extended.linkName ?? header.linkName;
    if (header.type === '1') {
      this.tree.addLink(name, linkName);
      // Some programs store the data once more.
      this.#skip(stored);
      return;
    }
    const kind = header.type === '0' && name.endsWith('/') ? 'directory' : KINDS[header.type];
    if (kind === undefined)
      throw badEntry(name, `is of a type that is not known: "${header.type.replace(/[^!-~]/, '?')}"`);
    if (kind === 'symlink' && (linkName === '' || linkName.length > 4095)) throw badEntry(name, 'has no valid target');
    let file: SparseFile = { size: 0, extents: [] };
    if (kind === 'file') file = this.#contents(name, header, headerAt, stored, extended.sparse);
    else if (kind !== 'directory' || header.type === 'D') this.#skip(stored);
    const mtime = get('mtime');
    const mtimeNs = mtime === undefined ? BigInt(Math.trunc(header.mtime || 0)) * 1_000_000_000n : paxTime(mtime);
    if (mtimeNs === undefined) throw badEntry(name, 'has no valid mtime');
    const isDevice = kind === 'char' || kind === 'block';
    this.tree.add(name, {
      kind,
      mode: kind === 'symlink' ? 0o777 : header.mode,
      uid: number('uid', header.uid) % 2 ** 32,
      gid: number('gid', header.gid) % 2 ** 32,
      mtimeNs,
      size: kind === 'symlink' ? linkName.length : file.size,
      rdev: isDevice ? makedev(header.devMajor, header.devMinor) : 0,
      target: kind === 'symlink' ? linkName : '',
      extents: file.extents,
      xattrs: extended.xattrs.size === 0 ? null : extended.xattrs,
    });
  }

  /** Where the bytes of a regular file lie; moves on behind them. */
  #contents(name: string, header: TarHeader, headerAt: number, stored: number, sparse: SparseRecords): SparseFile {
    let numbers: number[] | undefined;
    let { size } = sparse;
    let start = this.#at;
    let left = stored;
    if (header.type === 'S') {
      const old = oldGnuMap((at) => this.#block(at), headerAt);
      ({ numbers, size } = old);
      start += old.extraBlocks * BLOCK;
      this.#at = start;
    } else if (sparse.isMapInData) {
      const list = parseNumberList((at) => this.#block(at), start, stored);
      numbers = list?.numbers;
      if (list !== undefined) {
        start += list.bytes;
        left -= list.bytes;
      }
      if (list === undefined) throw badEntry(name, 'has a map of its holes that is damaged');
    } else if (sparse.isSparse) ({ numbers } = sparse);
    this.#skip(stored);
    if (this.#at > this.#size) throw truncated();
    if (numbers === undefined) {
      const whole: TarExtent = { at: 0, length: stored, offset: start };
      return { size: stored, extents: stored === 0 ? [] : [whole] };
    }
    const extents = mapOfNumbers(numbers, start, left, size);
    if (extents === undefined || size === undefined) throw badEntry(name, 'has a map of its holes that is damaged');
    return { size, extents };
  }
}

interface SparseFile {
  readonly size: number;
  readonly extents: readonly TarExtent[];
}

function fresh(): Extended {
  return { values: new Map(), xattrs: new Map(), sparse: new SparseRecords(), name: undefined, linkName: undefined };
}

function truncated(): TraplineError {
  return new TraplineError('TAR_TRUNCATED', 'it ends in the middle: it is not complete');
}

function cString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return fromLatin1(end < 0 ? bytes : bytes.subarray(0, end));
}

/**
 * The tree of an archive.
 * @throws TraplineError `TAR_FORMAT`, `TAR_TRUNCATED`, `TAR_ENTRY` or `TAR_LIMIT`; the messages begin with "it" or
 *   "its", for the caller to name the archive before them
 */
export function readTarIndex(bytes: ArchiveBytes): TarNode {
  return new TarReader(bytes).read();
}
