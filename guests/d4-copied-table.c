// SPDX-License-Identifier: MIT
//
// D4: after fork the table's pages are shared. The next patch copies them, and each copy takes the page from the
// processor for a moment. A thread whose trampoline lies there faults in the middle of it. To be there longer, it takes
// the lines that its trampoline needs out of the caches before each call.

#include "lib/sites.h"

enum { SITES = 245, STRIDE = 32 };

static struct thread thread;
static u8 *code;
static volatile int stop;
static volatile u64 calls, wrong;

// Where the fault is the guest's to see: the instruction pointer, and what was to be reached.
static void on_fault(int signo, struct siginfo *info, struct ucontext *context) {
  (void)signo;
  say("d4 SIGSEGV");
  tell("rip", context->registers[REG_RIP]);
  tell("rsp", context->registers[REG_RSP]);
  tell("address", info->address);
  tell("slot", slot_of(code + 1));
  end_line();
  finish(3);
}

static u8 signal_stack[16384];

/** The second half of slot 1, which begins at its fifth instruction, and the record that GS points at. */
static void evict(void) {
  u64 record;
  __asm__ volatile("mov %%gs:0, %0" : "=r"(record));
  __asm__ volatile("clflush (%0)\n\tclflush (%1)\n\tmfence" : : "r"(slot_of(code + 1) + 48UL), "r"(record) : "memory");
}

static void call_again_and_again(u64 pid) {
  struct sigstack stack = {signal_stack, 0, 0, sizeof signal_stack};
  CHECK(8, quiet(SYS_sigaltstack, &stack, 0) == 0);
  int slow = is_patched(code + 1);
  while (!stop) {
    for (int i = 0; i < 64; i++) {
      if (slow) evict();
      wrong += call_site(code + 1) != (i64)pid;
    }
    calls++;
    quiet(SYS_sched_yield);
  }
}

int guest_main(void) {
  code = map_at(0, SITES * STRIDE, RWX);
  for (int i = 0; i < SITES; i++) make_site(code + i * STRIDE + 1, SYS_getpid);
  i64 pid = quiet(SYS_getpid);
  struct sigaction action = {(void *)on_fault, SA_SIGINFO | SA_RESTORER | SA_ONSTACK, (void *)guest_restorer, 0};
  CHECK(9, quiet(SYS_rt_sigaction, SIGSEGV, &action, 0, 8) == 0);
  CHECK(2, call_site(code + 1) == pid);
  CHECK(3, spawn(&thread, call_again_and_again, (u64)pid) > 0);
  while (calls == 0) quiet(SYS_sched_yield);
  for (int i = 1; i < SITES; i++) {
    int ends[2];
    CHECK(4, quiet(SYS_pipe, ends) == 0);
    i64 child = quiet(SYS_fork);
    if (child == 0) {
      // Keeps its copy of the table until the parent has patched.
      u8 byte;
      quiet(SYS_close, ends[1]);
      quiet(SYS_read, ends[0], &byte, 1);
      finish(0);
    }
    CHECK(5, child > 0);
    CHECK(6, call_site(code + i * STRIDE + 1) == pid);
    u64 now = calls;
    while (calls == now) quiet(SYS_sched_yield);
    quiet(SYS_close, ends[0]);
    quiet(SYS_close, ends[1]);
    CHECK(7, quiet(SYS_wait4, child, 0, 0, 0) == child);
  }
  stop = 1;
  join(&thread);
  say("d4");
  tell("patched", (u64)is_patched(code + 1));
  tell("wrong-results", wrong);
  end_line();
  finish(wrong != 0);
}
