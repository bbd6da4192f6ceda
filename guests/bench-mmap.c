// SPDX-License-Identifier: MIT
//
// Work for the benchmark: 1,000 mappings of a page, each with other rights than its neighbours, and their removal.

#include "lib/guest.h"

int guest_main(void) {
  static i64 pages[1000];
  for (int i = 0; i < 1000; i++) {
    pages[i] = syscall(SYS_mmap, 0, 4096, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(1, pages[i] > 0);
  }
  for (int i = 0; i < 1000; i++) CHECK(2, syscall(SYS_munmap, pages[i], 4096) == 0);
  return 0;
}
