// SPDX-License-Identifier: MIT
//
// Prints for ever, from two processes. For a sandbox only.

#include <unistd.h>

int main(void) {
  fork();
  for (;;) write(1, "more and more\n", 14);
}
