# SPDX-License-Identifier: MIT
#
# Reads its own code, and where that has become a jump through a table, jumps there itself, with another number in eax
# and arguments of its own: the slot makes its own call and no other, and comes back behind its site.

.include "lib/guest.inc"

.globl _start
_start:
    call site
    mov %eax, %r12d
    mov $4, %ebx
again:
    call site
    expect_equal 1, %r12d, %eax
    lea site(%rip), %rsi
    cmpw $0x24ff, (%rsi)
    jne unpatched
    mov 3(%rsi), %ecx               # the slot
    mov (%rcx), %rdx                # its code
    mov $SYS_exit_group, %eax
    mov $9, %edi
    call *%rdx
    expect_equal 2, %r12d, %eax
unpatched:
    dec %ebx
    jnz again
    finish 0

    .balign 64
site:
    mov $SYS_getpid, %eax
    syscall
    ret
