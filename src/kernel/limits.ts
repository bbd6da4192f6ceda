// SPDX-License-Identifier: MIT
//
// Resource limits of a thread group: getrlimit(2). Values are bigint as on the wire; RLIM_INFINITY is 2^64-1.

import {
  RLIMIT_CORE,
  RLIMIT_MEMLOCK,
  RLIMIT_MSGQUEUE,
  RLIMIT_NICE,
  RLIMIT_NOFILE,
  RLIMIT_NPROC,
  RLIMIT_RTPRIO,
  RLIMIT_SIGPENDING,
  RLIMIT_STACK,
  RLIM_INFINITY,
  RLIM_NLIMITS,
} from '../abi/resource.ts';

/** Tids are below this: /proc/sys/kernel/pid_max. */
export const PID_MAX = 4_194_304;

export interface LimitPair {
  readonly soft: bigint;
  readonly hard: bigint;
}

const unlimited: LimitPair = { soft: RLIM_INFINITY, hard: RLIM_INFINITY };

/** The limits a first thread group starts with: Debian's defaults, with the number of tasks that the kernel allows. */
export function defaultLimits(maxTasks: number): LimitPair[] {
  const limits = Array.from({ length: RLIM_NLIMITS }, () => unlimited);
  const set = (resource: number, soft: number, hard: bigint): void => {
    limits[resource] = { soft: BigInt(soft), hard };
  };
  set(RLIMIT_STACK, 8 * 1024 * 1024, RLIM_INFINITY);
  set(RLIMIT_CORE, 0, RLIM_INFINITY);
  set(RLIMIT_NPROC, maxTasks, BigInt(maxTasks));
  set(RLIMIT_NOFILE, 1024, 1_048_576n);
  set(RLIMIT_MEMLOCK, 8 * 1024 * 1024, BigInt(8 * 1024 * 1024));
  set(RLIMIT_SIGPENDING, maxTasks, BigInt(maxTasks));
  set(RLIMIT_MSGQUEUE, 819_200, 819_200n);
  set(RLIMIT_NICE, 0, 0n);
  set(RLIMIT_RTPRIO, 0, 0n);
  return limits;
}

/** A limit as a number; Infinity for RLIM_INFINITY. */
export function limitNumber(value: bigint): number {
  return value === RLIM_INFINITY ? Infinity : Number(value);
}
