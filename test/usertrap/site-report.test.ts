// SPDX-License-Identifier: MIT

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/base/bytes.ts';
import { analyseSites, countSites } from '../../src/usertrap/site-report.ts';
import { MAX_CALLS } from '../../src/usertrap/site-sweep.ts';
import type { SiteReport } from '../../src/usertrap/site-report.ts';
import { BASE, elfOf as elf, HEADER } from './elf-of-code.ts';

/** Code, with what comes before it padded by nops to `offset`. */
function at(offset: number, hex: string): SiteReport[] {
  const bytes = fromHex(hex);
  const code = new Uint8Array(offset - HEADER + bytes.length + 16).fill(0x90);
  code.set(bytes, offset - HEADER);
  return [...analyseSites(elf(code)).sites];
}

describe('analyseSites', () => {
  it('finds a site, its number and its decision', () => {
    const [site, ...others] = at(0x100, '90 b8 27 00 00 00 0f 05 c3');
    expect(others).toEqual([]);
    expect(site).toMatchObject({
      address: BASE + 0x101,
      callAddress: BASE + 0x106,
      instruction: 'syscall',
      sysno: 39,
      matches: true,
      upstream: { patched: true, rule: 'mov-eax' },
      hardened: { patched: true, rule: 'mov-eax' },
      hazards: [],
      branches: [],
      function: undefined,
    });
    expect(site?.preceding).toEqual({ address: BASE + 0x101, bytes: fromHex('b8 27 00 00 00') });
    expect(toHex(site?.bytes ?? new Uint8Array())).toBe('90b8270000000f05');
  });

  it('names how the number gets there when no patch is possible', () => {
    const rules = (hex: string): [string | undefined, number | undefined] => {
      const site = at(0x100, `c3 ${hex}`)[0];
      expect(site?.hardened).toEqual(site?.upstream);
      expect(site?.upstream.patched).toBe(false);
      return [site?.upstream.rule, site?.sysno];
    };
    expect(rules('48 c7 c0 27 00 00 00 0f 05')).toEqual(['mov-rax-imm32', 39]);
    expect(rules('48 89 f8 0f 05')).toEqual(['number-in-register', undefined]);
    expect(rules('8b 06 0f 05')).toEqual(['number-in-register', undefined]);
    expect(rules('31 c0 31 ff 0f 05')).toEqual(['zeroed-register', 0]);
    expect(rules('31 c0 b0 3c 0f 05')).toEqual(['zeroed-register', 60]);
    expect(rules('b8 27 00 00 00 31 ff 0f 05')).toEqual(['mov-eax-not-adjacent', 39]);
    expect(rules('b8 27 00 00 00 83 c0 01 0f 05')).toEqual(['number-in-register', undefined]);
    expect(rules('b8 27 00 00 00 0f b6 c1 0f 05')).toEqual(['number-in-register', undefined]);
    expect(rules('b8 27 00 00 00 44 89 f8 0f 05')).toEqual(['number-in-register', undefined]);
    expect(rules('b8 27 00 00 00 41 89 c0 41 b8 01 00 00 00 90 0f 05')).toEqual(['mov-eax-not-adjacent', 39]);
    expect(rules('6a 27 58 0f 05')).toEqual(['pop', 39]);
    expect(rules('58 0f 05')).toEqual(['pop', undefined]);
    expect(rules('0f 05')).toEqual(['no-number-before', undefined]);
    expect(rules('b8 27 00 00 00 e8 00 00 00 00 0f 05')).toEqual(['no-number-before', undefined]);
  });

  it('says when the number is not in the instruction before the call', () => {
    const isElsewhere = (hex: string): boolean | undefined => at(0x100, hex)[0]?.hazards.includes('number-elsewhere');
    expect(isElsewhere('31 c0 0f 05')).toBe(false);
    expect(isElsewhere('48 c7 c0 27 00 00 00 0f 05')).toBe(false);
    expect(isElsewhere('31 c0 31 ff 0f 05')).toBe(true);
    expect(isElsewhere('89 f8 0f 05')).toBe(true);
    expect(isElsewhere('6a 27 58 0f 05')).toBe(true);
  });

  it('tells a false match, and the instruction that is really there', () => {
    for (const [before, instruction] of [
      ['90 90', 'c7 44 24 b8 10 00 00 00'],
      ['90', '41 b8 27 00 00 00'],
      ['90', '48 bb 01 02 03 b8 27 00 00 00'],
    ] as const) {
      const [site] = at(0x100, `${before} ${instruction} 0f 05`);
      expect(site).toMatchObject({
        matches: true,
        upstream: { patched: true, rule: 'tail-of-instruction' },
        hardened: { patched: false, rule: 'tail-of-instruction' },
      });
      expect(site?.hazards).toContain('false-match');
      expect(site?.preceding?.bytes).toEqual(fromHex(instruction));
      expect(site?.preceding?.address).toBe((site?.callAddress ?? 0) - fromHex(instruction).length);
    }
  });

  it('gives a false match the number that the call has, not the one in its bytes', () => {
    // mov $16,%eax; movl $17,-0x48(%rsp); syscall
    expect(at(0x100, 'b8 10 00 00 00 c7 44 24 b8 11 00 00 00 0f 05')[0]?.sysno).toBe(16);
  });

  it('tells a tail that other code jumps to, and from where', () => {
    // site; ret; mov $102,%eax; jmp back to the syscall
    const [site] = at(0x100, '90 b8 27 00 00 00 0f 05 c3 b8 66 00 00 00 eb f6');
    expect(site).toMatchObject({
      hardened: { patched: true },
      hazards: ['shared-tail'],
      branches: [{ from: BASE + 0x10e, to: BASE + 0x106 }],
    });
  });

  it('tells a branch into the middle of a site from one to its start', () => {
    expect(at(0x100, '90 b8 27 00 00 00 0f 05 eb f7')[0]?.hazards).toEqual([]);
    for (const [displacement, to] of [
      ['f8', 2],
      ['fb', 5],
      ['fd', 7],
    ] as const) {
      const [site] = at(0x100, `90 b8 27 00 00 00 0f 05 eb ${displacement}`);
      expect(site).toMatchObject({ hazards: ['branch-into-middle'], branches: [{ to: BASE + 0x100 + to }] });
    }
  });

  it('of a call that does not match, only the opcode can be branched to', () => {
    expect(at(0x100, '90 90 31 c0 90 90 0f 05 eb fc')[0]?.hazards).toEqual(['shared-tail', 'number-elsewhere']);
    expect(at(0x100, '90 90 31 c0 90 90 0f 05 eb fd')[0]?.hazards).toContain('branch-into-middle');
    expect(at(0x100, '90 90 31 c0 90 90 0f 05 eb f8')[0]?.hazards).toEqual(['number-elsewhere']);
  });

  it('tells a number that no kernel has: upstream patches the site, hardened does not', () => {
    expect(at(0x100, '90 b8 90 90 90 90 0f 05 c3')[0]).toMatchObject({
      upstream: { patched: true, rule: 'mov-eax' },
      hardened: { patched: false, rule: 'no-such-number' },
    });
  });

  it('tells line and page crossings, of the seven bytes and of the call itself', () => {
    const hazards = (offset: number): readonly string[] | undefined => at(offset, 'b8 27 00 00 00 0f 05')[0]?.hazards;
    expect(hazards(0x139)).toEqual([]);
    expect(hazards(0x13d)).toEqual(['line-split']);
    expect(hazards(0x13a)).toEqual(['line-split', 'opcode-line-split']);
    expect(hazards(0xffa)).toEqual(['page-split', 'opcode-page-split']);
    expect(at(0xffd, 'b8 27 00 00 00 0f 05')[0]).toMatchObject({
      upstream: { patched: true, rule: 'mov-eax' },
      hardened: { patched: false, rule: 'page-split' },
      hazards: ['page-split'],
    });
  });

  it('tells the first byte of a mapping, where the byte before cannot be read', () => {
    const site = { code: fromHex('b8 27 00 00 00 0f 05 c3') };
    const refused = { patched: false, rule: 'first-byte-of-mapping' };
    const alone = analyseSites(elf([{ ...site, address: 0x401000 }])).sites;
    expect(alone).toMatchObject([
      { address: 0x401000, upstream: refused, hardened: refused, hazards: ['first-byte-of-mapping'] },
    ]);
    const behind = analyseSites(
      elf([
        { code: new Uint8Array(8), address: 0x400000 },
        { ...site, address: 0x401000 },
      ]),
    ).sites;
    expect(behind).toMatchObject([{ upstream: { patched: true, rule: 'mov-eax' }, hazards: [] }]);
  });

  it('lists the other ways to call the kernel, which are never patched', () => {
    const refused = { patched: false, rule: 'no-syscall-instruction' };
    expect(at(0x100, 'b8 01 00 00 00 cd 80')).toMatchObject([
      { instruction: 'int80', sysno: 1, matches: false, upstream: refused, hardened: refused },
    ]);
    expect(at(0x100, '31 c0 0f 34')).toMatchObject([{ instruction: 'sysenter', upstream: refused, hardened: refused }]);
    expect(at(0x100, 'cd 03 cd 81')).toEqual([]);
  });

  it('sees through prefixes of a syscall', () => {
    expect(at(0x100, 'b8 01 00 00 00 48 0f 05')).toMatchObject([
      { callAddress: BASE + 0x106, matches: false, sysno: 1, upstream: { patched: false } },
    ]);
  });

  it('does not take 0f 05 inside an instruction for a syscall, but counts it', () => {
    const found = analyseSites(elf(fromHex('90 b8 0f 05 00 00 c3')));
    expect(found).toMatchObject({ sites: [], embedded: 1 });
  });

  it('finds a call that only a branch into the middle of another instruction reaches', () => {
    // jmp over e8; e8 b8 27 00 00 is a call when read straight on
    const sites = at(0x100, '90 eb 01 e8 b8 27 00 00 00 0f 05 44 39 e0 c3');
    expect(sites).toMatchObject([
      {
        address: BASE + 0x104,
        sysno: 39,
        upstream: { patched: true, rule: 'mov-eax' },
        hardened: { patched: true, rule: 'mov-eax' },
        hazards: ['overlapping-code'],
      },
    ]);
    expect(at(0x100, '90 e8 b8 27 00 00 00 0f 05 44 39 e0 c3')).toEqual([]);
  });

  it('lists a call once, however many ways to read its bytes lead to it', () => {
    // jumps to the prefix, to the opcode, and to a byte of the mov that can be a prefix
    expect(at(0x100, 'b8 27 00 00 3e 0f 05 eb fb eb fa c3')).toHaveLength(1);
    expect(at(0x100, '31 c0 48 0f 05 eb fc c3')).toHaveLength(1);
    expect(at(0x100, 'eb 01 e8 3e 0f 05 00 eb fb eb f8 c3')).toHaveLength(1);
  });

  it('goes on behind bytes that are no code', () => {
    expect(at(0x100, '06 06 06 b8 27 00 00 00 0f 05')[0]).toMatchObject({ sysno: 39 });
  });

  it('takes the start of a function for a boundary and for a place that others go to', () => {
    const code = fromHex('48 b8 01 02 03 b8 27 00 00 00 0f 05');
    const site = (symbols: { name: string; address: number; size: number }[]): SiteReport | undefined =>
      analyseSites(elf(code, symbols)).sites[0];
    expect(site([])?.upstream.rule).toBe('tail-of-instruction');
    const named = site([{ name: 'inner', address: BASE + HEADER + 5, size: 7 }]);
    expect(named).toMatchObject({
      hardened: { patched: true, rule: 'mov-eax' },
      hazards: [],
      function: { name: 'inner', start: BASE + HEADER + 5 },
    });
    const entered = site([
      { name: 'inner', address: BASE + HEADER + 5, size: 7 },
      { name: 'call', address: BASE + HEADER + 10, size: 2 },
    ]);
    expect(entered).toMatchObject({ hazards: ['shared-tail'], branches: [], function: { name: 'call' } });
  });

  it('does not say whose tail a site is where no instruction is known', () => {
    // 06 is no instruction, and a function that starts there leaves the mov without an end.
    const code = fromHex('90 b8 27 00 00 06 0f 05');
    const [site] = analyseSites(elf(code, [{ name: 'f', address: BASE + HEADER + 5, size: 3 }])).sites;
    expect(site).toMatchObject({
      upstream: { patched: true, rule: 'boundary-unknown' },
      // The number would be 0x06000027.
      hardened: { patched: false, rule: 'no-such-number' },
      preceding: undefined,
      hazards: ['branch-into-middle', 'number-elsewhere'],
    });
  });

  it('does not read headers as code', () => {
    // The last byte of a header before the code would take the mov for its operand.
    const code = new Uint8Array(64 + 56).fill(0);
    const program = elf(code);
    program.set(fromHex('b8 0f 00 00 00 0f 05'), 64 + 56);
    expect(analyseSites(program).sites).toMatchObject([
      { address: BASE + 64 + 56, sysno: 15, upstream: { patched: true, rule: 'mov-eax' }, hazards: [] },
    ]);
  });

  it('refuses what is no program', () => {
    expect(() => analyseSites(fromHex('00 01 02'))).toThrow('not an ELF file');
    const program = elf(fromHex('b8 27 00 00 00 0f 05'));
    expect(() => analyseSites(program.subarray(0, 70))).toThrow(/truncated/);
    expect(() => analyseSites(program.subarray(0, program.length - 1))).toThrow(/beyond the end of the file/);
    const overlapping = [0x400000, 0x400000].map((address) => ({ address, code: new Uint8Array(16) }));
    expect(() => analyseSites(elf(overlapping))).toThrow('its segments overlap');
  });

  it('gives up on what is nothing but syscalls', () => {
    const code = new Uint8Array(2 * (MAX_CALLS + 1));
    for (let i = 0; i < code.length; i += 2) code.set([0x0f, 0x05], i);
    expect(() => analyseSites(elf(code))).toThrow(/more than 200000 syscall instructions/);
  });

  it('says something true, or refuses, whatever bytes a file has', () => {
    const original = elf(fromHex('b8 27 00 00 00 0f 05 c3 31 c0 0f 05 eb f6 cd 80'), [
      { name: 'first', address: BASE + HEADER, size: 8 },
      { name: 'second', address: BASE + HEADER + 8, size: 8 },
    ]);
    const anywhere = fc.tuple(fc.nat(original.length - 1), fc.oneof(fc.constantFrom(0, 1, 0x7f, 0xff), fc.nat(255)));
    fc.assert(
      fc.property(fc.array(anywhere, { minLength: 1, maxLength: 12 }), fc.nat(original.length), (changes, cut) => {
        const bytes = original.slice(0, cut > original.length / 2 ? cut : undefined);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        let found;
        try {
          found = analyseSites(bytes);
        } catch (error) {
          expect((error as { code?: string }).code).toBe('SITES_NOT_ELF');
          return;
        }
        let last = Number.NEGATIVE_INFINITY;
        for (const s of found.sites) {
          expect(s.callAddress).toBeGreaterThan(last);
          last = s.callAddress;
          expect(s.hardened.patched && !s.upstream.patched).toBe(false);
          expect(s.upstream.patched && !s.matches).toBe(false);
          expect(s.hazards.includes('false-match') && s.hardened.patched).toBe(false);
        }
      }),
      { numRuns: 3000, seed: 42 },
    );
  });
});

describe('countSites', () => {
  it('adds up', () => {
    const code = fromHex('b8 27 00 00 00 0f 05 90 b8 27 00 00 00 0f 05 31 c0 0f 05 cd 80');
    expect(countSites(analyseSites(elf(code)).sites)).toEqual({
      syscall: 3,
      sysenter: 0,
      int80: 1,
      matching: 2,
      patchedUpstream: 2,
      patchedHardened: 2,
      inOneWord: 2,
      lineSplit: 0,
      pageSplit: 0,
      opcodeLineSplit: 0,
      opcodePageSplit: 0,
    });
  });
});
