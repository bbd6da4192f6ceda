// SPDX-License-Identifier: MIT
//
// sched_setattr(2) and sched_getattr(2) with the errors of their page.

#define _GNU_SOURCE
#include "say.h"
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

struct attr {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t util_min, util_max;
  uint32_t beyond[4];
};

static struct attr of(uint32_t policy, int nice, uint32_t priority) {
  struct attr a = {.size = 48, .policy = policy, .nice = nice, .priority = priority};
  return a;
}

static void set(int line, const char *what, struct attr a) {
  errno = 0;
  say(line, what, SC(sched_setattr, 0, &a, 0));
  printf("  size %u\n", a.size);
}
#define SET(...) set(__LINE__, #__VA_ARGS__, __VA_ARGS__)

static void get(unsigned size) {
  // Newer kernels clear what they do not know.
  static char room[8192];
  struct attr a;
  memset(room, 0xee, sizeof room);
  errno = 0;
  say(__LINE__, "get", SC(sched_getattr, 0, room, size, 0));
  memcpy(&a, room, sizeof a);
  printf("  %u %u %d %u\n", a.size, a.policy, a.nice, a.priority);
}

// What SCHED_DEADLINE refuses, in nanoseconds; 6 is its number. One that it takes would change this machine.
static void deadline(uint64_t runtime, uint64_t deadline, uint64_t period, uint32_t priority, uint64_t flags) {
  struct attr a = of(6, 0, priority);
  a.runtime = runtime;
  a.deadline = deadline;
  a.period = period;
  a.flags = flags;
  printf("%#lx of %#lx in %#lx: ", runtime, deadline, period);
  errno = 0;
  say(__LINE__, "deadline", SC(sched_setattr, 0, &a, 0));
}

static void deadlines(void) {
  deadline(0, 0, 0, 0, 0);
  deadline(2000000, 0, 0, 0, 0);
  deadline(1023, 30000000, 40000000, 0, 0);
  deadline(1024, 2048, 2048, 0, 0);
  deadline(5000000, 2000000, 8000000, 0, 0);
  deadline(5000000, 8000000, 6000000, 0, 0);
  deadline(20000000, 30000000, 5000000000, 0, 0);
  deadline(1ul << 63, 1ul << 63, 1ul << 63, 0, 0);
  deadline(20000000, 1ul << 63, 0, 0, 0);
  deadline(20000000, 30000000, 1ul << 63, 0, 0);
  deadline(20000000, 30000000, 40000000, 1, 0);
  deadline(20000000, 30000000, 40000000, 0, 0x80);
}

int main(void) {
  struct attr a = of(0, 0, 0);
  get(48);
  get(4096);
  T(SC(sched_getattr, 0, &a, 47, 0));
  T(SC(sched_getattr, 0, &a, 4097, 0));
  T(SC(sched_getattr, 0, &a, 48, 1));
  T(SC(sched_getattr, -1, &a, 48, 0));
  T(SC(sched_getattr, 0x3fffffff, &a, 48, 0));
  T(SC(sched_getattr, 0, 0, 48, 0));
  T(SC(sched_getattr, 0, 8, 48, 0));
  SET(of(0, 5, 0));
  get(48);
  T(getpriority(PRIO_PROCESS, 0));
  SET(of(SCHED_BATCH, 30, 0));
  get(48);
  SET(of(0, 0, 1));
  SET(of(4, 0, 0));
  SET(of(77, 0, 0));
  SET(of(-1, 0, 0));
  SET(of(SCHED_FIFO, 0, 0));
  SET(of(SCHED_FIFO, 0, 100));
  a = of(0, 0, 0);
  a.flags = 0x80;
  SET(a);
  a.flags = 0x20;
  SET(a);
  a = of(0, 0, 0);
  a.size = 0;
  SET(a);
  a.size = 47;
  SET(a);
  a.size = 5000;
  SET(a);
  a.size = 72;
  SET(a);
  a.beyond[3] = 1;
  SET(a);
  a = of(SCHED_BATCH, 7, 0);
  T(SC(sched_setattr, 0, &a, 1));
  T(SC(sched_setattr, -1, &a, 0));
  T(SC(sched_setattr, 0x3fffffff, &a, 0));
  T(SC(sched_setattr, 0, 0, 0));
  T(SC(sched_setattr, 0, 8, 0));
  a.flags = 0x10;
  SET(a);
  get(48);
  a = of(0, 9, 0);
  a.flags = 0x08;
  SET(a);
  get(48);
  deadlines();
  fflush(stdout);
  if (fork() == 0) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_NICE, &none);
    setrlimit(RLIMIT_RTPRIO, &none);
    T(setresgid(1000, 1000, 1000));
    T(setresuid(1000, 1000, 1000));
    SET(of(0, 1, 0));
    SET(of(0, 12, 0));
    SET(of(SCHED_FIFO, 0, 1));
    deadline(20000000, 30000000, 40000000, 0, 0);
    deadline(20000000, 30000000, 0, 0, 6);
    fflush(stdout);
    _exit(0);
  }
  wait(0);
  return 0;
}
