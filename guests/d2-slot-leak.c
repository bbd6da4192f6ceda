// SPDX-License-Identifier: MIT
//
// D2: a slot is used up before the site is written. A site in a shared mapping of a file that is open for reading only
// can never be written, so its calls use up the table, and no site of the program is patched any more.

#include "lib/sites.h"

enum { CALLS = 300 };

__asm__(
    ".text\n"
    "nop\nfirst: mov $39, %eax\nsyscall\nret\n"
    "nop\nshared: mov $39, %eax\nsyscall\nret\n"
    "nop\nlast: mov $39, %eax\nsyscall\nret\n");
extern const u8 first[], shared[], last[], __ehdr_start[], _end[];

int guest_main(void) {
  i64 pid = quiet(SYS_getpid), file = quiet(SYS_open, "/proc/self/exe", 0);
  CHECK(2, file >= 0);
  u64 length = (u64)(_end - __ehdr_start);
  const u8 *copy = (const u8 *)quiet(SYS_mmap, 0, length, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
  CHECK(3, (i64)copy > 0);
  int wrong = call_site(first) != pid;
  const u8 *site = copy + (shared - __ehdr_start);
  for (int i = 0; i < CALLS; i++) wrong += call_site(site) != pid;
  for (int i = 0; i < 3; i++) wrong += call_site(last) != pid;
  say("d2");
  tell("first-patched", (u64)is_patched(first));
  tell("shared-patched", (u64)is_patched(site));
  tell("last-patched", (u64)is_patched(last));
  tell("wrong-results", (u64)wrong);
  end_line();
  finish(wrong != 0 ? 4 : is_patched(first) && !is_patched(last));
}
