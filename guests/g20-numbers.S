# SPDX-License-Identifier: MIT
#
# Numbers that no call has give ENOSYS, also when their sites are executed again.

.include "lib/guest.inc"

.globl _start
_start:
    mov $3, %ebx
again:
    mov $1000, %eax
    syscall
    expect_equal 1, $-38, %rax
    mov $-1, %eax
    syscall
    expect_equal 2, $-38, %rax
    dec %ebx
    jnz again
    finish 0
