// SPDX-License-Identifier: MIT
//
// A vfork child that pushes on the stack that it shares with its parent: whatever the call had put there is gone, and the
// parent still comes back to where it was.

#include "lib/guest.h"

i64 vfork_and_push(void);
__asm__(
    ".text\n.balign 64\nvfork_and_push:\n"
    "  pop %rsi\n" // the return address lives in a register meanwhile, as in C libraries
    "  mov $58, %eax\n"
    "  syscall\n"
    "  test %rax, %rax\n"
    "  jz 1f\n"
    "  push %rsi\n"
    "  ret\n"
    "1:\n"
    "  push $-1\n"
    "  push $-1\n"
    "  push $-1\n"
    "  push $-1\n"
    "  mov $7, %edi\n"
    "  mov $60, %eax\n"
    "  syscall\n");

int guest_main(void) {
  for (int i = 0; i < 6; i++) {
    i64 child = vfork_and_push();
    CHECK(1, child > 0);
    int status = 0;
    CHECK(2, syscall(SYS_wait4, child, &status, 0, 0) == child);
    CHECK(3, status == 7 << 8);
  }
  return 0;
}
