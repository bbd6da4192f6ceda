// SPDX-License-Identifier: MIT
//
// What a handler sees in its frame and what it may change there: general registers, flags, SSE registers, the mask;
// the red zone below the interrupted stack stays.

#include "lib/guest.h"

static volatile int seen;

static void on_signal(int signo, struct siginfo *info, struct ucontext *context) {
  (void)signo, (void)info;
  u64 *registers = context->registers;
  seen = registers[REG_R14] == 0x1414 && registers[REG_RBX] == 0xb00b && (registers[REG_EFLAGS] & 1) == 1;
  registers[REG_R14] = 0x4141;
  registers[REG_EFLAGS] &= ~1ul;
  // xmm3 stands at 160 + 16 * 3 in the FXSAVE image.
  u64 *xmm3 = (u64 *)((u8 *)context->fpstate + 160 + 48);
  seen = seen && xmm3[0] == 0x3333333333333333;
  xmm3[1] = 0x7777;
  context->mask |= 1ul << (SIGUSR2 - 1);
  __asm__ volatile("pxor %%xmm3, %%xmm3\n pxor %%xmm4, %%xmm4" : : : "xmm3", "xmm4");
}

int guest_main(void) {
  u64 r14, low, high, fourth, red_zone, carry, mask = 0;
  i64 pid = syscall(SYS_getpid), tid = syscall(SYS_gettid);
  CHECK(1, handle(SIGUSR1, on_signal, 0) == 0);
  __asm__ volatile(
      "mov $0x1414, %%r14d\n"
      "mov $0xb00b, %%ebx\n"
      "movabs $0x3333333333333333, %%rax\n"
      "movq %%rax, %%xmm3\n"
      "movq %%rax, %%xmm4\n"
      "movq $0x7ed, -120(%%rsp)\n"
      "stc\n"
      "mov $234, %%eax\n"
      "syscall\n"
      "setc %%al\n"
      "movzbl %%al, %%eax\n"
      "mov %%rax, %5\n"
      "mov %%r14, %0\n"
      "movq %%xmm3, %1\n"
      "psrldq $8, %%xmm3\n"
      "movq %%xmm3, %2\n"
      "movq %%xmm4, %3\n"
      "mov -120(%%rsp), %%rax\n"
      "mov %%rax, %4\n"
      : "=&r"(r14), "=&r"(low), "=&r"(high), "=&r"(fourth), "=&r"(red_zone), "=&r"(carry)
      : "D"(pid), "S"(tid), "d"((i64)SIGUSR1)
      : "rax", "rbx", "rcx", "r11", "r14", "xmm3", "xmm4", "memory", "cc");
  CHECK(2, seen);
  CHECK(3, r14 == 0x4141);
  CHECK(4, low == 0x3333333333333333 && high == 0x7777);
  CHECK(5, fourth == 0x3333333333333333);
  CHECK(6, red_zone == 0x7ed);
  CHECK(7, carry == 0);
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, &mask, 8);
  CHECK(8, mask == 1ul << (SIGUSR2 - 1));
  return 0;
}
