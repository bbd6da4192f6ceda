# SPDX-License-Identifier: MIT
#
# Unmaps the low addresses where a patcher keeps its table, which natively hold nothing, and goes on making calls.

.include "lib/guest.inc"

.globl _start
_start:
    call site
    mov %eax, %r12d
    call site
    expect_equal 1, %r12d, %eax
    mov $0x60000, %edi
    mov $0x10000, %esi
    mov $11, %ecx                   # munmap
    mov %ecx, %eax
    syscall
    expect_equal 2, $0, %rax
    mov $4, %ebx
again:
    call site
    expect_equal 3, %r12d, %eax
    dec %ebx
    jnz again
    finish 0

    .balign 64
site:
    mov $SYS_getpid, %eax
    syscall
    ret
