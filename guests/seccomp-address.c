// SPDX-License-Identifier: MIT
//
// A seccomp filter that looks at the instruction pointer sees the address behind the `syscall` whichever way the call came:
// by the trap of the first execution or by the patched site.

#include "lib/sites.h"

enum { SYS_prctl = 157, PR_SET_SECCOMP = 22, PR_SET_NO_NEW_PRIVS = 38, SECCOMP_MODE_FILTER = 2, CALLS = 4, ERROR = 77 };
enum { LOAD = 0x20, JUMP_IF_EQUAL = 0x15, RETURN = 0x06, DATA_NUMBER = 0, DATA_POINTER = 8 };
static const u32 ALLOW = 0x7fff0000, FAIL = 0x00050000;

struct instruction {
  unsigned short code;
  u8 if_true, if_false;
  u32 value;
};

__asm__(".text\nnop\nsite: mov $39, %eax\nsyscall\nret\n");
extern const u8 site[];

int guest_main(void) {
  u64 pointer = (u64)site + SITE_BYTES;
  struct instruction program[] = {
      {LOAD, 0, 0, DATA_NUMBER},         {JUMP_IF_EQUAL, 0, 5, SYS_getpid},
      {LOAD, 0, 0, DATA_POINTER},        {JUMP_IF_EQUAL, 0, 3, (u32)pointer},
      {LOAD, 0, 0, DATA_POINTER + 4},    {JUMP_IF_EQUAL, 0, 1, (u32)(pointer >> 32)},
      {RETURN, 0, 0, FAIL | ERROR},      {RETURN, 0, 0, ALLOW},
  };
  struct {
    unsigned short length;
    struct instruction *program;
  } filter = {sizeof program / sizeof program[0], program};
  CHECK(2, quiet(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(3, quiet(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0);
  for (int i = 0; i < CALLS; i++) CHECK(10 + i, call_site(site) == -ERROR);
  CHECK(4, quiet(SYS_getpid) > 0);
  return 0;
}
