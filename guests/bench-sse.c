// SPDX-License-Identifier: MIT
//
// Work for the benchmark: double precision, scalar and packed.

#include "lib/guest.h"

typedef double pair __attribute__((vector_size(16)));
static pair values[256];

int guest_main(void) {
  double scalar = 1.0;
  for (int i = 0; i < 256; i++) values[i] = (pair){1.0 + i, 2.0 + i};
  for (int round = 0; round < 16000; round++) {
    pair factor = {0.999, 1.001}, sum = {0, 0};
    for (int i = 0; i < 256; i++) {
      values[i] = values[i] * factor + (pair){0.5, 0.25};
      sum += values[i];
    }
    scalar = scalar * 0.5 + sum[0] / sum[1];
  }
  CHECK(1, scalar > 0.0 && scalar < 1000.0);
  return 0;
}
