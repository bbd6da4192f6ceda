// SPDX-License-Identifier: MIT
//
// An archive as a host directory that is only read: `--root FILE.tar`. Only the index is in memory, data are read from
// the archive when they are asked for.

import { EISDIR, ELOOP, ENOENT, ENOTDIR, ENXIO, EINVAL, EROFS } from '../../abi/errno.ts';
import type { HostDirectory, HostFile, HostStat } from '../../base/host.ts';
import { readTarIndex } from './tar-index.ts';
import type { ArchiveBytes } from './tar-index.ts';
import type { TarExtent, TarNode } from './tar-tree.ts';

/** st_dev of files in an archive: one for all, since a run has one. */
const DEVICE = 1n;

/** A file of the archive, opened. */
class TarFile implements HostFile {
  readonly #bytes: ArchiveBytes;
  readonly #node: TarNode;

  constructor(bytes: ArchiveBytes, node: TarNode) {
    this.#bytes = bytes;
    this.#node = node;
  }

  pread(into: Uint8Array, position: number): number {
    const { size, extents } = this.#node;
    const n = Math.min(into.length, size - position);
    if (n <= 0) return 0;
    for (let done = 0; done < n;) {
      const at = position + done;
      const extent = extents[firstEndingAfter(extents, at)];
      // A hole, up to the next piece or the end.
      const hole = Math.min(n - done, (extent?.at ?? Infinity) - at);
      if (extent === undefined || hole > 0) {
        into.fill(0, done, done + hole);
        done += hole;
        continue;
      }
      const within = at - extent.at;
      const want = Math.min(n - done, extent.length - within);
      const got = this.#bytes.pread(into.subarray(done, done + want), extent.offset + within);
      if (got < 0) return done > 0 ? done : got;
      if (got === 0) return done;
      done += got;
    }
    return n;
  }

  pwrite(): number {
    return -EROFS;
  }

  size(): number {
    return this.#node.size;
  }

  stat(): HostStat {
    return statOf(this.#node);
  }

  truncate(): number {
    return -EROFS;
  }

  sync(): number {
    return 0;
  }

  close(): void {}
}

/** Index of the first piece that ends after `at`. */
function firstEndingAfter(extents: readonly TarExtent[], at: number): number {
  let low = 0;
  let high = extents.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const extent = extents[middle];
    if (extent !== undefined && extent.at + extent.length <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

function statOf(node: TarNode): HostStat {
  const { mtimeNs } = node;
  let stored = 0;
  for (const extent of node.extents) stored += Math.ceil(extent.length / 4096) * 8;
  const isDirectory = node.kind === 'directory';
  return {
    kind: node.kind,
    mode: node.mode,
    // As a disk file system shows them.
    size: isDirectory ? 4096 : node.size,
    nlink: node.nlink,
    uid: node.uid,
    gid: node.gid,
    mtimeNs,
    ctimeNs: mtimeNs,
    atimeNs: mtimeNs,
    ino: BigInt(node.ino),
    dev: DEVICE,
    rdev: BigInt(node.rdev),
    blocks: isDirectory ? 8 : stored,
  };
}

/** The tree of an archive. */
export class TarDirectory implements HostDirectory {
  readonly writable = false;
  readonly #bytes: ArchiveBytes;
  readonly #root: TarNode;

  /** @throws TraplineError as `readTarIndex` */
  constructor(bytes: ArchiveBytes) {
    this.#bytes = bytes;
    this.#root = readTarIndex(bytes);
  }

  #find(path: string): TarNode | number {
    let at = this.#root;
    if (path === '') return at;
    for (const part of path.split('/')) {
      if (at.children === null) return at.kind === 'symlink' ? -ELOOP : -ENOTDIR;
      const next = at.children.get(part);
      if (next === undefined) return -ENOENT;
      at = next;
    }
    return at;
  }

  stat(path: string): HostStat | number {
    const node = this.#find(path);
    return typeof node === 'number' ? node : statOf(node);
  }

  list(path: string): readonly string[] | number {
    const node = this.#find(path);
    if (typeof node === 'number') return node;
    if (node.children === null) return -ENOTDIR;
    return [...node.children.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }

  readlink(path: string): string | number {
    const node = this.#find(path);
    if (typeof node === 'number') return node;
    return node.kind === 'symlink' ? node.target : -EINVAL;
  }

  xattrs(path: string): ReadonlyMap<string, Uint8Array> | null {
    const node = this.#find(path);
    return typeof node === 'number' ? null : node.xattrs;
  }

  open(path: string, write: boolean): HostFile | number {
    if (write) return -EROFS;
    const node = this.#find(path);
    if (typeof node === 'number') return node;
    if (node.kind === 'directory') return -EISDIR;
    return node.kind === 'file' ? new TarFile(this.#bytes, node) : -ENXIO;
  }

  create(): number {
    return -EROFS;
  }

  mkdir(): number {
    return -EROFS;
  }

  unlink(): number {
    return -EROFS;
  }

  rmdir(): number {
    return -EROFS;
  }

  rename(): number {
    return -EROFS;
  }

  symlink(): number {
    return -EROFS;
  }

  link(): number {
    return -EROFS;
  }

  chmod(): number {
    return -EROFS;
  }

  utimes(): number {
    return -EROFS;
  }
}
