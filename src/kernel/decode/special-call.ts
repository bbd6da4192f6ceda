// SPDX-License-Identifier: MIT
//
// The shape of a call that is shown by more than its ArgKinds.

import type { ArgKind, RawArgs } from './kinds.ts';
import { printerOf } from './printers.ts';
import type { Call, Printer } from './printers.ts';

/** A printer for the argument at its own position, or for another one. */
export type SpecialArg = Printer | readonly [Printer, number];

export interface SpecialCall {
  /** Printers in the order shown. */
  args?(args: RawArgs): readonly SpecialArg[];
  /** A number that the call overwrites, kept for its exit: shown as `110 => 2`. */
  before?(call: Call): number | undefined;
  /** The result with what it adds, or undefined for the plain form. Not called for errors. */
  result?(call: Call, result: number): string | undefined;
}

/** Calls by name. */
export type SpecialCalls = Readonly<Record<string, SpecialCall>>;

/** Printers of kinds, in order. */
export function kinds(...list: ArgKind[]): Printer[] {
  return list.map(printerOf);
}
