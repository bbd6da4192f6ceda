// SPDX-License-Identifier: MIT
//
// Whatever a guest passes, a call can be shown: no exception, one line, in bounded time.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Prng } from '../../../src/base/prng.ts';
import { decodeEnter, decodeExit } from '../../../src/kernel/decode/decoder.ts';
import { unknownCallShape } from '../../../src/kernel/decode/unknown-call.ts';
import { makeSyscallTable } from '../../../src/kernel/syscalls/index.ts';
import { Arguments, BASE, Page } from './guest.ts';

const shapes = [
  ...makeSyscallTable().filter((def) => def !== undefined),
  unknownCallShape(500),
  unknownCallShape(0xffffffff),
];

/** Addresses in the page and around it, small numbers, flags, anything. */
const word = fc.oneof(
  fc.integer({ min: BASE - 8, max: BASE + 4104 }).map(BigInt),
  fc.integer({ min: -300, max: 300 }).map(BigInt),
  fc.nat(63).map((bit) => 1n << BigInt(bit)),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const result = fc.oneof(
  fc.integer({ min: -600, max: 5000 }),
  fc.constant(Number.NaN),
  fc.constant(2 ** 46),
  fc.constant(-(2 ** 40)),
);

describe('The decoder', () => {
  it('shows every call of the table with any arguments on one line', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...shapes),
        fc.array(word, { minLength: 6, maxLength: 6 }),
        fc.nat(),
        result,
        (shape, values, seed, value) => {
          const memory = new Page();
          new Prng(seed).fill(memory.bytes);
          const args = new Arguments(values);
          const exit = decodeExit(shape, args, memory, value);
          const line = `${decodeEnter(shape, args, memory)}${exit.args} = ${exit.result}`;
          expect(line).toMatch(/^[\x20-\x7e]*$/);
          expect(line).not.toMatch(/undefined|NaN|\[object/);
        },
      ),
      { numRuns: 5000, seed: 1 },
    );
  });

  it('shows every call of the table once with pointers to zeros and once with nothing', () => {
    for (const shape of shapes) {
      for (const values of [
        [0, 0, 0, 0, 0, 0],
        [BASE, BASE, BASE, BASE, BASE, BASE],
      ]) {
        const args = new Arguments(values);
        const memory = new Page();
        for (const value of [0, 1, -14, -512]) {
          const exit = decodeExit(shape, args, memory, value);
          expect(`${decodeEnter(shape, args, memory)}${exit.args} = ${exit.result}`).not.toMatch(/undefined|\[object/);
        }
      }
    }
  });
});
