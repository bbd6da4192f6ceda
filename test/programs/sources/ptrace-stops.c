// SPDX-License-Identifier: MIT
//
// Stops of a tracee: signals, system calls, single steps, breakpoints; what the tracer sees and changes in each.

#include "ptrace-common.h"

static volatile int handled;
static siginfo_t got;
static void handler(int s, siginfo_t *i, void *c) {
  handled = s;
  got = *i;
}

static void handle(int s) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(s, &a, 0);
}

static void info(const char *what, pid_t p) {
  siginfo_t i;
  memset(&i, 0, sizeof i);
  long r = pt(GETSIGINFO, p, 0, (long)&i);
  if (r < 0) result(what, r);
  else printf("%s: signo %d code %d errno %d\n", what, i.si_signo, i.si_code, i.si_errno);
}

static void signal_delivery(void) {
  pid_t p = stopped_child();
  if (p == 0) {
    handle(SIGUSR1);
    handle(SIGUSR2);
    signal(SIGHUP, SIG_IGN);
    raise(SIGUSR1);
    printf("child: suppressed signal handled %d\n", handled);
    raise(SIGUSR1);
    printf("child: passed on %d, code is tkill %d\n", handled, got.si_code == SI_TKILL);
    handled = 0;
    raise(SIGUSR1);
    printf("child: replaced by %d, code %d, from the tracer %d\n", handled, got.si_code, got.si_pid == getppid());
    raise(SIGHUP);
    printf("child: ignored signals do nothing\n");
    handled = 0;
    raise(SIGUSR1);
    printf("child: edited siginfo, value %d code %d\n", got.si_value.sival_int, got.si_code);
    fflush(stdout);
    raise(SIGTERM);
    printf("child: lives after SIGTERM\n");
    fflush(stdout);
    raise(SIGTERM);
    _exit(1);
  }
  proc_state("in the first stop", p);
  info("siginfo of the stop", p);
  pt(CONT, p, 0, 0);
  next("USR1", p);
  info("siginfo", p);
  pt(CONT, p, 0, 0);
  next("USR1 again", p);
  pt(CONT, p, 0, SIGUSR1);
  next("USR1 third", p);
  pt(CONT, p, 0, SIGUSR2);
  next("an ignored signal", p);
  pt(CONT, p, 0, SIGHUP);
  next("USR1 fourth", p);
  siginfo_t i = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
  i.si_value.sival_int = 4711;
  result("SETSIGINFO", pt(SETSIGINFO, p, 0, (long)&i));
  pt(CONT, p, 0, SIGUSR1);
  next("TERM", p);
  pt(CONT, p, 0, 0);
  next("TERM again", p);
  pt(CONT, p, 0, SIGTERM);
  next("end", p);
}

static void calls(int options) {
  printf("system calls, options %d\n", options);
  pid_t parent = getpid();
  pid_t p = stopped_child();
  if (p == 0) {
    long a = syscall(SYS_getppid);
    printf("child: getppid is the parent %d\n", a == parent);
    fflush(stdout);
    long b = syscall(SYS_getppid);
    printf("child: skipped call gives %ld\n", b);
    fflush(stdout);
    long c = syscall(SYS_getppid);
    printf("child: getppid became dup of a bad fd: %ld errno %d\n", c, errno);
    fflush(stdout);
    long d = syscall(SYS_getppid);
    printf("child: result changed to %ld\n", d);
    fflush(stdout);
    long e = syscall(SYS_getppid, 1L, 2L, 3L, 4L, 5L, 6L);
    fflush(stdout);
    _exit(e == parent ? 7 : 8);
  }
  result("SETOPTIONS", pt(SETOPTIONS, p, 0, options));
  struct user_regs_struct r;
  int count = 0;
  for (;;) {
    pt(SYSCALL, p, 0, 0);
    int st;
    waitpid(p, &st, __WALL);
    if (!WIFSTOPPED(st)) {
      status("end", st);
      break;
    }
    pt(GETREGS, p, 0, (long)&r);
    if (r.orig_rax != SYS_getppid) continue;
    count++;
    if (count == 1 || count == 2) {
      siginfo_t i;
      pt(GETSIGINFO, p, 0, (long)&i);
      long message = -1;
      pt(GETEVENTMSG, p, 0, (long)&message);
      printf("%s: stop %d, rax is ENOSYS %d, siginfo %d %d, message %ld, rcx is rip %d\n", count == 1 ? "entry" : "exit", WSTOPSIG(st),
             r.rax == -ENOSYS, i.si_signo, i.si_code, message, r.rcx == r.rip);
      printf("the call is right before rip: %d\n", (pt(PEEKTEXT, p, r.rip - 2, (long)&message), (message & 0xffff) == 0x050f));
    }
    if (count == 3) {
      r.orig_rax = -1;
      r.rax = 1234;
      result("skip", pt(SETREGS, p, 0, (long)&r));
      pt(SYSCALL, p, 0, 0);
      waitpid(p, &st, __WALL);
      pt(GETREGS, p, 0, (long)&r);
      printf("exit of the skipped call: stop %d, orig_rax %ld rax %ld\n", WSTOPSIG(st), (long)r.orig_rax, (long)r.rax);
    } else if (count == 4) {
      r.orig_rax = SYS_dup;
      r.rdi = 12345;
      result("another number", pt(SETREGS, p, 0, (long)&r));
      pt(SYSCALL, p, 0, 0);
      waitpid(p, &st, __WALL);
      pt(GETREGS, p, 0, (long)&r);
      printf("exit: orig_rax is dup %d, rax %ld\n", r.orig_rax == SYS_dup, (long)r.rax);
    } else if (count == 6) {
      result("another result", pt(POKEUSER, p, offsetof(struct user_regs_struct, rax), 99));
    } else if (count == 7) {
      printf("arguments %lld %lld %lld %lld %lld\n", r.rdi, r.rsi, r.rdx, r.r10, r.r8);
    }
  }
  printf("stops %d\n", count);
}

static void syscall_info(void) {
  printf("syscall info\n");
  pid_t p = stopped_child();
  if (p == 0) {
    syscall(SYS_getppid, 1, 2, 3, 4, 5, 6);
    syscall(SYS_close, -1L, 2L, 3L, 4L, 5L, 6L);
    _exit(0);
  }
  struct {
    uint8_t op;
    uint8_t pad[3];
    uint32_t arch;
    uint64_t ip, sp;
    union {
      struct { uint64_t nr, args[6]; } entry;
      struct { int64_t rval; uint8_t is_error; } exit;
    };
  } i;
  pt(SETOPTIONS, p, 0, OPT_SYSGOOD);
  result("outside of a call", pt(GET_SYSCALL_INFO, p, sizeof i, (long)&i));
  printf("op %d arch %x\n", i.op, i.arch);
  struct user_regs_struct r;
  int wanted = 0;
  for (;;) {
    pt(SYSCALL, p, 0, 0);
    int st;
    waitpid(p, &st, __WALL);
    if (!WIFSTOPPED(st)) {
      status("end", st);
      break;
    }
    memset(&i, 0xee, sizeof i);
    long size = pt(GET_SYSCALL_INFO, p, sizeof i, (long)&i);
    pt(GETREGS, p, 0, (long)&r);
    if (i.op == 1) wanted = i.entry.nr == SYS_getppid || i.entry.nr == SYS_close;
    if (!wanted) continue;
    if (i.op == 1)
      printf("entry %ld: nr %ld, args %ld %ld %ld %ld %ld %ld, ip %d sp %d\n", size, i.entry.nr, (long)i.entry.args[0], i.entry.args[1],
             i.entry.args[2], i.entry.args[3], i.entry.args[4], i.entry.args[5], i.ip == r.rip, i.sp == r.rsp);
    else
      printf("exit %ld: error %d, value %ld\n", size, i.exit.is_error, i.exit.is_error ? (long)i.exit.rval : 0);
    uint8_t small[2] = {0xee, 0xee};
    if (i.op == 1) result("one byte of it", pt(GET_SYSCALL_INFO, p, 1, (long)small)), printf("%d %x\n", small[0], small[1]);
  }
}

extern char step_start[], step_loop[], step_end[], step_call[], step_after_call[];
__attribute__((noinline)) static long stepped(void) {
  long result, counter = 0;
  asm volatile(
      ".globl step_start, step_loop, step_end, step_call, step_after_call\n"
      "step_start: xor %%eax,%%eax\n"
      "mov $3,%%ecx\n"
      "step_loop: inc %%eax\n"
      "dec %%ecx\n"
      "jnz step_loop\n"
      "mov $39,%%eax\n"
      "step_call: syscall\n"
      "step_after_call: mov $17,%%eax\n"
      "nop\n"
      "step_end: nop\n"
      : "=a"(result), "+c"(counter)::"r11", "cc");
  return result;
}

/** Runs the tracee until it gets to `address` by a breakpoint, and takes that away again. */
static void run_to(pid_t p, char *address) {
  long word = 0;
  pt(PEEKTEXT, p, (long)address, (long)&word);
  pt(POKETEXT, p, (long)address, (word & ~0xffL) | 0xcc);
  pt(CONT, p, 0, 0);
  int st = next("breakpoint", p);
  struct user_regs_struct r;
  pt(GETREGS, p, 0, (long)&r);
  siginfo_t i;
  pt(GETSIGINFO, p, 0, (long)&i);
  printf("rip behind it %d, code %d, orig_rax %ld\n", r.rip == (long)address + 1, i.si_code, (long)r.orig_rax);
  pt(POKETEXT, p, (long)address, word);
  r.rip = (long)address;
  pt(SETREGS, p, 0, (long)&r);
}

static void steps(void) {
  printf("single steps\n");
  pid_t p = stopped_child();
  if (p == 0) {
    long r = stepped();
    handle(SIGUSR1);
    _exit(r);
  }
  run_to(p, step_start);
  for (int n = 0; n < 40; n++) {
    struct user_regs_struct r;
    pt(GETREGS, p, 0, (long)&r);
    int code = -1;
    siginfo_t i;
    if (pt(GETSIGINFO, p, 0, (long)&i) == 0) code = i.si_code;
    int after = r.rip >= (long)step_after_call;
    printf("at %ld: eax %d, ecx %d, TF %d, code %d, addr is rip %d, orig_rax %ld\n", (long)r.rip - (long)step_start,
           r.rax == p ? -1 : (int)r.rax, after ? r.rcx == (long)step_after_call : (int)r.rcx, (int)(r.eflags >> 8 & 1), code,
           i.si_addr == (void *)r.rip, (long)r.orig_rax);
    if (r.rip == (long)step_end) break;
    pt(SINGLESTEP, p, 0, 0);
    int st;
    waitpid(p, &st, __WALL);
    if (!WIFSTOPPED(st) || WSTOPSIG(st) != SIGTRAP) {
      status("not a step", st);
      break;
    }
  }
  pt(CONT, p, 0, 0);
  next("end", p);
}

static void step_into_handler(void) {
  printf("stepping into a handler\n");
  pid_t p = stopped_child();
  if (p == 0) {
    handle(SIGUSR1);
    raise(SIGUSR1);
    _exit(handled == SIGUSR1 ? 5 : 6);
  }
  pt(CONT, p, 0, 0);
  next("USR1", p);
  pt(SINGLESTEP, p, 0, SIGUSR1);
  next("step", p);
  struct user_regs_struct r;
  pt(GETREGS, p, 0, (long)&r);
  info("siginfo", p);
  printf("at the handler's first instruction %d, rdi %lld\n", r.rip == (long)handler, r.rdi);
  pt(SINGLESTEP, p, 0, 0);
  next("step", p);
  pt(GETREGS, p, 0, (long)&r);
  info("siginfo", p);
  printf("behind it %d\n", r.rip != (long)handler && r.rip - (long)handler < 16);
  pt(CONT, p, 0, 0);
  next("end", p);
}

static void own_breakpoints(void) {
  printf("traps of the program's own\n");
  pid_t p = stopped_child();
  if (p == 0) {
    asm volatile("int3");
    asm volatile("pushf; orl $0x100,(%rsp); popf; nop; nop");
    _exit(3);
  }
  pt(CONT, p, 0, 0);
  next("int3", p);
  info("siginfo", p);
  pt(CONT, p, 0, 0);
  next("TF", p);
  info("siginfo", p);
  struct user_regs_struct r;
  pt(GETREGS, p, 0, (long)&r);
  printf("its own TF is seen: %d\n", (int)(r.eflags >> 8 & 1));
  r.eflags &= ~0x100;
  pt(SETREGS, p, 0, (long)&r);
  pt(CONT, p, 0, 0);
  next("end", p);
  p = stopped_child();
  if (p == 0) {
    *(volatile int *)8 = 1;
    _exit(1);
  }
  pt(CONT, p, 0, 0);
  next("fault", p);
  siginfo_t i;
  pt(GETSIGINFO, p, 0, (long)&i);
  printf("address %ld code %d\n", (long)i.si_addr, i.si_code);
  pt(CONT, p, 0, SIGSEGV);
  next("end", p);
}

static void emulation(void) {
  printf("emulated calls\n");
  pid_t p = stopped_child();
  if (p == 0) {
    long a = syscall(SYS_getppid);
    long b = syscall(SYS_getppid);
    printf("child: %ld %d\n", a, b == getppid());
    fflush(stdout);
    _exit(0);
  }
  struct user_regs_struct r;
  do {
    pt(SYSEMU, p, 0, 0);
    int st;
    waitpid(p, &st, __WALL);
    pt(GETREGS, p, 0, (long)&r);
    if (r.orig_rax == SYS_getppid) {
      printf("stop %d, rax is ENOSYS %d\n", WSTOPSIG(st), r.rax == -ENOSYS);
      r.rax = 77;
      pt(SETREGS, p, 0, (long)&r);
      break;
    }
    // Any other call is made after all.
    r.rip -= 2;
    r.rax = r.orig_rax;
    pt(SETREGS, p, 0, (long)&r);
    pt(SYSCALL, p, 0, 0), waitpid(p, &st, __WALL);
    pt(SYSCALL, p, 0, 0), waitpid(p, &st, __WALL);
  } while (1);
  pt(CONT, p, 0, 0);
  next("end", p);
}

/** Goes on to the next stop and returns its status, the registers with it. */
static int onward(pid_t p, long request, int signo, struct user_regs_struct *r) {
  int st = 0;
  pt(request, p, 0, signo);
  waitpid(p, &st, __WALL);
  pt(GETREGS, p, 0, (long)r);
  return st;
}

/** To the entry of read, into its sleep, and out of it by a signal. */
static void interrupt_read(pid_t p, struct user_regs_struct *r) {
  pt(SYSCALL, p, 0, 0);
  await_state(p, 'S');
  kill(p, SIGUSR1);
  next("interrupted", p);
  pt(GETREGS, p, 0, (long)r);
  printf("rax %ld orig_rax %ld\n", (long)r->rax, (long)r->orig_rax);
  int st = onward(p, SYSCALL, 0, r);
  status("then", st);
  printf("rax %ld orig_rax %ld\n", (long)r->rax, (long)r->orig_rax);
}

static void interrupted_calls(void) {
  printf("interrupted calls\n");
  int pipes[2];
  pipe(pipes);
  pid_t p = stopped_child();
  if (p == 0) {
    char c = 0;
    handle(SIGUSR1);
    long r = read(pipes[0], &c, 1);
    printf("child: read gives %ld, errno %s\n", r, r < 0 ? name_of(errno) : "none");
    r = read(pipes[0], &c, 1);
    printf("child: read gives %ld %c\n", r, c);
    fflush(stdout);
    _exit(0);
  }
  pt(SETOPTIONS, p, 0, OPT_SYSGOOD);
  struct user_regs_struct r;
  do onward(p, SYSCALL, 0, &r);
  while (r.orig_rax != SYS_read);
  interrupt_read(p, &r);
  // Without a signal the call is made again, and the program does not know.
  status("again", onward(p, SYSCALL, 0, &r));
  printf("rax is ENOSYS %d, orig_rax %ld\n", r.rax == -ENOSYS, (long)r.orig_rax);
  interrupt_read(p, &r);
  pt(CONT, p, 0, SIGUSR1);
  await_state(p, 'S');
  write(pipes[1], "x", 1);
  next("end", p);
  close(pipes[0]);
  close(pipes[1]);
}

static void orig_rax_decides(void) {
  printf("a call that is not made again\n");
  int pipes[2];
  pipe(pipes);
  pid_t p = stopped_child();
  if (p == 0) {
    char c = 0;
    long r = read(pipes[0], &c, 1);
    printf("child: read gives %ld, errno %d\n", r, errno);
    fflush(stdout);
    _exit(0);
  }
  pt(CONT, p, 0, 0);
  await_state(p, 'S');
  kill(p, SIGUSR1);
  next("USR1", p);
  struct user_regs_struct r;
  pt(GETREGS, p, 0, (long)&r);
  printf("rax %ld orig_rax %ld\n", (long)r.rax, (long)r.orig_rax);
  r.orig_rax = -1;
  pt(SETREGS, p, 0, (long)&r);
  pt(CONT, p, 0, 0);
  next("end", p);
}

extern char jumps[], jumped[];

/** A block that is a single branch ends there whether the processor stops at branches or at every instruction. */
static void block_steps(void) {
  printf("steps from branch to branch\n");
  pid_t p = stopped_child();
  if (p == 0) {
    asm volatile(
        ".globl jumps, jumped\n"
        "int3\n"
        "jumps: jmp 1f; nop; 2: jmp 3f; nop; 1: jmp 2b; nop; 3: jmp 4f; nop; nop; 4: jmp jumped; nop; jumped: nop" ::: "memory");
    _exit(4);
  }
  pt(CONT, p, 0, 0);
  next("stop", p);
  for (int i = 0; i < 5; i++) {
    result("SINGLEBLOCK", pt(SINGLEBLOCK, p, 0, 0));
    next("stop", p);
    struct user_regs_struct r;
    siginfo_t info;
    pt(GETREGS, p, 0, (long)&r);
    pt(GETSIGINFO, p, 0, (long)&info);
    printf("at %ld, code %d, last %d\n", (long)r.rip - (long)jumps, info.si_code, r.rip == (long)jumped);
  }
  pt(CONT, p, 0, 0);
  next("end", p);
}

int main(void) {
  block_steps();
  signal_delivery();
  calls(0);
  calls(OPT_SYSGOOD);
  syscall_info();
  steps();
  step_into_handler();
  own_breakpoints();
  emulation();
  interrupted_calls();
  orig_rax_decides();
  return 0;
}
