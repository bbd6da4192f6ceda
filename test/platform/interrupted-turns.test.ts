// SPDX-License-Identifier: MIT
//
// A turn that the host interrupts goes on after it, wherever that is: its end is where it would have been, also where it is
// counted from the turn's beginning whether a task must get on, and where the way out of stub code is under way.

import { afterEach, expect, it } from 'vitest';

import { Reg } from '../../src/cpu/regs.ts';
import type { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import type { PlatformEvent } from '../../src/platform/sentry.ts';
import { call, END, GETPID, Machine, TEXT } from './machine.ts';

let machine: Machine | undefined;
afterEach(() => {
  machine?.dispose();
  machine = undefined;
});

/** mov $60,%ebp; loop: site; add %rax,%rbx; dec %ebp; jnz loop; end. */
const LOOP = `bd 3c 00 00 00 ${call(GETPID)} 48 01 c3 ff cd 75 f2 90 ${END}`;

/** Modes in which an interruption has met a task on its way out of stub code. */
const late = new Set<string>();

/** How every turn of a task ends whose turns last so many instructions, with an interruption every `blocks` blocks. */
function ends(mode: 'upstream' | 'hardened', length: number, blocks: number, stubPreemption: boolean): string[] {
  const m = (machine = new Machine(mode, { stubPreemption, seed: 3 }));
  const { cpu, platform, guest } = m;
  if (blocks > 0) (cpu as ReturnType<typeof openUnicorn>).interruptEvery(blocks);
  m.poke(TEXT + 0x40, LOOP);
  guest.regs.set(Reg.rip, TEXT + 0x40);
  const seen: string[] = [];
  const run = cpu.run.bind(cpu);
  let stops = 0;
  cpu.run = (budget) => {
    const stop = run(budget);
    if (stop.kind === 'interrupted') stops++;
    return stop;
  };
  let isOwed = false;
  const next = (budget: number): PlatformEvent => {
    const before = stops;
    const event = platform.switchTo(guest, budget);
    if (isOwed) expect(event.kind, 'an interruption on the way out comes after it').toBe('interrupted');
    isOwed = event.kind !== 'interrupted' && stops > before;
    if (isOwed) late.add(mode);
    return event;
  };
  for (let turns = 0; turns < 5000; turns++) {
    const end = cpu.instructions + length;
    let event = next(length);
    while (event.kind === 'interrupted') event = next(Math.max(1, end - cpu.instructions));
    seen.push(
      `${event.kind} at ${guest.regs.get(Reg.rip).toString(16)} after ${cpu.instructions}, ${m.calls.length} calls`,
    );
    if (event.kind === 'syscall') break;
  }
  const { patchedCalls, trapped, restarted } = platform.metrics();
  seen.push(`${patchedCalls} ${trapped} ${restarted}`);
  m.dispose();
  machine = undefined;
  return seen;
}

it.each([
  ['upstream', false],
  ['hardened', false],
  ['upstream', true],
] as const)('turns end in the same places however often the host interrupts: %s, in stub code: %s', (mode, inStub) => {
  for (const length of [1, 2, 3, 4, 7, 12, 40]) {
    const undisturbed = ends(mode, length, 0, inStub);
    expect(undisturbed.length).toBeGreaterThan(10);
    for (const blocks of [2, 3, 5]) {
      const disturbed = ends(mode, length, blocks, inStub);
      expect(disturbed, `${length} instructions, every ${blocks} blocks`).toEqual(undisturbed);
    }
  }
  expect(late.has(mode)).toBe(true);
});
