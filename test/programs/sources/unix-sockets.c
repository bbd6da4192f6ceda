// SPDX-License-Identifier: MIT
//
// AF_UNIX sockets: names, connections, messages, descriptors and credentials in them, poll masks, options, and each
// error of the manual pages.

#define _GNU_SOURCE
#include "outcome.h"
#include "asleep.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>

// The C libraries look into messages before the kernel does.
#define sendmsg(s, m, f) syscall(SYS_sendmsg, s, m, f)
#define recvmsg(s, m, f) syscall(SYS_recvmsg, s, m, f)
#define sendmmsg(s, m, n, f) syscall(SYS_sendmmsg, s, m, n, f)
#define recvmmsg(s, m, n, f, t) syscall(SYS_recvmmsg, s, m, n, f, t)

static struct sockaddr_un a, b;
// A descriptor of something else.
static int plain;

static socklen_t path(struct sockaddr_un *to, const char *name) {
  memset(to, 0, sizeof *to);
  to->sun_family = AF_UNIX;
  strcpy(to->sun_path, name);
  return offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1;
}

static socklen_t hidden(struct sockaddr_un *to, const char *name) {
  memset(to, 0, sizeof *to);
  to->sun_family = AF_UNIX;
  sprintf(to->sun_path + 1, "trapline-%d-%s", getpid(), name);
  return offsetof(struct sockaddr_un, sun_path) + 1 + strlen(to->sun_path + 1);
}

static void name_of(int s, int peer) {
  struct sockaddr_un n;
  memset(&n, 'x', sizeof n);
  socklen_t len = sizeof n;
  int r = peer ? getpeername(s, (void *)&n, &len) : getsockname(s, (void *)&n, &len);
  if (r < 0) printf("%s name: errno %d\n", peer ? "peer" : "own", errno);
  else if (len <= 2) printf("%s name: none, %d\n", peer ? "peer" : "own", len);
  else printf("%s name: length %d %s\n", peer ? "peer" : "own", n.sun_path[0] ? len : 0, n.sun_path[0] ? n.sun_path : "abstract");
  fflush(stdout);
}

static void mask(const char *what, int s) {
  struct pollfd p = {s, 0x3fff & ~POLLPRI};
  int r = poll(&p, 1, 0);
  printf("%s: poll %d %#x\n", what, r, p.revents);
  fflush(stdout);
}

static void streams(void) {
  socklen_t len = path(&a, "server");
  int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
  mask("new", l);
  name_of(l, 0);
  name_of(l, 1);
  CALL(listen(l, 1));
  CALL(connect(c, (void *)&a, len));
  CALL(bind(l, (void *)&a, len));
  name_of(l, 0);
  struct stat st;
  stat("server", &st);
  printf("node %o\n", st.st_mode);
  CALL(connect(c, (void *)&a, len));
  CALL(accept(l, 0, 0));
  CALL(listen(l, 0));
  mask("listening", l);
  CALL(connect(c, (void *)&a, len));
  mask("connected", c);
  mask("connection waits", l);
  name_of(c, 0);
  name_of(c, 1);
  CALL(send(c, "early", 5, 0));
  struct sockaddr_un from;
  socklen_t from_len = sizeof from;
  int s = OK(accept4(l, (void *)&from, &from_len, SOCK_CLOEXEC | SOCK_NONBLOCK));
  printf("accepted from a name of length %d, flags %#x %d\n", from_len, fcntl(s, F_GETFL) & ~0100000, fcntl(s, F_GETFD));
  name_of(s, 0);
  name_of(s, 1);
  char buf[100] = "";
  CALL(connect(c, (void *)&a, len));
  CALL(recv(s, buf, 3, MSG_PEEK));
  CALL(recv(s, buf, 100, 0));
  printf("%s\n", buf);
  CALL(recv(s, buf, 100, 0));
  CALL(syscall(SYS_accept4, l, 0, 0, 0x40));
  CALL(syscall(SYS_accept4, l, 0, 0, SOCK_RAW));
  fcntl(l, F_SETFL, O_NONBLOCK);
  CALL(accept(l, 0, 0));
  CALL(send(l, "x", 1, MSG_NOSIGNAL));
  CALL(recv(l, buf, 1, 0));
  CALL(sendto(c, "x", 1, 0, (void *)&a, len));
  CALL(write(c, "abc", 3));
  CALL(write(c, "defg", 4));
  int n;
  CALL(ioctl(s, FIONREAD, &n));
  printf("waiting %d\n", n);
  CALL(ioctl(c, 0x5411, &n));
  printf("unread costs something %d\n", n > 0);
  CALL(recv(s, buf, 5, 0));
  CALL(recv(s, buf, 5, 0));
  CALL(shutdown(c, SHUT_WR));
  mask("writer shut", c);
  mask("no more to read", s);
  CALL(recv(s, buf, 5, 0));
  CALL(send(c, "x", 1, MSG_NOSIGNAL));
  CALL(send(s, "back", 4, 0));
  CALL(recv(c, buf, 100, 0));
  CALL(shutdown(s, SHUT_RDWR));
  mask("both shut", s);
  mask("and the other", c);
  CALL(shutdown(s, 3));
  CALL(shutdown(0x7fff, 0));
  close(s);
  mask("peer closed", c);
  CALL(recv(c, buf, 100, 0));
  name_of(c, 1);
  close(c);
  // A backlog of 0 holds one connection.
  int c1 = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), c2 = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  CALL(connect(c1, (void *)&a, len));
  CALL(connect(c2, (void *)&a, len));
  CALL(send(c1, "lost", 4, 0));
  int d = socket(AF_UNIX, SOCK_DGRAM, 0);
  CALL(connect(d, (void *)&a, len));
  CALL(bind(d, (void *)&a, len));
  CALL(bind(l, (void *)&b, path(&b, "second")));
  CALL(access("second", F_OK));
  close(l);
  CALL(recv(c1, buf, 1, 0));
  CALL(recv(c1, buf, 1, 0));
  mask("never accepted", c1);
  CALL(connect(c2, (void *)&a, len));
  unlink("server");
  CALL(connect(c2, (void *)&a, len));
  CALL(listen(d, 1));
  CALL(accept(d, 0, 0));
  close(c1), close(c2), close(d);
}

static void names(void) {
  int s = socket(AF_UNIX, SOCK_STREAM, 0), t = socket(AF_UNIX, SOCK_STREAM, 0);
  socklen_t len = hidden(&a, "one");
  CALL(bind(s, (void *)&a, len));
  CALL(bind(t, (void *)&a, len));
  CALL(bind(s, (void *)&a, len));
  int d = socket(AF_UNIX, SOCK_DGRAM, 0);
  CALL(bind(d, (void *)&a, len));
  CALL(connect(t, (void *)&a, len));
  CALL(listen(s, 5));
  CALL(connect(t, (void *)&a, len - 1));
  CALL(connect(t, (void *)&a, len));
  name_of(t, 1);
  close(s), close(t), close(d);
  s = socket(AF_UNIX, SOCK_STREAM, 0);
  CALL(bind(s, (void *)&a, 2));
  struct sockaddr_un n;
  socklen_t got = sizeof n;
  getsockname(s, (void *)&n, &got);
  printf("autobind %d %d\n", got, n.sun_path[0]);
  CALL(bind(s, (void *)&a, 2));
  CALL(bind(s, (void *)&a, 1));
  CALL(bind(s, (void *)&a, 200));
  CALL(bind(s, (void *)&a, 120));
  CALL(bind(s, (void *)&a, -1));
  CALL(bind(s, (void *)8, 20));
  a.sun_family = AF_INET;
  CALL(bind(s, (void *)&a, 20));
  CALL(connect(s, (void *)&a, 20));
  a.sun_family = AF_UNSPEC;
  CALL(connect(s, (void *)&a, 20));
  close(s);
  s = socket(AF_UNIX, SOCK_STREAM, 0);
  CALL(bind(s, (void *)&b, path(&b, "no/such/directory")));
  CALL(bind(s, (void *)&b, path(&b, "")));
  close(open("file", O_CREAT | O_WRONLY, 0644));
  CALL(bind(s, (void *)&b, path(&b, "file")));
  CALL(connect(s, (void *)&b, path(&b, "file")));
  CALL(connect(s, (void *)&b, path(&b, "file/x")));
  CALL(connect(s, (void *)&b, path(&b, "missing")));
  unlink("file");
  memset(&b, 'y', sizeof b);
  b.sun_family = AF_UNIX;
  CALL(bind(s, (void *)&b, sizeof b));
  got = 4;
  CALL(getsockname(s, (void *)&n, &got));
  printf("length %d\n", got);
  b.sun_path[107] = 0;
  char name[110] = {0};
  memset(name, 'y', 108);
  CALL(unlink(name));
  CALL(getsockname(s, (void *)8, &got));
  CALL(getsockname(s, (void *)&n, (void *)8));
  got = -1;
  CALL(getsockname(s, (void *)&n, &got));
  CALL(getsockname(0x7fff, (void *)&n, &got));
  CALL(open("y", O_RDONLY));
  close(s);
}

static void datagrams(void) {
  socklen_t al = path(&a, "first"), bl = hidden(&b, "second");
  int s = socket(AF_UNIX, SOCK_DGRAM, 0), t = socket(AF_UNIX, SOCK_DGRAM, 0), u = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  mask("new", s);
  CALL(send(t, "x", 1, 0));
  CALL(bind(s, (void *)&a, al));
  CALL(bind(t, (void *)&b, bl));
  CALL(sendto(t, "hello", 5, 0, (void *)&a, al));
  CALL(sendto(t, "", 0, 0, (void *)&a, al));
  CALL(sendto(u, "from nowhere", 12, 0, (void *)&a, al));
  char buf[100] = "";
  struct sockaddr_un n;
  socklen_t len = sizeof n;
  CALL(recvfrom(s, buf, 100, 0, (void *)&n, &len));
  printf("%s from the second %d\n", buf, len == bl && !memcmp(&n, &b, bl));
  CALL(recvfrom(s, buf, 100, 0, (void *)&n, &len));
  len = sizeof n;
  CALL(recvfrom(s, buf, 4, MSG_PEEK | MSG_TRUNC, (void *)&n, &len));
  CALL(recvfrom(s, buf, 4, 0, (void *)&n, &len));
  printf("name %d\n", len);
  CALL(connect(t, (void *)&a, al));
  name_of(t, 1);
  CALL(send(t, "connected", 9, 0));
  CALL(recv(s, buf, 100, MSG_DONTWAIT));
  CALL(connect(s, (void *)&b, bl));
  CALL(sendto(u, "x", 1, 0, (void *)&a, al));
  CALL(connect(u, (void *)&a, al));
  struct sockaddr none = {AF_UNSPEC};
  CALL(connect(s, &none, sizeof none));
  name_of(s, 1);
  CALL(connect(u, (void *)&a, al));
  int sent = 0;
  while (send(u, "x", 1, 0) == 1) sent++;
  printf("fit into a queue: %d, errno %d\n", sent, errno);
  mask("full", u);
  CALL(recv(s, buf, 1, 0));
  mask("room", u);
  int ready = 0;
  while (recv(s, buf, 1, MSG_DONTWAIT) == 1) ready++;
  printf("were there: %d\n", ready);
  CALL(shutdown(s, SHUT_RD));
  mask("shut", s);
  CALL(send(u, "x", 1, 0));
  CALL(recv(s, buf, 1, MSG_DONTWAIT));
  CALL(recv(s, buf, 1, 0));
  close(s);
  CALL(send(u, "x", 1, 0));
  CALL(send(u, "x", 1, 0));
  CALL(sendto(u, "x", 1, 0, (void *)&a, al));
  unlink("first");
  CALL(sendto(u, "x", 1, 0, (void *)&a, al));
  CALL(sendto(u, "x", 1, 0, (void *)8, 20));
  CALL(sendto(u, (void *)8, 1, 0, (void *)&b, bl));
  int size = 4096;
  setsockopt(u, SOL_SOCKET, SO_SNDBUF, &size, 4);
  static char big[10000];
  CALL(sendto(u, big, 10000, 0, (void *)&b, bl));
  close(t), close(u);
}

static void packets(void) {
  int p[2];
  CALL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p));
  CALL(send(p[0], "one", 3, 0));
  CALL(send(p[0], "four", 4, MSG_EOR));
  char buf[10];
  CALL(recv(p[1], buf, 2, 0));
  CALL(recv(p[1], buf, 10, 0));
  mask("pair", p[1]);
  CALL(send(p[0], "unread", 6, 0));
  CALL(send(p[1], "unread", 6, 0));
  close(p[0]);
  mask("closed", p[1]);
  CALL(send(p[1], "x", 1, 0));
  CALL(send(p[1], "x", 1, 0));
  CALL(recv(p[1], buf, 10, 0));
  CALL(recv(p[1], buf, 10, 0));
  close(p[1]);
  int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  CALL(send(s, "x", 1, 0));
  CALL(recv(s, buf, 1, 0));
  close(s);
  socketpair(AF_UNIX, SOCK_DGRAM, 0, p);
  CALL(send(p[0], "x", 1, 0));
  CALL(recv(p[1], buf, 10, MSG_TRUNC));
  close(p[1]);
  CALL(send(p[0], "x", 1, 0));
  CALL(send(p[0], "x", 1, 0));
  close(p[0]);
  signal(SIGPIPE, SIG_IGN);
  socketpair(AF_UNIX, SOCK_STREAM, 0, p);
  CALL(write(p[0], "unread", 6));
  close(p[1]);
  CALL(write(p[0], "x", 1));
  CALL(read(p[0], buf, 1));
  CALL(read(p[0], buf, 1));
  close(p[0]);
  signal(SIGPIPE, SIG_DFL);
  CHILD({ socketpair(AF_UNIX, SOCK_STREAM, 0, p); close(p[1]); send(p[0], "x", 1, 0); });
}

union control { char bytes[CMSG_SPACE(300 * 4)]; struct cmsghdr align; };

static int send_fds(int s, int count, int fd, int flags) {
  union control c = {0};
  struct iovec v = {"F", 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = CMSG_SPACE(count * 4)};
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(count * 4);
  for (int i = 0; i < count; i++) memcpy(CMSG_DATA(h) + 4 * i, &fd, 4);
  return sendmsg(s, &m, flags);
}

static int receive(int s, size_t room, int flags, int *fd) {
  union control c = {0};
  char buf[100] = "";
  struct sockaddr_un n;
  struct iovec v = {buf, sizeof buf};
  struct msghdr m = {.msg_name = &n, .msg_namelen = sizeof n, .msg_iov = &v, .msg_iovlen = 1, .msg_control = room ? &c : 0, .msg_controllen = room};
  int r = recvmsg(s, &m, flags);
  if (r < 0) return r;
  printf("got \"%s\" flags %#x name %d control %zu:", buf, m.msg_flags, m.msg_namelen, (size_t)m.msg_controllen);
  for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
    if (h->cmsg_type == SCM_RIGHTS) {
      int count = (h->cmsg_len - CMSG_LEN(0)) / 4, got;
      printf(" %d descriptors", count);
      for (int i = 0; i < count; i++) {
        memcpy(&got, CMSG_DATA(h) + 4 * i, 4);
        if (i == 0 && fd) { *fd = got; printf(" cloexec %d", fcntl(got, F_GETFD)); }
        else close(got);
      }
    } else if (h->cmsg_type == SCM_CREDENTIALS) {
      struct ucred u;
      memcpy(&u, CMSG_DATA(h), sizeof u);
      printf(" credentials own %d uid %d gid %d", u.pid == getpid(), u.uid, u.gid);
    }
  }
  printf("\n");
  return r;
}

static void descriptors(void) {
  int p[2], f[2], got;
  socketpair(AF_UNIX, SOCK_STREAM, 0, p);
  pipe(f);
  write(f[1], "through the pipe", 16);
  CALL(send_fds(p[0], 1, f[0], 0));
  CALL(receive(p[1], sizeof(union control), MSG_CMSG_CLOEXEC, &got));
  char buf[20] = "";
  CALL(read(got, buf, 20));
  close(got);
  CALL(send_fds(p[0], 3, f[0], 0));
  CALL(receive(p[1], CMSG_SPACE(4), 0, &got));
  close(got);
  CALL(send_fds(p[0], 1, f[0], 0));
  CALL(receive(p[1], 0, 0, 0));
  CALL(send_fds(p[0], 1, f[0], 0));
  CALL(receive(p[1], 10, 0, 0));
  CALL(send_fds(p[0], 253, f[0], 0));
  CALL(receive(p[1], sizeof(union control), 0, &got));
  close(got);
  CALL(send_fds(p[0], 254, f[0], 0));
  CALL(send_fds(p[0], 1, 0x7fff, 0));
  CALL(send_fds(p[0], 2, -1, 0));
  // A reader that does not ask for them drops them.
  CALL(send_fds(p[0], 1, f[1], 0));
  close(f[1]);
  fcntl(f[0], F_SETFL, O_NONBLOCK);
  CALL(read(f[0], buf, 20));
  CALL(read(p[1], buf, 20));
  CALL(read(f[0], buf, 20));
  // Bytes before and after a message with descriptors.
  write(p[0], "a", 1), send_fds(p[0], 1, f[0], 0), write(p[0], "b", 1);
  CALL(receive(p[1], sizeof(union control), 0, &got));
  close(got);
  CALL(receive(p[1], sizeof(union control), 0, 0));
  send_fds(p[0], 1, f[0], 0);
  CALL(receive(p[1], sizeof(union control), MSG_PEEK, &got));
  close(got);
  CALL(receive(p[1], sizeof(union control), 0, &got));
  close(got);
  // A socket in its own messages, and out of reach.
  for (int i = 0; i < 50; i++) {
    int q[2], r[2];
    socketpair(AF_UNIX, SOCK_DGRAM, 0, q);
    socketpair(AF_UNIX, SOCK_STREAM, 0, r);
    if (send_fds(q[0], 1, q[1], 0) < 0 || send_fds(q[1], 1, r[0], 0) < 0 || send_fds(r[1], 1, q[0], 0) < 0) printf("refused\n");
    close(q[0]), close(q[1]), close(r[0]), close(r[1]);
  }
  NOBODY({
    struct rlimit few = {10, 10};
    setrlimit(RLIMIT_NOFILE, &few);
    int i = 0;
    for (; i < 100 && send_fds(p[0], 1, f[0], MSG_DONTWAIT) == 1; i++);
    printf("in flight %d errno %d\n", i, errno);
  });
  close(p[0]), close(p[1]), close(f[0]);
}

static int send_as(int s, pid_t pid, uid_t uid, gid_t gid) {
  union control c = {0};
  struct ucred u = {pid, uid, gid};
  struct iovec v = {"C", 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = CMSG_SPACE(sizeof u)};
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_CREDENTIALS, h->cmsg_len = CMSG_LEN(sizeof u);
  memcpy(CMSG_DATA(h), &u, sizeof u);
  return sendmsg(s, &m, 0);
}

static void credentials(void) {
  int p[2], one = 1;
  struct ucred u = {7, 7, 7};
  socklen_t len = sizeof u;
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  CALL(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &u, &len));
  printf("nobody: %d %d %d\n", u.pid, u.uid, u.gid);
  close(s);
  socketpair(AF_UNIX, SOCK_STREAM, 0, p);
  getsockopt(p[0], SOL_SOCKET, SO_PEERCRED, &u, &len);
  printf("pair: own %d %d %d\n", u.pid == getpid(), u.uid, u.gid);
  CALL(setsockopt(p[1], SOL_SOCKET, SO_PASSCRED, &one, 4));
  write(p[0], "x", 1);
  CALL(receive(p[1], sizeof(union control), 0, 0));
  write(p[0], "x", 1);
  CALL(receive(p[1], 0, 0, 0));
  write(p[0], "parent", 6);
  CHILD(write(p[0], "child", 5));
  CALL(receive(p[1], sizeof(union control), 0, 0));
  CALL(receive(p[1], sizeof(union control), 0, 0));
  CALL(send_as(p[0], getpid(), 1234, 5678));
  CALL(receive(p[1], sizeof(union control), 0, 0));
  NOBODY({
    CALL(send_as(p[0], getpid(), 65534, 65534));
    CALL(send_as(p[0], getpid(), 0, 65534));
    CALL(send_as(p[0], getpid(), 65534, 0));
    CALL(send_as(p[0], getppid(), 65534, 65534));
    CALL(send_as(p[0], getpid(), -1, 0));
  });
  CALL(receive(p[1], sizeof(union control), 0, 0));
  CALL(send_as(p[0], 0x3fffff, 0, 0));
  close(p[0]), close(p[1]);
  socklen_t al = path(&a, "named");
  s = socket(AF_UNIX, SOCK_STREAM, 0);
  bind(s, (void *)&a, al);
  listen(s, 5);
  chmod("named", 0600);
  chmod(".", 0755);
  NOBODY({
    int c = socket(AF_UNIX, SOCK_STREAM, 0);
    CALL(connect(c, (void *)&a, al));
    CALL(bind(c, (void *)&b, path(&b, "denied")));
  });
  chmod("named", 0666);
  int done[2];
  pipe(done);
  fflush(stdout);
  if (fork() == 0) {
    setresgid(65534, 65534, 65534), setresuid(65534, 65534, 65534);
    int c = socket(AF_UNIX, SOCK_STREAM, 0);
    CALL(connect(c, (void *)&a, al));
    getsockopt(c, SOL_SOCKET, SO_PEERCRED, &u, &len);
    printf("listener: parent %d %d %d\n", u.pid == getppid(), u.uid, u.gid);
    fflush(stdout);
    read(done[0], &one, 1);
    _exit(0);
  }
  int t = accept(s, 0, 0);
  getsockopt(t, SOL_SOCKET, SO_PEERCRED, &u, &len);
  printf("client: child %d %d %d\n", u.pid > 0 && u.pid != getpid(), u.uid, u.gid);
  write(done[1], "x", 1);
  wait(0);
  unlink("named");
  close(s), close(t), close(done[0]), close(done[1]);
}

static int option(int s, int which) {
  int value = 0;
  socklen_t len = sizeof value;
  return getsockopt(s, SOL_SOCKET, which, &value, &len) < 0 ? -errno : value;
}

static int set(int s, int which, int value) { return setsockopt(s, SOL_SOCKET, which, &value, sizeof value); }

static void options(void) {
  int s = socket(AF_UNIX, SOCK_STREAM, 0), r = socket(AF_UNIX, SOCK_RAW, 0);
  SHOW(option(s, SO_TYPE));
  SHOW(option(r, SO_TYPE));
  SHOW(option(s, SO_DOMAIN));
  SHOW(option(s, SO_PROTOCOL));
  SHOW(option(s, SO_ERROR));
  SHOW(option(s, SO_ACCEPTCONN));
  SHOW(option(s, SO_SNDBUF));
  SHOW(option(s, SO_RCVBUF));
  CALL(set(s, SO_SNDBUF, 10000));
  SHOW(option(s, SO_SNDBUF));
  CALL(set(s, SO_SNDBUF, 1));
  SHOW(option(s, SO_SNDBUF));
  CALL(set(s, SO_RCVBUF, 1));
  SHOW(option(s, SO_RCVBUF));
  SHOW(option(s, SO_PASSCRED));
  CALL(set(s, SO_PASSCRED, 5));
  SHOW(option(s, SO_PASSCRED));
  SHOW(option(s, SO_REUSEADDR));
  CALL(set(s, SO_REUSEADDR, 5));
  SHOW(option(s, SO_REUSEADDR));
  CALL(set(s, SO_KEEPALIVE, 1));
  SHOW(option(s, SO_SNDLOWAT));
  CALL(set(s, SO_SNDLOWAT, 1));
  SHOW(option(s, SO_RCVLOWAT));
  CALL(set(s, SO_TYPE, 1));
  CALL(set(s, SO_ERROR, 1));
  SHOW(option(s, 999));
  CALL(set(s, 999, 1));
  CALL(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, (void *)8, 4));
  CALL(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &s, 3));
  CALL(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &s, -1));
  CALL(setsockopt(s, 6, 1, &s, 4));
  int v;
  socklen_t len = 4;
  CALL(getsockopt(s, 6, 1, &v, &len));
  CALL(getsockopt(s, SOL_SOCKET, SO_TYPE, (void *)8, &len));
  CALL(getsockopt(s, SOL_SOCKET, SO_TYPE, &v, (void *)8));
  len = -1;
  CALL(getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &len));
  len = 2;
  CALL(getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &len));
  printf("short %d\n", len);
  struct timeval tv = {0, 20000}, bad = {0, 1000000};
  int p[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, p);
  CALL(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &bad, sizeof bad));
  CALL(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, 8));
  CALL(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
  CALL(read(p[0], &v, 1));
  CALL(recv(p[0], &v, 1, 0));
  struct linger l = {1, 5};
  CALL(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof l));
  CALL(setsockopt(0x7fff, SOL_SOCKET, SO_LINGER, &l, sizeof l));
  CALL(setsockopt(plain, SOL_SOCKET, SO_LINGER, &l, sizeof l));
  NOBODY({ CALL(set(s, SO_DEBUG, 1)); CALL(set(s, SO_MARK, 1)); CALL(set(s, 32, 1000)); CALL(set(s, SO_PRIORITY, 9)); });
  close(s), close(r), close(p[0]), close(p[1]);
}

static void making(void) {
  int p[2];
  CALL(socket(AF_UNIX, SOCK_STREAM, 6));
  OK(close(socket(AF_UNIX, SOCK_STREAM, 1)));
  CALL(socket(AF_UNIX, SOCK_RDM, 0));
  CALL(socket(AF_UNIX, 15, 0));
  CALL(socket(AF_UNIX, SOCK_STREAM | 0x40, 0));
  CALL(socket(99, SOCK_STREAM, 0));
  CALL(socket(-1, SOCK_STREAM, 0));
  CALL(socketpair(AF_UNIX, SOCK_STREAM, 9, p));
  CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, (void *)8));
  CALL(socketpair(AF_UNIX, SOCK_STREAM | 0x100, 0, p));
  CALL(bind(0x7fff, (void *)&a, 2));
  CALL(listen(plain, 1));
  CALL(connect(plain, (void *)&a, 2));
  CALL(accept(plain, 0, 0));
  CALL(send(plain, "x", 1, 0));
  CALL(recvmsg(plain, 0, 0));
  struct msghdr m = {0};
  socketpair(AF_UNIX, SOCK_STREAM, 0, p);
  CALL(sendmsg(p[0], (void *)8, 0));
  m.msg_iovlen = 1025;
  CALL(sendmsg(p[0], &m, 0));
  CALL(recvmsg(p[0], &m, 0));
  m.msg_iovlen = 1, m.msg_iov = (void *)8;
  CALL(sendmsg(p[0], &m, 0));
  m.msg_iovlen = 0, m.msg_name = &a, m.msg_namelen = -1;
  CALL(sendmsg(p[0], &m, 0));
  m.msg_name = 0, m.msg_control = (void *)8, m.msg_controllen = 100;
  CALL(sendmsg(p[0], &m, 0));
  struct cmsghdr c = {5, SOL_SOCKET, SCM_RIGHTS};
  m.msg_control = &c, m.msg_controllen = sizeof c;
  CALL(sendmsg(p[0], &m, 0));
  c.cmsg_len = sizeof c, c.cmsg_type = 77;
  CALL(sendmsg(p[0], &m, 0));
  c.cmsg_level = 77;
  CALL(sendmsg(p[0], &m, 0));
  close(p[0]), close(p[1]);
}

static void several(void) {
  int p[2];
  char text[4][10] = {"zero", "one", "two", "three"};
  struct iovec v[4];
  struct mmsghdr m[4] = {0};
  for (int i = 0; i < 4; i++) v[i] = (struct iovec){text[i], strlen(text[i])}, m[i].msg_hdr.msg_iov = &v[i], m[i].msg_hdr.msg_iovlen = 1;
  socketpair(AF_UNIX, SOCK_DGRAM, 0, p);
  CALL(sendmmsg(p[0], m, 4, 0));
  printf("lengths %d %d\n", m[0].msg_len, m[3].msg_len);
  memset(text, 0, sizeof text);
  CALL(recvmmsg(p[1], m, 2, 0, 0));
  printf("%s %s %d\n", text[0], text[1], m[1].msg_len);
  CALL(recvmmsg(p[1], m, 4, MSG_WAITFORONE, 0));
  CALL(recvmmsg(p[1], m, 4, MSG_DONTWAIT, 0));
  struct timespec t = {0, 1000000000}, none = {0, 0};
  CALL(recvmmsg(p[1], m, 4, MSG_DONTWAIT, &t));
  sendmmsg(p[0], m, 3, 0);
  CALL(recvmmsg(p[1], m, 4, 0, &none));
  CALL(recvmmsg(p[1], m, 4, MSG_DONTWAIT, &none));
  CALL(sendmmsg(p[0], (void *)8, 4, 0));
  CALL(sendmmsg(plain, m, 4, 0));
  CALL(recvmmsg(0x7fff, m, 4, 0, 0));
  close(p[0]), close(p[1]);
}

static long filled;

static void *closer(void *p) {
  await_asleep(getpid(), getpid());
  // The descriptor that is being sent, and then room for it.
  close(((int *)p)[2]);
  static char buf[100000];
  long n, sum = 0;
  // No byte more than fills it: the next one carries the descriptor.
  while (sum < filled && (n = recv(((int *)p)[1], buf, filled - sum < 50000 ? filled - sum : 50000, 0)) > 0) sum += n;
  return 0;
}

static void held(void) {
  static char big[60000];
  int p[3], f[2], got;
  socketpair(AF_UNIX, SOCK_STREAM, 0, p);
  pipe(f);
  p[2] = f[0];
  write(f[1], "kept", 4);
  for (long n; (n = send(p[0], big, sizeof big, MSG_DONTWAIT)) > 0;) filled += n;
  pthread_t t;
  pthread_create(&t, 0, closer, p);
  CALL(send_fds(p[0], 1, f[0], 0));
  pthread_join(t, 0);
  CALL(receive(p[1], sizeof(union control), 0, &got));
  char buf[10] = "";
  CALL(read(got, buf, 10));
  close(f[1]);
  CALL(read(got, buf, 10));
  close(got), close(p[0]), close(p[1]);
}

static void waiting(void) {
  socklen_t len = path(&a, "late");
  int l = socket(AF_UNIX, SOCK_STREAM, 0);
  bind(l, (void *)&a, len);
  listen(l, 0);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    char buf[100] = "";
    for (int i = 0; i < 3; i++) {
      int c = socket(AF_UNIX, SOCK_STREAM, 0);
      if (connect(c, (void *)&a, len) < 0) printf("connect: errno %d\n", errno);
      write(c, "part one ", 9);
      usleep(1000);
      write(c, "part two", 8);
      recv(c, buf, 4, MSG_WAITALL);
      close(c);
    }
    printf("child got %s\n", buf);
    fflush(stdout);
    _exit(0);
  }
  for (int i = 0; i < 3; i++) {
    usleep(5000);
    int s = accept(l, 0, 0);
    char buf[100] = "";
    CALL(recv(s, buf, 17, MSG_WAITALL));
    printf("%s\n", buf);
    write(s, "do", 2);
    usleep(1000);
    write(s, "ne", 2);
    close(s);
  }
  waitpid(child, 0, 0);
  close(l);
  unlink("late");
  int p[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, p);
  fflush(stdout);
  child = fork();
  if (child == 0) {
    close(p[0]);
    static char buf[65536];
    long sum = 0, n;
    while ((n = read(p[1], buf, sizeof buf)) > 0) sum += n;
    printf("child read %ld\n", sum);
    fflush(stdout);
    _exit(0);
  }
  close(p[1]);
  static char big[1000000];
  CALL(write(p[0], big, sizeof big));
  close(p[0]);
  waitpid(child, 0, 0);
}

int main(void) {
  char where[] = "/tmp/unix-sockets-XXXXXX";
  if (!mkdtemp(where) || chdir(where)) return 1;
  umask(022);
  plain = open("/dev/null", O_RDWR);
  streams();
  names();
  datagrams();
  packets();
  descriptors();
  credentials();
  options();
  making();
  several();
  held();
  waiting();
  chdir("/");
  printf("left behind nothing: %d\n", rmdir(where) == 0);
}
