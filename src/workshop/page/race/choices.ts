// SPDX-License-Identifier: MIT
//
// What the race laboratory offers, and the verdict book: made with src/race/VERDICTS.md, and compared with it by a test.

import { t } from '../../texts/texts.ts';
import BOOK from './verdicts.json' with { type: 'json' };

export interface Placement {
  readonly name: string;
  /** Of the site in its 64-byte line. */
  readonly offset: number;
  /** The line's end is a page's. */
  readonly page: boolean;
}

/** One table of the book. */
export interface BookTable {
  readonly patch: string;
  readonly protocol: string;
  /** By placement and model: null where it holds, else an index into `failures`. */
  readonly cells: readonly (readonly (number | null)[])[];
}

export const PLACEMENTS: readonly Placement[] = BOOK.placements;
export const MODELS: readonly string[] = BOOK.models;
export const TABLES: readonly BookTable[] = BOOK.tables;
export const SCENARIOS: readonly string[] = BOOK.scenarios;
export const PROTOCOLS: readonly string[] = [...new Set(TABLES.map(({ protocol }) => protocol))];

/** What an order of the stores is, in words; its name where there are none. */
export function protocolText(name: string): string {
  const key = `race.protocol.${name}`;
  const text = t(key);
  return text === key ? name : text;
}

/** How a cell fails; undefined where it holds. */
export function failureOf(cell: number | null | undefined): { signature: string; switches: number } | undefined {
  return cell === null || cell === undefined ? undefined : BOOK.failures[cell];
}
