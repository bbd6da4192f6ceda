// SPDX-License-Identifier: MIT
//
// /dev/pts: a node for each slave that exists, and ptmx. Models fs/devpts/inode.c as Debian mounts it (gid=5,mode=620).

import { savable } from '../../base/savable.ts';
import { EIO, ENOENT } from '../../abi/errno.ts';
import { DEVPTS_SUPER_MAGIC, makedev, S_IFCHR, S_IFDIR } from '../../abi/stat.ts';
import type { Credentials } from '../credentials.ts';
import type { Dentry } from '../dentry.ts';
import { openDirectory } from '../directory-file.ts';
import { FileSystem, Inode } from '../inode.ts';
import type { EntryVisitor, FsClock } from '../inode.ts';
import type { OpenFile } from '../open-file.ts';
import type { Slave, Terminals } from './terminals.ts';

/** Cookies: `.` and `..` have 1 and 2, ptmx 3. */
const PTMX_COOKIE = 3;
/** Numbers as in Linux: the root is 1, ptmx 2, slaves follow. */
const FIRST_SLAVE_INO = 3;

/** The file system. */
export class DevptsFileSystem extends FileSystem {
  override readonly revalidates = true;
  override readonly blockSize = 1024;
  override readonly root: Inode;
  readonly terminals: Terminals;

  constructor(deviceNumber: number, clock: FsClock, terminals: Terminals) {
    super('devpts', DEVPTS_SUPER_MAGIC, deviceNumber, clock);
    this.terminals = terminals;
    this.root = new DevptsRoot(this);
  }

  override get optionsText(): string {
    return ',gid=5,mode=620,ptmxmode=666';
  }
}

class DevptsRoot extends Inode {
  private readonly home: DevptsFileSystem;
  private readonly ptmx: Inode;
  /** Nodes by number, each as long as its slave is the same. */
  private readonly nodes = new Map<number, SlaveNode>();

  constructor(fs: DevptsFileSystem) {
    super(fs, 1, S_IFDIR | 0o755, 0, 0);
    this.home = fs;
    this.nlink = 2;
    this.ptmx = new PtmxNode(fs);
  }

  override lookup(name: string): Inode | number {
    if (name === 'ptmx') return this.ptmx;
    if (!/^(0|[1-9][0-9]{0,5})$/.test(name)) return -ENOENT;
    return this.node(Number(name)) ?? -ENOENT;
  }

  private node(index: number): Inode | undefined {
    const slave = this.home.terminals.slaves.get(index);
    const known = this.nodes.get(index);
    if (slave === undefined) {
      this.nodes.delete(index);
      return undefined;
    }
    if (known?.slave === slave) return known;
    const made = new SlaveNode(this.home, index, slave);
    this.nodes.set(index, made);
    return made;
  }

  override entries(cookie: number, visit: EntryVisitor): number {
    if (cookie < PTMX_COOKIE && !visit('ptmx', this.ptmx.ino, this.ptmx.mode, PTMX_COOKIE)) return 0;
    for (const index of this.home.terminals.numbers()) {
      const at = PTMX_COOKIE + 1 + index;
      if (at <= cookie) continue;
      const node = this.node(index);
      if (node !== undefined && !visit(String(index), node.ino, node.mode, at)) return 0;
    }
    return 0;
  }

  override isEmpty(): boolean {
    return false;
  }

  override open(dentry: Dentry, flags: number): OpenFile | number {
    return openDirectory(dentry, flags);
  }
}

class PtmxNode extends Inode {
  private readonly all: Terminals;

  constructor(fs: DevptsFileSystem) {
    super(fs, 2, S_IFCHR | 0o666, 0, 0);
    this.rdev = makedev(5, 2);
    this.all = fs.terminals;
  }

  override open(dentry: Dentry, flags: number, cred: Credentials): OpenFile | number {
    return this.all.openMaster(dentry, flags, cred);
  }
}

class SlaveNode extends Inode {
  readonly slave: Slave;
  private readonly all: Terminals;

  constructor(fs: DevptsFileSystem, index: number, slave: Slave) {
    super(fs, FIRST_SLAVE_INO + index, S_IFCHR | 0o620, slave.uid, slave.gid);
    this.rdev = slave.tty.device;
    this.slave = slave;
    this.all = fs.terminals;
  }

  override open(dentry: Dentry, flags: number): OpenFile | number {
    // The node of a slave that is gone, through a path that was walked before.
    const isThere = [...this.all.slaves.values()].includes(this.slave);
    return isThere ? this.all.open(this.slave.tty, dentry, flags) : -EIO;
  }
}

savable('vfs/tty/devpts', { DevptsRoot, PtmxNode, SlaveNode });
savable('vfs/tty/devpts', { DevptsFileSystem }, { isPlace: true });
