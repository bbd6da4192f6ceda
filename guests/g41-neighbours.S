# SPDX-License-Identifier: MIT
#
# Sites with little room around them: two syscalls in a row, a syscall that is the first instruction of a function, and
# a loop that jumps back to right behind one.

.include "lib/guest.inc"

.globl _start
_start:
    mov $SYS_getpid, %ecx
    mov %ecx, %eax
    syscall
    mov %eax, %r12d
    mov $8, %ebx
again:
    # sched_yield gives 0, which is read's number: read(-1) gives EBADF.
    mov $-1, %edi
    call double_syscall
    expect_equal 1, $-9, %rax
    mov $SYS_getpid, %eax
    call bare_syscall
    expect_equal 2, %r12d, %eax
    call loop_behind
    expect_equal 3, $5, %rdx
    expect_equal 4, %r12d, %eax
    dec %ebx
    jnz again
    finish 0

    .balign 64
double_syscall:
    .byte 0xb8, 0x18, 0x00, 0x00, 0x00, 0x0f, 0x05, 0x0f, 0x05
    ret

    .balign 64
bare_syscall:
    syscall
    ret

    .balign 64
loop_behind:
    xor %edx, %edx
    mov $SYS_getpid, %eax
    syscall
1:  inc %edx
    cmp $5, %edx
    jne 1b
    ret
