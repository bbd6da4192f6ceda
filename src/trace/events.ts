// SPDX-License-Identifier: MIT
//
// What components record, once and in order. strace lines, metrics, Perfetto files, stored traces and crash reports
// are renderings of these events. schema.ts says what the fields of each kind mean; version 1 is frozen.

/** Raised by every change of schema.ts. */
export const TRACE_VERSION = 1;

/** Kinds of events by name. Numbers are stored in files: a kind keeps its own for ever, 16 was given up. */
// prettier-ignore
export const EventKind = {
  syscallEnter: 1, syscallArgs: 2, syscallExit: 3, signalDelivered: 4, signalFatal: 5, taskStart: 6, taskExit: 7, exec: 8,
  contextSwitch: 9, guestFault: 10, sitePatched: 11, siteRefused: 12, patchStore: 13, siteRestarted: 14, slotUsed: 15,
  unimplemented: 17, runStart: 18, runEnd: 19, taskStopped: 20, signalIgnored: 21, syscallArgsRest: 22,
  callRestarted: 23, signalSent: 24, handlerEnter: 25, handlerReturn: 26, taskContinued: 27, taskName: 28,
  childReaped: 29, taskBlocked: 30, taskWoken: 31, spaceEntered: 32, spaceEnded: 33, pageFaults: 34, textCopied: 35,
  tableLost: 36, ptraceAttached: 37, ptraceStop: 38, ptraceResumed: 39, seccompAction: 40,
} as const;

export type EventKind = (typeof EventKind)[keyof typeof EventKind];

/** One recorded fact. A consumer gets one object again and again: copy what you keep. */
export interface TraceEvent {
  kind: EventKind;
  /** The task that it happened to; 0 for the machine or the kernel itself. */
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
