// SPDX-License-Identifier: MIT
//
// Code whose system calls have been executed, and so perhaps rewritten, before a tracer comes: the tracer finds the
// program's own bytes, steps over them as they were written, and what it pokes counts.

#include "ptrace-common.h"

extern char site[], behind[];
__attribute__((noinline)) static long call(void) {
  long r;
  asm volatile(".globl site, behind\nsite: mov $39, %%eax\nsyscall\nbehind: nop" : "=a"(r)::"rcx", "r11", "memory");
  return r;
}

static void bytes(const char *what, pid_t p) {
  long word = 0;
  pt(PEEKTEXT, p, (long)site, (long)&word);
  printf("%s: %014lx\n", what, word & 0xffffffffffffff);
}

static void step_over(pid_t p) {
  struct user_regs_struct r;
  do {
    pt(SINGLESTEP, p, 0, 0);
    if (waitpid(p, 0, __WALL) != p || pt(GETREGS, p, 0, (long)&r) < 0) return;
  } while (r.rip != (long)site);
  for (int n = 0; n < 3; n++) {
    siginfo_t i;
    pt(GETSIGINFO, p, 0, (long)&i);
    printf("at %d: rax %s, code %d\n", (int)(r.rip - (long)site), r.rax == p ? "pid" : r.rax == 39 ? "39" : "other", i.si_code);
    pt(SINGLESTEP, p, 0, 0);
    waitpid(p, 0, __WALL);
    pt(GETREGS, p, 0, (long)&r);
  }
  printf("then at %d\n", (int)(r.rip - (long)site));
}

/** Until another few calls have been made, or the process, which gVisor breaks, makes none any more. */
static void until_called(pid_t p, volatile int *calls) {
  siginfo_t i = {0};
  for (int before = *calls; *calls < before + 5 && i.si_pid == 0; usleep(1000)) {
    if (waitid(P_PID, p, &i, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) < 0) return;
  }
}

int main(void) {
  for (int i = 0; i < 3; i++) call();
  volatile int *stop = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  volatile int *calls = stop + 1;
  pid_t p = spawn();
  if (p == 0) {
    long last = 0;
    for (; !*stop; calls[0]++) last = call();
    _exit(last == getpid() ? 1 : last == 4242 ? 2 : 3);
  }
  until_called(p, calls);
  pt(ATTACH, p, 0, 0);
  next("stop", p);
  bytes("code", p);
  step_over(p);
  long word = 0;
  pt(PEEKTEXT, p, (long)site, (long)&word);

  // A breakpoint on the call, and away again.
  pt(POKETEXT, p, (long)site, (word & ~0xffL) | 0xcc);
  pt(CONT, p, 0, 0);
  next("breakpoint", p);
  pt(POKETEXT, p, (long)site, word);
  pt(POKEUSER, p, offsetof(struct user_regs_struct, rip), (long)site);

  // The next entry is this call's; its address is the one behind the instruction.
  pt(SYSCALL, p, 0, 0);
  next("entry", p);
  struct user_regs_struct r;
  pt(GETREGS, p, 0, (long)&r);
  printf("orig_rax %lld, rip is behind the call %d, rcx %d\n", r.orig_rax, r.rip == (long)behind, r.rcx == r.rip);
  pt(SYSCALL, p, 0, 0);
  next("exit", p);

  // Let go, the code may be rewritten once more; then it is taken again.
  result("DETACH", pt(DETACH, p, 0, 0));
  until_called(p, calls);
  result("SEIZE", pt(SEIZE, p, 0, 0));
  pt(INTERRUPT, p, 0, 0);
  next("stop", p);
  bytes("code", p);
  step_over(p);

  // Other code in its place.
  pt(POKETEXT, p, (long)site, (word & ~0xffffffffffffffL) | 0x909000001092b8L);
  bytes("poked", p);
  *stop = 1;
  pt(CONT, p, 0, 0);
  next("end", p);
  printf("call works here %d\n", call() == getpid());
  return 0;
}
