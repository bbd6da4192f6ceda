// SPDX-License-Identifier: MIT
//
// A storm of signals over a loop of calls: no handler may see an instruction pointer outside of the program's own code.
// Where a trampoline can be interrupted at its first instruction, one shows.

#include "lib/guest.h"

extern const u8 __executable_start, etext;
enum { STORMS = 60 };

static volatile u64 storms, strangers;

static void on_alarm(int signo, struct siginfo *info, struct ucontext *context) {
  (void)signo, (void)info;
  u64 rip = context->registers[REG_RIP];
  storms++;
  if (rip < (u64)&__executable_start || rip >= (u64)&etext) strangers++;
}

__attribute__((noinline)) static i64 getpid_at_one_site(void) {
  i64 result;
  __asm__ volatile("mov $39, %%eax\n syscall" : "=&a"(result) : : "rcx", "r11", "memory");
  return result;
}

int guest_main(void) {
  CHECK(2, handle(SIGALRM, on_alarm, SA_RESTART) == 0);
  i64 pid = getpid_at_one_site();
  // A prime number of microseconds, so that the storm drifts over the loop.
  i64 timer[4] = {0, 97, 0, 97};
  CHECK(3, syscall(SYS_setitimer, 0, timer, 0) == 0);
  while (storms < STORMS) CHECK(4, getpid_at_one_site() == pid);
  i64 off[4] = {0, 0, 0, 0};
  CHECK(5, syscall(SYS_setitimer, 0, off, 0) == 0);
  CHECK(1, strangers == 0);
  return 0;
}
