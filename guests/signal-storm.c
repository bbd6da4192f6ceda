// SPDX-License-Identifier: MIT
//
// A short interval timer interrupts a loop over patched sites again and again. No handler may see an instruction
// pointer outside the guest's own text, and no call may be lost or done twice.

#include "lib/guest.h"

extern u8 __executable_start[], etext[];
static volatile int strange, signals;

static void on_alarm(int signo, struct siginfo *info, struct ucontext *context) {
  (void)signo, (void)info;
  u64 rip = context->registers[REG_RIP];
  if (rip < (u64)__executable_start || rip >= (u64)etext) strange = 1;
  signals++;
}

int guest_main(void) {
  int ends[2];
  char byte;
  CHECK(1, handle(SIGALRM, on_alarm, SA_RESTART) == 0);
  CHECK(2, syscall(SYS_pipe, ends) == 0);
  i64 timer[4] = {0, 50, 0, 50};
  CHECK(3, syscall(SYS_setitimer, 0, timer, 0) == 0);
  for (int i = 0; i < 100000 && signals < 200; i++) {
    char sent = (char)i;
    CHECK(4, syscall(SYS_write, ends[1], &sent, 1) == 1);
    CHECK(5, syscall(SYS_read, ends[0], &byte, 1) == 1 && byte == sent);
  }
  CHECK(6, strange == 0);
  CHECK(7, signals > 0);
  return 0;
}
