// SPDX-License-Identifier: MIT
//
// A thread enters a site behind its mov and waits in read there, while another calls the site from the front, which is
// what patches it. The thread then comes back right behind the site.

#include "lib/guest.h"

// rdi, rsi, rdx: arguments of read. `parked_read` joins the site of getpid_site with 0 in eax.
i64 parked_read(int fd, void *buffer, u64 length);
i64 getpid_site(void);
__asm__(
    ".text\n.balign 64\n"
    "getpid_site:\n"
    "  mov $39, %eax\n"
    "shared_syscall:\n"
    "  syscall\n"
    "  ret\n"
    "parked_read:\n"
    "  xor %eax, %eax\n"
    "  jmp shared_syscall\n");

static struct thread reader;
static int ends[2];
static volatile u32 is_there;
static volatile i64 got;
static volatile u8 byte;

static void read_one(u64 argument) {
  (void)argument;
  is_there = 1;
  got = parked_read(ends[0], (void *)&byte, 1);
}

int guest_main(void) {
  CHECK(1, syscall(SYS_pipe, ends) == 0);
  CHECK(2, spawn(&reader, read_one, 0) > 0);
  while (!is_there) syscall(SYS_sched_yield);
  struct timespec moment = {0, 20000000};
  CHECK(3, syscall(SYS_nanosleep, &moment, 0) == 0);
  i64 pid = getpid_site();
  CHECK(4, pid > 0);
  for (int i = 0; i < 20; i++) CHECK(5, getpid_site() == pid);
  CHECK(6, syscall(SYS_write, ends[1], "x", 1) == 1);
  join(&reader);
  CHECK(7, got == 1 && byte == 'x');
  return 0;
}
