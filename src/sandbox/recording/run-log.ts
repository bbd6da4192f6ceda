// SPDX-License-Identifier: MIT
//
// What all who look at a run write into: its actors, steps, events, output and maps, each up to its limit.

import { toHex } from '../../base/bytes.ts';
import type { GuestContext } from '../../platform/sentry.ts';
import type { AddressSpace } from '../../mm/address-space.ts';
import type { CodeTables } from '../../trace/recording/code-tables.ts';
import type {
  Actor,
  ActorChange,
  CallLine,
  Event,
  EventKindName,
  Facts,
  Maps,
  Output,
} from '../../trace/recording/format.ts';
import type { Sandbox } from '../sandbox.ts';
import type { RunMemory } from './run-memory.ts';
import type { KnownTask, OpenStep, StepLog } from './step-log.ts';

/** The actor that patches and serves. */
export const SENTRY = 0;

const MOST_ACTORS = 64;
const MOST_SPACES = 256;
const MOST_EVENTS = 100_000;
const MOST_OUTPUT_BYTES = 256 * 1024;
const MOST_MAPS = 200;
const MOST_MAPS_CHARACTERS = 2 ** 20;
/** Of one: a space with more mappings is shown in part. */
const MOST_MAP_CHARACTERS = 2 ** 16;

/** Steps about a task that the Sentry makes. */
const SENTRY_KINDS: ReadonlySet<string> = new Set(['patch-begin', 'patched', 'refused', 'recover', 'handler']);

export class RunLog {
  readonly actors: Actor[] = [{ name: 'sentry', role: 'patcher' }];
  readonly calls: CallLine[] = [];
  readonly events: Event[] = [];
  readonly output: Output[] = [];
  readonly maps: Maps[] = [];
  /** What is known at the start. */
  readonly start: ActorChange[] = [{ actor: SENTRY, state: 'kernel' }];
  readonly steps: StepLog;
  readonly tables: CodeTables;
  readonly memory: RunMemory;
  readonly tasks = new Map<number, KnownTask>();
  /** The context whose turn it is. */
  current: GuestContext | null = null;
  /** When the call at hand was told. */
  toldAt = 0;
  /** The call at hand was made again by a fault at a guard. */
  isRestart = false;
  readonly #lastMaps = new Map<number, string>();
  /** Numbers of spaces in traces, and here. */
  readonly #spaces = new Map<number, number>();
  #sandbox: Sandbox | null = null;
  #outputBytes = 0;
  #mapsCharacters = 0;
  #isOver = false;

  constructor(steps: StepLog, tables: CodeTables, memory: RunMemory) {
    this.steps = steps;
    this.tables = tables;
    this.memory = memory;
  }

  /** The sandbox, before it runs. */
  attach(sandbox: Sandbox, stub: Uint8Array | null): void {
    this.#sandbox = sandbox;
    const first = sandbox.kernel.init?.leader;
    const task = this.taskOf(first ?? null);
    if (first === undefined || task === null) return;
    this.memory.begin(first.mm, stub);
    // The first program is there when the recording begins.
    this.steps.steps.length = 0;
    this.events.length = 0;
    this.start.push({ actor: task.actor, state: 'user', ...this.steps.changeOf(task, first) });
    this.takeMaps(first.mm);
  }

  /** What happens from now on is no part of the run. What can be known only at its end is filled in. */
  finish(): void {
    this.#isOver = true;
    this.events.sort((a, b) => a.at - b.at);
    const spaces = new Map<number, number>();
    for (const step of [{ actor: SENTRY, changes: this.start }, ...this.steps.steps]) {
      for (const { actor, space } of step.changes ?? [])
        if (space !== undefined) spaces.set(actor ?? step.actor, space);
      if (!('place' in step) || step.place !== 'program' || step.rip === undefined) continue;
      // The sites that were met later.
      if (this.memory.offsetInSite(spaces.get(step.actor) ?? 0, step.rip) !== null) step.place = 'site';
    }
    for (const { actor, name } of this.tasks.values()) {
      const known = this.actors[actor];
      if (known !== undefined && name !== '') this.actors[actor] = { ...known, name: `${known.name} ${name}` };
    }
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get sandbox(): Sandbox | null {
    return this.#sandbox;
  }

  get instructions(): number {
    return this.#sandbox?.cpu.instructions ?? 0;
  }

  // ---- tasks and spaces

  /** The kernel's own record of a task. */
  contextOf(tid: number): GuestContext | undefined {
    return this.#sandbox?.kernel.task(tid);
  }

  taskOf(ctx: GuestContext | null): KnownTask | null {
    if (ctx === null || this.#isOver) return null;
    return this.tasks.get(ctx.tid) ?? null;
  }

  /** A task that has come into being; null where there are too many. */
  newTask(tid: number, tgid: number, parent: number): KnownTask | null {
    if (this.actors.length >= MOST_ACTORS) {
      this.steps.leaveOut('actors');
      return null;
    }
    const actor = this.actors.push({ name: `tid ${tid}`, role: 'task', tid, tgid }) - 1;
    const task = this.steps.newTask(actor, tid, this.tasks.get(parent)?.name ?? '');
    this.tasks.set(tid, task);
    return task;
  }

  /** Number of an address space in the recording, from its number in traces; undefined where there are too many. */
  spaceNumber(number: number): number | undefined {
    const known = this.#spaces.get(number);
    if (known !== undefined) return known;
    if (this.#spaces.size >= MOST_SPACES) return undefined;
    this.#spaces.set(number, this.#spaces.size);
    return this.#spaces.size - 1;
  }

  spaceOf(mm: AddressSpace): number {
    return this.spaceNumber(this.#sandbox?.kernel.spaceNumber(mm) ?? 1) ?? 0;
  }

  // ---- steps

  /** What the kernel or the platform has changed of a task since its last step belongs to that. */
  sync(ctx: GuestContext, task: KnownTask): void {
    if (this.steps.isFull || task.last === null) return;
    const change = this.steps.changeOf(task, ctx);
    if (change !== null) this.steps.merge(task.last, task, change);
  }

  /** Adds a step of a task with what it has changed of it. */
  add(step: OpenStep, task: KnownTask, ctx: GuestContext): boolean {
    if (!this.steps.add(step)) return false;
    const change = this.steps.changeOf(task, ctx);
    if (change !== null) this.steps.merge(step, task, change);
    task.last = step;
    return true;
  }

  /** A step about a task, without a look at its registers. */
  tell(kind: OpenStep['kind'], task: KnownTask, data: Facts, more: Partial<OpenStep> = {}): boolean {
    return this.steps.add({ actor: SENTRY_KINDS.has(kind) ? SENTRY : task.actor, kind, data, ...more });
  }

  /** A step that brings a task into another state. */
  enter(state: KnownTask['state'], task: KnownTask, kind: OpenStep['kind'], data: Facts): void {
    task.state = state;
    const step: OpenStep = { actor: task.actor, kind, changes: [{ state }], data };
    if (this.steps.add(step)) task.last = step;
  }

  /** Something to jump to. @param at default: now */
  event(kind: EventKindName, actor: number, index: number | undefined, data: Facts, at = this.steps.moment): void {
    if (this.steps.isFull) return;
    if (this.events.length >= MOST_EVENTS) {
      this.steps.leaveOut('events');
      return;
    }
    this.events.push({ at, kind, actor, ...(index === undefined || index < 0 ? {} : { index }), data });
  }

  // ---- output and maps

  /** The guest has written to the terminal. */
  wrote(fd: 1 | 2, bytes: Uint8Array): void {
    if (this.#isOver || bytes.length === 0) return;
    const room = this.steps.isFull ? 0 : Math.max(0, MOST_OUTPUT_BYTES - this.#outputBytes);
    const kept = bytes.subarray(0, room);
    if (kept.length < bytes.length) this.steps.leaveOut('output', bytes.length - kept.length);
    if (kept.length === 0) return;
    this.#outputBytes += kept.length;
    const index = this.output.push({ at: this.steps.moment, fd, bytes: toHex(kept) }) - 1;
    const actor = this.taskOf(this.current)?.actor ?? SENTRY;
    this.event('output', actor, index, { fd, length: kept.length });
  }

  /** What is mapped may be other now. */
  takeMaps(mm: AddressSpace): void {
    if (this.steps.isFull) return;
    if (this.maps.length >= MOST_MAPS || this.#mapsCharacters >= MOST_MAPS_CHARACTERS) {
      this.steps.leaveOut('maps');
      return;
    }
    const space = this.spaceOf(mm);
    const whole = mm.mapsText(true);
    const text = whole.length <= MOST_MAP_CHARACTERS ? whole : whole.slice(0, MOST_MAP_CHARACTERS);
    if (this.#lastMaps.get(space) === text) return;
    this.#lastMaps.set(space, text);
    this.#mapsCharacters += text.length;
    this.maps.push({ at: this.steps.moment, space, text });
  }
}
