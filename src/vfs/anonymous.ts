// SPDX-License-Identifier: MIT
//
// Files without a place in the tree: pipes, eventfds, epolls, memfds and the like live in internal file systems, as
// `pipe:[7]` and `anon_inode:[eventfd]`. Models fs/anon_inodes.c and fs/pipe.c (pipefs).

import { savable } from '../base/savable.ts';
import { ENXIO } from '../abi/errno.ts';
import { O_DIRECT, O_RDONLY, O_RDWR, O_WRONLY } from '../abi/open.ts';
import { ANON_INODE_FS_MAGIC, PIPEFS_MAGIC, S_IFIFO, S_IFREG, S_IFSOCK, SOCKFS_MAGIC } from '../abi/stat.ts';
import type { Credentials } from './credentials.ts';
import { Dentry, Mount } from './dentry.ts';
import type { Budget, DeviceTable } from './device-table.ts';
import { FileSystem, Inode } from './inode.ts';
import type { FsClock } from './inode.ts';
import { MemoryFileSystem } from './memory-file-system.ts';
import { MemoryFile } from './memory-nodes.ts';
import type { OpenFile } from './open-file.ts';
import { openPipe, Pipe, PipeFile } from './pipe.ts';

/** A file system that holds inodes without names. */
class NamelessFileSystem extends FileSystem {
  override readonly root: Inode;
  private nextIno = 1;

  constructor(typeName: string, magic: number, deviceNumber: number, clock: FsClock) {
    super(typeName, magic, deviceNumber, clock);
    this.root = new NamelessInode(this, 0, 0o040755, 0, 0);
  }

  newIno(): number {
    return this.nextIno++;
  }
}

class NamelessInode extends Inode {}

class PipeInode extends Inode {
  readonly pipe: Pipe;

  constructor(fs: FileSystem, ino: number, cred: Credentials, budget: Budget) {
    super(fs, ino, S_IFIFO | 0o600, cred.fsuid, cred.fsgid);
    this.pipe = new Pipe(budget);
  }

  override open(dentry: Dentry, flags: number): OpenFile | number {
    return openPipe(dentry, flags, this.pipe);
  }
}

/** A socket's inode: it cannot be opened by name. */
class SocketInode extends Inode {
  override open(): number {
    return -ENXIO;
  }
}

/** Makes files without a place. */
export class AnonymousFiles {
  /** The memory that pipes and sockets share. */
  readonly buffers: Budget;
  /** What all descriptor tables may hold. */
  readonly descriptors: Budget;
  /** What all epolls may watch. */
  readonly watches: Budget;
  private readonly pipes: Mount;
  private readonly inodes: Mount;
  private readonly sockets: Mount;
  private readonly memory: MemoryFileSystem;
  private readonly memoryMount: Mount;
  private readonly pipeFs: NamelessFileSystem;
  private readonly socketFs: NamelessFileSystem;
  /** One inode for all eventfds, epolls and so on, as in Linux. */
  private readonly shared: Inode;

  constructor(newDevice: () => number, clock: FsClock, devices: DeviceTable) {
    this.buffers = devices.buffers;
    this.descriptors = devices.descriptors;
    this.watches = devices.watches;
    this.pipeFs = new NamelessFileSystem('pipefs', PIPEFS_MAGIC, newDevice(), clock);
    this.socketFs = new NamelessFileSystem('sockfs', SOCKFS_MAGIC, newDevice(), clock);
    const anon = new NamelessFileSystem('anon_inodefs', ANON_INODE_FS_MAGIC, newDevice(), clock);
    this.memory = new MemoryFileSystem({ deviceNumber: newDevice(), clock, devices });
    this.pipes = new Mount(0, this.pipeFs, null, 0, 'pipefs');
    this.sockets = new Mount(0, this.socketFs, null, 0, 'sockfs');
    this.inodes = new Mount(0, anon, null, 0, 'anon_inodefs');
    this.memoryMount = new Mount(0, this.memory, null, 0, 'tmpfs');
    this.shared = new NamelessInode(anon, anon.newIno(), 0o600, 0, 0);
  }

  /** A place for an `anon_inode:` file. */
  dentry(name: string): Dentry {
    return new Dentry(name, null, this.shared, this.inodes);
  }

  /** pipe2(2): the read end and the write end. */
  pipe(flags: number, cred: Credentials): { readEnd: PipeFile; writeEnd: PipeFile } {
    const inode = new PipeInode(this.pipeFs, this.pipeFs.newIno(), cred, this.buffers);
    const dentry = new Dentry(`pipe:[${inode.ino}]`, null, inode, this.pipes);
    const status = flags & ~(O_RDWR | O_WRONLY);
    return {
      readEnd: new PipeFile(dentry, (status & ~O_DIRECT) | O_RDONLY, inode.pipe),
      writeEnd: new PipeFile(dentry, status | O_WRONLY, inode.pipe),
    };
  }

  /** A place for something that shows itself as a pipe although it is not one of ours (a stream of the host). */
  foreignPipe(make: (inode: Inode) => Inode): Dentry {
    const plain = new NamelessInode(this.pipeFs, this.pipeFs.newIno(), S_IFIFO | 0o600, 0, 0);
    const inode = make(plain);
    return new Dentry(`pipe:[${plain.ino}]`, null, inode, this.pipes);
  }

  /** A place for a socket. */
  socket(cred: Credentials): Dentry {
    const ino = this.socketFs.newIno();
    const inode = new SocketInode(this.socketFs, ino, S_IFSOCK | 0o777, cred.fsuid, cred.fsgid);
    return new Dentry(`socket:[${ino}]`, null, inode, this.sockets);
  }

  /** memfd_create(2): an unnamed regular file. */
  memoryFile(name: string, seals: number, cred: Credentials): OpenFile | number {
    const inode = this.memory.root.createUnnamed(S_IFREG | 0o777, cred);
    if (typeof inode === 'number') return inode;
    if (inode instanceof MemoryFile) inode.seals = seals;
    return inode.open(new Dentry(`/memfd:${name} (deleted)`, null, inode, this.memoryMount), O_RDWR | 0o100000, cred);
  }
}

savable('vfs/anonymous', { NamelessInode, PipeInode, SocketInode });
savable('vfs/anonymous', { NamelessFileSystem }, { isPlace: true });
savable('vfs/anonymous', { AnonymousFiles }, { isPlace: true });
