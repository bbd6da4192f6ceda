// SPDX-License-Identifier: MIT
//
// Locks of files: record locks with their deadlocks and their owners, locks of open file descriptions, flock; leases,
// directory notification and signals for input; and each error of the manual pages.

#define _GNU_SOURCE
#include "outcome.h"
#include "asleep.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2
#define CLOSE_RANGE_CLOEXEC 4
#endif
#define close_range(a, b, c) syscall(SYS_close_range, a, b, c)

static int lock(int f, int command, int type, long start, long len) {
  struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
  return fcntl(f, command, &l);
}

static void who(int f, int command, int type, long start, long len) {
  struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
  int r = fcntl(f, command, &l);
  if (r < 0) printf("getlk: errno %d\n", errno);
  else if (l.l_type == F_UNLCK) printf("getlk: free\n");
  else printf("getlk: type %d from %ld for %ld, %s\n", l.l_type, (long)l.l_start, (long)l.l_len, l.l_pid == -1 ? "a description" : l.l_pid == getppid() ? "parent" : "somebody");
  fflush(stdout);
}

static void records(void) {
  int f = open("file", O_CREAT | O_RDWR, 0644), r = open("file", O_RDONLY), w = open("file", O_WRONLY);
  CALL(lock(f, F_SETLK, F_WRLCK, 10, 10));
  CALL(lock(f, F_SETLK, F_RDLCK, 30, 0));
  CHILD({
    who(f, F_GETLK, F_WRLCK, 0, 0);
    who(f, F_GETLK, F_RDLCK, 25, 0);
    who(f, F_GETLK, F_WRLCK, 25, 100);
    who(f, F_GETLK, F_WRLCK, 0, 10);
    CALL(lock(f, F_SETLK, F_RDLCK, 40, 5));
    CALL(lock(f, F_SETLK, F_WRLCK, 40, 5));
    CALL(lock(f, F_SETLK, F_WRLCK, 19, 1));
    CALL(lock(f, F_SETLK, F_WRLCK, 20, 10));
  });
  CALL(lock(f, F_SETLK, F_WRLCK, 12, 2));
  CALL(lock(f, F_SETLK, F_UNLCK, 14, 2));
  CHILD(who(f, F_GETLK, F_WRLCK, 14, 0); who(f, F_GETLK, F_WRLCK, 14, 2));
  CALL(lock(f, F_SETLK, F_RDLCK, 0, 12));
  CHILD(who(f, F_GETLK, F_WRLCK, 0, 0));
  close(dup(f));
  CHILD(who(f, F_GETLK, F_WRLCK, 0, 0));
  lock(f, F_SETLK, F_WRLCK, 0, 5);
  close(open("file", O_RDONLY));
  CHILD(who(f, F_GETLK, F_WRLCK, 0, 0));
  lseek(f, 100, SEEK_SET);
  ftruncate(f, 1000);
  struct flock l = {F_WRLCK, SEEK_CUR, -10, 5};
  CALL(fcntl(f, F_SETLK, &l));
  CHILD(who(f, F_GETLK, F_WRLCK, 0, 0));
  l = (struct flock){F_WRLCK, SEEK_END, -10, -5};
  CALL(fcntl(f, F_SETLK, &l));
  CHILD(who(f, F_GETLK, F_WRLCK, 200, 0));
  l = (struct flock){F_WRLCK, SEEK_SET, 5, -10};
  CALL(fcntl(f, F_SETLK, &l));
  l = (struct flock){F_WRLCK, SEEK_SET, -1, 10};
  CALL(fcntl(f, F_SETLK, &l));
  l = (struct flock){F_WRLCK, 7, 0, 10};
  CALL(fcntl(f, F_SETLK, &l));
  l = (struct flock){7, SEEK_SET, 0, 10};
  CALL(fcntl(f, F_SETLK, &l));
  CALL(fcntl(f, F_GETLK, &l));
  l = (struct flock){F_UNLCK, SEEK_SET, 0, 10};
  CALL(fcntl(f, F_GETLK, &l));
  CALL(lock(r, F_SETLK, F_WRLCK, 0, 1));
  CALL(lock(w, F_SETLK, F_RDLCK, 0, 1));
  CALL(lock(w, F_SETLK, F_WRLCK, 0, 1));
  CALL(lock(999, F_SETLK, F_WRLCK, 0, 1));
  CALL(fcntl(f, F_SETLK, (void *)8));
  CALL(fcntl(f, F_GETLK, (void *)8));
  close(r), close(w), close(f);
}

static void nothing(int s) {}

static void waiting(void) {
  int f = open("file", O_RDWR), go[2], ready[2];
  char c;
  pipe(go), pipe(ready);
  lock(f, F_SETLK, F_WRLCK, 0, 1);
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    lock(f, F_SETLK, F_WRLCK, 1, 1);
    write(ready[1], "x", 1);
    read(go[0], &c, 1);
    CALL(lock(f, F_SETLKW, F_WRLCK, 0, 1));
    _exit(0);
  }
  read(ready[0], &c, 1);
  CHILD({
    struct sigaction a = {.sa_handler = nothing};
    sigaction(SIGALRM, &a, 0);
    // Again and again: the first may come before the call.
    ualarm(10000, 10000);
    CALL(lock(f, F_SETLKW, F_WRLCK, 0, 1));
  });
  write(go[1], "x", 1);
  await_asleep(p, p);
  // The child waits for our lock and holds the one we want.
  CALL(lock(f, F_SETLKW, F_WRLCK, 1, 1));
  CALL(lock(f, F_SETLK, F_WRLCK, 1, 1));
  lock(f, F_SETLK, F_UNLCK, 0, 1);
  waitpid(p, 0, 0);
  CALL(lock(f, F_SETLKW, F_WRLCK, 1, 1));
  close(f), close(go[0]), close(go[1]), close(ready[0]), close(ready[1]);
}

static void *other_thread(void *p) {
  CALL(lock(*(int *)p, F_SETLK, F_WRLCK, 0, 10));
  return 0;
}

static void descriptions(void) {
  int f = open("file", O_RDWR), g = open("file", O_RDWR);
  CALL(lock(f, F_OFD_SETLK, F_WRLCK, 0, 10));
  CALL(lock(g, F_OFD_SETLK, F_WRLCK, 5, 10));
  who(g, F_OFD_GETLK, F_WRLCK, 5, 10);
  CALL(lock(f, F_SETLK, F_WRLCK, 5, 10));
  CALL(lock(g, F_OFD_SETLK, F_RDLCK, 20, 10));
  close(dup(f));
  close(open("file", O_RDONLY));
  CHILD({
    CALL(lock(g, F_OFD_SETLK, F_WRLCK, 0, 1));
    CALL(lock(f, F_OFD_SETLK, F_UNLCK, 0, 1));
  });
  CALL(lock(g, F_OFD_SETLK, F_WRLCK, 0, 1));
  struct flock l = {F_WRLCK, SEEK_SET, 0, 1, 7};
  CALL(fcntl(f, F_OFD_SETLK, &l));
  CALL(fcntl(f, F_OFD_GETLK, &l));
  close(f), close(g);
  f = open("file", O_RDWR);
  lock(f, F_SETLK, F_WRLCK, 0, 10);
  pthread_t t;
  pthread_create(&t, 0, other_thread, &f);
  pthread_join(t, 0);
  close(f);
}

static void whole(void) {
  int f = open("file", O_RDONLY), g = open("file", O_RDWR);
  CALL(flock(f, LOCK_SH));
  CALL(flock(g, LOCK_SH | LOCK_NB));
  CALL(flock(g, LOCK_EX | LOCK_NB));
  CALL(flock(g, LOCK_EX | LOCK_NB));
  CALL(flock(f, LOCK_UN));
  CALL(flock(g, LOCK_EX | LOCK_NB));
  CALL(flock(dup(g), LOCK_SH | LOCK_NB));
  CHILD(CALL(flock(f, LOCK_EX | LOCK_NB)); CALL(flock(g, LOCK_EX | LOCK_NB)); CALL(lock(g, F_SETLK, F_WRLCK, 0, 0)));
  CALL(flock(f, 0));
  CALL(flock(f, LOCK_SH | LOCK_EX));
  CALL(flock(f, 64));
  CALL(flock(999, LOCK_SH));
  CALL(flock(open("file", O_PATH), LOCK_SH));
  int d = open(".", O_RDONLY);
  CALL(flock(d, LOCK_EX));
  flock(g, LOCK_EX);
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    CALL(flock(f, LOCK_EX));
    _exit(0);
  }
  usleep(10000);
  printf("given back\n");
  fflush(stdout);
  flock(g, LOCK_UN);
  waitpid(p, 0, 0);
  close(f), close(g), close(d);
}

static void leases(void) {
  int f = open("file", O_RDONLY), p[2];
  pipe(p);
  CALL(fcntl(f, F_GETLEASE));
  CALL(fcntl(f, F_SETLEASE, F_UNLCK));
  CALL(fcntl(p[0], F_SETLEASE, F_RDLCK));
  CALL(fcntl(f, F_SETLEASE, 7));
  CALL(fcntl(f, F_NOTIFY, 1));
  CALL(fcntl(f, 9999));
  CALL(fcntl(999, F_GETFL));
  close(f), close(p[0]), close(p[1]);
}

static volatile int got, band, code, from;
static void input(int s, siginfo_t *i, void *c) { got = s, band = i->si_band, code = i->si_code, from = i->si_fd; }

static void owners(void) {
  int p[2], s[2];
  pipe(p), socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  CALL(fcntl(p[0], F_GETOWN));
  CALL(fcntl(p[0], F_SETOWN, getpid()));
  CALL(fcntl(p[0], F_GETOWN) == getpid());
  CALL(fcntl(p[0], F_SETOWN, -getpgrp()));
  CALL(syscall(SYS_fcntl, p[0], F_SETOWN, 0x7ffffff0));
  CALL(syscall(SYS_fcntl, p[0], F_SETOWN, 0x80000000));
  struct f_owner_ex e = {F_OWNER_PID, getpid()};
  CALL(fcntl(p[0], F_SETOWN_EX, &e));
  memset(&e, 0, sizeof e);
  CALL(fcntl(p[0], F_GETOWN_EX, &e));
  printf("%d %d\n", e.type, e.pid == getpid());
  e.type = 9;
  CALL(fcntl(p[0], F_SETOWN_EX, &e));
  CALL(fcntl(p[0], F_SETOWN_EX, (void *)8));
  CALL(fcntl(p[0], F_GETSIG));
  CALL(fcntl(p[0], F_SETSIG, 65));
  CALL(fcntl(p[0], F_SETSIG, SIGUSR1));
  CALL(fcntl(p[0], F_GETSIG));
  struct sigaction a = {.sa_sigaction = input, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGUSR1, &a, 0), sigaction(SIGIO, &a, 0);
  CALL(fcntl(p[0], F_SETFL, O_ASYNC));
  CALL((fcntl(p[0], F_GETFL) & O_ASYNC) != 0);
  write(p[1], "x", 1);
  printf("signal %d code %d band %#x descriptor %d\n", got, code, band, from == p[0]);
  got = 0;
  CALL(fcntl(p[0], F_SETFL, 0));
  write(p[1], "x", 1);
  printf("signal %d\n", got);
  fcntl(s[0], F_SETOWN, getpid());
  int one = 1;
  CALL(ioctl(s[0], FIOASYNC, &one));
  write(s[1], "x", 1);
  printf("signal %d code %d\n", got, code);
  got = 0;
  CHILD(CALL(write(s[1], "x", 1)));
  printf("signal %d from a child's write\n", got);
  got = 0;
  close(s[1]);
  printf("signal %d when the other end closes\n", got);
  int f = open("file", O_RDWR);
  CALL(fcntl(f, F_SETFL, O_ASYNC));
  CALL((fcntl(f, F_GETFL) & O_ASYNC) != 0);
  CALL(ioctl(f, FIOASYNC, &one));
  close(p[0]), close(p[1]), close(s[0]), close(f);
}

static void tables(void) {
  int f = open("file", O_RDWR);
  CALL(dup3(f, f, 0));
  CALL(dup3(f, 100, 1));
  CALL(dup3(999, 100, 0));
  CALL(dup3(f, 100, O_CLOEXEC));
  CALL(fcntl(100, F_GETFD));
  CALL(dup2(f, 100));
  CALL(fcntl(100, F_GETFD));
  CALL(dup2(999, 999));
  CALL(dup2(f, -1));
  CALL(dup2(f, 1 << 20));
  CALL(dup(999));
  CALL(fcntl(f, F_DUPFD, -1));
  CALL(fcntl(f, F_DUPFD, 1 << 21));
  CALL(fcntl(f, F_DUPFD_CLOEXEC, 200));
  CALL(fcntl(200, F_GETFD));
  CALL(close_range(100, 90, 0));
  CALL(close_range(90, 300, 8));
  CALL(close_range(90, 150, CLOSE_RANGE_CLOEXEC));
  CALL(fcntl(100, F_GETFD));
  CALL(close_range(90, -1, CLOSE_RANGE_UNSHARE));
  CALL(close(100));
  struct rlimit l;
  getrlimit(RLIMIT_NOFILE, &l);
  CHILD({
    l.rlim_cur = 50;
    setrlimit(RLIMIT_NOFILE, &l);
    CALL(dup2(f, 50));
    CALL(dup2(f, 49));
    CALL(fcntl(f, F_DUPFD, 49));
    CALL(fcntl(f, F_DUPFD, 50));
    while (dup(f) >= 0);
    printf("no more: errno %d\n", errno);
    CALL(open("file", O_RDONLY));
  });
  CALL(close(999));
  CALL(close(-1));
  CALL(fcntl(f, F_SETFL, O_NOATIME | O_APPEND | O_NONBLOCK | O_WRONLY | O_CREAT));
  CALL(fcntl(f, F_GETFL) & ~0100000);
  close(f);
}

int main(void) {
  char where[] = "/tmp/locks-XXXXXX";
  if (!mkdtemp(where) || chdir(where)) return 1;
  records();
  waiting();
  descriptions();
  whole();
  leases();
  owners();
  tables();
  unlink("file"), chdir("/");
  printf("left behind nothing: %d\n", rmdir(where) == 0);
}
