# SPDX-License-Identifier: MIT
#
# The control case: a function of `mov $39,%eax; syscall; ret`, called until it must have been patched. All
# registers but rax, rcx and r11 keep their values, and so do the flags.

.include "lib/guest.inc"

.globl _start
_start:
    mov $8, %ebx
    mov $0x1111, %esi
    mov $0x2222, %r8d
    mov $0x3333, %r15
again:
    stc
    call site
    jc 2f
    finish 1
2:  test %r12d, %r12d
    cmovz %eax, %r12d
    expect_equal 2, %r12d, %eax
    expect_equal 3, $0x1111, %rsi
    expect_equal 4, $0x2222, %r8
    expect_equal 5, $0x3333, %r15
    dec %ebx
    jnz again
    finish 0

    .balign 64
site:
    .byte 0xb8, 0x27, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xc3
