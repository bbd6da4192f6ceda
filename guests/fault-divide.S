# SPDX-License-Identifier: MIT
#
# Divides by zero: SIGFPE.

.globl _start
_start:
    xor %ecx, %ecx
    mov $1, %eax
    cltd
    idiv %ecx
