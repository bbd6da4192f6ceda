// SPDX-License-Identifier: MIT
//
// Names, identities and the machine as a whole: utsname, sysinfo, random, membarrier, personality, reboot, rseq,
// capabilities; include/uapi/linux/{utsname,sysinfo,random,membarrier,personality,rseq}.h.

// getrandom(2)
export const GRND_NONBLOCK = 0x1;
export const GRND_RANDOM = 0x2;
export const GRND_INSECURE = 0x4;

// membarrier(2)
export const MEMBARRIER_CMD_QUERY = 0;
export const MEMBARRIER_CMD_GLOBAL = 1;
export const MEMBARRIER_CMD_GLOBAL_EXPEDITED = 2;
export const MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED = 4;
export const MEMBARRIER_CMD_PRIVATE_EXPEDITED = 8;
export const MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED = 16;
export const MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE = 32;
export const MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE = 64;
export const MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ = 128;
export const MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ = 256;
export const MEMBARRIER_CMD_FLAG_CPU = 1;

// personality(2)
export const ADDR_NO_RANDOMIZE = 0x40000;
export const READ_IMPLIES_EXEC = 0x400000;
export const PER_LINUX = 0x0;

// rseq(2)
export const RSEQ_FLAG_UNREGISTER = 1;

// capget(2)
export const _LINUX_CAPABILITY_VERSION_1 = 0x19980330;
export const _LINUX_CAPABILITY_VERSION_2 = 0x20071026;
export const _LINUX_CAPABILITY_VERSION_3 = 0x20080522;

/** struct new_utsname: six fields of 65 bytes. */
// prettier-ignore
export const Utsname = {
  size: 390, fieldSize: 65, sysname: 0, nodename: 65, release: 130, version: 195, machine: 260, domainname: 325,
} as const;

/** struct sysinfo. */
// prettier-ignore
export const Sysinfo = {
  size: 112, uptime: 0, loads: 8, totalram: 32, freeram: 40, sharedram: 48, bufferram: 56, totalswap: 64, freeswap: 72,
  procs: 80, totalhigh: 88, freehigh: 96, memUnit: 104,
} as const;

/** struct rseq, the 32 bytes that every kernel knows. */
export const Rseq = { size: 32, align: 32, cpuIdStart: 0, cpuId: 4, rseqCs: 8, flags: 16 } as const;
/** struct rseq_cs. */
export const RseqCs = { size: 32, version: 0, flags: 4, startIp: 8, postCommitOffset: 16, abortIp: 24 } as const;
/** cpu_id before registration, and after it failed. */
export const RSEQ_CPU_ID_UNINITIALIZED = -1;
export const RSEQ_CPU_ID_REGISTRATION_FAILED = -2;
