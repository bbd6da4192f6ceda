// SPDX-License-Identifier: MIT
//
// The files of /proc that tell of the machine: meminfo, cpuinfo, stat, uptime, sys/… Models fs/proc/{meminfo,stat,
// uptime,loadavg,version}.c and kernel/sysctl.c.

import { EINVAL } from '../abi/errno.ts';
import {
  InotifyLimits,
  MqLimits,
  MSGMAX,
  MSGMNB,
  MSGMNI,
  SEMMNI,
  SEMMNS,
  SEMMSL,
  SEMOPM,
  SHMALL,
  SHMMAX,
  SHMMNI,
} from '../abi/ipc.ts';
import { USER_HZ } from '../abi/time.ts';
import type { Inode } from './inode.ts';
import { ProcDirectory, ProcFile } from './proc-nodes.ts';
import type { ProcFileSystemBase, TextMaker } from './proc-nodes.ts';
import type { ProcSource } from './proc-source.ts';

/** Builds the fixed part of /proc's root. */
export function machineNodes(fs: ProcFileSystemBase, source: ProcSource, mounts: () => string): Map<string, Inode> {
  const file = (text: TextMaker): Inode => new ProcFile(fs, text);
  return new Map<string, Inode>([
    ['cmdline', file(() => '\n')],
    ['cpuinfo', file(() => cpuInfoText(source))],
    ['devices', file(() => 'Character devices:\n  1 mem\n  5 /dev/tty\n\nBlock devices:\n')],
    [
      'filesystems',
      file(() => 'nodev\tproc\nnodev\ttmpfs\nnodev\tdevtmpfs\nnodev\tpipefs\nnodev\toverlay\nnodev\t9p\n'),
    ],
    ['interrupts', file(() => '           CPU0       \n')],
    ['loadavg', file(() => `0.00 0.00 0.00 ${source.runningTasks}/${source.allTasks} ${source.tasksStarted}\n`)],
    ['meminfo', file(() => memInfoText(source))],
    ['mounts', file(mounts)],
    ['partitions', file(() => 'major minor  #blocks  name\n\n')],
    ['stat', file(() => statText(source))],
    ['swaps', file(() => 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n')],
    ['sys', sysDirectory(fs, source)],
    [
      'sysvipc',
      ProcDirectory.fixed(
        fs,
        new Map([
          ['msg', file(() => source.ipc.messagesText())],
          ['sem', file(() => source.ipc.semaphoresText())],
          ['shm', file(() => source.ipc.segmentsText())],
        ]),
      ),
    ],
    ['uptime', file(() => `${hundredths(source.uptimeNs)} 0.00\n`)],
    ['version', file(() => `Linux version ${source.release} (trapline@localhost) ${source.version}\n`)],
  ]);
}

function hundredths(ns: number): string {
  const n = Math.floor(ns / 1e7);
  return `${Math.floor(n / 100)}.${String(n % 100).padStart(2, '0')}`;
}

function cpuInfoText(source: ProcSource): string {
  let out = 'processor\t: 0\n';
  for (const [name, value] of source.cpuInfo) {
    // Linux pads short names with a second tab.
    out += `${name}${name.length < 8 ? '\t\t' : '\t'}: ${value}\n`;
  }
  return out + '\n';
}

function memInfoText(source: ProcSource): string {
  const { totalBytes, freeBytes, cachedBytes } = source.memory;
  const rows: [string, number][] = [
    ['MemTotal', totalBytes],
    ['MemFree', freeBytes],
    ['MemAvailable', freeBytes + cachedBytes],
    ['Buffers', 0],
    ['Cached', cachedBytes],
    ['SwapCached', 0],
    ['Active', totalBytes - freeBytes - cachedBytes],
    ['Inactive', cachedBytes],
    ['SwapTotal', 0],
    ['SwapFree', 0],
    ['Dirty', 0],
    ['Writeback', 0],
    ['AnonPages', totalBytes - freeBytes - cachedBytes],
    ['Mapped', cachedBytes],
    ['Shmem', 0],
    ['Slab', 0],
    ['CommitLimit', totalBytes],
    ['Committed_AS', totalBytes - freeBytes],
    ['VmallocTotal', 0],
    ['VmallocUsed', 0],
    ['HugePages_Total', -1],
    ['HugePages_Free', -1],
    ['Hugepagesize', 2048 * 1024],
  ];
  return rows
    .map(([name, bytes]) =>
      bytes < 0
        ? `${`${name}:`.padEnd(16)}${'0'.padStart(8)}\n`
        : `${`${name}:`.padEnd(16)}${String(Math.floor(bytes / 1024)).padStart(8)} kB\n`,
    )
    .join('');
}

function statText(source: ProcSource): string {
  const ticks = Math.floor((source.uptimeNs * USER_HZ) / 1e9);
  const cpu = `${ticks} 0 0 0 0 0 0 0 0 0`;
  return (
    `cpu  ${cpu}\ncpu0 ${cpu}\nintr 0\nctxt ${source.contextSwitches}\nbtime ${source.bootTimeSeconds}\n` +
    `processes ${source.tasksStarted}\nprocs_running ${source.runningTasks}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n`
  );
}

/** A random UUID of version 4. */
function uuid(source: ProcSource): string {
  const b = new Uint8Array(16);
  source.randomBytes(b);
  b[6] = ((b[6] ?? 0) & 0x0f) | 0x40;
  b[8] = ((b[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...b].map((v) => v.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function sysDirectory(fs: ProcFileSystemBase, source: ProcSource): Inode {
  const value = (text: () => string | number): Inode => new ProcFile(fs, () => `${text()}\n`);
  /** A number that may be set and read back but steers nothing. */
  const setting = (initial: number): Inode => {
    let current = initial;
    return new ProcFile(fs, () => `${current}\n`, {
      write: (text) => {
        const number = Number(text.trim());
        if (!Number.isInteger(number)) return -EINVAL;
        current = number;
        return 0;
      },
    });
  };
  const dir = (nodes: [string, Inode][]): Inode => ProcDirectory.fixed(fs, new Map(nodes));
  let bootId = '';
  return dir([
    [
      'fs',
      dir([
        ['file-max', setting(1_048_576)],
        ['file-nr', value(() => '0\t0\t1048576')],
        [
          'inotify',
          dir([
            ['max_queued_events', value(() => InotifyLimits.events)],
            ['max_user_instances', value(() => InotifyLimits.instances)],
            ['max_user_watches', value(() => InotifyLimits.watches)],
          ]),
        ],
        [
          'mqueue',
          dir([
            ['msg_default', value(() => MqLimits.messages)],
            ['msg_max', value(() => MqLimits.messages)],
            ['msgsize_default', value(() => MqLimits.messageBytes)],
            ['msgsize_max', value(() => MqLimits.messageBytes)],
            ['queues_max', value(() => MqLimits.queues)],
          ]),
        ],
        ['nr_open', setting(1_048_576)],
        ['pipe-max-size', setting(1_048_576)],
        ['protected_hardlinks', value(() => 1)],
        ['protected_symlinks', value(() => 1)],
      ]),
    ],
    [
      'kernel',
      dir([
        ['cap_last_cap', value(() => 40)],
        ['core_pattern', value(() => 'core')],
        ['domainname', value(() => source.domainname)],
        ['hostname', value(() => source.hostname)],
        ['msgmax', value(() => MSGMAX)],
        ['msgmnb', value(() => MSGMNB)],
        ['msgmni', value(() => MSGMNI)],
        ['ngroups_max', value(() => 65_536)],
        ['osrelease', value(() => source.release)],
        ['ostype', value(() => 'Linux')],
        ['overflowgid', setting(65_534)],
        ['overflowuid', setting(65_534)],
        ['pid_max', value(() => source.pidMax)],
        [
          'random',
          dir([
            ['boot_id', value(() => (bootId ||= uuid(source)))],
            ['entropy_avail', value(() => 256)],
            ['poolsize', value(() => 256)],
            ['uuid', value(() => uuid(source))],
          ]),
        ],
        ['randomize_va_space', value(() => source.randomizeVaSpace)],
        ['sem', value(() => `${SEMMSL}\t${SEMMNS}\t${SEMOPM}\t${SEMMNI}`)],
        ['shmall', value(() => String(SHMALL))],
        ['shmmax', value(() => String(SHMMAX))],
        ['shmmni', value(() => SHMMNI)],
        ['threads-max', value(() => source.maxTasks)],
        ['version', value(() => source.version)],
      ]),
    ],
    [
      'vm',
      dir([
        ['max_map_count', setting(65_530)],
        ['mmap_min_addr', value(() => 65_536)],
        ['overcommit_memory', setting(0)],
        ['overcommit_ratio', setting(50)],
        ['swappiness', setting(60)],
      ]),
    ],
  ]);
}
