// SPDX-License-Identifier: MIT
//
// Guests of random bytes, seasoned with what the platform cares about: whatever they do, a run ends by an event.

import { describe, expect, it } from 'vitest';

import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../src/abi/mman.ts';
import { fromHex } from '../../src/base/bytes.ts';
import { Prng } from '../../src/base/prng.ts';
import { Reg } from '../../src/cpu/regs.ts';
import { DATA, Machine, TEXT } from './machine.ts';

/** Code worth running into. */
const PIECES = [
  'b8 27 00 00 00 0f 05', // a site
  '41 b8 27 00 00 00 0f 05',
  '0f 05',
  '06',
  '65 c7 04 25 2c 00 00 00 02 00 00 00', // state = PREP
  '65 48 8b 24 25 18 00 00 00', // rsp = stub stack
  '65 ff 24 25 10 00 00 00', // jump to the syshandler
  '65 ff 24 25 08 00 00 00', // jump through ret_addr
  'ff 24 25 50 10 06 00', // a jump through a slot
  'f3 48 0f ae d8', // wrgsbase %rax
  '31 c0 8e e8', // gs = 0
  '9c 58 80 cc 01 50 9d', // set TF
  'cd 80',
  'cc',
  'f4',
  'c3',
  'eb fe',
  '48 ff c0',
];

describe.each(['off', 'upstream', 'hardened'] as const)('random guests, %s', (mode) => {
  it('end by an event or their budget, and leave the next guest unharmed', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const prng = new Prng(seed);
      const m = new Machine(mode, { seed, isHostile: true });
      m.map(TEXT, 0x4000, PROT_READ | PROT_WRITE | PROT_EXEC);
      const code = new Uint8Array(512);
      prng.fill(code);
      for (let at = 16; at < 480; at += 4 + prng.below(12)) {
        const piece = fromHex(PIECES[prng.below(PIECES.length)] ?? '');
        code.set(piece, at);
        at += piece.length;
      }
      m.mm.copyOut(TEXT, code, true);
      const { guest } = m;
      for (let start = 0; start < 8; start++) {
        for (let r = 0; r < 16; r++) guest.regs.set(r, DATA + prng.below(0x3000));
        guest.regs.u64[Reg.rflags] = 0x202n;
        guest.regs.set(Reg.rip, TEXT + 16 + prng.below(400));
        for (let turn = 0; turn < 20; turn++) {
          const { kind } = m.platform.switchTo(guest, 500);
          expect(['budget', 'fault', 'syscall', 'stub-panic', 'interrupted']).toContain(kind);
          if (kind !== 'budget') break;
        }
      }
      const { trapped, patchedCalls } = m.platform.metrics();
      expect(trapped + patchedCalls).toBe(m.calls.length);
      const other = m.newGuest(m.newSpace());
      m.poke(TEXT + 0x800, 'b8 66 00 00 00 0f 05 90 b8 3c 00 00 00 90 0f 05', other.mm);
      const before = m.calls.length;
      expect(m.run(TEXT + 0x800, other).kind).toBe('syscall');
      expect(m.calls.slice(before).map((c) => c.sysno)).toEqual([102, 60]);
      m.dispose();
    }
  });
});
