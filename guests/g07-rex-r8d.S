# SPDX-License-Identifier: MIT
#
# `mov $39,%eax; mov $39,%r8d; syscall`: the last seven bytes look like the site of getpid, but their mov belongs
# to a REX prefix and sets r8. Once patched the prefix sits before a jump and r8 stays stale.

.include "lib/guest.inc"

.globl _start
_start:
    mov $4, %ebx
again:
    mov $0x5555, %r8d
    call site
    expect_equal 1, $SYS_getpid, %r8
    dec %ebx
    jnz again
    finish 0

    .balign 64
site:
    .byte 0xb8, 0x27, 0x00, 0x00, 0x00
    .byte 0x41, 0xb8, 0x27, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xc3
