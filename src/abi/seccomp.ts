// SPDX-License-Identifier: MIT
//
// seccomp(2) and classic BPF; include/uapi/linux/seccomp.h, linux/bpf_common.h, linux/filter.h.

export const SECCOMP_MODE_DISABLED = 0;
export const SECCOMP_MODE_STRICT = 1;
export const SECCOMP_MODE_FILTER = 2;

export const SECCOMP_SET_MODE_STRICT = 0;
export const SECCOMP_SET_MODE_FILTER = 1;
export const SECCOMP_GET_ACTION_AVAIL = 2;
export const SECCOMP_GET_NOTIF_SIZES = 3;

export const SECCOMP_FILTER_FLAG_TSYNC = 0x1;
export const SECCOMP_FILTER_FLAG_LOG = 0x2;
export const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 0x4;
export const SECCOMP_FILTER_FLAG_NEW_LISTENER = 0x8;
export const SECCOMP_FILTER_FLAG_TSYNC_ESRCH = 0x10;
export const SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 0x20;

// What a filter returns: the action above, 16 bits of data below.
export const SECCOMP_RET_KILL_PROCESS = 0x80000000;
export const SECCOMP_RET_KILL_THREAD = 0x0;
export const SECCOMP_RET_TRAP = 0x30000;
export const SECCOMP_RET_ERRNO = 0x50000;
export const SECCOMP_RET_USER_NOTIF = 0x7fc00000;
export const SECCOMP_RET_TRACE = 0x7ff00000;
export const SECCOMP_RET_LOG = 0x7ffc0000;
export const SECCOMP_RET_ALLOW = 0x7fff0000;
export const SECCOMP_RET_ACTION_FULL = 0xffff0000;
export const SECCOMP_RET_DATA = 0xffff;

export const SECCOMP_IOCTL_NOTIF_RECV = 0xc0502100;
export const SECCOMP_IOCTL_NOTIF_SEND = 0xc0182101;
export const SECCOMP_IOCTL_NOTIF_ID_VALID = 0x40082102;
/** The same with the wrong direction bits, as older headers have it. */
export const SECCOMP_IOCTL_NOTIF_ID_VALID_OLD = 0x80082102;
export const SECCOMP_IOCTL_NOTIF_ADDFD = 0x40182103;

export const SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1;
export const SECCOMP_ADDFD_FLAG_SETFD = 1;
export const SECCOMP_ADDFD_FLAG_SEND = 2;

/** struct seccomp_data: what a filter sees. */
export const SeccompData = { size: 64, nr: 0, arch: 4, instructionPointer: 8, args: 16 } as const;
/** struct seccomp_notif. */
export const SeccompNotif = { size: 80, id: 0, pid: 8, flags: 12, data: 16 } as const;
/** struct seccomp_notif_resp. */
export const SeccompNotifResp = { size: 24, id: 0, val: 8, error: 16, flags: 20 } as const;
/** struct seccomp_notif_addfd. */
export const SeccompNotifAddfd = { size: 24, id: 0, flags: 8, srcfd: 12, newfd: 16, newfdFlags: 20 } as const;

/** struct sock_fprog: a length and a pointer. */
export const SockFprog = { size: 16, length: 0, filter: 8 } as const;
/** struct sock_filter. */
export const SockFilter = { size: 8, code: 0, jt: 2, jf: 3, k: 4 } as const;

export const BPF_MAXINSNS = 4096;
/** Words of scratch memory. */
export const BPF_MEMWORDS = 16;

// Instruction classes and fields; an instruction is a sum of them.
export const BPF_LD = 0x00;
export const BPF_LDX = 0x01;
export const BPF_ST = 0x02;
export const BPF_STX = 0x03;
export const BPF_ALU = 0x04;
export const BPF_JMP = 0x05;
export const BPF_RET = 0x06;
export const BPF_MISC = 0x07;

export const BPF_W = 0x00;
export const BPF_IMM = 0x00;
export const BPF_ABS = 0x20;
export const BPF_MEM = 0x60;
export const BPF_LEN = 0x80;

export const BPF_ADD = 0x00;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
export const BPF_XOR = 0xa0;

export const BPF_JA = 0x00;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;

export const BPF_K = 0x00;
export const BPF_X = 0x08;
export const BPF_A = 0x10;
export const BPF_TAX = 0x00;
export const BPF_TXA = 0x80;
