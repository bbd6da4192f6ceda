# SPDX-License-Identifier: MIT
#
# Jumps to an address that no x86-64 with 48-bit addresses has: SIGSEGV.

.globl _start
_start:
    movabs $0x8000000000000000, %rax
    jmp *%rax
