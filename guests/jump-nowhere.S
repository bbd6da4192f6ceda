# SPDX-License-Identifier: MIT
#
# Jumps to an address where nothing is mapped: SIGSEGV.

.globl _start
_start:
    movabs $0x123456789000, %rax
    jmp *%rax
