# SPDX-License-Identifier: MIT
#
# Writes one line and ends.

.include "lib/guest.inc"

.globl _start
_start:
    mov $1, %edi
    lea text(%rip), %rsi
    mov $(text_end - text), %edx
    mov $SYS_write, %eax
    syscall
    expect_equal 1, $(text_end - text), %rax
    finish 0

.section .rodata
text:
    .ascii "hello from a guest\n"
text_end:
