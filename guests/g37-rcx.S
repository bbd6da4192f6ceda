# SPDX-License-Identifier: MIT
#
# The hardware leaves the address after the syscall in rcx and the flags in r11; a program may rely on it.

.include "lib/guest.inc"

.globl _start
_start:
    mov $4, %ebx
again:
    xor %ecx, %ecx
    xor %r11d, %r11d
    stc
    mov $SYS_getpid, %eax
    syscall
after:
    lea after(%rip), %rdx
    expect_equal 1, %rdx, %rcx
    test $1, %r11b
    jnz 2f
    finish 2
2:  dec %ebx
    jnz again
    finish 0
