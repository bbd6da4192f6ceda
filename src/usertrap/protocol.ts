// SPDX-License-Identifier: MIT
//
// A patch protocol as data: which bytes of the site are copied in which order, how each copy becomes machine
// stores, and where the other processors are made to serialise. gVisor's is `abc` (usertrap_amd64.go:266-287).

import { PAGE_SIZE } from '../base/addr.ts';
import { SITE_BYTES } from '../isa/syscall-site.ts';
import { GUARD_OFFSET } from './layout.ts';

/** One copy into the site. */
export interface ProtocolStep {
  readonly name: string;
  /** First byte of the site that it writes. Bytes behind the site, if any, are read before and stay as they are. */
  readonly offset: number;
  readonly length: number;
  /** What it writes, where that is not yet what stays. */
  readonly bytes?: Uint8Array;
}

export interface PatchProtocol {
  readonly name: string;
  readonly steps: readonly ProtocolStep[];
  /** `memcpy`: the stores that gVisor's safecopy.memcpy issues; `step`: each copy is one store; `byte`: ascending bytes. */
  readonly split: 'memcpy' | 'step' | 'byte';
  /** Names of the steps after which the other processors serialise. */
  readonly syncAfter: readonly string[];
  /** All other tasks of the address space stand still from before the first store until after the last. */
  readonly stopsOthers?: boolean;
}

/** The guard at the `syscall`. */
const A: ProtocolStep = { name: 'a', offset: GUARD_OFFSET, length: 1 };
/** The operand, the guard once more, and the last byte. */
const B: ProtocolStep = { name: 'b', offset: 1, length: SITE_BYTES - 1 };
/** The opcode of the jump. */
const C: ProtocolStep = { name: 'c', offset: 0, length: 1 };

const BY_NAME: Record<string, ProtocolStep> = { a: A, b: B, c: C };

export const GVISOR_PROTOCOL: PatchProtocol = { name: 'abc', steps: [A, B, C], split: 'memcpy', syncAfter: [] };

/** gVisor's order where the others serialise after the guard and after the operand: sound under any fetch model. */
export const SYNCED_PROTOCOL: PatchProtocol = { ...GVISOR_PROTOCOL, name: 'abc-sync', syncAfter: ['a', 'b'] };

const ONE_SHOT: PatchProtocol = {
  name: 'one-shot',
  steps: [{ name: 'all', offset: 0, length: SITE_BYTES }],
  split: 'memcpy',
  syncAfter: [],
};

/** One store of the site and the byte behind it: never seen half done where it lies in one word. */
export const ONE_STORE: PatchProtocol = {
  name: 'one-store',
  steps: [{ name: 'all', offset: 0, length: 8 }],
  split: 'memcpy',
  syncAfter: [],
};

/**
 * A protocol by name: `gvisor`, `abc-sync`, `one-shot`, `one-store`, or an order of the steps a, b and c such as `acb` or `bc`.
 * @returns undefined when there is none of that name
 */
export function protocolNamed(name: string): PatchProtocol | undefined {
  if (name === 'gvisor') return GVISOR_PROTOCOL;
  if (name === SYNCED_PROTOCOL.name) return SYNCED_PROTOCOL;
  if (name === ONE_SHOT.name) return ONE_SHOT;
  if (name === ONE_STORE.name) return ONE_STORE;
  if (!/^[abc]{1,3}$/.test(name) || new Set(name).size !== name.length) return undefined;
  const steps = [...name].map((letter) => BY_NAME[letter]).filter((step) => step !== undefined);
  return { name, steps, split: 'memcpy', syncAfter: [] };
}

/** A piece of a copy: one machine store. */
export interface StorePiece {
  readonly offset: number;
  readonly length: number;
}

/**
 * The stores of gVisor's safecopy.memcpy on amd64 (memcpy_amd64.s): one byte is stored twice, 2 bytes as two stores,
 * 3 and 4 as two overlapping 2-byte stores, 5 to 7 as two overlapping 4-byte stores, 8 as one.
 */
function memcpyStores(length: number): readonly StorePiece[] {
  if (length === 8) return [{ offset: 0, length: 8 }];
  const unit = length <= 2 ? 1 : length <= 4 ? 2 : 4;
  return [
    { offset: 0, length: unit },
    { offset: length - unit, length: unit },
  ];
}

const MEMCPY_STORES = Array.from({ length: 9 }, (_, length) => memcpyStores(length));

/** The stores of one copy of `length` bytes to `address`; a copy that spans pages is one copy a page (block_unsafe.go). */
export function storePieces(address: number, length: number, split: PatchProtocol['split']): readonly StorePiece[] {
  if (split === 'step') return [{ offset: 0, length }];
  if (split === 'byte') return Array.from({ length }, (_, offset) => ({ offset, length: 1 }));
  const inFirstPage = PAGE_SIZE - (address % PAGE_SIZE);
  if (length <= inFirstPage) return MEMCPY_STORES[length] ?? memcpyStores(length);
  const second = memcpyStores(length - inFirstPage);
  return [...memcpyStores(inFirstPage), ...second.map((p) => ({ offset: p.offset + inFirstPage, length: p.length }))];
}
