// SPDX-License-Identifier: MIT
//
// Calls that signals interrupt, at sites that were patched before, or are patched while they sleep. One line a fact.

#define _GNU_SOURCE
#include "asleep.h"
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

// Sites of the shape that is patched: mov $number,%eax; syscall.
#define SITE(name, number)                                                                              \
  long name(long a, long b, long c);                                                                    \
  extern char name##_syscall[];                                                                         \
  __asm__(".text\n" #name ": mov $" #number ",%eax\n" #name "_syscall: syscall\n ret\n.globl " #name)

SITE(read_once, 0);
SITE(read_first, 0);
SITE(read_edited, 0);
SITE(sleep_site, 35);
SITE(getpid_site, 39);

static int p[2];
static volatile int calls;
static volatile uintptr_t seen_rip, seen_rax;

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/** What the call that is to be interrupted looks like: rip at the syscall (a restart to come) or behind it. */
static char *volatile wanted_rip;
static volatile int edits;

static void on_alarm(int s, siginfo_t *i, void *u) {
  (void)s;
  (void)i;
  ucontext_t *c = u;
  uintptr_t rip = c->uc_mcontext.gregs[REG_RIP];
  // Early: the call has not begun. The timer comes again.
  if (rip != (uintptr_t)wanted_rip) return;
  seen_rip = rip;
  seen_rax = c->uc_mcontext.gregs[REG_RAX];
  calls++;
  wanted_rip = 0;
  write(p[1], "x", 1);
  // time(2) finds that its argument, the descriptor, is no address.
  if (edits) c->uc_mcontext.gregs[REG_RAX] = SYS_time;
}

static void alarm_at(char *rip, int flags) {
  struct sigaction a = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO | flags};
  wanted_rip = rip;
  sigaction(SIGALRM, &a, 0);
  struct itimerval v = {.it_value = {0, 10000}, .it_interval = {0, 10000}};
  setitimer(ITIMER_REAL, &v, 0);
}

static void no_alarm(void) {
  struct itimerval v = {0};
  setitimer(ITIMER_REAL, &v, 0);
}

/** Makes the site's patch happen. */
static void warm(long (*f)(long, long, long)) {
  char c;
  for (int i = 0; i < 3; i++) {
    write(p[1], "w", 1);
    f(p[0], (long)&c, 1);
  }
}

static void stopped(long (*f)(long, long, long), long a, long b, long c, const char *what, int feeds) {
  pid_t child = fork();
  if (child == 0) {
    int64_t start = now();
    long r = f(a, b, c);
    int64_t took = now() - start;
    // A sleep of a second that was stopped for 20 ms of it ends on time.
    _exit(feeds ? (int)r : r == 0 && took >= 1000000000 ? 1 : 99);
  }
  int st;
  await_asleep(child, child);
  kill(child, SIGSTOP);
  waitpid(child, &st, WUNTRACED);
  printf("%s: stopped %d", what, WIFSTOPPED(st));
  usleep(20000);
  kill(child, SIGCONT);
  if (feeds) await_asleep(child, child);
  if (feeds) write(p[1], "y", 1);
  waitpid(child, &st, 0);
  printf(" result %d\n", WEXITSTATUS(st));
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  char c;
  pipe(p);
  struct timespec t = {0, 1000}, long_sleep = {1, 0}, left = {0, 0};

  warm(read_once);
  stopped(read_once, p[0], (long)&c, 1, "read", 1);
  for (int i = 0; i < 3; i++) sleep_site((long)&t, 0, 0);
  stopped(sleep_site, (long)&long_sleep, 0, 0, "nanosleep", 0);

  alarm_at(read_once_syscall, SA_RESTART);
  long r = read_once(p[0], (long)&c, 1);
  no_alarm();
  printf("restart: %ld calls %d rip %d rax %ld\n", r, calls, seen_rip == (uintptr_t)read_once_syscall, (long)seen_rax);

  alarm_at(read_first_syscall, SA_RESTART);
  r = read_first(p[0], (long)&c, 1);
  no_alarm();
  printf("first execution: %ld calls %d rip %d rax %ld\n", r, calls, seen_rip == (uintptr_t)read_first_syscall, (long)seen_rax);

  // Without SA_RESTART the context is the one behind the call, with its error.
  alarm_at(read_once_syscall + 2, 0);
  r = read_once(p[0], (long)&c, 1);
  no_alarm();
  printf("interrupted: %ld rip %d rax %d\n", r == -EINTR ? 1l : r, seen_rip == (uintptr_t)read_once_syscall + 2, (long)seen_rax == -EINTR);
  read_once(p[0], (long)&c, 1);

  long_sleep.tv_sec = 100;
  alarm_at(sleep_site_syscall + 2, SA_RESTART);
  r = sleep_site((long)&long_sleep, (long)&left, 0);
  no_alarm();
  printf("sleep interrupted: %d left %d\n", r == -EINTR, left.tv_sec > 50);
  read_once(p[0], (long)&c, 1);

  warm(read_edited);
  edits = 1;
  alarm_at(read_edited_syscall, SA_RESTART);
  r = read_edited(p[0], (long)&c, 1);
  no_alarm();
  printf("edited: %d\n", r == -EFAULT);
  for (int i = 0; i < 3; i++) getpid_site(0, 0, 0);
  printf("calls %d\n", calls);
  return 0;
}
