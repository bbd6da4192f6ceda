# SPDX-License-Identifier: MIT
#
# A job of a shell that tells whether it has the terminal, at first and when it has been stopped or that changes, new sizes
# of the terminal, and its end. What it has told is true of its state already: it may be stopped, resized or interrupted at
# the very moment at which a line is out.
import os, signal, sys, time


def say(text):
    # Not through a buffered stream, which a handler must not enter while it is in use.
    os.write(1, f"{text}\n".encode())


def resized(_signal, _frame):
    columns, rows = os.get_terminal_size(0)
    say(f"now {rows} x {columns}")


def continued(_signal, _frame):
    global told
    told = None


told = None
signal.signal(signal.SIGWINCH, resized)
signal.signal(signal.SIGCONT, continued)
try:
    while True:
        now = os.tcgetpgrp(0) == os.getpgrp()
        if now != told:
            # Before the line: a stop right behind it would undo what `continued` does.
            told = now
            say("in front" if now else "in back")
        time.sleep(0.05)
except KeyboardInterrupt:
    say("broken off")
    sys.exit(9)
