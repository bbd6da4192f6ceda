// SPDX-License-Identifier: MIT
//
// /proc: processes (proc-process.ts) beside the files that tell of the machine (proc-machine.ts, proc-sys.ts).
// Models fs/proc/root.c.

import { savable } from '../base/savable.ts';
import { ESRCH } from '../abi/errno.ts';
import { S_IFDIR, S_IFMT } from '../abi/stat.ts';
import type { Entry, Mount } from './dentry.ts';
import { Inode } from './inode.ts';
import type { FsClock } from './inode.ts';
import { machineNodes } from './proc-machine.ts';
import { ProcMounts } from './proc-mounts.ts';
import { ProcDirectory, ProcFile, ProcFileSystemBase, ProcLink } from './proc-nodes.ts';
import { ProcessDirectories } from './proc-process.ts';
import type { ProcSource } from './proc-source.ts';

/** The mounted /proc. */
export class ProcFileSystem extends ProcFileSystemBase {
  override readonly root: Inode;
  readonly source: ProcSource;

  /** @param types what mount(2) can mount */
  constructor(
    deviceNumber: number,
    clock: FsClock,
    source: ProcSource,
    mounts: () => readonly Mount[],
    types: () => Iterable<string>,
  ) {
    super(deviceNumber, clock);
    this.source = source;
    const processes = new ProcessDirectories(this, source, new ProcMounts(source, mounts));
    const fixed = machineNodes(this, source, types);
    fixed.set('mounts', new ProcLink(this, () => 'self/mounts'));
    fixed.set('net', new ProcLink(this, () => 'self/net'));
    fixed.set('self', new ProcLink(this, () => String(source.currentTgid)));
    fixed.set('thread-self', new ProcLink(this, () => `${source.currentTgid}/task/${source.currentTid}`));
    const names = [...fixed.keys()].sort();
    this.root = new ProcDirectory(
      this,
      0o555,
      () => [...names, ...source.processes().map(String)],
      (name) => fixed.get(name) ?? processes.find(name),
      undefined,
      false,
    );
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

savable('vfs/proc-file-system', { ProcFileSystem }, { isPlace: true, kept: ['root', 'source'] });
