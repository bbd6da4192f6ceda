// SPDX-License-Identifier: MIT
//
// What instruction fetches and stores may do: the named models and their orthogonal parameters (races.md 3.5).

import { TraplineError } from '../../base/errors.ts';

/**
 * How instructions are fetched. Each allows all that the one before it allows:
 * - `coherent`: an instruction is fetched at once from memory as it is;
 * - `torn-asc`: granule by granule, the lowest first; nothing is kept for the next instruction;
 * - `torn-any`: granule by granule in any order;
 * - `stale-window`: a granule is fetched at any time and used until `window` instructions later;
 * - `stale`: and used until the processor serialises.
 */
export type FetchKind = 'coherent' | 'torn-asc' | 'torn-any' | 'stale-window' | 'stale';

export interface Model {
  readonly fetch: FetchKind;
  /** Instructions that a fetched granule outlives, for `stale-window`. */
  readonly window: number;
  /** Reports code that was changed and is executed without the synchronisation that the manual asks for. */
  readonly strict: boolean;
  /** Bytes that one fetch reads at once. */
  readonly granule: 64 | 32 | 16 | 8 | 1;
  /** Stores are split where they cross a multiple of it, and the parts become visible in any order. */
  readonly atom: 64 | 8 | 1;
  /** How a copy becomes stores: those that gVisor's memcpy issues, one, or one a byte. */
  readonly grain: 'isa' | 'step' | 'byte';
  /** How the kernel returns from a signal: iret serialises, sysret does not. */
  readonly returnBy: 'iret' | 'sysret';
}

export const COHERENT: Model = {
  fetch: 'coherent',
  window: 0,
  strict: false,
  granule: 64,
  atom: 64,
  grain: 'isa',
  returnBy: 'iret',
};

/** What `--model` takes, from the weakest adversary on: what fails in one fails in those after it. */
export const MODELS: readonly { readonly name: string; readonly summary: string }[] = [
  { name: 'coherent', summary: 'an instruction is fetched at once from memory as it is' },
  { name: 'torn-asc', summary: 'granule by granule, the lowest first' },
  { name: 'torn-any', summary: 'granule by granule in any order' },
  { name: 'stale-window=N', summary: 'a granule is fetched at any time and used up to N instructions later' },
  { name: 'stale', summary: 'a granule is fetched at any time and used until the processor serialises' },
  {
    name: 'xmc-strict',
    summary: 'coherent, and reports code that changed without the synchronisation the manual asks for',
  },
];

const MAX_WINDOW = 1000;

/**
 * The fetch part of a model by its name on the command line.
 * @throws TraplineError `RACE_MODEL` when there is none of that name
 */
export function fetchNamed(name: string): Pick<Model, 'fetch' | 'window' | 'strict'> {
  switch (name) {
    case 'coherent':
    case 'torn-asc':
    case 'torn-any':
    case 'stale':
      return { fetch: name, window: 0, strict: false };
    case 'xmc-strict':
      return { fetch: 'coherent', window: 0, strict: true };
    default: {
      const window = /^stale-window=(\d{1,4})$/.exec(name)?.[1];
      if (window !== undefined && Number(window) <= MAX_WINDOW) {
        return { fetch: 'stale-window', window: Number(window), strict: false };
      }
      throw new TraplineError(
        'RACE_MODEL',
        `there is no model "${name}"; use one of ${MODELS.map((m) => m.name).join(', ')} (N at most ${MAX_WINDOW})`,
      );
    }
  }
}

/** The name that {@link fetchNamed} takes. */
export function fetchName(model: Model): string {
  if (model.strict) return 'xmc-strict';
  return model.fetch === 'stale-window' ? `stale-window=${model.window}` : model.fetch;
}

/** One sentence for a report. */
export function describeModel(model: Model): string {
  const piece = model.granule === 1 ? 'single bytes' : `${model.granule}-byte blocks`;
  switch (model.fetch) {
    case 'coherent':
      return model.strict
        ? 'fetch is coherent, and code that changed may run only after the synchronisation that the manual asks for'
        : 'an instruction is fetched at once, from memory as it is';
    case 'torn-asc':
      return `fetch reads ${piece} one after another, memory itself stays in order`;
    case 'torn-any':
      return `fetch reads ${piece} in any order, memory itself stays in order`;
    case 'stale-window':
      return `fetch reads ${piece} at any time and may use them up to ${model.window} instructions later`;
    case 'stale':
      return `fetch reads ${piece} at any time and may use them until the processor serialises`;
  }
}
