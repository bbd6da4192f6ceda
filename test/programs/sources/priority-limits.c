// SPDX-License-Identifier: MIT
//
// RLIMIT_NICE and RLIMIT_RTPRIO let somebody without rights do some of what else only the capable may: nice values down
// to 20 - RLIMIT_NICE, priorities up to RLIMIT_RTPRIO. Says so where the limits cannot be set to begin with.

#define _GNU_SOURCE
#include "outcome.h"
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define S(n, ...) syscall(SYS_##n, __VA_ARGS__)

static long set(int resource, uint64_t soft, uint64_t hard) {
  uint64_t pair[2] = {soft, hard};
  return S(setrlimit, resource, pair);
}

static void as_nobody(void) {
  CALL(S(setpriority, PRIO_PROCESS, 0, -5));
  CALL(S(setpriority, PRIO_PROCESS, 0, -6));
  CALL(S(getpriority, PRIO_PROCESS, 0));
  CALL(S(setpriority, PRIO_PROCESS, 0, 4));
  struct sched_param p = {4};
  CALL(S(sched_setscheduler, 0, SCHED_FIFO, &p));
  p.sched_priority = 3;
  CALL(S(sched_setscheduler, 0, SCHED_FIFO, &p));
  p.sched_priority = 4;
  CALL(S(sched_setparam, 0, &p));
  p.sched_priority = 2;
  CALL(S(sched_setparam, 0, &p));
  CALL(S(sched_setscheduler, 0, SCHED_RR, &p));
  p.sched_priority = 3;
  CALL(S(sched_setparam, 0, &p));
  CALL(set(RLIMIT_RTPRIO, 1, 5));
  CALL(S(sched_setparam, 0, &p));
  p.sched_priority = 2;
  CALL(S(sched_setparam, 0, &p));
  p.sched_priority = 3;
  CALL(S(sched_setparam, 0, &p));
  CALL(set(RLIMIT_RTPRIO, 0, 5));
  p.sched_priority = 1;
  CALL(S(sched_setscheduler, 0, SCHED_RR, &p));
  CALL(S(sched_setscheduler, 0, SCHED_FIFO, &p));
  p.sched_priority = 0;
  CALL(S(sched_setscheduler, 0, SCHED_IDLE, &p));
  CALL(S(sched_setscheduler, 0, SCHED_OTHER, &p));
  CALL(S(sched_setscheduler, 0, SCHED_RR, &p));
  CALL(set(RLIMIT_RTPRIO, 6, 6));
  CALL(set(RLIMIT_NICE, 26, 26));
  CALL(set(RLIMIT_NICE, 12, 25));
  CALL(S(setpriority, PRIO_PROCESS, 0, 3));
  CALL(S(setpriority, PRIO_PROCESS, 0, 8));
  CALL(S(setpriority, PRIO_PROCESS, 0, 9));
  CALL(S(setpriority, PRIO_PROCESS, 0, 8));
  CALL(S(setpriority, PRIO_PROCESS, 0, 7));
  CALL(S(sched_setscheduler, 0, SCHED_IDLE, &p));
  CALL(S(sched_setscheduler, 0, SCHED_OTHER, &p));
  CALL(S(setpriority, PRIO_PROCESS, 0, 15));
  CALL(S(sched_setscheduler, 0, SCHED_IDLE, &p));
  CALL(S(sched_setscheduler, 0, SCHED_BATCH, &p));
  CALL(set(RLIMIT_NICE, 100, 100));
}

int main(void) {
  alarm(600);
  if (set(RLIMIT_NICE, 25, 25) || set(RLIMIT_RTPRIO, 3, 5)) {
    puts("limits are fixed");
    return 0;
  }
  NOBODY(as_nobody());
  return 0;
}
