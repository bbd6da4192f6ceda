# SPDX-License-Identifier: MIT
#
# The C library's read: `xor %eax,%eax; syscall` (31 c0 0f 05). It reads back through a pipe what was written.

.include "lib/guest.inc"

.globl _start
_start:
    lea ends(%rip), %rdi
    mov $SYS_pipe, %eax
    syscall
    expect_equal 1, $0, %rax
    mov $100, %ebx
again:
    mov ends+4(%rip), %edi
    lea counter(%rip), %rsi
    mov %ebx, (%rsi)
    mov $4, %edx
    mov $SYS_write, %eax
    syscall
    expect_equal 2, $4, %rax
    mov ends(%rip), %edi
    lea buffer(%rip), %rsi
    mov $4, %edx
    .byte 0x31, 0xc0, 0x0f, 0x05
    expect_equal 3, $4, %rax
    expect_equal 4, %ebx, buffer(%rip)
    dec %ebx
    jnz again
    finish 0

.bss
ends:    .skip 8
counter: .skip 4
buffer:  .skip 4
