// SPDX-License-Identifier: MIT
//
// Futexes: the value check, a timeout, waking by count and by bitset, moving waiters to another futex.

#include "lib/guest.h"

enum { WAITERS = 3 };

static struct thread threads[WAITERS];
static volatile u32 first, second, started, woken;

static void wait_on_first(u64 bit) {
  __atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
  i64 result = syscall(SYS_futex, &first, FUTEX_WAIT_BITSET | FUTEX_PRIVATE, 0, 0, 0, 1u << bit);
  if (result == 0) __atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
}

static void rest(void) {
  struct timespec moment = {0, 5000000};
  syscall(SYS_nanosleep, &moment, 0);
}

int guest_main(void) {
  struct timespec soon = {0, 2000000};
  CHECK(1, syscall(SYS_futex, &first, FUTEX_WAIT | FUTEX_PRIVATE, 1, 0) == -EAGAIN);
  CHECK(2, syscall(SYS_futex, &first, FUTEX_WAIT | FUTEX_PRIVATE, 0, &soon) == -ETIMEDOUT);
  CHECK(3, syscall(SYS_futex, &first, FUTEX_WAKE | FUTEX_PRIVATE, 1) == 0);
  CHECK(4, syscall(SYS_futex, (u64)&first + 1, FUTEX_WAIT, 0, 0) == -22);

  for (u64 i = 0; i < WAITERS; i++) CHECK(5, spawn(&threads[i], wait_on_first, i) > 0);
  while (started < WAITERS) rest();
  rest();
  CHECK(6, syscall(SYS_futex, &first, FUTEX_WAKE_BITSET | FUTEX_PRIVATE, 10, 0, 0, 1u << 1) == 1);
  CHECK(7, syscall(SYS_futex, &first, FUTEX_REQUEUE | FUTEX_PRIVATE, 0, 1, &second, 0) == 1);
  CHECK(8, syscall(SYS_futex, &first, FUTEX_WAKE | FUTEX_PRIVATE, 10) == 1);
  CHECK(9, syscall(SYS_futex, &second, FUTEX_WAKE | FUTEX_PRIVATE, 10) == 1);
  for (int i = 0; i < WAITERS; i++) join(&threads[i]);
  CHECK(10, woken == WAITERS);
  return 0;
}
