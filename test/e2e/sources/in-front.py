# SPDX-License-Identifier: MIT
#
# A program at a terminal with an erase key of its own: it says how large the terminal is, says so again at each of two
# new sizes, and only then reads lines.
import os, signal, sys, termios

settings = termios.tcgetattr(0)
settings[6][termios.VERASE] = b"@"
termios.tcsetattr(0, termios.TCSANOW, settings)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})
for sizes in range(3):
    if sizes > 0:
        signal.sigwait({signal.SIGWINCH})
    columns, rows = os.get_terminal_size(0)
    print("size", rows, "x", columns, flush=True)
for line in sys.stdin:
    print("line:", line.rstrip("\n"), flush=True)
