# SPDX-License-Identifier: MIT
#
# Vector and x87 registers live across calls: xmm0 and xmm15, the x87 stack, and both control words.

.include "lib/guest.inc"

.globl _start
_start:
    movups pattern(%rip), %xmm0
    movups pattern+16(%rip), %xmm7
    movups pattern+32(%rip), %xmm15
    fldpi
    fld1
    ldmxcsr mxcsr(%rip)
    fldcw control(%rip)
    mov $6, %ebx
again:
    mov $SYS_getpid, %eax
    syscall
    movups %xmm0, found(%rip)
    movups %xmm7, found+16(%rip)
    movups %xmm15, found+32(%rip)
    stmxcsr found+48(%rip)
    fnstcw found+52(%rip)
    lea pattern(%rip), %rsi
    lea found(%rip), %rdi
    mov $54, %ecx
    repe cmpsb
    je 2f
    finish 1
2:  dec %ebx
    jnz again
    fldpi
    fxch %st(2)
    fcomip %st(2), %st
    je 3f
    finish 2
3:  finish 0

.data
    .balign 16
pattern:
    .quad 0x0123456789abcdef, 0xfedcba9876543210
    .quad 0x1111111122222222, 0x3333333344444444
    .quad 0x5555555566666666, 0x7777777788888888
mxcsr:
    .long 0x5f80
control:
    .word 0x0b7f
    .balign 16
found:
    .skip 64
