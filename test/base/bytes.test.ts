// SPDX-License-Identifier: MIT

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, fromLatin1, toHex } from '../../src/base/bytes.ts';

describe('Latin-1 text', () => {
  it('has the bytes as its characters, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect([...fromLatin1(bytes)].map((c) => c.charCodeAt(0))).toEqual([...bytes]);
      }),
    );
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    expect([...fromLatin1(all)].map((c) => c.charCodeAt(0))).toEqual([...all]);
  });
});

describe('hex text', () => {
  it('comes back as the bytes it was made from', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect([...fromHex(toHex(bytes, ' '))]).toEqual([...bytes]);
      }),
    );
    expect(() => fromHex('abc')).toThrow(RangeError);
    expect(() => fromHex('zz')).toThrow(RangeError);
  });
});
