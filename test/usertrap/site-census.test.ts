// SPDX-License-Identifier: MIT
//
// The list of sites against this system's C library: counts that were taken by hand for one build of Debian's, another
// disassembler's opinion for any.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromLatin1 } from '../../src/base/bytes.ts';
import { looksLikeSite } from '../../src/isa/syscall-site.ts';
import { analyseSites, countSites, type ProgramSites } from '../../src/usertrap/site-report.ts';

interface Library {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly found: ProgramSites;
}

function open(...paths: string[]): Library | undefined {
  const path = paths.find((p) => existsSync(p));
  if (path === undefined) return undefined;
  const bytes = new Uint8Array(readFileSync(path));
  // Another machine's library is none that these programs run with.
  return bytes[18] === 62 ? { path, bytes, found: analyseSites(bytes) } : undefined;
}

const libc = open('/lib/x86_64-linux-gnu/libc.so.6', '/lib64/libc.so.6', '/usr/lib/libc.so.6');
const linker = open('/lib64/ld-linux-x86-64.so.2');
const musl = open('/lib/ld-musl-x86_64.so.1');
const libraries = [libc, linker, musl].filter((l) => l !== undefined);
const hasObjdump = spawnSync('objdump', ['--version']).error === undefined;

/** What the library says of itself. */
function isBuild(library: Library | undefined, text: string): boolean {
  return library !== undefined && fromLatin1(library.bytes).includes(text);
}

const DEBIAN_12 = 'Debian GLIBC 2.36-9+deb12u14';

describe.runIf(isBuild(libc, DEBIAN_12))('libc6 2.36-9+deb12u14', () => {
  it('has 526 calls: 436 can be patched, 30 of those cross a line, 5 syscalls cross a line and 2 of them a page', () => {
    const { found } = libc as Library;
    expect(countSites(found.sites)).toEqual({
      syscall: 526,
      sysenter: 0,
      int80: 0,
      matching: 436,
      patchedUpstream: 436,
      patchedHardened: 435,
      inOneWord: 223,
      lineSplit: 30,
      pageSplit: 1,
      opcodeLineSplit: 5,
      opcodePageSplit: 2,
    });
    expect(found.embedded).toBe(3);
  });

  it('has the calls that a page splits in getcontext and __open_nocancel', () => {
    const split = (libc as Library).found.sites.filter((s) => s.hazards.includes('opcode-page-split'));
    expect(split.map((s) => [s.function?.name, s.sysno, s.matches])).toEqual([
      ['getcontext', 14, true],
      ['__open_nocancel', 257, false],
    ]);
  });

  it('reads a file through xor %eax,%eax, which is never patched', () => {
    const reads = (libc as Library).found.sites.filter((s) => s.sysno === 0);
    expect(reads.map((s) => s.upstream.rule)).toEqual(['zeroed-register', 'zeroed-register', 'zeroed-register']);
  });
});

describe.runIf(isBuild(linker, DEBIAN_12))('the dynamic linker beside it', () => {
  it('has 46 calls, 33 of which can be patched', () => {
    const { found } = linker as Library;
    expect(countSites(found.sites)).toMatchObject({
      syscall: 46,
      matching: 33,
      inOneWord: 14,
      lineSplit: 3,
      opcodeLineSplit: 0,
    });
    expect(found.embedded).toBe(1);
  });
});

describe.runIf(libraries.length > 0)('the C libraries of this system', () => {
  it('have calls that hang together', () => {
    for (const { bytes, found } of libraries) {
      const counts = countSites(found.sites);
      expect(counts.syscall).toBeGreaterThan(20);
      expect(counts.patchedHardened).toBeGreaterThan(counts.patchedUpstream * 0.95);
      expect(counts.patchedUpstream).toBeGreaterThan(counts.syscall / 3);
      for (const s of found.sites) {
        expect(s.hazards).not.toContain('false-match');
        expect(s.matches).toBe(looksLikeSite(s.bytes, s.bytes.length - 7));
        if (s.preceding !== undefined) expect(s.preceding.address + s.preceding.bytes.length).toBe(s.callAddress);
        if (s.function !== undefined) expect(s.function.start).toBeLessThanOrEqual(s.callAddress);
      }
      expect(found.embedded).toBeLessThan(bytes.length / 10_000);
    }
  });

  it('keep three quarters of the names of their functions, or their places', () => {
    for (const { found } of libraries) {
      const known = found.sites.filter((s) => s.function !== undefined);
      expect(known.length).toBeGreaterThan(found.sites.length * 0.75);
    }
  });

  it.runIf(hasObjdump)('have their calls where objdump has them', () => {
    for (const { path, found } of libraries) {
      const { stdout } = spawnSync('objdump', ['-d', '--no-show-raw-insn', path], {
        encoding: 'utf8',
        maxBuffer: 1 << 29,
      });
      const listed = [...stdout.matchAll(/^ *([0-9a-f]+):\s+(?:syscall|sysenter|int +\$0x80)\s*$/gm)];
      expect(found.sites.map((s) => s.callAddress)).toEqual(
        listed.map(([, address]) => Number.parseInt(address ?? '', 16)),
      );
    }
  });
});
