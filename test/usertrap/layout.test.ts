// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';

import { fromHex, toHex } from '../../src/base/bytes.ts';
import {
  BASE_SPAN,
  jumpOperand,
  looksPatched,
  originalBytes,
  patchedBytes,
  readTrap,
  TABLE_BYTES,
  TRAP_USED_BYTES,
  trapAddress,
  trapBytes,
  trapIndex,
  WINDOW_END,
  WINDOW_START,
} from '../../src/usertrap/layout.ts';

describe('slot and site bytes', () => {
  it('are gVisor’s for slot 1 of a table at 0x60000, site 0x401000, getpid', () => {
    expect(toHex(trapBytes(0x60050, 0x401007, 39))).toBe(
      '5800060000000000' +
        '65c704252c00000002000000' +
        '654889242520000000' +
        '65488b242518000000' +
        '48b80710400000000000' +
        '654889042508000000' +
        'b827000000' +
        '65ff242510000000',
    );
    expect(toHex(patchedBytes(0x60050), ' ')).toBe('ff 24 25 50 00 06 00');
  });

  it('are those in the log of gVisor issue #10155', () => {
    expect([...originalBytes(41)]).toEqual([184, 41, 0, 0, 0, 15, 5]);
    expect([...patchedBytes(0x65640)]).toEqual([255, 36, 37, 64, 86, 6, 0]);
    expect(trapIndex(0x65000, 0x65640)).toBe(20);
    expect(trapAddress(0x65000, 21)).toBe(0x65690);
  });

  it('are those read from a guest under runsc: trap at 0x693c0', () => {
    const bytes = toHex(trapBytes(0x693c0, 0x1122334455, 39));
    expect(bytes.startsWith('c893060000000000' + '65c704252c00000002000000')).toBe(true);
    expect(toHex(patchedBytes(0x693c0), ' ')).toBe('ff 24 25 c0 93 06 00');
  });

  it('can be read back', () => {
    expect(readTrap(trapBytes(0x693c0, 0x7fff_1234_5678, 0x40000027), 0x693c0)).toEqual({
      returnAddress: 0x7fff_1234_5678,
      sysno: 0x40000027,
    });
    const damaged = trapBytes(0x693c0, 0x401007, 39);
    damaged[12] = 0x30;
    expect(readTrap(damaged, 0x693c0)).toBeUndefined();
    expect(readTrap(fromHex('00'), 0x693c0)).toBeUndefined();
    expect(jumpOperand(patchedBytes(0x693c0))).toBe(0x693c0);
    expect(looksPatched(patchedBytes(0x693c0))).toBe(true);
    expect(looksPatched(originalBytes(39))).toBe(false);
  });

  it('have the guard in byte 5 wherever the table lies and whatever the slot', () => {
    expect(BASE_SPAN / 4096).toBe(11);
    for (let base = WINDOW_START; base < WINDOW_START + BASE_SPAN; base += 4096) {
      for (let index = 1; index <= 256; index++) {
        const bytes = patchedBytes(trapAddress(base, index));
        expect([bytes[5], bytes[6]]).toEqual([6, 0]);
      }
    }
    expect(WINDOW_START + BASE_SPAN - 4096 + TABLE_BYTES).toBe(0x6f000);
    expect(WINDOW_END).toBe(0x70000);
  });

  it('no mix of old and new bytes loads restart_syscall, unless the site does', () => {
    const reached = new Set<number>();
    for (let base = WINDOW_START; base < WINDOW_START + BASE_SPAN; base += 4096) {
      for (let index = 1; index <= 254; index++) {
        const patched = patchedBytes(trapAddress(base, index));
        // The low two bytes decide already: 219 is db 00.
        for (let nr = 0; nr < 1024; nr++) {
          const low = [nr & 0xff, 0x24].includes(219) && [nr >> 8, 0x25].includes(0);
          const high = [0, patched[3]].includes(0) && [0, patched[4]].includes(0);
          if (low && high) reached.add(nr);
        }
      }
    }
    expect([...reached]).toEqual([219]);
  });

  it('a slot has 70 bytes that mean something', () => {
    expect(trapBytes(0x60050, 0, 0)).toHaveLength(TRAP_USED_BYTES);
  });
});
