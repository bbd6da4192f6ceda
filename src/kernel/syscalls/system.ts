// SPDX-License-Identifier: MIT
//
// The system as a whole and odds and ends: uname(2), sysinfo(2), limits, usage, prctl(2), getrandom(2), rseq(2).

import { EBUSY, EFAULT, EINVAL, EPERM, ESRCH } from '../../abi/errno.ts';
import {
  RLIMIT_AS,
  RLIMIT_DATA,
  RLIMIT_MEMLOCK,
  RLIMIT_NOFILE,
  RLIMIT_STACK,
  RUSAGE_CHILDREN,
  RUSAGE_SELF,
  RUSAGE_THREAD,
  Rlimit,
} from '../../abi/resource.ts';
import {
  GRND_INSECURE,
  GRND_NONBLOCK,
  GRND_RANDOM,
  MEMBARRIER_CMD_FLAG_CPU,
  MEMBARRIER_CMD_PRIVATE_EXPEDITED,
  MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ,
  MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE,
  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ,
  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
  RSEQ_FLAG_UNREGISTER,
  Rseq,
  Sysinfo,
  Utsname,
} from '../../abi/system.ts';
import { putU64 } from '../../abi/words.ts';
import type { Addr } from '../../base/addr.ts';
import { PAGE_SIZE, USER_HALF_END } from '../../base/addr.ts';
import { fromLatin1, latin1Bytes, utf8, viewOf } from '../../base/bytes.ts';
import type { Credentials } from '../credentials.ts';
import { Cap, hasCap } from '../credentials.ts';
import { spaceLimits } from '../exec.ts';
import { SYSTEM_NAME } from '../identity.ts';
import { clearRseqArea, initRseqArea } from '../rseq.ts';
import type { Task } from '../task.ts';
import type { ThreadGroup } from '../thread-group.ts';
import { rusageBytes } from './processes.ts';
import type { Args, SyscallDef } from './table.ts';
import { readBytes, writeBytes } from './times.ts';

const MAX_NOFILE = 1_048_576n;
const RANDOM_CHUNK = 65536;

function uname(task: Task, addr: Addr): number {
  const bytes = new Uint8Array(Utsname.size);
  const { kernel } = task;
  bytes.set(utf8(SYSTEM_NAME.sysname), Utsname.sysname);
  bytes.set(latin1Bytes(kernel.hostname), Utsname.nodename);
  bytes.set(utf8(SYSTEM_NAME.release), Utsname.release);
  bytes.set(utf8(SYSTEM_NAME.version), Utsname.version);
  bytes.set(utf8(SYSTEM_NAME.machine), Utsname.machine);
  bytes.set(latin1Bytes(kernel.domainname), Utsname.domainname);
  return writeBytes(task, addr, bytes);
}

function setName(task: Task, a: Args, which: 'hostname' | 'domainname'): number {
  if (!hasCap(task.creds, Cap.sysAdmin)) return -EPERM;
  const length = a.int(1);
  if (length < 0 || length > 64) return -EINVAL;
  const bytes = readBytes(task, a.num(0), length);
  if (bytes === undefined) return -EFAULT;
  task.kernel[which] = fromLatin1(bytes);
  return 0;
}

function sysinfo(task: Task, addr: Addr): number {
  const { kernel } = task;
  const { memory } = kernel;
  const totalBytes = memory.limitFrames * PAGE_SIZE;
  const bytes = new Uint8Array(Sysinfo.size);
  const v = viewOf(bytes);
  putU64(v, Sysinfo.uptime, Math.floor(kernel.clock.now() / 1e9));
  putU64(v, Sysinfo.totalram, totalBytes);
  putU64(v, Sysinfo.freeram, totalBytes - memory.toldUsedFrames * PAGE_SIZE);
  v.setUint16(Sysinfo.procs, kernel.tasks.size, true);
  v.setUint32(Sysinfo.memUnit, 1, true);
  return writeBytes(task, addr, bytes);
}

function writeLimit(task: Task, group: ThreadGroup, resource: number, addr: Addr): number {
  const pair = group.limits[resource];
  if (pair === undefined) return -EINVAL;
  const bytes = new Uint8Array(Rlimit.size);
  const v = viewOf(bytes);
  v.setBigUint64(Rlimit.cur, pair.soft, true);
  v.setBigUint64(Rlimit.max, pair.hard, true);
  return writeBytes(task, addr, bytes);
}

function setLimit(task: Task, group: ThreadGroup, resource: number, bytes: Uint8Array): number {
  const old = group.limits[resource];
  if (old === undefined) return -EINVAL;
  const v = viewOf(bytes);
  const soft = v.getBigUint64(Rlimit.cur, true);
  const hard = v.getBigUint64(Rlimit.max, true);
  if (soft > hard) return -EINVAL;
  if (hard > old.hard && !hasCap(task.creds, Cap.sysResource)) return -EPERM;
  if (resource === RLIMIT_NOFILE && hard > MAX_NOFILE) return -EPERM;
  group.limits[resource] = { soft, hard };
  if ([RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_MEMLOCK].includes(resource)) {
    const [first] = group.tasks;
    if (first !== undefined) Object.assign(first.mm.limits, spaceLimits(group.limits, first.creds));
  }
  group.timers.limitChanged();
  return 0;
}

/** All ids of the other are the caller's real ones (check_prlimit_permission). */
function hasSameIds({ uid, gid }: Credentials, theirs: Credentials): boolean {
  const { uid: theirUid, euid, suid, gid: theirGid, egid, sgid } = theirs;
  return [theirUid, euid, suid].every((id) => id === uid) && [theirGid, egid, sgid].every((id) => id === gid);
}

function prlimit(task: Task, pid: number, resource: number, newAddr: Addr, oldAddr: Addr): number {
  let wanted: Uint8Array | undefined;
  if (newAddr !== 0) {
    wanted = readBytes(task, newAddr, Rlimit.size);
    if (wanted === undefined) return -EFAULT;
  }
  const target = pid === 0 ? task : task.kernel.task(pid);
  if (target === undefined) return -ESRCH;
  if (target !== task && !hasSameIds(task.creds, target.creds) && !hasCap(task.creds, Cap.sysResource)) return -EPERM;
  const { group } = target;
  const old = group.limits[resource];
  if (old === undefined) return -EINVAL;
  if (wanted !== undefined) {
    const result = setLimit(task, group, resource, wanted);
    if (result < 0) return result;
  }
  if (oldAddr === 0) return 0;
  const bytes = new Uint8Array(Rlimit.size);
  const v = viewOf(bytes);
  v.setBigUint64(Rlimit.cur, old.soft, true);
  v.setBigUint64(Rlimit.max, old.hard, true);
  return writeBytes(task, oldAddr, bytes);
}

function getrusage(task: Task, who: number, addr: Addr): number {
  const { group } = task;
  if (who === RUSAGE_CHILDREN) return writeBytes(task, addr, rusageBytes(group.childUsage));
  const maxRssKib = Math.max(group.maxRssKib, Math.ceil(task.mm.memoryUse().vmHwm / 1024));
  if (who === RUSAGE_SELF) {
    const switches = group.tasks.reduce((sum, each) => sum + each.voluntarySwitches, group.endedSwitches);
    return writeBytes(task, addr, rusageBytes({ userNs: group.cpuNs(), maxRssKib, switches }));
  }
  if (who !== RUSAGE_THREAD) return -EINVAL;
  return writeBytes(task, addr, rusageBytes({ userNs: task.cpuNs(), maxRssKib, switches: task.voluntarySwitches }));
}

function getrandom(task: Task, addr: Addr, length: number, flags: number): number {
  if ((flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) !== 0) return -EINVAL;
  if ((flags & (GRND_RANDOM | GRND_INSECURE)) === (GRND_RANDOM | GRND_INSECURE)) return -EINVAL;
  const total = Math.min(length, 0x7fff_f000);
  let done = 0;
  while (done < total) {
    const chunk = new Uint8Array(Math.min(total - done, RANDOM_CHUNK));
    task.kernel.fillRandom(chunk);
    const copied = task.mm.copyOut(addr + done, chunk);
    done += copied;
    if (copied < chunk.length) return done > 0 ? done : -EFAULT;
  }
  return done;
}

function rseq(task: Task, a: Args): number {
  const addr = a.num(0);
  const length = a.uint(1);
  const flags = a.int(2);
  const signature = a.uint(3);
  if ((flags & RSEQ_FLAG_UNREGISTER) !== 0) {
    if (
      (flags & ~RSEQ_FLAG_UNREGISTER) !== 0 ||
      task.rseqAddr === 0 ||
      task.rseqAddr !== addr ||
      task.rseqLength !== length
    )
      return -EINVAL;
    if (task.rseqSignature !== signature) return -EPERM;
    const isWritten = clearRseqArea(task);
    task.rseqAddr = 0;
    return isWritten ? 0 : -EFAULT;
  }
  if (flags !== 0) return -EINVAL;
  if (task.rseqAddr !== 0) {
    if (task.rseqAddr !== addr || task.rseqLength !== length) return -EINVAL;
    return task.rseqSignature === signature ? -EBUSY : -EPERM;
  }
  if (addr % Rseq.align !== 0 || length < Rseq.size) return -EINVAL;
  if (addr === 0 || addr + length > USER_HALF_END) return -EFAULT;
  task.rseqAddr = addr;
  task.rseqLength = length;
  task.rseqSignature = signature;
  if (initRseqArea(task)) return 0;
  task.rseqAddr = 0;
  return -EFAULT;
}

/** Expedited commands that need a registration first, and the command that registers. */
const EXPEDITED = new Map([
  [MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED],
  [MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE],
  [MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ],
]);
const ALL_BARRIERS = 0x1ff;

/** One processor: every barrier is already passed. */
function membarrier(task: Task, cmd: number, flags: number): number {
  if (cmd === 0) return flags === 0 ? ALL_BARRIERS : -EINVAL;
  if (
    (flags !== 0 && (cmd !== MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ || flags !== MEMBARRIER_CMD_FLAG_CPU)) ||
    (cmd & (cmd - 1)) !== 0 ||
    (cmd & ALL_BARRIERS) === 0
  ) {
    return -EINVAL;
  }
  const registration = EXPEDITED.get(cmd);
  const { group } = task;
  if (registration !== undefined) return (group.barriers & registration) !== 0 ? 0 : -EPERM;
  group.barriers |= cmd;
  return 0;
}

// syslog(2)
const SYSLOG_READ = 2;
const SYSLOG_READ_ALL = 3;
const SYSLOG_READ_CLEAR = 4;
const SYSLOG_CONSOLE_LEVEL = 8;
const SYSLOG_SIZE_BUFFER = 10;
const CONSOLE_LEVELS = 8;

/** An empty log. */
function syslog(task: Task, type: number, addr: Addr, length: number): number {
  const isForAll = type === SYSLOG_READ_ALL || type === SYSLOG_SIZE_BUFFER;
  if (!isForAll && !hasCap(task.creds, Cap.sysAdmin) && !hasCap(task.creds, Cap.syslog)) return -EPERM;
  switch (type) {
    case SYSLOG_READ:
    case SYSLOG_READ_ALL:
    case SYSLOG_READ_CLEAR:
      if (addr === 0 || length < 0) return -EINVAL;
      return length > 0 && addr + length > USER_HALF_END ? -EFAULT : 0;
    case SYSLOG_CONSOLE_LEVEL:
      return length < 1 || length > CONSOLE_LEVELS ? -EINVAL : 0;
    case SYSLOG_SIZE_BUFFER:
      return PAGE_SIZE;
    default:
      return type < 0 || type > SYSLOG_SIZE_BUFFER ? -EINVAL : 0;
  }
}

export const systemCalls: readonly SyscallDef[] = [
  { nr: 63, name: 'uname', args: ['out:utsname'], call: (task, a) => uname(task, a.num(0)) },
  {
    nr: 97,
    name: 'getrlimit',
    args: ['enum:rlimit', 'out:rlimit'],
    call: (task, a) => writeLimit(task, task.group, a.uint(0), a.num(1)),
  },
  {
    nr: 98,
    name: 'getrusage',
    args: ['enum:rusage', 'out:rusage'],
    call: (task, a) => getrusage(task, a.int(0), a.num(1)),
  },
  { nr: 99, name: 'sysinfo', args: ['out:sysinfo'], call: (task, a) => sysinfo(task, a.num(0)) },
  {
    nr: 103,
    name: 'syslog',
    args: ['enum:syslog', 'ptr', 'int'],
    partial: 'messages: the log is empty',
    call: (task, a) => syslog(task, a.int(0), a.num(1), a.int(2)),
  },
  {
    nr: 135,
    name: 'personality',
    args: ['enum:personality'],
    partial: 'effect, except for ADDR_NO_RANDOMIZE',
    call: (task, a) => {
      const old = task.group.personality;
      if (a.uint(0) !== 0xffff_ffff) task.group.personality = a.uint(0);
      return old;
    },
  },
  {
    nr: 160,
    name: 'setrlimit',
    args: ['enum:rlimit', 'in:rlimit'],
    call: (task, a) => {
      const bytes = readBytes(task, a.num(1), Rlimit.size);
      return bytes === undefined ? -EFAULT : setLimit(task, task.group, a.uint(0), bytes);
    },
  },
  { nr: 170, name: 'sethostname', args: ['buf', 'size'], call: (task, a) => setName(task, a, 'hostname') },
  { nr: 171, name: 'setdomainname', args: ['buf', 'size'], call: (task, a) => setName(task, a, 'domainname') },
  {
    nr: 302,
    name: 'prlimit64',
    args: ['pid', 'enum:rlimit', 'in:rlimit', 'out:rlimit'],
    call: (task, a) => prlimit(task, a.int(0), a.uint(1), a.num(2), a.num(3)),
  },
  {
    nr: 318,
    name: 'getrandom',
    args: ['outbuf', 'size', 'flags:getrandom'],
    call: (task, a) => getrandom(task, a.num(0), a.num(1), a.uint(2)),
  },
  {
    nr: 324,
    name: 'membarrier',
    args: ['enum:membarrier', 'hex', 'int'],
    call: (task, a) => membarrier(task, a.int(0), a.uint(1)),
  },
  { nr: 334, name: 'rseq', args: ['ptr', 'uint', 'flags:rseq', 'hex'], call: rseq },
];
