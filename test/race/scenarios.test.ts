// SPDX-License-Identifier: MIT
//
// Scenarios beyond the bytes of one site: what upstream does wrong in each, by its signature, and that hardened does not.

import { describe, expect, it } from 'vitest';

import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import {
  COHERENT,
  DEFAULT_PARAMETERS,
  explore,
  fetchNamed,
  parseProtocol,
  RACE_MEMORY_BYTES,
  scenarioNamed,
} from '../../src/race/index.ts';
import type { Exploration } from '../../src/race/index.ts';
import { BOOK_SCENARIOS, failures } from './verdict-book.ts';
import type { Cell } from './verdict-book.ts';

function signatures(cell: Cell): string[] {
  return failures(cell).map((f) => f.signature);
}

function outcomes(cell: Cell): string[] {
  const cpu = openUnicorn({ memoryBytes: RACE_MEMORY_BYTES });
  try {
    const { scenario = 'patch-vs-exec', fetch = 'coherent', protocol = 'abc', ...rest } = cell;
    const model = { ...COHERENT, ...fetchNamed(fetch) };
    const parameters = { ...DEFAULT_PARAMETERS, ...rest, model, protocol: parseProtocol(protocol) };
    const result: Exploration = explore(scenarioNamed(scenario).build(parameters, { cpu }), { budget: 100_000 });
    expect(result.complete).toBe(true);
    return [...result.outcomes.keys()];
  } finally {
    cpu.dispose();
  }
}

describe('upstream, coherent fetch', () => {
  it('two patchers use one slot', () => {
    expect(signatures({ scenario: 'two-patchers' })).toEqual([]);
  });

  it('a jump to the syscall with another number makes the call of the site', () => {
    expect(signatures({ scenario: 'shared-tail' })).toEqual(['wrong number']);
  });

  it('a sleep that goes on as restart_syscall begins anew when the site is patched between the two reads of the stub', () => {
    const [first] = failures({ scenario: 'restart-block-vs-patch' });
    expect(first).toMatchObject({ signature: 'wrong number', switches: 2 });
    expect(first?.text).toContain('made syscall 39 where the program asks for 219');
  });

  it('a call that starts again with its own number is the call that was interrupted', () => {
    for (const startAt of [0, 5] as const) expect(signatures({ scenario: 'restart-vs-patch', startAt })).toEqual([]);
  });

  it('new code whose first byte is b8 is overwritten', () => {
    expect(signatures({ scenario: 'patch-vs-remap' })).toContain('wrong number');
    expect(signatures({ scenario: 'patch-vs-rewrite' })).toContain('wrong number');
  });

  it('a page that comes back between two stores leaves a torn site', () => {
    for (const scenario of ['patch-vs-dontneed', 'patch-vs-munmap']) {
      expect(signatures({ scenario })).toEqual(
        expect.arrayContaining(['illegal decode "ff 27" at site+0', 'torn site', 'SIGILL', 'wrong number']),
      );
    }
  });

  it('a page out of reach, fork and execve do no harm', () => {
    for (const scenario of ['patch-vs-mprotect', 'patch-vs-fork', 'patch-vs-execve']) {
      expect(signatures({ scenario })).toEqual([]);
    }
  });

  it('a tracer sees the patch, and any stage of it', () => {
    const found = failures({ scenario: 'patch-vs-attach' });
    expect(found.map((f) => f.signature)).toEqual(['tracer sees a patch']);
    expect(found[0]?.text).toContain('sees b8 27 00 00 00 06 05 where its author wrote b8 27 00 00 00 0f 05');
  });

  it('fork without the lock gives the child half a patch', () => {
    expect(signatures({ scenario: 'patch-vs-fork', protocol: 'abc:fork-nolock' })).toEqual(['SIGILL']);
  });

  it('a patch that ends half-way before fork ends half-way in the child, too', () => {
    const died = outcomes({ scenario: 'patch-vs-fork', protocol: 'abc:die=1' });
    expect(died).toContain('SIGILL');
  });

  it('a thread in a slot whose page is copied ends in a panic of the stub', () => {
    const [first] = failures({ scenario: 'cow-in-slot' });
    expect(first).toMatchObject({ signature: 'stub panic', switches: 2 });
    expect(signatures({ scenario: 'cow-in-slot', patch: 'hardened' })).toEqual([]);
    // Either of two guards is enough.
    const without = (...guards: string[]): string[] =>
      signatures({
        scenario: 'cow-in-slot',
        patch: 'hardened',
        protocol: ['abc', ...guards.map((guard) => `without=${guard}`)].join(':'),
      });
    expect([without('keepCopiedPage'), without('hideSlotRip')]).toEqual([[], []]);
    expect(without('keepCopiedPage', 'hideSlotRip')).toEqual(['stub panic']);
  });

  it('the slot behind the table is the guest’s memory', () => {
    expect(signatures({ scenario: 'table-full' })).toContain('guest memory overwritten');
  });

  it('a site whose preceding page goes away makes its call, patched or not', () => {
    for (const outcome of outcomes({ scenario: 'site-at-vma-start' }))
      expect(outcome).toMatch(/T0 (trap|trampoline) 39/);
  });
});

describe('interrupts at every instruction', () => {
  it('lose no call and make none twice; upstream shows the first instruction of the slot, hardened does not', () => {
    expect(signatures({ scenario: 'interrupt-vs-patch' })).toEqual([]);
    const shown = (patch: 'upstream' | 'hardened'): boolean =>
      outcomes({ scenario: 'interrupt-vs-patch', patch }).some((outcome) => outcome.endsWith('shown in its slot'));
    expect([shown('upstream'), shown('hardened')]).toEqual([true, false]);
  });
});

describe('stale fetch', () => {
  it('upstream: a thread executes a slot as it was before it was filled', () => {
    expect(signatures({ scenario: 'trampoline-line', fetch: 'stale' })[0]).toMatch(/^illegal decode "00 00" at 0x/);
    expect(signatures({ scenario: 'trampoline-line', fetch: 'stale', protocol: 'abc:sync=c' })).not.toEqual([]);
  });

  it('upstream: copy-on-write in the middle of a patch that a page splits makes others serialise, and helps where one byte is alone', () => {
    const failing = (scenario: string): number[] =>
      [1, 2, 3, 4, 5, 6].filter(
        (k) => signatures({ scenario, fetch: 'stale', offset: 64 - k, atPageEnd: true }).length > 0,
      );
    expect(failing('patch-vs-exec')).toEqual([1, 2, 3, 4, 5, 6]);
    // Byte 0 alone in its page: it is copied right before the last store. Byte 6: nobody can fetch the copy before he needs it.
    expect(failing('cow-break')).toEqual([2, 3, 4, 5]);
    const asc = { fetch: 'torn-asc', offset: 58, atPageEnd: true };
    expect(signatures(asc)).toEqual(['illegal decode "0f 00" at site+5']);
    expect(signatures({ ...asc, scenario: 'cow-break' })).toEqual([]);
  });
});

describe('hardened', () => {
  it('holds in every scenario, wherever threads start and the site lies', () => {
    for (const scenario of BOOK_SCENARIOS) {
      for (const [offset, atPageEnd, fetch, startAt] of [
        [61, false, 'stale', 5],
        [58, true, 'torn-any', 0],
        [0, false, 'coherent', 5],
      ] as const) {
        expect([scenario, signatures({ scenario, patch: 'hardened', offset, atPageEnd, fetch, startAt })]).toEqual([
          scenario,
          [],
        ]);
      }
    }
  });

  it('without the restoring of sites shows a tracer the patch', () => {
    const cell = { scenario: 'patch-vs-attach', patch: 'hardened', protocol: 'abc:without=restoreForTracer' } as const;
    expect(signatures(cell)).toEqual(['tracer sees a patch']);
  });

  it('holds where any one store or any one load fails, in every scenario', () => {
    for (const scenario of ['patch-vs-exec', ...BOOK_SCENARIOS])
      for (const protocol of ['abc:faults=1', 'abc:load-faults=1', 'abc:faults=1:load-faults=1'])
        expect([scenario, protocol, signatures({ scenario, patch: 'hardened', protocol })]).toEqual([
          scenario,
          protocol,
          [],
        ]);
    expect(signatures({ patch: 'hardened', protocol: 'abc:faults=1:load-faults=1', fetch: 'stale' })).toEqual([]);
    expect(signatures({ protocol: 'abc:faults=1' })).toContain('SIGILL');
  }, 120_000);

  it('upstream makes a torn number when the second read of the stub fails', () => {
    const cell = { protocol: 'abc:load-faults=1', offset: 61, fetch: 'stale' };
    expect(signatures(cell)).toContain('wrong number');
    expect(signatures({ ...cell, patch: 'hardened' })).toEqual([]);
  });

  it('does not give a slot to another site while a thread is in it', () => {
    const cell = { scenario: 'slot-reuse', patch: 'hardened' } as const;
    for (const fetch of ['coherent', 'stale']) expect(signatures({ ...cell, fetch })).toEqual([]);
    expect(signatures({ ...cell, protocol: 'abc:without=hideSlotRip' })).toEqual(['wrong number']);
    // Some runs do use the slot again: the next one stays empty.
    const reused = (patch: 'upstream' | 'hardened'): boolean =>
      outcomes({ scenario: 'slot-reuse', patch }).some((outcome) => outcome.endsWith('one slot for both sites'));
    expect([reused('upstream'), reused('hardened')]).toEqual([false, true]);
  });
});
