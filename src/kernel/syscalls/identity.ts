// SPDX-License-Identifier: MIT
//
// Who a process is: user and group ids, capabilities, process groups and sessions. credentials(7), capabilities(7).

import { EACCES, EFAULT, EINVAL, EPERM, ESRCH } from '../../abi/errno.ts';
import { RLIMIT_NPROC } from '../../abi/resource.ts';
import {
  _LINUX_CAPABILITY_VERSION_1,
  _LINUX_CAPABILITY_VERSION_2,
  _LINUX_CAPABILITY_VERSION_3,
} from '../../abi/system.ts';
import type { Addr } from '../../base/addr.ts';
import { viewOf } from '../../base/bytes.ts';
import type { Credentials } from '../credentials.ts';
import { ALL_CAPS, Cap, hasCap, withFsUid, withUserIds } from '../credentials.ts';
import { reachesTaskLimit } from '../clone.ts';
import { spaceLimits } from '../exec.ts';
import type { Task } from '../task.ts';
import type { Args, SyscallDef } from './table.ts';
import { readBytes, writeBytes } from './times.ts';

const NGROUPS_MAX = 65536;
/** "Leave it as it is" of the set calls. */
const KEEP = -1;

/** The task has these credentials now. One that changed who it is hides from others, and from its parent's death. */
function become(task: Task, next: Credentials): void {
  const old = task.creds;
  task.creds = next;
  const isOther =
    old.euid !== next.euid || old.egid !== next.egid || old.fsuid !== next.fsuid || old.fsgid !== next.fsgid;
  if (isOther || (next.permitted & ~old.permitted) !== 0n) {
    task.group.dumpable = 0;
    task.parentDeathSignal = 0;
  }
  if (hasCap(old, Cap.ipcLock) !== hasCap(next, Cap.ipcLock))
    Object.assign(task.mm.limits, spaceLimits(task.group.limits, next));
  if (old.uid !== next.uid) {
    task.exceedsTaskLimit = reachesTaskLimit(task, task.group.softLimit(RLIMIT_NPROC) + 1);
  }
}

function setuid(task: Task, uid: number): number {
  const { creds } = task;
  if (uid === KEEP) return -EINVAL;
  const id = uid >>> 0;
  if (hasCap(creds, Cap.setuid)) become(task, withUserIds(creds, { uid: id, euid: id, suid: id, fsuid: id }));
  else if (id === creds.uid || id === creds.suid) become(task, withUserIds(creds, { euid: id, fsuid: id }));
  else return -EPERM;
  return 0;
}

function setgid(task: Task, gid: number): number {
  const { creds } = task;
  if (gid === KEEP) return -EINVAL;
  const id = gid >>> 0;
  if (hasCap(creds, Cap.setgid)) become(task, { ...creds, gid: id, egid: id, sgid: id, fsgid: id });
  else if (id === creds.gid || id === creds.sgid) become(task, { ...creds, egid: id, fsgid: id });
  else return -EPERM;
  return 0;
}

function setreuid(task: Task, ruid: number, euid: number): number {
  const { creds } = task;
  const isFree = hasCap(creds, Cap.setuid);
  const uid = ruid === KEEP ? creds.uid : ruid >>> 0;
  const effective = euid === KEEP ? creds.euid : euid >>> 0;
  if (!isFree) {
    if (uid !== creds.uid && uid !== creds.euid) return -EPERM;
    if (effective !== creds.uid && effective !== creds.euid && effective !== creds.suid) return -EPERM;
  }
  const suid = ruid !== KEEP || (euid !== KEEP && effective !== creds.uid) ? effective : creds.suid;
  become(task, withUserIds(creds, { uid, euid: effective, suid, fsuid: effective }));
  return 0;
}

function setregid(task: Task, rgid: number, egid: number): number {
  const { creds } = task;
  const isFree = hasCap(creds, Cap.setgid);
  const gid = rgid === KEEP ? creds.gid : rgid >>> 0;
  const effective = egid === KEEP ? creds.egid : egid >>> 0;
  if (!isFree) {
    if (gid !== creds.gid && gid !== creds.egid) return -EPERM;
    if (effective !== creds.gid && effective !== creds.egid && effective !== creds.sgid) return -EPERM;
  }
  const sgid = rgid !== KEEP || (egid !== KEEP && effective !== creds.gid) ? effective : creds.sgid;
  become(task, { ...creds, gid, egid: effective, sgid, fsgid: effective });
  return 0;
}

function setresuid(task: Task, a: Args): number {
  const { creds } = task;
  const [uid, euid, suid] = [a.int(0), a.int(1), a.int(2)].map((id, i) =>
    id === KEEP ? ([creds.uid, creds.euid, creds.suid][i] as number) : id >>> 0,
  ) as [number, number, number];
  const mine = [creds.uid, creds.euid, creds.suid];
  if (!hasCap(creds, Cap.setuid) && ![uid, euid, suid].every((id) => mine.includes(id))) return -EPERM;
  become(task, withUserIds(creds, { uid, euid, suid, fsuid: euid }));
  return 0;
}

function setresgid(task: Task, a: Args): number {
  const { creds } = task;
  const mine = [creds.gid, creds.egid, creds.sgid];
  const [gid, egid, sgid] = [a.int(0), a.int(1), a.int(2)].map((id, i) =>
    id === KEEP ? (mine[i] as number) : id >>> 0,
  ) as [number, number, number];
  if (!hasCap(creds, Cap.setgid) && ![gid, egid, sgid].every((id) => mine.includes(id))) return -EPERM;
  become(task, { ...creds, gid, egid, sgid, fsgid: egid });
  return 0;
}

function writeThree(task: Task, a: Args, values: readonly [number, number, number]): number {
  for (let i = 0; i < 3; i++) if (!task.mm.writeU32(a.num(i), values[i] as number)) return -EFAULT;
  return 0;
}

/** setfsuid and setfsgid give the old value whether they change anything or not. */
function setFsId(task: Task, id: number, isUser: boolean): number {
  const { creds } = task;
  const old = isUser ? creds.fsuid : creds.fsgid;
  const mine = isUser
    ? [creds.uid, creds.euid, creds.suid, creds.fsuid]
    : [creds.gid, creds.egid, creds.sgid, creds.fsgid];
  const isAllowed = id !== KEEP && (mine.includes(id >>> 0) || hasCap(creds, isUser ? Cap.setuid : Cap.setgid));
  if (isAllowed) become(task, isUser ? withFsUid(creds, id >>> 0) : { ...creds, fsgid: id >>> 0 });
  return old;
}

function getgroups(task: Task, size: number, addr: Addr): number {
  const { groups } = task.creds;
  if (size < 0) return -EINVAL;
  if (size === 0) return groups.length;
  if (size < groups.length) return -EINVAL;
  const bytes = new Uint8Array(groups.length * 4);
  const v = viewOf(bytes);
  groups.forEach((gid, i) => v.setUint32(4 * i, gid, true));
  const result = writeBytes(task, addr, bytes);
  return result < 0 ? result : groups.length;
}

function setgroups(task: Task, size: number, addr: Addr): number {
  if (!hasCap(task.creds, Cap.setgid)) return -EPERM;
  if (size < 0 || size > NGROUPS_MAX) return -EINVAL;
  const bytes = readBytes(task, addr, size * 4);
  if (bytes === undefined) return -EFAULT;
  const v = viewOf(bytes);
  const groups = Array.from({ length: size }, (_, i) => v.getUint32(4 * i, true)).sort((x, y) => x - y);
  if (groups.includes(0xffff_ffff)) return -EINVAL;
  task.creds = { ...task.creds, groups };
  return 0;
}

/** Words of a capability structure: one for version 1, two else; undefined for an unknown version. */
function capWords(version: number): number | undefined {
  if (version === _LINUX_CAPABILITY_VERSION_1) return 1;
  return version === _LINUX_CAPABILITY_VERSION_2 || version === _LINUX_CAPABILITY_VERSION_3 ? 2 : undefined;
}

function readCapHeader(task: Task, addr: Addr): { words: number; pid: number } | number {
  const header = readBytes(task, addr, 8);
  if (header === undefined) return -EFAULT;
  const v = viewOf(header);
  const words = capWords(v.getUint32(0, true));
  if (words === undefined) return task.mm.writeU32(addr, _LINUX_CAPABILITY_VERSION_3) ? -EINVAL : -EFAULT;
  return { words, pid: v.getInt32(4, true) };
}

function capget(task: Task, headerAddr: Addr, dataAddr: Addr): number {
  const header = readCapHeader(task, headerAddr);
  if (typeof header === 'number') return header === -EINVAL && dataAddr === 0 ? 0 : header;
  if (dataAddr === 0) return 0;
  if (header.pid < 0) return -EINVAL;
  const target = header.pid === 0 ? task : task.kernel.task(header.pid);
  if (target === undefined) return -ESRCH;
  const bytes = new Uint8Array(header.words * 12);
  const v = viewOf(bytes);
  const { effective, permitted, inheritable } = target.creds;
  for (let i = 0; i < header.words; i++) {
    [effective, permitted, inheritable].forEach((set, k) =>
      v.setUint32(12 * i + 4 * k, Number((set >> BigInt(32 * i)) & 0xffff_ffffn), true),
    );
  }
  return writeBytes(task, dataAddr, bytes);
}

function capset(task: Task, headerAddr: Addr, dataAddr: Addr): number {
  const header = readCapHeader(task, headerAddr);
  if (typeof header === 'number') return header;
  if (header.pid !== 0 && header.pid !== task.tid) return -EPERM;
  const bytes = readBytes(task, dataAddr, header.words * 12);
  if (bytes === undefined) return -EFAULT;
  const v = viewOf(bytes);
  const sets = [0n, 0n, 0n];
  for (let i = 0; i < header.words; i++) {
    for (let k = 0; k < 3; k++)
      sets[k] = (sets[k] as bigint) | (BigInt(v.getUint32(12 * i + 4 * k, true)) << BigInt(32 * i));
  }
  const [effective, permitted, inheritable] = sets.map((set) => set & ALL_CAPS) as [bigint, bigint, bigint];
  const { creds } = task;
  let mayInherit = creds.inheritable | creds.bounding;
  if (!hasCap(creds, Cap.setpcap)) mayInherit &= creds.inheritable | creds.permitted;
  if ((permitted & ~creds.permitted) !== 0n || (effective & ~permitted) !== 0n || (inheritable & ~mayInherit) !== 0n)
    return -EPERM;
  become(task, { ...creds, effective, permitted, inheritable, ambient: creds.ambient & permitted & inheritable });
  return 0;
}

function setpgid(task: Task, pidArg: number, pgidArg: number): number {
  const { kernel, group: own } = task;
  const pid = pidArg === 0 ? own.tgid : pidArg;
  const pgid = pgidArg === 0 ? pid : pgidArg;
  if (pgid < 0) return -EINVAL;
  const group = kernel.groups.get(pid);
  if (group === undefined && kernel.task(pid) !== undefined) return -EINVAL;
  if (group === undefined || (group !== own && group.parent !== own)) return -ESRCH;
  if (group !== own && group.hasExeced) return -EACCES;
  if (group.sid !== own.sid || group.sid === group.tgid) return -EPERM;
  if (pgid !== pid && ![...kernel.groups.values()].some((g) => g.pgid === pgid && g.sid === own.sid)) return -EPERM;
  group.pgid = pgid;
  return 0;
}

function setsid(task: Task): number {
  const { group, kernel } = task;
  for (const other of kernel.groups.values()) if (other.pgid === group.tgid) return -EPERM;
  group.sid = group.tgid;
  group.pgid = group.tgid;
  group.tty = null;
  return group.sid;
}

function idOf(task: Task, pid: number, which: 'pgid' | 'sid'): number {
  const group = pid === 0 ? task.group : (task.kernel.groups.get(pid) ?? task.kernel.task(pid)?.group);
  return group === undefined ? -ESRCH : group[which];
}

const get = (
  nr: number,
  name: string,
  field: keyof Pick<Credentials, 'uid' | 'euid' | 'gid' | 'egid'>,
): SyscallDef => ({
  nr,
  name,
  args: [],
  call: (task) => task.creds[field],
});

export const identityCalls: readonly SyscallDef[] = [
  get(102, 'getuid', 'uid'),
  get(104, 'getgid', 'gid'),
  get(107, 'geteuid', 'euid'),
  get(108, 'getegid', 'egid'),
  { nr: 105, name: 'setuid', args: ['uid'], call: (task, a) => setuid(task, a.int(0)) },
  { nr: 106, name: 'setgid', args: ['uid'], call: (task, a) => setgid(task, a.int(0)) },
  { nr: 109, name: 'setpgid', args: ['pid', 'pid'], call: (task, a) => setpgid(task, a.int(0), a.int(1)) },
  { nr: 111, name: 'getpgrp', args: [], call: (task) => task.group.pgid },
  { nr: 112, name: 'setsid', args: [], call: (task) => setsid(task) },
  { nr: 113, name: 'setreuid', args: ['uid', 'uid'], call: (task, a) => setreuid(task, a.int(0), a.int(1)) },
  { nr: 114, name: 'setregid', args: ['uid', 'uid'], call: (task, a) => setregid(task, a.int(0), a.int(1)) },
  { nr: 115, name: 'getgroups', args: ['int', 'out:gidlist'], call: (task, a) => getgroups(task, a.int(0), a.num(1)) },
  { nr: 116, name: 'setgroups', args: ['int', 'in:gidlist'], call: (task, a) => setgroups(task, a.int(0), a.num(1)) },
  { nr: 117, name: 'setresuid', args: ['uid', 'uid', 'uid'], call: setresuid },
  {
    nr: 118,
    name: 'getresuid',
    args: ['out:uid', 'out:uid', 'out:uid'],
    call: (task, a) => writeThree(task, a, [task.creds.uid, task.creds.euid, task.creds.suid]),
  },
  { nr: 119, name: 'setresgid', args: ['uid', 'uid', 'uid'], call: setresgid },
  {
    nr: 120,
    name: 'getresgid',
    args: ['out:uid', 'out:uid', 'out:uid'],
    call: (task, a) => writeThree(task, a, [task.creds.gid, task.creds.egid, task.creds.sgid]),
  },
  { nr: 121, name: 'getpgid', args: ['pid'], call: (task, a) => idOf(task, a.int(0), 'pgid') },
  { nr: 122, name: 'setfsuid', args: ['uid'], call: (task, a) => setFsId(task, a.int(0), true) },
  { nr: 123, name: 'setfsgid', args: ['uid'], call: (task, a) => setFsId(task, a.int(0), false) },
  { nr: 124, name: 'getsid', args: ['pid'], call: (task, a) => idOf(task, a.int(0), 'sid') },
  {
    nr: 125,
    name: 'capget',
    args: ['inout:capheader', 'out:capdata'],
    call: (task, a) => capget(task, a.num(0), a.num(1)),
  },
  {
    nr: 126,
    name: 'capset',
    args: ['in:capheader', 'in:capdata'],
    call: (task, a) => capset(task, a.num(0), a.num(1)),
  },
];
