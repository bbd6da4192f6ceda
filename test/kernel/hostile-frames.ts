// SPDX-License-Identifier: MIT
//
// A search at random for what a program can do to the kernel by its signal frames: children write anything anywhere into
// them, return with any stack, and are signalled on any. What must come of it is worked out here from the frame alone.

import fc from 'fast-check';

import { FpState, RtSigframe, Sigcontext, StackT, Ucontext, UC_STRICT_RESTORE_SS } from '../../src/abi/signal-frame.ts';
import { Reg } from '../../src/cpu/regs.ts';
import { codeLine as line, linkCode } from '../../src/isa/machine-code.ts';
import type { CodeLine } from '../../src/isa/machine-code.ts';
import type { Task } from '../../src/kernel/task.ts';
import type { GuestContext, PatchMode } from '../../src/platform/sentry.ts';
import { InvariantObserver } from '../conformance/usertrap/invariant-observer.ts';
import { runCode } from './code-guest.ts';

const FORK = 57;
const SIGRETURN = 15;
const PARENT_STATUS = 7;
const CHILDREN = 400;
/** Where the program begins: nothing lies below. */
const CODE = 0x401000n;
const MC = Ucontext.mcontext;
/** What a program may change of the flags, and all that it may have. */
const CHANGEABLE = 0x50dd5n;
const USER_FLAGS = 0x250fd7n;
const IF = 0x200n;
/** SIGKILL and SIGSTOP. */
const UNBLOCKABLE = (1n << 8n) | (1n << 18n);
const MXCSR_BITS = 0xffff;
const FRAME_REGS = [
  [Sigcontext.rip, Reg.rip],
  [Sigcontext.rsp, Reg.rsp],
  [Sigcontext.rax, Reg.rax],
  [Sigcontext.rdi, Reg.rdi],
  [Sigcontext.r15, Reg.r15],
] as const;

/** What one child does. */
interface Spoil {
  /** From its ucontext on. */
  readonly offset: number;
  readonly value: bigint;
  /** The stack pointer that it returns with, and that it is signalled on; 0: its own. */
  readonly returnStack: bigint;
  readonly signalStack: bigint;
}

const value = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, 4n, 0x33n, 0x2bn, 0x10n, 0x7fff_ffff_f000n, 0x7fff_ffff_fff0n, 0x8000_0000_0000n),
  fc.constantFrom(2n ** 63n, 2n ** 64n - 1n, 2n ** 64n - 8n, 0x3202n, 0x1f80n, 0x1_0000n, 0x1000n, 0x8000n),
  // Of cs, gs, fs and ss the first is another, or none is.
  fc.constantFrom(0x2b_0000_0000_0010n, 0x2b_0000_0000_0033n),
  // On a stack here the FP state would find room, and the frame below it none.
  fc.constant(CODE + 0x300n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const offset = fc.oneof(
  fc.constantFrom(
    Ucontext.flags,
    Ucontext.stack + StackT.sp,
    Ucontext.stack + StackT.flags,
    Ucontext.stack + StackT.stackSize,
    MC + Sigcontext.rsp,
    MC + Sigcontext.rip,
    MC + Sigcontext.rflags,
    MC + Sigcontext.cs,
    MC + Sigcontext.ss,
    MC + Sigcontext.fpstate,
    Ucontext.sigmask,
  ),
  // The FP state lies above the frame, where the next multiple of 64 is.
  fc.nat(8).map((i) => RtSigframe.size - RtSigframe.ucontext + FpState.mxcsr + 8 * i),
  fc.integer({ min: -136, max: 1200 }),
);
const stack = fc.oneof({ weight: 5, arbitrary: fc.constant(0n) }, { weight: 1, arbitrary: value });
const spoils = fc.array(fc.record({ offset, value, returnStack: stack, signalStack: stack }), {
  minLength: CHILDREN,
  maxLength: CHILDREN,
});

// ---- the program

function le(number: bigint, bytes: number): string {
  return Array.from({ length: bytes }, (_, i) => Number((number >> BigInt(8 * i)) & 0xffn).toString(16)).join(' ');
}

/** mov $nr,%eax; syscall. */
function call(nr: number, label?: string): CodeLine {
  return line(`b8 ${le(BigInt(nr), 4)} 0f 05`, `call ${nr}`, label === undefined ? {} : { label });
}

/** Forks a child for each; a child signals itself, and its handler spoils the frame. */
function program(plan: readonly Spoil[]): Uint8Array {
  const rows = plan.map(({ offset: at, value: to, returnStack, signalStack }) =>
    line([BigInt(at), to, returnStack, signalStack].map((n) => le(BigInt.asUintN(64, n), 8)).join(' '), 'row'),
  );
  const [first, ...others] = rows;
  return linkCode([
    line('90', 'nop'),
    line('48 8d 1d', 'lea table(%rip),%rbx', { jump: { to: 'table', size: 4 } }),
    line(`bd ${le(BigInt(plan.length), 4)}`, 'mov $rows,%ebp'),
    line('48 8d 35', 'lea act(%rip),%rsi', { jump: { to: 'act', size: 4 } }),
    line('48 8d 0d', 'lea handler(%rip),%rcx', { jump: { to: 'handler', size: 4 } }),
    line('48 89 0e', 'mov %rcx,(%rsi)'),
    line('48 8d 0d', 'lea restorer(%rip),%rcx', { jump: { to: 'restorer', size: 4 } }),
    line('48 89 4e 10', 'mov %rcx,0x10(%rsi)'),
    line('bf 0a 00 00 00', 'mov $10,%edi'),
    line('31 d2', 'xor %edx,%edx'),
    line('41 ba 08 00 00 00', 'mov $8,%r10d'),
    call(13),
    line('48 8d 3d', 'lea other(%rip),%rdi', { jump: { to: 'other', size: 4 } }),
    line('31 f6', 'xor %esi,%esi'),
    call(131),
    call(FORK, 'loop'),
    line('85 c0', 'test %eax,%eax'),
    line('74', 'jz', { jump: { to: 'child', size: 1 } }),
    line('89 c7', 'mov %eax,%edi'),
    line('31 f6 31 d2', 'xor %esi,%esi; xor %edx,%edx'),
    line('45 31 d2', 'xor %r10d,%r10d'),
    call(61),
    line('48 83 c3 20', 'add $32,%rbx'),
    line('ff cd', 'dec %ebp'),
    line('75', 'jnz', { jump: { to: 'loop', size: 1 } }),
    line(`bf ${le(BigInt(PARENT_STATUS), 4)}`, 'mov $7,%edi'),
    call(231),
    line('49 89 e7', 'mov %rsp,%r15', { label: 'child' }),
    call(39),
    line('89 c7', 'mov %eax,%edi'),
    line('48 8b 43 18', 'mov 0x18(%rbx),%rax'),
    line('48 85 c0', 'test %rax,%rax'),
    line('48 0f 45 e0', 'cmovne %rax,%rsp'),
    line('be 0a 00 00 00', 'mov $10,%esi'),
    call(62),
    line('31 ff', 'xor %edi,%edi'),
    call(231),
    line('48 8b 03', 'mov (%rbx),%rax', { label: 'handler' }),
    line('48 8b 4b 08', 'mov 8(%rbx),%rcx'),
    line('48 89 0c 02', 'mov %rcx,(%rdx,%rax)'),
    line('4c 8b 63 10', 'mov 0x10(%rbx),%r12'),
    line('c3', 'ret'),
    line('4d 85 e4', 'test %r12,%r12', { label: 'restorer' }),
    line('49 0f 45 e4', 'cmovne %r12,%rsp'),
    call(SIGRETURN),
    line('00 00 00 00 00 00 00 00', 'handler', { label: 'act' }),
    line('04 00 00 04 00 00 00 00', 'SA_SIGINFO | SA_RESTORER'),
    line('00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00', 'restorer, mask'),
    line('00 00 50 00 00 00 00 00 00 00 00 00 00 00 00 00', 'another stack', { label: 'other' }),
    line('00 20 00 00 00 00 00 00', 'of 8 KiB'),
    ...(first === undefined ? [] : [{ ...first, label: 'table' }]),
    ...others,
  ]).bytes;
}

// ---- what must come of it

function refuse(text: string): never {
  throw new Error(text);
}

/** A frame as the guest has left it; null where sigreturn must not go on with it. */
interface Expected {
  readonly frame: DataView | null;
  readonly flags: bigint;
  readonly mxcsr: number;
}

function read(task: Task, at: bigint, length: number): DataView | null {
  const bytes = new Uint8Array(length);
  // Above 53 bits nothing is mapped.
  if (at >= 2n ** 53n || task.mm.copyIn(Number(at), bytes) !== length) return null;
  return new DataView(bytes.buffer);
}

function expectedOf(task: Task): Expected {
  const flags = task.regs.u64[Reg.rflags] as bigint;
  const frame = read(task, task.regs.u64[Reg.rsp] as bigint, Ucontext.size);
  if (frame === null) return { frame, flags, mxcsr: 0 };
  const cs = frame.getUint16(MC + Sigcontext.cs, true) | 3;
  const ss = frame.getUint16(MC + Sigcontext.ss, true) | 3;
  const isStrict = (frame.getUint32(Ucontext.flags, true) & UC_STRICT_RESTORE_SS) !== 0;
  const fpAt = frame.getBigUint64(MC + Sigcontext.fpstate, true);
  const fpu = fpAt === 0n ? null : read(task, fpAt, FpState.size);
  const mxcsr = fpu === null ? 0x1f80 : fpu.getUint32(FpState.mxcsr, true);
  const isGood =
    (fpAt === 0n || fpu !== null) && (mxcsr & ~MXCSR_BITS) === 0 && cs === 0x33 && (!isStrict || ss === 0x2b);
  return { frame: isGood ? frame : null, flags, mxcsr };
}

/** Looks at each child before and after it comes back from its handler. */
class FrameObserver extends InvariantObserver {
  /** Children that went on with their frame, and that did not. */
  restored = 0;
  refused = 0;
  readonly #expected = new Map<GuestContext, Expected>();

  override onCall(ctx: GuestContext, sysno: number, isPatchedCall: boolean): void {
    super.onCall(ctx, sysno, isPatchedCall);
    if (sysno === SIGRETURN) this.#expected.set(ctx, expectedOf(ctx as Task));
  }

  override onRun(ctx: GuestContext): void {
    super.onRun(ctx);
    const task = ctx as Task;
    this.#checkTask(task);
    this.#checkHandler(task);
    const expected = this.#expected.get(ctx);
    if (expected === undefined) return;
    this.#expected.delete(ctx);
    if (expected.frame === null) refuse('a child goes on with a frame that is none');
    this.restored++;
    this.#checkRestored(task, expected.frame, expected);
  }

  /** A child whose frame was refused does not run again. */
  end(): void {
    for (const { frame } of this.#expected.values()) {
      if (frame !== null) refuse('a child does not go on with its frame');
      this.refused++;
    }
  }

  #checkTask(task: Task): void {
    const flags = task.regs.u64[Reg.rflags] as bigint;
    if ((flags & ~USER_FLAGS) !== 0n || (flags & IF) === 0n) refuse(`the flags are ${flags.toString(16)}`);
    if ((task.mask & UNBLOCKABLE) !== 0n) refuse('SIGKILL or SIGSTOP is blocked');
    const { sp, size, flags: mode } = task.altStack;
    const isMode = (mode & 0x7fff_ffff) <= 2 && typeof sp === 'bigint';
    if (!isMode || !(size === 0 || size >= 2048)) refuse(`the other stack is ${sp} ${size} ${mode}`);
  }

  /** Where a handler begins its frame is whole. */
  #checkHandler(task: Task): void {
    const { regs } = task;
    const isHandler = regs.get(Reg.rip) === Number(task.group.actions.get(10).handler) && regs.get(Reg.rdi) === 10;
    if (!isHandler || regs.u64[Reg.rdx] !== (regs.u64[Reg.rsp] as bigint) + BigInt(RtSigframe.ucontext)) return;
    const frame = read(task, regs.u64[Reg.rsp] as bigint, RtSigframe.size);
    const fpAt = frame?.getBigUint64(RtSigframe.ucontext + MC + Sigcontext.fpstate, true) ?? 0n;
    if (read(task, fpAt, FpState.size)?.getUint16(FpState.fcw, true) !== 0x37f) refuse('a handler has no frame');
  }

  #checkRestored(task: Task, frame: DataView, { flags, mxcsr }: Expected): void {
    for (const [at, reg] of FRAME_REGS) {
      const now = task.regs.u64[reg] as bigint;
      if (now !== frame.getBigUint64(MC + at, true)) refuse(`register ${reg} is ${now.toString(16)}`);
    }
    const wanted = (flags & ~CHANGEABLE) | (frame.getBigUint64(MC + Sigcontext.rflags, true) & CHANGEABLE);
    const now = task.regs.u64[Reg.rflags] as bigint;
    if (now !== wanted) refuse(`the flags are ${now.toString(16)}, not ${wanted.toString(16)}`);
    const view = new DataView(task.fpu.buffer, task.fpu.byteOffset);
    if (view.getUint32(FpState.mxcsr, true) !== mxcsr) refuse(`mxcsr is ${view.getUint32(FpState.mxcsr, true)}`);
    const mask = frame.getBigUint64(Ucontext.sigmask, true) & ~UNBLOCKABLE;
    if (task.mask !== mask) refuse(`the mask is ${task.mask.toString(16)}`);
  }
}

export interface FrameSearch {
  readonly restored: number;
  readonly refused: number;
  readonly failure: string | undefined;
}

/** Runs programs of {@link CHILDREN} children each. */
export async function searchFrames(patch: PatchMode, seed: number, programs: number): Promise<FrameSearch> {
  let restored = 0;
  let refused = 0;
  const property = fc.asyncProperty(spoils, async (plan) => {
    const observer = new FrameObserver();
    const { result } = await runCode(program(plan), { patch, observer, maxInstructions: 2_000_000 });
    observer.end();
    if (!('code' in result.exit) || result.exit.code !== PARENT_STATUS)
      refuse(`the parent ended with ${JSON.stringify(result.exit)}`);
    restored += observer.restored;
    refused += observer.refused;
  });
  const result = await fc.check(property, { seed, numRuns: programs, endOnFailure: true });
  return { restored, refused, failure: result.failed ? String(result.errorInstance) : undefined };
}
