// SPDX-License-Identifier: MIT
//
// The file of `run --trace`: what each task did, a lane per task, and who had the processor, in the Trace Event Format.
// Memory stays bounded: what waits for its other half (signals, ends of children, stores of patches) is limited.

import { signalName } from '../abi/signal.ts';
import { syscallName } from '../abi/sysno.ts';
import { hex } from '../base/addr.ts';
import { EventKind } from '../trace/events.ts';
import type { TraceEvent } from '../trace/events.ts';
import type { TraceConsumer } from '../trace/ring.ts';
import { BoundedMap } from './bounded-map.ts';
import { StoreMap } from './store-map.ts';
import type { Anchor } from './trace-event-json.ts';
import { Lane, TraceEventJson } from './trace-event-json.ts';

/** Larger than any pid of Linux can be: the process whose one lane is the processor. */
const MACHINE_PID = 2 ** 22 + 1;
/** Standard signals: a second one is lost while the first waits. */
const FIRST_REALTIME_SIGNAL = 32;
const MAX_WAITING_KINDS = 4096;
const MAX_QUEUED_SIGNALS = 64;
/** Handlers left by longjmp stay open; more than this are none that nest. */
const MAX_OPEN_SLICES = 64;

type SliceKind = 'call' | 'trampoline' | 'handler' | 'returned' | 'blocked' | 'runnable' | 'stopped' | 'traced' | 'cpu';

const ACCESS = ['read', 'write', 'execute'] as const;
const SPACE_ORIGIN_COPY = 1;

/** What is known of a task beside its lane. */
class TaskLane extends Lane<SliceKind> {
  name = '';
  space = 0;
  faults: { readonly minor: number; readonly major: number } | undefined;
}

/** Streams the JSON; `close` completes it, however the run ended. */
export class PerfettoJson implements TraceConsumer {
  readonly wantsText = true;
  readonly immediate = false;
  readonly #json: TraceEventJson<SliceKind>;
  readonly #lanes = new Map<number, TaskLane>();
  readonly #cpu = new Lane<SliceKind>(MACHINE_PID, MACHINE_PID);
  /** The task on the processor. */
  #running = 0;
  /** Signals on their way, oldest first, by signal and target. */
  readonly #signals = new BoundedMap<string, Anchor[]>(MAX_WAITING_KINDS);
  /** Ends of children that nobody has waited for. */
  readonly #ends = new BoundedMap<number, Anchor>(MAX_WAITING_KINDS);
  readonly #stores = new StoreMap();
  #lastNs = 0;

  constructor(write: (piece: string) => void) {
    this.#json = new TraceEventJson(write);
    this.#json.name('process_name', this.#cpu, 'machine');
    this.#json.name('thread_name', this.#cpu, 'processor');
  }

  event(e: TraceEvent): void {
    this.#lastNs = e.timeNs;
    if (e.kind === EventKind.spaceEnded) this.#stores.forget(e.a);
    if (e.tid === 0) {
      // A signal of the kernel has no sender to draw an arrow from.
      if (e.kind === EventKind.runEnd) this.#endAll();
      return;
    }
    const lane = this.#laneOf(e);
    if (lane !== undefined) this.#taskEvent(lane, e);
  }

  flush(): void {
    this.#json.flush();
  }

  /** Ends what is still open and completes the JSON. */
  close(): void {
    this.#endAll();
    this.#json.close();
  }

  #endAll(): void {
    for (const lane of this.#lanes.values()) this.#json.endAll(lane, this.#lastNs);
    this.#json.endAll(this.#cpu, this.#lastNs);
    this.#running = 0;
  }

  /** The lane of an event's task; tasks come to life by taskStart or, the thread of an exec, under another id. */
  #laneOf(e: TraceEvent): TaskLane | undefined {
    let lane = this.#lanes.get(e.tid);
    if (lane === undefined && (e.kind === EventKind.taskStart || e.kind === EventKind.exec)) {
      lane = new TaskLane(e.a, e.tid);
      this.#lanes.set(e.tid, lane);
    }
    return lane;
  }

  #taskEvent(lane: TaskLane, e: TraceEvent): void {
    const json = this.#json;
    const ns = e.timeNs;
    switch (e.kind) {
      case EventKind.taskStart:
        return this.#start(lane, e);
      case EventKind.taskName:
        return this.#rename(lane, e.text ?? '');
      case EventKind.spaceEntered:
        lane.space = e.a;
        if (e.c === SPACE_ORIGIN_COPY) this.#stores.copy(e.b, e.a);
        return;
      case EventKind.exec:
        return this.#exec(lane, e);
      case EventKind.taskExit:
        return this.#exit(lane, e);
      case EventKind.pageFaults:
        lane.faults = { minor: e.a, major: e.b };
        return;
      case EventKind.childReaped:
        return this.#reap(lane, e);
      case EventKind.syscallEnter:
        return this.#enterCall(lane, e);
      case EventKind.syscallExit:
        return this.#exitCall(lane, e);
      case EventKind.callRestarted:
        return json.instant(lane, ns, `restart ${syscallName(e.a)}`, 'syscall');
      case EventKind.unimplemented:
        return json.instant(lane, ns, 'unknown call', 'syscall', { number: e.a, rip: hex(e.b) });
      case EventKind.taskBlocked:
        json.begin(lane, ns, 'blocked', 'blocked', 'sleep', e.b < 0 ? {} : { deadlineNs: e.b });
        return this.#leaveCpu(lane, ns);
      case EventKind.taskWoken:
        return this.#wake(lane, e);
      case EventKind.contextSwitch:
        return this.#switchTo(lane, ns);
      case EventKind.signalSent:
        return this.#send(lane, e);
      case EventKind.signalDelivered:
        return this.#deliver(lane, e);
      case EventKind.signalIgnored:
        this.#takeSignal(lane, e.a);
        return json.instant(lane, ns, `${signalName(e.a)} ignored`, 'signal', { siginfo: e.text });
      case EventKind.signalFatal:
        return json.instant(lane, ns, `killed by ${signalName(e.a)}`, 'signal', { core: e.b === 1, rip: hex(e.c) });
      case EventKind.handlerEnter:
        return this.#enterHandler(lane, e);
      case EventKind.handlerReturn:
        return this.#returnFromHandler(lane, e.a);
      case EventKind.taskStopped:
        json.begin(lane, ns, 'stopped', `stopped by ${signalName(e.a)}`, 'sleep');
        return this.#leaveCpu(lane, ns);
      case EventKind.taskContinued:
        return json.endOf(lane, ns, 'stopped');
      case EventKind.ptraceAttached:
        return json.instant(lane, ns, e.a === 0 ? 'no tracer' : 'tracer', 'ptrace', { tracer: e.a });
      case EventKind.ptraceStop:
        json.endOf(lane, ns, 'traced');
        json.begin(lane, ns, 'traced', 'ptrace stop', 'ptrace', { tracer: e.a, status: hex(e.b), message: e.c });
        return this.#leaveCpu(lane, ns);
      case EventKind.ptraceResumed:
        return json.endOf(lane, ns, 'traced', { request: e.b, signal: e.c });
      case EventKind.seccompAction:
        return json.instant(lane, ns, 'seccomp', 'seccomp', {
          action: hex(e.a),
          call: syscallName(e.b),
          rip: hex(e.c),
        });
      default:
        return this.#patchEvent(lane, e);
    }
  }

  // ---- sites and faults

  #patchEvent(lane: TaskLane, e: TraceEvent): void {
    const json = this.#json;
    const ns = e.timeNs;
    switch (e.kind) {
      case EventKind.sitePatched:
        return json.instant(lane, ns, 'site patched', 'patch', { site: hex(e.a), call: syscallName(e.b), trap: e.c });
      case EventKind.siteRefused:
        return json.instant(lane, ns, 'site refused', 'patch', { site: hex(e.a), rule: e.text, traps: e.c });
      case EventKind.slotUsed:
        return json.counter(lane, ns, 'trap slots', { used: e.a });
      case EventKind.textCopied:
        return json.instant(lane, ns, 'text page copied', 'patch', { page: hex(e.a), offset: e.b });
      case EventKind.tableLost:
        return json.instant(lane, ns, 'trap table lost', 'patch', { table: hex(e.a) });
      case EventKind.patchStore: {
        const args = { address: hex(e.a), length: e.b, value: hex(e.c) };
        this.#stores.add(lane.space, e.a, e.b, json.mark(lane, ns, 'store', 'patch', args));
        return;
      }
      case EventKind.siteRestarted: {
        const args = { at: hex(e.a), goesOnAt: hex(e.b) };
        return this.#fault(lane, ns, e.c === 0 ? 'fault: restarted' : 'fault: served', e.a, args);
      }
      case EventKind.guestFault: {
        const args = { address: hex(e.a), access: ACCESS[e.b], rip: hex(e.c) };
        return this.#fault(lane, ns, 'page fault', e.c, args);
      }
      default:
        return;
    }
  }

  /** A fault, with an arrow from the store whose bytes were executed. */
  #fault(lane: TaskLane, ns: number, name: string, rip: number, args: Readonly<Record<string, unknown>>): void {
    const store = this.#stores.find(lane.space, rip);
    const fault = this.#json.mark(lane, Math.max(ns, store?.ns ?? 0), name, 'fault', args);
    if (store !== undefined) this.#json.flow('patch', store, fault);
  }

  // ---- tasks

  #start(lane: TaskLane, e: TraceEvent): void {
    const parent = this.#lanes.get(e.b);
    const cause = parent && this.#json.mark(parent, e.timeNs, `start ${e.tid}`, 'task', { cloneFlags: hex(e.c) });
    const start = this.#json.mark(lane, Math.max(e.timeNs, cause?.ns ?? 0), 'start', 'task', { parent: e.b });
    if (cause !== undefined) this.#json.flow('start', cause, start);
  }

  #rename(lane: TaskLane, name: string): void {
    lane.name = name;
    this.#json.name('thread_name', lane, name);
    if (lane.tid === lane.pid) this.#json.name('process_name', lane, name);
  }

  #exec(lane: TaskLane, e: TraceEvent): void {
    const json = this.#json;
    if (e.c !== e.tid) {
      // The call began in another thread's lane and goes on in the leader's.
      const thread = this.#lanes.get(e.c);
      const isRunning = this.#running === e.c;
      if (thread !== undefined) this.#forget(thread, e.timeNs);
      json.endAll(lane, e.timeNs);
      if (isRunning) this.#switchTo(lane, e.timeNs);
    }
    json.instant(lane, e.timeNs, 'exec', 'task', { program: e.text, entry: hex(e.b) });
  }

  #exit(lane: TaskLane, e: TraceEvent): void {
    const json = this.#json;
    json.endAll(lane, e.timeNs);
    const end = json.mark(lane, e.timeNs, 'exit', 'task', { status: hex(e.b), ...lane.faults });
    if (e.c === 1) this.#ends.set(e.a, end);
    this.#forget(lane, e.timeNs);
  }

  #reap(lane: TaskLane, e: TraceEvent): void {
    const end = this.#ends.take(e.a);
    const at = this.#json.mark(lane, Math.max(e.timeNs, end?.ns ?? 0), `reap ${e.a}`, 'task', { status: hex(e.b) });
    if (end !== undefined) this.#json.flow('exit', end, at);
  }

  #forget(lane: TaskLane, ns: number): void {
    this.#json.endAll(lane, ns);
    this.#leaveCpu(lane, ns);
    this.#lanes.delete(lane.tid);
  }

  // ---- calls

  #enterCall(lane: TaskLane, e: TraceEvent): void {
    const json = this.#json;
    const isPatched = e.c === 1;
    const cat = isPatched ? 'trampoline' : 'syscall';
    if (isPatched) json.begin(lane, e.timeNs, 'trampoline', 'trampoline', cat, { returnsTo: hex(e.b) });
    json.begin(lane, e.timeNs, 'call', syscallName(e.a), cat, { rip: hex(e.b), arguments: e.text });
  }

  #exitCall(lane: TaskLane, e: TraceEvent): void {
    if (!lane.has('call')) return;
    const json = this.#json;
    const text = e.text ?? '';
    const args = { outputs: text.slice(0, e.c), result: text.slice(e.c) };
    json.endOf(lane, e.timeNs, 'call', args);
    if (lane.open.at(-1)?.kind === 'trampoline') json.end(lane, e.timeNs);
    if (lane.has('returned')) json.endOf(lane, e.timeNs, 'returned');
  }

  // ---- the processor

  #switchTo(lane: TaskLane, ns: number): void {
    this.#json.endOf(lane, ns, 'runnable');
    if (this.#running === lane.tid) return;
    this.#json.endAll(this.#cpu, ns);
    this.#running = lane.tid;
    this.#json.begin(this.#cpu, ns, 'cpu', `${lane.name} ${lane.tid}`, 'processor');
  }

  #leaveCpu(lane: TaskLane, ns: number): void {
    if (this.#running !== lane.tid) return;
    this.#running = 0;
    this.#json.endAll(this.#cpu, ns);
  }

  #wake(lane: TaskLane, e: TraceEvent): void {
    const json = this.#json;
    const waker = e.a === e.tid ? undefined : this.#lanes.get(e.a);
    const cause = waker && json.mark(waker, e.timeNs, `wake ${e.tid}`, 'sleep');
    const ns = Math.max(e.timeNs, cause?.ns ?? 0);
    json.endOf(lane, ns, 'blocked');
    const woken = json.begin(lane, ns, 'runnable', 'runnable', 'sleep', { reasons: e.b });
    if (cause !== undefined) json.flow('wake', cause, woken);
  }

  // ---- signals

  #send(lane: TaskLane, e: TraceEvent): void {
    const sent = this.#json.mark(lane, e.timeNs, `send ${signalName(e.a)}`, 'signal', { tgid: e.b, tid: e.c });
    const key = signalKey(e.a, e.b, e.c);
    const queue = this.#signals.get(key) ?? [];
    if (queue.length < MAX_QUEUED_SIGNALS) queue.push(sent);
    this.#signals.set(key, queue);
  }

  #deliver(lane: TaskLane, e: TraceEvent): void {
    const sent = this.#takeSignal(lane, e.a);
    const args = { code: e.b, handler: hex(e.c), siginfo: e.text };
    const at = this.#json.mark(lane, Math.max(e.timeNs, sent?.ns ?? 0), signalName(e.a), 'signal', args);
    if (sent !== undefined) this.#json.flow('signal', sent, at);
  }

  /** Where the signal that the task takes was sent: to it, or to its group. */
  #takeSignal(lane: TaskLane, signo: number): Anchor | undefined {
    for (const target of [lane.tid, 0]) {
      const key = signalKey(signo, lane.pid, target);
      const queue = this.#signals.get(key);
      const sent = queue?.shift();
      if (sent === undefined) continue;
      if (queue?.length === 0 || signo < FIRST_REALTIME_SIGNAL) this.#signals.take(key);
      return sent;
    }
    return undefined;
  }

  #enterHandler(lane: TaskLane, e: TraceEvent): void {
    const json = this.#json;
    // Frames below the new one were left without a return.
    while (lane.open.length >= MAX_OPEN_SLICES || (lane.open.at(-1)?.kind === 'handler' && isLeft(lane, e.b))) {
      json.end(lane, e.timeNs);
    }
    json.begin(lane, e.timeNs, 'handler', `handler of ${signalName(e.a)}`, 'signal', { handler: hex(e.c) }, e.b);
  }

  /** The handler's slice ends with the rt_sigreturn that is under way. */
  #returnFromHandler(lane: TaskLane, frame: number): void {
    const at = lane.open.findLastIndex((slice) => slice.kind === 'handler' && slice.key === frame);
    const slice = lane.open[at];
    if (slice !== undefined) lane.open[at] = { ...slice, kind: 'returned' };
  }
}

function isLeft(lane: TaskLane, frame: number): boolean {
  return (lane.open.at(-1)?.key ?? 0) <= frame;
}

function signalKey(signo: number, tgid: number, tid: number): string {
  return `${signo} ${tgid} ${tid}`;
}
