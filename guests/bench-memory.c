// SPDX-License-Identifier: MIT
//
// Work for the benchmark: random read-modify-write over 8 MB, more pages than a small TLB holds.

#include "lib/guest.h"

enum { WORDS = 1 << 20 };
static u64 words[WORDS];

int guest_main(void) {
  u64 state = 88172645463325252, sum = 0;
  for (int i = 0; i < 4000000; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    words[state & (WORDS - 1)] += state;
  }
  for (int i = 0; i < WORDS; i++) sum ^= words[i];
  CHECK(1, sum == 0x2415d7d29a5cacf9);
  return 0;
}
