# SPDX-License-Identifier: MIT
#
# `movl $0x10,-0x48(%rsp); syscall` (c7 44 24 b8 10 00 00 00 0f 05): the displacement b8 and the constant look
# like `mov $16,%eax`. The bytes are those of a C library's ioctl, gVisor issue 10849. A patcher that does not
# find the true start of the instruction turns it into a store over the return address.

.include "lib/guest.inc"

.globl _start
_start:
    mov $4, %ebx
again:
    call false_site
    # EBADF for descriptor -1.
    expect_equal 1, $-9, %rax
    dec %ebx
    jnz again
    finish 0

    .balign 64
false_site:
    mov $-1, %edi
    mov $SYS_ioctl, %ecx
    mov %ecx, %eax
    .byte 0xc7, 0x44, 0x24, 0xb8, 0x10, 0x00, 0x00, 0x00, 0x0f, 0x05
    cmpl $0x10, -0x48(%rsp)
    je 1f
    finish 2
1:  ret
