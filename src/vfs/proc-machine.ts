// SPDX-License-Identifier: MIT
//
// The files of /proc that tell of the machine: meminfo, cpuinfo, stat, uptime… Models fs/proc/{meminfo,stat,uptime,
// loadavg,version,devices}.c.

import { USER_HZ } from '../abi/time.ts';
import type { Inode } from './inode.ts';
import { ProcDirectory, ProcFile } from './proc-nodes.ts';
import type { ProcFileSystemBase, TextMaker } from './proc-nodes.ts';
import type { ProcSource } from './proc-source.ts';
import { sysDirectory } from './proc-sys.ts';

/** File systems that there are although nobody can mount them. */
const INTERNAL_TYPES = ['pipefs', 'sockfs', 'overlay', '9p'];

/** Numbers of characters devices, as devfs has them. */
const DEVICES = `Character devices:
  1 mem
  5 /dev/tty
  5 /dev/console
  5 /dev/ptmx
128 ptm
136 pts

Block devices:
`;

const TERMINAL_DRIVERS = `/dev/tty             /dev/tty        5       0 system:/dev/tty
/dev/console         /dev/console    5       1 system:console
/dev/ptmx            /dev/ptmx       5       2 system
pty_slave            /dev/pts      136 0-1048575 pty:slave
pty_master           /dev/ptm      128 0-1048575 pty:master
`;

/**
 * Builds the fixed part of /proc's root.
 * @param types what mount(2) can mount
 */
export function machineNodes(
  fs: ProcFileSystemBase,
  source: ProcSource,
  types: () => Iterable<string>,
): Map<string, Inode> {
  const file = (text: TextMaker): Inode => new ProcFile(fs, text);
  const dir = (nodes: [string, Inode][]): Inode => ProcDirectory.fixed(fs, new Map(nodes));
  return new Map<string, Inode>([
    ['cgroups', file(() => '#subsys_name\thierarchy\tnum_cgroups\tenabled\n')],
    ['cmdline', file(() => '\n')],
    ['consoles', file(() => '')],
    ['cpuinfo', file(() => cpuInfoText(source))],
    ['devices', file(() => DEVICES)],
    ['diskstats', file(() => '')],
    ['execdomains', file(() => '0-0\tLinux           \t[kernel]\n')],
    [
      'filesystems',
      file(() => [...new Set([...types(), ...INTERNAL_TYPES])].map((type) => `nodev\t${type}\n`).join('')),
    ],
    ['interrupts', file(() => '           CPU0       \n')],
    ['loadavg', file(() => `0.00 0.00 0.00 ${source.runningTasks}/${source.allTasks} ${source.lastTid}\n`)],
    ['meminfo', file(() => memInfoText(source))],
    ['misc', file(() => '')],
    ['partitions', file(() => '')],
    ['softirqs', file(() => '                    CPU0       \n')],
    ['stat', file(() => statText(source))],
    ['swaps', file(() => 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n')],
    ['sys', sysDirectory(fs, source)],
    [
      'sysvipc',
      dir([
        ['msg', file(() => source.ipc.messagesText())],
        ['sem', file(() => source.ipc.semaphoresText())],
        ['shm', file(() => source.ipc.segmentsText())],
      ]),
    ],
    [
      'tty',
      dir([
        ['drivers', file(() => TERMINAL_DRIVERS)],
        ['ldiscs', file(() => 'n_tty       0\n')],
      ]),
    ],
    ['uptime', file(() => `${hundredths(source.uptimeNs)} ${hundredths(source.uptimeNs - source.busyNs)}\n`)],
    ['version', file(() => `Linux version ${source.release} (trapline@localhost) ${source.version}\n`)],
    ['vmstat', file(() => vmStatText(source))],
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

/** Name of a figure of memory, and its bytes. */
type Row = readonly [name: string, bytes: number];

function sized([name, bytes]: Row): string {
  return `${counted(name, Math.floor(bytes / 1024))} kB\n`;
}

/** The same of the machine's one node: /sys/devices/system/node/node0/meminfo. */
export function nodeMemoryText(source: ProcSource): string {
  const { totalBytes, freeBytes, cachedBytes } = source.memory;
  const [total, free, ...others] = memoryRows(source);
  const ofNode = others.filter(([name]) => NODE_ROWS.has(name));
  const used: Row = ['MemUsed', totalBytes - freeBytes];
  const rows = [total, free, used, ...ofNode, ['FilePages', cachedBytes] as const];
  return rows.map((row) => (row === undefined ? '' : `Node 0 ${sized(row)}`)).join('');
}

const NODE_ROWS: ReadonlySet<string> = new Set(
  (
    'SwapCached Active Inactive Active(anon) Inactive(anon) Active(file) Inactive(file) Unevictable Mlocked Dirty ' +
    'Writeback Mapped AnonPages Shmem KernelStack PageTables KReclaimable Slab SReclaimable SUnreclaim'
  ).split(' '),
);

function memoryRows(source: ProcSource): readonly Row[] {
  const { totalBytes, freeBytes, cachedBytes, tableBytes } = source.memory;
  const anonymous = Math.max(0, totalBytes - freeBytes - cachedBytes - tableBytes);
  return [
    ['MemTotal', totalBytes],
    ['MemFree', freeBytes],
    ['MemAvailable', freeBytes + cachedBytes],
    ['Buffers', 0],
    ['Cached', cachedBytes],
    ['SwapCached', 0],
    ['Active', anonymous],
    ['Inactive', cachedBytes],
    ['Active(anon)', anonymous],
    ['Inactive(anon)', 0],
    ['Active(file)', 0],
    ['Inactive(file)', cachedBytes],
    ['Unevictable', 0],
    ['Mlocked', 0],
    ['SwapTotal', 0],
    ['SwapFree', 0],
    ['Dirty', 0],
    ['Writeback', 0],
    ['AnonPages', anonymous],
    ['Mapped', cachedBytes],
    ['Shmem', 0],
    ['KReclaimable', 0],
    ['Slab', 0],
    ['SReclaimable', 0],
    ['SUnreclaim', 0],
    ['KernelStack', 0],
    ['PageTables', tableBytes],
    ['NFS_Unstable', 0],
    ['Bounce', 0],
    ['WritebackTmp', 0],
    ['CommitLimit', Math.floor(totalBytes / 2)],
    ['Committed_AS', totalBytes - freeBytes],
    ['VmallocTotal', 34_359_738_367 * 1024],
    ['VmallocUsed', 0],
    ['VmallocChunk', 0],
    ['Percpu', 0],
    ['AnonHugePages', 0],
    ['ShmemHugePages', 0],
    ['ShmemPmdMapped', 0],
    ['FileHugePages', 0],
    ['FilePmdMapped', 0],
  ];
}

function memInfoText(source: ProcSource): string {
  const pools = ['HugePages_Total', 'HugePages_Free', 'HugePages_Rsvd', 'HugePages_Surp'];
  const last: Row[] = [
    ['Hugepagesize', 2048 * 1024],
    ['Hugetlb', 0],
  ];
  return [...memoryRows(source).map(sized), ...pools.map((name) => `${counted(name, 0)}\n`), ...last.map(sized)].join(
    '',
  );
}

function counted(name: string, value: number): string {
  return `${`${name}:`.padEnd(16)}${String(value).padStart(8)}`;
}

function vmStatText(source: ProcSource): string {
  const { totalBytes, freeBytes, cachedBytes, tableBytes } = source.memory;
  const pages = (bytes: number): number => Math.floor(bytes / 4096);
  const rows: [string, number][] = [
    ['nr_free_pages', pages(freeBytes)],
    ['nr_anon_pages', pages(Math.max(0, totalBytes - freeBytes - cachedBytes - tableBytes))],
    ['nr_mapped', pages(cachedBytes)],
    ['nr_file_pages', pages(cachedBytes)],
    ['nr_dirty', 0],
    ['nr_writeback', 0],
    ['nr_page_table_pages', pages(tableBytes)],
    ['pgpgin', 0],
    ['pgpgout', 0],
    ['pswpin', 0],
    ['pswpout', 0],
    ['pgmajfault', 0],
    ['oom_kill', 0],
  ];
  return rows.map(([name, value]) => `${name} ${value}\n`).join('');
}

function statText(source: ProcSource): string {
  const ticks = (ns: number): number => Math.floor((ns * USER_HZ) / 1e9);
  const cpu = `${ticks(source.busyNs)} 0 0 ${ticks(source.uptimeNs - source.busyNs)} 0 0 0 0 0 0`;
  return (
    `cpu  ${cpu}\ncpu0 ${cpu}\nintr 0\nctxt ${source.contextSwitches}\nbtime ${source.bootTimeSeconds}\n` +
    `processes ${source.tasksStarted}\nprocs_running ${source.runningTasks}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n`
  );
}
