// SPDX-License-Identifier: MIT
//
// The steps of a run as they are taken down: what each changed of its task, up to a limit, and what was left out.

import { REG_NAMES } from '../../cpu/regs.ts';
import type { GuestContext } from '../../platform/sentry.ts';
import { stubThreadOf } from '../../platform/thread-context.ts';
import { REGISTERS } from '../../trace/recording/format.ts';
import type {
  ActorChange,
  ActorStateName,
  LeftOut,
  RecordField,
  RegisterName,
  Step,
  Word,
} from '../../trace/recording/format.ts';
import type { UpstreamVersion } from '../../usertrap/versions.ts';
import { changedWords, recordFields } from './record-fields.ts';

/** A step in the making. */
export type OpenStep = { -readonly [K in keyof Step]: Step[K] };
type OpenChange = { -readonly [K in keyof ActorChange]: ActorChange[K] };

const REGISTER_INDEX = REGISTERS.map((name) => [name, REG_NAMES.indexOf(name)] as const);
const RIP = REG_NAMES.indexOf('rip');

/** What is known of a task. */
export interface KnownTask {
  readonly actor: number;
  readonly tid: number;
  name: string;
  state: ActorStateName;
  space: number;
  rip: number;
  readonly regs: BigUint64Array;
  record: Readonly<Partial<Record<RecordField, Word>>>;
  /** Its last step: what is found changed later belongs to it. */
  last: OpenStep | null;
}

/** Collects steps. */
export class StepLog {
  readonly steps: OpenStep[] = [];
  readonly #limit: number;
  readonly #version: UpstreamVersion;
  readonly #leftOut = new Map<LeftOut['what'], { count: number; at: number }>();

  constructor(limit: number, version: UpstreamVersion) {
    this.#limit = limit;
    this.#version = version;
  }

  /** Nothing more is taken down. */
  get isFull(): boolean {
    return this.steps.length >= this.#limit;
  }

  /** How many steps there are. */
  get moment(): number {
    return this.steps.length;
  }

  get leftOut(): LeftOut[] {
    return [...this.#leftOut].map(([what, { count, at }]) => ({ what, count, at }));
  }

  /** Something is not in the recording. */
  leaveOut(what: LeftOut['what'], count = 1): void {
    const known = this.#leftOut.get(what);
    if (known === undefined) this.#leftOut.set(what, { count, at: this.moment });
    else known.count += count;
  }

  /** Adds a step; false when the recording is full. */
  add(step: OpenStep): boolean {
    if (this.isFull) {
      this.leaveOut('steps');
      return false;
    }
    this.steps.push(step);
    return true;
  }

  /** A task that begins, with everything of it that is not zero yet to be found changed. */
  newTask(actor: number, tid: number, name: string): KnownTask {
    const regs = new BigUint64Array(REG_NAMES.length);
    return { actor, tid, name, state: 'unborn', space: 0, rip: 0, regs, record: {}, last: null };
  }

  /** What of a task is not as it is known, which is then known. */
  changeOf(task: KnownTask, ctx: GuestContext): Omit<ActorChange, 'actor'> | null {
    const now = ctx.regs.u64;
    const regs: Partial<Record<RegisterName, Word>> = {};
    let hasRegs = false;
    for (const [name, index] of REGISTER_INDEX) {
      const value = now[index] as bigint;
      if (value === task.regs[index]) continue;
      task.regs[index] = value;
      regs[name] = value.toString(16);
      hasRegs = true;
    }
    const rip = Number(now[RIP]);
    const thread = stubThreadOf(ctx.platformState);
    const record = thread === null ? undefined : changedWords(task.record, recordFields(thread.msg, this.#version));
    if (record !== undefined) task.record = { ...task.record, ...record };
    if (!hasRegs && rip === task.rip && record === undefined) return null;
    const change = {
      ...(rip === task.rip ? {} : { rip }),
      ...(hasRegs ? { regs } : {}),
      ...(record === undefined ? {} : { record }),
    };
    task.rip = rip;
    return change;
  }

  /** Adds what a task has become to a step, its own or another's. */
  merge(step: OpenStep, task: KnownTask, change: Omit<ActorChange, 'actor'>): void {
    const changes = [...(step.changes ?? [])];
    const at = changes.findIndex(({ actor }) => (actor ?? step.actor) === task.actor);
    const before: OpenChange = changes[at] ?? (step.actor === task.actor ? {} : { actor: task.actor });
    const merged: OpenChange = { ...before, ...change };
    if (before.regs !== undefined && change.regs !== undefined) merged.regs = { ...before.regs, ...change.regs };
    if (before.record !== undefined && change.record !== undefined)
      merged.record = { ...before.record, ...change.record };
    if (at < 0) changes.push(merged);
    else changes[at] = merged;
    step.changes = changes;
  }
}
