// SPDX-License-Identifier: MIT
//
// The shape of a call that has no row in the table; apart from the decoder, which only recordings need.

import { syscallName } from '../../abi/sysno.ts';
import type { ArgKind, CallShape } from './kinds.ts';

const SIX_HEX: readonly ArgKind[] = ['hex', 'hex', 'hex', 'hex', 'hex', 'hex'];

/** A number that the table does not know: six arguments in hex. */
export function unknownCallShape(sysno: number): CallShape {
  return { nr: sysno, name: syscallName(sysno), args: SIX_HEX };
}
