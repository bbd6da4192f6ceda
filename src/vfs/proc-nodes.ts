// SPDX-License-Identifier: MIT
//
// Building blocks of procfs: directories whose entries are made on demand, files whose text is made when they are
// read, and links that lead to a place without their text being resolved. Models fs/proc/generic.c, seq_file.

import { EACCES, EFAULT, EINVAL, ENOENT, ENOMEM, ESRCH } from '../abi/errno.ts';
import { PROC_SUPER_MAGIC, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../abi/stat.ts';
import { latin1Bytes } from '../base/bytes.ts';
import { savable } from '../base/savable.ts';
import type { Dentry, Entry } from './dentry.ts';
import { Budget } from './device-table.ts';
import { openDirectory } from './directory-file.ts';
import { FileSystem, Inode } from './inode.ts';
import type { EntryVisitor, FsClock } from './inode.ts';
import { OpenFile } from './open-file.ts';
import type { ByteSink, ByteSource } from './open-file.ts';

/** First cookie of entries: `.` and `..` have 1 and 2. */
const FIRST_COOKIE = 3;

/** What open files may hold of their texts, together. */
const TEXT_BYTES = 64 * 1024 * 1024;

/** The file system of /proc: numbers its inodes as they are made. */
export abstract class ProcFileSystemBase extends FileSystem {
  override readonly revalidates = true;
  override readonly namesAreFixed = true;
  override readonly isNoExec = true;
  override readonly blockSize = 1024;
  /** Bytes of text that open files hold: each keeps what it has made until it is closed. */
  readonly texts = new Budget(TEXT_BYTES);
  protected nextIno = 1;
  /** What was written to files that only keep it, and what is made once, by name. */
  readonly settings = new Map<string, number | string>();

  constructor(deviceNumber: number, clock: FsClock, typeName = 'proc', magic = PROC_SUPER_MAGIC) {
    super(typeName, magic, deviceNumber, clock);
  }

  newIno(): number {
    return this.nextIno++;
  }

  /** Where the nodes are that names lead to now: what a checkpoint knows them by. */
  namedNodes(): ReadonlyMap<object, readonly string[]> {
    const nodes = new Map<object, readonly string[]>();
    const visit = (entry: Entry, path: readonly string[]): void => {
      nodes.set(entry.inode, path);
      for (const child of entry.children?.values() ?? []) visit(child, [...path, child.name]);
    };
    if (this.rootEntry !== null) visit(this.rootEntry, []);
    return nodes;
  }

  /** Whether the object is a node of this file system that is made on demand. */
  owns(object: object): object is Inode {
    return object instanceof Inode && object.fs === this;
  }

  /** The node at `path`, with the number that it had; one that says ESRCH when it is gone. */
  remake(path: readonly string[] | null, ino: number, mode: number): Inode {
    const number = this.nextIno;
    let at: Inode | number = path === null ? -ESRCH : this.root;
    for (const name of path ?? []) if (typeof at !== 'number') at = at.lookup(name);
    let node: Inode;
    if (typeof at !== 'number') node = at;
    else if ((mode & S_IFMT) === S_IFDIR) {
      node = new ProcDirectory(
        this,
        mode & 0o7777,
        () => [],
        () => undefined,
      );
    } else node = new ProcFile(this, () => -ESRCH, { mode: mode & 0o7777 });
    node.ino = ino;
    this.nextIno = number;
    return node;
  }
}

/** Makes text, or bytes. */
export type TextMaker = () => string | Uint8Array | number;

/** Who a node belongs to; read at each look. */
export interface Ownership {
  readonly uid: number;
  readonly gid: number;
}

const ROOT: Ownership = { uid: 0, gid: 0 };

abstract class ProcNode extends Inode {
  readonly #owner: () => Ownership;

  constructor(fs: ProcFileSystemBase, mode: number, owner: () => Ownership = (): Ownership => ROOT) {
    super(fs, fs.newIno(), mode, 0, 0);
    this.#owner = owner;
    this.refresh();
  }

  override refresh(): number {
    const { uid, gid } = this.#owner();
    this.uid = uid;
    this.gid = gid;
    return 0;
  }

  override touchAccessed(): void {}
  override touchModified(): void {}

  override setMode(): number {
    return -EACCES;
  }
}

/** A directory: names from one function, nodes from another. Nodes are kept as long as their names last. */
export class ProcDirectory extends ProcNode {
  readonly #names: () => readonly string[];
  readonly #make: (name: string) => Inode | undefined;
  /** Null where `make` itself gives the same node each time. */
  readonly #made: Map<string, Inode> | null;
  /** What decides beside its mode. */
  readonly #rule: ((wanted: number) => number | null) | null;

  constructor(
    fs: ProcFileSystemBase,
    mode: number,
    names: () => readonly string[],
    make: (name: string) => Inode | undefined,
    owner?: () => Ownership,
    makesAnew = true,
    rule?: (wanted: number) => number | null,
  ) {
    super(fs, S_IFDIR | mode, owner);
    this.#rule = rule ?? null;
    this.#made = makesAnew ? new Map() : null;
    this.#names = names;
    this.#make = make;
    this.nlink = 2;
  }

  /** A directory whose names never change. */
  static fixed(
    fs: ProcFileSystemBase,
    nodes: ReadonlyMap<string, Inode>,
    mode = 0o555,
    owner?: () => Ownership,
  ): ProcDirectory {
    const names = [...nodes.keys()];
    const dir = new ProcDirectory(
      fs,
      mode,
      () => names,
      (name) => nodes.get(name),
      owner,
      false,
    );
    for (const node of nodes.values()) if (node.isDirectory) dir.nlink++;
    return dir;
  }

  override decides(wanted: number): number | null {
    return this.#rule?.(wanted) ?? null;
  }

  override lookup(name: string): Inode | number {
    const known = this.#made?.get(name);
    if (known !== undefined) {
      if (this.#names().includes(name)) {
        known.refresh();
        return known;
      }
      this.#made?.delete(name);
      return -ENOENT;
    }
    const made = this.#make(name);
    if (made === undefined) return -ENOENT;
    this.#made?.set(name, made);
    return made;
  }

  override entries(cookie: number, visit: EntryVisitor): number {
    const names = this.#names();
    for (let i = Math.max(0, cookie - FIRST_COOKIE + 1); i < names.length; i++) {
      const name = names[i] as string;
      const node = this.lookup(name);
      if (typeof node === 'number') continue;
      if (!visit(name, node.ino, node.mode, FIRST_COOKIE + i)) return 0;
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

/** A file with generated text, perhaps writable. */
export class ProcFile extends ProcNode {
  readonly text: TextMaker;
  readonly write: ((text: string) => number) | null;
  readonly budget: Budget;
  readonly #access: (() => number) | null;

  /** @param options.access asked at each open: 0 or -errno */
  constructor(
    fs: ProcFileSystemBase,
    text: TextMaker,
    options: {
      mode?: number;
      owner?: () => Ownership;
      access?: () => number;
      write?: (text: string) => number;
    } = {},
  ) {
    super(fs, S_IFREG | (options.mode ?? (options.write === undefined ? 0o444 : 0o644)), options.owner);
    this.text = text;
    this.budget = fs.texts;
    this.write = options.write ?? null;
    this.#access = options.access ?? null;
  }

  override open(dentry: Dentry, flags: number): OpenFile | number {
    const denied = this.#access?.() ?? 0;
    if (denied < 0) return denied;
    return new GeneratedFile(dentry, flags, this);
  }

  override truncate(): number {
    return 0;
  }
}

/** An open generated file: the text is made at the first read and again when reading starts anew. */
class GeneratedFile extends OpenFile {
  override readonly isSeekable = true;
  private readonly node: ProcFile;
  private bytes: Uint8Array | null = null;

  constructor(dentry: Dentry, flags: number, node: ProcFile) {
    super(dentry, flags);
    this.node = node;
  }

  override readAt(sink: ByteSink, count: number, offset: number): number {
    if (this.bytes === null || offset === 0) {
      const made = this.node.text();
      if (typeof made === 'number') return made;
      this.forget();
      const bytes = typeof made === 'string' ? latin1Bytes(made) : made;
      if (!this.node.budget.take(bytes.length)) return -ENOMEM;
      this.bytes = bytes;
    }
    const n = Math.min(count, this.bytes.length - offset);
    if (n <= 0) return 0;
    const put = sink.put(this.bytes.subarray(offset, offset + n));
    return put === 0 ? -EFAULT : put;
  }

  private forget(): void {
    if (this.bytes !== null) this.node.budget.give(this.bytes.length);
    this.bytes = null;
  }

  protected override destroy(): void {
    this.forget();
  }

  override writeAt(source: ByteSource, count: number): number {
    if (this.node.write === null) return -EACCES;
    const bytes = new Uint8Array(Math.min(count, 4096));
    const got = source.take(bytes);
    if (got < bytes.length) return -EFAULT;
    const failed = this.node.write(String.fromCharCode(...bytes));
    return failed < 0 ? failed : count;
  }

  override get end(): number {
    return 0;
  }

  protected override seekSparse(): number {
    return -EINVAL;
  }
}

/** A link: with `target` a magic one, else one whose text is resolved as usual. */
export class ProcLink extends ProcNode {
  readonly #text: () => string | number;
  readonly #target: (() => Dentry | number) | null;
  readonly #size: number;
  readonly #modeOf: (() => number) | null;

  constructor(
    fs: ProcFileSystemBase,
    text: () => string | number,
    options: { target?: () => Dentry | number; owner?: () => Ownership; size?: number; mode?: () => number } = {},
  ) {
    super(fs, S_IFLNK | 0o777, options.owner);
    this.#text = text;
    this.#target = options.target ?? null;
    this.#size = options.size ?? 0;
    this.#modeOf = options.mode ?? null;
    this.refresh();
  }

  override refresh(): number {
    super.refresh();
    // The constructor of the base looks before the fields of this class exist.
    if (#modeOf in this && this.#modeOf !== null) this.mode = S_IFLNK | this.#modeOf();
    return 0;
  }

  override get size(): number {
    return this.#size;
  }

  override readlink(): string | number {
    return this.#text();
  }

  override follow(): Dentry | number | undefined {
    return this.#target?.();
  }
}

savable('vfs/proc-nodes', { GeneratedFile });
