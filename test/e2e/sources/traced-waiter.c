// SPDX-License-Identifier: MIT
//
// Waits for a byte, then tells the value of a variable: a debugger that attaches meanwhile may change it.

#include <stdio.h>
#include <unistd.h>

int counter = 3;

static int waits(void) {
  char c;
  return read(0, &c, 1);
}

int main(void) {
  char text[64];
  write(1, "ready\n", 6);
  int n = waits();
  write(1, text, snprintf(text, sizeof text, "read %d, counter %d\n", n, counter));
  return 4;
}
