# SPDX-License-Identifier: MIT
#
# A jump over the byte e8 hides the site from a disassembler that goes straight through: it sees a call.

.include "lib/guest.inc"

.globl _start
_start:
    mov $SYS_getpid, %ecx
    mov %ecx, %eax
    syscall
    mov %eax, %r12d
    mov $10, %ebx
again:
    .byte 0xeb, 0x01, 0xe8
    mov $SYS_getpid, %eax
    syscall
    expect_equal 1, %r12d, %eax
    dec %ebx
    jnz again
    finish 0
