# SPDX-License-Identifier: MIT
#
# Socket pairs, Unix servers, descriptor passing, select, poll and epoll over them.

import array
import os
import select
import selectors
import socket

left, right = socket.socketpair()
left.sendall(b"stream of bytes")
print(right.recv(6), right.recv(6, socket.MSG_PEEK), right.recv(100))
left.shutdown(socket.SHUT_WR)
print(right.recv(10), right.send(b"still open"), left.recv(100))

one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
for text in (b"first", b"second one"):
    one.send(text)
print(two.recv(3), two.recv(100))
two.setblocking(False)
try:
    two.recv(1)
except BlockingIOError:
    print("would block")
seq_a, seq_b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
seq_a.send(b"packet")
seq_a.close()
print(seq_b.recv(100), seq_b.recv(100))

a, b = socket.socketpair()
with open("file", "w+") as f:
    f.write("sent as a descriptor")
    f.flush()
    a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [f.fileno()]))])
message, ancillary, flags, address = b.recvmsg(10, socket.CMSG_SPACE(4))
fd = array.array("i", ancillary[0][2])[0]
print(message, os.pread(fd, 100, 0))
os.close(fd)

server = socket.socket(socket.AF_UNIX)
server.bind("listening")
server.listen(4)
print(os.path.exists("listening"), server.getsockname())
pid = os.fork()
if pid == 0:
    for n in range(3):
        client = socket.socket(socket.AF_UNIX)
        client.connect("listening")
        client.sendall(b"request %d\n" % n)
        assert client.recv(100) == b"answer %d\n" % n
        client.close()
    os._exit(0)
for _ in range(3):
    connection, _ = server.accept()
    with connection, connection.makefile("rwb", buffering=0) as stream:
        line = stream.readline()
        print(line)
        stream.write(line.replace(b"request", b"answer"))
print("client:", os.waitpid(pid, 0)[1])
for wrong in (lambda: server.bind("other"), lambda: socket.socket(socket.AF_UNIX).connect("nobody")):
    try:
        wrong()
    except OSError as error:
        print(type(error).__name__, error.strerror)

pipes = [os.pipe() for _ in range(5)]
for n in (1, 3):
    os.write(pipes[n][1], b"x")
readers = [r for r, _ in pipes]
print("select", [readers.index(r) for r in select.select(readers, [], [], 0)[0]])
poller, watcher = select.poll(), select.epoll()
for r in readers:
    poller.register(r, select.POLLIN)
    watcher.register(r, select.EPOLLIN | select.EPOLLET)
os.close(pipes[4][1])
print("poll", sorted((readers.index(r), e) for r, e in poller.poll(0)))
print("epoll", sorted((readers.index(r), e) for r, e in watcher.poll(0)), watcher.poll(0))
os.write(pipes[1][1], b"y")
print("edge", [(readers.index(r), e) for r, e in watcher.poll(0)])
choice = selectors.DefaultSelector()
choice.register(readers[3], selectors.EVENT_READ, "three")
choice.register(pipes[0][1], selectors.EVENT_WRITE, "zero")
print(sorted(key.data for key, _ in choice.select(0.1)), choice.select(0)[0][1] > 0)
