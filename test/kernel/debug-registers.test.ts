// SPDX-License-Identifier: MIT
//
// Debug registers where nobody can tell what instructions access. What they do otherwise is compared with Linux in
// test/programs/ptrace.test.ts.

import { describe, expect, it } from 'vitest';
import { ENOSPC } from '../../src/abi/errno.ts';
import { DebugRegisters } from '../../src/kernel/ptrace/debug-registers.ts';

const CONTROL = 7;
/** Breakpoint 0, a write of 8 bytes. */
const ENABLED = 0x9_0001n;

describe('debug registers without facts about instructions', () => {
  it('take addresses, but no breakpoint is free', () => {
    const registers = new DebugRegisters();
    expect(registers.write(0, 0x1000n, () => false)).toBe(0);
    expect(registers.write(CONTROL, ENABLED, () => false)).toBe(-ENOSPC);
    expect([registers.read(0), registers.read(CONTROL)]).toEqual([0x1000n, 0n]);
    expect(registers.enabled()).toBeNull();
  });

  it('can be switched off', () => {
    const registers = new DebugRegisters();
    expect(registers.write(CONTROL, ENABLED, () => true)).toBe(0);
    expect(registers.enabled()).toEqual([{ status: 1, kind: 'write', address: 0, length: 8 }]);
    expect(registers.write(CONTROL, 0n, () => false)).toBe(0);
    expect(registers.enabled()).toBeNull();
  });
});
