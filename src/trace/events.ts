// SPDX-License-Identifier: MIT
//
// The event schema: what components record, once and in order. strace lines, metrics, Perfetto files and crash
// reports are renderings of these events. A change of meaning raises TRACE_VERSION.

export const TRACE_VERSION = 1;

/**
 * Kinds, and what `a`, `b`, `c` and the text carry. Addresses and results are numbers (user half, or sign-extended
 * small integers); `text` exists only when a sink asked for it.
 *
 * | kind | a | b | c | text |
 * |---|---|---|---|---|
 * | syscallEnter | sysno | rip after the site | 0 trapped, 1 through a trampoline | arguments known at entry |
 * | syscallArgs | arg 0 | arg 1 | arg 2 | |
 * | syscallExit | sysno | result | characters of text before the result | remaining arguments, then the result |
 * | signalDelivered | signo | si_code | handler address, 0 default action | siginfo |
 * | signalFatal | signo | 1 with core | faulting rip | |
 * | taskStart | tgid | parent tid | clone flags | |
 * | taskExit | tgid | wait status | 1 when the whole group ends | |
 * | exec | tgid | entry point | previous tid | path |
 * | contextSwitch | previous tid | runnable tasks | | |
 * | guestFault | address | 0 read, 1 write, 2 execute | rip | |
 * | sitePatched | address of the site | sysno | number of the trap slot | |
 * | siteRefused | address of the site | index of the rule | traps so far | rule |
 * | patchStore | address | length | value, at most 48 bits | |
 * | siteRestarted | rip of the fault | rip it restarts at | 0 restart, 1 served as a syscall | |
 * | slotUsed | slots used | capacity | address of the slot | |
 * | unimplemented | sysno | rip | | |
 * | taskStopped | signo | | | |
 * | signalIgnored | signo | si_code | | siginfo |
 * | runStart | seed | | | program |
 * | runEnd | exit code, or -signo | instructions | | |
 */
// prettier-ignore
export const EventKind = {
  syscallEnter: 1, syscallArgs: 2, syscallExit: 3, signalDelivered: 4, signalFatal: 5, taskStart: 6, taskExit: 7, exec: 8,
  contextSwitch: 9, guestFault: 10, sitePatched: 11, siteRefused: 12, patchStore: 13, siteRestarted: 14, slotUsed: 15,
  unimplemented: 17, runStart: 18, runEnd: 19, taskStopped: 20, signalIgnored: 21,
} as const;

export type EventKind = (typeof EventKind)[keyof typeof EventKind];

/** One recorded fact. A consumer gets one object again and again: copy what you keep. */
export interface TraceEvent {
  kind: EventKind;
  tid: number;
  /** Virtual nanoseconds. */
  timeNs: number;
  a: number;
  b: number;
  c: number;
  text: string | undefined;
}

/** Where components put events. Emitting allocates nothing. */
export interface TraceSink {
  /** A consumer wants texts: only then are they worth computing. */
  readonly wantsText: boolean;
  emit(kind: EventKind, tid: number, a?: number, b?: number, c?: number): void;
  emitText(kind: EventKind, tid: number, text: string, a?: number, b?: number, c?: number): void;
}

/** Takes nothing and wants nothing. */
export const NULL_TRACE: TraceSink = {
  wantsText: false,
  emit() {},
  emitText() {},
};
