// SPDX-License-Identifier: MIT
//
// The state of a recording at any moment. States are immutable and share what did not change; one in every KEYFRAME
// is kept, so that a jump applies few steps and a page can compare parts by identity.

import { PAGE_SIZE } from '../../base/addr.ts';
import { fromHex, toHex } from '../../base/bytes.ts';
import { DECODE_BYTES, RECORD_FIELDS, REGISTERS } from './format.ts';
import type {
  ActorChange,
  ActorStateName,
  Address,
  CallLine,
  Decode,
  Event,
  EventKindName,
  Hex,
  Listing,
  Maps,
  Moment,
  RecordField,
  Recording,
  RegisterName,
  SpaceChange,
  Step,
  Store,
  Word,
} from './format.ts';

/** Moments between two states that are kept. */
const KEYFRAME = 256;

/** One actor at a moment. */
export interface ActorState {
  readonly state: ActorStateName;
  readonly space: number;
  readonly rip: Address;
  readonly regs: Readonly<Record<RegisterName, Word>>;
  /** By granule; null: nothing fetched. */
  readonly fetched: readonly (Uint8Array | null)[];
  /** Null for actors that have none. */
  readonly record: Readonly<Partial<Record<RecordField, Word>>> | null;
}

/** What the Sentry knows of an address space at a moment. */
export interface SpaceState {
  readonly base: Address;
  readonly next: number;
  readonly isLocked: boolean;
  readonly readers: number;
  readonly isStopped: boolean;
}

/** Everything at a moment. */
export interface State {
  readonly moment: Moment;
  readonly actors: readonly ActorState[];
  readonly spaces: readonly SpaceState[];
  /** By region; null: not there. */
  readonly memory: readonly (Uint8Array | null)[];
  /** Nanoseconds so far, by basis: least and most. */
  readonly costs: readonly (readonly [low: number, high: number])[];
  /** Share of continuations that fail; null: not known. */
  readonly share: number | null;
}

const ZEROS = Object.freeze(Object.fromEntries(REGISTERS.map((name) => [name, '0']))) as ActorState['regs'];
const UNBORN: Omit<ActorState, 'fetched'> = { state: 'unborn', space: 0, rip: 0, regs: ZEROS, record: null };
const FRESH_SPACE: SpaceState = { base: 0, next: 0, isLocked: false, readers: 0, isStopped: false };

const NONE: readonly number[] = [];

/** Pages of the user half have 35 bits. */
function pageKey(space: number, page: number): number {
  return space * 2 ** 36 + page;
}

/** Walks a recording. Hand it only what `parse.ts` has accepted, or what a recorder made. */
export class RecordingCursor {
  readonly recording: Recording;
  #state: State;
  readonly #keyframes: State[] = [];
  readonly #decodes = new Map<string, Decode>();
  readonly #listings = new Map<string, Listing>();
  /** Regions by the pages that they lie on: most stores touch none. */
  readonly #onPage = new Map<number, number[]>();

  constructor(recording: Recording) {
    this.recording = recording;
    for (const decode of recording.decodes) this.#decodes.set(`${decode.site}:${decode.bytes}`, decode);
    for (const listing of recording.listings) this.#listings.set(`${listing.region}:${listing.bytes}`, listing);
    for (const [i, { space, address, length }] of recording.regions.entries()) {
      for (let page = Math.floor(address / PAGE_SIZE); page * PAGE_SIZE < address + length; page++) {
        const known = this.#onPage.get(pageKey(space, page));
        if (known === undefined) this.#onPage.set(pageKey(space, page), [i]);
        else known.push(i);
      }
    }
    let state = this.#initial();
    for (const step of recording.steps) {
      if (state.moment % KEYFRAME === 0) this.#keyframes.push(state);
      state = this.#after(state, step);
    }
    if (state.moment % KEYFRAME === 0) this.#keyframes.push(state);
    this.#state = this.#keyframes[0] ?? state;
  }

  /** The last moment: the number of steps. */
  get length(): Moment {
    return this.recording.steps.length;
  }

  get moment(): Moment {
    return this.#state.moment;
  }

  get state(): State {
    return this.#state;
  }

  /** The step that led here; undefined at moment 0. */
  get step(): Step | undefined {
    return this.recording.steps[this.#state.moment - 1];
  }

  /** Goes to a moment; one outside is taken for the nearest. Returns the state there. */
  goTo(moment: Moment): State {
    this.#state = this.at(moment);
    return this.#state;
  }

  /** The state at a moment, without going there. */
  at(moment: Moment): State {
    const to = Math.min(this.length, Math.max(0, Math.trunc(moment)));
    const here = this.#state;
    const kept = this.#keyframes[Math.floor(to / KEYFRAME)] ?? here;
    let state = here.moment <= to && here.moment >= kept.moment ? here : kept;
    while (state.moment < to) state = this.#after(state, this.recording.steps[state.moment] as Step);
    return state;
  }

  // ---- the key picture

  /**
   * Bytes from a site's first on, at most DECODE_BYTES.
   * @param actor as its processor sees them: what it has fetched instead of what memory has; absent: memory
   */
  siteBytes(site: number, state: State = this.#state, actor?: number): Uint8Array | null {
    const { address, region, space } = this.recording.sites[site] ?? { address: 0, region: -1, space: 0 };
    const known = state.memory[region];
    const start = this.recording.regions[region]?.address ?? 0;
    if (known === undefined || known === null) return null;
    const bytes = known.slice(address - start, address - start + DECODE_BYTES);
    const viewer = actor === undefined ? undefined : state.actors[actor];
    if (viewer === undefined || viewer.space !== space) return bytes;
    for (const [i, have] of viewer.fetched.entries()) {
      const granule = this.recording.granules[i];
      if (have === null || granule === undefined) continue;
      for (const [k, value] of have.entries()) {
        const at = granule.address + k - address;
        if (at >= 0 && at < bytes.length) bytes[at] = value;
      }
    }
    return bytes;
  }

  /** How a content of a site decodes from +0 … +6; undefined where the recording does not say. */
  decode(site: number, bytes: Uint8Array | Hex): Decode | undefined {
    return this.#decodes.get(`${site}:${typeof bytes === 'string' ? bytes : toHex(bytes)}`);
  }

  /** How a region disassembles now. */
  listing(region: number, state: State = this.#state): Listing | undefined {
    const bytes = state.memory[region];
    return bytes === undefined || bytes === null ? undefined : this.#listings.get(`${region}:${toHex(bytes)}`);
  }

  // ---- what has happened so far

  /** How many of a list's entries, which are in the order of their moments, are there by a moment. */
  countUntil(list: readonly { readonly at: Moment }[], moment: Moment = this.moment): number {
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((list[middle]?.at ?? 0) <= moment) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The next event after a moment, or the last before it, of some kinds or of any. */
  eventFrom(moment: Moment, direction: 1 | -1, kinds?: readonly EventKindName[]): Event | undefined {
    const { events } = this.recording;
    const isWanted = (e: Event | undefined): boolean =>
      e !== undefined && e.at !== moment && (kinds === undefined || kinds.includes(e.kind));
    let index = direction === 1 ? this.countUntil(events, moment) : this.countUntil(events, moment - 1) - 1;
    while (index >= 0 && index < events.length && !isWanted(events[index])) index += direction;
    return events[index];
  }

  /** `/proc/self/maps` of a space. */
  maps(space: number, moment: Moment = this.moment): Maps | undefined {
    return this.recording.maps.findLast((maps) => maps.space === space && maps.at <= moment);
  }

  /** A line of the log as it stands at a moment. */
  callText({ enter, exit, end }: CallLine, moment: Moment = this.moment): string {
    return end !== null && end <= moment ? enter + exit : enter;
  }

  /** A text by its index; '' where there is none. */
  text(index: number | undefined): string {
    return index === undefined ? '' : (this.recording.texts[index] ?? '');
  }

  // ---- applying steps

  #initial(): State {
    const { actors, regions, granules, costs, start } = this.recording;
    const nothing = granules.map(() => null);
    const state: State = {
      moment: 0,
      actors: actors.map(() => ({ ...UNBORN, fetched: nothing })),
      spaces: [],
      memory: regions.map(({ bytes }) => (bytes === null ? null : fromHex(bytes))),
      costs: costs.map(() => [0, 0]),
      share: this.recording.kind === 'race' ? (this.recording.race.failure?.share ?? null) : null,
    };
    return { ...state, actors: withActors(state, start.actors, 0), spaces: withSpaces(state.spaces, start.spaces) };
  }

  #after(state: State, step: Step): State {
    const { changes, spaces, stores, memory, cost, share } = step;
    return {
      moment: state.moment + 1,
      actors: changes === undefined ? state.actors : withActors(state, changes, step.actor),
      spaces: spaces === undefined ? state.spaces : withSpaces(state.spaces, spaces),
      memory: stores === undefined && memory === undefined ? state.memory : this.#withMemory(state.memory, step),
      costs: cost === undefined ? state.costs : this.#withCost(state.costs, cost),
      share: share ?? state.share,
    };
  }

  #withMemory(before: State['memory'], step: Step): State['memory'] {
    // What a failing step does comes to nothing.
    const stores = step.fails === true ? [] : (step.stores ?? []).filter((store) => this.#touched(store).length > 0);
    if (stores.length === 0 && step.memory === undefined) return before;
    const memory = before.slice();
    for (const [region, bytes] of step.memory ?? []) memory[region] = bytes === null ? null : fromHex(bytes);
    for (const store of stores) this.#store(memory, before, store);
    return memory;
  }

  /** Regions on the pages of a store. */
  #touched({ space, address, bytes }: Store): readonly number[] {
    const first = Math.floor(address / PAGE_SIZE);
    const last = Math.floor((address + bytes.length / 2 - 1) / PAGE_SIZE);
    const here = this.#onPage.get(pageKey(space, first)) ?? NONE;
    if (last <= first) return here;
    return [...new Set([...here, ...(this.#onPage.get(pageKey(space, last)) ?? NONE)])];
  }

  #store(memory: (Uint8Array | null)[], before: State['memory'], { space, address, bytes }: Store): void {
    const length = bytes.length / 2;
    for (const i of this.#touched({ space, address, bytes })) {
      const region = this.recording.regions[i];
      const now = memory[i];
      if (region === undefined || now === null || now === undefined) continue;
      if (address >= region.address + region.length || address + length <= region.address) continue;
      const changed = now === before[i] ? now.slice() : now;
      for (const [k, value] of fromHex(bytes).entries()) {
        const at = address + k - region.address;
        if (at >= 0 && at < changed.length) changed[at] = value;
      }
      memory[i] = changed;
    }
  }

  #withCost(before: State['costs'], cost: NonNullable<Step['cost']>): State['costs'] {
    return before.map(([low, high], i) => {
      const figure = this.recording.costs[i]?.figures[cost];
      return figure === undefined ? [low, high] : [low + figure.low, high + figure.high];
    });
  }
}

function withActors(state: State, changes: readonly ActorChange[], maker: number): State['actors'] {
  const actors = state.actors.slice();
  for (const change of changes) {
    const index = change.actor ?? maker;
    const before = actors[index];
    if (before !== undefined) actors[index] = withChange(before, change);
  }
  return actors;
}

function withChange(before: ActorState, change: ActorChange): ActorState {
  const { regs, fetched, record } = change;
  let buffers = before.fetched;
  if (fetched !== undefined) {
    const now = buffers.slice();
    for (const [granule, bytes] of fetched)
      if (granule < now.length) now[granule] = bytes === null ? null : fromHex(bytes);
    buffers = now;
  }
  return {
    state: change.state ?? before.state,
    space: change.space ?? before.space,
    rip: change.rip ?? before.rip,
    regs: regs === undefined ? before.regs : { ...before.regs, ...regs },
    fetched: buffers,
    record: record === undefined ? before.record : { ...before.record, ...record },
  };
}

function withSpaces(before: State['spaces'], changes: readonly SpaceChange[]): State['spaces'] {
  const spaces = before.slice();
  for (const { space, ...change } of changes) {
    while (spaces.length <= space) spaces.push(FRESH_SPACE);
    spaces[space] = { ...(spaces[space] ?? FRESH_SPACE), ...change };
  }
  return spaces;
}

/** The record's fields that are known, in order, for a pane. */
export function recordRows({ record }: ActorState): readonly (readonly [RecordField, Word])[] {
  if (record === null) return [];
  return RECORD_FIELDS.flatMap((field) => {
    const value = record[field];
    return value === undefined ? [] : [[field, value] as const];
  });
}
