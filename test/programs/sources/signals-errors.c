// SPDX-License-Identifier: MIT
//
// What the signal calls refuse, who may signal whom, siginfo of every way to send, the order of real-time signals, the
// flags of sigaction(2) and alternate stacks. One line a fact.

#define _GNU_SOURCE
#include "asleep.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *name_of(int error) {
  switch (error) {
    case 0: return "ok";
    case E2BIG: return "E2BIG";
    case EAGAIN: return "EAGAIN";
    case EBADF: return "EBADF";
    case ECHILD: return "ECHILD";
    case EFAULT: return "EFAULT";
    case EINTR: return "EINTR";
    case EINVAL: return "EINVAL";
    case ENOMEM: return "ENOMEM";
    case EPERM: return "EPERM";
    case ESRCH: return "ESRCH";
    default: return "another error";
  }
}
#define said(what, call)                                            \
  do {                                                              \
    long said_r = (call);                                           \
    printf("%s: %s\n", what, said_r < 0 ? name_of(errno) : "ok");   \
  } while (0)

static int tid(void) { return syscall(SYS_gettid); }

static void action_errors(void) {
  struct {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
  } a = {SIG_DFL, 0, 0, ~0ull}, old;
#define ACTION(what, s, n, o, size) said(what, syscall(SYS_rt_sigaction, s, n, o, size))
  ACTION("signal 0", 0, &a, 0, 8);
  ACTION("signal 65", 65, &a, 0, 8);
  ACTION("signal -1", -1, &a, 0, 8);
  ACTION("SIGKILL", SIGKILL, &a, 0, 8);
  ACTION("SIGSTOP", SIGSTOP, &a, 0, 8);
  ACTION("SIGKILL's old", SIGKILL, 0, &old, 8);
  ACTION("size 4", SIGUSR1, &a, 0, 4);
  ACTION("size 16", SIGUSR1, &a, 0, 16);
  ACTION("new in no memory", SIGUSR1, 8, 0, 8);
  ACTION("old to no memory", SIGUSR1, 0, 8, 8);
  ACTION("new in no memory for signal 0", 0, 8, 0, 8);
  a.flags = ~0ul;
  ACTION("all flags", SIGUSR1, &a, 0, 8);
  ACTION("what is kept", SIGUSR1, 0, &old, 8);
  printf("flags %lx mask %llx\n", old.flags, (unsigned long long)old.mask);
  a.flags = 0;
  ACTION("back", SIGUSR1, &a, 0, 8);
  uint64_t set = 0;
#define MASK(what, how, n, o, size) said(what, syscall(SYS_rt_sigprocmask, how, n, o, size))
  MASK("bad how", 7, &set, 0, 8);
  MASK("bad how without a set", 7, 0, &set, 8);
  MASK("mask size 4", SIG_BLOCK, &set, 0, 4);
  MASK("mask in no memory", SIG_BLOCK, 8, 0, 8);
  MASK("old mask to no memory", SIG_BLOCK, 0, 8, 8);
  set = ~0ull;
  MASK("block all", SIG_SETMASK, &set, 0, 8);
  MASK("what is blocked", SIG_BLOCK, 0, &set, 8);
  printf("mask %llx\n", (unsigned long long)set);
  set = 0;
  MASK("unblock all", SIG_SETMASK, &set, 0, 8);
  said("pending size 9", syscall(SYS_rt_sigpending, &set, 9));
  said("pending size 4", syscall(SYS_rt_sigpending, &set, 4));
  said("pending to no memory", syscall(SYS_rt_sigpending, 8, 8));
  said("suspend size 4", syscall(SYS_rt_sigsuspend, &set, 4));
  said("suspend in no memory", syscall(SYS_rt_sigsuspend, 8, 8));
  struct timespec t = {0, 0}, bad = {0, 1000000000};
  said("wait size 4", syscall(SYS_rt_sigtimedwait, &set, 0, &t, 4));
  said("wait in no memory", syscall(SYS_rt_sigtimedwait, 8, 0, &t, 8));
  said("wait for a bad time", syscall(SYS_rt_sigtimedwait, &set, 0, &bad, 8));
  said("wait for a time in no memory", syscall(SYS_rt_sigtimedwait, &set, 0, 8, 8));
  said("wait for nothing", syscall(SYS_rt_sigtimedwait, &set, 0, &t, 8));
}

static void send_errors(void) {
  int me = getpid();
  said("kill with signal 65", kill(me, 65));
  said("kill with signal -1", kill(me, -1));
  said("kill nobody", kill(0x3ffffff, SIGTERM));
  said("kill nobody with signal 65", kill(0x3ffffff, 65));
  said("kill no group", kill(-0x3ffffff, SIGTERM));
  said("kill INT_MIN", kill(-0x7fffffff - 1, 0));
  said("kill 0 with 0", kill(0, 0));
  said("tkill 0", syscall(SYS_tkill, 0, 0));
  said("tkill -1", syscall(SYS_tkill, -1, 0));
  said("tkill nobody", syscall(SYS_tkill, 0x3ffffff, 0));
  said("tkill with signal 65", syscall(SYS_tkill, me, 65));
  said("tgkill -1", syscall(SYS_tgkill, -1, me, 0));
  said("tgkill tid 0", syscall(SYS_tgkill, me, 0, 0));
  said("tgkill of another group", syscall(SYS_tgkill, me + 1000000, me, 0));
  said("tgkill nobody with signal 99", syscall(SYS_tgkill, me, 0x3ffffff, 99));
  said("tgkill with signal 99", syscall(SYS_tgkill, me, me, 99));
  siginfo_t i;
  memset(&i, 0, sizeof i);
  i.si_code = SI_QUEUE;
#define QUEUE(what, pid, s, p) said(what, syscall(SYS_rt_sigqueueinfo, pid, s, p))
  QUEUE("queue to nobody", 0x3ffffff, 0, &i);
  QUEUE("queue to 0", 0, 0, &i);
  QUEUE("queue to -1", -1, 0, &i);
  QUEUE("queue in no memory", me, 0, 8);
  QUEUE("queue signal 65", me, 65, &i);
  QUEUE("queue signal 0", me, 0, &i);
  i.si_code = SI_USER;
  QUEUE("a forged kill to oneself", me, 0, &i);
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    pause();
    _exit(0);
  }
  QUEUE("a forged kill to another", p, 0, &i);
  i.si_code = SI_TKILL;
  QUEUE("a forged tkill to another", p, 0, &i);
  i.si_code = 5;
  QUEUE("a forged fault to another", p, SIGSEGV, &i);
  i.si_code = SI_QUEUE;
  QUEUE("an honest one", p, 0, &i);
  i.si_code = -50;
  ((char *)&i)[100] = 1;
  QUEUE("an unknown layout with more", p, 0, &i);
  i.si_code = SI_QUEUE;
  QUEUE("a known one with more", p, 0, &i);
  ((char *)&i)[100] = 0;
#define TGQUEUE(what, tg, t, s, p) said(what, syscall(SYS_rt_tgsigqueueinfo, tg, t, s, p))
  TGQUEUE("tgqueue -1", -1, me, 0, &i);
  TGQUEUE("tgqueue tid 0", me, 0, 0, &i);
  TGQUEUE("tgqueue of another group", p, me, 0, &i);
  TGQUEUE("tgqueue in no memory", me, me, 0, 8);
  TGQUEUE("tgqueue to nobody", me, 0x3ffffff, 0, &i);
  TGQUEUE("tgqueue signal 70", me, me, 70, &i);
  i.si_code = SI_USER;
  TGQUEUE("a forged tgkill", p, p, 0, &i);
  kill(p, SIGKILL);
  waitpid(p, 0, 0);
  said("kill a zombie's number", kill(p, 0));
}

static volatile siginfo_t got;
static volatile int hits;
static void keep(int s, siginfo_t *i, void *u) {
  hits++;
  memcpy((void *)&got, i, sizeof got);
}
static void handle(int s, int flags) {
  struct sigaction a = {.sa_sigaction = keep, .sa_flags = SA_SIGINFO | flags};
  sigaction(s, &a, 0);
}
static void tell(const char *what) {
  printf("%s: signal %d code %d errno %d from %s uid %d\n", what, got.si_signo, got.si_code, got.si_errno,
         got.si_pid == getpid() ? "me" : got.si_pid == getppid() ? "parent" : got.si_pid == 0 ? "nobody" : "another",
         got.si_uid == getuid());
  memset((void *)&got, 0, sizeof got);
}

static void infos(void) {
  handle(SIGUSR1, 0);
  handle(SIGUSR2, 0);
  handle(SIGCHLD, 0);
  handle(SIGRTMIN + 3, 0);
  kill(getpid(), SIGUSR1);
  tell("kill");
  syscall(SYS_tgkill, getpid(), tid(), SIGUSR1);
  tell("tgkill");
  syscall(SYS_tkill, tid(), SIGUSR1);
  tell("tkill");
  union sigval v = {.sival_ptr = (void *)0x123456789abcdef};
  sigqueue(getpid(), SIGUSR2, v);
  printf("value %llx\n", (unsigned long long)(uintptr_t)got.si_value.sival_ptr);
  tell("sigqueue");
  siginfo_t i;
  memset(&i, 0x77, sizeof i);
  i.si_code = -5;
  syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN + 3, &i);
  unsigned char *b = (unsigned char *)&got;
  printf("raw: signo %d errno %x code %d byte 47 %x byte 48 %x byte 127 %x\n", got.si_signo, got.si_errno, got.si_code, b[47], b[48], b[127]);
  fflush(stdout);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGUSR2);
  sigprocmask(SIG_BLOCK, &set, 0);
  int fds[2];
  pipe(fds);
  pid_t p = fork();
  if (p == 0) {
    char c;
    kill(getppid(), SIGUSR1);
    sigqueue(getppid(), SIGUSR2, v);
    read(fds[0], &c, 1);
    _exit(3);
  }
  for (int n = 0; n < 2; n++) {
    int s = sigwaitinfo(&set, &i);
    printf("from a child: signal %d code %d pid %d\n", s, i.si_code, i.si_pid == p);
  }
  sigprocmask(SIG_UNBLOCK, &set, 0);
  write(fds[1], "x", 1);
  int st;
  while (waitpid(p, &st, 0) < 0) {
  }
  printf("SIGCHLD: signal %d code %d status %d pid %d uid %d\n", got.si_signo, got.si_code, got.si_status, got.si_pid == p, got.si_uid == getuid());
  signal(SIGCHLD, SIG_DFL);
}

static int order[32], orders;
static void note(int s, siginfo_t *i, void *u) {
  order[orders++] = (s - SIGRTMIN) * 100 + i->si_value.sival_int;
}

static void realtime(void) {
  sigset_t all, old;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &old);
  for (int s = 1; s < 5; s++) {
    struct sigaction a = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    sigfillset(&a.sa_mask);
    sigaction(SIGRTMIN + s, &a, 0);
  }
  for (int n = 0; n < 3; n++) {
    for (int s = 4; s > 0; s--) sigqueue(getpid(), SIGRTMIN + s, (union sigval){.sival_int = n});
  }
  sigset_t pending;
  sigpending(&pending);
  printf("pending %d %d\n", sigismember(&pending, SIGRTMIN + 1), sigismember(&pending, SIGRTMIN + 5));
  sigset_t two;
  sigemptyset(&two);
  sigaddset(&two, SIGRTMIN + 2);
  siginfo_t i;
  int w = sigwaitinfo(&two, &i);
  printf("waited %d value %d code %d\n", w - SIGRTMIN, i.si_value.sival_int, i.si_code);
  sigprocmask(SIG_SETMASK, &old, 0);
  for (int n = 0; n < orders; n++) printf("%03d%c", order[n], n == orders - 1 ? '\n' : ' ');
  // Standard signals are there once.
  handle(SIGUSR1, 0);
  hits = 0;
  sigprocmask(SIG_SETMASK, &all, &old);
  for (int n = 0; n < 5; n++) kill(getpid(), SIGUSR1);
  sigprocmask(SIG_SETMASK, &old, 0);
  printf("five times SIGUSR1: %d\n", hits);
}

static void queue_limit(void) {
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    // Counts what others of this user have queued as well, so only the end is looked at.
    struct rlimit l = {0, 0};
    setrlimit(RLIMIT_SIGPENDING, &l);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, 0);
    said("sigqueue at the limit", sigqueue(getpid(), SIGRTMIN + 1, (union sigval){0}));
    said("tkill at the limit", syscall(SYS_tkill, tid(), SIGRTMIN + 1));
    said("kill at the limit", kill(getpid(), SIGRTMIN + 1));
    said("a standard signal at the limit", sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 5}));
    siginfo_t i;
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    sigwaitinfo(&one, &i);
    printf("it says code %d pid %d value %d\n", i.si_code, i.si_pid, i.si_value.sival_int);
    timer_t t;
    said("a timer at the limit", timer_create(CLOCK_MONOTONIC, 0, &t));
    fflush(stdout);
    _exit(0);
  }
  waitpid(p, 0, 0);
}

static volatile int depth, deepest;
static void nest(int s) {
  if (++depth > deepest) deepest = depth;
  if (depth < 4) kill(getpid(), SIGUSR1);
  depth--;
}

static void flags(void) {
  struct sigaction a = {.sa_handler = nest};
  sigaction(SIGUSR1, &a, 0);
  deepest = 0;
  depth = 3;
  kill(getpid(), SIGUSR1);
  depth = 0;
  a.sa_flags = SA_NODEFER;
  sigaction(SIGUSR1, &a, 0);
  deepest = 0;
  kill(getpid(), SIGUSR1);
  printf("SA_NODEFER nests %d deep\n", deepest);
  a.sa_flags = SA_RESETHAND;
  a.sa_handler = nest;
  depth = 3;
  sigaction(SIGUSR1, &a, 0);
  kill(getpid(), SIGUSR1);
  struct sigaction now;
  sigaction(SIGUSR1, 0, &now);
  printf("SA_RESETHAND leaves the default: %d\n", now.sa_handler == SIG_DFL);
  // SA_NOCLDWAIT: children leave no zombie, but SIGCHLD comes.
  handle(SIGCHLD, SA_NOCLDWAIT);
  hits = 0;
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) _exit(5);
  said("wait with SA_NOCLDWAIT", waitpid(p, 0, 0));
  printf("SIGCHLD %d status %d\n", hits, got.si_status);
  // SA_NOCLDSTOP: stops are not told, ends are.
  handle(SIGCHLD, SA_NOCLDSTOP);
  hits = 0;
  p = fork();
  if (p == 0) {
    raise(SIGSTOP);
    _exit(6);
  }
  int st;
  while (waitpid(p, &st, WUNTRACED) < 0) {
  }
  printf("stopped %d, SIGCHLD %d\n", WIFSTOPPED(st), hits);
  kill(p, SIGCONT);
  while (waitpid(p, &st, 0) < 0) {
  }
  printf("ended %d, SIGCHLD %d code %d\n", WEXITSTATUS(st), hits, got.si_code);
  handle(SIGCHLD, 0);
  hits = 0;
  p = fork();
  if (p == 0) {
    raise(SIGSTOP);
    _exit(7);
  }
  while (waitpid(p, &st, WUNTRACED) < 0) {
  }
  printf("stop told: %d code %d status %d\n", hits, got.si_code, got.si_status == SIGSTOP);
  kill(p, SIGKILL);
  while (waitpid(p, &st, 0) < 0) {
  }
  printf("killed told: code %d status %d\n", got.si_code, got.si_status);
  signal(SIGCHLD, SIG_DFL);
}

static volatile int on_stack;
static char alt[65536];
static void where(int s, siginfo_t *i, void *u) {
  char c;
  stack_t now;
  sigaltstack(0, &now);
  on_stack = &c >= alt && &c < alt + sizeof alt;
  printf("handler on the alternate stack %d, flags %x\n", on_stack, now.ss_flags);
  stack_t other = {.ss_sp = alt, .ss_size = sizeof alt};
  said("change it meanwhile", sigaltstack(&other, 0));
}

static void altstack(void) {
  stack_t s = {.ss_sp = alt, .ss_size = sizeof alt}, old;
  said("none yet", sigaltstack(0, &old));
  printf("flags %x\n", old.ss_flags);
  s.ss_flags = 77;
  said("bad flags", sigaltstack(&s, 0));
  s.ss_flags = 0;
  s.ss_size = 100;
  said("too small", sigaltstack(&s, 0));
  s.ss_size = sizeof alt;
  said("in no memory", syscall(SYS_sigaltstack, 8, 0));
  said("to no memory", syscall(SYS_sigaltstack, 0, 8));
  s.ss_flags = SS_ONSTACK;
  said("SS_ONSTACK", sigaltstack(&s, 0));
  s.ss_flags = 0;
  said("set", sigaltstack(&s, &old));
  struct sigaction a = {.sa_sigaction = where, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGUSR1, &a, 0);
  kill(getpid(), SIGUSR1);
  s.ss_flags = 1u << 31;
  said("SS_AUTODISARM", sigaltstack(&s, 0));
  sigaltstack(0, &old);
  printf("flags %x\n", old.ss_flags);
  kill(getpid(), SIGUSR1);
  s.ss_flags = SS_DISABLE;
  said("disable", sigaltstack(&s, 0));
  sigaltstack(0, &old);
  printf("flags %x size %zu\n", old.ss_flags, old.ss_size);
  kill(getpid(), SIGUSR1);
}

/// Who may signal whom: run as somebody with another user's process beside.
static void permissions(void) {
  if (getuid() != 0) return;
  fflush(stdout);
  pid_t target = fork();
  if (target == 0) {
    setresuid(2001, 2002, 2003);
    setsid();
    for (;;) pause();
  }
  pid_t same_session = fork();
  if (same_session == 0) {
    setresuid(2001, 2001, 2001);
    for (;;) pause();
  }
  while (getsid(target) == getsid(0)) usleep(200);
  // Both have their ids when they pause.
  await_asleep(target, target);
  await_asleep(same_session, same_session);
  struct {
    int r, e, s;
  } who[] = {{2001, 2001, 2001}, {2003, 2003, 2003}, {2002, 2002, 2002}, {2002, 2003, 2004}, {2001, 2009, 2009}, {2009, 2009, 2001}};
  for (unsigned n = 0; n < sizeof who / sizeof *who; n++) {
    fflush(stdout);
    pid_t p = fork();
    if (p == 0) {
      setresuid(who[n].r, who[n].e, who[n].s);
      printf("%d %d %d ", who[n].r, who[n].e, who[n].s);
      said("may signal 2001 2002 2003", kill(target, 0));
      fflush(stdout);
      _exit(0);
    }
    waitpid(p, 0, 0);
  }
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    setresuid(2050, 2050, 2050);
    said("SIGCONT in the session", kill(same_session, SIGCONT));
    said("SIGTERM in the session", kill(same_session, SIGTERM));
    said("SIGCONT to another session", kill(target, SIGCONT));
    said("tgkill without the right", syscall(SYS_tgkill, target, target, SIGTERM));
    siginfo_t i = {.si_code = SI_QUEUE};
    said("queue without the right", syscall(SYS_rt_sigqueueinfo, target, SIGTERM, &i));
    said("signal 65 without the right", kill(target, 65));
    fflush(stdout);
    _exit(0);
  }
  waitpid(p, 0, 0);
  kill(target, SIGKILL);
  kill(same_session, SIGKILL);
  waitpid(target, 0, 0);
  waitpid(same_session, 0, 0);
}

static void group_kill(void) {
  fflush(stdout);
  pid_t leader = fork();
  if (leader == 0) {
    setpgid(0, 0);
    int st, dead = 0;
    pid_t kids[3];
    for (int n = 0; n < 3; n++) {
      kids[n] = fork();
      if (kids[n] == 0) for (;;) pause();
    }
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    for (int n = 0; n < 3; n++) {
      waitpid(kids[n], &st, 0);
      dead += WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM;
    }
    printf("kill(0) ended %d\n", dead);
    fflush(stdout);
    kill(-getpgrp(), SIGKILL);
    _exit(1);
  }
  int st;
  waitpid(leader, &st, 0);
  printf("kill(-pgid) ended the leader: %d\n", WIFSIGNALED(st) ? WTERMSIG(st) : 0);
}

static void *thread_sleep(void *p) {
  *(volatile int *)p = tid();
  for (;;) pause();
}

/// PR_SET_PDEATHSIG: when the thread that made the child has ended.
static volatile int thread_done;
static int pipes[2];
static void *make_child(void *p) {
  pid_t c = fork();
  if (c == 0) {
    struct sigaction a = {.sa_sigaction = keep, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &a, 0);
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    int s = 0;
    prctl(PR_GET_PDEATHSIG, &s);
    write(pipes[1], "r", 1);
    while (!hits) usleep(200);
    printf("parent death signal %d: code %d from the parent %d\n", s, got.si_code, got.si_pid == getppid());
    fflush(stdout);
    _exit(0);
  }
  char ch;
  read(pipes[0], &ch, 1);
  return (void *)(long)c;
}

static void parent_death(void) {
  pipe(pipes);
  hits = 0;
  pthread_t t;
  void *c;
  fflush(stdout);
  pthread_create(&t, 0, make_child, 0);
  pthread_join(t, &c);
  waitpid((long)c, 0, 0);
}

int main(void) {
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  action_errors();
  send_errors();
  infos();
  realtime();
  queue_limit();
  flags();
  altstack();
  permissions();
  group_kill();
  parent_death();
  return 0;
}
