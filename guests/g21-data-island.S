# SPDX-License-Identifier: MIT
#
# The bytes of a site lie between instructions as a constant that is read and never executed; they stay as they are.

.include "lib/guest.inc"

.globl _start
_start:
    mov $10, %ebx
again:
    mov $SYS_getpid, %eax
    syscall
    jmp over
island:
    .byte 0xb8, 0x27, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xc3
over:
    movabs $0xc3050f00000027b8, %rcx
    expect_equal 1, %rcx, island(%rip)
    dec %ebx
    jnz again
    finish 0
