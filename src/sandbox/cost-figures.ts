// SPDX-License-Identifier: MIT
//
// What system calls cost on real hardware: figures that people have measured, with where and how. The cost model
// (cost-model.ts) multiplies; nothing here comes from the emulated processor.

/** Nanoseconds of one event: the least and the most of what the source gives. */
export interface CostFigure {
  readonly low: number;
  readonly high: number;
  /** Measured as it stands, or put together from other figures: then how. */
  readonly how: string;
}

/** Ways to serve a call, and what else a run pays for. */
export type CostEvent =
  /** The kernel's own getpid. */
  | 'native'
  /** One stop of PTRACE_SYSEMU. */
  | 'ptrace'
  /** SIGSYS by a seccomp filter that says RET_TRAP. */
  | 'seccomp'
  /** SIGSYS by syscall user dispatch. */
  | 'userDispatch'
  /** Through a patched site and its slot. */
  | 'patched'
  /** A task that met the guard byte: SIGILL, then again at the site. */
  | 'restart'
  /** A fault that becomes a signal of the program's: whoever serves it gets a signal, too. */
  | 'fault';

/** Figures that belong together. */
export interface CostBasis {
  readonly name: 'mechanism' | 'runsc';
  /** Machine, method and document, in one sentence. */
  readonly source: string;
  readonly figures: Readonly<Record<CostEvent, CostFigure>>;
}

const measured = (low: number, high: number, how: string): CostFigure => ({ low, high, how });

/**
 * `mechanism`: what the kernel and the processor take when a handler answers at once. `runsc`: what a program under
 * gVisor sees, hand-off to the Sentry included, with processors to spare.
 */
export const COST_BASES: readonly CostBasis[] = [
  {
    name: 'mechanism',
    source:
      'AMD EPYC (Zen 4) in a virtual machine, 2 shared processors, Linux 6.18; handlers that answer at once, least and greatest of several runs',
    figures: {
      native: measured(138, 212, 'getpid'),
      ptrace: measured(10_666, 22_139, 'SYSEMU, one stop; registers read and written in one of the two'),
      seccomp: measured(2194, 3305, 'a handler that sets rax'),
      userDispatch: measured(2293, 3630, 'a handler that sets rax'),
      patched: measured(66, 80, 'jmp to a slot that saves all registers and xsaveopt'),
      restart: measured(7398, 11_550, 'ud2 and SIGILL; invalid opcodes leave the virtual machine'),
      fault: measured(2446, 3696, 'int3 and SIGTRAP, for SIGSEGV'),
    },
  },
  {
    name: 'runsc',
    source:
      'runsc 0.0~20240729 and commit 3c5eee1 on that machine when the Sentry can spin; the launch post of Systrap (2023, GCE n2-standard-4)',
    figures: {
      native: measured(138, 239, 'getpid: that machine, the post'),
      ptrace: measured(15_400, 17_000, 'getpid: the post, that machine'),
      seccomp: measured(2376, 5000, 'getpid from a site that is not patched: the post, that machine'),
      userDispatch: measured(
        2107,
        4435,
        'the seccomp figures times 0.887, the ratio in the message of commit a45d6227b',
      ),
      patched: measured(520, 1017, 'getpid from a patched site: that machine, the post'),
      restart: measured(7580, 13_245, 'the seccomp figures, with SIGILL of `mechanism` in place of its SIGSYS'),
      fault: measured(2376, 5000, 'the seccomp figures: the same signal path and the same hand-off'),
    },
  },
];
