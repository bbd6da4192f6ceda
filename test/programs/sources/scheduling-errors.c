// SPDX-License-Identifier: MIT
//
// sched(7), getpriority(2), ioprio_set(2), membarrier(2), getcpu(2): values and errors. Processor 0 is there on every
// machine, and what concerns others is left out.

#define _GNU_SOURCE
#include "outcome.h"
#include <linux/ioprio.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#define S(n, ...) syscall(SYS_##n, __VA_ARGS__)
#define NO_MEMORY ((void *)8)
#define NO_TASK 0x3ffffff
#define RESET 0x40000000

static struct sched_param param;
static void *with(int priority) {
  param.sched_priority = priority;
  return &param;
}

static void policies(void) {
  for (int policy = -1; policy < 9; policy++)
    // 7 came after Linux 6.1.
    if (policy != 7)
      printf("policy %d: %ld %ld\n", policy, S(sched_get_priority_min, policy), S(sched_get_priority_max, policy));
  CALL(S(sched_get_priority_min, 77));
  CALL(S(sched_get_priority_max, SCHED_FIFO | RESET));
  CALL(S(sched_getscheduler, 0));
  CALL(S(sched_getscheduler, -1));
  CALL(S(sched_getscheduler, NO_TASK));
  CALL(S(sched_setscheduler, 0, -1, with(0)));
  CALL(S(sched_setscheduler, -1, SCHED_FIFO, with(1)));
  CALL(S(sched_setscheduler, 0, SCHED_FIFO, 0));
  CALL(S(sched_setscheduler, 0, SCHED_FIFO, NO_MEMORY));
  CALL(S(sched_setscheduler, NO_TASK, SCHED_FIFO, NO_MEMORY));
  CALL(S(sched_setscheduler, NO_TASK, SCHED_FIFO, with(1)));
  CALL(S(sched_setscheduler, 0, 77, with(0)));
  CALL(S(sched_setscheduler, 0, 4, with(0)));
  CALL(S(sched_setscheduler, 0, SCHED_FIFO, with(0)));
  CALL(S(sched_setscheduler, 0, SCHED_FIFO, with(100)));
  CALL(S(sched_setscheduler, 0, SCHED_FIFO, with(-1)));
  CALL(S(sched_setscheduler, 0, SCHED_RR, with(0)));
  CALL(S(sched_setscheduler, 0, SCHED_OTHER, with(1)));
  CALL(S(sched_setscheduler, 0, SCHED_BATCH, with(1)));
  CALL(S(sched_setscheduler, 0, SCHED_IDLE, with(1)));
  CALL(S(sched_setscheduler, 0, 6, with(0)));
  CALL(S(sched_setparam, 0, 0));
  CALL(S(sched_setparam, 0, NO_MEMORY));
  CALL(S(sched_setparam, -1, with(0)));
  CALL(S(sched_setparam, NO_TASK, with(0)));
  CALL(S(sched_setparam, 0, with(1)));
  CALL(S(sched_setparam, 0, with(0)));
  CALL(S(sched_getparam, 0, 0));
  CALL(S(sched_getparam, 0, NO_MEMORY));
  CALL(S(sched_getparam, -1, &param));
  CALL(S(sched_getparam, NO_TASK, &param));
  CALL(S(sched_getparam, NO_TASK, NO_MEMORY));
  CALL(S(sched_getparam, getpid(), &param));
  SHOW(param.sched_priority);
  struct timespec t;
  CALL(S(sched_rr_get_interval, -1, &t));
  CALL(S(sched_rr_get_interval, NO_TASK, &t));
  CALL(S(sched_rr_get_interval, 0, NO_MEMORY));
  CALL(S(sched_rr_get_interval, 0, &t));
  SHOW(t.tv_sec == 0);
}

static void state(void) {
  int policy = S(sched_getscheduler, 0);
  S(sched_getparam, 0, &param);
  printf("  policy %x priority %d nice %ld\n", policy, param.sched_priority, 20 - S(getpriority, PRIO_PROCESS, 0));
}

static void changes(void) {
  struct timespec t;
  CALL(S(sched_setscheduler, 0, SCHED_BATCH, with(0)));
  state();
  CALL(S(setpriority, PRIO_PROCESS, 0, 7));
  CALL(S(sched_setscheduler, 0, SCHED_IDLE, with(0)));
  state();
  CALL(S(sched_setscheduler, 0, SCHED_OTHER | RESET, with(0)));
  state();
  CALL(S(setpriority, PRIO_PROCESS, 0, -7));
  state();
  CHILD(state());
  CALL(S(sched_setscheduler, 0, SCHED_OTHER, with(0)));
  CHILD(state());
  CALL(S(sched_setscheduler, 0, SCHED_RR, with(1)));
  state();
  CALL(S(sched_rr_get_interval, 0, &t));
  printf("interval %ld %ld\n", t.tv_sec, t.tv_nsec);
  CHILD(state());
  CALL(S(sched_setparam, 0, with(2)));
  state();
  CALL(S(sched_setparam, 0, with(0)));
  CALL(S(sched_setscheduler, 0, SCHED_FIFO | RESET, with(3)));
  state();
  CALL(S(sched_rr_get_interval, 0, &t));
  printf("interval %ld %ld\n", t.tv_sec, t.tv_nsec);
  CHILD(state());
  CALL(S(sched_setscheduler, 0, SCHED_OTHER, with(0)));
  state();
}

static void as_nobody(void) {
  CALL(S(sched_setscheduler, 0, SCHED_FIFO, with(1)));
  CALL(S(sched_setscheduler, 0, SCHED_BATCH, with(0)));
  CALL(S(sched_setscheduler, 0, SCHED_OTHER | RESET, with(0)));
  CALL(S(sched_setscheduler, 0, SCHED_OTHER, with(0)));
  CALL(S(sched_setscheduler, 0, SCHED_OTHER | RESET, with(0)));
  CALL(S(sched_setparam, 0, with(0)));
  CALL(S(sched_setscheduler, 1, SCHED_OTHER, with(0)));
  CALL(S(sched_setparam, 1, with(0)));
  CALL(S(sched_getparam, 1, &param));
  uint64_t mask = 1;
  CALL(S(sched_setaffinity, 1, 8, &mask));
  CALL(S(setpriority, PRIO_PROCESS, 1, 5));
  CALL(S(setpriority, PRIO_PROCESS, 0, -1));
  CALL(S(setpriority, PRIO_PROCESS, 0, 3));
  CALL(S(setpriority, PRIO_PROCESS, 0, 2));
  CALL(S(setpriority, PRIO_USER, 0, 4));
  CALL(S(getpriority, PRIO_USER, 0));
  CALL(S(setpriority, PRIO_USER, 65533, 4));
  CALL(S(ioprio_set, 1, 0, 1 << 13 | 4));
  CALL(S(ioprio_set, 9, 0, 1 << 13 | 4));
  CALL(S(ioprio_set, 1, 0, 2 << 13 | 4));
  CALL(S(ioprio_set, 1, 1, 2 << 13 | 4));
  CALL(S(ioprio_get, 1, 0));
}

static void nice_values(void) {
  CALL(S(getpriority, 3, 0));
  CALL(S(getpriority, -1, 0));
  CALL(S(getpriority, PRIO_PROCESS, NO_TASK));
  CALL(S(getpriority, PRIO_PROCESS, -1));
  CALL(S(getpriority, PRIO_PGRP, NO_TASK));
  CALL(S(getpriority, PRIO_USER, 54329));
  CALL(S(setpriority, 3, 0, 0));
  CALL(S(setpriority, -1, 0, 0));
  CALL(S(setpriority, PRIO_PROCESS, NO_TASK, 0));
  CALL(S(setpriority, PRIO_PGRP, NO_TASK, 0));
  CALL(S(setpriority, PRIO_USER, 54329, 0));
  CALL(S(setpriority, PRIO_PROCESS, 0, 100));
  CALL(S(getpriority, PRIO_PROCESS, 0));
  CALL(S(setpriority, PRIO_PROCESS, 0, -100));
  CALL(S(getpriority, PRIO_PROCESS, getpid()));
  setpgid(0, 0);
  CALL(S(setpriority, PRIO_PGRP, 0, 9));
  CALL(S(getpriority, PRIO_PGRP, getpid()));
  CHILD(CALL(S(setpriority, PRIO_PROCESS, 0, 3)); CALL(S(getpriority, PRIO_PGRP, 0)));
}

static void *sets_its_own(void *tid) {
  S(setpriority, PRIO_PROCESS, 0, 11);
  *(int *)tid = gettid();
  printf("thread %ld\n", S(getpriority, PRIO_PROCESS, 0));
  return 0;
}

static void threads(void) {
  pthread_t t;
  int tid;
  pthread_create(&t, 0, sets_its_own, &tid);
  pthread_join(t, 0);
  CALL(S(getpriority, PRIO_PROCESS, 0));
}

static void affinity(void) {
  uint64_t masks[64] = {1};
  CALL(S(sched_getaffinity, 0, 7, masks));
  CALL(S(sched_getaffinity, 0, 0, masks));
  CALL(S(sched_getaffinity, 0, 12, masks));
  CALL(S(sched_getaffinity, -1, 8, masks));
  CALL(S(sched_getaffinity, NO_TASK, 8, masks));
  CALL(S(sched_getaffinity, 0, sizeof masks, NO_MEMORY));
  SHOW(S(sched_getaffinity, 0, sizeof masks, masks) % 8);
  SHOW(masks[0] & 1);
  masks[0] = 0;
  CALL(S(sched_setaffinity, 0, 8, masks));
  CALL(S(sched_setaffinity, 0, 0, masks));
  CALL(S(sched_setaffinity, 0, 8, NO_MEMORY));
  CALL(S(sched_setaffinity, NO_TASK, 8, NO_MEMORY));
  masks[0] = 1;
  CALL(S(sched_setaffinity, -1, 8, masks));
  CALL(S(sched_setaffinity, NO_TASK, 8, masks));
  CALL(S(sched_setaffinity, 0, 8, masks));
  CALL(S(sched_setaffinity, 0, 1, masks));
  CALL(S(sched_setaffinity, 0, sizeof masks, masks));
  masks[0] = 1ull << 63;
  CALL(S(sched_setaffinity, 0, 8, masks));
  masks[0] = 0;
  S(sched_getaffinity, 0, sizeof masks, masks);
  SHOW(masks[0]);
  unsigned cpu = 9, node = 9;
  CALL(S(getcpu, &cpu, &node, 0));
  printf("on %u %u\n", cpu, node);
  CALL(S(getcpu, 0, 0, 0));
  CALL(S(getcpu, NO_MEMORY, 0, 0));
  CALL(S(getcpu, 0, NO_MEMORY, 0));
  CALL(S(getcpu, &cpu, 0, NO_MEMORY));
  CALL(S(sched_yield, 0));
}

static void io_priorities(void) {
  CALL(S(ioprio_set, 0, 0, 2 << 13));
  CALL(S(ioprio_set, 4, 0, 2 << 13));
  CALL(S(ioprio_set, -1, 0, 2 << 13));
  CALL(S(ioprio_set, 1, 0, -1));
  CALL(S(ioprio_set, 1, 0, 5 << 13));
  CALL(S(ioprio_set, 1, 0, 4));
  CALL(S(ioprio_set, 1, NO_TASK, 2 << 13));
  CALL(S(ioprio_set, 2, NO_TASK, 2 << 13));
  CALL(S(ioprio_set, 3, 54329, 2 << 13));
  CALL(S(ioprio_get, 0, 0));
  CALL(S(ioprio_get, 4, 0));
  CALL(S(ioprio_get, 1, NO_TASK));
  CALL(S(ioprio_get, 2, NO_TASK));
  CALL(S(ioprio_get, 3, 54329));
  CALL(S(ioprio_set, 1, 0, 2 << 13 | 5));
  CALL(S(ioprio_get, 1, 0));
  CALL(S(ioprio_get, 1, getpid()));
  CHILD(CALL(S(ioprio_get, 1, 0)); CALL(S(ioprio_set, 1, 0, 3 << 13)); CALL(S(ioprio_get, 1, 0)));
  CALL(S(ioprio_set, 1, 0, 0));
}

static void barriers(void) {
  SHOW(S(membarrier, MEMBARRIER_CMD_QUERY, 0, 0) & 0x1ff);
  CALL(S(membarrier, MEMBARRIER_CMD_QUERY, 1, 0));
  CALL(S(membarrier, -1, 0, 0));
  CALL(S(membarrier, 3, 0, 0));
  CALL(S(membarrier, 1 << 20, 0, 0));
  CALL(S(membarrier, MEMBARRIER_CMD_GLOBAL, 1, 0));
  CALL(S(membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
  CALL(S(membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 1, 0));
  CALL(S(membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 1, 0));
  CALL(S(membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0));
  for (int command = MEMBARRIER_CMD_PRIVATE_EXPEDITED; command <= MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ; command <<= 2) {
    printf("command %d\n", command);
    CALL(S(membarrier, command, 0, 0));
    CALL(S(membarrier, command, 2, 0));
    CALL(S(membarrier, command, 1, 0));
    CALL(S(membarrier, command << 1, 1, 0));
    CALL(S(membarrier, command << 1, 0, 0));
    CALL(S(membarrier, command, 0, 0));
    CALL(S(membarrier, command, 1, 0));
    CALL(S(membarrier, command, 2, 0));
    CALL(S(membarrier, command, 1, 77));
  }
  // A child has its parent's registrations; a new program none.
  CHILD(CALL(S(membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0)));
  fflush(stdout);
  char *argv[] = {"scheduling-errors", "again", 0}, *envp[] = {0};
  execve("/proc/self/exe", argv, envp);
}

int main(int argc, char **argv) {
  if (argc > 1) {
    CALL(S(membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    return 0;
  }
  CHILD(policies());
  if (getuid() == 0) CHILD(changes());
  NOBODY(as_nobody());
  if (getuid() == 0) CHILD(nice_values());
  CHILD(threads());
  CHILD(affinity());
  CHILD(io_priorities());
  CHILD(barriers());
  return 0;
}
