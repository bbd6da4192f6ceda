// SPDX-License-Identifier: MIT
//
// The options of prctl(2) that change capabilities and what user id 0 brings. Models Linux security/commoncap.c
// (cap_task_prctl).

import { EINVAL, EPERM } from '../../abi/errno.ts';
import {
  PR_CAPBSET_DROP,
  PR_CAPBSET_READ,
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAP_AMBIENT_IS_SET,
  PR_CAP_AMBIENT_LOWER,
  PR_CAP_AMBIENT_RAISE,
  PR_GET_KEEPCAPS,
  PR_GET_SECUREBITS,
  PR_SET_KEEPCAPS,
  PR_SET_SECUREBITS,
} from '../../abi/prctl.ts';
import {
  ALL_CAPS,
  Cap,
  SECBIT_KEEP_CAPS,
  SECBIT_KEEP_CAPS_LOCKED,
  SECBIT_NO_CAP_AMBIENT_RAISE,
  SECURE_ALL_BITS,
  SECURE_ALL_LOCKS,
  hasCap,
} from '../credentials.ts';
import type { Task } from '../task.ts';
import type { Args } from './table.ts';

/** The bit of a capability that exists, or undefined. */
function capBit(cap: number): bigint | undefined {
  const bit = cap < 64 ? 1n << BigInt(cap) : 0n;
  return (bit & ALL_CAPS) === 0n ? undefined : bit;
}

function ambient(task: Task, a: Args): number {
  const { creds } = task;
  const op = a.num(1);
  const hasMore = a.num(3) !== 0 || a.num(4) !== 0;
  if (op === PR_CAP_AMBIENT_CLEAR_ALL) {
    if (a.num(2) !== 0 || hasMore) return -EINVAL;
    task.creds = { ...creds, ambient: 0n };
    return 0;
  }
  const bit = capBit(a.num(2));
  if (bit === undefined || hasMore) return -EINVAL;
  switch (op) {
    case PR_CAP_AMBIENT_IS_SET:
      return (creds.ambient & bit) === 0n ? 0 : 1;
    case PR_CAP_AMBIENT_RAISE: {
      const mayRaise = (creds.securebits & SECBIT_NO_CAP_AMBIENT_RAISE) === 0;
      if (!mayRaise || (creds.permitted & creds.inheritable & bit) === 0n) return -EPERM;
      task.creds = { ...creds, ambient: creds.ambient | bit };
      return 0;
    }
    case PR_CAP_AMBIENT_LOWER:
      task.creds = { ...creds, ambient: creds.ambient & ~bit };
      return 0;
    default:
      return -EINVAL;
  }
}

function setSecurebits(task: Task, bits: number): number {
  const { creds } = task;
  const locks = creds.securebits & SECURE_ALL_LOCKS;
  const changes = bits >= 0x100 ? SECURE_ALL_BITS : creds.securebits ^ bits;
  const breaksLock = ((locks >> 1) & changes) !== 0 || (locks & ~bits) !== 0;
  const isUnknown = bits >= 0x100 || (bits & ~(SECURE_ALL_LOCKS | SECURE_ALL_BITS)) !== 0;
  if (breaksLock || isUnknown || !hasCap(creds, Cap.setpcap)) return -EPERM;
  task.creds = { ...creds, securebits: bits };
  return 0;
}

function setKeepCaps(task: Task, value: number): number {
  const { creds } = task;
  if (value > 1) return -EINVAL;
  if ((creds.securebits & SECBIT_KEEP_CAPS_LOCKED) !== 0) return -EPERM;
  const others = creds.securebits & ~SECBIT_KEEP_CAPS;
  task.creds = { ...creds, securebits: value === 1 ? others | SECBIT_KEEP_CAPS : others };
  return 0;
}

/** The result of an option about capabilities; undefined for all other options. */
export function prctlCapabilities(task: Task, a: Args): number | undefined {
  const { creds } = task;
  const value = a.num(1);
  switch (a.int(0)) {
    case PR_GET_KEEPCAPS:
      return (creds.securebits & SECBIT_KEEP_CAPS) === 0 ? 0 : 1;
    case PR_SET_KEEPCAPS:
      return setKeepCaps(task, value);
    case PR_GET_SECUREBITS:
      return creds.securebits;
    case PR_SET_SECUREBITS:
      return setSecurebits(task, value);
    case PR_CAPBSET_READ: {
      const bit = capBit(value);
      return bit === undefined ? -EINVAL : (creds.bounding & bit) === 0n ? 0 : 1;
    }
    case PR_CAPBSET_DROP: {
      if (!hasCap(creds, Cap.setpcap)) return -EPERM;
      const bit = capBit(value);
      if (bit === undefined) return -EINVAL;
      task.creds = { ...creds, bounding: creds.bounding & ~bit };
      return 0;
    }
    case PR_CAP_AMBIENT:
      return ambient(task, a);
    default:
      return undefined;
  }
}
