// SPDX-License-Identifier: MIT
//
// ptrace(2): requests, options, events and the layouts that a tracer exchanges with the kernel;
// include/uapi/linux/ptrace.h, arch/x86/include/uapi/asm/ptrace-abi.h, arch/x86/include/asm/user_64.h.

export const PTRACE_TRACEME = 0;
export const PTRACE_PEEKTEXT = 1;
export const PTRACE_PEEKDATA = 2;
export const PTRACE_PEEKUSER = 3;
export const PTRACE_POKETEXT = 4;
export const PTRACE_POKEDATA = 5;
export const PTRACE_POKEUSER = 6;
export const PTRACE_CONT = 7;
export const PTRACE_KILL = 8;
export const PTRACE_SINGLESTEP = 9;
export const PTRACE_GETREGS = 12;
export const PTRACE_SETREGS = 13;
export const PTRACE_GETFPREGS = 14;
export const PTRACE_SETFPREGS = 15;
export const PTRACE_ATTACH = 16;
export const PTRACE_DETACH = 17;
export const PTRACE_OLDSETOPTIONS = 21;
export const PTRACE_SYSCALL = 24;
export const PTRACE_GET_THREAD_AREA = 25;
export const PTRACE_SET_THREAD_AREA = 26;
export const PTRACE_ARCH_PRCTL = 30;
export const PTRACE_SYSEMU = 31;
export const PTRACE_SYSEMU_SINGLESTEP = 32;
export const PTRACE_SINGLEBLOCK = 33;
export const PTRACE_SETOPTIONS = 0x4200;
export const PTRACE_GETEVENTMSG = 0x4201;
export const PTRACE_GETSIGINFO = 0x4202;
export const PTRACE_SETSIGINFO = 0x4203;
export const PTRACE_GETREGSET = 0x4204;
export const PTRACE_SETREGSET = 0x4205;
export const PTRACE_SEIZE = 0x4206;
export const PTRACE_INTERRUPT = 0x4207;
export const PTRACE_LISTEN = 0x4208;
export const PTRACE_PEEKSIGINFO = 0x4209;
export const PTRACE_GETSIGMASK = 0x420a;
export const PTRACE_SETSIGMASK = 0x420b;
export const PTRACE_SECCOMP_GET_FILTER = 0x420c;
export const PTRACE_SECCOMP_GET_METADATA = 0x420d;
export const PTRACE_GET_SYSCALL_INFO = 0x420e;
export const PTRACE_GET_RSEQ_CONFIGURATION = 0x420f;

export const PTRACE_EVENT_FORK = 1;
export const PTRACE_EVENT_VFORK = 2;
export const PTRACE_EVENT_CLONE = 3;
export const PTRACE_EVENT_EXEC = 4;
export const PTRACE_EVENT_VFORK_DONE = 5;
export const PTRACE_EVENT_EXIT = 6;
export const PTRACE_EVENT_SECCOMP = 7;
export const PTRACE_EVENT_STOP = 128;

export const PTRACE_O_TRACESYSGOOD = 1;
/** Every event below PTRACE_EVENT_STOP is enabled by the bit of its number. */
export const PTRACE_O_TRACEFORK = 1 << PTRACE_EVENT_FORK;
export const PTRACE_O_TRACEVFORK = 1 << PTRACE_EVENT_VFORK;
export const PTRACE_O_TRACECLONE = 1 << PTRACE_EVENT_CLONE;
export const PTRACE_O_TRACEEXEC = 1 << PTRACE_EVENT_EXEC;
export const PTRACE_O_TRACEVFORKDONE = 1 << PTRACE_EVENT_VFORK_DONE;
export const PTRACE_O_TRACEEXIT = 1 << PTRACE_EVENT_EXIT;
export const PTRACE_O_TRACESECCOMP = 1 << PTRACE_EVENT_SECCOMP;
export const PTRACE_O_EXITKILL = 1 << 20;
export const PTRACE_O_SUSPEND_SECCOMP = 1 << 21;
export const PTRACE_O_MASK = 0xff | PTRACE_O_EXITKILL | PTRACE_O_SUSPEND_SECCOMP;

/** What PTRACE_GETEVENTMSG tells in a syscall stop. */
export const PTRACE_EVENTMSG_SYSCALL_ENTRY = 1;
export const PTRACE_EVENTMSG_SYSCALL_EXIT = 2;

/** Added to SIGTRAP in syscall stops with PTRACE_O_TRACESYSGOOD. */
export const SYSGOOD_BIT = 0x80;

export const PTRACE_PEEKSIGINFO_SHARED = 1;
/** struct ptrace_peeksiginfo_args. */
export const PeekSiginfoArgs = { size: 16, off: 0, flags: 8, nr: 12 } as const;

export const PTRACE_SYSCALL_INFO_NONE = 0;
export const PTRACE_SYSCALL_INFO_ENTRY = 1;
export const PTRACE_SYSCALL_INFO_EXIT = 2;
export const PTRACE_SYSCALL_INFO_SECCOMP = 3;
/** struct ptrace_syscall_info; the ends are those of each kind's last field. */
// prettier-ignore
export const PtraceSyscallInfo = {
  size: 88, op: 0, arch: 4, ip: 8, sp: 16, noneEnd: 24,
  nr: 24, args: 32, entryEnd: 80, retData: 80, seccompEnd: 84,
  rval: 24, isError: 32, exitEnd: 33,
} as const;

/** struct ptrace_rseq_configuration. */
export const PtraceRseq = { size: 24, pointer: 0, length: 8, signature: 12, flags: 16 } as const;

/** Register sets by the note types of core files. */
export const NT_PRSTATUS = 1;
export const NT_PRFPREG = 2;
export const NT_386_IOPERM = 0x201;
export const NT_X86_XSTATE = 0x202;

/** struct user_regs_struct: byte offsets. */
// prettier-ignore
export const UserRegsStruct = {
  r15: 0, r14: 8, r13: 16, r12: 24, rbp: 32, rbx: 40, r11: 48, r10: 56, r9: 64, r8: 72, rax: 80, rcx: 88, rdx: 96, rsi: 104,
  rdi: 112, origRax: 120, rip: 128, cs: 136, eflags: 144, rsp: 152, ss: 160, fsBase: 168, gsBase: 176, ds: 184, es: 192,
  fs: 200, gs: 208, size: 216,
} as const;

/** struct user: what of it exists beyond the registers. */
export const UserStruct = { debugRegisters: 848, debugRegistersEnd: 912, size: 928 } as const;
