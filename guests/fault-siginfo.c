// SPDX-License-Identifier: MIT
//
// Faults that a handler catches, each with the signal, code and address that Linux gives, and the instruction
// pointer at the instruction.

#include "lib/guest.h"

static volatile int signo_seen, code_seen;
static volatile u64 address_seen, rip_seen, cr2_seen;

static void on_fault(int signo, struct siginfo *info, struct ucontext *context) {
  signo_seen = signo;
  code_seen = info->code;
  address_seen = info->address;
  rip_seen = context->registers[REG_RIP];
  cr2_seen = context->registers[REG_CR2];
  context->registers[REG_RIP] = context->registers[REG_RBX];
}

// Runs the instructions, which fault at label 1; the handler goes on at label 2, whose address is in rbx.
#define FAULT(instructions, ...)                                                                                  \
  ({                                                                                                              \
    u64 at;                                                                                                       \
    __asm__ volatile("lea 1f(%%rip), %0\n lea 2f(%%rip), %%rbx\n 1: " instructions "\n 2:\n"                      \
                     : "=&r"(at)                                                                                  \
                     : __VA_ARGS__                                                                                \
                     : "rbx", "rax", "rcx", "rdx", "memory", "cc");                                               \
    at;                                                                                                           \
  })

int guest_main(void) {
  u64 at;
  for (int signo = 4; signo <= 11; signo++) {
    if (signo != 9 && signo != 10) CHECK(1, handle(signo, on_fault, SA_NODEFER) == 0);
  }
  at = FAULT("movl (%1), %%eax", "r"(0x1234ul));
  CHECK(2, signo_seen == SIGSEGV && code_seen == 1 && address_seen == 0x1234 && rip_seen == at);

  u8 *page = (u8 *)syscall(SYS_mmap, 0, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  at = FAULT("movb $1, (%1)", "r"(page + 5));
  CHECK(3, signo_seen == SIGSEGV && code_seen == 2 && address_seen == (u64)page + 5 && rip_seen == at);
  CHECK(4, cr2_seen == (u64)page + 5);

  CHECK(5, syscall(SYS_munmap, page + 4096, 4096) == 0);
  at = FAULT("movq (%1), %%rax", "r"(page + 4092));
  CHECK(6, signo_seen == SIGSEGV && code_seen == 1 && address_seen == (u64)page + 4096 && rip_seen == at);

  at = FAULT("xor %%ecx, %%ecx\n mov $1, %%eax\n xor %%edx, %%edx\n 1: div %%ecx", "r"(0));
  CHECK(7, signo_seen == SIGFPE && code_seen == 1 && address_seen == rip_seen);

  at = FAULT("ud2", "r"(0));
  // ILL_ILLOPN
  CHECK(8, signo_seen == SIGILL && code_seen == 2 && address_seen == at && rip_seen == at);

  at = FAULT("hlt", "r"(0));
  // SI_KERNEL: no address is known
  CHECK(9, signo_seen == SIGSEGV && code_seen == 128 && address_seen == 0 && rip_seen == at);

  at = FAULT("movl (%1), %%eax", "r"(0x8000000000000000ul));
  CHECK(10, signo_seen == SIGSEGV && code_seen == 128 && address_seen == 0 && rip_seen == at);

  at = FAULT("int3", "r"(0));
  CHECK(11, signo_seen == 5 && code_seen == 128 && rip_seen == at + 1);

  at = FAULT("jmp *%1", "r"(page));
  CHECK(12, signo_seen == SIGSEGV && code_seen == 2 && address_seen == (u64)page && rip_seen == (u64)page);
  return 0;
}
