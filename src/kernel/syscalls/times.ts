// SPDX-License-Identifier: MIT
//
// Times in guest memory, for the calls that take and give them.

import { EFAULT, EINVAL } from '../../abi/errno.ts';
import { CLOCK_REALTIME, CLOCK_REALTIME_ALARM, CLOCK_TAI, Timespec, Timeval } from '../../abi/time.ts';
import { getI64, getTimespec, putTimeval } from '../../abi/words.ts';
import type { Addr } from '../../base/addr.ts';
import { viewOf } from '../../base/bytes.ts';
import type { Task } from '../task.ts';

/** A failure of a helper whose success is a number, too. */
export interface Failure {
  readonly errno: number;
}

export const FAULT: Failure = { errno: -EFAULT };
export const INVALID: Failure = { errno: -EINVAL };

/** Nanoseconds of the struct timespec at `addr`; EFAULT, or EINVAL where Linux says so. */
export function readTimespec(task: Task, addr: Addr): number | Failure {
  const bytes = new Uint8Array(Timespec.size);
  if (task.mm.copyIn(addr, bytes) !== bytes.length) return FAULT;
  return getTimespec(viewOf(bytes), 0) ?? INVALID;
}

/** The same as bigint, exact for moments of CLOCK_REALTIME. */
export function readTimespecBig(task: Task, addr: Addr): bigint | Failure {
  const bytes = new Uint8Array(Timespec.size);
  if (task.mm.copyIn(addr, bytes) !== bytes.length) return FAULT;
  const v = viewOf(bytes);
  const sec = v.getBigInt64(Timespec.sec, true);
  const nsec = v.getBigInt64(Timespec.nsec, true);
  if (sec < 0n || nsec < 0n || nsec > 999_999_999n) return INVALID;
  return sec * 1_000_000_000n + nsec;
}

/** Nanoseconds of the struct timeval at `addr`. */
export function readTimeval(task: Task, addr: Addr): number | Failure {
  const bytes = new Uint8Array(Timeval.size);
  if (task.mm.copyIn(addr, bytes) !== bytes.length) return FAULT;
  const v = viewOf(bytes);
  const sec = getI64(v, Timeval.sec);
  const usec = getI64(v, Timeval.usec);
  if (sec < 0 || usec < 0 || usec > 999_999) return INVALID;
  return sec * 1e9 + usec * 1000;
}

export function writeTimespec(task: Task, addr: Addr, ns: number): number {
  const sec = Math.floor(ns / 1e9);
  const { mm } = task;
  return mm.writeU64(addr + Timespec.sec, sec) && mm.writeU64(addr + Timespec.nsec, ns - sec * 1e9) ? 0 : -EFAULT;
}

export function writeTimespecBig(task: Task, addr: Addr, ns: bigint): number {
  const bytes = new Uint8Array(Timespec.size);
  const v = viewOf(bytes);
  v.setBigInt64(Timespec.sec, ns / 1_000_000_000n, true);
  v.setBigInt64(Timespec.nsec, ns % 1_000_000_000n, true);
  return writeBytes(task, addr, bytes);
}

export function writeTimeval(task: Task, addr: Addr, ns: number): number {
  const bytes = new Uint8Array(Timeval.size);
  putTimeval(viewOf(bytes), 0, ns);
  return writeBytes(task, addr, bytes);
}

/** 0, or -EFAULT unless every byte could be stored. */
export function writeBytes(task: Task, addr: Addr, bytes: Uint8Array): number {
  return task.mm.copyOut(addr, bytes) === bytes.length ? 0 : -EFAULT;
}

/** Bytes of a structure in guest memory, or undefined on a fault. */
export function readBytes(task: Task, addr: Addr, length: number): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  return task.mm.copyIn(addr, bytes) === length ? bytes : undefined;
}

/** Clocks whose moments count from 1970. */
export function isRealtimeClock(clock: number): boolean {
  return clock === CLOCK_REALTIME || clock === CLOCK_REALTIME_ALARM || clock === CLOCK_TAI;
}

/** The monotonic deadline of an absolute moment of a clock. */
export function absoluteDeadline(task: Task, clock: number, at: bigint): number {
  return isRealtimeClock(clock) ? task.kernel.clock.realtimeToMonotonic(at) : Number(at);
}
