# SPDX-License-Identifier: MIT
#
# Executes itself without any environment: what a patcher needs of one is gone, and the calls are the same.

.include "lib/guest.inc"

.globl _start
_start:
    call site
    mov %eax, %r12d
    mov $20, %ebx
again:
    call site
    expect_equal 1, %r12d, %eax
    dec %ebx
    jnz again
    cmpq $2, (%rsp)                 # arguments
    je second
    lea path(%rip), %rdi
    lea arguments(%rip), %rsi
    lea arguments+16(%rip), %rdx    # the zero behind them: no environment
    mov $59, %eax                   # execve
    syscall
    finish 2
second:
    # argc, argv[0], argv[1], 0, and the environment.
    cmpq $0, 32(%rsp)
    je 1f
    finish 3
1:  finish 0

    .balign 64
site:
    mov $SYS_getpid, %eax
    syscall
    ret

.data
path:
    .asciz "/proc/self/exe"
    .balign 8
arguments:
    .quad path, path, 0
