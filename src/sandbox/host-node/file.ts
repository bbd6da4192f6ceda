// SPDX-License-Identifier: MIT
//
// An open regular file of the host, and host attributes in the shape that the core uses.

import { closeSync, fstatSync, fsyncSync, ftruncateSync, readSync, writeSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import type { HostFile, HostStat } from '../../base/host.ts';
import { attempt } from './errors.ts';

/** A host file by descriptor. */
export class NodeFile implements HostFile {
  readonly #fd: number;
  #isClosed = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  pread(into: Uint8Array, position: number): number {
    return attempt(() => readSync(this.#fd, into, 0, into.length, position));
  }

  pwrite(from: Uint8Array, position: number): number {
    return attempt(() => writeSync(this.#fd, from, 0, from.length, position));
  }

  size(): number {
    return attempt(() => fstatSync(this.#fd).size);
  }

  stat(): HostStat | number {
    return attempt(() => toHostStat(fstatSync(this.#fd, { bigint: true })));
  }

  truncate(size: number): number {
    return attempt(() => {
      ftruncateSync(this.#fd, size);
      return 0;
    });
  }

  sync(): number {
    return attempt(() => {
      fsyncSync(this.#fd);
      return 0;
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#fd);
  }
}

function kindOf(stat: BigIntStats): HostStat['kind'] {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'char';
  if (stat.isBlockDevice()) return 'block';
  return stat.isFIFO() ? 'fifo' : 'socket';
}

export function toHostStat(stat: BigIntStats): HostStat {
  return {
    kind: kindOf(stat),
    mode: Number(stat.mode) & 0o7777,
    size: Number(stat.size),
    nlink: Number(stat.nlink),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtimeNs: stat.mtimeNs,
    ctimeNs: stat.ctimeNs,
    atimeNs: stat.atimeNs,
    ino: stat.ino,
    dev: stat.dev,
    rdev: stat.rdev,
    blocks: Number(stat.blocks),
  };
}
