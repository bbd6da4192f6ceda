// SPDX-License-Identifier: MIT
//
// Two processes share writable code. The parent makes calls from it, then the child: whatever a patcher has written
// there for the parent, the child has no part in it.

#include "lib/guest.h"

enum { SYS_memfd_create = 319, SYS_ftruncate = 77, MAP_SHARED = 1, PAGE = 4096 };

int guest_main(void) {
  i64 fd = syscall(SYS_memfd_create, "code", 0);
  CHECK(2, fd >= 0);
  CHECK(3, syscall(SYS_ftruncate, fd, PAGE) == 0);
  u8 *code = (u8 *)syscall(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, fd, 0);
  CHECK(4, (i64)code > 0);
  static const u8 site[8] = {0xb8, 0x66, 0, 0, 0, 0x0f, 0x05, 0xc3}; // getuid
  for (int i = 0; i < 8; i++) code[64 + i] = site[i];
  i64 (*getuid_site)(void) = (i64 (*)(void))(code + 64);
  int ends[2];
  CHECK(5, syscall(SYS_pipe, ends) == 0);
  i64 child = syscall(SYS_fork);
  CHECK(6, child >= 0);
  i64 uid = syscall(102);
  if (child == 0) {
    u8 byte;
    CHECK(7, syscall(SYS_read, ends[0], &byte, 1) == 1);
    for (int i = 0; i < 4; i++) CHECK(8, getuid_site() == uid);
    exit_group(0);
  }
  for (int i = 0; i < 4; i++) CHECK(9, getuid_site() == uid);
  CHECK(10, syscall(SYS_write, ends[1], "x", 1) == 1);
  int status = 0;
  CHECK(11, syscall(SYS_wait4, child, &status, 0, 0) == child);
  CHECK(1, status == 0);
  for (int i = 0; i < 4; i++) CHECK(12, getuid_site() == uid);
  return 0;
}
