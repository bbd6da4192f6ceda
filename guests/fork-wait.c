// SPDX-License-Identifier: MIT
//
// A child shares nothing that is written after the fork, uses the sites that its parent's were patched at, and its
// end is reported with its status.

#include "lib/guest.h"

static volatile int value = 1;

__attribute__((noinline)) static i64 getpid_at_one_site(void) {
  i64 result;
  __asm__ volatile("mov $39, %%eax\n syscall" : "=&a"(result) : : "rcx", "r11", "memory");
  return result;
}

int guest_main(void) {
  i64 parent = getpid_at_one_site();
  for (int i = 0; i < 5; i++) CHECK(1, getpid_at_one_site() == parent);
  for (int round = 0; round < 3; round++) {
    i64 child = syscall(SYS_fork);
    CHECK(2, child >= 0);
    if (child == 0) {
      value = 2;
      for (int i = 0; i < 5; i++) CHECK(100, getpid_at_one_site() != parent);
      exit_group(40 + round);
    }
    int status = 0;
    CHECK(3, syscall(SYS_wait4, child, &status, 0, 0) == child);
    CHECK(4, status == (40 + round) << 8);
    CHECK(5, value == 1);
  }
  i64 child = syscall(SYS_fork);
  if (child == 0) {
    for (;;) syscall(SYS_pause);
  }
  int status = 0;
  CHECK(6, syscall(SYS_kill, child, SIGUSR1) == 0);
  CHECK(7, syscall(SYS_wait4, child, &status, 0, 0) == child && status == SIGUSR1);
  return 0;
}
