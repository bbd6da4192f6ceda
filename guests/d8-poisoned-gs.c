// SPDX-License-Identifier: MIT
//
// D8: a stub thread's GS base is set once. A process that writes it harms the threads that run it, and the process that
// gets these threads from the pool later.

#include "lib/sites.h"

enum { TRIES = 20 };

__asm__(".text\nnop\nsite: mov $39, %eax\nsyscall\nret\n");
extern const u8 site[];

int guest_main(void) {
  int harmed = 0, status = 0;
  CHECK(2, call_site(site) == quiet(SYS_getpid));
  for (int i = 0; i < TRIES; i++) {
    i64 offender = quiet(SYS_fork);
    if (offender == 0) {
      __asm__ volatile("xor %%eax, %%eax\n\twrgsbase %%rax" : : : "rax");
      finish(0);
    }
    CHECK(3, quiet(SYS_wait4, offender, &status, 0, 0) == offender);
    CHECK(4, status == 0);
    // The offender's address space may take a moment to go.
    for (int j = 0; j < 200; j++) quiet(SYS_sched_yield);
    i64 victim = quiet(SYS_fork);
    if (victim == 0) finish(call_site(site) != quiet(SYS_getpid));
    CHECK(5, quiet(SYS_wait4, victim, &status, 0, 0) == victim);
    harmed += status != 0;
  }
  say("d8");
  tell("patched", (u64)is_patched(site));
  tell("harmed", (u64)harmed);
  tell("of", TRIES);
  tell("last-status", (u64)status);
  end_line();
  finish(harmed != 0);
}
