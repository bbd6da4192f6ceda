# SPDX-License-Identifier: MIT
#
# Two paths share one syscall instruction: after the first has been patched, the second enters it behind the mov.
#   A: mov $39,%eax        B: mov $24,%eax
#   S: syscall; ret           jmp S
# getpid gives a positive number, sched_yield 0. A patcher that takes the tail for A's alone calls getpid for B.

.include "lib/guest.inc"

.globl _start
_start:
    mov $4, %ebx
again:
    call path_a
    cmp $0, %eax
    jg 2f
    finish 1
2:  call path_b
    expect_equal 2, $0, %eax
    dec %ebx
    jnz again
    finish 0

    .balign 64
path_a:
    .byte 0xb8, 0x27, 0x00, 0x00, 0x00
shared:
    .byte 0x0f, 0x05, 0xc3
path_b:
    .byte 0xb8, 0x18, 0x00, 0x00, 0x00
    jmp shared
