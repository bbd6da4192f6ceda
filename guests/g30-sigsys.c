// SPDX-License-Identifier: MIT
//
// SIGSYS is the program's own: blocked it keeps no call from being served, a handler of its own sees the one that the
// program sends, on the alternate stack, and no other.

#include "lib/guest.h"

enum { SIGSYS = 31 };

static volatile int seen;
static volatile u64 where;
static u8 stack[16384] __attribute__((aligned(16)));

static void on_sigsys(int signo, struct siginfo *info, struct ucontext *context) {
  (void)info, (void)context;
  u8 here;
  if (signo == SIGSYS) seen++;
  where = (u64)&here;
}

__attribute__((noinline)) static i64 getpid_at_one_site(void) {
  i64 result;
  __asm__ volatile("mov $39, %%eax\n syscall" : "=&a"(result) : : "rcx", "r11", "memory");
  return result;
}

int guest_main(void) {
  u64 set = 1ul << (SIGSYS - 1);
  CHECK(1, syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, 0, 8) == 0);
  i64 pid = getpid_at_one_site();
  for (int i = 0; i < 10; i++) CHECK(2, getpid_at_one_site() == pid);
  struct sigstack altstack = {stack, 0, 0, sizeof stack};
  CHECK(3, syscall(SYS_sigaltstack, &altstack, 0) == 0);
  CHECK(4, handle(SIGSYS, on_sigsys, SA_ONSTACK) == 0);
  CHECK(5, syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, 0, 8) == 0);
  for (int i = 0; i < 10; i++) CHECK(6, getpid_at_one_site() == pid);
  CHECK(7, seen == 0);
  CHECK(8, send_to_self(SIGSYS) == 0);
  CHECK(9, seen == 1 && where >= (u64)stack && where < (u64)stack + sizeof stack);
  CHECK(10, getpid_at_one_site() == pid);
  return 0;
}
