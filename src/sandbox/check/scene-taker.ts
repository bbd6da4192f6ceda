// SPDX-License-Identifier: MIT
//
// Runs up to a known event of a known task and takes down what that event is, what led to it, and, at the event before
// it, memory: a copy for the other run to be held against, or the differences from such a copy.

import { signalName } from '../../abi/signal.ts';
import { Reg } from '../../cpu/regs.ts';
import { SITE_BYTES, SYSCALL_OFFSET } from '../../isa/syscall-site.ts';
import { decodeEnter, decodeExit } from '../../kernel/decode/decoder.ts';
import { siginfoCodeName } from '../../kernel/decode/signal-text.ts';
import type { Task } from '../../kernel/task.ts';
import type { AddressSpace } from '../../mm/address-space.ts';
import { EventKind } from '../../trace/events.ts';
import type { TraceEvent } from '../../trace/events.ts';
import type { Sandbox } from '../sandbox.ts';
import type { RunTaker } from './compared-run.ts';
import type { Fact, Scene } from './facts.ts';
import type { DifferingBytes } from './memory-snapshot.ts';
import { MemorySnapshot } from './memory-snapshot.ts';
import { looksAtFpu, relevantFpu } from './observer.ts';
import type { ObservedCall } from './observer.ts';
import { passedData } from './passed-data.ts';
import { SiteLog } from './site-log.ts';
import type { TaskPlace } from './task-tree.ts';

/** Lines kept of what the task did. */
const LINES = 6;
const MAX_DATA = 256;
const NONE = new Uint8Array(0);

/** Which moment: the `index`th event of the task at `key`, counted from 1. */
export interface Place {
  readonly key: string;
  readonly index: number;
}

/** Takes the scene at a place; with a snapshot of the other run, also what differs from it. */
export class SceneTaker implements RunTaker {
  /** Memory at the event before, when no snapshot was given. */
  snapshot: MemorySnapshot | undefined;
  /** Memory that differs from the snapshot that was given. */
  differences: readonly DifferingBytes[] = [];
  readonly sites = new SiteLog();
  private readonly place: Place;
  private readonly expected: MemorySnapshot | undefined;
  private sandbox: Sandbox | null = null;
  private count = 0;
  private watchedTid = 0;
  private fact: Fact | null = null;
  private pending: Fact | null = null;
  private readonly lines: string[] = [];
  private lastSite: number | undefined;
  private recovery: Scene['recovery'];
  private isEndless = false;
  private isOver = false;

  constructor(place: Place, expected?: MemorySnapshot) {
    this.place = place;
    this.expected = expected;
  }

  begin(sandbox: Sandbox): void {
    this.sandbox = sandbox;
  }

  /** What has been found, once the run is over. */
  get scene(): Scene {
    const { fact, lines, lastSite, recovery, isEndless } = this;
    return { fact, before: lines, sites: this.sites.sites, lastSite, recovery, isEndless };
  }

  call(place: TaskPlace, call: ObservedCall): void {
    const task = this.task(call.tid);
    if (!this.isWatched(place) || task === undefined) return;
    const { shape, args, memory } = call;
    if (call.isPatched) this.lastSite = call.rip - SITE_BYTES;
    else if (this.recovery === undefined) this.lastSite = undefined;
    const data: number[] = [];
    passedData(shape.nr, args, memory, (bytes) => data.push(...bytes.subarray(0, MAX_DATA - data.length)));
    let fpu: Uint8Array = NONE;
    if (looksAtFpu(place.calls)) {
      this.sandbox?.platform.saveFpu(task);
      fpu = relevantFpu(task.fpu);
    }
    const text = `${shape.name}(${decodeEnter(shape, args, memory)}`;
    this.pending = { ...this.bare('call', call.tid, text), sysno: shape.nr, data: Uint8Array.from(data), fpu };
  }

  result(place: TaskPlace, call: ObservedCall, result: number): void {
    if (!this.isWatched(place)) return;
    const text = decodeExit(call.shape, call.args, call.memory, result, undefined);
    this.pending = { ...this.bare('result', call.tid, `${text.args}) = ${text.result}`), sysno: call.shape.nr };
  }

  event(place: TaskPlace, e: TraceEvent | null): void {
    if (!this.isWatched(place)) return;
    const fact = e === null ? this.pending : this.factOf(e);
    this.pending = null;
    this.count++;
    if (fact === null) return;
    this.watchedTid = fact.tid;
    if (this.count === this.place.index) {
      this.fact = fact;
      this.finish();
      return;
    }
    this.note(fact);
    const task = this.task(fact.tid);
    if (this.count === this.place.index - 1 && fact.kind !== 'exit' && task !== undefined) this.look(task.mm);
  }

  goesRound(place: TaskPlace): void {
    if (!this.isWatched(place)) return;
    this.isEndless = true;
    this.finish();
  }

  other(e: TraceEvent): void {
    if (this.isOver || this.sandbox === null) return;
    this.sites.take(e, this.sandbox);
    if (e.kind !== EventKind.siteRestarted || e.tid !== this.watchedTid) return;
    this.recovery = { site: e.a - SYSCALL_OFFSET, rax: this.task(e.tid)?.regs.u64[Reg.rax] ?? 0n };
  }

  spaceEnds(): void {}

  private isWatched(place: TaskPlace): boolean {
    return !this.isOver && place.key === this.place.key;
  }

  private task(tid: number): Task | undefined {
    return this.sandbox?.kernel.task(tid);
  }

  private bare(kind: Fact['kind'], tid: number, text: string): Fact {
    const words = this.task(tid)?.regs.u64;
    const registers = words === undefined ? [] : [...words];
    return { kind, tid, text, sysno: -1, registers, data: NONE, fpu: NONE, signo: 0, faultAddress: 0n };
  }

  private factOf(e: TraceEvent): Fact | null {
    switch (e.kind) {
      case EventKind.signalDelivered: {
        const text = `--- ${signalName(e.a)} {si_code=${siginfoCodeName(e.a, e.b)}} ---`;
        const faultAddress = this.task(e.tid)?.lastFault.cr2 ?? 0n;
        return { ...this.bare('signal', e.tid, text), signo: e.a, faultAddress };
      }
      case EventKind.exec:
        return this.bare('exec', e.tid, `execve of ${e.text ?? ''}`);
      case EventKind.taskExit: {
        const signo = e.b & 0x7f;
        const how = signo === 0 ? `exited with ${(e.b >> 8) & 0xff}` : `killed by ${signalName(signo)}`;
        return this.bare('exit', e.tid, `+++ ${how} +++`);
      }
      default:
        return null;
    }
  }

  private note(fact: Fact): void {
    const last = this.lines.length - 1;
    // A result belongs to the line of its call.
    if (fact.kind === 'result' && last >= 0) this.lines[last] += fact.text;
    else this.lines.push(fact.text);
    if (this.lines.length > LINES) this.lines.shift();
  }

  private look(mm: AddressSpace): void {
    if (this.expected === undefined) this.snapshot = new MemorySnapshot(mm);
    else this.differences = this.expected.differences(mm, [...this.sites.sites.keys()]);
  }

  /** Nothing more needs to be seen. */
  private finish(): void {
    this.isOver = true;
    this.sandbox?.stop();
  }
}
