// SPDX-License-Identifier: MIT
//
// What the kernel does in a run, from its trace: tasks, calls with their texts, signals, programs, address spaces.

import { signalName } from '../../abi/signal.ts';
import { SYS, syscallName } from '../../abi/sysno.ts';
import { SITE_BYTES } from '../../isa/syscall-site.ts';
import type { AddressSpace } from '../../mm/address-space.ts';
import type { GuestContext } from '../../platform/sentry.ts';
import { EventKind } from '../../trace/events.ts';
import type { TraceEvent } from '../../trace/events.ts';
import type { TraceConsumer } from '../../trace/ring.ts';
import type { CallLine, Facts } from '../../trace/recording/format.ts';
import type { MemoryChange } from './run-memory.ts';
import { SENTRY } from './run-log.ts';
import type { RunLog } from './run-log.ts';
import type { KnownTask, OpenStep } from './step-log.ts';

const MOST_CALLS = 50_000;
const ACCESSES = ['read', 'write', 'execute'] as const;
const COPY = 1;

/** Calls after which `/proc/self/maps` may be another. */
const MAPPING_CALLS: ReadonlySet<number> = new Set([
  SYS.mmap,
  SYS.munmap,
  SYS.mprotect,
  SYS.mremap,
  SYS.brk,
  SYS.execve,
  SYS.execveat,
  SYS.shmat,
  SYS.shmdt,
]);

/** A call that has not returned. */
interface OpenCall {
  readonly index: number;
  readonly via: CallLine['via'];
}

export class KernelWatcher implements TraceConsumer {
  readonly wantsText = true;
  /** Registers and memory are read when things happen. */
  readonly immediate = true;
  readonly #run: RunLog;
  readonly #openCalls = new Map<number, OpenCall>();
  /** A page fault has become a signal. */
  readonly #onFault: (ctx: GuestContext, data: Facts) => void;

  constructor(run: RunLog, onFault: (ctx: GuestContext, data: Facts) => void) {
    this.#run = run;
    this.#onFault = onFault;
  }

  /** A task's call has not returned. */
  isInCall(tid: number): boolean {
    return this.#openCalls.has(tid);
  }

  event(e: TraceEvent): void {
    const run = this.#run;
    if (run.isOver) return;
    const task = e.kind === EventKind.taskStart ? this.#start(e) : run.tasks.get(e.tid);
    if (task === undefined) return;
    switch (e.kind) {
      case EventKind.syscallEnter:
        this.#enter(e, task);
        break;
      case EventKind.syscallExit:
        this.#exit(e, task);
        break;
      case EventKind.taskExit:
        run.enter('ended', task, 'exit', { status: e.b });
        run.event('exit', task.actor, undefined, { status: e.b });
        break;
      case EventKind.exec:
        this.#exec(e, task);
        break;
      case EventKind.taskName:
        task.name = e.text ?? '';
        break;
      case EventKind.taskBlocked:
        run.enter('blocked', task, 'block', { sysno: e.a, name: syscallName(e.a) });
        break;
      case EventKind.taskWoken:
        run.enter('user', task, 'wake', {});
        break;
      case EventKind.contextSwitch: {
        const from = run.tasks.get(e.a);
        if (from === undefined || from === task) break;
        run.steps.add({ actor: SENTRY, kind: 'switch', data: { from: from.actor, to: task.actor } });
        break;
      }
      case EventKind.guestFault: {
        const ctx = run.contextOf(task.tid);
        const data = { fault: 'page-fault', address: e.a, access: ACCESSES[e.b] ?? 'read' };
        if (ctx !== undefined) this.#onFault(ctx, data);
        break;
      }
      case EventKind.signalSent:
      case EventKind.signalDelivered:
      case EventKind.signalFatal:
        this.#signal(e, task);
        break;
      case EventKind.handlerEnter:
        run.tell('handler', task, { signo: e.a, name: signalName(e.a), handler: e.c });
        break;
      case EventKind.handlerReturn:
        run.tell('sigreturn', task, {});
        break;
      case EventKind.spaceEntered:
        this.#enterSpace(e, task);
        break;
      case EventKind.tableLost:
        run.event('table', SENTRY, undefined, { base: e.a, what: e.b === 0 ? 'unmapped' : 'own GS' });
        break;
      default:
    }
  }

  #start(e: TraceEvent): undefined {
    const task = this.#run.newTask(e.tid, e.a, e.b);
    if (task === null) return;
    const parent = this.#run.tasks.get(e.b);
    const data: Facts = parent === undefined ? {} : { parent: parent.actor };
    this.#run.enter('user', task, 'start', data);
    this.#run.event('start', task.actor, undefined, data);
  }

  #enter(e: TraceEvent, task: KnownTask): void {
    const run = this.#run;
    const { isRestart } = run;
    run.isRestart = false;
    if (run.calls.length >= MOST_CALLS || run.steps.isFull) {
      run.steps.leaveOut('calls');
      return;
    }
    const name = syscallName(e.a);
    const via = e.c === 1 ? 'trampoline' : isRestart ? 'restart' : 'trap';
    const site = run.memory.siteAt(task.space, e.b - SITE_BYTES);
    const line: CallLine = {
      at: run.toldAt,
      end: null,
      actor: task.actor,
      sysno: e.a,
      name,
      enter: `${name}(${e.text ?? ''}`,
      exit: '',
      via,
      rip: e.b,
      ...(site === undefined ? {} : { site }),
    };
    const index = run.calls.push(line) - 1;
    this.#openCalls.set(e.tid, { index, via });
    run.event('call', task.actor, index, { sysno: e.a, name, via }, run.toldAt);
  }

  #exit(e: TraceEvent, task: KnownTask): void {
    const run = this.#run;
    const call = this.#openCalls.get(e.tid);
    this.#openCalls.delete(e.tid);
    const result: Facts = Number.isNaN(e.b) ? {} : { result: e.b };
    const data = { sysno: e.a, name: syscallName(e.a), via: call?.via ?? 'trap', ...result };
    if (task.state === 'kernel') task.state = 'user';
    const ctx = run.contextOf(e.tid);
    const memory = ctx === undefined || run.steps.isFull ? [] : run.memory.differences(ctx.mm);
    const step: OpenStep = {
      actor: SENTRY,
      kind: 'served',
      changes: [{ actor: task.actor, state: task.state }],
      ...(memory.length === 0 ? {} : { memory }),
      data,
    };
    if (!run.steps.add(step)) return;
    task.last = step;
    const line = call === undefined ? undefined : run.calls[call.index];
    if (call !== undefined && line !== undefined) {
      const text = e.text ?? '';
      const exit = `${text.slice(0, e.c)}) = ${text.slice(e.c)}`;
      run.calls[call.index] = { ...line, end: run.steps.moment, exit };
    }
    if (ctx !== undefined && MAPPING_CALLS.has(e.a)) run.takeMaps(ctx.mm);
  }

  #exec(e: TraceEvent, task: KnownTask): void {
    const path = e.text ?? '';
    task.name = path.slice(path.lastIndexOf('/') + 1);
    this.#run.tell('exec', task, { path });
    this.#run.event('exec', task.actor, undefined, { path });
    const mm = this.#run.contextOf(e.tid)?.mm;
    if (mm !== undefined) this.#run.takeMaps(mm);
  }

  #signal(e: TraceEvent, task: KnownTask): void {
    const how =
      e.kind === EventKind.signalSent ? 'posted' : e.kind === EventKind.signalDelivered ? 'delivered' : 'fatal';
    const target = how === 'posted' ? this.#run.tasks.get(e.c === 0 ? e.b : e.c) : undefined;
    const data = { signo: e.a, name: signalName(e.a), how, ...(target === undefined ? {} : { to: target.actor }) };
    if (this.#run.tell('signal', task, data)) this.#run.event('signal', task.actor, undefined, data);
  }

  #enterSpace(e: TraceEvent, task: KnownTask): void {
    const run = this.#run;
    const space = run.spaceNumber(e.a);
    if (space === undefined) {
      run.tasks.delete(e.tid);
      run.steps.leaveOut('actors');
      return;
    }
    task.space = space;
    const mm = run.contextOf(task.tid)?.mm;
    const last = run.steps.steps.at(-1);
    if (mm === undefined || last === undefined || run.steps.isFull) return;
    run.steps.merge(last, task, { space });
    const memory = e.c === COPY ? this.#copied(mm, e.b, space) : [];
    if (memory.length > 0) last.memory = [...(last.memory ?? []), ...memory];
    run.takeMaps(mm);
  }

  /** A copy of a space has the same sites, patched as they are. */
  #copied(mm: AddressSpace, origin: number, space: number): MemoryChange[] {
    const kernel = this.#run.sandbox?.kernel;
    for (const other of kernel?.tasks.values() ?? []) {
      if (kernel?.spaceNumber(other.mm) !== origin) continue;
      return this.#run.memory.forked(other.mm, this.#run.spaceOf(other.mm), mm, space);
    }
    return [];
  }
}
