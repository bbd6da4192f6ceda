// SPDX-License-Identifier: MIT
//
// What a step changed of the actors and of the address spaces, as a recording has it: the differences between two
// states of a world.

import { toHex } from '../../base/bytes.ts';
import { Reg, REG_NAMES } from '../../cpu/regs.ts';
import { Msg } from '../../platform/stub-layout.ts';
import { RECORD_FIELDS, REGISTERS } from '../../trace/recording/format.ts';
import type {
  ActorChange,
  ActorStateName,
  RecordField,
  RegisterName,
  SpaceChange,
  Word,
} from '../../trace/recording/format.ts';
import { HEAD } from '../../usertrap/versions.ts';
import type { Local, Shared } from '../world/state.ts';
import type { World } from '../world/world.ts';

const REGISTER_INDEX: ReadonlyMap<RegisterName, number> = new Map(
  REGISTERS.map((name) => [name, REG_NAMES.indexOf(name)]),
);

/** Offsets of the record's fields of 8 bytes; `interrupt` and `state` are words of 4. */
const FIELD_OFFSETS: Readonly<Record<RecordField, number>> = {
  self: Msg.self,
  retAddr: Msg.retAddr,
  syshandler: Msg.syshandler,
  syshandlerStack: Msg.syshandlerStack,
  appStack: Msg.appStack,
  interrupt: Msg.interrupt,
  state: HEAD.stateOffset,
  context: HEAD.contextOffset,
};
const SHORT_FIELDS: readonly RecordField[] = ['interrupt', 'state'];

/** All of one actor, as far as it can be seen. */
interface ActorFacts {
  readonly state: ActorStateName;
  readonly space: number;
  readonly rip: number;
  readonly regs: Readonly<Record<RegisterName, Word>>;
  readonly fetched: readonly (string | null)[];
  readonly record: Readonly<Record<RecordField, Word>>;
}

/** The actors of one schedule, from state to state. */
export class ActorHistory {
  readonly #world: World;
  /** Actors that have not begun: a child that is not forked yet is ended, too. */
  readonly #unborn: boolean[];
  #now: ActorFacts[];
  #shared: Shared;

  constructor(world: World) {
    this.#world = world;
    this.#shared = world.shared(world.initial);
    this.#unborn = world.locals(world.initial).map((local) => local.phase === 'ended');
    this.#now = this.#factsOf(world.initial);
  }

  /** Everything at the start. */
  start(): { actors: ActorChange[]; spaces: SpaceChange[] } {
    return {
      actors: this.#now.map(({ fetched, ...facts }, actor) => ({
        actor,
        ...facts,
        fetched: fetched.map((bytes, granule) => [granule, bytes] as const),
      })),
      spaces: this.#shared.spaces.map((_, space) => this.#spaceChange(space, undefined)),
    };
  }

  /** The differences to a later state; `maker` comes first. */
  next(state: number, maker: number): { changes: ActorChange[]; spaces: SpaceChange[] } {
    const before = this.#now;
    const sharedBefore = this.#shared;
    this.#shared = this.#world.shared(state);
    this.#now = this.#factsOf(state);
    const order = [maker, ...before.keys()].filter((actor, i) => i === 0 || actor !== maker);
    const changes = order.flatMap((actor) => {
      const change = difference(before[actor] as ActorFacts, this.#now[actor] as ActorFacts);
      if (change === null) return [];
      return [actor === maker ? change : { actor, ...change }];
    });
    const spaces = this.#shared.spaces.flatMap((now, space) => {
      const was = sharedBefore.spaces[space];
      return was === now ? [] : [this.#spaceChange(space, was)];
    });
    return { changes, spaces: spaces.filter((change) => Object.keys(change).length > 1) };
  }

  #spaceChange(space: number, was: Shared['spaces'][number] | undefined): SpaceChange {
    const now = this.#shared.spaces[space];
    if (now === undefined) return { space };
    return {
      space,
      ...(was?.base === now.base ? {} : { base: now.base }),
      ...(was?.next === now.next ? {} : { next: now.next }),
      ...(was?.isLocked === now.isLocked ? {} : { isLocked: now.isLocked }),
      ...(was?.readers === now.readers ? {} : { readers: now.readers }),
      ...(was?.isStopped === now.isStopped ? {} : { isStopped: now.isStopped }),
    };
  }

  #factsOf(state: number): ActorFacts[] {
    return this.#world.locals(state).map((local, actor) => {
      if (local.phase !== 'ended') this.#unborn[actor] = false;
      return {
        state: this.#stateOf(local, actor, state),
        space: local.space,
        rip: Number(local.regs[Reg.rip]),
        regs: registers(local),
        fetched: local.fetched.map((have) => (have === null ? null : toHex(have.bytes))),
        record: recordOf(local),
      };
    });
  }

  #stateOf(local: Local, actor: number, state: number): ActorStateName {
    if (local.phase === 'ended') return this.#unborn[actor] === true ? 'unborn' : 'ended';
    if (this.#world.shared(state).spaces[local.space]?.isStopped === true && !local.isStopper) return 'stopped';
    if (local.phase === 'user') return 'user';
    return this.#world.plain.moves(state, actor).length === 0 ? 'waiting' : 'kernel';
  }
}

function registers(local: Local): Readonly<Record<RegisterName, Word>> {
  const rows = [...REGISTER_INDEX].map(([name, index]) => [name, (local.regs[index] ?? 0n).toString(16)] as const);
  return Object.fromEntries(rows) as Record<RegisterName, Word>;
}

/** The record of the stub thread: the last of an actor's private pages. */
function recordOf(local: Local): Readonly<Record<RecordField, Word>> {
  const bytes = local.privates.at(-1)?.bytes ?? new Uint8Array(0);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rows = RECORD_FIELDS.map((field) => {
    const at = FIELD_OFFSETS[field];
    if (at + 8 > bytes.length) return [field, '0'] as const;
    const value = SHORT_FIELDS.includes(field) ? BigInt(view.getUint32(at, true)) : view.getBigUint64(at, true);
    return [field, value.toString(16)] as const;
  });
  return Object.fromEntries(rows) as Record<RecordField, Word>;
}

/** Entries of `now` that are others in `before`; undefined when none is. */
function changed<K extends string>(
  before: Readonly<Record<K, Word>>,
  now: Readonly<Record<K, Word>>,
): Partial<Record<K, Word>> | undefined {
  const names = (Object.keys(now) as K[]).filter((name) => before[name] !== now[name]);
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.map((name) => [name, now[name]])) as Partial<Record<K, Word>>;
}

function difference(before: ActorFacts, now: ActorFacts): Omit<ActorChange, 'actor'> | null {
  const regs = changed(before.regs, now.regs);
  const record = changed(before.record, now.record);
  const fetched = now.fetched.flatMap((bytes, granule) =>
    bytes === before.fetched[granule] ? [] : [[granule, bytes] as const],
  );
  const change = {
    ...(before.state === now.state ? {} : { state: now.state }),
    ...(before.space === now.space ? {} : { space: now.space }),
    ...(before.rip === now.rip ? {} : { rip: now.rip }),
    ...(regs === undefined ? {} : { regs }),
    ...(fetched.length === 0 ? {} : { fetched }),
    ...(record === undefined ? {} : { record }),
  };
  return Object.keys(change).length === 0 ? null : change;
}
