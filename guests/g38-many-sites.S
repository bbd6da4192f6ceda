# SPDX-License-Identifier: MIT
#
# More sites than the trap table has slots: 260 of them, each called three times.

.include "lib/guest.inc"

.globl _start
_start:
    mov $SYS_getpid, %ecx
    mov %ecx, %eax
    syscall
    mov %eax, %r12d
    mov $3, %ebx
again:
    lea sites(%rip), %r13
    mov $260, %ebp
next:
    call *%r13
    expect_equal 1, %r12d, %eax
    add $8, %r13
    dec %ebp
    jnz next
    dec %ebx
    jnz again
    finish 0

    .balign 64
sites:
.rept 260
    .byte 0xb8, 0x27, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xc3
.endr
