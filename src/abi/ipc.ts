// SPDX-License-Identifier: MIT
//
// System V IPC and POSIX message queues: flags, commands, limits and structures; include/uapi/linux/{ipc,shm,sem,msg,
// mqueue}.h and asm/{ipcbuf,shmbuf,sembuf,msgbuf}.h.

export const IPC_PRIVATE = 0;
export const IPC_CREAT = 0o1000;
export const IPC_EXCL = 0o2000;
export const IPC_NOWAIT = 0o4000;

export const IPC_RMID = 0;
export const IPC_SET = 1;
export const IPC_STAT = 2;
export const IPC_INFO = 3;

// shmget, shmat, shmctl
export const SHM_HUGETLB = 0o4000;
export const SHM_NORESERVE = 0o10000;
export const SHM_RDONLY = 0o10000;
export const SHM_RND = 0o20000;
export const SHM_REMAP = 0o40000;
export const SHM_EXEC = 0o100000;
export const SHM_LOCK = 11;
export const SHM_UNLOCK = 12;
export const SHM_STAT = 13;
export const SHM_INFO = 14;
export const SHM_STAT_ANY = 15;
/** Bits of a segment's mode: destroyed with its last user; locked. */
export const SHM_DEST = 0o1000;
export const SHM_LOCKED = 0o2000;
export const SHMMNI = 4096;
/** Default of kernel.shmmax and kernel.shmall: 2^64 - 1 - 2^24. */
export const SHMMAX = 0xfffffffffeffffffn;
export const SHMALL = SHMMAX;

// semop, semctl
export const SEM_UNDO = 0x1000;
export const GETPID = 11;
export const GETVAL = 12;
export const GETALL = 13;
export const GETNCNT = 14;
export const GETZCNT = 15;
export const SETVAL = 16;
export const SETALL = 17;
export const SEM_STAT = 18;
export const SEM_INFO = 19;
export const SEM_STAT_ANY = 20;
export const SEMMNI = 32000;
export const SEMMSL = 32000;
export const SEMMNS = SEMMNI * SEMMSL;
export const SEMOPM = 500;
export const SEMVMX = 32767;

// msgrcv, msgctl
export const MSG_NOERROR = 0o10000;
export const MSG_EXCEPT = 0o20000;
export const MSG_COPY = 0o40000;
export const MSG_STAT = 11;
export const MSG_INFO = 12;
export const MSG_STAT_ANY = 13;
export const MSGMNI = 32000;
export const MSGMAX = 8192;
export const MSGMNB = 16384;

/** struct ipc64_perm, the head of the three below. */
// prettier-ignore
export const IpcPerm = { size: 48, key: 0, uid: 4, gid: 8, cuid: 12, cgid: 16, mode: 20, seq: 24 } as const;
/** struct shmid64_ds. */
// prettier-ignore
export const ShmidDs = {
  size: 112, segsz: 48, atime: 56, dtime: 64, ctime: 72, cpid: 80, lpid: 84, nattch: 88,
} as const;
/** struct shminfo64. */
export const Shminfo = { size: 72, shmmax: 0, shmmin: 8, shmmni: 16, shmseg: 24, shmall: 32 } as const;
/** struct shm_info. */
export const ShmInfo = { size: 48, usedIds: 0, total: 8, resident: 16, swapped: 24 } as const;
/** struct semid64_ds. */
export const SemidDs = { size: 104, otime: 48, ctime: 64, nsems: 80 } as const;
/** struct seminfo: ten ints. */
// prettier-ignore
export const Seminfo = {
  size: 40, semmap: 0, semmni: 4, semmns: 8, semmnu: 12, semmsl: 16, semopm: 20, semume: 24, semusz: 28, semvmx: 32,
  semaem: 36,
} as const;
/** struct sembuf. */
export const Sembuf = { size: 6, num: 0, op: 2, flags: 4 } as const;
/** struct msqid64_ds. */
// prettier-ignore
export const MsqidDs = {
  size: 120, stime: 48, rtime: 56, ctime: 64, cbytes: 72, qnum: 80, qbytes: 88, lspid: 96, lrpid: 100,
} as const;
/** struct msginfo: seven ints and a short. */
// prettier-ignore
export const Msginfo = {
  size: 32, msgpool: 0, msgmap: 4, msgmax: 8, msgmnb: 12, msgmni: 16, msgssz: 20, msgtql: 24, msgseg: 28,
} as const;

// POSIX message queues
export const MQ_PRIO_MAX = 32768;
/** struct mq_attr: eight longs. */
export const MqAttr = { size: 64, flags: 0, maxmsg: 8, msgsize: 16, curmsgs: 24 } as const;
/** fs.mqueue.*: what queues may be given, and how many there may be. */
export const MqLimits = { queues: 256, messages: 10, messageBytes: 8192, hardMessages: 65_536, hardBytes: 16_777_216 };
/** fs.inotify.*: per user. */
export const InotifyLimits = { events: 16_384, instances: 128, watches: 65_536 };
export const MQUEUE_MAGIC = 0x19800202;
/** Bytes of the cookie that mq_notify with SIGEV_THREAD sends through a netlink socket. */
export const NOTIFY_COOKIE_LEN = 32;
/** Its last byte: a message came, or the registration ended. */
export const NOTIFY_WOKENUP = 1;
export const NOTIFY_REMOVED = 2;
