// SPDX-License-Identifier: MIT
//
// Maps and touches memory until there is no more: mmap fails with ENOMEM, or a touch ends this guest.

#include "lib/guest.h"

int guest_main(void) {
  const u64 chunk = 16ul << 20;
  for (;;) {
    i64 at = syscall(SYS_mmap, 0, chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at < 0 && at > -4096) return at == -ENOMEM ? 0 : 1;
    for (u64 offset = 0; offset < chunk; offset += 4096) *(volatile u8 *)(at + offset) = 1;
  }
}
