// SPDX-License-Identifier: MIT
//
// Prints random bytes: sixteen of the auxiliary vector, sixteen of getrandom.

#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

int main(void) {
  unsigned char b[32];
  memcpy(b, (void *)getauxval(AT_RANDOM), 16);
  getrandom(b + 16, 16, 0);
  for (int i = 0; i < 32; i++) printf("%02x", b[i]);
  printf("\n");
  return 0;
}
