# SPDX-License-Identifier: MIT
#
# Executes the byte 06, which usertrap uses as its guard, where no site is: SIGILL.

.globl _start
_start:
    .byte 0x06
