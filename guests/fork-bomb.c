// SPDX-License-Identifier: MIT
//
// Forks processes that fork, until no more can be had; the first process then ends with 0.

#include "lib/guest.h"

int guest_main(void) {
  i64 first = syscall(SYS_getpid);
  for (;;) {
    i64 result = syscall(SYS_fork);
    if (result < 0 && syscall(SYS_getpid) == first) return result == -EAGAIN || result == -ENOMEM ? 0 : 1;
    if (result < 0) syscall(SYS_pause);
  }
}
