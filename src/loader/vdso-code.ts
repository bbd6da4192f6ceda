// SPDX-License-Identifier: MIT
//
// The vDSO's functions: they tell the time without a call of the kernel, from the time stamp counter, which on this
// machine is CLOCK_MONOTONIC itself, and from the page before the image, which holds what the clock started with.
// Models Linux's lib/vdso/gettimeofday.c and arch/x86/entry/vdso/vgetcpu.c. Assembled by hand; a test disassembles it.

import { codeLine as line, linkCode, type CodeLine, type LinkedCode } from '../isa/machine-code.ts';

/** Layout of the page of data. */
export const VvarLayout = {
  /** 1 when the counter tells the time; with 0 every function asks the kernel. */
  mode: 0,
  /** CLOCK_REALTIME when the counter was 0: seconds and nanoseconds. */
  seconds: 8,
  nanoseconds: 16,
} as const;

const CLOCK_GETTIME: readonly CodeLine[] = [
  line('8b 05', 'mov mode(%rip),%eax', { label: 'clock_gettime', jump: { to: 'mode', size: 4 } }),
  line('85 c0', 'test %eax,%eax'),
  line('74', 'je', { jump: { to: 'gettime-call', size: 1 } }),
  line('83 ff 0b', 'cmp $0xb,%edi'),
  line('77', 'ja', { jump: { to: 'gettime-call', size: 1 } }),
  line('b8 d2 00 00 00', 'mov $0xd2,%eax'),
  line('0f a3 f8', 'bt %edi,%eax'),
  line('72', 'jb', { jump: { to: 'mono', size: 1 } }),
  line('b8 21 08 00 00', 'mov $0x821,%eax'),
  line('0f a3 f8', 'bt %edi,%eax'),
  line('73', 'jae', { jump: { to: 'gettime-call', size: 1 } }),
  line('4c 8b 05', 'mov nsec(%rip),%r8', { jump: { to: 'nsec', size: 4 } }),
  line('4c 8b 0d', 'mov sec(%rip),%r9', { jump: { to: 'sec', size: 4 } }),
  line('eb', 'jmp', { jump: { to: 'go', size: 1 } }),
  line('45 31 c0', 'xor %r8d,%r8d', { label: 'mono' }),
  line('45 31 c9', 'xor %r9d,%r9d'),
  line('0f 31', 'rdtsc', { label: 'go' }),
  line('48 c1 e2 20', 'shl $0x20,%rdx'),
  line('48 09 d0', 'or %rdx,%rax'),
  line('4c 01 c0', 'add %r8,%rax'),
  line('31 d2', 'xor %edx,%edx'),
  line('b9 00 ca 9a 3b', 'mov $0x3b9aca00,%ecx'),
  line('48 f7 f1', 'div %rcx'),
  line('4c 01 c8', 'add %r9,%rax'),
  line('48 89 06', 'mov %rax,(%rsi)'),
  line('48 89 56 08', 'mov %rdx,0x8(%rsi)'),
  line('31 c0', 'xor %eax,%eax'),
  line('c3', 'ret'),
  line('b8 e4 00 00 00', 'mov $0xe4,%eax', { label: 'gettime-call' }),
  line('0f 05', 'syscall'),
  line('c3', 'ret'),
];

const GETTIMEOFDAY: readonly CodeLine[] = [
  line('8b 05', 'mov mode(%rip),%eax', { label: 'gettimeofday', jump: { to: 'mode', size: 4 } }),
  line('85 c0', 'test %eax,%eax'),
  line('74', 'je', { jump: { to: 'timeofday-call', size: 1 } }),
  line('48 85 ff', 'test %rdi,%rdi'),
  line('74', 'je', { jump: { to: 'zone', size: 1 } }),
  line('0f 31', 'rdtsc'),
  line('48 c1 e2 20', 'shl $0x20,%rdx'),
  line('48 09 d0', 'or %rdx,%rax'),
  line('48 03 05', 'add nsec(%rip),%rax', { jump: { to: 'nsec', size: 4 } }),
  line('31 d2', 'xor %edx,%edx'),
  line('b9 00 ca 9a 3b', 'mov $0x3b9aca00,%ecx'),
  line('48 f7 f1', 'div %rcx'),
  line('48 03 05', 'add sec(%rip),%rax', { jump: { to: 'sec', size: 4 } }),
  line('48 89 07', 'mov %rax,(%rdi)'),
  line('89 d0', 'mov %edx,%eax'),
  line('31 d2', 'xor %edx,%edx'),
  line('b9 e8 03 00 00', 'mov $0x3e8,%ecx'),
  line('f7 f1', 'div %ecx'),
  line('48 89 47 08', 'mov %rax,0x8(%rdi)'),
  line('48 85 f6', 'test %rsi,%rsi', { label: 'zone' }),
  line('74', 'je', { jump: { to: 'zone-done', size: 1 } }),
  line('48 c7 06 00 00 00 00', 'movq $0x0,(%rsi)'),
  line('31 c0', 'xor %eax,%eax', { label: 'zone-done' }),
  line('c3', 'ret'),
  line('b8 60 00 00 00', 'mov $0x60,%eax', { label: 'timeofday-call' }),
  line('0f 05', 'syscall'),
  line('c3', 'ret'),
];

const TIME: readonly CodeLine[] = [
  line('8b 05', 'mov mode(%rip),%eax', { label: 'time', jump: { to: 'mode', size: 4 } }),
  line('85 c0', 'test %eax,%eax'),
  line('74', 'je', { jump: { to: 'time-call', size: 1 } }),
  line('0f 31', 'rdtsc'),
  line('48 c1 e2 20', 'shl $0x20,%rdx'),
  line('48 09 d0', 'or %rdx,%rax'),
  line('48 03 05', 'add nsec(%rip),%rax', { jump: { to: 'nsec', size: 4 } }),
  line('31 d2', 'xor %edx,%edx'),
  line('b9 00 ca 9a 3b', 'mov $0x3b9aca00,%ecx'),
  line('48 f7 f1', 'div %rcx'),
  line('48 03 05', 'add sec(%rip),%rax', { jump: { to: 'sec', size: 4 } }),
  line('48 85 ff', 'test %rdi,%rdi'),
  line('74', 'je', { jump: { to: 'time-done', size: 1 } }),
  line('48 89 07', 'mov %rax,(%rdi)'),
  line('c3', 'ret', { label: 'time-done' }),
  line('b8 c9 00 00 00', 'mov $0xc9,%eax', { label: 'time-call' }),
  line('0f 05', 'syscall'),
  line('c3', 'ret'),
];

const GETCPU: readonly CodeLine[] = [
  line('48 85 ff', 'test %rdi,%rdi', { label: 'getcpu' }),
  line('74', 'je', { jump: { to: 'node', size: 1 } }),
  line('c7 07 00 00 00 00', 'movl $0x0,(%rdi)'),
  line('48 85 f6', 'test %rsi,%rsi', { label: 'node' }),
  line('74', 'je', { jump: { to: 'cpu-done', size: 1 } }),
  line('c7 06 00 00 00 00', 'movl $0x0,(%rsi)'),
  line('31 c0', 'xor %eax,%eax', { label: 'cpu-done' }),
  line('c3', 'ret'),
];

const CLOCK_GETRES: readonly CodeLine[] = [
  line('83 ff 0b', 'cmp $0xb,%edi', { label: 'clock_getres' }),
  line('77', 'ja', { jump: { to: 'getres-call', size: 1 } }),
  line('ba 01 00 00 00', 'mov $0x1,%edx'),
  line('b8 93 08 00 00', 'mov $0x893,%eax'),
  line('0f a3 f8', 'bt %edi,%eax'),
  line('72', 'jb', { jump: { to: 'getres-store', size: 1 } }),
  line('ba 00 09 3d 00', 'mov $0x3d0900,%edx'),
  line('b8 60 00 00 00', 'mov $0x60,%eax'),
  line('0f a3 f8', 'bt %edi,%eax'),
  line('73', 'jae', { jump: { to: 'getres-call', size: 1 } }),
  line('48 85 f6', 'test %rsi,%rsi', { label: 'getres-store' }),
  line('74', 'je', { jump: { to: 'getres-done', size: 1 } }),
  line('48 c7 06 00 00 00 00', 'movq $0x0,(%rsi)'),
  line('48 89 56 08', 'mov %rdx,0x8(%rsi)'),
  line('31 c0', 'xor %eax,%eax', { label: 'getres-done' }),
  line('c3', 'ret'),
  line('b8 e5 00 00 00', 'mov $0xe5,%eax', { label: 'getres-call' }),
  line('0f 05', 'syscall'),
  line('c3', 'ret'),
];

/** A function and the names that it is exported by are the same but for `__vdso_`. */
export const VDSO_FUNCTIONS: readonly { readonly name: string; readonly lines: readonly CodeLine[] }[] = [
  { name: 'clock_gettime', lines: CLOCK_GETTIME },
  { name: 'gettimeofday', lines: GETTIMEOFDAY },
  { name: 'time', lines: TIME },
  { name: 'getcpu', lines: GETCPU },
  { name: 'clock_getres', lines: CLOCK_GETRES },
];

/** @param vvar where the page of data is, counted from the start of the code */
export function linkVdso(vvar: number): LinkedCode {
  return linkCode(
    VDSO_FUNCTIONS.flatMap((f) => f.lines),
    { mode: vvar + VvarLayout.mode, sec: vvar + VvarLayout.seconds, nsec: vvar + VvarLayout.nanoseconds },
  );
}
