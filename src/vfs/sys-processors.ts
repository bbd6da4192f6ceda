// SPDX-License-Identifier: MIT
//
// /sys/devices/system/cpu of a machine with one processor: laid over that of the caller's tree, which would tell of the
// host's. Models drivers/base/cpu.c, topology.c and their files as programs read them (sysconf, lscpu, nproc).

import { savable } from '../base/savable.ts';
import { SYSFS_MAGIC } from '../abi/stat.ts';
import type { FsClock, Inode } from './inode.ts';
import { ProcDirectory, ProcFile, ProcFileSystemBase } from './proc-nodes.ts';

export const PROCESSORS_PATH = '/sys/devices/system/cpu';

/** Texts, and directories of such. */
interface Entries {
  readonly [name: string]: string | Entries;
}

const PROCESSORS: Entries = {
  online: '0',
  possible: '0',
  present: '0',
  offline: '',
  isolated: '',
  kernel_max: '0',
  cpu0: {
    topology: {
      core_id: '0',
      physical_package_id: '0',
      core_cpus: '1',
      core_cpus_list: '0',
      core_siblings: '1',
      core_siblings_list: '0',
      package_cpus: '1',
      package_cpus_list: '0',
      thread_siblings: '1',
      thread_siblings_list: '0',
    },
  },
};

export class ProcessorsFileSystem extends ProcFileSystemBase {
  override readonly root: Inode;

  constructor(deviceNumber: number, clock: FsClock) {
    super(deviceNumber, clock, 'sysfs', SYSFS_MAGIC);
    this.root = this.directory(PROCESSORS);
  }

  private directory(entries: Entries): Inode {
    const nodes = new Map<string, Inode>();
    for (const [name, entry] of Object.entries(entries)) {
      nodes.set(name, typeof entry === 'string' ? new ProcFile(this, () => `${entry}\n`) : this.directory(entry));
    }
    return ProcDirectory.fixed(this, nodes, 0o755);
  }
}

savable('vfs/sys-processors', { ProcessorsFileSystem }, { isPlace: true, kept: ['root'] });
