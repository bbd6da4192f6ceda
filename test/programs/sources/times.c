// SPDX-License-Identifier: MIT
//
// Clocks, sleeps and timers, as far as their answers do not depend on the speed of the machine. One line a fact.

#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

// The call has been made when this runs, so errno is its own.
static void failed(const char *what, long result, int error) { printf("%s: %ld, errno as expected %d\n", what, result, errno == error); }

static int64_t now(clockid_t c) {
  struct timespec t;
  clock_gettime(c, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static volatile int ticks;
static void tick(int s) { (void)s; ticks++; }

static void clocks(void) {
  const clockid_t all[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW,
                           CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI};
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
    int64_t a = now(all[i]), b = now(all[i]);
    struct timespec r;
    int res = clock_getres(all[i], &r);
    printf("clock %d forward %d resolution %d %d\n", all[i], b >= a && a > 0, res, r.tv_sec == 0 && r.tv_nsec > 0);
  }
  struct timespec t;
  failed("bad clock", clock_gettime(77, &t), EINVAL);
  struct timeval v;
  gettimeofday(&v, 0);
  printf("time agrees %d\n", labs(time(0) - v.tv_sec) <= 100 && labs(v.tv_sec - now(CLOCK_REALTIME) / 1000000000) <= 100);
  printf("after 2020 %d\n", time(0) > 1577836800);
}

static void sleeps(void) {
  int64_t a = now(CLOCK_MONOTONIC);
  struct timespec t = {0, 30000000};
  nanosleep(&t, 0);
  printf("slept %d\n", now(CLOCK_MONOTONIC) - a >= 30000000);
  int64_t at = now(CLOCK_MONOTONIC) + 20000000;
  t = (struct timespec){at / 1000000000, at % 1000000000};
  printf("until %d", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0));
  printf(" %d\n", now(CLOCK_MONOTONIC) >= at);
  at = now(CLOCK_REALTIME) + 20000000;
  t = (struct timespec){at / 1000000000, at % 1000000000};
  printf("until real time %d", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, 0));
  printf(" %d\n", now(CLOCK_REALTIME) >= at);
  t = (struct timespec){0, -1};
  failed("negative", nanosleep(&t, 0), EINVAL);
  t = (struct timespec){-1, 0};
  failed("negative seconds", nanosleep(&t, 0), EINVAL);
  failed("nowhere", nanosleep((void *)8, 0), EFAULT);
  printf("thread clock %d\n", clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, 0) == EINVAL);
  int64_t cpu = now(CLOCK_PROCESS_CPUTIME_ID);
  for (volatile int i = 0; i < 1000000; i++) ;
  printf("cpu time passes %d\n", now(CLOCK_PROCESS_CPUTIME_ID) > cpu);
}

static void waits(void) {
  int p[2];
  pipe(p);
  struct pollfd f = {p[0], POLLIN, 0};
  int64_t a = now(CLOCK_MONOTONIC);
  int r = poll(&f, 1, 20);
  printf("poll %d %d\n", r, now(CLOCK_MONOTONIC) - a >= 20000000);
  struct timespec t = {0, 10000000};
  printf("ppoll %d\n", ppoll(&f, 1, &t, 0));
  fd_set s;
  FD_ZERO(&s);
  FD_SET(p[0], &s);
  struct timeval v = {0, 20000};
  r = select(p[0] + 1, &s, 0, 0, &v);
  printf("select %d left %ld\n", r, v.tv_sec * 1000000 + v.tv_usec);
  int e = epoll_create1(0);
  struct epoll_event ev = {EPOLLIN, {.u32 = 5}}, got;
  epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev);
  printf("epoll empty %d\n", epoll_wait(e, &got, 1, 10));
  write(p[1], "x", 1);
  r = epoll_wait(e, &got, 1, 10);
  printf("epoll %d data %u\n", r, got.data.u32);
  printf("poll %d", poll(&f, 1, -1));
  printf(" %x\n", f.revents);
}

static void timer_files(void) {
  int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct itimerspec w = {{0, 0}, {1000, 0}}, left;
  timerfd_settime(t, 0, &w, 0);
  uint64_t n = 0;
  failed("too early", read(t, &n, 8), EAGAIN);
  w = (struct itimerspec){{0, 5000000}, {0, 5000000}};
  timerfd_settime(t, 0, &w, 0);
  usleep(28000);
  read(t, &n, 8);
  printf("expiries %d\n", n >= 5);
  timerfd_gettime(t, &left);
  printf("left %d interval %ld\n", left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 5000000, left.it_interval.tv_nsec);
  memset(&w, 0, sizeof w);
  timerfd_settime(t, 0, &w, 0);
  struct pollfd f = {t, POLLIN, 0};
  printf("disarmed %d\n", poll(&f, 1, 20));
  int64_t at = now(CLOCK_REALTIME) + 5000000;
  int u = timerfd_create(CLOCK_REALTIME, 0);
  w.it_value = (struct timespec){at / 1000000000, at % 1000000000};
  timerfd_settime(u, TFD_TIMER_ABSTIME, &w, 0);
  read(u, &n, 8);
  printf("absolute %llu %d\n", (unsigned long long)n, now(CLOCK_REALTIME) >= at);
}

static void signal_files(void) {
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  sigaddset(&s, SIGRTMIN + 5);
  sigprocmask(SIG_BLOCK, &s, 0);
  int f = signalfd(-1, &s, SFD_NONBLOCK);
  struct signalfd_siginfo i[3];
  failed("no signal", read(f, i, sizeof i), EAGAIN);
  union sigval v = {.sival_int = 9};
  sigqueue(getpid(), SIGRTMIN + 5, v);
  kill(getpid(), SIGUSR1);
  struct pollfd p = {f, POLLIN, 0};
  printf("readable %d\n", poll(&p, 1, 100));
  ssize_t n = read(f, i, sizeof i);
  printf("signals %zd: %u %u value %d\n", n / (ssize_t)sizeof *i, i[0].ssi_signo, i[1].ssi_signo - SIGRTMIN, i[1].ssi_int);
}

static void interval(void) {
  struct sigaction a = {.sa_handler = tick, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &a, 0);
  struct itimerval v = {{0, 10000}, {0, 10000}}, old;
  setitimer(ITIMER_REAL, &v, 0);
  while (ticks < 3) pause();
  getitimer(ITIMER_REAL, &old);
  printf("interval %ld\n", old.it_interval.tv_usec);
  memset(&v, 0, sizeof v);
  setitimer(ITIMER_REAL, &v, &old);
  printf("was set %d\n", old.it_value.tv_usec > 0 && old.it_value.tv_usec <= 10000);
  failed("bad timer", getitimer(9, &old), EINVAL);
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  clocks();
  sleeps();
  waits();
  timer_files();
  signal_files();
  interval();
  return 0;
}
