# SPDX-License-Identifier: MIT
#
# A job of a shell that tells whether it has the terminal, at first and when it has been stopped or that changes, new sizes
# of the terminal, and its end.
import os, signal, sys, time


def say(text):
    print(text, flush=True)


def resized(_signal, _frame):
    columns, rows = os.get_terminal_size(0)
    say(f"now {rows} x {columns}")


def continued(_signal, _frame):
    global was
    was = None


was = None
signal.signal(signal.SIGWINCH, resized)
signal.signal(signal.SIGCONT, continued)
try:
    while True:
        now = os.tcgetpgrp(0) == os.getpgrp()
        if now != was:
            say("in front" if now else "in back")
        was = now
        time.sleep(0.05)
except KeyboardInterrupt:
    say("broken off")
    sys.exit(9)
