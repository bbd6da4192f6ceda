// SPDX-License-Identifier: MIT
//
// /sys of a machine with one processor, one node of memory and no devices: laid over that of the caller's tree, which would
// tell of the host, otherwise at every look. Models drivers/base/cpu.c, topology.c, node.c and their files as programs read
// them (sysconf, lscpu, nproc, libnuma), and the empty directories that gVisor has (fsimpl/sys).

import { savable } from '../base/savable.ts';
import { SYSFS_MAGIC } from '../abi/stat.ts';
import type { FsClock, Inode } from './inode.ts';
import { nodeMemoryText } from './proc-machine.ts';
import { ProcDirectory, ProcFile, ProcFileSystemBase } from './proc-nodes.ts';
import type { ProcSource } from './proc-source.ts';

/** Texts, and directories of such. */
interface Entries {
  readonly [name: string]: string | (() => string) | Entries;
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

function memoryNodes(source: ProcSource): Entries {
  return {
    online: '0',
    possible: '0',
    has_cpu: '0',
    has_memory: '0',
    has_normal_memory: '0',
    node0: { cpulist: '0', cpumap: '1', distance: '10', meminfo: () => nodeMemoryText(source) },
  };
}

export class SysFileSystem extends ProcFileSystemBase {
  override readonly root: Inode;

  constructor(deviceNumber: number, clock: FsClock, source: ProcSource) {
    super(deviceNumber, clock, 'sysfs', SYSFS_MAGIC);
    this.root = this.directory({
      block: {},
      bus: {},
      class: {},
      dev: {},
      devices: { system: { cpu: PROCESSORS, node: memoryNodes(source) } },
      firmware: {},
      fs: {},
      kernel: {},
      module: {},
      power: {},
    });
  }

  private directory(entries: Entries): Inode {
    const nodes = new Map<string, Inode>();
    for (const [name, entry] of Object.entries(entries)) {
      let node: Inode;
      if (typeof entry === 'string') node = new ProcFile(this, () => `${entry}\n`);
      else if (typeof entry === 'function') node = new ProcFile(this, entry);
      else node = this.directory(entry);
      nodes.set(name, node);
    }
    return ProcDirectory.fixed(this, nodes, 0o755);
  }
}

savable('vfs/sys-file-system', { SysFileSystem }, { isPlace: true, kept: ['root'] });
