// SPDX-License-Identifier: MIT
//
// sched_setattr(2) and sched_getattr(2) with the errors of their page.

#define _GNU_SOURCE
#include "say.h"
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

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

// What SCHED_DEADLINE refuses, in nanoseconds; 6 is its number.
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

/** Asks until nobody else on this machine has what is asked for. */
static long promised(struct attr *a) {
  for (int i = 0; i < 5000; i++) {
    if (SC(sched_setattr, 0, a, 0) == 0 || errno != EBUSY) break;
    usleep(1000);
  }
  return SC(sched_setattr, 0, a, 0);
}

static void show(void) {
  struct attr a;
  memset(&a, 0xee, sizeof a);
  T(SC(sched_getattr, 0, &a, 48, 0));
  printf("policy %u flags %#lx nice %d priority %u", a.policy, a.flags, a.nice, a.priority);
  if (a.policy == 6) printf(", %lu of %lu in %lu", a.runtime, a.deadline, a.period);
  printf("\n");
}

/** Lines of /proc/self/sched and fields of stat that tell of it. */
static void listed(void) {
  char line[512];
  FILE *f = fopen("/proc/self/sched", "r");
  while (fgets(line, sizeof line, f)) {
    if (strncmp(line, "policy ", 7) == 0 || strncmp(line, "prio ", 5) == 0 || strncmp(line, "dl.runtime", 10) == 0)
      printf("%.10s%s%d", line, strncmp(line, "dl", 2) ? line + 47 : "\n", (int)strlen(line));
  }
  fclose(f);
  f = fopen("/proc/self/stat", "r");
  fgets(line, sizeof line, f);
  fclose(f);
  char *at = strrchr(line, ')');
  for (int i = 2; i < 41; i++) {
    at = strchr(at + 1, ' ');
    if (i == 17 || i == 18 || i == 39 || i == 40) printf(" %d", atoi(at));
  }
  printf("\n");
}

static void accepted(void) {
  struct attr a = of(6, 5, 0);
  a.runtime = 1000000, a.deadline = 10000000, a.period = 20000000;
  T(promised(&a));
  show();
  T(sched_getscheduler(0));
  struct sched_param parameter = {7};
  T(sched_getparam(0, &parameter));
  T(parameter.sched_priority);
  struct timespec interval;
  T(sched_rr_get_interval(0, &interval));
  T(interval.tv_sec + interval.tv_nsec);
  listed();
  fflush(stdout);
  T(fork());
  T(sched_yield());
  T(sched_setparam(0, &parameter));
  T(sched_setscheduler(0, 6, &parameter));
  T(setpriority(PRIO_PROCESS, 0, 3));
  // Without a period it is the deadline; a change needs no more than there is beside the old promise.
  a.period = 0, a.runtime = 2000000, a.flags = 1;
  T(promised(&a));
  show();
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    show();
    fflush(stdout);
    _exit(0);
  }
  T(pid > 0);
  waitpid(pid, 0, 0);
  a.flags = 0x10;
  a.runtime = 3000000;
  T(SC(sched_setattr, 0, &a, 0));
  show();
  a = of(0, 9, 0);
  a.flags = 8;
  T(SC(sched_setattr, 0, &a, 0));
  show();
  T(SC(sched_setattr, 0, (&(struct attr){.size = 48}), 0));
  show();
  // Who keeps the policy keeps what children begin with, too.
  a = of(0, 4, 0);
  a.flags = 9;
  T(SC(sched_setattr, 0, &a, 0));
  show();
}

/** One processor's whole time cannot be promised as often as there are processors: a part is kept back. */
static void too_much(void) {
  int last[2], refused = 0;
  pipe(last);
  for (int i = sysconf(_SC_NPROCESSORS_ONLN); i > 0 && !refused; i--) {
    int told[2];
    char answer = 0;
    pipe(told);
    if (fork() == 0) {
      struct attr a = of(6, 0, 0);
      a.runtime = a.deadline = a.period = 100000000;
      close(last[1]);
      errno = 0;
      SC(sched_setattr, 0, &a, 0);
      answer = errno;
      write(told[1], &answer, 1);
      read(last[0], &answer, 1);
      _exit(0);
    }
    read(told[0], &answer, 1);
    if (answer) refused = answer;
    close(told[0]), close(told[1]);
  }
  printf("%s\n", name_of(refused));
  close(last[0]), close(last[1]);
  while (wait(0) > 0)
    ;
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
    accepted();
    fflush(stdout);
    _exit(0);
  }
  wait(0);
  too_much();
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
