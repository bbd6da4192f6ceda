// SPDX-License-Identifier: MIT
//
// The vDSO's machine code against iced-x86's disassembler, and its ELF image against our own reader and readelf.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as iced from 'iced-x86';
import { describe, expect, it } from 'vitest';
import { Disassembler } from '../../src/isa/disassembler.ts';
import { bytesSource, readElf, readSymbols } from '../../src/loader/index.ts';
import { linkVdso, VDSO_FUNCTIONS } from '../../src/loader/vdso-code.ts';
import { buildVdso } from '../../src/loader/vdso-image.ts';

const FUNCTIONS = ['clock_getres', 'clock_gettime', 'getcpu', 'gettimeofday', 'time'];
/** Where the data is in these tests. */
const DATA = 0x10000;

describe('the code of the vDSO', () => {
  it('disassembles to its own comments, with jumps to its labels', () => {
    const { bytes, labels } = linkVdso(DATA);
    const disassembler = new Disassembler(iced);
    const decoded = disassembler.disassemble(bytes, 0).map((i) => i.text.replace(/\s+/g, ' ').trim());
    disassembler.dispose();
    const places = new Map([...labels].map(([name, at]) => [name, `0x${at.toString(16)}`]));
    const expected = VDSO_FUNCTIONS.flatMap((f) => f.lines).map(({ text, jump }) => {
      if (jump === undefined) return text;
      const to = places.get(jump.to) ?? '';
      return jump.size === 1 ? `${text} ${to}` : text.replace(`${jump.to}(%rip)`, to);
    });
    expect(decoded).toEqual(expected);
  });
});

describe('the image of the vDSO', () => {
  const image = buildVdso(-4096);

  it('is one page, position-independent, with its headers in its only segment', () => {
    expect(image.length).toBe(4096);
    expect(readElf(bytesSource(image))).toMatchObject({
      ok: true,
      isPositionIndependent: true,
      interpreter: undefined,
      headersVaddr: 64,
      segments: [{ offset: 0, vaddr: 0, readable: true, writable: false, executable: true }],
    });
  });

  it('names each function twice, as Linux does', () => {
    const symbols = readSymbols(bytesSource(image));
    for (const name of FUNCTIONS) {
      const [plain, long] = [name, `__vdso_${name}`].map((n) => symbols?.symbols.find((s) => s.name === n));
      expect(plain).toBeDefined();
      expect({ ...long, name }).toEqual(plain);
    }
  });

  it.runIf(spawnSync('readelf', ['--version']).error === undefined)('makes sense to readelf', () => {
    const folder = mkdtempSync(join(tmpdir(), 'trapline-vdso-'));
    try {
      const path = join(folder, 'vdso.so');
      writeFileSync(path, image);
      const { stdout, stderr, status } = spawnSync('readelf', ['-aW', path], { encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain('Library soname: [linux-vdso.so.1]');
      for (const name of FUNCTIONS) {
        expect(stdout).toMatch(new RegExp(`FUNC +WEAK +DEFAULT +11 ${name}@@LINUX_2\\.6\n`));
        expect(stdout).toMatch(new RegExp(`FUNC +GLOBAL +DEFAULT +11 __vdso_${name}@@LINUX_2\\.6\n`));
      }
      const frames = spawnSync('readelf', ['--debug-dump=frames', path], { encoding: 'utf8' });
      expect(frames.stderr).toBe('');
      expect(frames.stdout.match(/ FDE /g)).toHaveLength(FUNCTIONS.length);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
