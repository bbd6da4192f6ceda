// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';

import { fromHex, toHex } from '../../src/base/bytes.ts';
import { analyseSites, sitesCommand } from '../../src/usertrap/site-report.ts';
import type { SiteReport } from '../../src/usertrap/site-report.ts';

const BASE = 0x400000;
const HEADER = 0x80;

/** A static ELF with one executable segment that holds the header and `code` at 0x400080. */
function elf(code: Uint8Array): Uint8Array {
  const out = new Uint8Array(HEADER + code.length);
  const view = new DataView(out.buffer);
  out.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 62, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(BASE + HEADER), true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  view.setUint32(68, 5, true);
  view.setBigUint64(80, BigInt(BASE), true);
  view.setBigUint64(88, BigInt(BASE), true);
  view.setBigUint64(96, BigInt(out.length), true);
  view.setBigUint64(104, BigInt(out.length), true);
  view.setBigUint64(112, 4096n, true);
  out.set(code, HEADER);
  return out;
}

/** Code, with what comes before it padded by nops to `offset`. */
function at(offset: number, hex: string): SiteReport[] {
  const bytes = fromHex(hex);
  const code = new Uint8Array(offset - HEADER + bytes.length + 16).fill(0x90);
  code.set(bytes, offset - HEADER);
  return analyseSites(elf(code));
}

describe('analyseSites', () => {
  it('finds a site, its number and its decision', () => {
    const [site, ...others] = at(0x100, '90 b8 27 00 00 00 0f 05 c3');
    expect(others).toEqual([]);
    expect(site).toMatchObject({
      address: BASE + 0x101,
      sysno: 39,
      upstream: 'patched',
      hardened: 'patched',
      rule: 'mov-eax',
      hazards: [],
    });
    expect(toHex(site?.bytes ?? new Uint8Array())).toBe('90b8270000000f05');
  });

  it('names how the number gets there when no patch is possible', () => {
    const rules = (hex: string): string | undefined => at(0x100, hex)[0]?.rule;
    expect(rules('48 c7 c0 27 00 00 00 0f 05')).toBe('mov-rax-imm32');
    expect(rules('48 89 f8 0f 05')).toBe('number-in-register');
    expect(rules('31 c0 31 ff 0f 05')).toBe('zeroed-register');
    expect(rules('b8 27 00 00 00 31 ff 0f 05')).toBe('mov-eax-not-adjacent');
    expect(rules('6a 27 58 0f 05')).toBe('pop');
    expect(rules('c3 0f 05')).toBe('no-number-before');
  });

  it('tells a false match: upstream would patch it, hardened does not', () => {
    for (const hex of [
      '90 90 c7 44 24 b8 10 00 00 00 0f 05',
      '90 41 b8 27 00 00 00 0f 05',
      '90 48 bb 01 02 03 b8 27 00 00 00 0f 05',
    ]) {
      expect(at(0x100, hex)[0]).toMatchObject({
        upstream: 'patched',
        hardened: 'refused',
        rule: 'tail-of-instruction',
        hazards: ['false-match'],
      });
    }
  });

  it('tells a tail that other code jumps to', () => {
    // site; ret; mov $102,%eax; jmp back to the syscall
    const [site] = at(0x100, '90 b8 27 00 00 00 0f 05 c3 b8 66 00 00 00 eb f6');
    expect(site).toMatchObject({ hardened: 'patched', hazards: ['shared-tail'] });
  });

  it('tells line and page crossings', () => {
    expect(at(0x13d, 'b8 27 00 00 00 0f 05')[0]).toMatchObject({ hardened: 'patched', hazards: ['line-split'] });
    expect(at(0x139, 'b8 27 00 00 00 0f 05')[0]).toMatchObject({ hazards: [] });
    expect(at(0xffd, 'b8 27 00 00 00 0f 05')[0]).toMatchObject({
      upstream: 'patched',
      hardened: 'refused',
      rule: 'page-split',
      hazards: ['page-split'],
    });
  });

  it('does not take 0f 05 inside an instruction for a syscall', () => {
    expect(at(0x100, '90 b8 0f 05 00 00 c3')).toEqual([]);
  });

  it('goes on behind bytes that are no code', () => {
    expect(at(0x100, '06 06 06 b8 27 00 00 00 0f 05')[0]).toMatchObject({ sysno: 39 });
  });

  it('refuses what is no program', () => {
    expect(() => analyseSites(fromHex('00 01 02'))).toThrow();
  });
});

describe('sitesCommand', () => {
  it('prints a table', () => {
    const code = fromHex('90 b8 27 00 00 00 0f 05 48 89 f8 0f 05 c3');
    expect(sitesCommand(elf(code)).text).toMatchInlineSnapshot(`
      "SITE      BYTES (S-1 .. S+6)       NUMBER  UPSTREAM  HARDENED  RULE                HAZARDS  IN
      0x400081  90 b8 27 00 00 00 0f 05  39      patched   patched   mov-eax             -        -
      0x400086  00 0f 05 48 89 f8 0f 05  -       refused   refused   number-in-register  -        -

      2 syscall instructions; patched: upstream 1, hardened 1
      "
    `);
  });
});
