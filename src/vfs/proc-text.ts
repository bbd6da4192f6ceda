// SPDX-License-Identifier: MIT
//
// The texts of /proc/<pid>: status, stat, statm, limits, fdinfo, in the formats of Linux 6.1 (fs/proc/array.c, base.c).

import { USER_HZ } from '../abi/time.ts';
import { RLIM_INFINITY } from '../abi/resource.ts';
import type { OpenFile } from './open-file.ts';
import type { ProcTask } from './proc-source.ts';

const STATE_NAMES: Record<ProcTask['state'], string> = {
  R: 'running',
  S: 'sleeping',
  D: 'disk sleep',
  T: 'stopped',
  t: 'tracing stop',
  Z: 'zombie',
};

/** comm as `status` shows it: white space and backslashes escaped. */
function escapedName(name: string): string {
  return name.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function hex64(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}

function kb(bytes: number): string {
  return `${String(Math.floor(bytes / 1024)).padStart(8)} kB`;
}

function ticks(ns: number): number {
  return Math.floor((ns * USER_HZ) / 1e9);
}

export function statusText(t: ProcTask): string {
  const s = t.signals;
  const c = t.capabilities;
  const lines = [
    `Name:\t${escapedName(t.name)}`,
    ...(t.fs === null ? [] : [`Umask:\t0${t.fs.umask.toString(8).padStart(3, '0')}`]),
    `State:\t${t.state} (${STATE_NAMES[t.state]})`,
    `Tgid:\t${t.tgid}`,
    'Ngid:\t0',
    `Pid:\t${t.tid}`,
    `PPid:\t${t.ppid}`,
    `TracerPid:\t${t.tracerPid}`,
    `Uid:\t${t.uids.join('\t')}`,
    `Gid:\t${t.gids.join('\t')}`,
    `FDSize:\t${t.files === null ? 0 : fdSize(t)}`,
    `Groups:\t${t.groups.map((g) => `${g} `).join('')}`,
    `NStgid:\t${t.tgid}`,
    `NSpid:\t${t.tid}`,
    `NSpgid:\t${t.pgid}`,
    `NSsid:\t${t.sid}`,
  ];
  if (t.mm !== null) {
    const m = t.mm.memoryUse();
    lines.push(
      `VmPeak:\t${kb(m.vmPeak)}`,
      `VmSize:\t${kb(m.vmSize)}`,
      `VmLck:\t${kb(m.vmLocked)}`,
      `VmPin:\t${kb(0)}`,
      `VmHWM:\t${kb(m.vmHwm)}`,
      `VmRSS:\t${kb(m.vmRss)}`,
      `RssAnon:\t${kb(m.vmRss - m.rssShared)}`,
      `RssFile:\t${kb(m.rssShared)}`,
      `RssShmem:\t${kb(0)}`,
      `VmData:\t${kb(m.vmData)}`,
      `VmStk:\t${kb(m.vmStack)}`,
      `VmExe:\t${kb(codeBytes(t))}`,
      `VmLib:\t${kb(Math.max(0, m.vmExe - codeBytes(t)))}`,
      `VmPTE:\t${kb(m.vmPte)}`,
      `VmSwap:\t${kb(0)}`,
      `HugetlbPages:\t${kb(0)}`,
      'CoreDumping:\t0',
      `THP_enabled:\t${t.hasHugePages ? 1 : 0}`,
    );
  }
  lines.push(
    `Threads:\t${t.threads.length}`,
    `SigQ:\t${s.queued}/${s.queueLimit}`,
    `SigPnd:\t${hex64(s.pending)}`,
    `ShdPnd:\t${hex64(s.sharedPending)}`,
    `SigBlk:\t${hex64(s.blocked)}`,
    `SigIgn:\t${hex64(s.ignored)}`,
    `SigCgt:\t${hex64(s.caught)}`,
    `CapInh:\t${hex64(c.inheritable)}`,
    `CapPrm:\t${hex64(c.permitted)}`,
    `CapEff:\t${hex64(c.effective)}`,
    `CapBnd:\t${hex64(c.bounding)}`,
    `CapAmb:\t${hex64(c.ambient)}`,
    `NoNewPrivs:\t${t.noNewPrivs ? 1 : 0}`,
    `Seccomp:\t${t.seccompMode}`,
    `Seccomp_filters:\t${t.seccompFilters}`,
    'Speculation_Store_Bypass:\tnot vulnerable',
    'SpeculationIndirectBranch:\tnot affected',
    'Cpus_allowed:\t1',
    'Cpus_allowed_list:\t0',
    'Mems_allowed:\t00000001',
    'Mems_allowed_list:\t0',
    `voluntary_ctxt_switches:\t${t.voluntarySwitches}`,
    `nonvoluntary_ctxt_switches:\t${t.involuntarySwitches}`,
  );
  return lines.join('\n') + '\n';
}

/** /proc/<pid>/syscall. */
export function systemCallText(t: ProcTask): string {
  const call = t.systemCall;
  if (call === null) return 'running\n';
  const { number, args, stackPointer, instructionPointer } = call;
  const words = [...(number < 0 ? [] : args), stackPointer, instructionPointer];
  return `${number} ${words.map((word) => `0x${word.toString(16)}`).join(' ')}\n`;
}

/** The kernel's own number: less is more; below 100 are those of real time, below 0 those with a deadline. */
export function schedulingPriority(t: ProcTask): number {
  if (t.deadline !== null) return -1;
  return t.realTimePriority > 0 ? 99 - t.realTimePriority : 120 + t.nice;
}

/** Descriptor tables grow in powers of two from 64. */
function fdSize(t: ProcTask): number {
  let last = 0;
  for (const fd of t.files?.descriptors() ?? []) last = fd;
  let size = 64;
  while (size <= last) size *= 2;
  return size;
}

/** /proc/<pid>/stat; of a thread alone below task/. */
export function statText(t: ProcTask, isProcess: boolean): string {
  const m = t.mm?.memoryUse();
  const { signals, layout: l, tty } = t;
  const low = (bits: bigint): bigint => BigInt.asUintN(31, bits);
  const isOpen = t.mayBeInspected;
  /** Addresses are for those who may look into the process. */
  const place = (value: number | undefined): number => (isOpen ? (value ?? 0) : 0);
  // The others learn of the code that there is some.
  const code = (value: number | undefined): number => (isOpen || value === undefined ? (value ?? 0) : 1);
  const fields: (number | bigint | string)[] = [
    t.tid,
    `(${t.name})`,
    t.state,
    t.ppid,
    t.pgid,
    t.sid,
    tty?.device ?? 0,
    tty === null ? -1 : (tty.foreground ?? 0),
    t.processFlags,
    t.minorFaults,
    0, // cminflt
    0, // majflt: what a file holds is there at once
    0, // cmajflt
    ticks(isProcess ? t.userNs : t.taskUserNs),
    0, // stime: the kernel takes no time
    ticks(t.childUserNs),
    0, // cstime
    schedulingPriority(t) - 100,
    t.nice,
    t.threads.length,
    0, // itrealvalue
    ticks(t.startNs),
    m?.vmSize ?? 0,
    Math.floor((m?.vmRss ?? 0) / 4096),
    t.limits[5]?.soft ?? RLIM_INFINITY,
    code(l?.codeStart),
    code(l?.codeEnd),
    place(l?.stackStart),
    0, // kstkesp: only of those who dump core
    0, // kstkeip
    low(signals.pending),
    low(signals.blocked),
    low(signals.ignored),
    low(signals.caught),
    0, // wchan
    0, // nswap
    0, // cnswap
    t.exitSignal,
    0, // processor
    t.realTimePriority,
    t.policy,
    0, // delayacct_blkio_ticks
    0, // guest_time
    0, // cguest_time
    place(l?.dataStart),
    place(l?.dataEnd),
    place(l?.brkStart),
    place(l?.arguments.start),
    place(l === null ? 0 : l.arguments.start + l.arguments.length),
    place(l?.environment.start),
    place(l === null ? 0 : l.environment.start + l.environment.length),
    place(t.exitStatus),
  ];
  return fields.join(' ') + '\n';
}

/** What of an address space is the program's own code. */
function codeBytes(t: ProcTask): number {
  const { layout } = t;
  return layout === null ? 0 : Math.ceil(layout.codeEnd / 4096) * 4096 - Math.floor(layout.codeStart / 4096) * 4096;
}

/** How likely the kernel would end this process for want of memory: 0 to 1333 (oom_badness, proc_oom_score). */
export function oomScore(t: ProcTask, totalBytes: number): number {
  if (t.oomScoreAdj === -1000 || t.mm === null) return 0;
  const m = t.mm.memoryUse();
  const total = Math.max(1, Math.floor(totalBytes / 4096));
  const points = Math.floor((m.vmRss + m.vmPte) / 4096) + Math.trunc((t.oomScoreAdj * total) / 1000);
  return Math.max(0, Math.floor(((1000 + Math.trunc((points * 1000) / total)) * 2) / 3));
}

export function statmText(t: ProcTask): string {
  const m = t.mm?.memoryUse();
  if (m === undefined) return '0 0 0 0 0 0 0\n';
  const pages = (bytes: number): number => Math.floor(bytes / 4096);
  return `${pages(m.vmSize)} ${pages(m.vmRss)} ${pages(m.rssShared)} ${pages(codeBytes(t))} 0 ${pages(m.vmData + m.vmStack)} 0\n`;
}

/** Name, unit and RLIMIT_ number in the order in which Linux lists them. */
const LIMIT_ROWS: readonly (readonly [string, string, number])[] = [
  ['Max cpu time', 'seconds', 0],
  ['Max file size', 'bytes', 1],
  ['Max data size', 'bytes', 2],
  ['Max stack size', 'bytes', 3],
  ['Max core file size', 'bytes', 4],
  ['Max resident set', 'bytes', 5],
  ['Max processes', 'processes', 6],
  ['Max open files', 'files', 7],
  ['Max locked memory', 'bytes', 8],
  ['Max address space', 'bytes', 9],
  ['Max file locks', 'locks', 10],
  ['Max pending signals', 'signals', 11],
  ['Max msgqueue size', 'bytes', 12],
  ['Max nice priority', '', 13],
  ['Max realtime priority', '', 14],
  ['Max realtime timeout', 'us', 15],
];

export function limitsText(t: ProcTask): string {
  const show = (value: bigint): string => (value === RLIM_INFINITY ? 'unlimited' : value.toString()).padEnd(20);
  let out = 'Limit                     Soft Limit           Hard Limit           Units     \n';
  for (const [name, unit, number] of LIMIT_ROWS) {
    const limit = t.limits[number];
    if (limit === undefined) continue;
    out += `${name.padEnd(25)} ${show(limit.soft)} ${show(limit.hard)} ${unit.padEnd(unit === '' ? 0 : 10)}\n`;
  }
  return out;
}

export function fdInfoText(file: OpenFile, isCloexec: boolean): string {
  const flags = (file.flags | (isCloexec ? 0o2000000 : 0)) >>> 0;
  const octal = '0' + flags.toString(8).padStart(6, '0');
  const { inode, dentry } = file;
  return `pos:\t${file.offset}\nflags:\t${octal}\nmnt_id:\t${dentry.mount.id}\nino:\t${inode.ino}\n${file.infoLines()}`;
}
