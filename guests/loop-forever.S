# SPDX-License-Identifier: MIT
#
# Never ends by itself.

.globl _start
_start:
    jmp _start
