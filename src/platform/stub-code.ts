// SPDX-License-Identifier: MIT
//
// The stub's machine code: the syshandler that a trampoline jumps to, which ends in a `syscall` inside the stub region
// (the gate) and goes back to the guest after it. Models gVisor sysmsg/syshandler_amd64.S and the C code that it
// calls (sighandler_amd64.c:353-372, sysmsg_lib.c:382-402). Assembled by hand; a test disassembles every line.

import { codeLine as line, linkCode, type CodeLine } from '../isa/machine-code.ts';
import { HEAD } from '../usertrap/versions.ts';
import type { UpstreamVersion } from '../usertrap/versions.ts';
import { BAD_THREAD_STATE, errorOffset, Msg, ThreadState, threadState } from './stub-layout.ts';

/** A stub code page and the addresses in it that matter, as offsets. */
export interface StubCode {
  readonly bytes: Uint8Array;
  readonly lines: readonly CodeLine[];
  /** Where instruction pointer and flow are after the gate's `syscall`. */
  readonly gateReturn: number;
  /** The first instruction after the FP state was loaded, where it had to be; -1 when the code loads none. */
  readonly fpuDone: number;
  /** Where an interrupted context is handed back, before its FP state was loaded; -1 when the code has none. */
  readonly handBack: number;
  /** After the `syscall` that does it. */
  readonly handedBack: number;
  /** After the `syscall` that reports a panic; -1 when the code has none. */
  readonly panicReturn: number;
}

const hex = (n: number): string => `0x${n.toString(16)}`;

/** A field of the stub thread's record whose offset depends on the version, as the last four bytes of an operand. */
const field = (offset: number): string => `${offset.toString(16).padStart(2, '0')} 00 00 00`;

function le32(value: number): string {
  return [0, 8, 16, 24].map((shift) => ((value >>> shift) & 0xff).toString(16).padStart(2, '0')).join(' ');
}

/** Sets the thread's state. */
function setState(state: number, version: UpstreamVersion): CodeLine {
  const value = threadState(state, version);
  const { stateOffset } = version;
  return line(`65 c7 04 25 ${field(stateOffset)} ${field(value)}`, `movl $${hex(value)},%gs:${hex(stateOffset)}`);
}

/** Loads the address of the context that the thread runs. */
function loadContext({ contextOffset }: UpstreamVersion, label?: string): CodeLine {
  const text = `mov %gs:${hex(contextOffset)},%rcx`;
  return line(`65 48 8b 0c 25 ${field(contextOffset)}`, text, label === undefined ? {} : { label });
}

const save = (version: UpstreamVersion): readonly CodeLine[] => [
  line('9c', 'pushf'),
  line('51', 'push %rcx'),
  loadContext(version),
  line('4c 89 b9 08 0e 00 00', 'mov %r15,0xe08(%rcx)'),
  line('4c 89 b1 10 0e 00 00', 'mov %r14,0xe10(%rcx)'),
  line('4c 89 a9 18 0e 00 00', 'mov %r13,0xe18(%rcx)'),
  line('4c 89 a1 20 0e 00 00', 'mov %r12,0xe20(%rcx)'),
  line('48 89 a9 28 0e 00 00', 'mov %rbp,0xe28(%rcx)'),
  line('48 89 99 30 0e 00 00', 'mov %rbx,0xe30(%rcx)'),
  line('4c 89 99 38 0e 00 00', 'mov %r11,0xe38(%rcx)'),
  line('4c 89 91 40 0e 00 00', 'mov %r10,0xe40(%rcx)'),
  line('4c 89 89 48 0e 00 00', 'mov %r9,0xe48(%rcx)'),
  line('4c 89 81 50 0e 00 00', 'mov %r8,0xe50(%rcx)'),
  line('48 89 91 68 0e 00 00', 'mov %rdx,0xe68(%rcx)'),
  line('48 89 b1 70 0e 00 00', 'mov %rsi,0xe70(%rcx)'),
  line('48 89 b9 78 0e 00 00', 'mov %rdi,0xe78(%rcx)'),
  line('48 89 81 80 0e 00 00', 'mov %rax,0xe80(%rcx)'), // orig_rax
  line('8f 81 60 0e 00 00', 'popq 0xe60(%rcx)'), // rcx
  line('8f 81 98 0e 00 00', 'popq 0xe98(%rcx)'), // flags
  line('65 48 8b 14 25 20 00 00 00', 'mov %gs:0x20,%rdx'),
  line('48 89 91 a0 0e 00 00', 'mov %rdx,0xea0(%rcx)'), // rsp
  line('65 48 8b 14 25 08 00 00 00', 'mov %gs:0x8,%rdx'),
  line('48 89 91 88 0e 00 00', 'mov %rdx,0xe88(%rcx)'), // rip
  line('8c 89 90 0e 00 00', 'mov %cs,0xe90(%rcx)'),
  line('8c 91 a8 0e 00 00', 'mov %ss,0xea8(%rcx)'),
  line('8c a1 d0 0e 00 00', 'mov %fs,0xed0(%rcx)'),
  line('8c a9 d8 0e 00 00', 'mov %gs,0xed8(%rcx)'),
  line('48 89 c6', 'mov %rax,%rsi'),
];

const SAVE_FPU_XSAVE: readonly CodeLine[] = [
  line('b8 e7 00 00 00', 'mov $0xe7,%eax'), // components: x87, SSE, AVX, AVX-512
  line('31 d2', 'xor %edx,%edx'),
  line('48 0f ae 31', 'xsaveopt64 (%rcx)'),
];
/**
 * The FXSAVE image without XSAVE.
 * DIVERGES: upstream executes fxsave, which costs an emulator 800 ns; the same image is written piece by piece, and the
 * x87 registers only when one is in use, as xsaveopt leaves out what is in its initial state.
 */
const SAVE_FPU_FXSAVE: readonly CodeLine[] = [
  line('d9 b1 c0 01 00 00', 'fnstenv 0x1c0(%rcx)'), // into the image's unused tail; masks all exceptions
  line('d9 a9 c0 01 00 00', 'fldcw 0x1c0(%rcx)'),
  line('66 83 b9 c8 01 00 00 ff', 'cmpw $0xffff,0x1c8(%rcx)'), // all x87 registers empty?
  line('0f 85', 'jne', { jump: { to: 'whole-fpu', size: 4 } }),
  line('8b 91 c0 01 00 00', 'mov 0x1c0(%rcx),%edx'), // control word
  line('66 89 11', 'mov %dx,(%rcx)'),
  line('8b 91 c4 01 00 00', 'mov 0x1c4(%rcx),%edx'), // status word
  line('66 89 51 02', 'mov %dx,2(%rcx)'),
  line('c6 41 04 00', 'movb $0,4(%rcx)'), // abridged tags: none in use
  line('0f ae 59 18', 'stmxcsr 0x18(%rcx)'),
  ...Array.from({ length: 16 }, (_, i) => {
    const offset = 0xa0 + 16 * i;
    const disp = [offset & 0xff, offset >> 8, 0, 0];
    const bytes = [...(i < 8 ? [] : [0x44]), 0x0f, 0x11, 0x81 | ((i & 7) << 3), ...disp];
    return { bytes, text: `movups %xmm${i},0x${offset.toString(16)}(%rcx)` };
  }),
  line('eb', 'jmp', { jump: { to: 'report', size: 1 } }),
  line('48 0f ae 01', 'fxsave64 (%rcx)', { label: 'whole-fpu' }),
];

const report = (version: UpstreamVersion): readonly CodeLine[] => [
  line(
    `65 83 3c 25 ${field(version.stateOffset)} 0${version.prep}`,
    `cmpl $${hex(version.prep)},%gs:${hex(version.stateOffset)}`,
    { label: 'report' },
  ),
  line('0f 85', 'jne', { jump: { to: 'panic', size: 4 } }),
  line('48 c7 81 60 0f 00 00 1f 00 00 00', 'movq $0x1f,0xf60(%rcx)'), // signo = SIGSYS
  line('48 c7 81 f0 0e 00 00 00 00 00 00', 'movq $0x0,0xef0(%rcx)'), // si_call_addr
  line('89 b1 f8 0e 00 00', 'mov %esi,0xef8(%rcx)'), // si_syscall
  line('48 c7 81 58 0e 00 00 da ff ff ff', 'movq $0xffffffffffffffda,0xe58(%rcx)'), // rax = -ENOSYS
  line('f3 48 0f ae c2', 'rdfsbase %rdx'),
  line('48 89 91 b0 0e 00 00', 'mov %rdx,0xeb0(%rcx)'),
  line('48 c7 81 00 0e 00 00 00 00 00 00', 'movq $0x0,0xe00(%rcx)'), // fpstate_changed
  line('c7 81 68 0f 00 00 03 00 00 00', 'movl $0x3,0xf68(%rcx)'), // context state SYSCALL_TRAP
  setState(ThreadState.asleep, version),
  line('0f 05', 'syscall', { label: 'gate' }),
];

const resume = (version: UpstreamVersion): readonly CodeLine[] => [
  loadContext(version, 'gate-return'),
  setState(ThreadState.none, version),
  line('83 b9 6c 0f 00 00 00', 'cmpl $0x0,0xf6c(%rcx)'), // interrupted while it waited?
  line('0f 85', 'jne', { jump: { to: 'hand-back', size: 4 } }),
  line('48 83 b9 00 0e 00 00 00', 'cmpq $0x0,0xe00(%rcx)'), // fpstate_changed
  line('74', 'je', { jump: { to: 'fpu-done', size: 1 } }),
];

const LOAD_FPU_XSAVE: readonly CodeLine[] = [
  line('b8 e7 00 00 00', 'mov $0xe7,%eax'),
  line('31 d2', 'xor %edx,%edx'),
  line('48 0f ae 29', 'xrstor64 (%rcx)'),
];
const LOAD_FPU_FXSAVE: readonly CodeLine[] = [line('48 0f ae 09', 'fxrstor64 (%rcx)')];

const RESTORE: readonly CodeLine[] = [
  line('f3 48 0f ae c0', 'rdfsbase %rax', { label: 'fpu-done' }),
  line('48 8b 91 b0 0e 00 00', 'mov 0xeb0(%rcx),%rdx'),
  line('48 39 c2', 'cmp %rax,%rdx'),
  line('74', 'je', { jump: { to: 'fs-done', size: 1 } }),
  line('f3 48 0f ae d2', 'wrfsbase %rdx'),
  line('ff b1 a0 0e 00 00', 'pushq 0xea0(%rcx)', { label: 'fs-done' }), // rsp
  line('ff b1 98 0e 00 00', 'pushq 0xe98(%rcx)'), // flags
  line('48 8b 81 88 0e 00 00', 'mov 0xe88(%rcx),%rax'),
  line('65 48 89 04 25 08 00 00 00', 'mov %rax,%gs:0x8'),
  line('4c 8b b9 08 0e 00 00', 'mov 0xe08(%rcx),%r15'),
  line('4c 8b b1 10 0e 00 00', 'mov 0xe10(%rcx),%r14'),
  line('4c 8b a9 18 0e 00 00', 'mov 0xe18(%rcx),%r13'),
  line('4c 8b a1 20 0e 00 00', 'mov 0xe20(%rcx),%r12'),
  line('48 8b a9 28 0e 00 00', 'mov 0xe28(%rcx),%rbp'),
  line('48 8b 99 30 0e 00 00', 'mov 0xe30(%rcx),%rbx'),
  line('4c 8b 99 38 0e 00 00', 'mov 0xe38(%rcx),%r11'),
  line('4c 8b 91 40 0e 00 00', 'mov 0xe40(%rcx),%r10'),
  line('4c 8b 89 48 0e 00 00', 'mov 0xe48(%rcx),%r9'),
  line('4c 8b 81 50 0e 00 00', 'mov 0xe50(%rcx),%r8'),
  line('48 8b 81 58 0e 00 00', 'mov 0xe58(%rcx),%rax'),
  line('48 8b 91 68 0e 00 00', 'mov 0xe68(%rcx),%rdx'),
  line('48 8b b1 70 0e 00 00', 'mov 0xe70(%rcx),%rsi'),
  line('48 8b b9 78 0e 00 00', 'mov 0xe78(%rcx),%rdi'),
  line('48 8b 89 60 0e 00 00', 'mov 0xe60(%rcx),%rcx'),
  line('9d', 'popf'),
  line('5c', 'pop %rsp'),
  line('65 ff 24 25 08 00 00 00', 'jmpq *%gs:0x8'),
];

/** The context goes back to the Sentry as if it had been interrupted in user code (SIG:172-192). */
const handBack = (version: UpstreamVersion): readonly CodeLine[] => [
  { ...setState(ThreadState.prep, version), label: 'hand-back' },
  line('c7 81 6c 0f 00 00 00 00 00 00', 'movl $0x0,0xf6c(%rcx)'),
  line('48 c7 81 60 0f 00 00 11 00 00 00', 'movq $0x11,0xf60(%rcx)'), // signo = SIGCHLD
  line('c7 81 e0 0e 00 00 11 00 00 00', 'movl $0x11,0xee0(%rcx)'),
  line('48 c7 81 80 0e 00 00 ff ff ff ff', 'movq $0xffffffffffffffff,0xe80(%rcx)'), // orig_rax
  line('c7 81 68 0f 00 00 02 00 00 00', 'movl $0x2,0xf68(%rcx)'), // context state FAULT
  setState(ThreadState.asleep, version),
  line('0f 05', 'syscall'),
  line('e9', 'jmp', { label: 'handed-back', jump: { to: 'gate-return', size: 4 } }),
];

/** Writes a field of the record that a panic leaves (MSGH panic). */
function note(offset: number, value: number, label?: string): CodeLine {
  const text = `movl $${hex(value)},%gs:${hex(offset)}`;
  return line(`65 c7 04 25 ${field(offset)} ${le32(value)}`, text, label === undefined ? {} : { label });
}

const panic = (version: UpstreamVersion): readonly CodeLine[] => [
  note(errorOffset(version), BAD_THREAD_STATE, 'panic'),
  ...(version.panicLine === 0 ? [] : [note(Msg.errAdditional, 0), note(Msg.errLine, version.panicLine)]),
  line('0f 05', 'syscall', { label: 'panic-gate' }),
  line('0f 0b', 'ud2', { label: 'panic-return' }), // a panic does not come back
];

/**
 * Hardened: the gate comes first, because nothing needs to be saved in guest memory.
 * DIVERGES: registers and FP state stay in the processor, where the Sentry reads them; upstream passes them through a
 * record that every thread of the guest can write.
 */
const HARDENED: readonly CodeLine[] = [
  line('0f 05', 'syscall', { label: 'gate' }),
  line('65 c7 04 25 2c 00 00 00 00 00 00 00', 'movl $0x0,%gs:0x2c', { label: 'gate-return' }), // NONE
  line('65 48 8b 24 25 20 00 00 00', 'mov %gs:0x20,%rsp'),
  line('65 ff 24 25 08 00 00 00', 'jmpq *%gs:0x8'),
];

function link(lines: readonly CodeLine[]): StubCode {
  const { bytes, labels } = linkCode(lines);
  const offset = (label: string): number => labels.get(label) ?? -1;
  return {
    bytes,
    lines,
    gateReturn: offset('gate-return'),
    fpuDone: offset('fpu-done'),
    handBack: offset('hand-back'),
    handedBack: offset('handed-back'),
    panicReturn: offset('panic-return'),
  };
}

/** gVisor's syshandler; with xsaveopt where the processor offers it, as upstream chooses. */
export function upstreamStubCode(hasXsave: boolean, version: UpstreamVersion = HEAD): StubCode {
  const saveFpu = hasXsave ? SAVE_FPU_XSAVE : SAVE_FPU_FXSAVE;
  const loadFpu = hasXsave ? LOAD_FPU_XSAVE : LOAD_FPU_FXSAVE;
  return link([
    ...save(version),
    ...saveFpu,
    ...report(version),
    ...resume(version),
    ...loadFpu,
    ...RESTORE,
    ...handBack(version),
    ...panic(version),
  ]);
}

export function hardenedStubCode(): StubCode {
  return link(HARDENED);
}
