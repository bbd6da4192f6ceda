// SPDX-License-Identifier: MIT
//
// D5: the table is mapped over whatever the guest has at its random place in [0x60000, 0x70000).

#include "lib/sites.h"

enum { WINDOW = 0x60000, WINDOW_BYTES = 0x10000, MARK = 0x55 };

__asm__(".text\nnop\nfirst: mov $39, %eax\nsyscall\nret\n");
extern const u8 first[];

int guest_main(void) {
  volatile u8 *window = map_at(WINDOW, WINDOW_BYTES, PROT_READ | PROT_WRITE);
  CHECK(2, (u64)window == WINDOW);
  for (u64 i = 0; i < WINDOW_BYTES; i++) window[i] = MARK;
  i64 pid = quiet(SYS_getpid);
  CHECK(3, call_site(first) == pid);
  u64 lost = 0, where = 0;
  for (u64 page = 0; page < WINDOW_BYTES; page += 4096) {
    int same = 1;
    for (u64 i = 0; i < 4096; i++) same &= window[page + i] == MARK;
    if (same) continue;
    if (lost++ == 0) where = WINDOW + page;
  }
  say("d5");
  tell("patched", (u64)is_patched(first));
  tell("pages-lost", lost);
  if (lost != 0) tell("from", where);
  end_line();
  finish(lost != 0);
}
