// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';

import { fromHex, toHex } from '../../src/base/bytes.ts';
import { HARDENED_GUARDS, UPSTREAM_GUARDS } from '../../src/usertrap/guards.ts';
import type { Guards } from '../../src/usertrap/guards.ts';
import { handleFault } from '../../src/usertrap/fault-handler.ts';
import { patchSyscall } from '../../src/usertrap/patcher.ts';
import type { PatchOutcome, PatchRequest } from '../../src/usertrap/patcher.ts';
import { GVISOR_PROTOCOL, protocolNamed, storePieces } from '../../src/usertrap/protocol.ts';
import { drain } from '../../src/usertrap/steps.ts';
import type { Step, StepResult } from '../../src/usertrap/steps.ts';
import { checkTrappedSite } from '../../src/usertrap/stub-check.ts';
import { FlatSpace } from './flat-space.ts';

const TEXT = 0x400000;

/** A space with `code` so that its last two bytes, the syscall, end at the returned address. */
function spaceWith(code: string, at = TEXT + 0x1000): { space: FlatSpace; ip: number } {
  const space = new FlatSpace();
  space.map(TEXT, 0x4000);
  const bytes = fromHex(code);
  space.write(at, bytes);
  return { space, ip: at + bytes.length };
}

function patch(
  space: FlatSpace,
  ip: number,
  guards: Guards,
  extra: Partial<PatchRequest> = {},
  sysno = 39,
): PatchOutcome {
  const request = { ip, sysno, hasTracer: false, closed: null, knownBoundary: ip - 7, ...extra };
  return drain(patchSyscall(request, { guards, protocol: GVISOR_PROTOCOL }), space);
}

const GETPID = 'b8 27 00 00 00 0f 05';

describe('patchSyscall', () => {
  it('writes the slot, then the guard, the operand in two overlapping stores, and the opcode', () => {
    const { space, ip } = spaceWith(GETPID);
    const site = ip - 7;
    expect(patch(space, ip, UPSTREAM_GUARDS)).toEqual({ kind: 'patched', site, slot: 0x60050, index: 1, sysno: 39 });
    const stores = space.steps
      .filter((s) => s.op === 'store')
      .map((s) => `${(s.addr - site).toString()}: ${toHex(s.bytes, ' ')}`);
    expect(stores.slice(-6)).toEqual(['5: 06', '5: 06', '1: 24 25 50 00', '3: 50 00 06 00', '0: ff', '0: ff']);
    expect(toHex(space.read(site, 7) ?? new Uint8Array(), ' ')).toBe('ff 24 25 50 00 06 00');
    expect(space.locked).toBe('no');
  });

  it('leaves a site alone whose first byte is not b8 any more', () => {
    const { space, ip } = spaceWith('ff 24 25 50 00 06 00');
    expect(patch(space, ip, UPSTREAM_GUARDS)).toMatchObject({ kind: 'skipped', rule: 'not-mov-eax' });
    expect(space.next).toBe(0);
  });

  it('upstream: looks at the first byte only, hardened at all seven', () => {
    for (const [guards, kind] of [
      [UPSTREAM_GUARDS, 'patched'],
      [HARDENED_GUARDS, 'skipped'],
    ] as const) {
      const { space, ip } = spaceWith('b8 66 00 00 00 0f 05');
      expect(patch(space, ip, guards).kind).toBe(kind);
    }
  });

  it('adds nothing for a traced task', () => {
    const { space, ip } = spaceWith(GETPID);
    expect(patch(space, ip, UPSTREAM_GUARDS, { hasTracer: true })).toMatchObject({ rule: 'traced' });
  });

  it('upstream: an unwritable site eats a slot each time; hardened none', () => {
    for (const [guards, next] of [
      [UPSTREAM_GUARDS, 4],
      [HARDENED_GUARDS, 1],
    ] as const) {
      const { space, ip } = spaceWith(GETPID);
      const text = space.at(TEXT);
      if (text !== undefined) text.writable = false;
      for (let i = 0; i < 3; i++) expect(patch(space, ip, guards)).toMatchObject({ kind: 'failed', written: 0 });
      expect(space.next).toBe(next);
    }
  });

  it('hardened: refuses the tail of a longer instruction, upstream patches it', () => {
    const tails = [
      'c7 44 24 b8 10 00 00 00 0f 05', // gVisor issue #10849: movl $0x10,-0x48(%rsp)
      '41 b8 10 00 00 00 0f 05', // mov $0x10,%r8d
      '48 bb 01 02 03 b8 10 00 00 00 0f 05', // movabs $imm64,%rbx whose last five bytes look like a mov to eax
    ];
    for (const code of tails) {
      const upstream = spaceWith(code);
      expect(patch(upstream.space, upstream.ip, UPSTREAM_GUARDS, {}, 16).kind).toBe('patched');
      const hardened = spaceWith(code);
      expect(patch(hardened.space, hardened.ip, HARDENED_GUARDS, { knownBoundary: 0 }, 16)).toMatchObject({
        rule: 'boundary-unknown',
      });
      expect(patch(hardened.space, hardened.ip, HARDENED_GUARDS, { knownBoundary: TEXT + 0x1000 }, 16)).toMatchObject({
        rule: 'tail-of-instruction',
      });
    }
  });

  it('hardened: an instruction that covers the mov may begin in the page before', () => {
    // movl $0x27,-0x48(%rsp), from 1 to 3 bytes in the first page.
    for (const inFirst of [1, 2, 3]) {
      const { space, ip } = spaceWith(`c7 44 24 ${GETPID}`, TEXT + 0x2000 - inFirst);
      expect(patch(space, ip, HARDENED_GUARDS, { knownBoundary: 0 })).toMatchObject({ rule: 'boundary-unknown' });
    }
  });

  it('hardened: a known boundary settles what the bytes alone do not', () => {
    // push $-0x77, whose last byte 89 could also begin `mov %edi,0x27(%rax)`.
    const { space, ip } = spaceWith('6a 89 b8 27 00 00 00 0f 05');
    expect(patch(space, ip, HARDENED_GUARDS, { knownBoundary: 0 })).toMatchObject({ rule: 'boundary-unknown' });
    expect(patch(space, ip, HARDENED_GUARDS, { knownBoundary: TEXT + 0x1000 })).toMatchObject({ kind: 'patched' });
  });

  it('a store that fails after others: upstream leaves a site that faults for ever, hardened puts the bytes back', () => {
    for (const lost of ['step b', 'step c']) {
      for (const guards of [UPSTREAM_GUARDS, HARDENED_GUARDS]) {
        const { space, ip } = spaceWith(GETPID);
        const performer = {
          perform: (step: Step): StepResult => (step.what === lost ? 0 : space.perform(step)),
        };
        const request = { ip, sysno: 39, hasTracer: false, closed: null, knownBoundary: ip - 7 };
        const outcome = drain(patchSyscall(request, { guards, protocol: GVISOR_PROTOCOL }), performer);
        expect(outcome).toMatchObject({ kind: 'failed', rule: 'unwritable' });
        const bytes = space.read(ip - 7, 7) ?? new Uint8Array();
        if (guards === HARDENED_GUARDS) expect(toHex(bytes, ' ')).toBe(GETPID);
        else expect([bytes[0], bytes[5]]).toEqual([0xb8, 0x06]);
        expect(space.locked).toBe('no');
      }
    }
  });

  it('hardened: stops the others while it writes', () => {
    for (let offset = 0; offset < 64; offset++) {
      const { space, ip } = spaceWith(GETPID, TEXT + 0x1000 + offset);
      expect(patch(space, ip, HARDENED_GUARDS).kind).toBe('patched');
      const kinds = space.steps.map((s) => s.op);
      const siteStores = space.steps.flatMap((s, i) => (s.op === 'store' && s.addr >= TEXT ? [i] : []));
      expect(kinds.indexOf('stop')).toBeLessThan(Math.min(...siteStores));
      expect(kinds.indexOf('resume')).toBeGreaterThan(Math.max(...siteStores));
    }
  });

  it('hardened: leaves alone what calls a number that there is in no kernel', () => {
    const nops = 'b8 90 90 90 90 0f 05';
    const [one, other] = [spaceWith(nops), spaceWith(nops)];
    expect(patch(one.space, one.ip, HARDENED_GUARDS, {}, 0x90909090)).toMatchObject({ rule: 'no-such-number' });
    expect(patch(other.space, other.ip, UPSTREAM_GUARDS, {}, 0x90909090)).toMatchObject({ kind: 'patched' });
  });

  it('hardened: refuses a site that a page boundary splits, and code in a shared mapping', () => {
    const split = spaceWith(GETPID, TEXT + 0x1ffd);
    expect(patch(split.space, split.ip, HARDENED_GUARDS)).toMatchObject({ rule: 'page-split' });
    const shared = spaceWith(GETPID);
    const text = shared.space.at(TEXT);
    if (text !== undefined) text.shared = true;
    expect(patch(shared.space, shared.ip, HARDENED_GUARDS)).toMatchObject({ rule: 'shared-frame' });
  });
});

describe('handleFault', () => {
  function patched(): { space: FlatSpace; fault: number } {
    const { space, ip } = spaceWith(GETPID);
    patch(space, ip, UPSTREAM_GUARDS);
    return { space, fault: ip - 2 };
  }

  it('starts the task again at the jump', () => {
    const { space, fault } = patched();
    for (const guards of [UPSTREAM_GUARDS, HARDENED_GUARDS]) {
      expect(drain(handleFault(fault, 39n, guards), space)).toEqual({ kind: 'restart', ip: fault - 5 });
    }
  });

  it('serves restart_syscall', () => {
    const { space, fault } = patched();
    for (const guards of [UPSTREAM_GUARDS, HARDENED_GUARDS]) {
      expect(drain(handleFault(fault, 219n, guards), space)).toEqual({ kind: 'handle-as-syscall', ip: fault + 2 });
    }
  });

  it('another number: upstream runs the patched one, hardened the one asked for', () => {
    const { space, fault } = patched();
    expect(drain(handleFault(fault, 102n, UPSTREAM_GUARDS), space)).toEqual({ kind: 'restart', ip: fault - 5 });
    expect(drain(handleFault(fault, 102n, HARDENED_GUARDS), space)).toEqual({
      kind: 'handle-as-syscall',
      ip: fault + 2,
    });
  });

  it('leaves alone what is no patched site', () => {
    const { space } = patched();
    space.write(TEXT + 0x3000, [0x90, 0x24, 0x25, 0, 0, 0x06]);
    for (const guards of [UPSTREAM_GUARDS, HARDENED_GUARDS]) {
      expect(drain(handleFault(TEXT + 0x3005, 39n, guards), space)).toEqual({ kind: 'not-ours' });
      expect(drain(handleFault(0x10, 39n, guards), space)).toEqual({ kind: 'not-ours' });
    }
  });

  it('hardened: a look-alike whose operand is no slot of the table is left alone', () => {
    const { space } = patched();
    space.write(TEXT + 0x3000, fromHex('ff 24 25 a0 00 06 00'));
    expect(drain(handleFault(TEXT + 0x3005, 39n, HARDENED_GUARDS), space)).toEqual({ kind: 'not-ours' });
    expect(drain(handleFault(TEXT + 0x3005, 39n, UPSTREAM_GUARDS), space).kind).toBe('restart');
  });
});

describe('checkTrappedSite', () => {
  it('finds a site patchable when the immediate is rax', () => {
    const { space, ip } = spaceWith(GETPID);
    expect(drain(checkTrappedSite(ip, 39n, false), space)).toEqual({ kind: 'report', canBePatched: true });
    expect(drain(checkTrappedSite(ip, 102n, false), space)).toEqual({ kind: 'report', canBePatched: false });
    expect(drain(checkTrappedSite(ip, 39n + (1n << 32n), false), space)).toEqual({
      kind: 'report',
      canBePatched: false,
    });
  });

  it('does not find a site patchable at the first byte of a mapping', () => {
    const { space, ip } = spaceWith(GETPID, TEXT);
    expect(drain(checkTrappedSite(ip, 39n, false), space)).toEqual({ kind: 'report', canBePatched: false });
  });

  const patchedBetween = (rax: bigint, comparesSysno: boolean): unknown => {
    const { space, ip } = spaceWith(GETPID);
    const check = checkTrappedSite(ip, rax, comparesSysno);
    const first = check.next();
    const second = check.next(first.done === true ? null : space.perform(first.value));
    patch(space, ip, UPSTREAM_GUARDS);
    const end = check.next(second.done === true ? null : space.perform(second.value));
    return [end.value, ip];
  };

  it('goes back to the start of a site that was patched in between', () => {
    for (const compares of [false, true]) {
      const [end, ip] = patchedBetween(39n, compares) as [unknown, number];
      expect(end).toEqual({ kind: 'rewind', ip: ip - 7 });
    }
  });

  it('goes back with another number only upstream: hardened reports the call that was made', () => {
    const [upstream, ip] = patchedBetween(219n, false) as [unknown, number];
    expect(upstream).toEqual({ kind: 'rewind', ip: ip - 7 });
    const [hardened] = patchedBetween(219n, true) as [unknown, number];
    expect(hardened).toEqual({ kind: 'report', canBePatched: false });
  });
});

describe('storePieces', () => {
  it('are the stores of safecopy.memcpy, a copy per page', () => {
    const text = (address: number, length: number): string =>
      storePieces(address, length, 'memcpy')
        .map((p) => `${p.offset}+${p.length}`)
        .join(' ');
    expect(text(0, 1)).toBe('0+1 0+1');
    expect(text(0, 2)).toBe('0+1 1+1');
    expect(text(0, 3)).toBe('0+2 1+2');
    expect(text(0, 4)).toBe('0+2 2+2');
    expect(text(0, 6)).toBe('0+4 2+4');
    expect(text(0, 7)).toBe('0+4 3+4');
    expect(text(4093, 6)).toBe('0+2 1+2 3+2 4+2');
    expect(text(4094, 6)).toBe('0+1 1+1 2+2 4+2');
  });

  it('protocols have names', () => {
    expect(protocolNamed('gvisor')?.steps.map((s) => s.name)).toEqual(['a', 'b', 'c']);
    expect(protocolNamed('acb')?.steps.map((s) => s.offset)).toEqual([5, 0, 1]);
    expect(protocolNamed('one-shot')?.steps).toHaveLength(1);
    for (const name of ['', 'aa', 'abd', 'nothing']) expect(protocolNamed(name)).toBeUndefined();
  });
});
