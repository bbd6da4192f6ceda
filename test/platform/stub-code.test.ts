// SPDX-License-Identifier: MIT
//
// The hand-assembled stub code against iced-x86's disassembler.

import * as iced from 'iced-x86';
import { describe, expect, it } from 'vitest';

import { Disassembler } from '../../src/isa/disassembler.ts';
import { hardenedStubCode, upstreamStubCode } from '../../src/platform/stub-code.ts';
import { Context, Msg, UserRegs } from '../../src/platform/stub-layout.ts';
import { upstreamVersion } from '../../src/usertrap/versions.ts';

const plain = (text: string): string =>
  text
    .replace(/\s+/g, ' ')
    .replace(/^(j\w+) 0x.*/, '$1')
    .replace('0x2(', '2(')
    .replace('$0x0,0x4(', '$0,4(')
    .trim();

describe('stub code', () => {
  for (const [name, code] of [
    ['upstream with fxsave', upstreamStubCode(false)],
    ['upstream with xsaveopt', upstreamStubCode(true)],
    ['upstream of 2023', upstreamStubCode(false, upstreamVersion('2023-02'))],
    ['hardened', hardenedStubCode()],
  ] as const) {
    it(`disassembles to its own comments: ${name}`, () => {
      const disassembler = new Disassembler(iced);
      const decoded = disassembler.disassemble(code.bytes, 0).map((i) => plain(i.text));
      disassembler.dispose();
      expect(decoded).toEqual(code.lines.map((l) => plain(l.text)));
    });

    it(`returns from the gate right behind a syscall: ${name}`, () => {
      expect([...code.bytes.subarray(code.gateReturn - 2, code.gateReturn)]).toEqual([0x0f, 0x05]);
    });
  }

  it('jumps to its labels', () => {
    const code = upstreamStubCode(false);
    const disassembler = new Disassembler(iced);
    const decoded = disassembler.disassemble(code.bytes, 0x1000);
    disassembler.dispose();
    const targets = decoded
      .filter((i) => /^j\w+\s+0x/.test(i.text))
      .map((i) => Number.parseInt(i.text.split(/\s+/)[1] ?? '', 16) - 0x1000);
    const offsetOf = (label: string): number => {
      let at = 0;
      for (const l of code.lines) {
        if (l.label === label) return at;
        at += l.bytes.length + (l.jump?.size ?? 0);
      }
      return -1;
    };
    expect(targets).toEqual(
      ['whole-fpu', 'report', 'panic', 'hand-back', 'fpu-done', 'fs-done', 'gate-return'].map(offsetOf),
    );
  });

  it('uses the offsets of the record layouts', () => {
    expect([Msg.retAddr, Msg.syshandler, Msg.syshandlerStack, Msg.appStack, Msg.state, Msg.context]).toEqual([
      0x08, 0x10, 0x18, 0x20, 0x2c, 0x30,
    ]);
    expect([UserRegs.origRax, UserRegs.rip, UserRegs.eflags, UserRegs.rsp].map((o) => Context.regs + o)).toEqual([
      0xe80, 0xe88, 0xe98, 0xea0,
    ]);
    expect([Context.fpStateChanged, Context.siginfo, Context.state]).toEqual([0xe00, 0xee0, 0xf68]);
  });
});
