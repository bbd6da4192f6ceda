// SPDX-License-Identifier: MIT
//
// Work for the benchmark: one kind of call again and again. Arguments: g, p, o or s (getpid; a byte through a pipe; open
// and close; stat) and how often. Without arguments it makes a few of each.

#include "lib/guest.h"

enum { FEW = 200 };

/** A call from a site as C libraries have them. */
#define CALL3(number, a, b, c)                                                                     \
  ({                                                                                               \
    i64 result;                                                                                    \
    __asm__ volatile("mov %1, %%eax\n\tsyscall"                                                    \
                     : "=&a"(result)                                                               \
                     : "i"(number), "D"((i64)(a)), "S"((i64)(b)), "d"((i64)(c))                    \
                     : "rcx", "r11", "memory");                                                    \
    result;                                                                                        \
  })

enum { SYS_open = 2, SYS_stat = 4, S_IFCHR = 0020000, S_IFMT = 0170000 };

static u32 stat_buffer[36];

static void make(u8 kind, u64 count) {
  int ends[2];
  u8 byte = 1;
  i64 pid = syscall(SYS_getpid);
  CHECK(1, syscall(SYS_pipe, ends) == 0);
  for (u64 i = 0; i < count; i++) {
    if (kind == 'g') {
      CHECK(2, CALL3(SYS_getpid, 0, 0, 0) == pid);
    } else if (kind == 'p') {
      CHECK(3, CALL3(SYS_write, ends[1], &byte, 1) == 1);
      CHECK(4, CALL3(SYS_read, ends[0], &byte, 1) == 1);
    } else if (kind == 'o') {
      i64 fd = CALL3(SYS_open, "/dev/null", 0, 0);
      CHECK(5, fd >= 0);
      CHECK(6, CALL3(SYS_close, fd, 0, 0) == 0);
    } else {
      CHECK(7, CALL3(SYS_stat, "/dev/null", stat_buffer, 0) == 0);
      CHECK(8, (stat_buffer[6] & S_IFMT) == S_IFCHR);
    }
  }
  syscall(SYS_close, ends[0]);
  syscall(SYS_close, ends[1]);
}

int guest_main(void) {
  // argc and argv lie above the return address.
  u64 *stack = (u64 *)__builtin_frame_address(0) + 2;
  if (stack[0] == 3) {
    u64 count = 0;
    for (const u8 *digit = (const u8 *)stack[3]; *digit != 0; digit++) count = count * 10 + (*digit - '0');
    make(*(const u8 *)stack[2], count);
    return 0;
  }
  for (const u8 *kind = (const u8 *)"gpos"; *kind != 0; kind++) make(*kind, FEW);
  return 0;
}
