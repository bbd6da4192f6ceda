# SPDX-License-Identifier: MIT
#
# The number gets into rax by lea, pop, cmov and or: four calls that no site can serve, each made 50 times.

.include "lib/guest.inc"

.globl _start
_start:
    mov $SYS_getpid, %eax
    syscall
    mov %eax, %r12d
    mov $50, %ebx
again:
    xor %ecx, %ecx
    lea SYS_getpid(%rcx), %eax
    syscall
    expect_equal 1, %r12d, %eax
    push $SYS_getpid
    pop %rax
    syscall
    expect_equal 2, %r12d, %eax
    mov $SYS_getpid, %ecx
    xor %eax, %eax
    cmovz %ecx, %eax
    syscall
    expect_equal 3, %r12d, %eax
    xor %eax, %eax
    or $SYS_getpid, %eax
    syscall
    expect_equal 4, %r12d, %eax
    dec %ebx
    jnz again
    finish 0
