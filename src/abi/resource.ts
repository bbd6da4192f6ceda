// SPDX-License-Identifier: MIT
//
// Resource limits and usage; include/uapi/asm-generic/resource.h, linux/resource.h.

export const RLIMIT_CPU = 0;
export const RLIMIT_FSIZE = 1;
export const RLIMIT_DATA = 2;
export const RLIMIT_STACK = 3;
export const RLIMIT_CORE = 4;
export const RLIMIT_RSS = 5;
export const RLIMIT_NPROC = 6;
export const RLIMIT_NOFILE = 7;
export const RLIMIT_MEMLOCK = 8;
export const RLIMIT_AS = 9;
export const RLIMIT_LOCKS = 10;
export const RLIMIT_SIGPENDING = 11;
export const RLIMIT_MSGQUEUE = 12;
export const RLIMIT_NICE = 13;
export const RLIMIT_RTPRIO = 14;
export const RLIMIT_RTTIME = 15;
export const RLIM_NLIMITS = 16;

export const RUSAGE_SELF = 0;
export const RUSAGE_CHILDREN = -1;
export const RUSAGE_THREAD = 1;

/** No limit: all bits set. */
export const RLIM_INFINITY = 0xffffffffffffffffn;

/** struct rlimit64. */
export const Rlimit = { size: 16, cur: 0, max: 8 } as const;

/** struct rusage; times are struct timeval. */
// prettier-ignore
export const Rusage = {
  size: 144, utime: 0, stime: 16, maxrss: 32, ixrss: 40, idrss: 48, isrss: 56, minflt: 64, majflt: 72, nswap: 80,
  inblock: 88, oublock: 96, msgsnd: 104, msgrcv: 112, nsignals: 120, nvcsw: 128, nivcsw: 136,
} as const;

/** struct tms (times(2)), in clock ticks of 1/100 s. */
export const Tms = { size: 32, utime: 0, stime: 8, cutime: 16, cstime: 24 } as const;
