// SPDX-License-Identifier: MIT
//
// Signals within a process and to its children: queues of real-time signals with values, masks, alternative stacks,
// faults that are repaired, jumps out of handlers, interrupted calls, timers, sigsuspend, sigwait, stop and continue.

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t seen, order[64], values[64];

static void note(int number, siginfo_t *info, void *context) {
  (void)context;
  if (seen < 64) {
    order[seen] = number;
    values[seen] = info->si_value.sival_int;
  }
  seen++;
}

static void handle(int number, int flags, void (*handler)(int, siginfo_t *, void *)) {
  struct sigaction action = {.sa_flags = SA_SIGINFO | flags, .sa_sigaction = handler};
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, NULL);
}

static void queues(void) {
  sigset_t set, old;
  sigemptyset(&set);
  for (int i = 0; i < 3; i++) {
    handle(SIGRTMIN + i, 0, note);
    sigaddset(&set, SIGRTMIN + i);
  }
  handle(SIGUSR1, 0, note);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, &old);
  for (int i = 0; i < 9; i++) sigqueue(getpid(), SIGRTMIN + 2 - i % 3, (union sigval){.sival_int = i});
  kill(getpid(), SIGUSR1);
  kill(getpid(), SIGUSR1);
  sigprocmask(SIG_SETMASK, &old, NULL);
  printf("delivered %d:", seen);
  for (int i = 0; i < seen; i++)
    printf(" %s%d=%d", order[i] == SIGUSR1 ? "usr" : "rt", order[i] == SIGUSR1 ? 1 : order[i] - SIGRTMIN, order[i] == SIGUSR1 ? 0 : values[i]);
  putchar('\n');
}

static char *page;
static volatile sig_atomic_t repairs;

static void repair(int number, siginfo_t *info, void *context) {
  (void)number;
  (void)context;
  if ((char *)info->si_addr < page || (char *)info->si_addr >= page + 4096) _exit(70);
  repairs += info->si_code == SEGV_ACCERR;
  mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void faults(void) {
  page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  handle(SIGSEGV, 0, repair);
  for (int i = 0; i < 5; i++) {
    page[i] = (char)i;
    mprotect(page, 4096, i % 2 ? PROT_NONE : PROT_READ);
  }
  printf("repaired %d times, reads %d\n", repairs, page[4]);
  signal(SIGSEGV, SIG_DFL);
}

static sigjmp_buf back;
static void jump(int number, siginfo_t *info, void *context) {
  (void)info;
  (void)context;
  siglongjmp(back, number);
}

static int overflow(volatile int depth) {
  volatile char big[4096];
  big[0] = (char)depth;
  return depth > 1 << 24 ? big[0] : overflow(depth + 1) + big[0];
}

static void jumps(void) {
  static char stack[65536];
  stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&alternative, NULL);
  handle(SIGSEGV, SA_ONSTACK, jump);
  handle(SIGFPE, 0, jump);
  handle(SIGILL, 0, jump);
  handle(SIGTRAP, 0, jump);
  int number = sigsetjmp(back, 1);
  if (number == 0) overflow(0);
  printf("%s; ", strsignal(number));
  volatile int zero = 0, number_one = 1;
  if ((number = sigsetjmp(back, 1)) == 0) zero = number_one / zero;
  printf("%s; ", strsignal(number));
  if ((number = sigsetjmp(back, 1)) == 0) __builtin_trap();
  printf("%s; ", strsignal(number));
  if ((number = sigsetjmp(back, 1)) == 0) __asm__ volatile("int3");
  printf("%s\n", strsignal(number));
  for (int i = 0; i < 100; i++)
    if (sigsetjmp(back, 1) == 0) raise(SIGFPE);
  puts("jumped a hundred times");
}

static void interrupted(void) {
  int ends[2];
  char byte;
  if (pipe(ends)) return;
  // Again and again: the first may come before the call.
  struct itimerval soon = {{0, 2000}, {0, 2000}}, none = {0};
  handle(SIGALRM, 0, note);
  setitimer(ITIMER_REAL, &soon, NULL);
  printf("read: %s; ", read(ends[0], &byte, 1) == -1 ? strerror(errno) : "?");
  struct timespec second = {1, 0}, left;
  setitimer(ITIMER_REAL, &soon, NULL);
  int result = nanosleep(&second, &left);
  printf("nanosleep: %s, some left: %d; ", result ? strerror(errno) : "?", left.tv_nsec > 0);
  handle(SIGALRM, SA_RESTART, note);
  setitimer(ITIMER_REAL, &soon, NULL);
  pid_t child = fork();
  if (child == 0) {
    usleep(20000);
    _exit(write(ends[1], "x", 1) != 1);
  }
  printf("restarted read: %zd; ", read(ends[0], &byte, 1));
  setitimer(ITIMER_REAL, &none, NULL);
  waitpid(child, NULL, 0);
  seen = 0;
  soon.it_interval.tv_usec = 1000;
  setitimer(ITIMER_REAL, &soon, NULL);
  sigset_t set;
  sigemptyset(&set);
  while (seen < 5) sigsuspend(&set);
  setitimer(ITIMER_REAL, &none, NULL);
  puts("five ticks");
}

static void between_processes(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    for (int i = 0; i < 20; i++) {
      siginfo_t info;
      sigset_t mine;
      sigemptyset(&mine);
      sigaddset(&mine, SIGUSR2);
      sigwaitinfo(&mine, &info);
      if (info.si_pid != parent) _exit(1);
      kill(parent, SIGUSR2);
    }
    raise(SIGSTOP);
    siginfo_t last;
    sigset_t mine;
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR2);
    sigwaitinfo(&mine, &last);
    _exit(33);
  }
  int answers = 0;
  siginfo_t info;
  for (int i = 0; i < 20; i++) {
    kill(child, SIGUSR2);
    sigset_t mine;
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR2);
    sigwaitinfo(&mine, &info);
    answers += info.si_pid == child && info.si_code == SI_USER;
  }
  printf("%d answers; ", answers);
  waitid(P_PID, child, &info, WSTOPPED);
  printf("stopped by %s; ", strsignal(info.si_status));
  kill(child, SIGCONT);
  waitid(P_PID, child, &info, WCONTINUED);
  printf("continued: %d; ", info.si_code == CLD_CONTINUED);
  int status;
  kill(child, SIGUSR2);
  waitpid(child, &status, 0);
  printf("exit %d\n", WEXITSTATUS(status));
  struct timespec zero = {0, 0};
  printf("SIGCHLD is pending: %d\n", sigtimedwait(&set, &info, &zero) == SIGCHLD);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  queues();
  faults();
  jumps();
  interrupted();
  between_processes();
  fflush(stdout);
  signal(SIGTERM, SIG_DFL);
  raise(SIGTERM);
  return 1;
}
