// SPDX-License-Identifier: MIT
//
// The tree of one sandbox: its root file system, what is mounted where, its devices and its files without names.
// Models fs/namespace.c; mounts are made at set-up only.

import { EBUSY, ENOENT, ENOSPC, ENOTDIR } from '../abi/errno.ts';
import { MS_RDONLY, MS_RELATIME } from '../abi/mount.ts';
import { O_LARGEFILE, O_RDONLY, O_RDWR, O_WRONLY } from '../abi/open.ts';
import { makedev, S_IFDIR, S_IFREG } from '../abi/stat.ts';
import type { Host, HostDirectory, HostStream } from '../base/host.ts';
import { savable } from '../base/savable.ts';
import { AnonymousFiles } from './anonymous.ts';
import { ConsoleDevice, ConsoleInode } from './console.ts';
import { SYSTEM_CREDENTIALS } from './credentials.ts';
import type { Credentials } from './credentials.ts';
import type { Dentry, Mount } from './dentry.ts';
import { makeDeviceFileSystem } from './device-file-system.ts';
import type { RandomFill } from './device-file-system.ts';
import { DeviceTable } from './device-table.ts';
import { FdTable } from './fd-table.ts';
import { FsContext } from './fs-context.ts';
import { HostContents } from './host-contents.ts';
import { HostFileSystem } from './host-file-system.ts';
import type { Identity } from './host-file-system.ts';
import type { FileSystem, FsClock, Inode } from './inode.ts';
import { InotifyUsers } from './inotify.ts';
import { MemoryDirectory } from './memory-directory.ts';
import { MemoryFileSystem } from './memory-file-system.ts';
import type { MemoryLimits } from './memory-file-system.ts';
import { MemoryFile } from './memory-nodes.ts';
import type { FileSystemMaker } from './mounting.ts';
import { MountTable } from './mount-table.ts';
import type { OpenFile } from './open-file.ts';
import { OutputLimit } from './output-limit.ts';
import { lookupPath } from './path-walk.ts';
import { ProcFileSystem } from './proc-file-system.ts';
import type { ProcSource } from './proc-source.ts';
import { UnixNamespace } from './unix-namespace.ts';
import { parseTmpfsOptions } from './tmpfs-options.ts';
import { SysFileSystem } from './sys-file-system.ts';
import { DevptsFileSystem } from './tty/devpts.ts';
import { HostTerminal, KEYS_BYTES } from './tty/host-terminal.ts';
import { PTS_MAJOR } from './tty/pty.ts';
import { Terminals } from './tty/terminals.ts';
import { Termios } from './tty/termios.ts';
import { Tty } from './tty/tty.ts';

/** How a tree is made. */
export interface VfsOptions {
  readonly clock: FsClock;
  /** The guest's / : read-only below a memory layer. Left out: an empty tree. */
  readonly root?: HostDirectory;
  readonly limits?: MemoryLimits;
  /** For /dev/urandom. */
  readonly random: RandomFill;
  readonly host: Pick<Host, 'stdin' | 'stdout' | 'stderr'>;
  /** Bytes that guests may write to the tool's stdout and stderr together. */
  readonly outputBytes: number;
  readonly onOutputLimit: () => void;
  /** The user wants the run to end, by the escape of the tool's own terminal. */
  readonly onEscape: () => void;
}

/** One sandbox's file systems. */
export class Vfs {
  readonly clock: FsClock;
  readonly devices = new DeviceTable();
  readonly anonymous: AnonymousFiles;
  readonly inotifyUsers = new InotifyUsers();
  /** Names and messages of AF_UNIX sockets. */
  readonly unix = new UnixNamespace(this.devices.buffers, this.devices.descriptors);
  /** In the order in which they were mounted. */
  readonly mounts = new MountTable();
  /** What mount(2) can mount, by type. */
  readonly fileSystemTypes = new Map<string, FileSystemMaker>();
  readonly terminals = new Terminals();
  /** What /dev/urandom gives. */
  readonly random: RandomFill;
  /** The tool's own terminal, once `openConsoles` has found that a stream of the tool is one. */
  hostTerminal: HostTerminal | null = null;
  private readonly outputLimit: OutputLimit;
  private readonly rootFs: MemoryFileSystem;
  private readonly options: VfsOptions;
  private readonly sources: HostContents[] = [];
  /** What `--bind` shows. */
  readonly binds: HostFileSystem[] = [];
  /** The file systems of set-up, kept where a restored machine finds them. */
  readonly setUp: FileSystem[] = [];
  private deviceMinor = 1;

  constructor(options: VfsOptions) {
    this.options = options;
    this.random = options.random;
    this.clock = options.clock;
    this.anonymous = new AnonymousFiles(() => this.newDevice(), options.clock, this.devices);
    this.rootFs = new MemoryFileSystem({
      deviceNumber: this.newDevice(),
      clock: options.clock,
      devices: this.devices,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      ...(options.root === undefined ? {} : { lower: options.root }),
    });
    this.mounts.setRoot(this.mounts.make(this.rootFs, MS_RELATIME, this.rootFs.typeName));
    this.fileSystemTypes.set('tmpfs', (data, cred) => this.makeTmpfs(data, cred));
    this.outputLimit = new OutputLimit(options.outputBytes, options.onOutputLimit);
    // Memory files count like any other, so a guest without a root of its own can still work in /tmp.
    if (options.root === undefined) this.makeDirectory('/tmp', true, 0o1777);
  }

  /** The root of the whole tree. */
  get root(): Dentry {
    return this.mounts.root.root;
  }

  /** A device number for a file system without a device. */
  newDevice(): number {
    return makedev(0, this.deviceMinor++);
  }

  /** Looks a path up as the system itself; links in the last part are followed. */
  lookup(path: string): Dentry | number {
    const context = new FsContext(this.root, this.root);
    return lookupPath({ fs: context, cred: SYSTEM_CREDENTIALS }, this.root, path, true);
  }

  /**
   * Makes a directory and those above it in the root file system, where they do not exist.
   * @param isHidden reachable by name but not listed, so that a listing shows what the caller's tree holds
   */
  makeDirectory(path: string, isHidden: boolean, mode = 0o755): Dentry | number {
    let at: Dentry = this.root;
    const parts = path.split('/').filter((p) => p.length > 0);
    for (const [i, part] of parts.entries()) {
      const next = at.child(part);
      if (typeof next !== 'number') {
        const found = next.inode.isSymlink ? this.lookup('/' + parts.slice(0, i + 1).join('/')) : next.top;
        if (typeof found === 'number') return found;
        if (!found.inode.isDirectory) return -ENOTDIR;
        at = found;
        continue;
      }
      if (next !== -ENOENT) return next;
      const { inode } = at;
      if (!(inode instanceof MemoryDirectory)) return -ENOENT;
      const bits = S_IFDIR | (i === parts.length - 1 ? mode : 0o755);
      const made = new MemoryDirectory(this.memoryFsOf(at), this.memoryFsOf(at).newIno(), bits, 0, 0);
      made.nlink = 2;
      inode.place(part, made, isHidden);
      at = at.add(part, made);
    }
    return at;
  }

  private memoryFsOf(at: Dentry): MemoryFileSystem {
    return at.mount.fs instanceof MemoryFileSystem ? at.mount.fs : this.rootFs;
  }

  /** A tmpfs for mount(2); what it holds counts as held by the root file system. */
  private makeTmpfs(data: string, cred: Credentials): FileSystem | number {
    const { limits } = this.rootFs;
    const asked = parseTmpfsOptions(data, limits.bytes);
    if (typeof asked === 'number') return asked;
    if (!this.rootFs.chargeInode()) return -ENOSPC;
    return new MemoryFileSystem({
      deviceNumber: this.newDevice(),
      clock: this.clock,
      devices: this.devices,
      within: this.rootFs,
      limits: {
        // As on Linux zero means "no limit of its own".
        bytes: asked.bytes === 0 ? limits.bytes : (asked.bytes ?? limits.bytes / 2),
        inodes: asked.inodes === 0 ? limits.inodes : (asked.inodes ?? limits.inodes / 2),
      },
      rootMode: asked.mode ?? 0o1777,
      uid: asked.uid ?? cred.fsuid,
      gid: asked.gid ?? cred.fsgid,
    });
  }

  /** Mounts `fs` at `path`, which is made when it does not exist. */
  private mount(fs: FileSystem, path: string, isReadOnly: boolean, source: string, isHidden: boolean): Mount | number {
    const isDirectory = fs.root.isDirectory;
    const at = isDirectory ? this.makeDirectory(path, isHidden) : this.placeFile(path, isHidden);
    if (typeof at === 'number') return at;
    if (at.inode.isDirectory !== isDirectory) return -ENOTDIR;
    if (at === this.root) return -EBUSY;
    const mount = this.mounts.make(fs, MS_RELATIME | (isReadOnly ? MS_RDONLY : 0), source);
    const failed = this.mounts.attach(mount, at);
    return failed < 0 ? failed : mount;
  }

  /** An empty file to mount over, or what is there already. */
  private placeFile(path: string, isHidden: boolean): Dentry | number {
    const existing = this.lookup(path);
    if (typeof existing !== 'number') return existing;
    const { dir, name } = splitPath(path);
    const parent = this.makeDirectory(dir, isHidden);
    if (typeof parent === 'number') return parent;
    const { inode } = parent;
    if (!(inode instanceof MemoryDirectory)) return -ENOENT;
    const fs = this.memoryFsOf(parent);
    const file = new MemoryFile(fs, fs.newIno(), S_IFREG | 0o644, 0, 0);
    inode.place(name, file, isHidden);
    return parent.add(name, file);
  }

  /** Mounts /proc; hidden from listings of / unless the caller's tree has a directory of that name. */
  mountProc(source: ProcSource): Mount | number {
    const fs = new ProcFileSystem(
      this.newDevice(),
      this.clock,
      source,
      () => [...this.mounts.all],
      () => this.fileSystemTypes.keys(),
    );
    // There is one set of processes, so there is one such file system.
    this.setUp.push(fs);
    this.fileSystemTypes.set('proc', () => fs);
    return this.mount(fs, '/proc', false, 'proc', true);
  }

  /** Mounts /dev, likewise. */
  mountDev(): Mount | number {
    const fs = makeDeviceFileSystem(this.newDevice(), this.clock, this.devices, this.random, this.terminals);
    this.setUp.push(fs);
    this.fileSystemTypes.set('devtmpfs', () => fs);
    const mount = this.mount(fs, '/dev', false, 'devtmpfs', true);
    const pts = new DevptsFileSystem(this.newDevice(), this.clock, this.terminals);
    this.setUp.push(pts);
    this.fileSystemTypes.set('devpts', () => pts);
    this.mount(pts, '/dev/pts', false, 'devpts', true);
    return mount;
  }

  /** Mounts the message queues, which are one set as well, in /dev. */
  mountQueues(fs: FileSystem): Mount | number {
    this.fileSystemTypes.set(fs.typeName, () => fs);
    return this.mount(fs, '/dev/mqueue', false, fs.typeName, true);
  }

  /** Mounts /sys where the caller's tree tells of the host there. */
  coverSys(source: ProcSource): void {
    if (typeof this.lookup('/sys/devices/system') === 'number') return;
    const fs = new SysFileSystem(this.newDevice(), this.clock, source);
    this.setUp.push(fs);
    this.mount(fs, '/sys', true, 'sysfs', true);
  }

  /**
   * `--bind`: shows a host directory, or one entry of it, at `path`.
   * @param entry the one name in `directory`; '' for all of it
   * @param guest the guest's user: in a writable directory, what the tool's user has is theirs
   */
  bind(directory: HostDirectory, entry: string, path: string, guest: Identity): Mount | number {
    const owner = directory.writable ? guest : null;
    const fs = HostFileSystem.open(directory, entry, this.newDevice(), this.clock, owner);
    if (typeof fs === 'number') return fs;
    this.binds.push(fs);
    return this.mount(fs, path, !directory.writable, 'host', false);
  }

  /**
   * Shows one host file at `path` in the memory layer, unless something is there already: the program to run.
   * @param entry its path in `directory`
   */
  placeHostFile(directory: HostDirectory, entry: string, path: string, isHidden: boolean): Dentry | number {
    const existing = this.lookup(path);
    if (typeof existing !== 'number') return existing;
    const stat = directory.stat(entry);
    if (typeof stat === 'number') return stat;
    const { dir, name } = splitPath(path);
    const parent = this.makeDirectory(dir, isHidden);
    if (typeof parent === 'number') return parent;
    const { inode } = parent;
    if (!(inode instanceof MemoryDirectory)) return -ENOENT;
    const fs = this.memoryFsOf(parent);
    const file = new MemoryFile(fs, fs.newIno(), S_IFREG | (stat.mode & 0o7777), stat.uid, stat.gid);
    const contents = new HostContents(directory, true);
    this.sources.push(contents);
    file.setLower(contents, entry, stat);
    file.atimeNs = stat.atimeNs;
    file.mtimeNs = stat.mtimeNs;
    file.ctimeNs = stat.ctimeNs;
    inode.place(name, file, isHidden);
    return parent.add(name, file);
  }

  /** A descriptor table with the tool's streams as 0, 1 and 2; those that are terminals are one, /dev/pts/0. */
  openConsoles(uid: number, gid: number): FdTable {
    const table = new FdTable(this.anonymous.descriptors);
    const { stdin, stdout, stderr } = this.options.host;
    if (stdin.isTerminal || stdout.isTerminal || stderr.isTerminal) this.addHostTerminal(uid);
    for (const [fd, stream] of [stdin, stdout, stderr].entries()) {
      const file = stream.isTerminal ? this.openTerminal() : this.openStream(stream, fd === 0, uid, gid);
      if (typeof file !== 'number') table.install(file, false, 1024, fd);
    }
    return table;
  }

  private addHostTerminal(uid: number): void {
    const { stdin, stdout, stderr } = this.options.host;
    const screen = stdout.isTerminal ? stdout : stderr.isTerminal ? stderr : stdin;
    const keyboard = stdin.isTerminal ? stdin : null;
    this.terminals.addConsole((index) => {
      const tty = new Tty({
        name: `pts/${index}`,
        device: makedev(PTS_MAJOR, index),
        termios: Termios.standard(),
        inputBytes: KEYS_BYTES,
        jobs: this.terminals.currentJobs,
      });
      this.hostTerminal = new HostTerminal({
        tty,
        keyboard,
        screen,
        // Beside a program that reads our output and perhaps the keyboard, the host's terminal stays as it is.
        mayBeRaw: stdin.isTerminal && stdout.isTerminal,
        limit: this.outputLimit,
        onEscape: this.options.onEscape,
      });
      return tty;
    }, uid);
  }

  private openTerminal(): OpenFile | number {
    const tty = this.terminals.console;
    const place = this.lookup(`/dev/${tty?.name ?? ''}`);
    if (tty === null || typeof place === 'number') return -ENOENT;
    return place.inode.open(place, O_RDWR | O_LARGEFILE, SYSTEM_CREDENTIALS);
  }

  private openStream(stream: HostStream, isInput: boolean, uid: number, gid: number): OpenFile | number {
    const device = new ConsoleDevice(isInput ? stream : null, isInput ? null : stream, this.outputLimit);
    const dentry = this.anonymous.foreignPipe(
      (plain: Inode) => new ConsoleInode(plain.fs, plain.ino, plain.mode, uid, gid, device),
    );
    return dentry.inode.open(dentry, isInput ? O_RDONLY : O_WRONLY, SYSTEM_CREDENTIALS);
  }

  /** Lets go of host files. */
  dispose(): void {
    this.rootFs.lower?.close();
    for (const source of this.sources) source.close();
  }
}

function splitPath(path: string): { dir: string; name: string } {
  const clean = path.replace(/\/+$/, '');
  const cut = clean.lastIndexOf('/');
  return { dir: clean.slice(0, cut + 1), name: clean.slice(cut + 1) };
}

savable('vfs/vfs', { Vfs }, { isPlace: true, kept: ['clock', 'options', 'fileSystemTypes', 'sources'] });
