// SPDX-License-Identifier: MIT
//
// D9: a call through the vsyscall page, which Systrap turns into a fault for the kernel to emulate, but not where patching
// is disabled. Then it is an ordinary call with another instruction pointer, as a seccomp filter sees.

#include "lib/sites.h"

enum { SYS_gettimeofday = 96, SYS_prctl = 157, PR_SET_SECCOMP = 22, PR_SET_NO_NEW_PRIVS = 38, SECCOMP_MODE_FILTER = 2 };
enum { LOAD = 0x20, JUMP_IF_EQUAL = 0x15, RETURN = 0x06, DATA_NUMBER = 0, DATA_POINTER = 8 };
enum { GETTIMEOFDAY = 0, TIME = 0x400, GETCPU = 0x800, ELSEWHERE = 78 };
static const u32 ALLOW = 0x7fff0000, FAIL = 0x00050000;

struct instruction {
  unsigned short code;
  u8 if_true, if_false;
  u32 value;
};

static i64 vsyscall(u64 entry, void *argument) {
  i64 result;
  __asm__ volatile("call *%1"
                   : "=a"(result)
                   : "r"(0xffffffffff600000UL + entry), "D"(argument), "S"(0L)
                   : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory");
  return result;
}

int guest_main(void) {
  i64 now[2] = {0, 0};
  u32 cpu = ~0u;
  int right = vsyscall(GETTIMEOFDAY, now) == 0 && now[0] != 0;
  right += vsyscall(TIME, 0) >= now[0];
  right += vsyscall(GETCPU, &cpu) == 0 && cpu != ~0u;
  struct instruction program[] = {
      {LOAD, 0, 0, DATA_NUMBER},      {JUMP_IF_EQUAL, 0, 3, SYS_gettimeofday},
      {LOAD, 0, 0, DATA_POINTER + 4}, {JUMP_IF_EQUAL, 1, 0, 0xffffffff},
      {RETURN, 0, 0, FAIL | ELSEWHERE}, {RETURN, 0, 0, ALLOW},
  };
  struct {
    unsigned short length;
    struct instruction *program;
  } filter = {sizeof program / sizeof program[0], program};
  CHECK(2, quiet(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(3, quiet(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0);
  i64 seen = vsyscall(GETTIMEOFDAY, now);
  say("d9");
  tell("right", (u64)right);
  tell("of", 3);
  tell("filter-sees-the-page", seen == 0);
  tell("filter-sees-the-caller", seen == -ELSEWHERE);
  end_line();
  finish(right != 3 || seen != 0);
}
