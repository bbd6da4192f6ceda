# SPDX-License-Identifier: MIT
#
# Calls getpid 100,000 times from one site of the exact form that is patched, and wants one answer from all calls.

.include "lib/guest.inc"

.globl _start
_start:
    mov $100000, %ebx
    xor %r12d, %r12d
again:
    mov $SYS_getpid, %eax
    syscall
    test %r12d, %r12d
    cmove %eax, %r12d
    expect_equal 1, %r12d, %eax
    dec %ebx
    jnz again
    expect_equal 2, $0, %ebx
    finish 0
