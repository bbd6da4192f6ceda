// SPDX-License-Identifier: MIT
//
// What an exploration covered in terms of communication: which stores were seen by which fetches, of those that could
// be, and how many different byte mixes were decoded. After Maple and Snowboard, for code bytes.

import { PROT_EXEC } from '../../abi/mman.ts';
import { toHex } from '../../base/bytes.ts';
import { Reg } from '../../cpu/regs.ts';
import { MAX_INSTRUCTION_BYTES } from '../../isa/instruction-length.ts';
import { decodeWindow } from '../world/fetch.ts';
import { readSpace } from '../world/space.ts';
import type { Local, Space } from '../world/state.ts';
import type { World } from '../world/world.ts';

export interface Coverage {
  /** Pairs of a store (or part of one) and a fetch (or execution) that reads a byte of it. */
  readonly pairs: { readonly seen: number; readonly possible: number };
  /** Different bytes that were decoded as an instruction, by address; and those that the scenario calls wrong. */
  readonly mixes: { readonly decoded: number; readonly wrong: number };
}

const MOST_STATES = 100_000;

/** A byte of hot code and its value. */
interface Byte {
  readonly at: number;
  readonly value: number;
}

/** What one kind of store writes, and what one kind of reader was seen to read. */
class Pairs {
  readonly #stores = new Map<string, readonly Byte[]>();
  /** By reader: all values that each address was read as. */
  readonly #reads = new Map<string, Map<number, Set<number>>>();

  store(name: string, changed: readonly Byte[]): void {
    this.#stores.set(`${name}=${changed.map((b) => `${b.at}:${b.value}`).join()}`, changed);
  }

  read(reader: string, address: number, bytes: Uint8Array): void {
    let values = this.#reads.get(reader);
    if (values === undefined) {
      values = new Map();
      this.#reads.set(reader, values);
    }
    for (let i = 0; i < bytes.length; i++) {
      const known = values.get(address + i);
      if (known === undefined) values.set(address + i, new Set([bytes[i] as number]));
      else known.add(bytes[i] as number);
    }
  }

  count(): Coverage['pairs'] {
    let seen = 0;
    let possible = 0;
    for (const changed of this.#stores.values()) {
      for (const values of this.#reads.values()) {
        if (!changed.some((b) => values.has(b.at))) continue;
        possible++;
        if (changed.some((b) => values.get(b.at)?.has(b.value) === true)) seen++;
      }
    }
    return { seen, possible };
  }
}

function hotBytes(world: World, space: Space): Uint8Array[] {
  return world.segments.map((s) => readSpace(space, s.address, s.length, PROT_EXEC));
}

function changes(world: World, before: readonly Uint8Array[], after: readonly Uint8Array[]): Byte[] {
  return world.segments.flatMap((segment, s) =>
    [...(after[s] ?? [])].flatMap((value, i) => (value === before[s]?.[i] ? [] : [{ at: segment.address + i, value }])),
  );
}

/**
 * Walks all states of a world.
 * @returns null where there are too many
 */
export function coverageOf(world: World, isCoherent: boolean): Coverage | null {
  const pairs = new Pairs();
  const decoded = new Set<string>();
  const wrong = new Set<string>();
  const waiting = [world.initial];
  const known = new Set(waiting);
  const visit = (state: number, actor: number, local: Local): void => {
    const space = world.shared(state).spaces[local.space] as Space;
    const rip = Number(local.regs[Reg.rip]);
    const before = hotBytes(world, space);
    for (const move of world.moves(state, actor)) {
      const index = /^F(\d+)$/.exec(move.name)?.[1];
      if (index !== undefined) {
        const segment = world.segments[Number(index)];
        if (segment !== undefined)
          pairs.read(`${local.role}@${rip}:${index}`, segment.address, before[Number(index)] as Uint8Array);
      } else if (move.name === 'X') {
        const memory = readSpace(space, rip, MAX_INSTRUCTION_BYTES, PROT_EXEC);
        const window = decodeWindow(rip, memory, world.segments, isCoherent ? null : local.fetched);
        if (window.hot !== 0) {
          const bytes = window.bytes.subarray(0, Math.max(1, window.length ?? 1));
          const mix = `${rip}:${toHex(bytes)}`;
          decoded.add(mix);
          if (move.failure !== null) wrong.add(mix);
          if (isCoherent) pairs.read(`${local.role}@${rip}`, rip, bytes);
        }
      }
      if (move.failure !== null) continue;
      const after = hotBytes(world, world.shared(move.to).spaces[local.space] as Space);
      const changed = changes(world, before, after);
      if (changed.length > 0) pairs.store(move.name, changed);
      if (known.has(move.to)) continue;
      known.add(move.to);
      waiting.push(move.to);
    }
  };
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    if (known.size > MOST_STATES) return null;
    for (const [actor, local] of world.locals(state).entries()) visit(state, actor, local);
  }
  return { pairs: pairs.count(), mixes: { decoded: decoded.size, wrong: wrong.size } };
}
