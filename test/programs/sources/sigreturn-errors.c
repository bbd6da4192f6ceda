// SPDX-License-Identifier: MIT
//
// rt_sigreturn(2) from frames that a program has changed, or made itself: what is taken over, and what ends it.

#define _GNU_SOURCE
#include "outcome.h"
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>

static void (*change)(ucontext_t *);
static void handler(int s, siginfo_t *i, void *c) { change(c); }

static void fault(int s, siginfo_t *i, void *c) {
  ucontext_t *u = c;
  // Addresses of the program's own code and stack are no part of the answer.
  printf("  signal %d code %d trap %lld error %llx\n", s, i->si_code, (long long)u->uc_mcontext.gregs[REG_TRAPNO],
         (long long)u->uc_mcontext.gregs[REG_ERR]);
  fflush(stdout);
  _exit(0);
}

static unsigned long flags_now(void) {
  unsigned long f;
  __asm__ volatile("pushfq; pop %0" : "=r"(f));
  return f;
}

// The frame is changed by `with`, and the program goes on behind the signal if it can.
static void try(const char *what, void (*with)(ucontext_t *)) {
  printf("%s\n", what);
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    static char stack[65536];
    stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alt, 0);
    struct sigaction a = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &a, 0);
    sigaction(SIGBUS, &a, 0);
    sigaction(SIGTRAP, &a, 0);
    a = (struct sigaction){.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &a, 0);
    change = with;
    raise(SIGUSR1);
    unsigned long f = flags_now();
    sigset_t mask;
    sigprocmask(SIG_BLOCK, 0, &mask);
    printf("  goes on: flags %lx mask %lx\n", f & 0x3f7000, *(unsigned long *)&mask);
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(p, &status, 0);
  if (status) printf("  status %x\n", status);
}

#define R(name) u->uc_mcontext.gregs[name]
static void nothing(ucontext_t *u) {}
static void rip_kernel(ucontext_t *u) { R(REG_RIP) = 0xffffffff81000000; }
static void rip_odd(ucontext_t *u) { R(REG_RIP) = 0x8000000000000000; }
static void rip_none(ucontext_t *u) { R(REG_RIP) = 0x1000; }
static void rsp_none(ucontext_t *u) { R(REG_RIP) = (long)&&push; R(REG_RSP) = 16; return; push: __asm__ volatile("push %rax"); }
static void mode_kernel(ucontext_t *u) { R(REG_CSGSFS) = (R(REG_CSGSFS) & ~0xffffll) | 0x10; }
static void mode_none(ucontext_t *u) { R(REG_CSGSFS) = R(REG_CSGSFS) & ~0xffffll; }
static void flags_all(ucontext_t *u) { R(REG_EFL) = 0xffffffffffffffff & ~0x100ull & ~0x40000ull; }
static void flags_io(ucontext_t *u) { R(REG_EFL) |= 0x3000 | 0x20000; }
static void flags_none(ucontext_t *u) { R(REG_EFL) = 0; }
static void flags_step(ucontext_t *u) { R(REG_EFL) |= 0x100; }
static void mask_all(ucontext_t *u) { memset(&u->uc_sigmask, 0xff, 8); }
static void fp_none(ucontext_t *u) { u->uc_mcontext.fpregs = 0; }
static void fp_nowhere(ucontext_t *u) { u->uc_mcontext.fpregs = (void *)16; }
static void fp_kernel(ucontext_t *u) { u->uc_mcontext.fpregs = (void *)0xffff800000000000; }
static void fp_control(ucontext_t *u) { u->uc_mcontext.fpregs->mxcsr = 0xffffffff; }
static void stack_odd(ucontext_t *u) { u->uc_stack.ss_flags = 99; }
static void stack_small(ucontext_t *u) { u->uc_stack.ss_flags = 0, u->uc_stack.ss_size = 1; }

// No frame at all.
static void without(void *at, const char *what) {
  printf("%s\n", what);
  CHILD({
    signal(SIGSEGV, SIG_DFL);
    __asm__ volatile("mov %0, %%rsp\n mov $15, %%eax\n syscall\n hlt" : : "r"(at) : "rax", "rcx", "r11", "memory");
  });
}

int main(void) {
  try("unchanged", nothing);
  try("rip of the kernel", rip_kernel);
  try("rip of nobody", rip_odd);
  try("rip in no memory", rip_none);
  try("the kernel's code segment", mode_kernel);
  try("no code segment", mode_none);
  try("all flags", flags_all);
  try("the flags of input and output", flags_io);
  try("no flags", flags_none);
  try("a step", flags_step);
  try("everything blocked", mask_all);
  try("no floating point state", fp_none);
  try("floating point state in no memory", fp_nowhere);
  try("floating point state in the kernel", fp_kernel);
  try("reserved bits of mxcsr", fp_control);
  try("odd flags of the stack", stack_odd);
  try("a stack of one byte", stack_small);
  without((void *)0, "frame at the start of memory");
  without((void *)0x7fffffffe000, "frame across the end of memory");
  without((void *)0xffff800000000000, "frame in the kernel");
  char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  without(page + 4096, "frame of zeros");
  munmap(page + 4096, 4096);
  without(page + 4096 - 64, "frame with an end missing");
  return 0;
}
