# SPDX-License-Identifier: MIT
#
# A leaf function keeps a value in the 128 bytes below its stack pointer across a system call; they stay.

.include "lib/guest.inc"

.globl _start
_start:
    mov $10, %ebx
again:
    movq $0x1234, -8(%rsp)
    movq $0x5678, -64(%rsp)
    movq $0x9abc, -128(%rsp)
    mov $SYS_getpid, %eax
    syscall
    cmpq $0x1234, -8(%rsp)
    je 1f
    finish 1
1:
    cmpq $0x5678, -64(%rsp)
    je 1f
    finish 2
1:
    cmpq $0x9abc, -128(%rsp)
    je 1f
    finish 3
1:
    dec %ebx
    jnz again
    finish 0
