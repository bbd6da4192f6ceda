# SPDX-License-Identifier: MIT
#
# A signal returns through `mov $15,%rax; syscall` (48 c7 c0 0f 00 00 00 0f 05), the nine-byte form of C libraries'
# restorers: no site for a patcher that looks for `mov $number,%eax`. Each of 50 signals comes back.

.include "lib/guest.inc"

.globl _start
_start:
    mov $10, %edi                   # SIGUSR1
    lea action(%rip), %rsi
    xor %edx, %edx
    mov $8, %r10d
    mov $13, %eax                   # rt_sigaction
    syscall
    expect_equal 1, $0, %rax
    mov $SYS_getpid, %eax
    syscall
    mov %eax, %r12d
    mov $50, %ebx
again:
    mov %r12d, %edi
    mov $10, %esi
    mov $62, %eax                   # kill
    syscall
    expect_equal 2, $0, %rax
    dec %ebx
    jnz again
    expect_equal 3, $50, %r13d
    finish 0

handler:
    incl -8(%rsp)                   # the handler's own red zone
    ret

restorer:
    # r13 lives in the frame: 5 * 8 bytes of ucontext's head, then r8 to r15.
    incl 40 + 5*8(%rsp)
    .byte 0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05

    .balign 8
action:
    .quad handler, 0x04000000, restorer, 0
