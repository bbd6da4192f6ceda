# SPDX-License-Identifier: MIT
#
# Writes the address of a site (8 bytes) and its seven bytes, executes it twice, and writes the seven bytes again.

.include "lib/guest.inc"

.globl _start
_start:
    lea site(%rip), %rax
    mov %rax, address(%rip)
    lea address(%rip), %rsi
    mov $8, %edx
    call put
    lea site(%rip), %rsi
    mov $7, %edx
    call put
    call site
    mov %eax, %ebx
    call site
    expect_equal 1, %ebx, %eax
    lea site(%rip), %rsi
    mov $7, %edx
    call put
    finish 0

put:
    mov $1, %edi
    mov $SYS_write, %ecx
    mov %ecx, %eax
    syscall
    ret

    .balign 64
site:
    mov $SYS_getpid, %eax
    syscall
    ret

.bss
address: .skip 8
