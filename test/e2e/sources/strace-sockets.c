// SPDX-License-Identifier: MIT
//
// Calls on sockets, with arguments of all kinds. Traced by strace and by us; harmless for root.

#define _GNU_SOURCE
#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <sys/time.h>
#include <string.h>
#include <stddef.h>
#include <unistd.h>
#include <sys/syscall.h>
#define S(n, ...) syscall(SYS_##n, ##__VA_ARGS__)
int main(void) {
  alarm(300);
  int p[2], one = 1, v; unsigned len; char b[200];
  struct sockaddr_un name = { AF_UNIX, "\0trapline-oracle" }, got, path = { AF_UNIX, "/nonexistent/s" };
  S(socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p); S(socketpair, AF_UNIX, SOCK_DGRAM, 0, p + 1 - 1);
  S(socketpair, AF_UNIX, SOCK_SEQPACKET, 0, p);
  int l = S(socket, AF_UNIX, SOCK_STREAM, 0), c = S(socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), d = S(socket, AF_UNIX, SOCK_DGRAM, 0);
  S(bind, l, &path, sizeof path); S(bind, l, &name, 18); S(bind, l, &name, 2); S(bind, l, 0, 0); S(listen, l, 5); S(connect, c, &path, 16); S(connect, c, &name, 18);
  len = sizeof got; int a = S(accept, l, &got, &len); len = sizeof got; S(getsockname, l, &got, &len); len = sizeof got; S(getpeername, c, &got, &len); S(getsockname, c, &got, 0);
  len = 16; S(getpeername, 0, &got, &len); S(accept4, l, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC | 1); len = sizeof got; S(getpeername, l, &got, &len);
  S(sendto, c, "hello", 5, MSG_NOSIGNAL, 0, 0); S(recvfrom, a, b, 200, MSG_DONTWAIT | MSG_PEEK, 0, 0); len = sizeof got; S(recvfrom, a, b, 200, 0, &got, &len); S(recvfrom, a, b, 200, MSG_DONTWAIT, 0, 0);
  S(sendto, d, "x", 1, 0, &path, 16); S(sendto, 99, (void *)1, 1, 0, 0, 0);
  struct iovec iov[2] = { { "abc", 3 }, { "defg", 4 } }, in[2] = { { b, 5 }, { b + 50, 100 } };
  char control[CMSG_SPACE(8)]; memset(control, 0, sizeof control);
  struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
  S(sendmsg, c, &m, 0); struct msghdr r = { .msg_iov = in, .msg_iovlen = 2 }; S(recvmsg, a, &r, 0);
  m.msg_control = control; m.msg_controllen = sizeof control; struct cmsghdr *h = CMSG_FIRSTHDR(&m); h->cmsg_level = SOL_SOCKET; h->cmsg_type = SCM_RIGHTS; h->cmsg_len = CMSG_LEN(8); int fds[2] = { 0, 1 }; memcpy(CMSG_DATA(h), fds, 8);
  S(sendmsg, c, &m, MSG_DONTWAIT); char rc[100]; r.msg_control = rc; r.msg_controllen = sizeof rc; r.msg_name = &got; r.msg_namelen = sizeof got; S(recvmsg, a, &r, MSG_CMSG_CLOEXEC);
  S(recvmsg, a, &r, MSG_DONTWAIT); S(recvmsg, 99, (void *)1, 0); S(sendmsg, 99, 0, 0); S(sendmsg, c, &m, 0);
  r.msg_controllen = 5; S(recvmsg, a, &r, 0);
  S(setsockopt, l, SOL_SOCKET, SO_REUSEADDR, &one, 4); S(setsockopt, a, SOL_SOCKET, SO_PASSCRED, &one, 4); S(sendmsg, c, &(struct msghdr){ .msg_iov = iov, .msg_iovlen = 1 }, 0); r.msg_controllen = sizeof rc; r.msg_namelen = sizeof got;
  len = 4; S(getsockopt, l, SOL_SOCKET, SO_TYPE, &v, &len); len = 4; S(getsockopt, l, SOL_SOCKET, SO_ERROR, &v, &len); S(getsockopt, l, SOL_SOCKET, SO_ACCEPTCONN, &v, &len); S(getsockopt, l, SOL_SOCKET, SO_DOMAIN, &v, &len);
  struct { int a, b; } lin = { 1, 5 }; S(setsockopt, l, SOL_SOCKET, SO_LINGER, &lin, 8); len = 8; S(getsockopt, l, SOL_SOCKET, SO_LINGER, &lin, &len); struct timeval tv = { 1, 500 }; S(setsockopt, l, SOL_SOCKET, SO_RCVTIMEO, &tv, 16);
  len = 100; S(getsockopt, l, SOL_SOCKET, 999, b, &len); S(setsockopt, l, SOL_SOCKET, SO_REUSEADDR, 0, 4);
  S(shutdown, c, SHUT_WR); S(shutdown, c, SHUT_RDWR); S(shutdown, c, 7); S(socket, 99, 1, 0); S(close, c);
  struct { struct msghdr h; unsigned n; } mm[2] = { { .h = { .msg_iov = iov, .msg_iovlen = 1 } }, { .h = { .msg_iov = iov + 1, .msg_iovlen = 1 } } };
  S(sendmmsg, p[0], mm, 2, 0); mm[0].h.msg_iov = in; mm[1].h.msg_iov = in + 1; S(recvmmsg, p[1], mm, 2, MSG_DONTWAIT, 0); S(recvmmsg, p[1], mm, 2, MSG_DONTWAIT, 0);
  return 0;
}
