# SPDX-License-Identifier: MIT
#
# Processes by hand: fork, pipes, wait in all forms, shared memory, locks, orphans, exec, file locks.

import errno
import fcntl
import mmap
import os
import signal
import struct
import time


def child(work):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = work() or 0
        finally:
            os._exit(status)
    return pid


def status_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


print("plain:", status_of(child(lambda: 5)))
print("killed:", status_of(child(lambda: os.kill(os.getpid(), signal.SIGKILL))))

pids = [child(lambda n=n: n) for n in range(10)]
print("ten:", sorted(os.waitstatus_to_exitcode(os.wait()[1]) for _ in pids))
try:
    os.wait()
except ChildProcessError as error:
    print("nobody left:", errno.errorcode[error.errno])

shared = mmap.mmap(-1, 4096)
private = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def write_both():
    shared[:6] = b"shared"
    private[:7] = b"private"


status_of(child(write_both))
print("after the child:", shared[:6], private[:7])

read, write = os.pipe()


def ring_member(left, right):
    value = struct.unpack("i", os.read(left, 4))[0]
    os.write(right, struct.pack("i", value + 1))


pipes = [os.pipe() for _ in range(9)]
members = [child(lambda i=i: ring_member(pipes[i][0], pipes[i + 1][1])) for i in range(8)]
os.write(pipes[0][1], struct.pack("i", 100))
print("through eight:", struct.unpack("i", os.read(pipes[8][0], 4))[0])
print("members:", [status_of(pid) for pid in members])

info = os.waitid(os.P_PID, child(lambda: 9), os.WEXITED | os.WNOWAIT)
print("waitid:", info.si_status, info.si_code == os.CLD_EXITED, os.waitpid(info.si_pid, 0)[1] >> 8)
go_on = os.pipe()
stopped = child(lambda: os.kill(os.getpid(), signal.SIGSTOP) or len(os.read(go_on[0], 4)))
_, status = os.waitpid(stopped, os.WUNTRACED)
print("stopped:", os.WIFSTOPPED(status), os.WSTOPSIG(status) == signal.SIGSTOP)
os.kill(stopped, signal.SIGCONT)
print("continued:", os.WIFCONTINUED(os.waitpid(stopped, os.WCONTINUED)[1]))
os.write(go_on[1], b"four")
print("read:", status_of(stopped))
print("not yet:", os.waitpid(child(lambda: time.sleep(2)), os.WNOHANG))
os.wait()


def orphan_maker():
    def orphan():
        while os.getppid() == parent:
            time.sleep(0.01)
        os.write(write, b"orphan was adopted\n")

    parent = os.getpid()
    child(orphan)


status_of(child(orphan_maker))
print(os.read(read, 100).decode().strip())

with open("counter", "w+b", buffering=0) as counter:
    counter.write(struct.pack("i", 0))

    def count():
        with open("counter", "r+b", buffering=0) as mine:
            for _ in range(50):
                fcntl.lockf(mine, fcntl.LOCK_EX)
                mine.seek(0)
                value = struct.unpack("i", mine.read(4))[0]
                mine.seek(0)
                mine.write(struct.pack("i", value + 1))
                fcntl.lockf(mine, fcntl.LOCK_UN)

    for pid in [child(count) for _ in range(4)]:
        status_of(pid)
    counter.seek(0)
    print("counted under a lock:", struct.unpack("i", counter.read(4))[0])

print("exec:", status_of(child(lambda: os.execlp("sh", "sh", "-c", "exit 11"))))
