// SPDX-License-Identifier: MIT
//
// Writing to a pipe that nobody reads: EPIPE while SIGPIPE is ignored, then death by SIGPIPE.

#include "lib/guest.h"

int guest_main(void) {
  int ends[2];
  struct sigaction ignore = {(void *)1, SA_RESTORER, (void *)guest_restorer, 0};
  struct sigaction normal = {(void *)0, SA_RESTORER, (void *)guest_restorer, 0};
  CHECK(1, syscall(SYS_pipe, ends) == 0);
  CHECK(2, syscall(SYS_close, ends[0]) == 0);
  CHECK(3, syscall(SYS_rt_sigaction, 13, &ignore, 0, 8) == 0);
  CHECK(4, syscall(SYS_write, ends[1], "x", 1) == -32);
  CHECK(5, syscall(SYS_rt_sigaction, 13, &normal, 0, 8) == 0);
  syscall(SYS_write, ends[1], "x", 1);
  return 6;
}
