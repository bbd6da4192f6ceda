// SPDX-License-Identifier: MIT
//
// A sleep at a patched site is stopped and continued, without a handler: the kernel goes on with restart_syscall behind
// the program's back, at the very site, and the sleep takes as long as it was asked to, no longer.

#include "lib/guest.h"

enum { SIGCONT = 18, SIGSTOP = 19 };

__attribute__((noinline)) static i64 sleep_at_one_site(struct timespec *request) {
  i64 result;
  __asm__ volatile("mov $35, %%eax\n syscall" : "=&a"(result) : "D"(request), "S"(0) : "rcx", "r11", "memory");
  return result;
}

int guest_main(void) {
  struct timespec brief = {0, 1000000}, request = {0, 120000000}, before, after;
  CHECK(1, sleep_at_one_site(&brief) == 0);
  CHECK(2, sleep_at_one_site(&brief) == 0);
  i64 parent = syscall(SYS_getpid);
  i64 child = syscall(SYS_fork);
  CHECK(3, child >= 0);
  if (child == 0) {
    for (int i = 0; i < 2; i++) {
      struct timespec pause = {0, 20000000};
      syscall(SYS_nanosleep, &pause, 0);
      CHECK(4, syscall(SYS_kill, parent, SIGSTOP) == 0);
      syscall(SYS_nanosleep, &pause, 0);
      CHECK(5, syscall(SYS_kill, parent, SIGCONT) == 0);
    }
    exit_group(0);
  }
  CHECK(6, syscall(SYS_clock_gettime, 1, &before) == 0);
  CHECK(7, sleep_at_one_site(&request) == 0);
  CHECK(8, syscall(SYS_clock_gettime, 1, &after) == 0);
  i64 passed = (after.seconds - before.seconds) * 1000000000 + after.nanoseconds - before.nanoseconds;
  CHECK(9, passed >= 120000000);
  int status = 0;
  CHECK(10, syscall(SYS_wait4, child, &status, 0, 0) == child && status == 0);
  CHECK(11, sleep_at_one_site(&brief) == 0);
  return 0;
}
