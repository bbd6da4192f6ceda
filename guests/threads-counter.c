// SPDX-License-Identifier: MIT
//
// Eight threads add to one counter under a lock made of a futex; nothing is lost.

#include "lib/guest.h"

enum { THREADS = 8, ROUNDS = 500 };

static struct thread threads[THREADS];
// 0 free, 1 held, 2 held with waiters
static volatile u32 lock;
static volatile u64 counter;

static void take(void) {
  u32 expected = 0;
  if (__atomic_compare_exchange_n(&lock, &expected, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
  while (__atomic_exchange_n(&lock, 2, __ATOMIC_ACQUIRE) != 0) syscall(SYS_futex, &lock, FUTEX_WAIT | FUTEX_PRIVATE, 2, 0);
}

static void release(void) {
  if (__atomic_exchange_n(&lock, 0, __ATOMIC_RELEASE) == 2) syscall(SYS_futex, &lock, FUTEX_WAKE | FUTEX_PRIVATE, 1);
}

static void run(u64 index) {
  for (int i = 0; i < ROUNDS; i++) {
    take();
    u64 value = counter;
    if ((i + index) % 16 == 0) syscall(SYS_sched_yield);
    counter = value + 1;
    release();
  }
}

int guest_main(void) {
  for (u64 i = 0; i < THREADS; i++) CHECK(1, spawn(&threads[i], run, i) > 0);
  for (int i = 0; i < THREADS; i++) join(&threads[i]);
  CHECK(2, counter == THREADS * ROUNDS);
  return 0;
}
