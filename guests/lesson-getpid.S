# SPDX-License-Identifier: MIT
#
# For the lessons of the workshop: three calls of getpid from one site, all of which must give the same number.

# The symbol table names this instead of the assembler's temporary file, so that a rebuilt guest is the same.
.file "lesson-getpid.S"

.include "lib/guest.inc"

.globl _start
_start:
    mov $3, %ebx
    xor %r12d, %r12d
again:
    call site
    test %r12d, %r12d
    cmovz %eax, %r12d
    expect_equal 1, %r12d, %eax
    dec %ebx
    jnz again
    finish 0

    .balign 64
site:
    mov $SYS_getpid, %eax
    syscall
    ret
