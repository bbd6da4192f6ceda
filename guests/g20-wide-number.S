# SPDX-License-Identifier: MIT
#
# Of the number in rax only the low 32 bits count, as on Linux.

.include "lib/guest.inc"

.globl _start
_start:
    mov $SYS_getpid, %ecx
    mov %ecx, %eax
    syscall
    mov %rax, %r12
    movabs $0xdeadbeef00000027, %rax
    syscall
    expect_equal 1, %r12, %rax
    finish 0
