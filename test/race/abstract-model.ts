// SPDX-License-Identifier: MIT
//
// A small model of one patcher and threads on one site, written down from the protocol alone: no machine code, no engine,
// no generator. It is an oracle for the searches and for the real scenario, nothing else.

import type { KeyedSystem, KeyedTransition } from '../../src/race/search/numbered-system.ts';
import type { Failure } from '../../src/race/search/system.ts';

export type AbstractFetch = 'coherent' | 'torn-asc' | 'torn-any' | 'stale';

interface Hart {
  /** `user`, the stub's reads, waiting for the fault handler, finished. */
  readonly phase: 'user' | 'read1' | 'read2' | 'fault' | 'done';
  readonly pc: 0 | 5;
  /** The immediate that the mov loaded; forgotten where it is loaded again. */
  readonly imm: string;
  /** What the stub's first read saw. */
  readonly seen: string;
  /** Granules as fetched, `null` where not. */
  readonly held: readonly (string | null)[];
}

interface AbstractState {
  readonly site: readonly number[];
  /** Steps that the patcher made. */
  readonly patched: number;
  /** Parts of its next store that are done, as bits. */
  readonly parts: number;
  readonly harts: readonly Hart[];
}

const OLD = [0xb8, 39, 0, 0, 0, 0x0f, 0x05];
const NEW = [0xff, 0x24, 0x25, 0xd0, 0x12, 0x06, 0x00];

/** Lock, the guard, the two overlapping stores of the operand, the opcode, unlock. */
const STEPS: readonly ('lock' | 'unlock' | readonly [from: number, length: number])[] = [
  'lock',
  [5, 1],
  [1, 4],
  [3, 4],
  [0, 1],
  'unlock',
];

const LOCK = 1 << 8;
const SITE = 0x7f;

export class AbstractPatch implements KeyedSystem<AbstractState> {
  readonly actors: readonly string[];
  readonly #fetch: AbstractFetch;
  readonly #goesOn: boolean;
  /** First byte of each granule, and the end. */
  readonly #bounds: readonly number[];

  /**
   * @param firstLine bytes of the site in its first line, 7 for all
   * @param goesOn a failure ends its thread only, as in the counts of the analysis, and not the whole run
   */
  constructor(threads: number, fetch: AbstractFetch = 'coherent', firstLine = 7, goesOn = false) {
    this.#goesOn = goesOn;
    this.actors = ['P', ...Array.from({ length: threads }, (_, i) => `T${i}`)];
    this.#fetch = fetch;
    this.#bounds = firstLine >= 7 ? [0, 7] : [0, firstLine, 7];
  }

  initial(): AbstractState {
    const held = this.#bounds.slice(1).map(() => null);
    const hart: Hart = { phase: 'user', pc: 0, imm: '', seen: '', held };
    return { site: OLD, patched: 0, parts: 0, harts: this.actors.slice(1).map(() => hart) };
  }

  key(state: AbstractState): string {
    return JSON.stringify(state);
  }

  steps(state: AbstractState, actor: number): KeyedTransition<AbstractState>[] {
    if (actor === 0) return this.#patch(state);
    const hart = state.harts[actor - 1] as Hart;
    const to = (
      change: Partial<Hart>,
      name: string,
      footprint: { reads: number; writes: number },
      failure?: Failure,
    ) => {
      const harts = state.harts.map((h, i) => (i === actor - 1 ? { ...hart, ...change } : h));
      return { state: { ...state, harts }, name, text: name, footprint, ...(failure && { failure }) };
    };
    const nothing = this.#bounds.slice(1).map(() => null);
    const bytes = (from: number, length: number): { reads: number; writes: number } => ({
      reads: ((1 << length) - 1) << from,
      writes: 0,
    });
    switch (hart.phase) {
      case 'done':
        return [];
      case 'read1':
        return [to({ phase: 'read2', seen: state.site.join() }, 'read1', bytes(0, 7))];
      case 'read2':
        if (state.site[5] === 6)
          return [to({ phase: 'user', pc: 0, imm: '', seen: '', held: nothing }, 'read2', bytes(5, 1))];
        return [to({ phase: 'done', pc: 0, seen: '' }, 'read2', bytes(5, 1))];
      case 'fault':
        if (state.patched >= 1 && state.patched < STEPS.length) return [];
        return [to({ phase: 'user', pc: 0, imm: '', held: nothing }, 'recover', { reads: LOCK, writes: 0 })];
      case 'user': {
        const fetches = this.#fetches(state, hart).map((g) => {
          const [from, end] = [this.#bounds[g] ?? 0, this.#bounds[g + 1] ?? 7];
          const held = hart.held.map((h, i) => (i === g ? state.site.slice(from, end).join() : h));
          return to({ held }, `F${g}`, bytes(from, end - from));
        });
        const view = this.#view(state, hart);
        const executed = this.#execute(hart, view);
        if (executed === undefined) return fetches;
        // The fault and its handler's way back serialise; a hart that is dead fetches nothing.
        const leaves = executed.change.phase === 'fault' || executed.failure !== undefined;
        const held = this.#fetch === 'stale' && !leaves ? hart.held : nothing;
        const reads = this.#fetch === 'coherent' ? bytes(hart.pc, executed.length) : { reads: 0, writes: 0 };
        const watched = this.#fetch === 'stale' ? { reads: SITE, writes: 0 } : reads;
        const died = executed.failure && { phase: 'done' as const, seen: executed.failure.text };
        return [
          ...fetches,
          to({ ...executed.change, ...died, held }, 'X', watched, this.#goesOn ? undefined : executed.failure),
        ];
      }
    }
  }

  stuck(state: AbstractState): Failure | undefined {
    const waits = state.patched < STEPS.length || state.harts.some((h) => h.phase !== 'done');
    return waits ? { signature: 'deadlock', text: 'deadlock' } : undefined;
  }

  outcome(): string {
    return 'served';
  }

  #patch(state: AbstractState): KeyedTransition<AbstractState>[] {
    const step = STEPS[state.patched];
    if (step === undefined) return [];
    const patched = state.patched + 1;
    if (typeof step === 'string')
      return [{ state: { ...state, patched }, name: step, text: step, footprint: { reads: LOCK, writes: LOCK } }];
    const [from, length] = step;
    const line = this.#bounds.length > 2 ? (this.#bounds[1] ?? 7) : 7;
    const crosses = from < line && from + length > line;
    const ranges: readonly (readonly [number, number])[] = crosses
      ? [
          [from, line],
          [line, from + length],
        ]
      : [[from, from + length]];
    return ranges.flatMap(([low, end], i) => {
      if ((state.parts & (1 << i)) !== 0) return [];
      const parts = state.parts | (1 << i);
      const isWhole = parts === (1 << ranges.length) - 1;
      const site = state.site.map((b, k) => (k >= low && k < end ? (NEW[k] as number) : b));
      let writes = 0;
      for (const [k, b] of site.entries()) if (b !== state.site[k]) writes |= 1 << k;
      const name = `+${low}.${end - low}`;
      const next = isWhole ? { ...state, patched, parts: 0, site } : { ...state, parts, site };
      return [{ state: next, name, text: name, footprint: { reads: 0, writes } }];
    });
  }

  /** Bytes as the decoder has them, undefined where not fetched. */
  #view(state: AbstractState, hart: Hart): (number | undefined)[] {
    if (this.#fetch === 'coherent') return [...state.site];
    return hart.held.flatMap((held, g) => {
      const length = (this.#bounds[g + 1] ?? 7) - (this.#bounds[g] ?? 0);
      return held === null ? new Array<undefined>(length).fill(undefined) : held.split(',').map(Number);
    });
  }

  /** Bytes that the instruction at `pc` still lacks, lowest first; 0 where it is complete. */
  #lacks(hart: Hart, view: readonly (number | undefined)[]): number {
    const need = (from: number, end: number): number => {
      for (let i = from; i < end; i++) if (view[i] === undefined) return i + 1;
      return 0;
    };
    const first = view[hart.pc];
    if (first === undefined) return hart.pc + 1;
    if (hart.pc === 5) return first === 0x0f ? need(5, 7) : 0;
    if (first !== 0xff) return need(0, 5);
    // ff needs a ModRM byte, 24 a SIB byte, 25 four more; any other ModRM ends the instruction there.
    if (need(0, 2) > 0 || view[1] !== 0x24) return need(0, 2);
    if (need(0, 3) > 0 || view[2] !== 0x25) return need(0, 3);
    return need(0, 7);
  }

  #fetches(state: AbstractState, hart: Hart): number[] {
    const granules = hart.held.map((_, g) => g);
    const current = (g: number): string => state.site.slice(this.#bounds[g], this.#bounds[g + 1]).join();
    switch (this.#fetch) {
      case 'coherent':
        return [];
      case 'torn-asc': {
        const lacks = this.#lacks(hart, this.#view(state, hart));
        return lacks === 0
          ? []
          : granules.filter((g) => (this.#bounds[g] ?? 0) < lacks && lacks <= (this.#bounds[g + 1] ?? 7));
      }
      case 'torn-any':
        return granules.filter((g) => hart.held[g] === null && (this.#bounds[g + 1] ?? 7) > hart.pc);
      case 'stale':
        return granules.filter((g) => hart.held[g] !== current(g));
    }
  }

  #execute(
    hart: Hart,
    view: readonly (number | undefined)[],
  ): { change: Partial<Hart>; length: number; failure?: Failure } | undefined {
    if (this.#lacks(hart, view) !== 0) return undefined;
    const wrong = (length: number) => ({
      change: {},
      length,
      failure: {
        signature: `illegal ${view.slice(hart.pc, hart.pc + length).join(' ')}`,
        text: length === 7 ? 'wrong slot' : 'illegal',
      },
    });
    if (hart.pc === 0) {
      if (view[0] === 0xb8) return { change: { pc: 5, imm: view.slice(1, 5).join() }, length: 5 };
      if (view[1] !== 0x24) return wrong(2);
      if (view[2] !== 0x25) return wrong(3);
      if (view.some((b, i) => b !== NEW[i])) return wrong(7);
      return { change: { phase: 'done', pc: 0, imm: '', seen: '' }, length: 7 };
    }
    if (view[5] === 0x06) return { change: { phase: 'fault' }, length: 1 };
    return view[6] === 0x05 ? { change: { phase: 'read1' }, length: 2 } : wrong(2);
  }
}
