// SPDX-License-Identifier: MIT
//
// Reserves 256 GiB without access, as garbage collectors do, and uses two pages of it.

#include "lib/guest.h"

int guest_main(void) {
  const u64 size = 256ul << 30;
  i64 at = syscall(SYS_mmap, 0, size, 0, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(1, at > 0);
  volatile u64 *last = (u64 *)(at + size - 4096);
  CHECK(2, syscall(SYS_mprotect, at, 4096, PROT_READ | PROT_WRITE) == 0);
  CHECK(3, syscall(SYS_mprotect, last, 4096, PROT_READ | PROT_WRITE) == 0);
  *(volatile u64 *)at = 1;
  *last = 2;
  CHECK(4, *(volatile u64 *)at == 1 && *last == 2);
  CHECK(5, syscall(SYS_munmap, at, size) == 0);
  return 0;
}
