# SPDX-License-Identifier: MIT
#
# Writes to its standard output for ever; ends with 1 when a write fails.

.include "lib/guest.inc"

.globl _start
_start:
    mov $1, %edi
    lea text(%rip), %rsi
    mov $4096, %edx
    mov $SYS_write, %eax
    syscall
    cmp $0, %rax
    jg _start
    finish 1

.section .rodata
text:
    .fill 4096, 1, 'w'
