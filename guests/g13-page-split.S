# SPDX-License-Identifier: MIT
#
# A site whose syscall instruction crosses a page boundary: 0f is the last byte of one page, 05 the first of the next.

.include "lib/guest.inc"

.globl _start
_start:
    mov $SYS_getpid, %ecx
    mov %ecx, %eax
    syscall
    mov %eax, %r12d
    mov $10, %ebx
again:
    call split
    expect_equal 1, %r12d, %eax
    dec %ebx
    jnz again
    finish 0

    .balign 4096
    .skip 4096 - 6, 0x90
split:
    mov $SYS_getpid, %eax
    syscall
    ret
