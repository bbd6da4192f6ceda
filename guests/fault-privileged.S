# SPDX-License-Identifier: MIT
#
# Executes hlt, which only a kernel may: SIGSEGV.

.globl _start
_start:
    hlt
