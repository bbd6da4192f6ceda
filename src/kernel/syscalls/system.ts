// SPDX-License-Identifier: MIT
//
// The system as a whole and odds and ends: uname(2), sysinfo(2), limits, usage, prctl(2), getrandom(2), rseq(2).

import { EBUSY, EFAULT, EINVAL, ENOSYS, EPERM, ESRCH } from '../../abi/errno.ts';
import {
  PR_CAPBSET_DROP,
  PR_CAPBSET_READ,
  PR_CAP_AMBIENT,
  PR_GET_CHILD_SUBREAPER,
  PR_GET_DUMPABLE,
  PR_GET_KEEPCAPS,
  PR_GET_NAME,
  PR_GET_NO_NEW_PRIVS,
  PR_GET_PDEATHSIG,
  PR_GET_SECCOMP,
  PR_GET_SECUREBITS,
  PR_GET_THP_DISABLE,
  PR_GET_TIMERSLACK,
  PR_GET_TIMING,
  PR_GET_TSC,
  PR_MCE_KILL_GET,
  PR_SET_CHILD_SUBREAPER,
  PR_SET_DUMPABLE,
  PR_SET_KEEPCAPS,
  PR_SET_NAME,
  PR_SET_NO_NEW_PRIVS,
  PR_SET_PDEATHSIG,
  PR_SET_PTRACER,
  PR_SET_THP_DISABLE,
  PR_SET_TIMERSLACK,
  PR_SET_TIMING,
  PR_SET_TSC,
  PR_SET_VMA,
  PR_SET_VMA_ANON_NAME,
  ARCH_CET_STATUS,
  ARCH_GET_FS,
  ARCH_GET_GS,
  ARCH_SET_FS,
  ARCH_SET_GS,
} from '../../abi/prctl.ts';
import {
  RLIMIT_AS,
  RLIMIT_DATA,
  RLIMIT_MEMLOCK,
  RLIMIT_NOFILE,
  RLIMIT_STACK,
  RLIM_NLIMITS,
  RUSAGE_CHILDREN,
  RUSAGE_SELF,
  RUSAGE_THREAD,
  Rlimit,
} from '../../abi/resource.ts';
import {
  GRND_INSECURE,
  GRND_NONBLOCK,
  GRND_RANDOM,
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
import { NSIG } from '../../abi/signal.ts';
import { putU64 } from '../../abi/words.ts';
import type { Addr } from '../../base/addr.ts';
import { PAGE_SIZE, USER_HALF_END } from '../../base/addr.ts';
import { fromLatin1, latin1Bytes, utf8, viewOf } from '../../base/bytes.ts';
import { Reg } from '../../cpu/regs.ts';
import { Cap, hasCap } from '../credentials.ts';
import { spaceLimits } from '../exec.ts';
import { SYSTEM_NAME } from '../identity.ts';
import { clearRseqArea, initRseqArea } from '../rseq.ts';
import type { Task } from '../task.ts';
import type { ThreadGroup } from '../thread-group.ts';
import { rusageBytes } from './processes.ts';
import type { Args, SyscallDef } from './table.ts';
import { readBytes, writeBytes } from './times.ts';

const NAME_BYTES = 16;
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
  putU64(v, Sysinfo.freeram, totalBytes - memory.usedFrames * PAGE_SIZE);
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

function prlimit(task: Task, pid: number, resource: number, newAddr: Addr, oldAddr: Addr): number {
  if (resource >= RLIM_NLIMITS) return -EINVAL;
  let wanted: Uint8Array | undefined;
  if (newAddr !== 0) {
    wanted = readBytes(task, newAddr, Rlimit.size);
    if (wanted === undefined) return -EFAULT;
  }
  const group = pid === 0 ? task.group : task.kernel.task(pid)?.group;
  if (group === undefined) return -ESRCH;
  const { creds: theirs } = group.leader;
  const isSame = task.creds.uid === theirs.uid && task.creds.uid === theirs.euid && task.creds.uid === theirs.suid;
  if (group !== task.group && !isSame && !hasCap(task.creds, Cap.sysResource)) return -EPERM;
  const old = group.limits[resource];
  if (wanted !== undefined) {
    const result = setLimit(task, group, resource, wanted);
    if (result < 0) return result;
  }
  if (oldAddr === 0 || old === undefined) return 0;
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

function archPrctl(task: Task, code: number, addr: number): number {
  const { platform } = task.kernel;
  switch (code) {
    case ARCH_SET_FS:
      if (addr >= USER_HALF_END) return -EPERM;
      task.regs.set(Reg.fsBase, addr);
      return 0;
    case ARCH_GET_FS:
      return task.mm.writeU64(addr, task.regs.u64[Reg.fsBase] as bigint) ? 0 : -EFAULT;
    case ARCH_SET_GS:
      if (addr >= USER_HALF_END) return -EPERM;
      platform.setGuestGsBase(task, addr);
      return 0;
    case ARCH_GET_GS:
      return task.mm.writeU64(addr, platform.guestGsBase(task)) ? 0 : -EFAULT;
    case ARCH_CET_STATUS:
    default:
      return -EINVAL;
  }
}

function ambient(task: Task, op: number, cap: number): number {
  const { creds } = task;
  const bit = 1n << BigInt(cap & 63);
  if (op === 4) {
    task.creds = { ...creds, ambient: 0n };
    return 0;
  }
  if (cap > 40) return -EINVAL;
  if (op === 1) return (creds.ambient & bit) === 0n ? 0 : 1;
  if (op === 3) {
    task.creds = { ...creds, ambient: creds.ambient & ~bit };
    return 0;
  }
  if (op !== 2) return -EINVAL;
  if ((creds.permitted & creds.inheritable & bit) === 0n) return -EPERM;
  task.creds = { ...creds, ambient: creds.ambient | bit };
  return 0;
}

function nameMapping(task: Task, a: Args): number {
  if (a.num(1) !== PR_SET_VMA_ANON_NAME) return -EINVAL;
  const nameAddr = a.num(4);
  if (nameAddr === 0) return task.mm.setName(a.num(2), a.num(3), '');
  const name = task.mm.readCString(nameAddr, 80);
  return typeof name === 'number' ? -EINVAL : task.mm.setName(a.num(2), a.num(3), fromLatin1(name));
}

function prctl(task: Task, a: Args): number {
  const { group, creds } = task;
  const value = a.num(1);
  const putInt = (n: number): number => (task.mm.writeU32(value, n) ? 0 : -EFAULT);
  switch (a.int(0)) {
    case PR_SET_NAME: {
      const bytes = new Uint8Array(NAME_BYTES);
      const length = task.mm.copyIn(value, bytes);
      const end = bytes.indexOf(0);
      if (end < 0 ? length < NAME_BYTES : end >= length) return -EFAULT;
      task.name = fromLatin1(bytes.subarray(0, end < 0 ? NAME_BYTES - 1 : Math.min(end, NAME_BYTES - 1)));
      return 0;
    }
    case PR_GET_NAME: {
      const bytes = new Uint8Array(NAME_BYTES);
      bytes.set(latin1Bytes(task.name));
      return writeBytes(task, value, bytes);
    }
    case PR_SET_PDEATHSIG:
      if (value > NSIG) return -EINVAL;
      task.parentDeathSignal = value;
      return 0;
    case PR_GET_PDEATHSIG:
      return putInt(task.parentDeathSignal);
    case PR_GET_DUMPABLE:
      return group.dumpable;
    case PR_SET_DUMPABLE:
      if (value > 1) return -EINVAL;
      group.dumpable = value;
      return 0;
    case PR_GET_KEEPCAPS:
      return creds.keepCaps ? 1 : 0;
    case PR_SET_KEEPCAPS:
      if (value > 1) return -EINVAL;
      task.creds = { ...creds, keepCaps: value === 1 };
      return 0;
    case PR_GET_TIMING:
      return 0;
    case PR_SET_TIMING:
      return value === 0 ? 0 : -EINVAL;
    case PR_GET_SECCOMP:
      return 0;
    case PR_CAPBSET_READ:
      return value > 40 ? -EINVAL : Number((creds.bounding >> BigInt(value)) & 1n);
    case PR_CAPBSET_DROP:
      if (!hasCap(creds, Cap.setpcap)) return -EPERM;
      if (value > 40) return -EINVAL;
      task.creds = { ...creds, bounding: creds.bounding & ~(1n << BigInt(value)) };
      return 0;
    case PR_CAP_AMBIENT:
      return ambient(task, value, a.num(2));
    case PR_GET_SECUREBITS:
      return 0;
    case PR_SET_TIMERSLACK:
      task.timerSlackNs = value === 0 ? 50_000 : value;
      return 0;
    case PR_GET_TIMERSLACK:
      return task.timerSlackNs;
    case PR_GET_TSC:
      return putInt(1);
    case PR_SET_TSC:
      return value === 1 ? 0 : -EINVAL;
    case PR_SET_NO_NEW_PRIVS:
      if (value !== 1 || a.num(2) !== 0 || a.num(3) !== 0 || a.num(4) !== 0) return -EINVAL;
      task.noNewPrivs = true;
      return 0;
    case PR_GET_NO_NEW_PRIVS:
      return task.noNewPrivs ? 1 : 0;
    case PR_SET_CHILD_SUBREAPER:
      group.isSubreaper = value !== 0;
      return 0;
    case PR_GET_CHILD_SUBREAPER:
      return putInt(group.isSubreaper ? 1 : 0);
    case PR_SET_THP_DISABLE:
      return 0;
    case PR_GET_THP_DISABLE:
      return 0;
    case PR_MCE_KILL_GET:
      return 2;
    case PR_SET_PTRACER:
      return 0;
    case PR_SET_VMA:
      return nameMapping(task, a);
    default:
      return -EINVAL;
  }
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
    (flags !== 0 && cmd !== MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ) ||
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

function syslog(task: Task, type: number): number {
  // SYSLOG_ACTION_SIZE_BUFFER and _SIZE_UNREAD: an empty log.
  if (type === 10) return PAGE_SIZE;
  return hasCap(task.creds, Cap.sysAdmin) ? 0 : -EPERM;
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
  { nr: 103, name: 'syslog', args: ['enum:syslog', 'ptr', 'int'], call: (task, a) => syslog(task, a.int(0)) },
  {
    nr: 135,
    name: 'personality',
    args: ['enum:personality'],
    call: (task, a) => {
      const old = task.group.personality;
      if (a.uint(0) !== 0xffff_ffff) task.group.personality = a.uint(0);
      return old;
    },
  },
  { nr: 157, name: 'prctl', args: ['int', 'ptr', 'ptr', 'ptr', 'ptr'], call: prctl },
  {
    nr: 158,
    name: 'arch_prctl',
    args: ['enum:arch_prctl', 'ptr'],
    call: (task, a) => archPrctl(task, a.int(0), a.num(1)),
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

/** Calls that a kernel without the feature, or a caller without the right, answers at once. */
export const refusedCalls: readonly SyscallDef[] = [
  ...refused(-EPERM, [
    [163, 'acct'],
    [167, 'swapon'],
    [168, 'swapoff'],
    [169, 'reboot'],
    [172, 'iopl'],
    [173, 'ioperm'],
    [175, 'init_module'],
    [176, 'delete_module'],
    [179, 'quotactl'],
    [153, 'vhangup'],
    [246, 'kexec_load'],
    [304, 'open_by_handle_at'],
    [308, 'setns'],
    [313, 'finit_module'],
    [321, 'bpf'],
    [428, 'open_tree'],
    [429, 'move_mount'],
    [430, 'fsopen'],
    [431, 'fsconfig'],
    [432, 'fsmount'],
    [433, 'fspick'],
    [442, 'mount_setattr'],
    [272, 'unshare'],
    [300, 'fanotify_init'],
  ]),
  ...refused(-ENOSYS, [
    [101, 'ptrace'],
    [154, 'modify_ldt'],
    [206, 'io_setup'],
    [207, 'io_destroy'],
    [208, 'io_getevents'],
    [209, 'io_submit'],
    [210, 'io_cancel'],
    [298, 'perf_event_open'],
    [317, 'seccomp'],
    [323, 'userfaultfd'],
    [425, 'io_uring_setup'],
    [426, 'io_uring_enter'],
    [427, 'io_uring_register'],
    [444, 'landlock_create_ruleset'],
    [447, 'memfd_secret'],
    [134, 'uselib'],
    [156, '_sysctl'],
    [174, 'create_module'],
    [177, 'get_kernel_syms'],
    [178, 'query_module'],
    [180, 'nfsservctl'],
    [181, 'getpmsg'],
    [182, 'putpmsg'],
    [183, 'afs_syscall'],
    [184, 'tuxcall'],
    [185, 'security'],
    [205, 'set_thread_area'],
    [211, 'get_thread_area'],
    [214, 'epoll_ctl_old'],
    [215, 'epoll_wait_old'],
    [236, 'vserver'],
  ]),
];

function refused(result: number, calls: readonly (readonly [number, string])[]): SyscallDef[] {
  return calls.map(([nr, name]) => ({ nr, name, args: ['hex', 'hex', 'hex'], call: () => result }));
}
