// SPDX-License-Identifier: MIT
//
// Whole programs that spoil what the kernel reads back from them: their signal frames, their ELF headers. The kernel is
// the real one. No run harms the host, and a process beside them makes its own calls.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { TraplineError } from '../../../src/base/errors.ts';
import { openUnicorn } from '../../../src/cpu/unicorn/index.ts';
import { codeLine as line, linkCode } from '../../../src/isa/machine-code.ts';
import type { GuestContext } from '../../../src/platform/sentry.ts';
import { directoryWith, elfOf, runCode } from '../../kernel/code-guest.ts';
import { InvariantObserver } from './invariant-observer.ts';

/** sched_yield gives the other process its turn. */
const CALLS = [57, ...Array.from({ length: 4 }, () => [39, 24, 102, 186]).flat(), 231];

/** The calls of each task, in the order in which tasks came. */
class CallBook extends InvariantObserver {
  readonly calls = new Map<number, number[]>();

  override onCall(ctx: GuestContext, sysno: number, isPatchedCall: boolean): void {
    super.onCall(ctx, sysno, isPatchedCall);
    this.calls.set(ctx.tid, [...(this.calls.get(ctx.tid) ?? []), sysno]);
  }
}

function le(value: bigint, bytes: number): string {
  return Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn).toString(16)).join(' ');
}

/** mov $nr,%eax; syscall. */
function site(nr: number, label?: string): ReturnType<typeof line> {
  return line(`b8 ${le(BigInt(nr), 4)} 0f 05`, `call ${nr}`, label === undefined ? {} : { label });
}

/** Forks; the parent makes its calls; the child’s handler writes `value` at its context plus `offset` and returns. */
function frameProgram(offset: number, value: bigint): Uint8Array {
  return linkCode([
    line('90', 'nop'),
    site(57),
    line('85 c0', 'test %eax,%eax'),
    line('0f 85', 'jne', { jump: { to: 'parent', size: 4 } }),
    line('48 8d 35', 'lea act(%rip),%rsi', { jump: { to: 'act', size: 4 } }),
    line('48 8d 0d', 'lea handler(%rip),%rcx', { jump: { to: 'handler', size: 4 } }),
    line('48 89 0e', 'mov %rcx,(%rsi)'),
    line('48 8d 0d', 'lea restorer(%rip),%rcx', { jump: { to: 'restorer', size: 4 } }),
    line('48 89 4e 10', 'mov %rcx,0x10(%rsi)'),
    line('bf 0a 00 00 00', 'mov $10,%edi'),
    line('31 d2', 'xor %edx,%edx'),
    line('41 ba 08 00 00 00', 'mov $8,%r10d'),
    site(13),
    line('bb 03 00 00 00', 'mov $3,%ebx'),
    site(39, 'again'),
    line('89 c7', 'mov %eax,%edi'),
    line('be 0a 00 00 00', 'mov $10,%esi'),
    site(62),
    line('ff cb', 'dec %ebx'),
    line('75', 'jne', { jump: { to: 'again', size: 1 } }),
    line('31 ff', 'xor %edi,%edi'),
    site(231),
    line('48 b8', 'movabs', { label: 'handler' }),
    line(le(value, 8), 'value'),
    line(`48 89 82 ${le(BigInt.asUintN(32, BigInt(offset)), 4)}`, 'mov %rax,offset(%rdx)'),
    line('c3', 'ret'),
    site(15, 'restorer'),
    line('bd 04 00 00 00', 'mov $4,%ebp', { label: 'parent' }),
    site(39, 'loop'),
    site(24),
    site(102),
    site(186),
    line('ff cd', 'dec %ebp'),
    line('75', 'jne', { jump: { to: 'loop', size: 1 } }),
    line('bf 07 00 00 00', 'mov $7,%edi'),
    site(231),
    line('00 00 00 00 00 00 00 00', 'handler', { label: 'act' }),
    line('04 00 00 04 00 00 00 00', 'SA_SIGINFO | SA_RESTORER'),
    line('00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00', 'restorer, mask'),
  ]).bytes;
}

/** Runs a program; the observer that looked on, and whether the program came to its end. */
async function run(
  code: Uint8Array,
  patch: 'upstream' | 'hardened',
  file = elfOf(code),
): Promise<{ observer: CallBook; isOver: boolean }> {
  const observer = new CallBook();
  const { result } = await runCode(code, {
    patch,
    observer,
    maxInstructions: 200_000,
    programFile: { directory: directoryWith('guest', file), entry: 'guest' },
    openCpu: (options) => (observer.cpu = openUnicorn(options)),
  });
  return { observer, isOver: result.ended === undefined };
}

const value = fc.oneof(
  fc.constantFrom(0n, 1n, 0x401000n, 0x60050n, 0x7ffff0000000n, 0x7fff_ffff_f000n, 0x8000_0000_0000n, 0x302n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);

describe.each(['upstream', 'hardened'] as const)('a signal frame, %s', (patch) => {
  it('is read back as it comes; whatever it says, the process beside makes its own calls', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: -136, max: 1200 }), value, async (offset, written) => {
        const { observer, isOver } = await run(frameProgram(offset, written), patch);
        const [parent, child] = [...observer.calls.values()];
        // A child that its frame sends into a loop may use up the run: then the parent is on its way.
        expect(parent).toEqual(CALLS.slice(0, isOver ? undefined : parent?.length));
        expect(child?.length).toBeGreaterThan(0);
        if (patch === 'hardened') expect(observer.violations).toEqual([]);
      }),
      { numRuns: 100, seed: 7 },
    );
  });
});

describe.each(['upstream', 'hardened'] as const)('an ELF file, %s', (patch) => {
  it('is run or refused, whatever its headers say', async () => {
    const code = frameProgram(0, 0n);
    let ran = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 16, max: 119 }), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        async (changes) => {
          const file = elfOf(code);
          for (const [at, byte] of changes) file[at] = byte;
          try {
            const { observer } = await run(code, patch, file);
            ran++;
            if (patch === 'hardened') expect(observer.violations).toEqual([]);
          } catch (error) {
            // A program that cannot be loaded is refused by a code, not by whatever went wrong.
            if (!(error instanceof TraplineError)) throw error;
            expect(error.code).toMatch(/^RUN_/);
          }
        },
      ),
      { numRuns: 100, seed: 7 },
    );
    expect(ran).toBeGreaterThan(10);
  });
});
