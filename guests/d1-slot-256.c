// SPDX-License-Identifier: MIT
//
// D1: the test for slots that cross a page is one byte off, so slot 255 is passed over and 256, behind the table, is
// handed out. Memory of the guest's right behind the table shows whether something is written there. (It is executable
// here: where it is not, the site that is patched with that slot dies of SIGSEGV.)

#include "lib/sites.h"

enum { SITES = 300, STRIDE = 32, MARK = 0xaa };

int guest_main(void) {
  u8 *code = map_at(0, SITES * STRIDE, RWX);
  for (int i = 0; i < SITES; i++) make_site(code + i * STRIDE + 1, SYS_getpid);
  i64 pid = quiet(SYS_getpid);
  CHECK(2, call_site(code + 1) == pid);
  say("d1");
  if (!is_patched(code + 1)) {
    say(" unpatched");
    end_line();
    finish(0);
  }
  u64 table = table_of(code + 1);
  u8 *behind = map_at(table + TABLE_BYTES, 4096, RWX);
  CHECK(3, (u64)behind == table + TABLE_BYTES);
  for (int i = 0; i < 4096; i++) behind[i] = MARK;
  int patched = 0, highest = 0, wrong = 0, written = 0;
  for (int i = 0; i < SITES; i++) {
    const u8 *site = code + i * STRIDE + 1;
    for (int again = 0; again < 3; again++) wrong += call_site(site) != pid;
    if (!is_patched(site)) continue;
    patched++;
    int index = (int)((slot_of(site) - table) / TRAP_BYTES);
    if (index > highest) highest = index;
  }
  for (int i = 0; i < 4096; i++) written += behind[i] != MARK;
  tell("table", table);
  tell("patched", (u64)patched);
  tell("highest-slot", (u64)highest);
  tell("bytes-written-behind", (u64)written);
  tell("wrong-results", (u64)wrong);
  end_line();
  finish(wrong != 0 ? 4 : written != 0);
}
