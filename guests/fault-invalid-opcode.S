# SPDX-License-Identifier: MIT
#
# Executes ud2: SIGILL.

.globl _start
_start:
    ud2
