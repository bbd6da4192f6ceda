// SPDX-License-Identifier: MIT
//
// Looks on at a run and turns what each task does into hashes: calls with arguments, registers and data, results,
// signals, programs, ends; and the memory of each process when it ends.

import { Reg } from '../../cpu/regs.ts';
import type { Regs } from '../../cpu/regs.ts';
import type { CallShape, GuestMemory, RawArgs } from '../../kernel/decode/kinds.ts';
import { SyscallTracer } from '../../kernel/decode/tracer.ts';
import type { Task } from '../../kernel/task.ts';
import type { AddressSpace } from '../../mm/address-space.ts';
import { EventKind } from '../../trace/events.ts';
import type { TraceEvent, TraceSink } from '../../trace/events.ts';
import type { TraceConsumer } from '../../trace/ring.ts';
import type { Sandbox } from '../sandbox.ts';
import type { HashChain } from './hash-chain.ts';
import { passedData } from './passed-data.ts';
import type { TaskPlace } from './task-tree.ts';
import { TaskTree } from './task-tree.ts';

/** Calls of a task whose vector state is looked at each, and how often after that: saving it costs more than a call. */
const FPU_CALLS = 256;
const FPU_INTERVAL = 64;
/** Recoveries of one task without a call between them: it goes round for ever. */
export const ENDLESS_RECOVERIES = 10_000;
/** Flags that belong to the program: status, direction, and those that it can set by popf. */
const PROGRAM_FLAGS = 0x240cd5;
/** In an FXSAVE image: the last x87 instruction and operand, which fnstenv and its like touch. */
const FPU_POINTERS_START = 6;
const FPU_POINTERS_END = 24;
/** The end of the registers in it. */
const FPU_STATE_END = 416;

/** What a run's observer tells of. */
export interface EventTaker {
  /**
   * A task has done something that counts, which its hashes include; called at once, with the run as it is.
   * @param e from the trace; null for calls and results
   */
  event(place: TaskPlace, e: TraceEvent | null): void;
  /** An address space ends; its memory is still there. `number` is the space's in traces. */
  spaceEnds(number: number, mm: AddressSpace): void;
  /** A task has been sent back to the same site ENDLESS_RECOVERIES times without making a call. */
  goesRound?(place: TaskPlace): void;
  /** Every event of the trace, after what it means for tasks has been told. */
  other?(e: TraceEvent): void;
  /** A call in full, before it is hashed. */
  call?(place: TaskPlace, call: ObservedCall): void;
  /** Its result. */
  result?(place: TaskPlace, call: ObservedCall, result: number): void;
}

/** A call, with its arguments as they are in the registers. */
export interface ObservedCall {
  readonly tid: number;
  readonly shape: CallShape;
  readonly args: RawArgs;
  readonly memory: GuestMemory;
  /** Behind the `syscall`, at the entry. */
  readonly rip: number;
  /** It came through a trampoline. */
  readonly isPatched: boolean;
}

/** Whether this call's vector state counts. */
export function looksAtFpu(calls: number): boolean {
  return calls <= FPU_CALLS || calls % FPU_INTERVAL === 0;
}

/** The parts of an FXSAVE image that a program can rely on. */
export function relevantFpu(image: Uint8Array): Uint8Array {
  const out = image.slice(0, FPU_STATE_END);
  out.fill(0, FPU_POINTERS_START, FPU_POINTERS_END);
  return out;
}

/**
 * Registers at a call. rcx and r11 are left out: the instruction destroys them, so nothing a program may rely on is in
 * them before the next call; what it does with them afterwards shows in what it does. So is GS, which Systrap owns.
 */
function hashRegisters(chain: HashChain, regs: Regs): void {
  const words = regs.u32;
  chain.words(words, 0, 2 * Reg.rcx);
  chain.words(words, 2 * Reg.rdx, 2 * Reg.r11);
  chain.words(words, 2 * Reg.r12, 2 * Reg.rflags);
  chain.word((words[2 * Reg.rflags] as number) & PROGRAM_FLAGS);
  chain.words(words, 2 * Reg.fsBase, 2 * Reg.gsBase);
}

/** Takes part in a run as its tracer and as a consumer of its trace. */
export class RunObserver implements TraceConsumer {
  readonly wantsText = false;
  /** Registers and memory are read when things happen, not later. */
  readonly immediate = true;
  readonly tasks = new TaskTree();
  private readonly taker: EventTaker;
  private sandbox: Sandbox | null = null;
  private isOver = false;
  private readonly spaces = new Map<number, AddressSpace>();

  constructor(taker: EventTaker) {
    this.taker = taker;
  }

  /** The sandbox that it looks at; before it runs. */
  attach(sandbox: Sandbox): void {
    this.sandbox = sandbox;
    for (const task of sandbox.kernel.tasks.values()) this.spaces.set(sandbox.kernel.spaceNumber(task.mm), task.mm);
  }

  /** What happens from now on is no part of the run: the end of what it has left behind. */
  detach(): void {
    this.isOver = true;
  }

  makeTracer(trace: TraceSink): SyscallTracer {
    return new CallObserver(trace, this);
  }

  task(tid: number): Task | undefined {
    return this.sandbox?.kernel.task(tid);
  }

  event(e: TraceEvent): void {
    if (this.isOver) return;
    const place = this.tasks.get(e.tid);
    switch (e.kind) {
      case EventKind.taskStart:
        this.tasks.start(e.tid, e.b);
        break;
      case EventKind.spaceEntered: {
        const mm = this.task(e.tid)?.mm;
        if (mm !== undefined) this.spaces.set(e.a, mm);
        break;
      }
      case EventKind.spaceEnded: {
        const mm = this.spaces.get(e.a);
        this.spaces.delete(e.a);
        if (mm !== undefined) this.taker.spaceEnds(e.a, mm);
        break;
      }
      case EventKind.exec:
        this.tasks.rename(e.c, e.tid);
        this.happened(this.tasks.get(e.tid), e, (chain) => chain.text(e.text ?? ''));
        break;
      case EventKind.signalDelivered:
        // Where the task was shows in what its handler is given.
        place?.full.number(this.task(e.tid)?.regs.get(Reg.rip) ?? 0);
        this.happened(place, e, (chain) => {
          chain.number(e.a);
          chain.number(e.b);
        });
        break;
      case EventKind.taskExit:
        this.happened(place, e, (chain) => chain.number(e.b));
        this.tasks.end(e.tid);
        break;
      case EventKind.siteRestarted:
        if (place !== undefined && ++place.restarts === ENDLESS_RECOVERIES) this.taker.goesRound?.(place);
        break;
      default:
    }
    this.taker.other?.(e);
  }

  private happened(place: TaskPlace | undefined, e: TraceEvent | null, hash: (chain: HashChain) => void): void {
    if (place === undefined) return;
    for (const chain of [place.visible, place.full]) {
      chain.word(e?.kind ?? 0);
      hash(chain);
    }
    this.taker.event(place, e);
  }

  /** @internal */
  entered(call: ObservedCall): void {
    const { tid, shape, args, memory } = call;
    const place = this.tasks.get(tid);
    const task = this.task(tid);
    if (place === undefined || task === undefined) return;
    place.calls++;
    place.restarts = 0;
    this.taker.call?.(place, call);
    const { full, visible } = place;
    visible.word(shape.nr);
    full.word(shape.nr);
    for (let i = 0; i < shape.args.length; i++) if (shape.args[i] !== 'none') visible.number(args.num(i));
    hashRegisters(full, task.regs);
    passedData(shape.nr, args, memory, (bytes) => {
      visible.bytes(bytes);
      full.bytes(bytes);
    });
    if (looksAtFpu(place.calls)) {
      this.sandbox?.platform.saveFpu(task);
      full.bytes(relevantFpu(task.fpu));
    }
    this.taker.event(place, null);
  }

  /** @internal */
  left(call: ObservedCall, result: number): void {
    const place = this.tasks.get(call.tid);
    if (place === undefined) return;
    this.taker.result?.(place, call, result);
    this.happened(place, null, (chain) => chain.number(result));
  }
}

/** The kernel's tracer, which records nothing and tells the observer. */
class CallObserver extends SyscallTracer {
  private readonly observer: RunObserver;

  constructor(trace: TraceSink, observer: RunObserver) {
    super(trace);
    this.observer = observer;
  }

  override enter(
    tid: number,
    shape: CallShape,
    args: RawArgs,
    memory: GuestMemory,
    rip: number,
    patched: boolean,
  ): void {
    this.observer.entered({ tid, shape, args, memory, rip, isPatched: patched });
  }

  override exit(tid: number, shape: CallShape, args: RawArgs, memory: GuestMemory, result: number): void {
    this.observer.left({ tid, shape, args, memory, rip: 0, isPatched: false }, result);
  }
}
