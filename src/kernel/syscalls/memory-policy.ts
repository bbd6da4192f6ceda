// SPDX-License-Identifier: MIT
//
// mbind(2), set_mempolicy(2), get_mempolicy(2): where memory is to come from. There is one node, so a policy changes
// nothing but what get_mempolicy tells. Models Linux mm/mempolicy.c (mpol_new, mpol_set_nodemask, get_nodes).

import { EFAULT, EINVAL, EPERM } from '../../abi/errno.ts';
import { PAGE_SIZE } from '../../base/addr.ts';
import type { Addr } from '../../base/addr.ts';
import { Cap, hasCap } from '../credentials.ts';
import type { MemoryPolicy, Task } from '../task.ts';
import type { Args, SyscallDef } from './table.ts';
import { readBytes, writeBytes } from './times.ts';

const MPOL_DEFAULT = 0;
const MPOL_PREFERRED = 1;
const MPOL_BIND = 2;
const MPOL_INTERLEAVE = 3;
const MPOL_LOCAL = 4;
const MPOL_PREFERRED_MANY = 5;

const MPOL_F_NUMA_BALANCING = 0x2000;
const MPOL_F_RELATIVE_NODES = 0x4000;
const MPOL_F_STATIC_NODES = 0x8000;
const MODE_FLAGS = MPOL_F_NUMA_BALANCING | MPOL_F_RELATIVE_NODES | MPOL_F_STATIC_NODES;
/** Those with which the policy speaks of the caller's mask rather than of nodes that are there. */
const USER_MASK = MPOL_F_RELATIVE_NODES | MPOL_F_STATIC_NODES;

const MPOL_F_NODE = 1;
const MPOL_F_ADDR = 2;
const MPOL_F_MEMS_ALLOWED = 4;

const MPOL_MF_MOVE_ALL = 4;
const MPOL_MF_VALID = 7;

/** Nodes that a mask may name, as kernels of distributions have it. */
const MAX_NODES = 1024;
const MAX_MASK_BYTES = MAX_NODES / 8;
/** Bits of a mask that Linux looks through: a page. */
const MAX_MASK_BITS = 8 * PAGE_SIZE;

/** A mode with its flags, or undefined where they do not go together. */
function checkedMode(given: number): number | undefined {
  const mode = given & ~MODE_FLAGS;
  if (mode < 0 || mode > MPOL_PREFERRED_MANY) return undefined;
  if ((given & USER_MASK) === USER_MASK) return undefined;
  return (given & MPOL_F_NUMA_BALANCING) !== 0 && mode !== MPOL_BIND ? undefined : given;
}

/** The nodes at `addr`, of which `maxNode - 1` bits count, or an error. */
function readNodes(task: Task, addr: Addr, maxNode: number): Uint8Array | number {
  const nodes = new Uint8Array(MAX_MASK_BYTES);
  const bits = maxNode - 1;
  if (bits === 0 || addr === 0) return nodes;
  if (bits < 0 || bits > MAX_MASK_BITS) return -EINVAL;
  const given = readBytes(task, addr, 8 * Math.ceil(bits / 64));
  if (given === undefined) return -EFAULT;
  for (let bit = bits; bit < 8 * given.length; bit++) given[bit >> 3] = (given[bit >> 3] ?? 0) & ~(1 << (bit & 7));
  if (given.subarray(MAX_MASK_BYTES).some((byte) => byte !== 0)) return -EINVAL;
  nodes.set(given.subarray(0, MAX_MASK_BYTES));
  return nodes;
}

/** The policy that a mode and nodes make, `null` for the default one, or an error. */
function makePolicy(mode: number, nodes: Uint8Array): MemoryPolicy | null | number {
  const kind = mode & ~MODE_FLAGS;
  const isEmpty = nodes.every((byte) => byte === 0);
  if (kind === MPOL_DEFAULT) return isEmpty ? null : -EINVAL;
  if (kind === MPOL_LOCAL || (kind === MPOL_PREFERRED && isEmpty)) {
    return isEmpty && (mode & USER_MASK) === 0 ? { mode: MPOL_LOCAL | (mode & MODE_FLAGS), nodes } : -EINVAL;
  }
  if (isEmpty) return -EINVAL;
  // Relative nodes are folded onto those that are there; any other is node 0 or none.
  const isThere = (mode & MPOL_F_RELATIVE_NODES) !== 0 || ((nodes[0] ?? 0) & 1) !== 0;
  if (!isThere) return -EINVAL;
  return { mode, nodes: (mode & USER_MASK) !== 0 ? nodes : Uint8Array.of(1) };
}

const MODE_NAMES = ['default', 'prefer', 'bind', 'interleave', 'local', 'prefer (many)'];

/** A policy as /proc/<pid>/numa_maps names it (mpol_to_str). */
export function policyText(policy: MemoryPolicy | null): string {
  // One that balances passes for the default one, as in Linux.
  if (policy === null || (policy.mode & MPOL_F_NUMA_BALANCING) !== 0) return 'default';
  const kind = policy.mode & ~MODE_FLAGS;
  const isStatic = (policy.mode & MPOL_F_STATIC_NODES) !== 0;
  const flags = (policy.mode & USER_MASK) === 0 ? '' : isStatic ? '=static' : '=relative';
  // Of the nodes that it may name only the first is there.
  return `${MODE_NAMES[kind] ?? ''}${flags}${kind === MPOL_LOCAL ? '' : ':0'}`;
}

function policyOf(task: Task, modeArg: number, maskAddr: Addr, maxNode: number): MemoryPolicy | null | number {
  const mode = checkedMode(modeArg);
  if (mode === undefined) return -EINVAL;
  const nodes = readNodes(task, maskAddr, maxNode);
  return typeof nodes === 'number' ? nodes : makePolicy(mode, nodes);
}

function setMempolicy(task: Task, a: Args): number {
  const policy = policyOf(task, a.int(0), a.num(1), a.num(2));
  if (typeof policy === 'number') return policy;
  task.memoryPolicy = policy;
  return 0;
}

/** Whether all of a range is mapped, or for the default policy any of it. */
function isMapped(task: Task, start: Addr, end: Addr, takesHoles: boolean): boolean {
  task.mm.beforeAsking(start, end - start);
  if (takesHoles) {
    const first = task.mm.findVmaAbove(start);
    return first !== undefined && first.start < end;
  }
  for (let at = start; at < end;) {
    const area = task.mm.findVma(at);
    if (area === undefined) return false;
    at = area.end;
  }
  return true;
}

function mbind(task: Task, a: Args): number {
  const start = a.num(0);
  const length = a.num(1);
  const flags = a.uint(5);
  const mode = checkedMode(a.int(2));
  if (mode === undefined) return -EINVAL;
  const nodes = readNodes(task, a.num(3), a.num(4));
  if (typeof nodes === 'number') return nodes;
  if ((flags & ~MPOL_MF_VALID) !== 0) return -EINVAL;
  if ((flags & MPOL_MF_MOVE_ALL) !== 0 && !hasCap(task.creds, Cap.sysNice)) return -EPERM;
  if (start % PAGE_SIZE !== 0) return -EINVAL;
  // Lengths within a page of 2^64 wrap to nothing.
  const end = start + (length > 2 ** 64 - PAGE_SIZE ? 0 : PAGE_SIZE * Math.ceil(length / PAGE_SIZE));
  if (end >= 2 ** 64) return -EINVAL;
  if (end === start) return 0;
  const policy = makePolicy(mode, nodes);
  if (typeof policy === 'number') return policy;
  return isMapped(task, start, end, policy === null) ? 0 : -EFAULT;
}

function getMempolicy(task: Task, a: Args): number {
  const modeAddr = a.num(0);
  const maskAddr = a.num(1);
  const maxNode = a.num(2);
  const addr = a.num(3);
  const flags = a.num(4);
  const asksMemory = (flags & MPOL_F_MEMS_ALLOWED) !== 0;
  const asksNode = (flags & MPOL_F_NODE) !== 0;
  if (maskAddr !== 0 && maxNode < 1) return -EINVAL;
  if (flags > (MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED)) return -EINVAL;
  if (asksMemory && (flags & (MPOL_F_NODE | MPOL_F_ADDR)) !== 0) return -EINVAL;
  // Memory of its own policy there is none.
  const policy = asksMemory || (flags & MPOL_F_ADDR) !== 0 ? null : task.memoryPolicy;
  if (!asksMemory) {
    if ((flags & MPOL_F_ADDR) === 0) {
      if (addr !== 0) return -EINVAL;
      if (asksNode && ((policy?.mode ?? MPOL_DEFAULT) & ~MODE_FLAGS) !== MPOL_INTERLEAVE) return -EINVAL;
    } else if (task.mm.readU8(addr) === undefined) return -EFAULT;
  }
  const answer = asksNode ? 0 : (policy?.mode ?? MPOL_DEFAULT);
  if (modeAddr !== 0 && !task.mm.writeU32(modeAddr, answer)) return -EFAULT;
  if (maskAddr === 0) return 0;
  const mask = new Uint8Array(Math.min(8 * Math.ceil(maxNode / 64), MAX_MASK_BYTES));
  if (asksMemory) mask[0] = 1;
  else if (policy !== null) mask.set(policy.nodes.subarray(0, mask.length));
  return writeBytes(task, maskAddr, mask);
}

export const memoryPolicyCalls: readonly SyscallDef[] = [
  {
    nr: 237,
    name: 'mbind',
    args: ['ptr', 'size', 'int', 'ptr', 'size', 'hex'],
    partial: 'keeping the policy of a range: there is one memory node',
    call: mbind,
  },
  { nr: 238, name: 'set_mempolicy', args: ['int', 'ptr', 'size'], call: setMempolicy },
  { nr: 239, name: 'get_mempolicy', args: ['ptr', 'ptr', 'size', 'ptr', 'hex'], call: getMempolicy },
];
