// SPDX-License-Identifier: MIT
//
// Threads call one fresh site after the other while the first one forks: no child inherits a site that is half done.

#include "lib/guest.h"

enum { SITES = 120, THREADS = 2, FORKS = 8 };

// Each eight bytes: mov $39,%eax; syscall; ret.
__asm__(".text\n.balign 64\nfresh_sites:\n.rept 120\n  .byte 0xb8, 0x27, 0, 0, 0, 0x0f, 0x05, 0xc3\n.endr\n");
extern const u8 fresh_sites[];

static struct thread threads[THREADS];
static volatile u32 started, failures;
static volatile i64 pid;

static i64 call_site(int index) {
  i64 (*site)(void) = (i64 (*)(void))(fresh_sites + 8 * index);
  return site();
}

static void call_all(u64 argument) {
  started++;
  for (int i = 0; i < SITES; i++) {
    if (call_site(i) != pid) failures++;
    if ((u64)i % 8 == argument) syscall(SYS_sched_yield);
  }
}

int guest_main(void) {
  pid = syscall(SYS_getpid);
  for (u64 i = 0; i < THREADS; i++) CHECK(2, spawn(&threads[i], call_all, i) > 0);
  while (started == 0) syscall(SYS_sched_yield);
  for (int round = 0; round < FORKS; round++) {
    i64 child = syscall(SYS_fork);
    CHECK(3, child >= 0);
    if (child == 0) {
      i64 own = syscall(SYS_getpid);
      for (int i = 0; i < SITES; i++) CHECK(4, call_site(i) == own);
      exit_group(0);
    }
    int status = 0;
    CHECK(5, syscall(SYS_wait4, child, &status, 0, 0) == child);
    CHECK(1, status == 0);
  }
  for (int i = 0; i < THREADS; i++) join(&threads[i]);
  CHECK(6, failures == 0);
  return 0;
}
