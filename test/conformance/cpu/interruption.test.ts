// SPDX-License-Identifier: MIT
//
// Requests to stop: from the handler, between runs, from the watchdog's thread. None is lost.

import { afterAll, expect, it } from 'vitest';
import { Reg } from '../../../src/cpu/regs.ts';
import { forEachEngine, TEST_MEMORY } from './engines.ts';
import { CODE, TestMachine } from './guest.ts';

/** Loops that never end: a jump to itself, a long block, calls, a rep that is restarted, indirect jumps. */
const LOOPS: readonly (readonly [name: string, code: string])[] = [
  ['a jump to itself', 'ebfe'],
  ['a loop of one block', `${'90'.repeat(50)} ebcc`],
  ['calls and returns', 'e802000000 ebf9 c3'],
  ['a long rep', 'bf00006000 48b90000000010000000 be00006000 f3a6'],
  ['an indirect jump', '48c7c000004000 ffe0'],
];

forEachEngine('Interruption', (engine) => {
  const cpu = engine.open(TEST_MEMORY);
  afterAll(() => cpu.dispose());
  const machine = new TestMachine(cpu);
  const space = machine.space();

  function prepare(code: string): void {
    space.put(CODE, code);
    cpu.invalidateCode(space.physical(CODE), 4096);
    space.enter();
  }

  it('ends the next run when asked between runs, once', () => {
    prepare('90 cc');
    cpu.interrupt();
    expect(cpu.run(100).kind).toBe('interrupted');
    expect(cpu.regs.get(Reg.rip)).toBe(CODE);
    expect(cpu.run(100).kind).toBe('breakpoint');
  });

  it('ends the next step when asked between runs', () => {
    prepare('90 cc');
    cpu.interrupt();
    expect(cpu.step().kind).toBe('interrupted');
    expect(cpu.step().kind).toBe('budget');
  });

  it('comes at a count of instructions, wherever in a run, and changes nothing of where the run ends', () => {
    // Blocks of one to six instructions, a loop, and two repeated instructions.
    prepare('b903000000 90 90 90 ffc9 75f9 b905000000 bf00006000 f3aa 90 90 b903000000 f3aa ebdd');
    const runTo = (end: number, pause: number): unknown => {
      space.enter();
      const start = cpu.instructions;
      cpu.interruptAt(start + pause);
      let paused = -1;
      let { kind } = cpu.run(end);
      if (kind === 'interrupted') {
        paused = cpu.instructions - start;
        ({ kind } = cpu.run(end - paused));
      }
      cpu.interruptAt(Infinity);
      const seen = [kind, cpu.instructions - start, cpu.regs.get(Reg.rip), cpu.regs.get(Reg.rcx)];
      if (pause === Infinity) return seen;
      expect(paused === -1 || (paused >= pause && paused < pause + 6), `${paused} for ${pause}`).toBe(true);
      // The last block before the end may be longer than what is left.
      if (paused === -1) expect(cpu.instructions - start - pause).toBeLessThan(6);
      return seen;
    };
    for (let end = 1; end <= 64; end++) {
      const undisturbed = runTo(end, Infinity);
      for (let pause = 0; pause <= end; pause++) {
        expect(runTo(end, pause), `${end} instructions with a pause at ${pause}`).toEqual(undisturbed);
      }
    }
  });

  it('comes at a count that an earlier run has passed as soon as the next begins', () => {
    prepare('90 90 cc');
    cpu.interruptAt(cpu.instructions - 5);
    expect(cpu.run(100).kind).toBe('interrupted');
    expect(cpu.regs.get(Reg.rip)).toBe(CODE);
    expect(cpu.run(100).kind).toBe('breakpoint');
  });

  it('ends the run after the handler that asks', () => {
    prepare('0f05 90 ebfb');
    let calls = 0;
    cpu.onSyscall = () => {
      calls++;
      cpu.interrupt();
      return true;
    };
    expect(cpu.run(1e9).kind).toBe('interrupted');
    cpu.onSyscall = null;
    expect(calls).toBe(1);
    expect(cpu.regs.get(Reg.rip)).toBe(CODE + 2);
  });

  it('keeps a request that the handler makes when it ends the run itself', () => {
    prepare('0f05 cc');
    cpu.onSyscall = () => {
      cpu.interrupt();
      return false;
    };
    expect(cpu.run(1e9).kind).toBe('syscall');
    cpu.onSyscall = null;
    expect(cpu.run(1e9).kind).toBe('interrupted');
    expect(cpu.run(1e9).kind).toBe('breakpoint');
  });

  for (const [name, code] of LOOPS) {
    it(`ends ${name} by the watchdog`, () => {
      prepare(code);
      cpu.armWatchdog(20);
      let stop = cpu.run(1e15).kind;
      // A loop may end by itself in a fault; then it starts again until the watchdog comes.
      while (stop !== 'interrupted') {
        space.enter();
        stop = cpu.run(1e15).kind;
      }
      expect(stop).toBe('interrupted');
    });
  }

  it('gives the watchdog of an idle time to the next run', () => {
    prepare('90 cc');
    cpu.armWatchdog(1);
    const shared = new Int32Array(new SharedArrayBuffer(4));
    Atomics.wait(shared, 0, 0, 50);
    expect(cpu.run(100).kind).toBe('interrupted');
    expect(cpu.run(100).kind).toBe('breakpoint');
  });

  it('forgets a watchdog that is disarmed in time', () => {
    prepare('90 cc');
    cpu.armWatchdog(60_000);
    cpu.armWatchdog(0);
    expect(cpu.run(100).kind).toBe('breakpoint');
  });

  it('refuses to run inside the syscall handler', () => {
    prepare('0f05 cc');
    cpu.onSyscall = () => {
      cpu.run(1);
      return true;
    };
    expect(() => cpu.run(100)).toThrow(/inside a run/);
    cpu.onSyscall = null;
    prepare('cc');
    expect(cpu.run(100).kind).toBe('breakpoint');
  });

  it('hands an exception of the handler to the caller of run, and runs on afterwards', () => {
    prepare('0f05 cc');
    cpu.onSyscall = () => {
      throw new RangeError('from the handler');
    };
    expect(() => cpu.run(100)).toThrow(RangeError);
    cpu.onSyscall = null;
    expect(cpu.regs.get(Reg.rip)).toBe(CODE + 2);
    expect(cpu.run(100).kind).toBe('breakpoint');
  });
});
