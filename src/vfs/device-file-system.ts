// SPDX-License-Identifier: MIT
//
// /dev: null, zero, full, random, urandom, terminals, links to descriptors, and places to mount on.
// Models drivers/char/mem.c, random.c and devtmpfs.

import { EFAULT, EINVAL, ENODEV, ENOSPC, ENOTTY, EPERM } from '../abi/errno.ts';
import {
  RNDADDENTROPY,
  RNDADDTOENTCNT,
  RNDCLEARPOOL,
  RNDGETENTCNT,
  RNDRESEEDCRNG,
  RNDZAPENTCNT,
} from '../abi/ioctl.ts';
import { makedev, S_IFCHR, S_IFDIR } from '../abi/stat.ts';
import { viewOf } from '../base/bytes.ts';
import { savable } from '../base/savable.ts';
import { FilePages } from '../mm/file-pages.ts';
import type { MappableFile } from '../mm/file-pages.ts';
import { CAP_SYS_ADMIN, hasCapability, SYSTEM_CREDENTIALS } from './credentials.ts';
import type { Credentials } from './credentials.ts';
import type { Dentry } from './dentry.ts';
import type { DeviceTable } from './device-table.ts';
import type { FsClock, Inode } from './inode.ts';
import { MemoryFileSystem } from './memory-file-system.ts';
import { OpenFile } from './open-file.ts';
import type { ByteSink, ByteSource, UserMemory } from './open-file.ts';
import { scratchBuffer } from './regular-file.ts';
import type { Terminals } from './tty/terminals.ts';

/** Fills memory with random bytes: the seed's, or the host's with `--entropy`. */
export type RandomFill = (into: Uint8Array) => void;

const MOST_RANDOM = 32 * 1024 * 1024 - 1;

type MemoryDevice = 'null' | 'zero' | 'full' | 'random';

/** An open device of drivers/char/mem.c or random.c. */
class MemoryDeviceFile extends OpenFile {
  override readonly isSeekable = true;
  override readonly isPollable: boolean;
  override readonly givesPages: boolean;
  override readonly takesPages: boolean;
  private readonly kind: MemoryDevice;
  private readonly random: RandomFill;
  private readonly isPrivileged: boolean;

  constructor(dentry: Dentry, flags: number, cred: Credentials, kind: MemoryDevice, random: RandomFill) {
    super(dentry, flags);
    this.kind = kind;
    this.random = random;
    this.isPrivileged = hasCapability(cred, CAP_SYS_ADMIN);
    this.isPollable = kind === 'random';
    // zero and full as since Linux 6.5.
    this.givesPages = kind !== 'null';
    this.takesPages = kind !== 'full';
  }

  override readAt(sink: ByteSink, count: number): number {
    if (this.kind === 'null') return 0;
    // Random bytes take time, which nothing interrupts here: a call gives no more than Linux gave before 5.18.
    const most = this.kind === 'random' ? Math.min(count, MOST_RANDOM) : count;
    let done = 0;
    while (done < most) {
      const buffer = scratchBuffer().subarray(0, most - done);
      if (this.kind === 'random') this.random(buffer);
      else buffer.fill(0);
      const put = sink.put(buffer);
      done += put;
      if (put < buffer.length) break;
    }
    return done === 0 && count > 0 ? -EFAULT : done;
  }

  override writeAt(source: ByteSource, count: number): number {
    if (this.kind === 'full') return -ENOSPC;
    // null and zero do not look at the bytes; random does.
    if (this.kind !== 'random') return count;
    let done = 0;
    while (done < count) {
      const got = source.take(scratchBuffer().subarray(0, count - done));
      done += got;
      if (got === 0) return done > 0 ? done : -EFAULT;
    }
    return done;
  }

  override seek(offset: number, whence: number): number {
    if (this.kind === 'random') return 0;
    if (whence > 2) return -EINVAL;
    // null_lseek: the position is always 0.
    if (offset < 0 && whence === 0) return 0;
    this.offset = 0;
    return 0;
  }

  override mappable(): MappableFile | number {
    if (this.kind !== 'zero') return -ENODEV;
    return new ZeroPages(this.inode);
  }

  override sync(): number {
    return -EINVAL;
  }

  override ioctl(request: number, argument: number, memory: UserMemory): number {
    return this.kind === 'random' ? randomIoctl(request, argument, memory, this.isPrivileged) : -ENOTTY;
  }
}

/** /dev/zero as mm maps it. */
class ZeroPages implements MappableFile {
  readonly name = '/dev/zero';
  readonly deviceNumber: number;
  readonly inodeNumber: number;
  readonly pages = new FilePages(null, true);

  constructor(inode: Inode) {
    this.deviceNumber = inode.fs.deviceNumber;
    this.inodeNumber = inode.ino;
  }

  readPage(): number {
    return 0;
  }

  sizeInBytes(): number {
    return Number.MAX_SAFE_INTEGER;
  }
}

/** Bits that the pool counts as its entropy: it is always full. */
const POOL_BITS = 256;

/** random(4): the count can be read by all; what would change the pool is for root, and changes nothing here. */
function randomIoctl(request: number, argument: number, memory: UserMemory, isPrivileged: boolean): number {
  const bytes = new Uint8Array(request === RNDADDENTROPY ? 8 : 4);
  const view = viewOf(bytes);
  switch (request) {
    case RNDGETENTCNT:
      view.setInt32(0, POOL_BITS, true);
      return memory.copyOut(argument, bytes) === bytes.length ? 0 : -EFAULT;
    case RNDADDTOENTCNT:
    case RNDADDENTROPY:
      if (!isPrivileged) return -EPERM;
      if (memory.copyIn(argument, bytes) < bytes.length) return -EFAULT;
      if (view.getInt32(0, true) < 0) return -EINVAL;
      return request === RNDADDENTROPY && view.getInt32(4, true) < 0 ? -EINVAL : 0;
    case RNDZAPENTCNT:
    case RNDCLEARPOOL:
    case RNDRESEEDCRNG:
      return isPrivileged ? 0 : -EPERM;
    default:
      // As random_ioctl has it, not ENOTTY.
      return -EINVAL;
  }
}

const NODES: readonly (readonly [string, number, number, number, MemoryDevice])[] = [
  ['null', 1, 3, 0o666, 'null'],
  ['zero', 1, 5, 0o666, 'zero'],
  ['full', 1, 7, 0o666, 'full'],
  ['random', 1, 8, 0o666, 'random'],
  ['urandom', 1, 9, 0o666, 'random'],
];

const LINKS: readonly (readonly [string, string])[] = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
];

/** Registers the devices and makes the tree of /dev. */
export function makeDeviceFileSystem(
  deviceNumber: number,
  clock: FsClock,
  devices: DeviceTable,
  random: RandomFill,
  terminals: Terminals,
): MemoryFileSystem {
  const fs = new MemoryFileSystem({ deviceNumber, clock, devices, typeName: 'devtmpfs' });
  const { root } = fs;
  const addNode = (name: string, major: number, minor: number, mode: number): number => {
    const device = makedev(major, minor);
    root.create(name, S_IFCHR | mode, SYSTEM_CREDENTIALS, device);
    return device;
  };
  for (const [name, major, minor, mode, kind] of NODES) {
    const device = addNode(name, major, minor, mode);
    devices.register(device, (dentry, flags, cred) => new MemoryDeviceFile(dentry, flags, cred, kind, random));
  }
  devices.register(addNode('tty', 5, 0, 0o666), (dentry, flags) => terminals.openOwn(dentry, flags));
  devices.register(addNode('console', 5, 1, 0o600), (dentry, flags) => terminals.openConsole(dentry, flags));
  devices.register(addNode('ptmx', 5, 2, 0o666), (dentry, flags, cred) => terminals.openMaster(dentry, flags, cred));
  for (const [name, target] of LINKS) root.symlink(name, target, SYSTEM_CREDENTIALS);
  root.create('shm', S_IFDIR | 0o1777, SYSTEM_CREDENTIALS, 0);
  root.create('mqueue', S_IFDIR | 0o1777, SYSTEM_CREDENTIALS, 0);
  root.create('pts', S_IFDIR | 0o755, SYSTEM_CREDENTIALS, 0);
  return fs;
}

savable('vfs/device-file-system', { MemoryDeviceFile, ZeroPages });
