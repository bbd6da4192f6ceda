# SPDX-License-Identifier: MIT
#
# A program that has a GS base of its own (wrgsbase) makes calls: its record stays as it is, and the calls are right.

.include "lib/guest.inc"

.globl _start
_start:
    mov $SYS_getpid, %eax
    syscall
    mov %eax, %r12d
    mov $4, %ebp
    lea record(%rip), %rbx
    wrgsbase %rbx
again:
    call site
    expect_equal 1, %r12d, %eax
    dec %ebp
    jnz again
    lea record(%rip), %rsi
    mov $32, %ecx
    xor %eax, %eax
1:  or (%rsi), %rax
    add $8, %rsi
    dec %ecx
    jnz 1b
    expect_equal 2, $0, %rax
    finish 0

    .balign 64
site:
    mov $SYS_getpid, %eax
    syscall
    ret

.bss
    .balign 4096
record:
    .skip 4096
