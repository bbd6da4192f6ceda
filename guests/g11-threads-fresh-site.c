// SPDX-License-Identifier: MIT
//
// Threads meet at a barrier and then call one fresh site together, for many sites one after the other: each call
// must be served once, with its own number, in its own thread.

#include "lib/guest.h"

enum { THREADS = 4, SITES = 40, CALLS = 3 };

static struct thread threads[THREADS];
static volatile u32 arrived[SITES];
static volatile u32 wrong;

// 40 functions of 16 bytes: mov $186,%eax (gettid); syscall; ret
__asm__(".text\n.balign 64\nfresh_sites:\n.rept 40\n  .byte 0xb8, 0xba, 0, 0, 0, 0x0f, 0x05, 0xc3\n  .balign 16\n.endr\n");
extern u8 fresh_sites[];

static u64 call_site(u8 *site) {
  u64 result;
  __asm__ volatile("call *%1" : "=&a"(result) : "r"(site) : "rcx", "r11", "memory");
  return result;
}

static void run(u64 index) {
  u64 tid = threads[index].tid;
  for (int site = 0; site < SITES; site++) {
    __atomic_fetch_add(&arrived[site], 1, __ATOMIC_SEQ_CST);
    // Close together where threads run at once; giving way where they take turns.
    for (int spins = 1; arrived[site] < THREADS; spins++) {
      if (spins % 256 == 0) syscall(SYS_sched_yield);
      __asm__ volatile("pause");
    }
    for (int call = 0; call < CALLS; call++) {
      if (call_site(fresh_sites + 16 * site) != tid) wrong = 1;
    }
  }
}

int guest_main(void) {
  for (u64 i = 0; i < THREADS; i++) CHECK(1, spawn(&threads[i], run, i) > 0);
  for (int i = 0; i < THREADS; i++) join(&threads[i]);
  CHECK(2, wrong == 0);
  for (int site = 0; site < SITES; site++) CHECK(3, arrived[site] == THREADS);
  return 0;
}
