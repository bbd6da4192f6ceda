# SPDX-License-Identifier: MIT
#
# Maps memory of its own over the low addresses where a patcher keeps its table, and goes on making calls. The mapping
# stays what it is.

.include "lib/guest.inc"

.globl _start
_start:
    call site
    mov %eax, %r12d
    call site
    expect_equal 1, %r12d, %eax
    mov $0x60000, %edi
    mov $0x10000, %esi
    mov $3, %edx
    mov $0x32, %r10d                # private, anonymous, fixed
    mov $-1, %r8
    xor %r9d, %r9d
    mov $SYS_mmap, %ecx
    mov %ecx, %eax
    syscall
    expect_equal 2, $0x60000, %rax
    mov $4, %ebx
again:
    call site
    expect_equal 3, %r12d, %eax
    call other_site
    expect_equal 4, %r12d, %eax
    dec %ebx
    jnz again
    mov $0x60000, %edi
    mov $0x2000, %ecx
    xor %eax, %eax
    repe scasq
    je 2f
    finish 5
2:  finish 0

    .balign 64
site:
    mov $SYS_getpid, %eax
    syscall
    ret

    .balign 64
other_site:
    mov $SYS_getpid, %eax
    syscall
    ret
