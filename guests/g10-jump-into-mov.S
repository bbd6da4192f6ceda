# SPDX-License-Identifier: MIT
#
# Jumps to the four bytes behind the opcode of a mov whose constant is four nops: 90909090 is no call, so from the front
# the site gives ENOSYS, and from within it makes whatever call is in eax. A patched site has an address there.

.include "lib/guest.inc"

.globl _start
_start:
    call site                       # never served by anybody: -ENOSYS
    expect_equal 1, $-38, %rax
    call site
    expect_equal 2, $-38, %rax
    mov $1, %ebx
again:
    xor %esi, %esi
    lea site(%rip), %rdx
    add %rbx, %rdx
    mov $SYS_sched_yield, %ecx
    mov %ecx, %eax
    call *%rdx
    expect_equal 3, $0, %rax
    inc %ebx
    cmp $5, %ebx
    jne again
    finish 0

    .balign 64
site:
    .byte 0xb8, 0x90, 0x90, 0x90, 0x90, 0x0f, 0x05
    ret
