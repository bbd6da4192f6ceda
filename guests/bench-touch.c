// SPDX-License-Identifier: MIT
//
// Work for the benchmark: the first touch of 16,384 pages.

#include "lib/guest.h"

int guest_main(void) {
  const u64 size = 16384ul * 4096;
  i64 at = syscall(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(1, at > 0);
  for (u64 offset = 0; offset < size; offset += 4096) *(volatile u8 *)(at + offset) = 1;
  return 0;
}
