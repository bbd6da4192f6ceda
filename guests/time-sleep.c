// SPDX-License-Identifier: MIT
//
// Clocks never go back, and a sleep lasts at least as long as it was asked to.

#include "lib/guest.h"

static i64 now(int clock) {
  struct timespec time;
  CHECK(1, syscall(SYS_clock_gettime, clock, &time) == 0);
  CHECK(2, time.nanoseconds >= 0 && time.nanoseconds < 1000000000);
  return time.seconds * 1000000000 + time.nanoseconds;
}

int guest_main(void) {
  for (int clock = 0; clock <= 1; clock++) {
    i64 last = now(clock);
    for (int i = 0; i < 1000; i++) {
      i64 next = now(clock);
      CHECK(3, next >= last);
      last = next;
    }
  }
  struct timespec request = {0, 30000000};
  i64 before = now(1);
  CHECK(4, syscall(SYS_nanosleep, &request, 0) == 0);
  CHECK(5, now(1) - before >= 30000000);
  // To a moment that has passed: at once.
  struct timespec past = {0, 1};
  CHECK(6, syscall(SYS_clock_nanosleep, 1, 1, &past, 0) == 0);
  struct timespec wrong = {0, 1000000000};
  CHECK(7, syscall(SYS_nanosleep, &wrong, 0) == -22);
  return 0;
}
