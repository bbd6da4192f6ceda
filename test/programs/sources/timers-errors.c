// SPDX-License-Identifier: MIT
//
// Clocks and timers: errors and what does not depend on the speed of the machine: timer_create(2), setitimer(2),
// timerfd_create(2), clock_gettime(2), clock_nanosleep(2), adjtimex(2). Nothing here may change the machine's clock.

#define _GNU_SOURCE
#include "outcome.h"
#include <linux/time_types.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>

#define S(n, ...) syscall(SYS_##n, __VA_ARGS__)
#define NO_MEMORY ((void *)8)
#define NO_TASK 0x3ffffff
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/// A CPU clock of a process (or of a thread) by number.
#define CPU_CLOCK(pid) ((int)((~(unsigned)(pid) << 3) | 2))
#define THREAD_CLOCK(tid) ((int)((~(unsigned)(tid) << 3) | 6))

static struct itimerspec spec(long first, long every) {
  return (struct itimerspec){{every / 1000000000, every % 1000000000}, {first / 1000000000, first % 1000000000}};
}
static volatile sig_atomic_t ticks;
static volatile int last_overrun, last_code, last_value;
static void tick(int s, siginfo_t *i, void *c) {
  ticks++;
  last_code = i->si_code;
  last_overrun = i->si_overrun;
  last_value = i->si_value.sival_int;
}
static void on(int signo) {
  struct sigaction a = {.sa_sigaction = tick, .sa_flags = SA_SIGINFO};
  sigaction(signo, &a, 0);
}
static void nap(long ns) { nanosleep(&(struct timespec){ns / 1000000000, ns % 1000000000}, 0); }
static void burn(long ns) {
  struct timespec t, u;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  do {
    for (volatile int i = 0; i < 10000; i++) ;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &u);
  } while ((u.tv_sec - t.tv_sec) * 1000000000 + u.tv_nsec - t.tv_nsec < ns);
}

static void creation(void) {
  int id;
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  for (int clock = -1; clock < 13; clock++) {
    // The alarm clocks need a device, and 10 is no clock.
    if (clock == 8 || clock == 9) continue;
    long r = S(timer_create, clock, 0, &id);
    printf("clock %d: %ld %d\n", clock, r, r ? errno : 0);
  }
  CALL(S(timer_create, CPU_CLOCK(getpid()), 0, &id));
  CALL(S(timer_create, CPU_CLOCK(0), 0, &id));
  CALL(S(timer_create, THREAD_CLOCK(0), 0, &id));
  CALL(S(timer_create, THREAD_CLOCK(getpid()), 0, &id));
  CALL(S(timer_create, CPU_CLOCK(NO_TASK), 0, &id));
  CALL(S(timer_create, THREAD_CLOCK(NO_TASK), 0, &id));
  CALL(S(timer_create, THREAD_CLOCK(1), 0, &id) == -1 || getpid() == 1 ? 0 : 0);
  CALL(S(timer_create, CLOCK_MONOTONIC, NO_MEMORY, &id));
  CALL(S(timer_create, 77, NO_MEMORY, &id));
  CALL(S(timer_create, CLOCK_MONOTONIC, 0, NO_MEMORY));
  CALL(S(timer_create, CLOCK_MONOTONIC, &e, 0));
  CALL(S(timer_create, CLOCK_MONOTONIC, &e, &id));
  e.sigev_signo = 0;
  CALL(S(timer_create, CLOCK_MONOTONIC, &e, &id));
  e.sigev_signo = 65;
  CALL(S(timer_create, CLOCK_MONOTONIC, &e, &id));
  e.sigev_signo = -1;
  CALL(S(timer_create, CLOCK_MONOTONIC, &e, &id));
  e.sigev_signo = SIGKILL;
  CALL(S(timer_create, CLOCK_MONOTONIC, &e, &id));
  e.sigev_notify = SIGEV_NONE;
  e.sigev_signo = 77;
  CALL(S(timer_create, CLOCK_MONOTONIC, &e, &id));
  e.sigev_notify = SIGEV_THREAD;
  CALL(S(timer_create, CLOCK_MONOTONIC, &e, &id));
  e.sigev_signo = SIGUSR1;
  CALL(S(timer_create, CLOCK_MONOTONIC, &e, &id));
  for (int notify = 3; notify < 9; notify++) {
    e.sigev_notify = notify;
    e.sigev_notify_thread_id = getpid();
    long r = S(timer_create, CLOCK_MONOTONIC, &e, &id);
    printf("notify %d: %ld %d\n", notify, r, r ? errno : 0);
  }
  e.sigev_notify = SIGEV_THREAD_ID;
  e.sigev_notify_thread_id = 1;
  if (getpid() != 1) CALL(S(timer_create, CLOCK_MONOTONIC, &e, &id));
  e.sigev_notify_thread_id = NO_TASK;
  CALL(S(timer_create, CLOCK_MONOTONIC, &e, &id));
  e.sigev_notify_thread_id = 0;
  CALL(S(timer_create, CLOCK_MONOTONIC, &e, &id));
  e.sigev_notify_thread_id = -1;
  CALL(S(timer_create, CLOCK_MONOTONIC, &e, &id));
}

static void use(void) {
  int id;
  struct itimerspec s = spec(0, 0), old;
  CALL(S(timer_gettime, 77, &old));
  CALL(S(timer_gettime, -1, &old));
  CALL(S(timer_settime, 77, 0, &s, 0));
  CALL(S(timer_settime, 77, 0, NO_MEMORY, 0));
  CALL(S(timer_settime, 77, 0, 0, 0));
  CALL(S(timer_getoverrun, 77));
  CALL(S(timer_delete, 77));
  CALL(S(timer_delete, -1));
  S(timer_create, CLOCK_MONOTONIC, 0, &id);
  CALL(S(timer_gettime, id, NO_MEMORY));
  CALL(S(timer_gettime, id, 0));
  CALL(S(timer_settime, id, 0, 0, &old));
  CALL(S(timer_settime, id, 0, NO_MEMORY, &old));
  CALL(S(timer_settime, id, 0, &s, NO_MEMORY));
  CALL(S(timer_settime, id, 6, &s, 0));
  s.it_value.tv_nsec = 1000000000;
  CALL(S(timer_settime, id, 0, &s, 0));
  s.it_value.tv_nsec = -1;
  CALL(S(timer_settime, id, 0, &s, 0));
  s = spec(0, 0);
  s.it_value.tv_sec = -1;
  CALL(S(timer_settime, id, 0, &s, 0));
  s = spec(0, 0);
  s.it_interval.tv_nsec = 1000000000;
  CALL(S(timer_settime, id, 0, &s, 0));
  s = spec(0, 0);
  s.it_interval.tv_sec = -5;
  CALL(S(timer_settime, id, 0, &s, 0));
  s = spec(5000000000, 7000000000);
  CALL(S(timer_settime, id, 0, &s, &old));
  printf("before %ld %ld\n", old.it_value.tv_sec, old.it_interval.tv_sec);
  // The new setting holds although the old one cannot be told.
  s = spec(50000000000, 8000000000);
  CALL(S(timer_settime, id, 0, &s, NO_MEMORY));
  CALL(S(timer_gettime, id, &old));
  printf("left %d every %ld\n", old.it_value.tv_sec >= 40, old.it_interval.tv_sec);
  // Without a first expiry the interval says nothing.
  s = spec(0, 8000000000);
  CALL(S(timer_settime, id, 0, &s, &old));
  CALL(S(timer_gettime, id, &old));
  printf("left %ld %ld every %ld\n", old.it_value.tv_sec, old.it_value.tv_nsec, old.it_interval.tv_sec);
  // A moment that has passed.
  on(SIGALRM);
  s = spec(1, 0);
  ticks = 0;
  CALL(S(timer_settime, id, TIMER_ABSTIME, &s, 0));
  while (!ticks) nap(1000000);
  printf("struck %d code %d value is the id %d\n", ticks, last_code, last_value == id);
  CALL(S(timer_gettime, id, &old));
  printf("left %ld %ld\n", old.it_value.tv_sec, old.it_value.tv_nsec);
  CALL(S(timer_getoverrun, id));
  CALL(S(timer_delete, id));
  CALL(S(timer_delete, id));
  CALL(S(timer_settime, id, 0, &s, 0));
  // A child has no timers of its parent's.
  S(timer_create, CLOCK_MONOTONIC, 0, &id);
  CHILD(CALL(S(timer_delete, id)));
}

static void overruns(void) {
  int id;
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 31};
  struct itimerspec s = spec(2000000, 2000000);
  sigset_t one, all;
  sigemptyset(&one);
  sigaddset(&one, SIGRTMIN + 1);
  sigprocmask(SIG_BLOCK, &one, &all);
  on(SIGRTMIN + 1);
  S(timer_create, CLOCK_MONOTONIC, &e, &id);
  S(timer_settime, id, 0, &s, 0);
  nap(50000000);
  CALL(S(timer_getoverrun, id));
  siginfo_t info;
  struct timespec none = {0, 0};
  SHOW(S(rt_sigtimedwait, &one, &info, &none, 8) == SIGRTMIN + 1);
  printf("code %d value %d overrun %d as told %d\n", info.si_code, info.si_value.sival_int, info.si_overrun >= 10,
         info.si_overrun == S(timer_getoverrun, id));
  nap(20000000);
  s = spec(0, 0);
  // What waits of a timer goes with it.
  S(timer_settime, id, 0, &s, 0);
  CALL(S(rt_sigtimedwait, &one, &info, &none, 8));
  s = spec(1000000, 1000000);
  S(timer_settime, id, 0, &s, 0);
  nap(20000000);
  S(timer_delete, id);
  CALL(S(rt_sigtimedwait, &one, &info, &none, 8));
  // Who ignores the signal does not stop the timer.
  signal(SIGRTMIN + 1, SIG_IGN);
  S(timer_create, CLOCK_MONOTONIC, &e, &id);
  s = spec(1000000, 1000000);
  S(timer_settime, id, 0, &s, 0);
  sigprocmask(SIG_SETMASK, &all, 0);
  nap(20000000);
  ticks = 0;
  on(SIGRTMIN + 1);
  while (ticks < 2) nap(1000000);
  printf("strikes again\n");
  s = spec(0, 0);
  S(timer_settime, id, 0, &s, 0);
}

static void cpu_timers(void) {
  int id;
  struct itimerspec s = spec(20000000, 0), left;
  on(SIGALRM);
  ticks = 0;
  S(timer_create, CLOCK_PROCESS_CPUTIME_ID, 0, &id);
  CALL(S(timer_settime, id, 0, &s, 0));
  nap(40000000);
  printf("asleep %d\n", ticks);
  burn(60000000);
  printf("busy %d\n", ticks);
  CALL(S(timer_gettime, id, &left));
  printf("left %ld %ld\n", left.it_value.tv_sec, left.it_value.tv_nsec);
  s = spec(1000000, 0);
  CALL(S(timer_settime, id, TIMER_ABSTIME, &s, 0));
  burn(20000000);
  printf("past %d\n", ticks);
  ticks = 0;
  s = spec(5000000, 5000000);
  S(timer_create, CLOCK_THREAD_CPUTIME_ID, 0, &id);
  CALL(S(timer_settime, id, 0, &s, 0));
  burn(100000000);
  printf("periods %d\n", ticks > 1);
  s = spec(0, 0);
  S(timer_settime, id, 0, &s, 0);
}

static void intervals(void) {
  struct itimerval v = {{0, 0}, {0, 0}}, old;
  CALL(S(getitimer, 3, &old));
  CALL(S(getitimer, -1, &old));
  CALL(S(getitimer, 3, NO_MEMORY));
  CALL(S(getitimer, ITIMER_REAL, NO_MEMORY));
  CALL(S(getitimer, ITIMER_REAL, 0));
  CALL(S(setitimer, 3, &v, 0));
  CALL(S(setitimer, 3, NO_MEMORY, 0));
  CALL(S(setitimer, ITIMER_REAL, NO_MEMORY, 0));
  CALL(S(setitimer, ITIMER_REAL, &v, NO_MEMORY));
  for (int which = 0; which < 3; which++) {
    printf("timer %d\n", which);
    v = (struct itimerval){{0, 0}, {0, 1000000}};
    CALL(S(setitimer, which, &v, 0));
    v = (struct itimerval){{0, 0}, {0, -1}};
    CALL(S(setitimer, which, &v, 0));
    v = (struct itimerval){{0, 0}, {-1, 0}};
    CALL(S(setitimer, which, &v, 0));
    v = (struct itimerval){{0, 1000000}, {0, 0}};
    CALL(S(setitimer, which, &v, 0));
    v = (struct itimerval){{0, -7}, {0, 0}};
    CALL(S(setitimer, which, &v, 0));
    v = (struct itimerval){{-7, 0}, {0, 0}};
    CALL(S(setitimer, which, &v, 0));
    v = (struct itimerval){{20, 0}, {500, 0}};
    CALL(S(setitimer, which, &v, &old));
    printf("before %ld %ld\n", old.it_value.tv_sec, old.it_interval.tv_sec);
    CALL(S(setitimer, which, 0, &old));
    printf("before %d %ld\n", old.it_value.tv_sec > 400, old.it_interval.tv_sec);
    CALL(S(getitimer, which, &old));
    printf("now %ld %ld %ld\n", old.it_value.tv_sec, old.it_value.tv_usec, old.it_interval.tv_sec);
    // An interval alone does nothing, but is kept.
    v = (struct itimerval){{20, 0}, {0, 0}};
    CALL(S(setitimer, which, &v, 0));
    CALL(S(getitimer, which, &old));
    printf("now %ld %ld %ld\n", old.it_value.tv_sec, old.it_value.tv_usec, old.it_interval.tv_sec);
    int signo = which == ITIMER_REAL ? SIGALRM : which == ITIMER_VIRTUAL ? SIGVTALRM : SIGPROF;
    on(signo);
    ticks = 0;
    v = (struct itimerval){{0, 0}, {0, 20000}};
    S(setitimer, which, &v, 0);
    if (which == ITIMER_REAL) while (!ticks) nap(1000000);
    else burn(100000000);
    printf("struck %d code %d\n", ticks, last_code);
    ticks = 0;
    v = (struct itimerval){{0, 5000}, {0, 5000}};
    S(setitimer, which, &v, 0);
    while (ticks < 3) burn(1000000);
    printf("struck again\n");
    v = (struct itimerval){0};
    S(setitimer, which, &v, 0);
    // A timer that strikes while its signal is ignored goes on.
    signal(signo, SIG_IGN);
    v = (struct itimerval){{0, 5000}, {0, 5000}};
    S(setitimer, which, &v, 0);
    burn(40000000);
    ticks = 0;
    on(signo);
    burn(100000000);
    printf("struck after it was ignored %d\n", ticks > 0);
    v = (struct itimerval){0};
    S(setitimer, which, &v, 0);
  }
  CALL(S(alarm, 7));
  CALL(S(alarm, 0));
  CALL(S(alarm, 0));
  // An alarm is the same timer, and no child's.
  v = (struct itimerval){{0, 0}, {100, 500000}};
  S(setitimer, ITIMER_REAL, &v, 0);
  CHILD(CALL(S(alarm, 0)));
  SHOW(S(alarm, 0) > 50);
}

static void descriptors(void) {
  struct itimerspec s = spec(0, 0), old;
  uint64_t n;
  for (int clock = -1; clock < 13; clock++) {
    if (clock == 8 || clock == 9) continue;
    int f = S(timerfd_create, clock, 0);
    printf("clock %d: %d\n", clock, f < 0 ? errno : 0);
    if (f >= 0) close(f);
  }
  CALL(S(timerfd_create, CLOCK_MONOTONIC, 1));
  CALL(S(timerfd_create, CPU_CLOCK(0), 0));
  int f = S(timerfd_create, CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), p[2];
  pipe(p);
  CALL(S(timerfd_settime, -1, 0, &s, 0));
  CALL(S(timerfd_settime, 99, 0, &s, 0));
  CALL(S(timerfd_settime, p[0], 0, &s, 0));
  CALL(S(timerfd_settime, 99, 0, NO_MEMORY, 0));
  CALL(S(timerfd_settime, f, 0, NO_MEMORY, 0));
  CALL(S(timerfd_settime, f, 0, 0, 0));
  CALL(S(timerfd_settime, f, 4, &s, 0));
  CALL(S(timerfd_settime, f, TFD_TIMER_CANCEL_ON_SET, &s, 0));
  CALL(S(timerfd_settime, f, TFD_TIMER_CANCEL_ON_SET | TFD_TIMER_ABSTIME, &s, 0));
  CALL(S(timerfd_gettime, -1, &old));
  CALL(S(timerfd_gettime, p[0], &old));
  CALL(S(timerfd_gettime, f, NO_MEMORY));
  CALL(S(timerfd_gettime, 99, NO_MEMORY));
  s.it_value.tv_nsec = 1000000000;
  CALL(S(timerfd_settime, f, 0, &s, 0));
  s = spec(0, 0);
  s.it_value.tv_sec = -1;
  CALL(S(timerfd_settime, f, 0, &s, 0));
  s = spec(0, 0);
  s.it_interval.tv_nsec = -1;
  CALL(S(timerfd_settime, f, 0, &s, 0));
  CALL(S(timerfd_settime, 99, 0, &s, 0));
  CALL(read(f, &n, 8));
  CALL(read(f, &n, 7));
  CALL(write(f, &n, 8));
  CALL(lseek(f, 0, SEEK_SET));
  CALL(pread(f, &n, 8, 0));
  s = spec(1, 0);
  CALL(S(timerfd_settime, f, TFD_TIMER_ABSTIME, &s, NO_MEMORY));
  CALL(poll(&(struct pollfd){f, POLLIN, 0}, 1, 1000));
  CALL(read(f, NO_MEMORY, 8));
  CALL(read(f, &n, 8));
  CALL(read(f, &n, 8));
  // A periodic one that was not read counts its periods, and setting it again forgets them.
  s = spec(1000000, 1000000);
  S(timerfd_settime, f, 0, &s, 0);
  nap(10000000);
  s = spec(100000000000, 0);
  CALL(S(timerfd_settime, f, 0, &s, &old));
  printf("every %ld\n", old.it_interval.tv_nsec);
  CALL(read(f, &n, 8));
}

static volatile int caught;
static void note(int s) { caught = s; }

static void clocks(void) {
  struct timespec t;
  struct timeval v;
  struct timezone z;
  for (int clock = -1; clock < 13; clock++) {
    long r = S(clock_gettime, clock, &t), e = r ? errno : 0;
    long q = S(clock_getres, clock, &t);
    if (clock != 8 && clock != 9) printf("clock %d: %ld %ld, %ld %d\n", clock, r, e, q, q ? errno : 0);
  }
  CALL(S(clock_gettime, CLOCK_MONOTONIC, NO_MEMORY));
  CALL(S(clock_gettime, CLOCK_MONOTONIC, 0));
  CALL(S(clock_gettime, 77, NO_MEMORY));
  CALL(S(clock_getres, CLOCK_MONOTONIC, NO_MEMORY));
  CALL(S(clock_getres, CLOCK_MONOTONIC, 0));
  CALL(S(clock_getres, 77, 0));
  CALL(S(clock_gettime, CPU_CLOCK(getpid()), &t));
  CALL(S(clock_gettime, THREAD_CLOCK(getpid()), &t));
  CALL(S(clock_gettime, CPU_CLOCK(0), &t));
  CALL(S(clock_gettime, CPU_CLOCK(getppid()), &t));
  CALL(S(clock_gettime, THREAD_CLOCK(getppid()), &t));
  CALL(S(clock_gettime, CPU_CLOCK(NO_TASK), &t));
  CALL(S(clock_gettime, THREAD_CLOCK(NO_TASK), &t));
  CALL(S(clock_getres, CPU_CLOCK(getpid()), &t));
  CALL(S(clock_getres, CPU_CLOCK(NO_TASK), &t));
  // Names of descriptors of clocks, which there are none of.
  CALL(S(clock_gettime, (int)(~0u << 3 | 3), &t));
  CALL(S(clock_gettime, (int)(~99u << 3 | 3), &t));
  CALL(S(gettimeofday, NO_MEMORY, 0));
  CALL(S(gettimeofday, 0, NO_MEMORY));
  CALL(S(gettimeofday, 0, 0));
  CALL(S(gettimeofday, &v, &z));
  CALL(S(time, NO_MEMORY));
  CALL(S(times, NO_MEMORY));
  OK(S(times, 0));
}

static void sleeps(void) {
  struct timespec t = {0, 1}, left = {0, 0};
  CALL(S(nanosleep, NO_MEMORY, 0));
  CALL(S(nanosleep, 0, 0));
  t.tv_nsec = 1000000000;
  CALL(S(nanosleep, &t, 0));
  t = (struct timespec){-1, 0};
  CALL(S(nanosleep, &t, 0));
  t = (struct timespec){0, 1};
  CALL(S(nanosleep, &t, NO_MEMORY));
  for (int clock = -1; clock < 13; clock++) {
    // Nobody wakes who sleeps alone on his own CPU clock, unless a tick of the real machine's happens to do it.
    if (clock == 2 || clock == 8 || clock == 9) continue;
    long r = S(clock_nanosleep, clock, 0, &t, 0);
    printf("clock %d: %ld %d\n", clock, r, r ? errno : 0);
  }
  CALL(S(clock_nanosleep, 77, 0, NO_MEMORY, 0));
  CALL(S(clock_nanosleep, CLOCK_MONOTONIC, 0, NO_MEMORY, 0));
  CALL(S(clock_nanosleep, CLOCK_MONOTONIC, 0, 0, 0));
  CALL(S(clock_nanosleep, CLOCK_MONOTONIC, 6, &t, 0));
  CALL(S(clock_nanosleep, CPU_CLOCK(NO_TASK), 0, &t, 0));
  CALL(S(clock_nanosleep, THREAD_CLOCK(0), 0, &t, 0));
  CALL(S(clock_nanosleep, THREAD_CLOCK(getpid()), 0, &t, 0));
  t = (struct timespec){0, -1};
  CALL(S(clock_nanosleep, CLOCK_MONOTONIC, 0, &t, 0));
  CALL(S(clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0));
  CALL(S(clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &t, 0));
  t = (struct timespec){1, 0};
  CALL(S(clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NO_MEMORY));
  CALL(S(clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &t, 0));
  t = (struct timespec){0, 1};
  CALL(S(clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &t, 0));
  struct sigaction a = {.sa_handler = note};
  sigaction(SIGALRM, &a, 0);
  for (int clock = CLOCK_MONOTONIC; clock <= CLOCK_PROCESS_CPUTIME_ID; clock++)
    for (int flags = 0; flags < 2; flags++) {
      // Again and again: the first may come before the call.
      struct itimerval v = {{0, 20000}, {0, 20000}};
      clock_gettime(clock, &t);
      t = flags ? (struct timespec){t.tv_sec + 100, 0} : (struct timespec){100, 0};
      left = (struct timespec){7, 7};
      setitimer(ITIMER_REAL, &v, 0);
      CALL(S(clock_nanosleep, clock, flags, &t, &left));
      printf("left %d\n", left.tv_sec > 50 ? 1 : (int)left.tv_sec);
      CALL(S(clock_nanosleep, clock, flags, &t, NO_MEMORY));
    }
  t = (struct timespec){100, 0};
  CALL(S(nanosleep, &t, NO_MEMORY));
  struct itimerval never = {0};
  setitimer(ITIMER_REAL, &never, 0);
}

// Sleeps for the CPU time of others: of one that computes, and of one that ends too early.
static void sleeps_for_others(void) {
  struct timespec t = {0, 30000000}, after;
  struct sigaction a = {.sa_handler = note};
  sigaction(SIGALRM, &a, 0);
  for (int computes = 1; computes >= 0; computes--) {
    pid_t child = fork();
    if (child == 0) {
      alarm(600);
      if (computes) burn(10000000000);
      _exit(0);
    }
    struct itimerval v = {{computes ? 300 : 0, 300000}, {computes ? 300 : 0, 300000}};
    setitimer(ITIMER_REAL, &v, 0);
    CALL(S(clock_nanosleep, CPU_CLOCK(child), 0, &t, 0));
    v = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &v, 0);
    CALL(S(clock_gettime, CPU_CLOCK(child), &after));
    if (computes) SHOW(after.tv_sec > 0 || after.tv_nsec >= 30000000);
    kill(child, SIGKILL);
    waitpid(child, 0, 0);
  }
}

static void settings(void) {
  struct timex x = {0};
  struct timespec t = {1, 1000000000};
  struct timeval v = {1, 1000000};
  SHOW(S(adjtimex, &x) >= 0);
  SHOW(x.tick >= 9000 && x.tick <= 11000);
  SHOW(x.time.tv_sec > 1000000000);
  CALL(S(adjtimex, NO_MEMORY));
  CALL(S(adjtimex, 0));
  CALL(S(clock_adjtime, 77, &x));
  CALL(S(clock_adjtime, CLOCK_MONOTONIC, &x));
  CALL(S(clock_adjtime, CLOCK_REALTIME, NO_MEMORY));
  SHOW(S(clock_adjtime, CLOCK_REALTIME, &x) >= 0);
  // Values that are no time, and clocks that nobody sets.
  CALL(S(clock_settime, CLOCK_REALTIME, NO_MEMORY));
  CALL(S(clock_settime, CLOCK_MONOTONIC, &t));
  CALL(S(clock_settime, CLOCK_BOOTTIME, &t));
  CALL(S(clock_settime, 77, &t));
  CALL(S(clock_settime, CLOCK_PROCESS_CPUTIME_ID, NO_MEMORY));
  CALL(S(clock_settime, CLOCK_REALTIME, &t));
  t = (struct timespec){-1, 0};
  CALL(S(clock_settime, CLOCK_REALTIME, &t));
  CALL(S(settimeofday, NO_MEMORY, 0));
  CALL(S(settimeofday, 0, NO_MEMORY));
  CALL(S(settimeofday, &v, 0));
  NOBODY(t = (struct timespec){1, 0}; v = (struct timeval){1, 0}; struct timezone z = {0};
         CALL(S(clock_settime, CLOCK_REALTIME, &t)); CALL(S(settimeofday, &v, 0)); CALL(S(settimeofday, 0, &z));
         x.modes = ADJ_OFFSET; CALL(S(adjtimex, &x)); CALL(S(clock_adjtime, CLOCK_REALTIME, &x)); x.modes = 0;
         SHOW(S(adjtimex, &x) >= 0);
         // EPERM, or EOPNOTSUPP on a machine without a clock that could wake it.
         int id; SHOW(S(timer_create, CLOCK_REALTIME_ALARM, 0, &id) < 0); SHOW(S(timer_create, CLOCK_BOOTTIME_ALARM, 0, &id) < 0);
         CALL(S(timerfd_create, CLOCK_REALTIME_ALARM, 0)));
}

int main(void) {
  CHILD(creation());
  CHILD(use());
  CHILD(overruns());
  CHILD(cpu_timers());
  CHILD(intervals());
  CHILD(descriptors());
  CHILD(clocks());
  CHILD(sleeps());
  CHILD(sleeps_for_others());
  CHILD(settings());
  return 0;
}
