// SPDX-License-Identifier: MIT
//
// Work for the benchmark: the sieve of Eratosthenes over 256 KB, mostly stores.

#include "lib/guest.h"

enum { SIZE = 262144 };
static u8 composite[SIZE];

int guest_main(void) {
  u32 primes = 0;
  for (int round = 0; round < 20; round++) {
    for (u32 i = 0; i < SIZE; i++) composite[i] = 0;
    primes = 0;
    for (u32 i = 2; i < SIZE; i++) {
      if (composite[i]) continue;
      primes++;
      for (u32 j = 2 * i; j < SIZE; j += i) composite[j] = 1;
    }
  }
  // The number of primes below 2^18.
  CHECK(1, primes == 23000);
  return 0;
}
