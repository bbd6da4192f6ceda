// SPDX-License-Identifier: MIT
//
// Delivery to a handler with its siginfo, blocking and unblocking, ignoring, and the mask during a handler.

#include "lib/guest.h"

static volatile int count, last_code, last_sender, nested_mask_bit;

static void on_signal(int signo, struct siginfo *info, struct ucontext *context) {
  u64 mask = 0;
  (void)context;
  count++;
  last_code = info->code;
  last_sender = info->pid;
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, &mask, 8);
  nested_mask_bit = (int)(mask >> (signo - 1)) & 1;
}

int guest_main(void) {
  i64 pid = syscall(SYS_getpid);
  CHECK(1, handle(SIGUSR1, on_signal, 0) == 0);
  CHECK(2, syscall(SYS_kill, pid, SIGUSR1) == 0 && count == 1);
  CHECK(3, last_code == 0 && last_sender == pid && nested_mask_bit == 1);
  CHECK(4, send_to_self(SIGUSR1) == 0 && count == 2 && last_code == -6);

  u64 set = 1ul << (SIGUSR1 - 1), old = 1;
  CHECK(5, syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, &old, 8) == 0 && old == 0);
  send_to_self(SIGUSR1);
  send_to_self(SIGUSR1);
  CHECK(6, count == 2);
  CHECK(7, syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, &set, 8) == 0 && set == 1ul << (SIGUSR1 - 1));
  // Two sendings of a standard signal that waits are one.
  CHECK(8, count == 3);

  struct sigaction ignore = {(void *)1, SA_RESTORER, (void *)guest_restorer, 0}, previous;
  CHECK(9, syscall(SYS_rt_sigaction, SIGUSR1, &ignore, &previous, 8) == 0 && previous.handler == (void *)on_signal);
  CHECK(10, send_to_self(SIGUSR1) == 0 && count == 3);
  CHECK(11, handle(9, on_signal, 0) == -22);
  return 0;
}
