// SPDX-License-Identifier: MIT
//
// Starts threads that never end until no more can be had, which must come; then goes.

#include "lib/guest.h"

static u8 stacks[1 << 20];

static void run(u64 index) {
  (void)index;
  for (;;) syscall(SYS_pause);
}

int guest_main(void) {
  static volatile u32 tid;
  for (;;) {
    i64 result = guest_clone(0x10f00, stacks + sizeof stacks, &tid, &tid, run, 0);
    if (result < 0) return result == -EAGAIN || result == -ENOMEM ? 0 : 1;
  }
}
