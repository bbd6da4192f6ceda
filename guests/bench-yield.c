// SPDX-License-Identifier: MIT
//
// Work for the benchmark: two threads that give way to each other.

#include "lib/guest.h"

enum { TURNS = 20000 };
static struct thread other;
static volatile u32 turns;

static void run(u64 argument) {
  (void)argument;
  for (int i = 0; i < TURNS; i++) {
    turns++;
    syscall(SYS_sched_yield);
  }
}

int guest_main(void) {
  CHECK(1, spawn(&other, run, 0) > 0);
  for (int i = 0; i < TURNS; i++) syscall(SYS_sched_yield);
  join(&other);
  CHECK(2, turns == TURNS);
  return 0;
}
