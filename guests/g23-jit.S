# SPDX-License-Identifier: MIT
#
# A just-in-time compiler: the guest writes a site into a writable, executable page, calls it, writes another
# number over it, and calls it again. Not at the page's first bytes, where upstream patches nothing.

.include "lib/guest.inc"

.globl _start
_start:
    xor %edi, %edi
    mov $4096, %esi
    mov $7, %edx
    mov $0x22, %r10d
    mov $-1, %r8
    xor %r9d, %r9d
    mov $SYS_mmap, %eax
    syscall
    lea 64(%rax), %rbp
    mov $5, %ebx
again:
    movabs $0xc3050f00000027b8, %rcx
    mov %rcx, (%rbp)
    call *%rbp
    call *%rbp
    cmp $0, %eax
    jg 2f
    finish 1
2:  movabs $0xc3050f00000018b8, %rcx
    mov %rcx, (%rbp)
    call *%rbp
    expect_equal 2, $0, %eax
    call *%rbp
    expect_equal 3, $0, %eax
    dec %ebx
    jnz again
    finish 0
