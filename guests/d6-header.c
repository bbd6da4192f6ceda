// SPDX-License-Identifier: MIT
//
// D6: a forked process goes on from the table's header, which its parent can write. A header of 0 makes slot 0 be handed
// out, over the header; the next header then is the low half of slot 0's jump operand.

#include "lib/sites.h"

__asm__(
    ".text\n"
    "nop\nfirst: mov $39, %eax\nsyscall\nret\n"
    "nop\nsecond: mov $39, %eax\nsyscall\nret\n"
    "nop\nthird: mov $39, %eax\nsyscall\nret\n");
extern const u8 first[], second[], third[];

int guest_main(void) {
  i64 pid = quiet(SYS_getpid);
  CHECK(2, call_site(first) == pid);
  say("d6");
  if (!is_patched(first)) {
    say(" unpatched");
    end_line();
    finish(0);
  }
  u64 table = table_of(first);
  tell("table", table);
  tell("header", *(volatile u32 *)table);
  if (quiet(SYS_mprotect, table, TABLE_BYTES, RWX) != 0) {
    say(" unwritable");
    end_line();
    finish(0);
  }
  *(volatile u32 *)table = 0;
  i64 child = quiet(SYS_fork);
  if (child == 0) {
    for (int i = 0; i < 2; i++) call_site(second);
    call_site(third);
    // The operand of its jump has become the number of slots.
    call_site(second);
    finish(0);
  }
  int status = 0;
  CHECK(4, quiet(SYS_wait4, child, &status, 0, 0) == child);
  tell("child-status", (u64)status);
  end_line();
  finish(status != 0);
}
