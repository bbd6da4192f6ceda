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
      `VmExe:\t${kb(m.vmExe)}`,
      `VmLib:\t${kb(0)}`,
      `VmPTE:\t${kb(m.vmPte)}`,
      `VmSwap:\t${kb(0)}`,
      `HugetlbPages:\t${kb(0)}`,
      'CoreDumping:\t0',
      'THP_enabled:\t0',
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
    'Seccomp:\t0',
    'Seccomp_filters:\t0',
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

/** Descriptor tables grow in powers of two from 64. */
function fdSize(t: ProcTask): number {
  let last = 0;
  for (const fd of t.files?.descriptors() ?? []) last = fd;
  let size = 64;
  while (size <= last) size *= 2;
  return size;
}

export function statText(t: ProcTask): string {
  const m = t.mm?.memoryUse();
  const { signals } = t;
  const low = (bits: bigint): bigint => BigInt.asUintN(31, bits);
  const fields: (number | bigint | string)[] = [
    t.tid,
    `(${t.name})`,
    t.state,
    t.ppid,
    t.pgid,
    t.sid,
    0, // tty_nr
    -1, // tpgid
    0x400000, // flags
    t.minorFaults,
    0, // cminflt
    0, // majflt
    0, // cmajflt
    ticks(t.userNs),
    0, // stime
    ticks(t.childUserNs),
    0, // cstime
    20 + t.nice,
    t.nice,
    t.threads.length,
    0, // itrealvalue
    ticks(t.startNs),
    m?.vmSize ?? 0,
    Math.floor((m?.vmRss ?? 0) / 4096),
    t.limits[5]?.soft ?? RLIM_INFINITY,
    0, // startcode
    0, // endcode
    0, // startstack
    0, // kstkesp
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
    0, // rt_priority
    0, // policy
    0, // delayacct_blkio_ticks
    0, // guest_time
    0, // cguest_time
    0, // start_data
    0, // end_data
    0, // start_brk
    0, // arg_start
    0, // arg_end
    0, // env_start
    0, // env_end
    0, // exit_code
  ];
  return fields.join(' ') + '\n';
}

export function statmText(t: ProcTask): string {
  const m = t.mm?.memoryUse();
  if (m === undefined) return '0 0 0 0 0 0 0\n';
  const pages = (bytes: number): number => Math.floor(bytes / 4096);
  return `${pages(m.vmSize)} ${pages(m.vmRss)} ${pages(m.rssShared)} ${pages(m.vmExe)} 0 ${pages(m.vmData + m.vmStack)} 0\n`;
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
