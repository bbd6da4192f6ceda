// SPDX-License-Identifier: MIT
//
// /proc/<pid>/mem: another process's memory as a file, protections ignored as far as mm allows it. Models fs/proc/base.c.

import { EIO, EINVAL } from '../abi/errno.ts';
import { SEEK_CUR, SEEK_SET } from '../abi/open.ts';
import { S_IFREG } from '../abi/stat.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import { writeForced } from '../mm/forced-access.ts';
import type { Dentry } from './dentry.ts';
import { Inode } from './inode.ts';
import { OpenFile } from './open-file.ts';
import type { ByteSink, ByteSource } from './open-file.ts';
import type { Ownership, ProcFileSystemBase } from './proc-nodes.ts';
import { scratchBuffer } from './regular-file.ts';

/** The node. Only the process's own user and root may open it. */
export class ProcMemoryNode extends Inode {
  readonly #mm: () => AddressSpace | null;
  readonly #owner: () => Ownership;

  constructor(fs: ProcFileSystemBase, mm: () => AddressSpace | null, owner: () => Ownership) {
    super(fs, fs.newIno(), S_IFREG | 0o600, 0, 0);
    this.#mm = mm;
    this.#owner = owner;
    this.refresh();
  }

  override refresh(): number {
    const { uid, gid } = this.#owner();
    this.uid = uid;
    this.gid = gid;
    return 0;
  }

  override open(dentry: Dentry, flags: number): OpenFile | number {
    return new ProcMemoryFile(dentry, flags, this.#mm);
  }
}

class ProcMemoryFile extends OpenFile {
  override readonly isSeekable = true;
  readonly #mm: () => AddressSpace | null;

  constructor(dentry: Dentry, flags: number, mm: () => AddressSpace | null) {
    super(dentry, flags);
    this.#mm = mm;
  }

  override readAt(sink: ByteSink, count: number, offset: number): number {
    const mm = this.#mm();
    if (mm === null) return 0;
    let done = 0;
    while (done < count) {
      const part = scratchBuffer().slice(0, count - done);
      const got = mm.copyIn(offset + done, part, true);
      const put = sink.put(part.subarray(0, got));
      done += put;
      if (put < part.length) break;
    }
    return done === 0 && count > 0 ? -EIO : done;
  }

  override writeAt(source: ByteSource, count: number, offset: number): number {
    const mm = this.#mm();
    if (mm === null) return 0;
    let done = 0;
    while (done < count) {
      const part = scratchBuffer().slice(0, count - done);
      const got = source.take(part);
      const put = writeForced(mm, offset + done, part.subarray(0, got));
      done += put;
      if (put < part.length) break;
    }
    return done === 0 && count > 0 ? -EIO : done;
  }

  override seek(offset: number, whence: number): number {
    const to = whence === SEEK_SET ? offset : whence === SEEK_CUR ? this.offset + offset : -1;
    if (to < 0) return -EINVAL;
    this.offset = to;
    return to;
  }
}
