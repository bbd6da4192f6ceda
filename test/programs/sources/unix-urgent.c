// SPDX-License-Identifier: MIT
//
// The urgent byte of AF_UNIX streams (MSG_OOB): where reading stops, what is told of it and to whom, and who refuses it.

#define _GNU_SOURCE
#include "say.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#ifndef SIOCATMARK
#define SIOCATMARK 0x8905
#endif

static int a, b;
static void pair(int type) { int fds[2]; socketpair(AF_UNIX, type, 0, fds); a = fds[0], b = fds[1]; }
static void unpair(void) { close(a), close(b); }

/** What one recv gives. */
static void get(int line, int size, int flags) {
  char text[64] = "";
  errno = 0;
  int n = recv(b, text, size, flags | MSG_DONTWAIT);
  printf("%d recv(%d, %#x) = ", line, size, flags);
  if (n < 0) printf("%s\n", name_of(errno));
  else printf("%d \"%.*s\"\n", n, n, text);
}
static void look(int line) {
  int mark = -1;
  struct pollfd p = {b, POLLIN | POLLPRI | POLLRDNORM | POLLRDBAND | POLLRDHUP};
  poll(&p, 1, 0);
  fd_set r, e;
  FD_ZERO(&r);
  FD_ZERO(&e);
  FD_SET(b, &r);
  FD_SET(b, &e);
  int n = select(b + 1, &r, 0, &e, &(struct timeval){0});
  ioctl(b, SIOCATMARK, &mark);
  printf("%d poll %#x select %d %d%d mark %d\n", line, p.revents, n, !!FD_ISSET(b, &r), !!FD_ISSET(b, &e), mark);
}
static int waiting(void) {
  int bytes = -1;
  ioctl(b, FIONREAD, &bytes);
  return bytes;
}
#define GET(size, flags) get(__LINE__, size, flags)
#define LOOK() look(__LINE__)
#define SEND(text, flags) T(send(a, text, strlen(text), (flags) | MSG_NOSIGNAL))

static void order(void) {
  pair(SOCK_STREAM);
  printf("-- none\n");
  GET(10, MSG_OOB);
  LOOK();
  printf("-- alone\n");
  SEND("x", MSG_OOB);
  LOOK();
  T(waiting());
  GET(10, MSG_OOB | MSG_PEEK);
  GET(10, MSG_OOB);
  LOOK();
  T(waiting());
  GET(10, MSG_OOB);
  GET(10, 0);
  LOOK();
  T(waiting());
  printf("-- at the end\n");
  SEND("hello", MSG_OOB);
  LOOK();
  T(waiting());
  GET(2, 0);
  LOOK();
  T(waiting());
  GET(10, 0);
  LOOK();
  T(waiting());
  GET(10, MSG_OOB);
  LOOK();
  T(waiting());
  GET(10, 0);
  LOOK();
  T(waiting());
  printf("-- in the middle\n");
  SEND("one", MSG_OOB);
  SEND("two", 0);
  GET(1, 0);
  GET(10, MSG_OOB);
  LOOK();
  GET(10, 0);
  GET(10, 0);
  LOOK();
  printf("-- in the middle, read to it first\n");
  SEND("one", MSG_OOB);
  SEND("two", 0);
  GET(10, 0);
  LOOK();
  GET(10, MSG_OOB);
  LOOK();
  GET(10, 0);
  LOOK();
  printf("-- read over\n");
  SEND("one", MSG_OOB);
  SEND("two", 0);
  GET(10, 0);
  GET(10, 0);
  LOOK();
  GET(10, MSG_OOB);
  printf("-- two\n");
  SEND("abc", MSG_OOB);
  SEND("def", MSG_OOB);
  LOOK();
  GET(10, 0);
  LOOK();
  GET(10, MSG_OOB);
  LOOK();
  GET(10, 0);
  printf("-- two, the first one taken\n");
  SEND("abc", MSG_OOB);
  GET(10, MSG_OOB);
  SEND("def", MSG_OOB);
  LOOK();
  GET(10, 0);
  LOOK();
  GET(10, 0);
  GET(10, 0);
  GET(10, MSG_OOB);
  printf("-- peeked\n");
  SEND("abc", MSG_OOB);
  GET(10, MSG_PEEK);
  GET(10, 0);
  GET(10, MSG_PEEK);
  LOOK();
  SEND("de", 0);
  GET(10, MSG_PEEK);
  GET(10, MSG_OOB);
  GET(10, MSG_PEEK);
  GET(10, 0);
  LOOK();
  printf("-- to nowhere and of no size\n");
  SEND("x", MSG_OOB);
  T(recv(b, (void *)8, 1, MSG_OOB));
  LOOK();
  GET(10, MSG_OOB);
  SEND("x", MSG_OOB);
  GET(0, MSG_OOB);
  LOOK();
  GET(10, 0);
  SEND("x", MSG_OOB);
  SEND("y", 0);
  GET(0, 0);
  LOOK();
  GET(10, 0);
  unpair();
}

static void inlined(void) {
  pair(SOCK_STREAM);
  int on = 1, got = 0;
  socklen_t length = sizeof got;
  T(setsockopt(b, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on));
  T(getsockopt(b, SOL_SOCKET, SO_OOBINLINE, &got, &length));
  T(got);
  SEND("abc", MSG_OOB);
  SEND("de", 0);
  LOOK();
  GET(10, MSG_OOB);
  GET(10, MSG_PEEK);
  GET(10, 0);
  LOOK();
  GET(10, MSG_PEEK);
  GET(10, 0);
  LOOK();
  SEND("x", MSG_OOB);
  on = 0;
  T(setsockopt(b, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on));
  GET(10, MSG_OOB);
  unpair();
}

static volatile int urgent, others, code, band;
static void told(int signo, siginfo_t *info, void *context) {
  if (signo == SIGURG) urgent++;
  else if (info->si_code == 5) others++, code = info->si_code, band = info->si_band;
}

static void signals(void) {
  struct sigaction action = {.sa_sigaction = told, .sa_flags = SA_SIGINFO};
  sigaction(SIGURG, &action, 0);
  sigaction(SIGUSR1, &action, 0);
  sigaction(SIGIO, &action, 0);
  pair(SOCK_STREAM);
  SEND("x", MSG_OOB);
  T(urgent);
  T(fcntl(b, F_SETOWN, getpid()));
  SEND("abc", MSG_OOB);
  T(urgent);
  SEND("abc", 0);
  T(urgent);
  T(fcntl(b, F_SETFL, O_ASYNC));
  SEND("x", MSG_OOB);
  T(urgent);
  T(others);
  T(fcntl(b, F_SETSIG, SIGUSR1));
  SEND("x", MSG_OOB);
  T(urgent);
  T(others);
  T(code);
  T(band);
  T(fcntl(b, F_SETOWN, 0));
  SEND("x", MSG_OOB);
  T(urgent);
  T(others);
  unpair();
}

static void messages(void) {
  pair(SOCK_STREAM);
  printf("-- sendmsg and recvmsg\n");
  char room[8] = "", control[64];
  struct iovec iov[2] = {{"ab", 2}, {"cd", 2}}, in = {room, sizeof room};
  struct msghdr out = {.msg_iov = iov, .msg_iovlen = 2}, header = {.msg_iov = &in, .msg_iovlen = 1};
  union { struct cmsghdr h; char room[CMSG_SPACE(sizeof(int))]; } fds = {.h = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
  struct sockaddr_un name;
  T(sendmsg(a, &out, MSG_OOB));
  header.msg_name = &name, header.msg_namelen = sizeof name;
  T(recvmsg(b, &header, MSG_OOB | MSG_DONTWAIT));
  printf("%c flags %#x name %d control %d\n", room[0], header.msg_flags, (int)header.msg_namelen, (int)header.msg_controllen);
  header.msg_name = 0;
  T(recvmsg(b, &header, MSG_DONTWAIT));
  printf("%.3s flags %#x\n", room, header.msg_flags);
  T(recvmsg(b, &header, MSG_DONTWAIT));
  // Descriptors go with the first bytes, be they urgent or not.
  for (int bytes = 1; bytes <= 2; bytes++) {
    int null = open("/dev/null", O_RDONLY);
    memcpy(CMSG_DATA(&fds.h), &null, sizeof null);
    iov[0] = (struct iovec){"xy", bytes};
    out = (struct msghdr){.msg_iov = iov, .msg_iovlen = 1, .msg_control = &fds, .msg_controllen = sizeof fds};
    T(sendmsg(a, &out, MSG_OOB));
    close(null);
    for (int urgent = 1; urgent >= 0; urgent--) {
      header = (struct msghdr){.msg_iov = &in, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
      int n = recvmsg(b, &header, (urgent ? MSG_OOB : 0) | MSG_DONTWAIT);
      printf("%s: %d, control %d, flags %#x\n", urgent ? "urgent" : "stream", n, n < 0 ? 0 : (int)header.msg_controllen, n < 0 ? 0 : header.msg_flags);
      if (n >= 0 && header.msg_controllen > 0) close(*(int *)CMSG_DATA((struct cmsghdr *)control));
    }
  }
  printf("-- all of it\n");
  SEND("abc", MSG_OOB);
  SEND("def", 0);
  fflush(stdout);
  T(recv(b, room, 5, MSG_WAITALL));
  GET(8, 0);
  unpair();
  pair(SOCK_STREAM);
  printf("-- read(2), readv(2)\n");
  SEND("abc", MSG_OOB);
  SEND("def", 0);
  T(read(b, room, 8));
  T(read(b, room, 8));
  unpair();
}

static void ends(void) {
  printf("-- ends\n");
  pair(SOCK_STREAM);
  SEND("ab", MSG_OOB);
  shutdown(a, SHUT_WR);
  LOOK();
  GET(8, 0);
  GET(8, MSG_PEEK);
  GET(8, MSG_OOB);
  GET(8, 0);
  SEND("x", MSG_OOB);
  unpair();
  pair(SOCK_STREAM);
  SEND("x", MSG_OOB);
  close(b);
  char c;
  T(recv(a, &c, 1, 0));
  SEND("x", MSG_OOB);
  signal(SIGPIPE, SIG_DFL);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) send(a, "x", 1, MSG_OOB), _exit(0);
  int status;
  waitpid(pid, &status, 0);
  T(WTERMSIG(status) == SIGPIPE);
  close(a);
  pair(SOCK_STREAM);
  SEND("x", MSG_OOB);
  GET(1, MSG_OOB);
  close(b);
  T(recv(a, &c, 1, 0));
  close(a);
  pair(SOCK_STREAM);
  SEND("x", MSG_OOB);
  close(a);
  LOOK();
  GET(1, 0);
  GET(1, MSG_OOB);
  close(b);
}

static void refusals(void) {
  printf("-- refusals\n");
  char c = 'x';
  pair(SOCK_STREAM);
  T(send(a, &c, 0, MSG_OOB));
  T(send(a, (void *)8, 1, MSG_OOB));
  LOOK();
  T(send(a, (void *)8, 2, MSG_OOB));
  T(ioctl(b, SIOCATMARK, 8));
  struct sockaddr_un name = {AF_UNIX, "nowhere"};
  T(sendto(a, &c, 1, MSG_OOB, (void *)&name, sizeof name));
  int size = 4608;
  setsockopt(a, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  char many[4096];
  while (send(a, many, sizeof many, MSG_DONTWAIT) > 0)
    ;
  T(send(a, &c, 1, MSG_OOB | MSG_DONTWAIT));
  T(send(a, many, 2, MSG_OOB | MSG_DONTWAIT));
  unpair();
  static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};
  for (int i = 0; i < 2; i++) {
    pair(types[i]);
    T(send(a, &c, 1, MSG_OOB));
    T(send(a, &c, 0, MSG_OOB));
    T(recv(b, &c, 1, MSG_OOB | MSG_DONTWAIT));
    send(a, &c, 1, 0);
    T(recv(b, &c, 1, MSG_OOB | MSG_DONTWAIT));
    unpair();
    a = socket(AF_UNIX, types[i], 0);
    T(send(a, &c, 1, MSG_OOB));
    T(recv(a, &c, 1, MSG_OOB | MSG_DONTWAIT));
    close(a);
  }
  a = socket(AF_UNIX, SOCK_STREAM, 0);
  T(send(a, &c, 1, MSG_OOB | MSG_NOSIGNAL));
  T(send(a, &c, 0, MSG_OOB));
  T(sendto(a, &c, 1, MSG_OOB, (void *)&name, sizeof name));
  T(recv(a, &c, 1, MSG_OOB | MSG_DONTWAIT));
  int mark = -1;
  T(ioctl(a, SIOCATMARK, &mark));
  T(mark);
  close(a);
}

int main(void) {
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  alarm(600);
  order();
  inlined();
  signals();
  messages();
  ends();
  refusals();
  return 0;
}
