# SPDX-License-Identifier: MIT
#
# Sites that the boundary of a 64-byte line splits, at each of the six places where it can.

.include "lib/guest.inc"

.globl _start
_start:
    mov $SYS_getpid, %ecx
    mov %ecx, %eax
    syscall
    mov %eax, %r12d
    mov $10, %ebx
again:
    call split_1
    expect_equal 1, %r12d, %eax
    call split_2
    expect_equal 2, %r12d, %eax
    call split_3
    expect_equal 3, %r12d, %eax
    call split_4
    expect_equal 4, %r12d, %eax
    call split_5
    expect_equal 5, %r12d, %eax
    call split_6
    expect_equal 6, %r12d, %eax
    dec %ebx
    jnz again
    finish 0

.macro split_site before
    .balign 64
    .skip 64 - \before, 0x90
split_\before:
    mov $SYS_getpid, %eax
    syscall
    ret
.endm
    split_site 1
    split_site 2
    split_site 3
    split_site 4
    split_site 5
    split_site 6
