// SPDX-License-Identifier: MIT
//
// What `check` says of the guests that are hard for a program that rewrites call sites (g01 to g43): the verdict in each
// mode, and for what differs its kind, its cause and the guard that would have prevented it. How each guest ends by
// itself, in every mode and on Linux, is in guests/manifest.json and checked by guests.test.ts.

import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Cause, CheckVerdict, DivergenceKind } from '../../../src/sandbox/check/check-result.ts';
import type { Guards } from '../../../src/usertrap/guards.ts';
import { checked, guestFile } from './checked.ts';

interface Difference {
  readonly kind: DivergenceKind;
  readonly cause: Cause;
  readonly guard?: keyof Guards;
}

type Expected = CheckVerdict | Difference;

/** Both modes: the same verdict, or what upstream and hardened give. */
const EXPECTED: Readonly<Record<string, CheckVerdict | { upstream: Expected; hardened: Expected }>> = {
  'g01-baseline': 'same',
  'g02-xor-read': 'same',
  'g03-restore-rt': 'same',
  'g04-number-on-stack': 'slower-only',
  'g05-number-forms': 'slower-only',
  'g06-shared-tail': {
    upstream: { kind: 'call', cause: 'shared-tail', guard: 'compareSysno' },
    hardened: 'same',
  },
  'g07-rex-r8d': {
    upstream: { kind: 'registers', cause: 'false-match', guard: 'instructionBoundary' },
    hardened: 'same',
  },
  'g08-false-mov': {
    upstream: { kind: 'signal', cause: 'false-match', guard: 'instructionBoundary' },
    hardened: 'same',
  },
  'g09-movabs-tail': {
    upstream: { kind: 'registers', cause: 'false-match', guard: 'instructionBoundary' },
    hardened: 'same',
  },
  'g10-jump-into-mov': {
    upstream: { kind: 'signal', cause: 'jump-into-site' },
    hardened: 'same',
  },
  'g11-threads-fresh-site': 'same',
  'g12-line-split': 'same',
  'g13-page-split': 'same',
  'g14-parked-thread': 'same',
  'g15-restart-block': 'same',
  'g15-restart-nanosleep': 'same',
  // Signals come at calls in runs that are compared, never at a slot's first instruction.
  'g16-storm-rip': 'same',
  'g17-red-zone': 'same',
  'g18-call-null': 'same',
  'g20-numbers': 'same',
  'g20-wide-number': {
    upstream: { kind: 'call', cause: 'wide-number', guard: 'narrowNumber' },
    hardened: 'same',
  },
  'g21-data-island': 'same',
  'g22-desync': 'same',
  // Hardened leaves code alone that is made in place.
  'g23-jit': { upstream: 'same', hardened: 'slower-only' },
  'g24-remap-after-trap': 'slower-only',
  'g25-checksum': {
    upstream: { kind: 'call', cause: 'reads-code' },
    hardened: { kind: 'call', cause: 'reads-code' },
  },
  'g26-own-gs': { upstream: { kind: 'signal', cause: 'own-gs', guard: 'assertGs' }, hardened: 'same' },
  'g27-single-step': { upstream: { kind: 'signal', cause: 'single-step' }, hardened: 'same' },
  'g28-exec-bare': 'same',
  'g30-sigsys': 'same',
  'g31-clone-stacks': 'same',
  'g32-vfork-push': 'same',
  'g36-vector-state': 'same',
  'g37-rcx': { upstream: { kind: 'call', cause: 'keeps-rcx', guard: 'syscallClobbers' }, hardened: 'same' },
  'g38-many-sites': 'same',
  'g39-map-over-table': {
    upstream: { kind: 'signal', cause: 'table-lost', guard: 'surviveTableLoss' },
    hardened: 'same',
  },
  'g39-unmap-table': {
    upstream: { kind: 'signal', cause: 'table-lost', guard: 'surviveTableLoss' },
    hardened: 'same',
  },
  'g40-shared-code': {
    upstream: { kind: 'signal', cause: 'shared-code', guard: 'refuseSharedFrames' },
    hardened: 'same',
  },
  'g41-neighbours': 'same',
  // It looks whether its site has become a jump.
  'g42-jump-into-slot': {
    upstream: { kind: 'registers', cause: 'reads-code' },
    hardened: { kind: 'registers', cause: 'reads-code' },
  },
  'g43-fork-while-patching': 'same',
};

const names = readdirSync(fileURLToPath(new URL('../../../guests/bin', import.meta.url)))
  .filter((name) => /^g\d\d-/.test(name))
  .map((name) => name.replace(/\.elf$/, ''));

describe('check', () => {
  it('has an expectation for every hard guest', () => {
    expect(names.sort()).toEqual(Object.keys(EXPECTED).sort());
  });

  it.each(names)('says of %s what is so', async (name) => {
    const row = EXPECTED[name] ?? 'incomplete';
    const result = await checked(guestFile(name));
    for (const mode of ['upstream', 'hardened'] as const) {
      const expected = typeof row === 'string' ? row : row[mode];
      const { verdict, divergence } = result.mode(mode);
      if (typeof expected === 'string') {
        expect({ mode, verdict, divergence }).toEqual({ mode, verdict: expected, divergence: undefined });
        continue;
      }
      expect(verdict).toBe('differs');
      const { kind, cause, guard } = divergence ?? {};
      expect({ kind, cause, guard }).toEqual({ guard: undefined, ...expected });
    }
  });
});

describe('the site that check names', () => {
  it('of g08 is the end of a store, whose bytes turn up over the return address', async () => {
    const { divergence } = (await checked(guestFile('g08-false-mov'), { modes: ['upstream'] })).mode('upstream');
    expect(divergence?.suspect?.before[0]?.text).toBe('movl $0x10,-0x48(%rsp)');
    const operand = divergence?.suspect?.patched.subarray(3, 5) ?? new Uint8Array(0);
    expect(divergence?.suspect?.after[0]?.text).toMatch(/^movl \$0x[0-9a-f]{4}2524,-0x1\(%rsp\)$/);
    // 24 below the return address, then 25 and the slot's address over its three lowest bytes.
    expect(divergence?.corrupted[0]?.found).toEqual(Uint8Array.from([0x24, 0x25, ...operand]));
    const low = 0x25 + (operand[0] ?? 0) * 256 + (operand[1] ?? 0) * 65536;
    expect(Number((divergence?.faultAddress ?? 0n) % 0x1000000n)).toBe(low);
  });

  it('of g08 is refused in hardened mode, by the rule that the report gives', async () => {
    const result = await checked(guestFile('g08-false-mov'));
    expect(result.mode('upstream').divergence?.suspect?.refusedByHardened).toBe('tail-of-instruction');
  });

  it('of g06 is the one whose number was called in place of the other', async () => {
    const { divergence } = (await checked(guestFile('g06-shared-tail'), { modes: ['upstream'] })).mode('upstream');
    expect(divergence).toMatchObject({ expected: 'sched_yield(', found: 'getpid(', suspect: { site: { sysno: 39 } } });
  });
});

describe('a compiler at run time (g23)', () => {
  it('has each version of its code patched upstream, at the cost of a slot each; hardened patches none', async () => {
    const result = await checked(guestFile('g23-jit'));
    const sites = (mode: 'upstream' | 'hardened') =>
      result.mode(mode).metrics.sites.filter(({ address }) => Number(address) > 0x7f0000000000);
    // Ten versions of two calls each: the first traps, and the next version takes the patch away.
    expect(new Set(sites('upstream').map((site) => site.address)).size).toBe(1);
    expect(new Set(sites('upstream').map((site) => site.slot)).size).toBe(10);
    expect(sites('upstream').map((site) => site.calls)).toEqual(Array.from({ length: 10 }, () => 1));
    expect(sites('hardened')).toEqual([]);
    expect(result.mode('hardened').metrics.refused[0]).toMatchObject({ rule: 'writable-code', traps: 20 });
  });
});
