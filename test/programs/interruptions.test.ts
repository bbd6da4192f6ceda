// SPDX-License-Identifier: MIT
//
// Where the host interrupts a run shows nowhere: not in what a guest does, when each event happens, nor in figures. The
// engine is made to interrupt after so and so many blocks, wherever that is: no clock decides what these tests see.

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SIGALRM } from '../../src/abi/signal.ts';
import type { Cpu } from '../../src/cpu/cpu.ts';
import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { codeLine as line, linkCode } from '../../src/isa/machine-code.ts';
import { SyscallTracer } from '../../src/kernel/decode/tracer.ts';
import type { SandboxOptions } from '../../src/sandbox/sandbox.ts';
import type { TraceConsumer } from '../../src/trace/ring.ts';
import { directoryWith, elfOf } from '../kernel/code-guest.ts';
import { runGuest } from './guest-run.ts';

/** Blocks from one interruption to the next: primes, so that loops are met in all places. */
const INTERVALS = [7, 29];

/** Everything that can be seen of a run, and how often it was interrupted. */
async function record(
  name: string,
  options: Partial<SandboxOptions>,
  blocks: number,
): Promise<{ seen: unknown; interruptions: number }> {
  let interruptions = 0;
  const openCpu = (cpuOptions: { memoryBytes: number }): Cpu => {
    const cpu = openUnicorn(cpuOptions);
    if (blocks > 0) cpu.interruptEvery(blocks);
    for (const method of ['run', 'step'] as const) {
      const original = cpu[method].bind(cpu) as (argument: never) => ReturnType<Cpu['run']>;
      cpu[method] = (argument: never) => {
        const stop = original(argument);
        if (stop.kind === 'interrupted') interruptions++;
        return stop;
      };
    }
    return cpu;
  };
  const lines: string[] = [];
  const consumer: TraceConsumer = {
    wantsText: true,
    immediate: true,
    event: (e) => lines.push(`${e.timeNs} ${e.tid} ${e.kind} ${e.a} ${e.b} ${e.c} ${e.text ?? ''}`),
  };
  const { output, errors, warnings, exit, result } = await runGuest(
    fileURLToPath(new URL(`../../guests/bin/${name}.elf`, import.meta.url)),
    { uid: 0, consumers: [consumer], makeTracer: (trace) => new SyscallTracer(trace), openCpu, ...options },
  );
  const metrics = { ...result.metrics, wallMs: 0 };
  return { seen: { lines, output, errors, warnings, exit, metrics }, interruptions };
}

const MODES: readonly (readonly [mode: string, options: Partial<SandboxOptions>])[] = [
  ['off', { patch: 'off' }],
  ['hardened', { patch: 'hardened' }],
  ['upstream', { patch: 'upstream' }],
  ['upstream, with turns that end in stub code', { patch: 'upstream', stubPreemption: true }],
  ['off, in a run to compare', { patch: 'off', comparable: true }],
  ['hardened, in a run to compare', { patch: 'hardened', comparable: true }],
];

describe.each(MODES)('patching %s', (_mode, options) => {
  const guests = ['g11-threads-fresh-site', 'g43-fork-while-patching', 'signal-basic', 'threads-counter'];
  if (options.stubPreemption === true) guests.push('d4-copied-table', 'd7-fp-state');
  it.each(guests)('%s does the same however often the host interrupts it', async (name) => {
    const undisturbed = await record(name, options, 0);
    for (const blocks of INTERVALS) {
      const { seen, interruptions } = await record(name, options, blocks);
      expect(seen, `an interruption every ${blocks} blocks`).toEqual(undisturbed.seen);
      expect(interruptions).toBeGreaterThan(0);
    }
  });
});

/** Two processes that compute for some two million instructions without a call, then look at the time. */
const COMPUTING = linkCode([
  line('b8 39 00 00 00 0f 05', 'fork'),
  line('41 bc 03 00 00 00', 'mov $3,%r12d'),
  line('b9 40 42 0f 00', 'mov $1000000,%ecx', { label: 'again' }),
  line('ff c9', 'dec %ecx', { label: 'loop' }),
  line('75', 'jne', { jump: { to: 'loop', size: 1 } }),
  line('31 ff', 'xor %edi,%edi'),
  line('48 8d 74 24 80', 'lea -0x80(%rsp),%rsi'),
  line('b8 e4 00 00 00 0f 05', 'clock_gettime'),
  line('41 ff cc', 'dec %r12d'),
  line('75', 'jne', { jump: { to: 'again', size: 1 } }),
  line('31 ff b8 3c 00 00 00 0f 05', 'exit'),
]).bytes;

it('a run to compare looks at timers and turns where it would have looked, however often the host interrupts it', async () => {
  const options: Partial<SandboxOptions> = {
    comparable: true,
    program: '/guest',
    programFile: { directory: directoryWith('guest', elfOf(COMPUTING)), entry: 'guest' },
  };
  const undisturbed = await record('hello', options, 0);
  // An iteration is a block.
  const { seen, interruptions } = await record('hello', options, 100_003);
  expect(seen).toEqual(undisturbed.seen);
  expect(interruptions).toBeGreaterThan(40);
});

/**
 * Asks for SIGALRM, writes a jump to itself behind the first instruction of a slot, and jumps to the slot: a signal that
 * comes then is postponed, because the stub seems to be on its way to the kernel.
 */
const LOOPING_SLOT = linkCode([
  line('bb 02 00 00 00', 'mov $2,%ebx'),
  line('b8 27 00', 'getpid: its jump and the address in it', { label: 'again' }),
  line('00 00 0f 05', '', { label: 'operand' }),
  line('ff cb', 'dec %ebx'),
  line('75', 'jne', { jump: { to: 'again', size: 1 } }),
  line('8b 2d', 'mov operand(%rip),%ebp', { jump: { to: 'operand', size: 4 } }),
  line('4c 8b 65 00', 'mov (%rbp),%r12'),
  line('89 ef 81 e7 00 f0 ff ff', 'mov %ebp,%edi; and $-4096,%edi'),
  line('be 00 20 00 00 ba 07 00 00 00 b8 0a 00 00 00 0f 05', 'mprotect'),
  line('68 e8 03 00 00 6a 00 6a 00 6a 00 48 89 e6', 'push $1000; push $0; …; mov %rsp,%rsi'),
  line('31 ff 31 d2 b8 26 00 00 00 0f 05', 'setitimer'),
  line('66 41 c7 44 24 0c eb fe', 'movw $0xfeeb,12(%r12)'),
  line('41 ff e4', 'jmp *%r12'),
]).bytes;

it.each<[string, Partial<SandboxOptions>]>([
  ['a run', {}],
  ['a run whose turns end in stub code', { stubPreemption: true }],
  ['a run to compare', { comparable: true }],
])('%s counts how often a signal is postponed by turns, however often the host interrupts it', async (_name, extra) => {
  const options: Partial<SandboxOptions> = {
    patch: 'upstream',
    program: '/guest',
    programFile: { directory: directoryWith('guest', elfOf(LOOPING_SLOT)), entry: 'guest' },
    maxInstructions: 100_000_000,
    ...extra,
  };
  const undisturbed = await record('hello', options, 0);
  expect(undisturbed.seen).toMatchObject({ exit: { signal: SIGALRM } });
  const { seen, interruptions } = await record('hello', options, 20_011);
  expect(seen).toEqual(undisturbed.seen);
  expect(interruptions).toBeGreaterThan(40);
});
