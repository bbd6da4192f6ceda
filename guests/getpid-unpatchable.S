# SPDX-License-Identifier: MIT
#
# Calls getpid from sites that no patcher of `mov $imm32,%eax; syscall` may touch: the number comes by register,
# lea, pop, or, a load, or with the mov elsewhere. Every form must give the same answer, again and again.

.include "lib/guest.inc"

.macro check_form number
    cmp %r12, %rax
    je 1f
    finish \number
1:
.endm

.globl _start
_start:
    mov $SYS_getpid, %ecx
    mov %ecx, %eax
    syscall
    mov %rax, %r12
    mov $10000, %ebx
again:
    mov $SYS_getpid, %ecx
    mov %ecx, %eax
    syscall
    check_form 1
    lea SYS_getpid, %eax
    syscall
    check_form 2
    push $SYS_getpid
    pop %rax
    syscall
    check_form 3
    xor %eax, %eax
    or $SYS_getpid, %eax
    syscall
    check_form 4
    mov number(%rip), %eax
    syscall
    check_form 5
    mov $SYS_getpid, %eax
    nop
    syscall
    check_form 6
    # The 64-bit form, with an operand that ends in a zero byte where the exact form has its mov.
    .byte 0x48, 0xc7, 0xc0, 0x27, 0x00, 0x00, 0x00
    syscall
    check_form 7
    dec %ebx
    jnz again
    finish 0

.section .rodata
number:
    .long SYS_getpid
