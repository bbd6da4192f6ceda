// SPDX-License-Identifier: MIT
//
// Layouts of what the kernel and a signal handler exchange: sigaction, stack_t, siginfo, ucontext and the
// frame on the stack; include/uapi/asm-generic/siginfo.h, arch/x86/include/uapi/asm/sigcontext.h.

/** struct sigaction as rt_sigaction takes it; the mask is one 64-bit word. */
export const Sigaction = { size: 32, handler: 0, flags: 8, restorer: 16, mask: 24 } as const;

/** Size of the kernel's sigset_t, which rt_* calls check. */
export const SIGSET_BYTES = 8;

/** stack_t. */
export const StackT = { size: 24, sp: 0, flags: 8, stackSize: 16 } as const;

/** struct sigevent. */
export const Sigevent = { size: 64, value: 0, signo: 8, notify: 12, tid: 16 } as const;

/** siginfo_t; the fields after `code` overlay one another, by kind. */
// prettier-ignore
export const Siginfo = {
  size: 128, signo: 0, errno: 4, code: 8,
  /** kill, sigqueue: sender and value; value also for timers. */
  pid: 16, uid: 20, value: 24,
  /** POSIX timers. */
  timerId: 16, overrun: 20,
  /** SIGCHLD. */
  status: 24, utime: 32, stime: 40,
  /** Faults. */
  addr: 16, addrLsb: 24,
  /** SIGIO. */
  band: 16, fd: 24,
  /** SIGSYS. */
  callAddr: 16, syscall: 24, arch: 28,
} as const;

/** struct sigcontext: the machine context inside ucontext. */
// prettier-ignore
export const Sigcontext = {
  size: 256, r8: 0, r9: 8, r10: 16, r11: 24, r12: 32, r13: 40, r14: 48, r15: 56, rdi: 64, rsi: 72, rbp: 80, rbx: 88,
  rdx: 96, rax: 104, rcx: 112, rsp: 120, rip: 128, rflags: 136, cs: 144, gs: 146, fs: 148, ss: 150, err: 152, trapno: 160,
  oldmask: 168, cr2: 176, fpstate: 184,
} as const;

/** struct ucontext. */
export const Ucontext = { size: 304, flags: 0, link: 8, stack: 16, mcontext: 40, sigmask: 296 } as const;

/** uc_flags: the FP state has an extended part; the ss in the context is valid and restored. */
export const UC_FP_XSTATE = 1;
export const UC_SIGCONTEXT_SS = 2;
export const UC_STRICT_RESTORE_SS = 4;

/** struct rt_sigframe: what lies on the stack, from the return address upwards. */
export const RtSigframe = { size: 440, pretcode: 0, ucontext: 8, siginfo: 312 } as const;

/** struct _fpstate_64: an FXSAVE image whose last 48 bytes describe an extended part. */
// prettier-ignore
export const FpState = {
  size: 512, fcw: 0, fsw: 2, ftw: 4, fop: 6, rip: 8, rdp: 16, mxcsr: 24, mxcsrMask: 28, st: 32, xmm: 160,
  magic1: 464, extendedSize: 468, xfeatures: 472, xstateSize: 480,
} as const;
export const FP_XSTATE_MAGIC1 = 0x46505853;
export const FP_XSTATE_MAGIC2 = 0x46505845;

/** AUDIT_ARCH_X86_64, in SIGSYS. */
export const AUDIT_ARCH_X86_64 = 0xc000003e;
