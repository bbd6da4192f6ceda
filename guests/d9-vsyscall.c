// SPDX-License-Identifier: MIT
//
// D9: a call through the vsyscall page, which Systrap turns into a fault for the kernel to emulate, but not where patching
// is disabled.

#include "lib/sites.h"

int guest_main(void) {
  i64 now[2] = {0, 0}, result;
  __asm__ volatile("call *%1"
                   : "=a"(result)
                   : "r"(0xffffffffff600000UL), "D"(now), "S"(0L)
                   : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory");
  say("d9");
  tell("result", (u64)result);
  end_line();
  finish(result != 0 || now[0] == 0);
}
