// SPDX-License-Identifier: MIT
//
// A null pointer some calls deep, with nobody to catch it: SIGSEGV. Keeps its symbols for the crash report.

#include "lib/guest.h"

static int *volatile nothing;

__attribute__((noinline)) static int follow_pointer(int depth) {
  return depth == 0 ? *nothing : follow_pointer(depth - 1) + 1;
}

int guest_main(void) {
  syscall(SYS_getpid);
  syscall(SYS_getpid);
  return follow_pointer(3);
}
