// SPDX-License-Identifier: MIT
//
// clone and clone3 from sites that are used again and again: each child starts on the stack that it was given, with
// nothing of a patcher's on it.

#include "lib/guest.h"

enum { SYS_clone3 = 435, ROUNDS = 6 };
enum { FLAGS = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000 };

static u8 stacks[ROUNDS][THREAD_STACK] __attribute__((aligned(16)));
static volatile u32 running[ROUNDS];
static volatile u64 seen_stack[ROUNDS], seen_word[ROUNDS];

// The child finds its number on top of its stack, notes where that is, and ends.
i64 clone_site(u64 flags, void *stack, void *unused, volatile u32 *child_tid, u64 tls);
i64 clone3_site(void *arguments, u64 size);
__asm__(
    ".text\n.balign 64\n"
    "clone_site:\n"
    "  mov %rcx, %r10\n"
    "  mov $56, %eax\n"
    "  syscall\n"
    "  test %rax, %rax\n"
    "  jz child\n"
    "  ret\n"
    ".balign 64\n"
    "clone3_site:\n"
    "  mov $435, %eax\n"
    "  syscall\n"
    "  test %rax, %rax\n"
    "  jz child\n"
    "  ret\n"
    "child:\n"
    "  mov %rsp, %rsi\n"
    "  mov (%rsp), %rdi\n"
    "  and $-16, %rsp\n"
    "  call note\n"
    "  xor %edi, %edi\n"
    "  mov $60, %eax\n"
    "  syscall\n");

__attribute__((used)) static void note(u64 number, u64 stack) {
  seen_word[number] = number + 1;
  seen_stack[number] = stack;
}

static int is_enosys(i64 result) { return result == -ENOSYS; }

int guest_main(void) {
  for (u64 i = 0; i < ROUNDS; i++) {
    u64 *top = (u64 *)(stacks[i] + THREAD_STACK - 64);
    *top = i;
    running[i] = 1;
    i64 tid;
    if (i % 2 == 0) {
      tid = clone_site(FLAGS, top, 0, &running[i], 0);
    } else {
      u64 arguments[8] = {FLAGS, 0, (u64)&running[i], 0, 0, (u64)stacks[i], (u64)((u8 *)top - stacks[i]), 0};
      tid = clone3_site(arguments, sizeof arguments);
      if (is_enosys(tid)) continue;
    }
    CHECK(1, tid > 0);
    while (running[i] != 0) syscall(SYS_futex, &running[i], FUTEX_WAIT, 1, 0);
    CHECK(2, seen_word[i] == i + 1);
    CHECK(3, seen_stack[i] == (u64)top);
  }
  return 0;
}
