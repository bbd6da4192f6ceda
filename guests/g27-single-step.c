// SPDX-License-Identifier: MIT
//
// A program that sets its own trap flag around a call that has been made before: every instruction of its own traps
// once, and nothing else traps.

#include "lib/guest.h"

enum { SIGTRAP = 5, TRAP_FLAG = 0x100 };
extern const u8 __executable_start, etext;

static volatile u64 steps, strangers;

static void on_trap(int signo, struct siginfo *info, struct ucontext *context) {
  (void)signo, (void)info;
  u64 rip = context->registers[REG_RIP];
  steps++;
  if (rip < (u64)&__executable_start || rip >= (u64)&etext) strangers++;
}

// With `traps`, three instructions run with the trap flag set: mov, syscall, and the pop of the flags behind them.
i64 stepped_getpid(u64 traps);
__asm__(
    ".text\n.balign 64\nstepped_getpid:\n"
    "  pushf\n"
    "  pushf\n"
    "  or %rdi, (%rsp)\n"
    "  popf\n"
    "  mov $39, %eax\n"
    "  syscall\n"
    "  popf\n"
    "  ret\n");

int guest_main(void) {
  CHECK(2, handle(SIGTRAP, on_trap, 0) == 0);
  i64 pid = stepped_getpid(0);
  CHECK(3, stepped_getpid(0) == pid);
  CHECK(4, steps == 0);
  CHECK(5, stepped_getpid(TRAP_FLAG) == pid);
  CHECK(1, strangers == 0);
  // The step over the syscall ends right behind it or, as on the way back through sysret, one instruction later.
  CHECK(6, steps == 2 || steps == 3);
  CHECK(7, stepped_getpid(0) == pid);
  return 0;
}
