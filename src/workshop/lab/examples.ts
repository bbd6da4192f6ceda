// SPDX-License-Identifier: MIT
//
// Programs that the program laboratory offers to begin with. Those that are marked were recorded in every mode, so that
// they can be tried without a server.

export interface ExampleProgram {
  readonly id: string;
  readonly source: string;
  readonly isRecorded: boolean;
}

const THREE_CALLS = `# Three getpid from one site.
_start: mov $3,%ebx
again:  mov $39,%eax
        syscall
        dec %ebx
        jnz again
        mov $231,%eax   # exit_group
        xor %edi,%edi
        syscall
`;

const HELLO = `# Writes a line, and ends.
_start: mov $1,%eax     # write
        mov $1,%edi
        lea text(%rip),%rsi
        mov $end-text,%edx
        syscall
        mov $231,%eax   # exit_group
        xor %edi,%edi
        syscall
text:   .ascii "hello from the lab\\n"
end:
`;

const SHARED_TAIL = `# getpid, and sched_yield, which
# gives 0, share one syscall. The
# status is the last one's result.
_start: mov $2,%ebx
again:  mov $39,%eax
tail:   syscall
        dec %ebx
        js end
        jnz again
        mov $24,%eax
        jmp tail
end:    mov %eax,%edi
        mov $231,%ecx
        mov %ecx,%eax
        syscall
`;

const OWN_CHANGE = `# Changes the number of its own
# call; the status is 0 when that
# was getuid.
_start: mov $2,%ebx
number: mov $39,%eax
        syscall
# getuid from now on:
        movb $102,number+1(%rip)
        dec %ebx
        jnz number
        mov %eax,%edi
        sub $1000,%edi  # the id here
        mov $231,%ecx
        mov %ecx,%eax
        syscall
`;

const FOR_EVER = `# A limit ends it.
_start: mov $39,%eax
        syscall
        jmp _start
`;

export const EXAMPLES: readonly ExampleProgram[] = [
  { id: 'three-calls', source: THREE_CALLS, isRecorded: true },
  { id: 'shared-tail', source: SHARED_TAIL, isRecorded: true },
  { id: 'hello', source: HELLO, isRecorded: false },
  { id: 'own-change', source: OWN_CHANGE, isRecorded: false },
  { id: 'for-ever', source: FOR_EVER, isRecorded: false },
];

/** Guests that come with Trapline and are short enough to be looked at. */
export const EXAMPLE_GUESTS: readonly string[] = [
  'lesson-getpid',
  'lesson-int3',
  'g01-baseline',
  'g06-shared-tail',
  'g07-rex-r8d',
  'g08-false-mov',
  'g09-movabs-tail',
  'g12-line-split',
  'g13-page-split',
  'g22-desync',
  'g23-jit',
  'g37-rcx',
];
