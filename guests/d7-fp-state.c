// SPDX-License-Identifier: MIT
//
// D7: a stub thread that is interrupted between taking a context and loading its FP state may believe that the state is
// loaded. Threads with different registers take turns while a parent stops and continues them.

#include "lib/sites.h"

enum { SIGCONT = 18, SIGSTOP = 19, THREADS = 6, ROUNDS = 400, TURNS = 20 };

static struct thread threads[THREADS];
static volatile u64 wrong, turns;
static volatile int stop;

__asm__(
    ".text\n"
    // rdi: a value for xmm6; edx: rounds. Returns the rounds after which xmm6 was another's.
    "hold_value:\n"
    "  push %rbx\n  push %r12\n  push %r13\n"
    "  mov %rdi, %r12\n  mov %edx, %r13d\n  xor %ebx, %ebx\n"
    "  movq %rdi, %xmm6\n"
    "1: nop\n  mov $24, %eax\n  syscall\n"
    "  movq %xmm6, %rax\n"
    "  cmp %rax, %r12\n  je 2f\n  inc %ebx\n  movq %r12, %xmm6\n"
    "2: dec %r13d\n  jnz 1b\n"
    "  mov %ebx, %eax\n  pop %r13\n  pop %r12\n  pop %rbx\n  ret\n");
u64 hold_value(u64 value, u64 unused, u32 rounds);

static void take_turns(u64 value) {
  while (!stop) {
    wrong += hold_value(value, 0, TURNS);
    turns++;
  }
}

int guest_main(void) {
  i64 child = quiet(SYS_fork);
  if (child == 0) {
    for (u64 i = 0; i < THREADS; i++) CHECK(2, spawn(&threads[i], take_turns, 0x1111111111111111 * (i + 2)) > 0);
    while (turns < ROUNDS * THREADS && wrong == 0) wrong += hold_value(0x1111111111111111, 0, TURNS);
    stop = 1;
    for (int i = 0; i < THREADS; i++) join(&threads[i]);
    finish(wrong != 0);
  }
  CHECK(3, child > 0);
  for (int i = 0; i < ROUNDS; i++) {
    quiet(SYS_kill, child, SIGSTOP);
    quiet(SYS_kill, child, SIGCONT);
    quiet(SYS_sched_yield);
  }
  int status = 0;
  CHECK(4, quiet(SYS_wait4, child, &status, 0, 0) == child);
  say("d7");
  tell("child-status", (u64)status);
  end_line();
  finish(status != 0);
}
