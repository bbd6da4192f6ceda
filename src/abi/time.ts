// SPDX-License-Identifier: MIT
//
// Clocks, timers and the layouts of times; include/uapi/linux/time.h, time_types.h.

export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;
export const CLOCK_PROCESS_CPUTIME_ID = 2;
export const CLOCK_THREAD_CPUTIME_ID = 3;
export const CLOCK_MONOTONIC_RAW = 4;
export const CLOCK_REALTIME_COARSE = 5;
export const CLOCK_MONOTONIC_COARSE = 6;
export const CLOCK_BOOTTIME = 7;
export const CLOCK_REALTIME_ALARM = 8;
export const CLOCK_BOOTTIME_ALARM = 9;
export const CLOCK_SGI_CYCLE = 10;
export const CLOCK_TAI = 11;

export const TIMER_ABSTIME = 1;
export const ITIMER_REAL = 0;
export const ITIMER_VIRTUAL = 1;
export const ITIMER_PROF = 2;

// utimensat(2): special values of tv_nsec
export const UTIME_NOW = 0x3fffffff;
export const UTIME_OMIT = 0x3ffffffe;

/** Clock ticks per second as user space sees them (AT_CLKTCK). */
export const USER_HZ = 100;

/** struct timespec. */
export const Timespec = { size: 16, sec: 0, nsec: 8 } as const;
/** struct timeval. */
export const Timeval = { size: 16, sec: 0, usec: 8 } as const;
/** struct itimerspec. */
export const Itimerspec = { size: 32, interval: 0, value: 16 } as const;
/** struct itimerval. */
export const Itimerval = { size: 32, interval: 0, value: 16 } as const;
/** struct timezone. */
export const Timezone = { size: 8, minuteswest: 0, dsttime: 4 } as const;
