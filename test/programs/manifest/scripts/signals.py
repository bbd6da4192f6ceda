# SPDX-License-Identifier: MIT
#
# The signal module: handlers, alarms, interval timers, masks, sigwait, wakeup descriptors, children, interrupted calls.

import os
import select
import signal
import time

log = []
note = lambda number, frame: log.append(signal.Signals(number).name)
for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGCHLD):
    signal.signal(number, note)

os.kill(os.getpid(), signal.SIGUSR1)
signal.raise_signal(signal.SIGUSR2)
print(log)
log.clear()

signal.setitimer(signal.ITIMER_REAL, 0.02, 0.01)
while len(log) < 5:
    signal.pause()
interval = signal.setitimer(signal.ITIMER_REAL, 0)[1]
print(log[:5], interval)
log.clear()

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGUSR2])
for number in (signal.SIGUSR2, signal.SIGUSR1, signal.SIGUSR1):
    os.kill(os.getpid(), number)
print("pending:", sorted(signal.Signals(n).name for n in signal.sigpending()), log)
print("taken:", signal.sigwait([signal.SIGUSR2]).name)
info = signal.sigwaitinfo([signal.SIGUSR1])
print("info:", info.si_signo == signal.SIGUSR1, info.si_pid == os.getpid(), info.si_uid == os.getuid())
print("nothing:", signal.sigtimedwait([signal.SIGUSR1], 0.01))
signal.pthread_sigmask(signal.SIG_SETMASK, [])
print(log)

read, write = os.pipe()
os.set_blocking(write, False)
signal.set_wakeup_fd(write)
os.kill(os.getpid(), signal.SIGUSR1)
print("woken by", list(os.read(read, 10)) == [signal.SIGUSR1])
signal.set_wakeup_fd(-1)
log.clear()

if os.fork() == 0:
    os._exit(3)
while "SIGCHLD" not in log:
    time.sleep(0.01)
print(log, os.wait()[1] >> 8)
log.clear()

# A sleep goes on after a handler; a handler that raises ends it.
signal.setitimer(signal.ITIMER_REAL, 0.01)
start = time.monotonic()
time.sleep(0.1)
print("slept on:", time.monotonic() - start >= 0.1, log)


class Interrupted(Exception):
    pass


def interrupt(number, frame):
    raise Interrupted


signal.signal(signal.SIGALRM, interrupt)
for call in (lambda: time.sleep(10), lambda: select.select([read], [], []), lambda: os.read(read, 1), signal.pause):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        call()
        print("never")
    except Interrupted:
        print("interrupted")

signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(100)
except KeyboardInterrupt:
    print("keyboard interrupt")
print(signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN, signal.strsignal(signal.SIGSEGV))
signal.signal(signal.SIGALRM, signal.SIG_DFL)
signal.alarm(1)
time.sleep(500)
print("never")
