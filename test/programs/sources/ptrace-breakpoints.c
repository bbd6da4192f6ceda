// SPDX-License-Identifier: MIT
//
// Debug registers: which accesses a breakpoint stops, what the stop tells, which settings are refused, and who has them
// after fork, clone, execve and the end of tracing.

#include "ptrace-common.h"

#define DR(n) (long)(offsetof(struct user, u_debugreg) + 8 * (n))
enum { EXECUTE = 0, WRITE = 1, IO = 2, ACCESS = 3 };
enum { LEN1 = 0, LEN2 = 1, LEN8 = 2, LEN4 = 3 };
#define CONTROL(i, kind, len) (1L << (2 * (i)) | ((long)(kind) | (long)(len) << 2) << (16 + 4 * (i)))

/** On pages of their own, so that nothing else of the program is near. */
static volatile struct {
  _Alignas(4096) uint64_t word[64];
  _Alignas(4096) uint64_t other[64];
  _Alignas(4096) char rest[64];
} area;

extern char work_start[], work_end[], point_a[], point_b[];

/** Accesses of all kinds; rip in a stop is told as a distance from work_start. */
__attribute__((noinline)) static long work(volatile uint64_t *p, volatile uint64_t *q) {
  long sum = 0, scratch;
  asm volatile(
      ".globl work_start, work_end, point_a, point_b\n"
      "work_start: movq $1, (%1)\n"
      "movb $2, 3(%1)\n"
      "movl $3, 8(%1)\n"
      "movq 8(%1), %0\n"
      "addl $5, 8(%1)\n"
      "point_a: incq 16(%1)\n"
      "movq $-1, 4(%1)\n"
      "movdqu %%xmm0, 24(%1)\n"
      "movups 24(%1), %%xmm0\n"
      "lock xaddq %0, 16(%1)\n"
      "xor %%eax, %%eax; mov $1, %%edx; lock cmpxchgq %%rdx, 48(%1)\n"
      "mov $77, %%eax; lock cmpxchgq %%rdx, 48(%1)\n"
      "mov $200, %%eax; bts %%rax, 40(%1)\n"
      "mov %1, %%rsi; mov %2, %%rdi; mov $20, %%ecx; cld; rep movsb\n"
      "mov %2, %%rdi; mov $3, %%ecx; xor %%eax, %%eax; rep stosq\n"
      "push %%rsp; pop %%rax\n"
      "lea 8(%1), %%rax; prefetcht0 (%%rax)\n"
      "movl $1, 4092(%1)\n"
      "mov $9, %%eax; xchg %%rax, 8(%1)\n"
      "testb $1, 11(%1)\n"
      "point_b: nop\n"
      "lea 8(%1), %%rdi; xor %%ecx, %%ecx; rep stosb\n"
      "cmpq $0, (%2)\n"
      "cmove 8(%1), %%rax\n"
      "setz 8(%1)\n"
      "work_end: nop\n"
      : "+r"(sum), "+r"(p), "+r"(q), "=&r"(scratch)
      :
      : "rax", "rcx", "rdx", "rsi", "rdi", "xmm0", "memory");
  return sum;
}

static long peek_dr(pid_t p, int n) {
  long value = -1;
  pt(PEEKUSER, p, DR(n), (long)&value);
  return value;
}

static void set_dr(const char *what, pid_t p, int n, long value) {
  result(what, pt(POKEUSER, p, DR(n), value));
}

/** What a stop by SIGTRAP tells. */
static void trap(pid_t p) {
  siginfo_t info;
  struct user_regs_struct r;
  memset(&info, 0, sizeof info);
  pt(GETSIGINFO, p, 0, (long)&info);
  pt(GETREGS, p, 0, (long)&r);
  long at = (long)r.rip - (long)work_start;
  int isWork = at >= 0 && at < work_end - work_start;
  // Processors differ in what they leave in RF between two iterations of a repeated instruction.
  int flag = isWork && *(unsigned char *)r.rip != 0xf3 ? (int)(r.eflags >> 16 & 1) : -1;
  printf("  code %d, at %ld, si_addr is rip %d, DR6 %lx, RF %d, rcx %lld\n", info.si_code, isWork ? at : -1,
         (long)info.si_addr == (long)r.rip, peek_dr(p, 6), flag, isWork ? r.rcx : 0);
}

/** Lets the child go on until it ends, and tells every stop. */
static void run_out(pid_t p, int request) {
  for (int i = 0; i < 200; i++) {
    pt(request, p, 0, 0);
    int st;
    if (waitpid(p, &st, __WALL) != p) break;
    if (!WIFSTOPPED(st)) {
      status("end", st);
      return;
    }
    if (WSTOPSIG(st) == SIGTRAP && st >> 16 == 0) trap(p);
    else status("  stop", st);
  }
  finish(p);
}

static pid_t worker(void) {
  pid_t p = stopped_child();
  if (p == 0) {
    work(area.word, area.other);
    _exit(3);
  }
  return p;
}

static void one(const char *what, volatile void *address, int kind, int len) {
  printf("%s\n", what);
  pid_t p = worker();
  set_dr("DR0", p, 0, (long)address);
  set_dr("DR7", p, 7, CONTROL(0, kind, len));
  run_out(p, CONT);
}

static void kinds(void) {
  one("write, 8 bytes", &area.word[0], WRITE, LEN8);
  one("access, 8 bytes", &area.word[1], ACCESS, LEN8);
  one("write, 4 bytes", (char *)&area.word[1], WRITE, LEN4);
  one("access, 4 bytes, the upper half", (char *)&area.word[1] + 4, ACCESS, LEN4);
  one("write, 2 bytes", (char *)&area.word[0] + 2, WRITE, LEN2);
  one("access, 1 byte", (char *)&area.word[1] + 3, ACCESS, LEN1);
  one("write of what is added to", &area.word[2], WRITE, LEN8);
  one("access of what 16 bytes move over", &area.word[4], ACCESS, LEN1);
  one("write of what cmpxchg compares", &area.word[6], WRITE, LEN8);
  one("write of a bit far away", (char *)&area.word[8] + 1, WRITE, LEN1);
  one("write by repeated stores", (char *)&area.other[1] + 2, WRITE, LEN2);
  one("access by repeated stores", &area.other[2], ACCESS, LEN4);
  one("write across the end of the page, the page before", (char *)&area.word[0] + 4094, WRITE, LEN2);
  one("execute", point_a, EXECUTE, LEN1);
  one("execute inside an instruction", point_a + 1, EXECUTE, LEN1);
}

static void several(void) {
  printf("two at once, and one that is off\n");
  pid_t p = worker();
  set_dr("DR0", p, 0, (long)&area.word[1]);
  set_dr("DR1", p, 1, (long)&area.word[1] + 4);
  set_dr("DR2", p, 2, (long)&area.word[2]);
  set_dr("DR3", p, 3, (long)point_b);
  set_dr("DR7", p, 7, CONTROL(0, WRITE, LEN4) | CONTROL(1, ACCESS, LEN4) | (CONTROL(2, WRITE, LEN8) & ~0x30L) | CONTROL(3, EXECUTE, LEN1));
  printf("DR7 %lx DR0-DR2 %d %d\n", peek_dr(p, 7), peek_dr(p, 0) == (long)&area.word[1], peek_dr(p, 2) == (long)&area.word[2]);
  run_out(p, CONT);
  printf("the same cell with two, locally and globally\n");
  p = worker();
  set_dr("DR0", p, 0, (long)&area.word[1]);
  set_dr("DR3", p, 3, (long)&area.word[1]);
  set_dr("DR7", p, 7, CONTROL(0, WRITE, LEN8) | CONTROL(3, ACCESS, LEN1) << 1 & 0xff | CONTROL(3, ACCESS, LEN1) & ~0xffL);
  run_out(p, CONT);
  printf("taken away at the first stop\n");
  p = worker();
  set_dr("DR0", p, 0, (long)&area.word[0]);
  set_dr("DR7", p, 7, CONTROL(0, WRITE, LEN8));
  pt(CONT, p, 0, 0);
  next("stop", p);
  trap(p);
  set_dr("DR6", p, 6, 0);
  printf("DR6 %lx\n", peek_dr(p, 6));
  set_dr("DR7", p, 7, 0);
  printf("DR7 %lx, DR0 kept %d\n", peek_dr(p, 7), peek_dr(p, 0) == (long)&area.word[0]);
  run_out(p, CONT);
}

static void stepping(void) {
  printf("steps over breakpoints\n");
  pid_t p = worker();
  set_dr("DR0", p, 0, (long)work_start);
  set_dr("DR1", p, 1, (long)&area.word[1]);
  set_dr("DR2", p, 2, (long)point_a);
  set_dr("DR7", p, 7, CONTROL(0, EXECUTE, LEN1) | CONTROL(1, WRITE, LEN8) | CONTROL(2, EXECUTE, LEN1));
  pt(CONT, p, 0, 0);
  next("stop", p);
  trap(p);
  for (int i = 0; i < 9; i++) {
    pt(SINGLESTEP, p, 0, 0);
    next("step", p);
    trap(p);
  }
  finish(p);
  printf("a step alone\n");
  p = worker();
  pt(SINGLESTEP, p, 0, 0);
  next("step", p);
  printf("DR6 %lx\n", peek_dr(p, 6));
  finish(p);
}

static void refused(void) {
  pid_t p = stopped_child();
  if (p == 0) _exit(0);
  printf("settings\n");
  printf("at first: DR0 %lx DR6 %lx DR7 %lx\n", peek_dr(p, 0), peek_dr(p, 6), peek_dr(p, 7));
  set_dr("DR4", p, 4, 0);
  set_dr("DR5", p, 5, 0);
  printf("DR4 %lx DR5 %lx\n", peek_dr(p, 4), peek_dr(p, 5));
  set_dr("I/O", p, 7, CONTROL(0, IO, LEN1));
  set_dr("execute, 4 bytes", p, 7, CONTROL(0, EXECUTE, LEN4));
  set_dr("an address that was never set", p, 7, CONTROL(2, WRITE, LEN8));
  printf("DR7 %lx DR2 %lx\n", peek_dr(p, 7), peek_dr(p, 2));
  set_dr("off again", p, 7, 0);
  set_dr("odd address", p, 0, (long)&area.word[0] + 1);
  set_dr("2 bytes there", p, 7, CONTROL(0, WRITE, LEN2));
  set_dr("4 bytes there", p, 7, CONTROL(0, WRITE, LEN4));
  set_dr("8 bytes there", p, 7, CONTROL(0, ACCESS, LEN8));
  set_dr("1 byte there", p, 7, CONTROL(0, ACCESS, LEN1));
  printf("DR7 %lx\n", peek_dr(p, 7));
  set_dr("another address", p, 0, (long)&area.word[1]);
  set_dr("8 bytes there", p, 7, CONTROL(0, ACCESS, LEN8));
  set_dr("an odd one while enabled", p, 0, (long)&area.word[1] + 4);
  printf("DR0 is the old one %d\n", peek_dr(p, 0) == (long)&area.word[1]);
  set_dr("a bad second one", p, 7, CONTROL(0, WRITE, LEN8) | CONTROL(1, IO, LEN1));
  printf("DR7 %lx\n", peek_dr(p, 7));
  set_dr("a bad one that is off", p, 7, CONTROL(0, WRITE, LEN8) | (CONTROL(1, IO, LEN1) & ~0xffL));
  set_dr("the kernel's memory", p, 1, -4096L);
  set_dr("the last byte", p, 1, 0x7fffffffefffL);
  set_dr("behind it", p, 1, 0x7ffffffff000L);
  set_dr("across it", p, 1, 0x7fffffffeffcL);
  set_dr("8 bytes there", p, 7, CONTROL(1, WRITE, LEN8));
  set_dr("4 bytes there", p, 7, CONTROL(1, WRITE, LEN4));
  set_dr("reserved bits", p, 7, 0x700 | 0xfc00 | 0xffffL << 32);
  printf("DR7 %lx\n", peek_dr(p, 7));
  set_dr("DR6", p, 6, 0x1234);
  printf("DR6 %lx\n", peek_dr(p, 6));
  finish(p);
}

static int pipe_fds[2];

static void *thread(void *unused) {
  area.word[1] = 5;
  return 0;
}

/** What the kernel writes, other tasks and their kin. */
static void others(void) {
  printf("the kernel's writes do not count\n");
  pid_t p = stopped_child();
  if (p == 0) {
    pipe(pipe_fds);
    write(pipe_fds[1], "12345678", 8);
    read(pipe_fds[0], (void *)&area.word[1], 8);
    struct timespec *t = (struct timespec *)&area.word[0];
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, t);
    area.word[1] = 1;
    _exit(0);
  }
  set_dr("DR0", p, 0, (long)&area.word[1]);
  set_dr("DR7", p, 7, CONTROL(0, ACCESS, LEN8));
  int stops = 0, st;
  for (pt(CONT, p, 0, 0); waitpid(p, &st, __WALL) == p && WIFSTOPPED(st); pt(CONT, p, 0, 0)) stops++;
  printf("stops %d\n", stops);

  printf("a page that is mapped anew\n");
  p = stopped_child();
  if (p == 0) {
    char *m = mmap((void *)0x30000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    m[8] = 1;
    munmap(m, 4096);
    m = mmap((void *)0x30000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    m[8] = 2;
    mprotect(m, 4096, PROT_READ);
    mprotect(m, 4096, PROT_READ | PROT_WRITE);
    m[8] = 3;
    m = mmap((void *)0x30000000, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    m[8] = 4;
    m[8] = 5;
    _exit(0);
  }
  set_dr("DR0", p, 0, 0x30000008);
  set_dr("DR7", p, 7, CONTROL(0, WRITE, LEN8));
  stops = 0;
  for (pt(CONT, p, 0, 0); waitpid(p, &st, __WALL) == p && WIFSTOPPED(st); pt(CONT, p, 0, 0)) stops++;
  printf("stops %d\n", stops);

  printf("a child of fork has none\n");
  p = stopped_child();
  if (p == 0) {
    pid_t c = fork();
    area.word[1] = 7;
    if (c == 0) _exit(0);
    waitpid(c, 0, 0);
    _exit(0);
  }
  pt(SETOPTIONS, p, 0, OPT_FORK | OPT_CLONE | OPT_EXEC);
  set_dr("DR0", p, 0, (long)&area.word[1]);
  set_dr("DR7", p, 7, CONTROL(0, WRITE, LEN8));
  pt(CONT, p, 0, 0);
  next("fork", p);
  long child = 0;
  pt(GETEVENTMSG, p, 0, (long)&child);
  next("child", child);
  printf("child: DR0 %lx DR6 %lx DR7 %lx\n", peek_dr(child, 0), peek_dr(child, 6), peek_dr(child, 7));
  run_out(child, CONT);
  pt(CONT, p, 0, 0);
  next("parent", p);
  trap(p);
  printf("parent: DR7 %lx\n", peek_dr(p, 7));
  finish(p);

  printf("a thread has none\n");
  p = stopped_child();
  if (p == 0) {
    pthread_t t;
    pthread_create(&t, 0, thread, 0);
    pthread_join(t, 0);
    area.word[1] = 7;
    _exit(0);
  }
  set_dr("DR0", p, 0, (long)&area.word[1]);
  set_dr("DR7", p, 7, CONTROL(0, WRITE, LEN8));
  stops = 0;
  for (pt(CONT, p, 0, 0); waitpid(p, &st, __WALL) == p && WIFSTOPPED(st); pt(CONT, p, 0, 0)) stops++;
  printf("stops %d\n", stops);

  printf("a new program has none\n");
  p = stopped_child();
  if (p == 0) {
    execl("/proc/self/exe", "breakpoints", "again", (char *)0);
    _exit(1);
  }
  pt(SETOPTIONS, p, 0, OPT_EXEC);
  set_dr("DR0", p, 0, (long)&area.word[1]);
  set_dr("DR6", p, 6, 0);
  set_dr("DR7", p, 7, CONTROL(0, WRITE, LEN8));
  pt(CONT, p, 0, 0);
  next("exec", p);
  printf("DR0 %lx DR6 %lx DR7 %lx\n", peek_dr(p, 0), peek_dr(p, 6), peek_dr(p, 7));
  run_out(p, CONT);

  printf("without a tracer the signal comes all the same\n");
  p = worker();
  set_dr("DR0", p, 0, (long)&area.word[1]);
  set_dr("DR7", p, 7, CONTROL(0, WRITE, LEN8));
  result("DETACH", pt(DETACH, p, 0, 0));
  next("end", p);
}

int main(int argc, char **argv) {
  if (argc > 1) {
    area.word[1] = 1;
    return 4;
  }
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  alarm(600);
  kinds();
  several();
  stepping();
  refused();
  others();
  return 0;
}
