// SPDX-License-Identifier: MIT
//
// A handler on the alternate stack, from a fault that leaves no usable stack.

#include "lib/guest.h"

static u8 alternate[16384] __attribute__((aligned(16)));
static volatile int was_inside, flags_inside;

static void on_segv(int signo, struct siginfo *info, struct ucontext *context) {
  u8 here;
  struct sigstack current;
  was_inside = signo == SIGSEGV && info->code == 1 && &here >= alternate && &here < alternate + sizeof alternate;
  syscall(SYS_sigaltstack, 0, &current);
  flags_inside = current.flags;
  // Goes on at the address that the faulting code left in rbx, with the stack that it left in r12.
  context->registers[REG_RIP] = context->registers[REG_RBX];
  context->registers[REG_RSP] = context->registers[REG_R12];
}

int guest_main(void) {
  struct sigstack stack = {alternate, 0, 0, sizeof alternate}, current;
  CHECK(1, syscall(SYS_sigaltstack, &stack, 0) == 0);
  CHECK(2, handle(SIGSEGV, on_segv, SA_ONSTACK) == 0);
  __asm__ volatile(
      "lea 1f(%%rip), %%rbx\n"
      "mov %%rsp, %%r12\n"
      "mov $0x1000, %%esp\n"
      "push %%rax\n"
      "1:\n"
      :
      :
      : "rbx", "r12", "memory");
  CHECK(3, was_inside);
  // SS_ONSTACK
  CHECK(4, flags_inside == 1);
  CHECK(5, syscall(SYS_sigaltstack, 0, &current) == 0 && current.flags == 0 && current.base == alternate);
  return 0;
}
