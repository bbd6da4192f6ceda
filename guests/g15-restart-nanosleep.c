// SPDX-License-Identifier: MIT
//
// A sleep whose site has been patched before is interrupted by a timer's signal: with a handler it ends with EINTR
// and the time that was left, and the same site then sleeps that rest to its end.

#include "lib/guest.h"

static volatile int signals;

static void on_alarm(int signo, struct siginfo *info, struct ucontext *context) {
  (void)info, (void)context;
  if (signo == SIGALRM) signals++;
}

__attribute__((noinline)) static i64 sleep_at_one_site(struct timespec *request, struct timespec *left) {
  i64 result;
  __asm__ volatile("mov $35, %%eax\n syscall" : "=&a"(result) : "D"(request), "S"(left) : "rcx", "r11", "memory");
  return result;
}

int guest_main(void) {
  struct timespec brief = {0, 1000000}, request = {0, 80000000}, left = {0, 0}, before, after;
  CHECK(1, sleep_at_one_site(&brief, 0) == 0);
  CHECK(2, sleep_at_one_site(&brief, 0) == 0);
  CHECK(3, handle(SIGALRM, on_alarm, SA_RESTART) == 0);
  i64 timer[4] = {0, 0, 0, 20000};
  CHECK(4, syscall(SYS_setitimer, 0, timer, 0) == 0);
  CHECK(5, syscall(SYS_clock_gettime, 1, &before) == 0);
  CHECK(6, sleep_at_one_site(&request, &left) == -EINTR);
  CHECK(7, signals == 1);
  CHECK(8, left.seconds == 0 && left.nanoseconds > 0 && left.nanoseconds < 80000000);
  CHECK(9, sleep_at_one_site(&left, 0) == 0);
  CHECK(10, syscall(SYS_clock_gettime, 1, &after) == 0);
  i64 passed = (after.seconds - before.seconds) * 1000000000 + after.nanoseconds - before.nanoseconds;
  CHECK(11, passed >= 80000000);
  return 0;
}
