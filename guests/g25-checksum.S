# SPDX-License-Identifier: MIT
#
# A program that sums up its own code before and after it has run. Whoever rewrites code in place changes the sum.

.include "lib/guest.inc"

.globl _start
_start:
    call checksum
    mov %eax, %r12d
    mov $10, %ebx
again:
    mov $SYS_getpid, %eax
    syscall
    dec %ebx
    jnz again
    call checksum
    expect_equal 1, %r12d, %eax
    finish 0

checksum:
    lea _start(%rip), %rsi
    lea code_end(%rip), %rdx
    xor %eax, %eax
1:  movzbl (%rsi), %ecx
    rol $5, %eax
    add %ecx, %eax
    inc %rsi
    cmp %rdx, %rsi
    jne 1b
    ret
code_end:
