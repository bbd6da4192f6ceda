# SPDX-License-Identifier: MIT
#
# Uses AVX without asking CPUID whether it is there.

.include "lib/guest.inc"

.globl _start
_start:
    vpxor %ymm0, %ymm0, %ymm0
    finish 0
