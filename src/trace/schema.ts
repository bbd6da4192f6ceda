// SPDX-License-Identifier: MIT
//
// The schema of version 1, for people and programs: what a, b, c and the text of each kind of event carry. Numbers
// are doubles. The table in README.md is made of it, and a golden copy shows any change.

import type { EventKind } from './events.ts';

/** What a number counts or names. */
export type Unit =
  | 'address'
  | 'bits'
  | 'bytes'
  | 'count'
  | 'errno'
  | 'index'
  | 'nanoseconds'
  | 'number'
  | 'signal'
  | 'space'
  | 'status'
  | 'sysno'
  | 'tgid'
  | 'tid';

/** One of a, b, c. */
export interface Field {
  readonly name: string;
  readonly unit: Unit;
  /** Names of the values, where they are few; the index is the value. */
  readonly values?: readonly string[];
}

/** One kind of event. */
export interface EventShape {
  /** When it is recorded, in a sentence. */
  readonly when: string;
  readonly a?: Field;
  readonly b?: Field;
  readonly c?: Field;
  /** What the text says; without it there is none. */
  readonly text?: string;
  /** The text comes even when no consumer wants texts. */
  readonly alwaysText?: true;
}

function field(name: string, unit: Unit, values?: readonly string[]): Field {
  return values === undefined ? { name, unit } : { name, unit, values };
}

/** Every kind, in the order of its number. */
export const SCHEMA: Readonly<Record<keyof typeof EventKind, EventShape>> = {
  syscallEnter: {
    when: 'A task calls the kernel.',
    a: field('sysno', 'sysno'),
    b: field('rip', 'address'),
    c: field('via', 'index', ['trap', 'trampoline']),
    text: 'the arguments that are known at entry, as strace prints them',
  },
  syscallArgs: {
    when: 'After syscallEnter: the first arguments as numbers.',
    a: field('arg0', 'number'),
    b: field('arg1', 'number'),
    c: field('arg2', 'number'),
  },
  syscallExit: {
    when: 'The call has its result; NaN when it never returns.',
    a: field('sysno', 'sysno'),
    b: field('result', 'number'),
    c: field('argumentLength', 'count'),
    text: 'the rest of the arguments (argumentLength characters), then the result',
  },
  signalDelivered: {
    when: 'A task acts on a signal: it runs a handler, stops or dies.',
    a: field('signo', 'signal'),
    b: field('code', 'number'),
    c: field('handler', 'address'),
    text: 'siginfo_t as strace prints it',
  },
  signalFatal: {
    when: 'A signal ends the process.',
    a: field('signo', 'signal'),
    b: field('core', 'index', ['no', 'yes']),
    c: field('rip', 'address'),
  },
  taskStart: {
    when: 'A task exists; clone, clone3, fork, vfork, or the first one.',
    a: field('tgid', 'tgid'),
    b: field('parent', 'tid'),
    c: field('cloneFlags', 'bits'),
  },
  taskExit: {
    when: 'A task has ended.',
    a: field('tgid', 'tgid'),
    b: field('status', 'status'),
    c: field('lastOfGroup', 'index', ['no', 'yes']),
  },
  exec: {
    when: 'A process runs another program; of its tasks only this one is left, under the tgid.',
    a: field('tgid', 'tgid'),
    b: field('entry', 'address'),
    c: field('previousTid', 'tid'),
    text: 'path of the program',
    alwaysText: true,
  },
  contextSwitch: {
    when: 'The task gets the processor, be it from another one or out of a sleep.',
    a: field('previous', 'tid'),
    b: field('waiting', 'count'),
  },
  guestFault: {
    when: 'A page fault that becomes a signal.',
    a: field('address', 'address'),
    b: field('access', 'index', ['read', 'write', 'execute']),
    c: field('rip', 'address'),
  },
  sitePatched: {
    when: "A syscall site of the task's address space is patched.",
    a: field('site', 'address'),
    b: field('sysno', 'sysno'),
    c: field('trap', 'index'),
  },
  siteRefused: {
    when: 'A site that matches is left alone.',
    a: field('site', 'address'),
    b: field('rule', 'index'),
    c: field('traps', 'count'),
    text: 'name of the rule',
  },
  patchStore: {
    when: 'The patcher stores into memory of the task.',
    a: field('address', 'address'),
    b: field('length', 'bytes'),
    c: field('value', 'bits'),
  },
  siteRestarted: {
    when: 'The task has run into a half-patched site and was sent on.',
    a: field('fault', 'address'),
    b: field('rip', 'address'),
    c: field('how', 'index', ['restart', 'served as a syscall']),
  },
  slotUsed: {
    when: 'A slot of the trap table is taken.',
    a: field('used', 'count'),
    b: field('capacity', 'count'),
    c: field('slot', 'address'),
  },
  unimplemented: {
    when: 'A number that no call has.',
    a: field('sysno', 'number'),
    b: field('rip', 'address'),
  },
  runStart: {
    when: 'The run begins.',
    a: field('seed', 'number'),
    text: 'the program',
    alwaysText: true,
  },
  runEnd: {
    when: 'The run is over: exit code, or the negative signal.',
    a: field('exit', 'number'),
    b: field('instructions', 'count'),
  },
  taskStopped: {
    when: 'A task stops with its group.',
    a: field('signo', 'signal'),
  },
  signalIgnored: {
    when: 'A signal that the process ignores; recorded for consumers of text only.',
    a: field('signo', 'signal'),
    b: field('code', 'number'),
    text: 'siginfo_t as strace prints it',
  },
  syscallArgsRest: {
    when: 'After syscallArgs: the other arguments.',
    a: field('arg3', 'number'),
    b: field('arg4', 'number'),
    c: field('arg5', 'number'),
  },
  callRestarted: {
    when: 'An interrupted call is made again.',
    a: field('sysno', 'sysno'),
    b: field('rip', 'address'),
  },
  signalSent: {
    when: 'The task sends a signal, or the kernel does (task 0).',
    a: field('signo', 'signal'),
    b: field('targetTgid', 'tgid'),
    c: field('targetTid', 'tid'),
  },
  handlerEnter: {
    when: 'The frame of a handler is on the stack; its code runs next.',
    a: field('signo', 'signal'),
    b: field('frame', 'address'),
    c: field('handler', 'address'),
  },
  handlerReturn: {
    when: 'rt_sigreturn.',
    a: field('frame', 'address'),
  },
  taskContinued: {
    when: 'A stopped task goes on.',
    a: field('signo', 'signal'),
  },
  taskName: {
    when: 'A task has a name, or another one.',
    text: 'comm',
    alwaysText: true,
  },
  childReaped: {
    when: 'The task has waited for a child that ended.',
    a: field('child', 'tgid'),
    b: field('status', 'status'),
  },
  taskBlocked: {
    when: 'The task sleeps inside a call; without a deadline it is -1.',
    a: field('sysno', 'sysno'),
    b: field('deadline', 'nanoseconds'),
  },
  taskWoken: {
    when: 'A sleep is over; the task will get the processor.',
    a: field('waker', 'tid'),
    b: field('reasons', 'bits'),
  },
  spaceEntered: {
    when: 'From now on addresses of this task are in this address space.',
    a: field('space', 'space'),
    b: field('origin', 'space'),
    c: field('how', 'index', ['new', 'copy', 'shared']),
  },
  spaceEnded: {
    when: 'Nobody uses the address space any more; its sites are gone.',
    a: field('space', 'space'),
  },
  pageFaults: {
    when: 'A task ends: page faults that were served for it.',
    a: field('minor', 'count'),
    b: field('major', 'count'),
  },
  textCopied: {
    when: "A page of the program's file got a copy of its own, because a site in it is patched.",
    a: field('page', 'address'),
    b: field('offset', 'bytes'),
  },
  tableLost: {
    when: 'The address space is no longer patched.',
    a: field('table', 'address'),
    b: field('why', 'index', ['table unmapped', 'own GS']),
  },
  ptraceAttached: {
    when: 'The task has a tracer, or (tracer 0) none any more.',
    a: field('tracer', 'tid'),
    b: field('how', 'index', ['detach', 'traceme', 'attach', 'seize', 'inherited']),
  },
  ptraceStop: {
    when: 'The task stops for its tracer.',
    a: field('tracer', 'tid'),
    b: field('status', 'status'),
    c: field('message', 'number'),
  },
  ptraceResumed: {
    when: 'The tracer lets the task go on.',
    a: field('tracer', 'tid'),
    b: field('request', 'number'),
    c: field('signo', 'signal'),
  },
  seccompAction: {
    when: 'A filter decided about a call, other than to allow it.',
    a: field('action', 'bits'),
    b: field('sysno', 'sysno'),
    c: field('rip', 'address'),
  },
};
