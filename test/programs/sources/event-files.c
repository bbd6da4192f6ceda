// SPDX-License-Identifier: MIT
//
// Files of events: eventfd, timerfd, signalfd, memfd and its seals, and each error of their manual pages.

#define _GNU_SOURCE
#include "outcome.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>

static int events(int f) {
  struct pollfd p = {f, 0x3fff & ~POLLPRI};
  poll(&p, 1, 0);
  return p.revents;
}

static int rd(int f) {
  uint64_t v = 0;
  int r = read(f, &v, 8);
  if (r == 8) printf("%llu ", (unsigned long long)v);
  return r;
}

static int wr(int f, uint64_t v) { return write(f, &v, 8); }

static void counters(void) {
  int e = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC), s = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
  CALL(rd(e));
  CALL(rd(e));
  SHOW(events(e));
  CALL(wr(e, 5));
  CALL(wr(e, 0));
  SHOW(events(e));
  CALL(wr(e, 0xfffffffffffffffe - 5));
  SHOW(events(e));
  CALL(wr(e, 1));
  CALL(wr(e, -1));
  CALL(rd(e));
  CALL(rd(s));
  CALL(rd(s));
  CALL(rd(s));
  char c[7];
  CALL(read(e, c, 7));
  CALL(write(e, c, 7));
  CALL(write(e, (void *)8, 8));
  wr(e, 1);
  CALL(read(e, (void *)8, 8));
  rd(e);
  CALL(lseek(e, 0, SEEK_SET));
  CALL(pread(e, c, 8, 0));
  CALL(eventfd(0, 0x40));
  CALL(fcntl(e, F_GETFD));
  fcntl(e, F_SETFL, 0);
  fflush(stdout);
  if (fork() == 0) {
    usleep(10000);
    wr(e, 42);
    _exit(0);
  }
  CALL(rd(e));
  wait(0);
  close(e), close(s);
}

static void timers(void) {
  int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  struct itimerspec i = {{0, 0}, {1000, 0}}, o;
  CALL(rd(t));
  SHOW(events(t));
  CALL(timerfd_settime(t, 0, &i, &o));
  printf("old %ld %ld\n", (long)o.it_value.tv_nsec, (long)o.it_interval.tv_nsec);
  CALL(timerfd_gettime(t, &o));
  printf("soon %d\n", o.it_value.tv_sec >= 900 && o.it_value.tv_sec <= 1000);
  i.it_value = (struct timespec){0, 10000000};
  timerfd_settime(t, 0, &i, 0);
  usleep(15000);
  SHOW(events(t));
  CALL(rd(t));
  CALL(rd(t));
  i = (struct itimerspec){{0, 5000000}, {0, 1}};
  timerfd_settime(t, 0, &i, 0);
  usleep(22000);
  uint64_t n = 0;
  CALL(read(t, &n, 8));
  printf("several %d\n", n >= 4);
  i = (struct itimerspec){{0, 0}, {0, 0}};
  CALL(timerfd_settime(t, 0, &i, &o));
  printf("period %ld\n", (long)o.it_interval.tv_nsec);
  CALL(rd(t));
  i.it_value = (struct timespec){0, 1};
  CALL(timerfd_settime(t, TFD_TIMER_ABSTIME, &i, 0));
  CALL(rd(t));
  i.it_value.tv_nsec = 1000000000;
  CALL(timerfd_settime(t, 0, &i, 0));
  i.it_value = (struct timespec){-1, 0};
  CALL(timerfd_settime(t, 0, &i, 0));
  CALL(timerfd_settime(t, 9, &i, 0));
  CALL(timerfd_settime(t, 0, (void *)8, 0));
  i.it_value = (struct timespec){0, 0};
  CALL(timerfd_settime(t, 0, &i, (void *)8));
  CALL(timerfd_gettime(t, (void *)8));
  CALL(timerfd_settime(1, 0, &i, 0));
  CALL(timerfd_settime(999, 0, &i, 0));
  CALL(timerfd_gettime(1, &i));
  CALL(timerfd_gettime(999, &i));
  CALL(timerfd_create(99, 0));
  CALL(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
  CALL(timerfd_create(CLOCK_MONOTONIC, 1));
  CALL(read(t, &n, 4));
  CALL(write(t, &n, 8));
  NOBODY(CALL(timerfd_create(CLOCK_REALTIME_ALARM, 0)));
  close(t);
  t = timerfd_create(CLOCK_REALTIME, 0);
  clock_gettime(CLOCK_REALTIME, &i.it_value);
  i.it_value.tv_nsec += 5000000;
  if (i.it_value.tv_nsec >= 1000000000) i.it_value.tv_sec++, i.it_value.tv_nsec -= 1000000000;
  timerfd_settime(t, TFD_TIMER_ABSTIME, &i, 0);
  CALL(rd(t));
  close(t);
}

static void signals(void) {
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGCHLD), sigaddset(&set, SIGRTMIN), sigaddset(&set, SIGKILL);
  sigprocmask(SIG_BLOCK, &set, 0);
  int f = OK(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  struct signalfd_siginfo v[3];
  CALL(read(f, v, sizeof v));
  SHOW(events(f));
  raise(SIGUSR1);
  SHOW(events(f));
  CALL(read(f, v, 10));
  CALL(read(f, v, sizeof v));
  printf("%d code %d pid own %d uid %d\n", v[0].ssi_signo, v[0].ssi_code, v[0].ssi_pid == getpid(), v[0].ssi_uid);
  sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 7});
  sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 8});
  raise(SIGUSR1);
  CALL(read(f, v, sizeof v[0]));
  printf("%d\n", v[0].ssi_signo);
  CALL(read(f, v, sizeof v));
  printf("%d %d %d %d\n", v[0].ssi_int, v[1].ssi_int, v[0].ssi_code, (int)v[1].ssi_ptr);
  CHILD(_exit(5));
  CALL(read(f, v, sizeof v));
  printf("%d code %d status %d\n", v[0].ssi_signo, v[0].ssi_code, v[0].ssi_status);
  sigdelset(&set, SIGUSR1);
  CALL(signalfd(f, &set, 0) == f);
  raise(SIGUSR1);
  CALL(read(f, v, sizeof v));
  CALL(write(f, v, 8));
  CALL(syscall(SYS_signalfd4, -1, &set, 4, 0));
  CALL(syscall(SYS_signalfd4, -1, (void *)8, 8, 0));
  CALL(signalfd(-1, &set, 0x40));
  CALL(signalfd(1, &set, 0));
  CALL(signalfd(999, &set, 0));
  close(f);
}

static void seals(void) {
  int m = OK(memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING)), n = OK(memfd_create("", 0));
  char link[100] = {0};
  char path[50];
  sprintf(path, "/proc/self/fd/%d", m);
  readlink(path, link, 99);
  printf("%s\n", link);
  CALL(fcntl(m, F_GET_SEALS));
  CALL(fcntl(n, F_GET_SEALS));
  CALL(fcntl(n, F_ADD_SEALS, F_SEAL_GROW));
  CALL(fcntl(1, F_GET_SEALS));
  CALL(fcntl(m, F_ADD_SEALS, 0x1000));
  CALL(ftruncate(m, 8192));
  char *shared = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0);
  CALL(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
  CALL(fcntl(m, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
  CALL(ftruncate(m, 4096));
  CALL(ftruncate(m, 16384));
  CALL(pwrite(m, "x", 1, 8192));
  CALL(pwrite(m, "xy", 2, 8191));
  CALL(fallocate(m, 0, 0, 10000));
  CHILD({
    strcpy(shared, "written by the child");
    CALL(fcntl(m, F_GET_SEALS));
    CALL(ftruncate(m, 4096));
  });
  printf("%s\n", shared);
  munmap(shared, 8192);
  CALL(fcntl(m, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
  CALL(write(m, "x", 1));
  CALL((intptr_t)mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0));
  shared = mmap(0, 4096, PROT_READ, MAP_SHARED, m, 0);
  CALL(mprotect(shared, 4096, PROT_READ | PROT_WRITE));
  OK((intptr_t)mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, m, 0));
  munmap(shared, 4096);
  CALL(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
  CALL(fallocate(m, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
  CALL(fcntl(m, F_ADD_SEALS, F_SEAL_SEAL));
  CALL(fcntl(m, F_ADD_SEALS, F_SEAL_SEAL));
  CALL(fcntl(m, F_GET_SEALS));
  sprintf(path, "/proc/self/fd/%d", m);
  int r = OK(open(path, O_RDONLY));
  CALL(fcntl(r, F_ADD_SEALS, 0));
  CALL(fcntl(r, F_GET_SEALS));
  char longest[300];
  memset(longest, 'a', 250), longest[250] = 0;
  CALL(memfd_create(longest, 0));
  longest[249] = 0;
  OK(memfd_create(longest, 0));
  CALL(memfd_create((void *)8, 0));
  CALL(memfd_create("x", 0x100));
  close(m), close(n), close(r);
}

int main(void) {
  counters();
  timers();
  signals();
  seals();
}
