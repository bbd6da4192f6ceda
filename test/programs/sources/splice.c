// SPDX-License-Identifier: MIT
//
// Bytes between descriptors without a buffer: splice, tee, vmsplice, sendfile, copy_file_range; pipes' sizes, packets
// and FIFOs; and each error of the manual pages.

#define _GNU_SOURCE
#include "outcome.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

static char buf[100000];

static int file(const char *name, const char *text) {
  int f = open(name, O_CREAT | O_RDWR | O_TRUNC, 0644);
  write(f, text, strlen(text));
  lseek(f, 0, SEEK_SET);
  return f;
}

static void contents(const char *name) {
  memset(buf, 0, 200);
  int f = open(name, O_RDONLY), r = read(f, buf, 200);
  close(f);
  printf("%s has %d: %s\n", name, r, buf);
}

static void splicing(void) {
  int p[2], q[2];
  pipe(p), pipe2(q, O_NONBLOCK);
  int f = file("f", "0123456789"), g = file("g", "abcdefghij");
  loff_t at = 2, to = 3;
  CALL(splice(f, &at, p[1], 0, 4, 0));
  SHOW(at);
  SHOW(lseek(f, 0, SEEK_CUR));
  CALL(splice(f, 0, p[1], 0, 3, SPLICE_F_MOVE | SPLICE_F_MORE));
  SHOW(lseek(f, 0, SEEK_CUR));
  CALL(splice(p[0], 0, g, &to, 5, 0));
  SHOW(to);
  CALL(splice(p[0], 0, g, 0, 100, 0));
  SHOW(lseek(g, 0, SEEK_CUR));
  contents("g");
  CALL(splice(p[0], 0, g, 0, 100, SPLICE_F_NONBLOCK));
  at = 100;
  CALL(splice(f, &at, p[1], 0, 10, 0));
  CALL(splice(f, 0, g, 0, 10, 0));
  CALL(splice(p[0], &at, g, 0, 10, 0));
  CALL(splice(f, 0, p[1], &at, 10, 0));
  CALL(splice(p[0], 0, p[1], 0, 10, 0));
  CALL(splice(p[1], 0, g, 0, 10, 0));
  CALL(splice(f, 0, p[0], 0, 10, 0));
  CALL(splice(999, 0, p[1], 0, 10, 0));
  CALL(splice(f, 0, 999, 0, 10, 0));
  CALL(splice(f, 0, p[1], 0, 10, 0x100));
  CALL(splice(f, 0, p[1], 0, 0, 0));
  CALL(splice(f, 0, p[1], 0, 0, 0x100));
  CALL(splice(f, (void *)8, p[1], 0, 10, 0));
  at = -1;
  CALL(splice(f, &at, p[1], 0, 10, 0));
  int a = open("f", O_WRONLY | O_APPEND), d = open(".", O_RDONLY), w = open("f", O_WRONLY), e = eventfd(0, 0);
  CALL(splice(p[0], 0, a, 0, 10, 0));
  CALL(splice(d, 0, p[1], 0, 10, 0));
  CALL(splice(w, 0, p[1], 0, 10, 0));
  write(p[1], "xyz", 3);
  CALL(splice(e, 0, p[1], 0, 10, SPLICE_F_NONBLOCK));
  CALL(splice(p[0], 0, q[1], 0, 2, 0));
  CALL(read(q[0], buf, 10));
  CALL(splice(q[0], 0, p[1], 0, 2, 0));
  CALL(read(p[0], buf, 10));
  int s[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  write(s[0], "socket", 6);
  CALL(splice(s[1], 0, p[1], 0, 100, 0));
  CALL(splice(p[0], 0, s[1], 0, 4, 0));
  CALL(read(s[0], buf, 10));
  close(s[0]);
  signal(SIGPIPE, SIG_IGN);
  CALL(splice(p[0], 0, s[1], 0, 4, 0));
  close(q[0]);
  write(p[1], "xyz", 3);
  CALL(splice(p[0], 0, q[1], 0, 4, 0));
  close(p[1]);
  int null = open("/dev/null", O_WRONLY);
  CALL(splice(p[0], 0, null, 0, 100, 0));
  CALL(splice(p[0], 0, null, 0, 100, 0));
  close(p[0]), close(q[1]), close(s[1]), close(a), close(d), close(w), close(e), close(f), close(g), close(null);
  pipe(p);
  fflush(stdout);
  if (fork() == 0) {
    usleep(10000);
    write(p[1], "late", 4);
    _exit(0);
  }
  g = file("g", "");
  CALL(splice(p[0], 0, g, 0, 100, 0));
  wait(0);
  close(p[0]), close(p[1]), close(g);
}

static void teeing(void) {
  int p[2], q[2];
  pipe(p), pipe(q);
  write(p[1], "to be doubled", 13);
  CALL(tee(p[0], q[1], 5, 0));
  CALL(tee(p[0], q[1], 100, 0));
  CALL(read(q[0], buf, 100));
  CALL(read(p[0], buf, 100));
  CALL(tee(p[0], q[1], 100, SPLICE_F_NONBLOCK));
  CALL(tee(p[0], p[1], 100, 0));
  CALL(tee(p[0], q[1], 0, 0));
  CALL(tee(p[0], q[1], 1, 0x100));
  CALL(tee(p[1], q[1], 1, 0));
  CALL(tee(p[0], q[0], 1, 0));
  CALL(tee(999, q[1], 1, 0));
  int f = file("f", "x");
  CALL(tee(f, q[1], 1, 0));
  CALL(tee(p[0], f, 1, 0));
  close(p[1]);
  CALL(tee(p[0], q[1], 1, 0));
  close(p[0]), close(q[0]), close(q[1]), close(f);
  pipe(p);
  struct iovec v[2] = {{"vm", 2}, {"splice", 6}}, bad = {(void *)8, 4};
  CALL(vmsplice(p[1], v, 2, 0));
  CALL(vmsplice(p[1], v, 0, 0));
  CALL(vmsplice(p[1], &bad, 1, 0));
  CALL(vmsplice(p[1], (void *)8, 1, 0));
  CALL(vmsplice(p[1], v, 1025, 0));
  CALL(vmsplice(p[1], v, 1, 0x100));
  CALL(vmsplice(1, v, 1, 0));
  CALL(vmsplice(999, v, 1, 0));
  struct iovec in = {buf, 100};
  CALL(vmsplice(p[0], &in, 1, 0));
  CALL(vmsplice(p[0], &in, 1, SPLICE_F_NONBLOCK));
  close(p[0]);
  CALL(vmsplice(p[1], v, 1, 0));
  close(p[1]);
}

static void sending(void) {
  int p[2];
  pipe(p);
  int f = file("f", "0123456789"), g = file("g", "");
  off_t at = 4;
  CALL(sendfile(p[1], f, &at, 3));
  SHOW(at);
  CALL(sendfile(p[1], f, 0, 100));
  SHOW(lseek(f, 0, SEEK_CUR));
  CALL(sendfile(p[1], f, 0, 100));
  CALL(read(p[0], buf, 100));
  at = 0;
  CALL(sendfile(g, f, &at, 5));
  CALL(sendfile(g, f, &at, 100));
  contents("g");
  CALL(sendfile(g, p[0], 0, 1));
  CALL(sendfile(g, p[0], &at, 1));
  CALL(sendfile(p[0], f, 0, 1));
  CALL(sendfile(999, f, 0, 1));
  CALL(sendfile(g, 999, 0, 1));
  CALL(sendfile(g, f, (void *)8, 1));
  at = -1;
  CALL(sendfile(g, f, &at, 1));
  CALL(sendfile(g, f, 0, -1));
  int a = open("g", O_WRONLY | O_APPEND), d = open(".", O_RDONLY), w = open("f", O_WRONLY);
  at = 0;
  CALL(sendfile(a, f, &at, 1));
  CALL(sendfile(g, d, 0, 1));
  CALL(sendfile(g, w, 0, 1));
  close(p[0]);
  at = 0;
  CALL(sendfile(p[1], f, &at, 1));
  int n = open("/dev/null", O_WRONLY);
  CALL(sendfile(n, f, &at, 100));
  NOBODY({
    struct rlimit l = {3, 3};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &l);
    lseek(g, 0, SEEK_SET);
    at = 0;
    int r = sendfile(g, f, &at, 10), e = errno;
    fprintf(stderr, "%d %d", r, e);
  });
  close(a), close(d), close(w), close(f), close(g), close(p[1]), close(n);
}

static void copying(void) {
  int f = file("f", "0123456789"), g = file("g", "");
  loff_t in = 2, out = 1;
  CALL(copy_file_range(f, &in, g, &out, 4, 0));
  printf("%ld %ld\n", (long)in, (long)out);
  CALL(copy_file_range(f, 0, g, 0, 3, 0));
  printf("%ld %ld\n", (long)lseek(f, 0, SEEK_CUR), (long)lseek(g, 0, SEEK_CUR));
  contents("f");
  CALL(copy_file_range(f, 0, g, 0, 100, 0));
  CALL(copy_file_range(f, 0, g, 0, 100, 0));
  in = 0, out = 5;
  CALL(copy_file_range(f, &in, f, &out, 5, 0));
  contents("f");
  in = 0, out = 2;
  CALL(copy_file_range(f, &in, f, &out, 5, 0));
  CALL(copy_file_range(f, 0, g, 0, 5, 1));
  CALL(copy_file_range(999, 0, g, 0, 5, 0));
  CALL(copy_file_range(f, 0, 999, 0, 5, 0));
  CALL(copy_file_range(f, (void *)8, g, 0, 5, 0));
  in = -1;
  CALL(copy_file_range(f, &in, g, 0, 5, 0));
  in = LLONG_MAX;
  CALL(copy_file_range(f, &in, g, 0, 5, 0));
  out = LLONG_MAX, in = 0;
  CALL(copy_file_range(f, &in, g, &out, 5, 0));
  int a = open("g", O_WRONLY | O_APPEND), d = open(".", O_RDONLY), w = open("f", O_WRONLY), r = open("g", O_RDONLY), p[2];
  pipe(p);
  CALL(copy_file_range(f, 0, a, 0, 5, 0));
  CALL(copy_file_range(d, 0, g, 0, 5, 0));
  CALL(copy_file_range(w, 0, g, 0, 5, 0));
  CALL(copy_file_range(f, 0, r, 0, 5, 0));
  CALL(copy_file_range(p[0], 0, g, 0, 5, 0));
  CALL(copy_file_range(f, 0, p[1], 0, 5, 0));
  CALL(copy_file_range(f, 0, g, 0, 0, 0));
  close(a), close(d), close(w), close(r), close(p[0]), close(p[1]), close(f), close(g);
}

static void pipes(void) {
  int p[2], n;
  CALL(pipe2(p, 0x1));
  CALL(pipe((void *)8));
  pipe(p);
  CALL(fcntl(p[0], F_GETPIPE_SZ));
  CALL(fcntl(p[0], F_SETPIPE_SZ, 5000));
  CALL(fcntl(p[1], F_GETPIPE_SZ));
  CALL(fcntl(p[0], F_SETPIPE_SZ, 0));
  CALL(fcntl(p[0], F_SETPIPE_SZ, 1 << 20));
  write(p[1], buf, 20000);
  CALL(fcntl(p[0], F_SETPIPE_SZ, 4096));
  CALL(fcntl(p[0], F_SETPIPE_SZ, 0x80000001));
  CALL(fcntl(1, F_GETPIPE_SZ));
  NOBODY(CALL(fcntl(p[0], F_SETPIPE_SZ, 1 << 21)));
  CALL(ioctl(p[0], FIONREAD, &n));
  SHOW(n);
  CALL(ioctl(p[0], 0x1234, &n));
  CALL(lseek(p[0], 0, SEEK_SET));
  CALL(pread(p[0], buf, 1, 0));
  CALL(write(p[0], buf, 1));
  CALL(read(p[1], buf, 1));
  CALL(fsync(p[0]));
  CALL(ftruncate(p[1], 0));
  CALL(read(p[0], (void *)8, 10));
  CALL(write(p[1], (void *)8, 10));
  CALL(read(p[0], buf, 0));
  close(p[0]), close(p[1]);
  CALL(pipe2(p, O_DIRECT | O_NONBLOCK));
  write(p[1], "one", 3), write(p[1], "two two", 7);
  CALL(read(p[0], buf, 100));
  CALL(read(p[0], buf, 3));
  CALL(read(p[0], buf, 100));
  CALL(write(p[1], buf, 10000));
  CALL(read(p[0], buf, 100000));
  CALL(read(p[0], buf, 100000));
  CALL(read(p[0], buf, 100000));
  CALL(fcntl(p[0], F_GETFL) & ~0100000);
  CALL(fcntl(p[1], F_SETFL, 0));
  write(p[1], "a", 1), write(p[1], "b", 1);
  CALL(read(p[0], buf, 100));
  close(p[0]), close(p[1]);
  pipe2(p, O_NONBLOCK | O_CLOEXEC);
  int total = 0, r;
  while ((r = write(p[1], buf, 4096)) > 0) total += r;
  printf("holds %d, errno %d\n", total, errno);
  struct pollfd w = {p[1], POLLOUT};
  printf("full: %d\n", poll(&w, 1, 0));
  CALL(read(p[0], buf, 4095));
  printf("a page less one byte: %d\n", poll(&w, 1, 0));
  CALL(read(p[0], buf, 1));
  printf("a page: %d\n", poll(&w, 1, 0));
  CALL(write(p[1], buf, 5000));
  close(p[0]), close(p[1]);
}

static void fifos(void) {
  mkfifo("fifo", 0600);
  CALL(mkfifo("fifo", 0600));
  CALL(open("fifo", O_WRONLY | O_NONBLOCK));
  int r = OK(open("fifo", O_RDONLY | O_NONBLOCK)), w;
  CALL(read(r, buf, 10));
  struct pollfd p = {r, POLLIN};
  printf("no writer yet: %d %#x\n", poll(&p, 1, 0), p.revents);
  w = OK(open("fifo", O_WRONLY | O_NONBLOCK));
  CALL(read(r, buf, 10));
  write(w, "x", 1);
  close(w);
  printf("writer gone: %d %#x\n", poll(&p, 1, 0), p.revents);
  CALL(read(r, buf, 10));
  CALL(read(r, buf, 10));
  printf("and empty: %d %#x\n", poll(&p, 1, 0), p.revents);
  close(r);
  int b = OK(open("fifo", O_RDWR));
  CALL(write(b, "both", 4));
  CALL(read(b, buf, 10));
  close(b);
  fflush(stdout);
  if (fork() == 0) {
    usleep(10000);
    w = open("fifo", O_WRONLY);
    write(w, "from the child", 14);
    _exit(0);
  }
  r = OK(open("fifo", O_RDONLY));
  CALL(read(r, buf, 100));
  CALL(read(r, buf, 100));
  wait(0);
  close(r);
  unlink("fifo");
}

/** Sockets at either side of a pipe: the call sleeps until the other side of the socket does something. */
static void sockets(void) {
  int p[2], s[2];
  pipe(p);
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  for (int way = 0; way < 2; way++) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      usleep(20000);
      write(s[1], "from a socket", 13);
      _exit(0);
    }
    if (way == 0) CALL(splice(s[0], 0, p[1], 0, 100, 0));
    else CALL(sendfile(p[1], s[0], 0, 100));
    waitpid(child, 0, 0);
    CALL(read(p[0], buf, 100));
  }
  CALL(sendfile(p[1], s[0], &(off_t){0}, 100));
  CALL(sendfile(s[0], s[1], 0, 100));
  CALL(sendfile(p[1], p[0], 0, 100));
  // A socket without room for what a pipe has.
  fcntl(s[0], F_SETFL, O_NONBLOCK);
  while (write(s[0], buf, sizeof buf) > 0)
    ;
  write(p[1], "through a pipe", 14);
  CALL(splice(p[0], 0, s[0], 0, 100, 0));
  fcntl(s[0], F_SETFL, 0);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    usleep(20000);
    fcntl(s[1], F_SETFL, O_NONBLOCK);
    while (read(s[1], buf, sizeof buf) > 0)
      ;
    _exit(0);
  }
  CALL(splice(p[0], 0, s[0], 0, 100, 0));
  waitpid(child, 0, 0);
  close(p[0]), close(p[1]), close(s[0]), close(s[1]);
}

int main(void) {
  char where[] = "/tmp/splice-XXXXXX";
  if (!mkdtemp(where) || chdir(where)) return 1;
  chmod(".", 0777);
  umask(022);
  splicing();
  teeing();
  sending();
  copying();
  sockets();
  pipes();
  fifos();
  unlink("f"), unlink("g"), chdir("/");
  printf("left behind nothing: %d\n", rmdir(where) == 0);
}
