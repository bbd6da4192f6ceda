// SPDX-License-Identifier: MIT
//
// Waiting for several descriptors: epoll in all its modes, nested and shared; poll, ppoll, select, pselect6; and each
// error of the manual pages.

#define _GNU_SOURCE
#include "outcome.h"
#include "asleep.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef EPOLLEXCLUSIVE
#define EPOLLEXCLUSIVE (1u << 28)
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

static int ctl(int e, int op, int fd, unsigned events) {
  struct epoll_event v = {events, {.u64 = fd}};
  return epoll_ctl(e, op, fd, &v);
}

static void events(const char *what, int e) {
  struct epoll_event v[8];
  int n = epoll_wait(e, v, 8, 0);
  printf("%s: %d", what, n);
  for (int i = 0; i < n; i++) printf(" [%#x]", v[i].events);
  printf("\n");
  fflush(stdout);
}

static void modes(void) {
  int e = epoll_create1(0), p[2];
  pipe2(p, O_NONBLOCK);
  CALL(ctl(e, EPOLL_CTL_ADD, p[0], EPOLLIN));
  CALL(ctl(e, EPOLL_CTL_ADD, p[1], EPOLLOUT | EPOLLET));
  events("writable, an edge", e);
  events("once", e);
  write(p[1], "abc", 3);
  events("level", e);
  events("level again", e);
  CALL(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET));
  events("edge", e);
  events("edge again", e);
  write(p[1], "d", 1);
  events("another edge", e);
  char c;
  read(p[0], &c, 1);
  events("reading makes room, which is an edge of the writer", e);
  CALL(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT));
  events("one shot", e);
  write(p[1], "d", 1);
  events("shot", e);
  CALL(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT));
  events("loaded again", e);
  CALL(ctl(e, EPOLL_CTL_DEL, p[1], 0));
  CALL(ctl(e, EPOLL_CTL_MOD, p[0], 0));
  close(p[1]);
  events("a hang-up needs no asking", e);
  int d = dup(p[0]);
  close(p[0]);
  events("a copy keeps the watch", e);
  close(d);
  events("gone", e);
  close(e);
}

static void fairness(void) {
  int e = epoll_create1(0), f[4];
  struct epoll_event v[2];
  for (int i = 0; i < 4; i++) {
    f[i] = eventfd(1, 0);
    struct epoll_event w = {EPOLLIN, {.u32 = i}};
    epoll_ctl(e, EPOLL_CTL_ADD, f[i], &w);
  }
  for (int i = 0; i < 4; i++) {
    int n = epoll_wait(e, v, 2, 0);
    printf("%d: %d %d\n", n, v[0].data.u32, v[1].data.u32);
  }
  for (int i = 0; i < 4; i++) close(f[i]);
  close(e);
}

static void nested(void) {
  int e[7], p[2];
  pipe(p);
  for (int i = 0; i < 7; i++) e[i] = epoll_create1(0);
  CALL(ctl(e[0], EPOLL_CTL_ADD, p[0], EPOLLIN));
  for (int i = 1; i < 6; i++) CALL(ctl(e[i], EPOLL_CTL_ADD, e[i - 1], EPOLLIN));
  CALL(ctl(e[0], EPOLL_CTL_ADD, e[2], EPOLLIN));
  CALL(ctl(e[0], EPOLL_CTL_ADD, e[0], EPOLLIN));
  events("quiet", e[2]);
  write(p[1], "x", 1);
  events("through three", e[2]);
  struct pollfd q = {e[1], POLLIN};
  printf("poll %d %#x\n", poll(&q, 1, 0), q.revents);
  char c;
  read(p[0], &c, 1);
  events("quiet again", e[2]);
  for (int i = 0; i < 7; i++) close(e[i]);
  close(p[0]), close(p[1]);
}

static void errors(void) {
  int e = epoll_create1(EPOLL_CLOEXEC), p[2], f = open("/proc/self/exe", O_RDONLY), d = open("/", O_RDONLY);
  struct epoll_event v[4];
  pipe(p);
  CALL(fcntl(e, F_GETFD));
  CALL(epoll_create(0));
  CALL(epoll_create(-1));
  CALL(epoll_create1(1));
  CALL(ctl(e, EPOLL_CTL_ADD, f, EPOLLIN));
  CALL(ctl(e, EPOLL_CTL_ADD, d, EPOLLIN));
  CALL(ctl(e, EPOLL_CTL_ADD, 999, EPOLLIN));
  CALL(ctl(999, EPOLL_CTL_ADD, p[0], EPOLLIN));
  CALL(ctl(p[1], EPOLL_CTL_ADD, p[0], EPOLLIN));
  CALL(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLIN));
  CALL(ctl(e, EPOLL_CTL_DEL, p[0], EPOLLIN));
  CALL(ctl(e, EPOLL_CTL_ADD, p[0], EPOLLIN));
  CALL(ctl(e, EPOLL_CTL_ADD, p[0], EPOLLIN));
  CALL(ctl(e, 9, p[0], EPOLLIN));
  CALL(epoll_ctl(e, EPOLL_CTL_ADD, p[1], (void *)8));
  CALL(epoll_ctl(e, EPOLL_CTL_DEL, p[0], (void *)8));
  CALL(ctl(e, EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE));
  CALL(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLIN));
  CALL(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLEXCLUSIVE));
  CALL(ctl(e, EPOLL_CTL_ADD, p[1], EPOLLOUT | EPOLLEXCLUSIVE | EPOLLONESHOT));
  CALL(ctl(e, EPOLL_CTL_ADD, p[1], EPOLLOUT));
  CALL(ctl(e, EPOLL_CTL_MOD, p[1], EPOLLOUT | EPOLLEXCLUSIVE));
  int inner = epoll_create1(0);
  CALL(ctl(e, EPOLL_CTL_ADD, inner, EPOLLIN | EPOLLEXCLUSIVE));
  CALL(epoll_wait(e, v, 0, 0));
  CALL(epoll_wait(e, v, -1, 0));
  CALL(epoll_wait(e, (void *)8, 4, 0));
  CALL(epoll_wait(999, v, 4, 0));
  CALL(epoll_wait(p[0], v, 4, 0));
  CALL(syscall(SYS_epoll_pwait, e, v, 4, 0, v, 4));
  CALL(syscall(SYS_epoll_pwait, e, v, 4, 0, (void *)8, 8));
  struct timespec bad = {0, 1000000000}, none = {0, 0};
  CALL(syscall(SYS_epoll_pwait2, e, v, 4, &bad, 0, 8));
  CALL(syscall(SYS_epoll_pwait2, e, v, 4, (void *)8, 0, 8));
  CALL(syscall(SYS_epoll_pwait2, e, v, 4, &none, 0, 8));
  CALL(read(e, v, 1));
  CALL(write(e, v, 1));
  CALL(lseek(e, 0, SEEK_SET));
  close(e), close(p[0]), close(p[1]), close(f), close(d), close(inner);
}

static int shared, gate[2];
static volatile int tids[3], waiting;
static void *waiter(void *p) {
  struct epoll_event v;
  tids[__sync_fetch_and_add(&waiting, 1)] = syscall(SYS_gettid);
  int n = epoll_wait(shared, &v, 1, -1);
  __sync_fetch_and_add((int *)p, n);
  return 0;
}

static void threads(void) {
  shared = epoll_create1(0);
  pipe(gate);
  ctl(shared, EPOLL_CTL_ADD, gate[0], EPOLLIN | EPOLLET);
  int woken = 0;
  pthread_t t[3];
  for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, waiter, &woken);
  for (int i = 0; i < 3; i++) {
    while (tids[i] == 0) usleep(200);
    await_asleep(getpid(), tids[i]);
  }
  write(gate[1], "x", 1);
  while (__sync_fetch_and_add(&woken, 0) == 0) usleep(200);
  usleep(20000);
  printf("an edge wakes %d\n", __sync_fetch_and_add(&woken, 0));
  write(gate[1], "x", 1);
  while (__sync_fetch_and_add(&woken, 0) < 2) usleep(200);
  write(gate[1], "x", 1);
  for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
  printf("three edges wake %d\n", woken);
  close(shared), close(gate[0]), close(gate[1]);
}

static volatile int handled;
static void handler(int s) { handled++; }

static void polling(void) {
  int p[2], s[2];
  pipe(p), socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  struct pollfd v[5] = {{p[0], POLLIN}, {p[1], POLLOUT}, {-5, POLLIN, 77}, {999, POLLIN}, {s[0], POLLIN | POLLOUT | POLLRDHUP | POLLPRI}};
  CALL(poll(v, 5, 0));
  printf("%#x %#x %#x %#x %#x\n", v[0].revents, v[1].revents, v[2].revents, v[3].revents, v[4].revents);
  close(p[0]), shutdown(s[1], SHUT_WR);
  v[0].fd = open("/dev/null", O_RDWR);
  v[0].events = 0xffff;
  CALL(poll(v, 5, 0));
  printf("%#x %#x %#x\n", v[0].revents, v[1].revents, v[4].revents);
  CALL(poll(0, 0, 5));
  CALL(poll((void *)8, 1, 0));
  CALL(poll(v, 1 << 21, 0));
  struct timespec t = {0, 5000000}, bad = {0, 1000000000}, neg = {-1, 0};
  CALL(syscall(SYS_ppoll, v + 2, 1, &t, 0, 0));
  printf("left %ld\n", t.tv_nsec);
  CALL(syscall(SYS_ppoll, v, 1, &bad, 0, 0));
  CALL(syscall(SYS_ppoll, v, 1, &neg, 0, 0));
  CALL(syscall(SYS_ppoll, v, 1, (void *)8, 0, 0));
  CALL(syscall(SYS_ppoll, v, 1, 0, v, 4));
  signal(SIGUSR1, handler);
  sigset_t all, old;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &old);
  raise(SIGUSR1);
  printf("held back %d\n", handled);
  CALL(ppoll(v + 2, 1, 0, &old));
  printf("handled %d\n", handled);
  raise(SIGUSR1);
  struct epoll_event w;
  int e = epoll_create1(0);
  CALL(epoll_pwait(e, &w, 1, -1, &old));
  printf("handled %d\n", handled);
  raise(SIGUSR1);
  CALL(pselect(0, 0, 0, 0, 0, &old));
  printf("handled %d\n", handled);
  sigprocmask(SIG_SETMASK, &old, 0);
  close(p[1]), close(s[0]), close(s[1]), close(e), close(v[0].fd);
}

static void selecting(void) {
  int p[2];
  pipe(p);
  fd_set r, w, x;
  FD_ZERO(&r); FD_ZERO(&w); FD_ZERO(&x);
  FD_SET(p[0], &r), FD_SET(p[1], &w), FD_SET(p[0], &x);
  struct timeval t = {5, 0};
  CALL(select(p[1] + 1, &r, &w, &x, &t));
  printf("%d %d %d\n", FD_ISSET(p[0], &r), FD_ISSET(p[1], &w), FD_ISSET(p[0], &x));
  FD_SET(p[0], &r);
  t = (struct timeval){0, 5000};
  CALL(select(p[0] + 1, &r, 0, 0, &t));
  printf("%d left %ld\n", FD_ISSET(p[0], &r), (long)t.tv_usec);
  CALL(select(-1, 0, 0, 0, &t));
  CALL(select(p[0] + 1, (void *)8, 0, 0, &t));
  t = (struct timeval){-1, 0};
  CALL(syscall(SYS_select, 0, 0, 0, 0, &t));
  CALL(syscall(SYS_select, 0, 0, 0, 0, (void *)8));
  FD_ZERO(&r); FD_SET(700, &r);
  t = (struct timeval){0, 0};
  CALL(select(701, &r, 0, 0, &t));
  struct timespec s = {0, 2000000000};
  CALL(syscall(SYS_pselect6, 0, 0, 0, 0, &s, 0));
  CALL(syscall(SYS_pselect6, 0, 0, 0, 0, 0, (void *)8));
  close(p[1]);
  FD_ZERO(&r); FD_SET(p[0], &r);
  CALL(select(p[0] + 1, &r, 0, 0, 0));
  close(p[0]);
  CALL(select(p[0] + 1, &r, 0, 0, 0));
}

int main(void) {
  modes();
  fairness();
  nested();
  errors();
  threads();
  polling();
  selecting();
}
