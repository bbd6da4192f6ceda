// SPDX-License-Identifier: MIT
//
// What a call gives, as a line of text: the result, or the number of its error. Values that differ from run to run
// (descriptors, identifiers) are for OK, which only says whether it worked.

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL(expr) ({ errno = 0; long r_ = (long)(expr); int e_ = errno; \
  if (r_ == -1) printf("%s: errno %d\n", #expr, e_); else printf("%s: %ld\n", #expr, r_); \
  fflush(stdout); errno = e_; r_; })
#define OK(expr) ({ errno = 0; long r_ = (long)(expr); int e_ = errno; \
  if (r_ == -1) printf("%s: errno %d\n", #expr, e_); else printf("%s: ok\n", #expr); \
  fflush(stdout); errno = e_; r_; })
#define SHOW(expr) (printf("%s: %ld\n", #expr, (long)(expr)), fflush(stdout))
// Runs a block in a child of its own and waits for it.
#define CHILD(...) ({ fflush(stdout); pid_t p_ = fork(); if (p_ == 0) { __VA_ARGS__; fflush(stdout); _exit(0); } \
  int s_ = 0; waitpid(p_, &s_, 0); if (s_) printf("child: status %#x\n", s_); fflush(stdout); p_; })
// The same as somebody without rights.
#define NOBODY(...) CHILD({ if (setgroups(0, 0) | setresgid(65534, 65534, 65534) | setresuid(65534, 65534, 65534)) _exit(99); __VA_ARGS__; })
