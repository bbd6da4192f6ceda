# SPDX-License-Identifier: MIT
#
# `mov 8(%rsp),%rax; syscall` (48 8b 44 24 08 0f 05), as Go's runtime makes its calls: the number comes from the stack.

.include "lib/guest.inc"

.globl _start
_start:
    mov $SYS_getpid, %eax
    syscall
    mov %eax, %r12d
    mov $50, %ebx
again:
    push $SYS_getpid
    call raw_syscall
    pop %rcx
    expect_equal 1, %r12d, %eax
    push $SYS_sched_yield
    call raw_syscall
    pop %rcx
    expect_equal 2, $0, %eax
    dec %ebx
    jnz again
    finish 0

    .balign 64
raw_syscall:
    .byte 0x48, 0x8b, 0x44, 0x24, 0x08, 0x0f, 0x05
    ret
