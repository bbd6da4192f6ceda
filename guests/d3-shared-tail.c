// SPDX-License-Identifier: MIT
//
// D3: recovery restarts the patched site whatever rax is. Another path that jumps to the `syscall` of a patched site
// gets the call of that site.

#include "lib/sites.h"

__asm__(
    ".text\n"
    "nop\none: mov $39, %eax\nshared_tail: syscall\nret\n"
    "other: mov $102, %eax\njmp shared_tail\n");
extern const u8 one[], other[];

int guest_main(void) {
  i64 pid = quiet(SYS_getpid), uid = quiet(SYS_getuid);
  i64 before = call_site(other);
  CHECK(2, call_site(one) == pid);
  CHECK(3, call_site(one) == pid);
  i64 after = call_site(other);
  say("d3");
  tell("patched", (u64)is_patched(one));
  tell("getpid", (u64)pid);
  tell("getuid", (u64)uid);
  tell("getuid-by-the-tail-before", (u64)before);
  tell("after", (u64)after);
  end_line();
  finish(after != uid);
}
