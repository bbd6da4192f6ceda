// SPDX-License-Identifier: MIT
//
// Opening, sizes, several engines at once, disposal.

import { expect, it } from 'vitest';
import { TraplineError } from '../../../src/base/errors.ts';
import { forEachEngine, TEST_MEMORY } from './engines.ts';
import { CODE, TestMachine } from './guest.ts';

forEachEngine('Lifetime', (engine) => {
  it('refuses an arena of more than 4 GiB with what to do', () => {
    expect(() => engine.open(2 ** 32 + 4096)).toThrow(TraplineError);
    expect(() => engine.open(2 ** 32 + 4096)).toThrow(/4 GiB; ask for less/);
  });

  it('refuses sizes that are no arena', () => {
    for (const size of [0, 4096, 2 ** 20 + 1, -1, Number.NaN]) expect(() => engine.open(size)).toThrow(TraplineError);
  });

  it('opens 4 GiB without touching them', () => {
    const cpu = engine.open(2 ** 32);
    expect(cpu.memory.byteLength).toBe(2 ** 32);
    new Uint8Array(cpu.memory)[2 ** 32 - 1] = 7;
    const space = new TestMachine(cpu).space();
    expect(space.run('cc').kind).toBe('breakpoint');
    cpu.dispose();
  });

  it('keeps the arena readable after dispose and refuses to run', () => {
    const cpu = engine.open(TEST_MEMORY);
    const space = new TestMachine(cpu).space();
    space.put(CODE, 'cc');
    const at = space.physical(CODE);
    cpu.dispose();
    expect(new Uint8Array(cpu.memory)[at]).toBe(0xcc);
    expect(() => cpu.run(1)).toThrow(/disposed/);
    cpu.dispose();
  });

  it('keeps two engines apart', () => {
    const [a, b] = [engine.open(TEST_MEMORY), engine.open(TEST_MEMORY)];
    const [sa, sb] = [new TestMachine(a).space(), new TestMachine(b).space()];
    sa.put(CODE, 'b801000000 cc');
    sb.put(CODE, 'b802000000 cc');
    sa.enter();
    sb.enter();
    expect(a.run(10).kind).toBe('breakpoint');
    expect(b.run(10).kind).toBe('breakpoint');
    sa.enter();
    a.step();
    expect([a.regs.get(0), b.regs.get(0)]).toEqual([1, 2]);
    a.dispose();
    b.dispose();
  });

  it('names itself with a version', () => {
    const cpu = engine.open(TEST_MEMORY);
    expect(cpu.name).toMatch(/^\w+ \d+\.\d+\.\d+$/);
    cpu.dispose();
  });
});
