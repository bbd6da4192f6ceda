// SPDX-License-Identifier: MIT
//
// A read that waits on an empty pipe is interrupted by a timer's signal. With SA_RESTART it goes on and gets what
// the handler wrote; without it ends with EINTR. Its site is patched by then, and its registers stay.

#include "lib/guest.h"

static int ends[2];
static volatile int signals;

static void on_alarm_write(int signo, struct siginfo *info, struct ucontext *context) {
  (void)signo, (void)info, (void)context;
  signals++;
  syscall(SYS_write, ends[1], "x", 1);
}

static void on_alarm(int signo, struct siginfo *info, struct ucontext *context) {
  (void)signo, (void)info, (void)context;
  signals++;
}

__attribute__((noinline)) static i64 read_at_one_site(int fd, char *buffer, u64 length) {
  i64 result;
  // xor would be shorter, but is not what gets patched.
  __asm__ volatile("mov $0, %%eax\n syscall" : "=&a"(result) : "D"((i64)fd), "S"(buffer), "d"(length) : "rcx", "r11", "memory");
  return result;
}

int guest_main(void) {
  char buffer[4] = {0};
  i64 timer[4] = {0, 0, 0, 10000};
  CHECK(1, syscall(SYS_pipe, ends) == 0);
  for (int i = 0; i < 3; i++) {
    CHECK(2, syscall(SYS_write, ends[1], "ab", 2) == 2);
    CHECK(3, read_at_one_site(ends[0], buffer, 4) == 2 && buffer[1] == 'b');
  }
  CHECK(4, handle(SIGALRM, on_alarm_write, SA_RESTART) == 0);
  CHECK(5, syscall(SYS_setitimer, 0, timer, 0) == 0);
  CHECK(6, read_at_one_site(ends[0], buffer, 4) == 1 && buffer[0] == 'x');
  CHECK(7, signals == 1);
  CHECK(8, handle(SIGALRM, on_alarm, 0) == 0);
  CHECK(9, syscall(SYS_setitimer, 0, timer, 0) == 0);
  CHECK(10, read_at_one_site(ends[0], buffer, 4) == -EINTR);
  CHECK(11, signals == 2);
  return 0;
}
