// SPDX-License-Identifier: MIT
//
// /proc: processes (proc-process.ts) beside the files that tell of the machine (proc-machine.ts, proc-sys.ts).
// Models fs/proc/root.c.

import { savable } from '../base/savable.ts';
import type { Mount } from './dentry.ts';
import type { FsClock, Inode } from './inode.ts';
import { machineNodes } from './proc-machine.ts';
import { ProcMounts } from './proc-mounts.ts';
import { ProcDirectory, ProcFileSystemBase, ProcLink } from './proc-nodes.ts';
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
}

savable('vfs/proc-file-system', { ProcFileSystem }, { isPlace: true, kept: ['root', 'source'] });
