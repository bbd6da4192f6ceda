# SPDX-License-Identifier: MIT
#
# The last five bytes of `movabs $imm64,%rbx` look like `mov $39,%eax` (48 bb .. .. .. b8 27 00 00 00 0f 05). A patcher
# that takes them for one loads bytes of its jump into rbx; the call itself succeeds.

.include "lib/guest.inc"

.globl _start
_start:
    mov $4, %ebp
again:
    mov $SYS_getpid, %ecx
    mov %ecx, %eax
    .byte 0x48, 0xbb, 0x01, 0x02, 0x03, 0xb8, 0x27, 0x00, 0x00, 0x00, 0x0f, 0x05
    cmp $0, %eax
    jg 2f
    finish 2
2:  movabs $0x27b8030201, %rdx
    expect_equal 1, %rdx, %rbx
    dec %ebp
    jnz again
    finish 0
