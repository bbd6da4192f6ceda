// SPDX-License-Identifier: MIT
//
// clone, scheduling policies and the layout of clone_args; include/uapi/linux/sched.h.

// clone(2); the low byte is the exit signal.
export const CSIGNAL = 0xff;
export const CLONE_VM = 0x100;
export const CLONE_FS = 0x200;
export const CLONE_FILES = 0x400;
export const CLONE_SIGHAND = 0x800;
export const CLONE_PIDFD = 0x1000;
export const CLONE_PTRACE = 0x2000;
export const CLONE_VFORK = 0x4000;
export const CLONE_PARENT = 0x8000;
export const CLONE_THREAD = 0x10000;
export const CLONE_NEWNS = 0x20000;
export const CLONE_SYSVSEM = 0x40000;
export const CLONE_SETTLS = 0x80000;
export const CLONE_PARENT_SETTID = 0x100000;
export const CLONE_CHILD_CLEARTID = 0x200000;
export const CLONE_DETACHED = 0x400000;
export const CLONE_UNTRACED = 0x800000;
export const CLONE_CHILD_SETTID = 0x1000000;
export const CLONE_NEWCGROUP = 0x2000000;
export const CLONE_NEWUTS = 0x4000000;
export const CLONE_NEWIPC = 0x8000000;
export const CLONE_NEWUSER = 0x10000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;
export const CLONE_IO = 0x80000000;
export const CLONE_CLEAR_SIGHAND = 0x100000000;
export const CLONE_INTO_CGROUP = 0x200000000;
export const CLONE_NEWTIME = 0x80;

export const SCHED_NORMAL = 0;
export const SCHED_FIFO = 1;
export const SCHED_RR = 2;
export const SCHED_BATCH = 3;
export const SCHED_IDLE = 5;
export const SCHED_DEADLINE = 6;
export const SCHED_RESET_ON_FORK = 1073741824;

// getpriority(2)
export const PRIO_PROCESS = 0;
export const PRIO_PGRP = 1;
export const PRIO_USER = 2;

/** struct clone_args (clone3), version 2; a shorter one ends after `tls` or `setTidSize`. */
// prettier-ignore
export const CloneArgs = {
  size: 88, sizeVersion0: 64, sizeVersion1: 80,
  flags: 0, pidfd: 8, childTid: 16, parentTid: 24, exitSignal: 32, stack: 40, stackSize: 48, tls: 56,
  setTid: 64, setTidSize: 72, cgroup: 80,
} as const;

/** struct sched_attr; the first version ends before utilMin. */
export const SchedAttr = {
  length: 0,
  policy: 4,
  flags: 8,
  nice: 16,
  priority: 20,
  runtime: 24,
  deadline: 32,
  period: 40,
  utilMin: 48,
  utilMax: 52,
  size: 56,
} as const;
export const SCHED_ATTR_SIZE_VER0 = 48;
export const SCHED_FLAG_RESET_ON_FORK = 0x01;
/** SCHED_FLAG_RECLAIM and SCHED_FLAG_DL_OVERRUN: what belongs to SCHED_DEADLINE. */
export const SCHED_DL_FLAGS = 0x06;
export const SCHED_FLAG_KEEP_POLICY = 0x08;
export const SCHED_FLAG_KEEP_PARAMS = 0x10;
export const SCHED_FLAG_UTIL_CLAMP = 0x60;
export const SCHED_FLAG_ALL = 0x7f;
