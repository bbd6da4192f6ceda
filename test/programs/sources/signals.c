// SPDX-License-Identifier: MIT
//
// Signals from every side, one line a fact. The output must be that of Linux.

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

// The call has been made when this runs, so errno is its own.
static void failed(const char *what, long result, int error) { printf("%s: %ld, errno as expected %d\n", what, result, errno == error); }

static volatile int count, order[64], depth, deepest;
static void note(int s) { order[count++] = s; }

static void act(int s, void (*f)(int), int flags) {
  struct sigaction a = {.sa_handler = f, .sa_flags = flags};
  sigaction(s, &a, 0);
}

static void info_handler(int s, siginfo_t *i, void *u) {
  (void)u;
  printf("info %d code %d pid %d value %d\n", s, i->si_code, i->si_pid == getpid(), i->si_value.sival_int);
}

static void nested(int s) {
  depth++;
  if (depth > deepest) deepest = depth;
  if (count++ < 3) raise(s);
  depth--;
}

static void basics(void) {
  act(SIGUSR1, note, 0);
  count = 0;
  raise(SIGUSR1);
  printf("raise %d\n", count);
  sigset_t s, old, p;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  sigprocmask(SIG_BLOCK, &s, &old);
  kill(getpid(), SIGUSR1);
  kill(getpid(), SIGUSR1);
  sigpending(&p);
  printf("blocked: count %d pending %d\n", count, sigismember(&p, SIGUSR1));
  sigprocmask(SIG_SETMASK, &old, 0);
  printf("standard signals merge: %d\n", count);

  deepest = depth = count = 0;
  act(SIGUSR2, nested, SA_NODEFER);
  raise(SIGUSR2);
  printf("nodefer deepest %d\n", deepest);
  deepest = depth = count = 0;
  act(SIGUSR2, nested, 0);
  raise(SIGUSR2);
  printf("defer deepest %d count %d\n", deepest, count);
  act(SIGUSR2, note, SA_RESETHAND);
  raise(SIGUSR2);
  struct sigaction a;
  sigaction(SIGUSR2, 0, &a);
  printf("resethand %d\n", a.sa_handler == SIG_DFL);
}

static void realtime(void) {
  sigset_t s, old;
  sigfillset(&s);
  sigprocmask(SIG_BLOCK, &s, &old);
  for (int i = SIGRTMIN; i < SIGRTMIN + 4; i++) act(i, note, 0);
  act(SIGHUP, note, 0);
  act(SIGTERM, note, 0);
  union sigval v = {.sival_int = 1};
  sigqueue(getpid(), SIGRTMIN + 2, v);
  sigqueue(getpid(), SIGRTMIN, v);
  sigqueue(getpid(), SIGRTMIN, v);
  kill(getpid(), SIGTERM);
  kill(getpid(), SIGHUP);
  count = 0;
  sigprocmask(SIG_SETMASK, &old, 0);
  printf("delivered %d:", count);
  for (int i = 0; i < count; i++) printf(" %d", order[i] >= SIGRTMIN ? 100 + order[i] - SIGRTMIN : order[i]);
  printf("\n");
  struct sigaction a = {.sa_sigaction = info_handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGRTMIN + 1, &a, 0);
  v.sival_int = 77;
  sigqueue(getpid(), SIGRTMIN + 1, v);
  raise(SIGRTMIN + 1);
  kill(getpid(), SIGRTMIN + 1);
}

static void waiting(void) {
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  sigaddset(&s, SIGRTMIN + 3);
  sigprocmask(SIG_BLOCK, &s, 0);
  struct timespec t = {0, 10000000};
  siginfo_t i;
  failed("timedwait", sigtimedwait(&s, &i, &t), EAGAIN);
  union sigval v = {.sival_int = 5};
  sigqueue(getpid(), SIGRTMIN + 3, v);
  int r = sigwaitinfo(&s, &i);
  printf("waitinfo %d value %d code %d\n", r - SIGRTMIN, i.si_value.sival_int, i.si_code);
  act(SIGUSR1, note, 0);
  count = 0;
  kill(getpid(), SIGUSR1);
  sigset_t none;
  sigemptyset(&none);
  r = sigsuspend(&none);
  printf("sigsuspend %d eintr %d count %d\n", r, errno == EINTR, count);
  sigset_t now;
  sigprocmask(0, 0, &now);
  printf("mask after sigsuspend %d\n", sigismember(&now, SIGUSR1));
  sigprocmask(SIG_UNBLOCK, &s, 0);
}

static int feed;
static void feeder(int s) {
  note(s);
  write(feed, "x", 1);
}
static void note_few(int s) { (void)s; }

static void restart(void) {
  int p[2];
  char c;
  pipe(p);
  act(SIGALRM, note, SA_RESTART);
  feed = p[1];
  act(SIGALRM, feeder, SA_RESTART);
  count = 0;
  struct itimerval once = {.it_value = {0, 20000}};
  // Again and again, because the first may come before the call that it is to interrupt.
  struct itimerval t = {.it_value = {0, 20000}, .it_interval = {0, 20000}}, never = {0};
  setitimer(ITIMER_REAL, &once, 0);
  ssize_t n = read(p[0], &c, 1);
  printf("restarted read %zd after %d\n", n, count);
  act(SIGALRM, note_few, 0);
  setitimer(ITIMER_REAL, &t, 0);
  n = read(p[0], &c, 1);
  printf("interrupted read %zd eintr %d\n", n, errno == EINTR);
  struct timespec want = {100, 0}, left = {0, 0};
  int r = nanosleep(&want, &left);
  printf("nanosleep %d eintr %d left %d\n", r, errno == EINTR, left.tv_sec > 50);
  act(SIGALRM, note_few, SA_RESTART);
  r = nanosleep(&want, &left);
  failed("nanosleep with SA_RESTART", r, EINTR);
  r = pause();
  failed("pause", r, EINTR);
  setitimer(ITIMER_REAL, &never, 0);
}

static char alt[65536];
static void on_alt(int s, siginfo_t *i, void *u) {
  (void)s;
  (void)i;
  char here;
  ucontext_t *c = u;
  stack_t now;
  sigaltstack(0, &now);
  printf("on alternate stack %d flags %d uc size %zu uc flags %d\n", &here >= alt && &here < alt + sizeof alt, now.ss_flags,
         c->uc_stack.ss_size, c->uc_stack.ss_flags);
  stack_t other = {.ss_sp = alt, .ss_size = sizeof alt};
  int r = sigaltstack(&other, 0);
  failed("change while on it", r, EPERM);
}

static void altstack(void) {
  stack_t s = {.ss_sp = alt, .ss_size = sizeof alt};
  sigaltstack(&s, 0);
  struct sigaction a = {.sa_sigaction = on_alt, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGUSR1, &a, 0);
  raise(SIGUSR1);
  stack_t tiny = {.ss_sp = alt, .ss_size = 100};
  failed("tiny", sigaltstack(&tiny, 0), ENOMEM);
  stack_t off = {.ss_flags = SS_DISABLE};
  sigaltstack(&off, 0);
  stack_t old;
  sigaltstack(0, &old);
  printf("disabled %d\n", old.ss_flags);
}

static void *volatile fault_addr;
static void on_fault(int s, siginfo_t *i, void *u) {
  ucontext_t *c = u;
  greg_t *g = c->uc_mcontext.gregs;
  printf("fault %d code %d addr %d trap %lld err %lld cr2 %d\n", s, i->si_code, i->si_addr == fault_addr, (long long)g[REG_TRAPNO],
         (long long)g[REG_ERR], (void *)g[REG_CR2] == fault_addr);
  // The faulting instructions below are two bytes long.
  g[REG_RIP] += 2;
}

static void faults(void) {
  struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &a, 0);
  sigaction(SIGILL, &a, 0);
  sigaction(SIGFPE, &a, 0);
  sigaction(SIGTRAP, &a, 0);
  char *page = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fault_addr = page;
  __asm__ volatile("movb %%al,(%0)" ::"r"(page) : "memory");
  fault_addr = (void *)16;
  __asm__ volatile("movb (%0),%%al" ::"r"((void *)16) : "rax", "memory");
  munmap(page, 4096);
  fault_addr = page;
  __asm__ volatile("movb %%al,(%0)" ::"r"(page) : "memory");
  void *at;
  __asm__ volatile("lea 1f(%%rip),%0; mov %0,%1; 1: ud2" : "=&r"(at), "=m"(fault_addr) : : "memory");
  __asm__ volatile("lea 1f(%%rip),%%rsi; mov %%rsi,%0; xor %%eax,%%eax; xor %%edx,%%edx; xor %%ecx,%%ecx; 1: div %%ecx"
                   : "=m"(fault_addr) : : "rax", "rdx", "rcx", "rsi", "memory");
  fault_addr = 0;
  __asm__ volatile("hlt; nop");
  fault_addr = (void *)0xffff800000000000;
  __asm__ volatile("movb %%al,(%0)" ::"r"(fault_addr) : "memory");
  printf("after faults\n");
}

static void on_fp(int s) {
  (void)s;
  double x = 1;
  for (int i = 0; i < 10; i++) x *= 1.5;
  __asm__ volatile("fldz; fstp %%st(0); pxor %%xmm3,%%xmm3; pxor %%xmm9,%%xmm9" ::: "xmm3", "xmm9");
}

static void float_state(void) {
  act(SIGUSR1, on_fp, 0);
  uint64_t out[2];
  double st;
  pid_t self = getpid();
  uint64_t a = 0x1122334455667788;
  __asm__ volatile(
      "movq %3,%%xmm3; movq %3,%%xmm9; fldpi; mov $62,%%eax; mov %4,%%edi; mov $10,%%esi; syscall; movq %%xmm3,%0; movq %%xmm9,%1; fstpl %2"
      : "=m"(out[0]), "=m"(out[1]), "=m"(st)
      : "r"(a), "r"(self)
      : "rax", "rdi", "rsi", "rcx", "r11", "xmm3", "xmm9", "memory");
  printf("float state %d %d %d\n", out[0] == a, out[1] == a, st > 3.14159 && st < 3.1416);
}

static void on_edit(int s, siginfo_t *i, void *u) {
  (void)s;
  (void)i;
  ucontext_t *c = u;
  c->uc_mcontext.gregs[REG_RBX] = 4711;
  sigaddset(&c->uc_sigmask, SIGUSR2);
}

static void edit(void) {
  struct sigaction a = {.sa_sigaction = on_edit, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &a, 0);
  long rbx = 1;
  pid_t self = getpid();
  __asm__ volatile("mov $62,%%eax; mov $10,%%esi; syscall" : "+b"(rbx) : "D"(self) : "rax", "rsi", "rcx", "r11", "memory");
  sigset_t now;
  sigprocmask(0, 0, &now);
  printf("edited rbx %ld mask %d\n", rbx, sigismember(&now, SIGUSR2));
}

static volatile pthread_t taken_by;
static void on_thread(int s) {
  (void)s;
  taken_by = pthread_self();
  count++;
}
static void *sleeper(void *arg) {
  sigset_t s;
  sigfillset(&s);
  if (arg != 0) pthread_sigmask(SIG_BLOCK, &s, 0);
  while (count == 0) usleep(2000);
  return 0;
}

static void threads(void) {
  act(SIGUSR1, on_thread, 0);
  sigset_t s, old;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &s, &old);
  pthread_t blocked, open;
  count = 0;
  pthread_create(&blocked, 0, sleeper, (void *)1);
  pthread_sigmask(SIG_UNBLOCK, &s, 0);
  pthread_create(&open, 0, sleeper, 0);
  pthread_sigmask(SIG_BLOCK, &s, 0);
  kill(getpid(), SIGUSR1);
  pthread_join(open, 0);
  printf("process signal goes to the open thread %d\n", taken_by == open);
  pthread_join(blocked, 0);
  count = 0;
  pthread_sigmask(SIG_UNBLOCK, &s, 0);
  pthread_create(&open, 0, sleeper, 0);
  pthread_kill(open, SIGUSR1);
  pthread_join(open, 0);
  printf("thread signal %d\n", taken_by == open);
  pthread_sigmask(SIG_SETMASK, &old, 0);
}

static void timers(void) {
  struct sigaction a = {.sa_sigaction = info_handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGRTMIN + 1, &a, 0);
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 42};
  timer_t t;
  timer_create(CLOCK_MONOTONIC, &e, &t);
  struct itimerspec when = {.it_value = {0, 5000000}};
  sigset_t s, none;
  sigemptyset(&none);
  sigemptyset(&s);
  sigaddset(&s, SIGRTMIN + 1);
  sigprocmask(SIG_BLOCK, &s, 0);
  timer_settime(t, 0, &when, 0);
  sigsuspend(&none);
  when.it_interval.tv_nsec = 1000000;
  timer_settime(t, 0, &when, 0);
  usleep(50000);
  siginfo_t i;
  sigwaitinfo(&s, &i);
  printf("overrun %d timer %d\n", i.si_overrun > 5, timer_getoverrun(t) == i.si_overrun);
  timer_delete(t);
  printf("deleted %d\n", timer_settime(t, 0, &when, 0) == -1 && errno == EINVAL);
  sigprocmask(SIG_UNBLOCK, &s, 0);
  act(SIGALRM, note, 0);
  count = 0;
  alarm(1000);
  unsigned left = alarm(0);
  printf("alarm left %d\n", left > 500 && left <= 1000);
  struct itimerval v = {.it_value = {0, 10000}, .it_interval = {0, 10000}};
  act(SIGVTALRM, note, 0);
  count = 0;
  setitimer(ITIMER_VIRTUAL, &v, 0);
  while (count < 3) ;
  memset(&v, 0, sizeof v);
  setitimer(ITIMER_VIRTUAL, &v, 0);
  printf("virtual timer %d\n", count >= 3);
}

static int status_of(void (*f)(void)) {
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    f();
    _exit(0);
  }
  int st;
  waitpid(p, &st, 0);
  return st & 0xff7f;
}
static void die_segv(void) { *(volatile int *)0 = 1; }
static void die_blocked_segv(void) {
  sigset_t s;
  sigfillset(&s);
  sigprocmask(SIG_BLOCK, &s, 0);
  signal(SIGSEGV, SIG_IGN);
  *(volatile int *)0 = 1;
}
static void die_abort(void) { abort(); }
static void die_pipe(void) {
  int p[2];
  pipe(p);
  close(p[0]);
  write(p[1], "x", 1);
}
static void die_kill(void) { kill(getpid(), SIGKILL); }
static void die_stack(void) {
  act(SIGSEGV, note, 0);
  __asm__ volatile("mov $4096,%%rsp; push %%rax" ::: "memory");
}
static void die_fpe(void) { raise(SIGFPE); }
static void live_chld(void) { raise(SIGCHLD); raise(SIGURG); raise(SIGCONT); raise(SIGWINCH); _exit(9); }

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  basics();
  realtime();
  waiting();
  restart();
  altstack();
  faults();
  float_state();
  edit();
  threads();
  timers();
  signal(SIGSEGV, SIG_DFL);
  signal(SIGILL, SIG_DFL);
  signal(SIGFPE, SIG_DFL);
  printf("deaths %x %x %x %x %x %x %x %x\n", status_of(die_segv), status_of(die_blocked_segv), status_of(die_abort), status_of(die_pipe),
         status_of(die_kill), status_of(die_stack), status_of(die_fpe), status_of(live_chld));
  return 0;
}
