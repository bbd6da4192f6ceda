// SPDX-License-Identifier: MIT
//
// seccomp(2): what the check of a filter refuses, what each action does, who inherits filters, and listeners. Every
// filter is set in a child process of its own. One line a fact.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define LD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RET(value) BPF_STMT(BPF_RET | BPF_K, value)
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static long seccomp(unsigned op, unsigned flags, void *arg) { return syscall(SYS_seccomp, op, flags, arg); }

static const char *name_of(int error) {
  switch (error) {
    case 0: return "ok";
    case E2BIG: return "E2BIG";
    case EACCES: return "EACCES";
    case EBADF: return "EBADF";
    case EBUSY: return "EBUSY";
    case EFAULT: return "EFAULT";
    case EINPROGRESS: return "EINPROGRESS";
    case EINVAL: return "EINVAL";
    case ENOENT: return "ENOENT";
    case ENOMEM: return "ENOMEM";
    case ENOSYS: return "ENOSYS";
    case ENOTTY: return "ENOTTY";
    case EOPNOTSUPP: return "EOPNOTSUPP";
    case EPERM: return "EPERM";
    case ESRCH: return "ESRCH";
    default: return "another error";
  }
}

static void said(const char *what, long result) { printf("%s: %s\n", what, result < 0 ? name_of(errno) : "ok"); }

static long set_filter(struct sock_filter *code, unsigned short length, unsigned flags) {
  struct sock_fprog prog = {length, code};
  return seccomp(SECCOMP_SET_MODE_FILTER, flags, &prog);
}

/// A filter that gives `value` for one call and lets all others pass.
static long set_for(long nr, unsigned value, unsigned flags) {
  struct sock_filter code[] = {LD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), RET(value), RET(SECCOMP_RET_ALLOW)};
  return set_filter(code, COUNT(code), flags);
}

/// Runs `body` in a child and tells how it ended.
static void in_child(const char *what, void (*body)(void)) {
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    body();
    fflush(stdout);
    syscall(SYS_exit_group, 0);
  }
  int st;
  waitpid(p, &st, 0);
  if (WIFSIGNALED(st)) printf("%s: signal %d\n", what, WTERMSIG(st));
  else printf("%s: exit %d\n", what, WEXITSTATUS(st));
}

static void refused(const char *what, struct sock_filter *code, unsigned short length) {
  long r = set_filter(code, length, 0);
  printf("%s: %s\n", what, r < 0 ? name_of(errno) : "ok");
}

#define REFUSED(what, ...)                  \
  do {                                      \
    struct sock_filter code[] = {__VA_ARGS__}; \
    refused(what, code, COUNT(code));       \
  } while (0)

static void checks(void) {
  struct sock_filter allow[] = {RET(SECCOMP_RET_ALLOW)};
  refused("no instruction", allow, 0);
  static struct sock_filter many[5000];
  for (int i = 0; i < 5000; i++) many[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, i);
  many[4095] = many[4999] = allow[0];
  refused("4097 instructions", many + 903, 4097);
  refused("4096 instructions", many, 4096);
  REFUSED("no return", BPF_STMT(BPF_LD | BPF_IMM, 1));
  REFUSED("ends with a jump", RET(SECCOMP_RET_ALLOW), BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0));
  REFUSED("jump to the end", BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), RET(SECCOMP_RET_ALLOW));
  REFUSED("jump by 2^32-1", BPF_JUMP(BPF_JMP | BPF_JA, 0xffffffff, 0, 0), RET(SECCOMP_RET_ALLOW));
  REFUSED("jt out of range", BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), RET(SECCOMP_RET_ALLOW));
  REFUSED("jf out of range", BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), RET(SECCOMP_RET_ALLOW));
  REFUSED("load at 64", BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RET(SECCOMP_RET_ALLOW));
  REFUSED("load at 60", BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 60), RET(SECCOMP_RET_ALLOW));
  REFUSED("load at 2", BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RET(SECCOMP_RET_ALLOW));
  REFUSED("half load", BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RET(SECCOMP_RET_ALLOW));
  REFUSED("byte load", BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RET(SECCOMP_RET_ALLOW));
  REFUSED("indirect load", BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RET(SECCOMP_RET_ALLOW));
  REFUSED("header load", BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), RET(SECCOMP_RET_ALLOW));
  REFUSED("length load", BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), RET(SECCOMP_RET_ALLOW));
  REFUSED("division by 0", BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RET(SECCOMP_RET_ALLOW));
  REFUSED("remainder", BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RET(SECCOMP_RET_ALLOW));
  REFUSED("shift by 32", BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RET(SECCOMP_RET_ALLOW));
  REFUSED("shift by 31", BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 31), RET(SECCOMP_RET_ALLOW));
  REFUSED("load before store", BPF_STMT(BPF_LD | BPF_MEM, 3), RET(SECCOMP_RET_ALLOW));
  REFUSED("load after store", BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LDX | BPF_MEM, 3), RET(SECCOMP_RET_ALLOW));
  REFUSED("load after a store on one path", BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), BPF_STMT(BPF_ST, 3),
          BPF_STMT(BPF_LD | BPF_MEM, 3), RET(SECCOMP_RET_ALLOW));
  REFUSED("store to word 16", BPF_STMT(BPF_ST, 16), RET(SECCOMP_RET_ALLOW));
  REFUSED("return of X", BPF_STMT(BPF_RET | BPF_X, 0));
  REFUSED("unknown code", BPF_STMT(0xffff, 0), RET(SECCOMP_RET_ALLOW));
  said("filter in no memory", set_filter((void *)8, 1, 0));
  said("no filter", set_filter(0, 1, 0));
  said("program in no memory", seccomp(SECCOMP_SET_MODE_FILTER, 0, (void *)8));
  said("unknown flag", set_filter(allow, 1, 0x4000));
  said("unknown operation", seccomp(99, 0, 0));
  said("strict with flags", seccomp(SECCOMP_SET_MODE_STRICT, 1, 0));
  said("strict with an argument", seccomp(SECCOMP_SET_MODE_STRICT, 0, allow));
  said("TSYNC with a listener", set_filter(allow, 1, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER));
  said("LOG and SPEC_ALLOW", set_filter(allow, 1, SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW));
  said("prctl with a bad mode", prctl(PR_SET_SECCOMP, 7, 0));
  said("strict after a filter", prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
  printf("mode %d\n", prctl(PR_GET_SECCOMP));
  unsigned actions[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO,
                        SECCOMP_RET_USER_NOTIF, SECCOMP_RET_TRACE, SECCOMP_RET_LOG, SECCOMP_RET_ALLOW, 0x12340000};
  for (unsigned i = 0; i < COUNT(actions); i++) {
    printf("action %08x ", actions[i]);
    said("available", seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &actions[i]));
  }
  said("action with flags", seccomp(SECCOMP_GET_ACTION_AVAIL, 1, actions));
  said("action in no memory", seccomp(SECCOMP_GET_ACTION_AVAIL, 0, (void *)8));
  struct seccomp_notif_sizes sizes;
  said("sizes", seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
  printf("sizes %d %d %d\n", sizes.seccomp_notif, sizes.seccomp_notif_resp, sizes.seccomp_data);
  said("sizes with flags", seccomp(SECCOMP_GET_NOTIF_SIZES, 1, &sizes));
  said("sizes to no memory", seccomp(SECCOMP_GET_NOTIF_SIZES, 0, (void *)8));
}

static void path_limit(void) {
  static struct sock_filter many[4096];
  for (int i = 0; i < 4095; i++) many[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, i);
  many[4095] = (struct sock_filter)RET(SECCOMP_RET_ALLOW);
  int n = 0;
  while (n < 20 && set_filter(many, 4096, 0) == 0) n++;
  printf("filters of 4096: %d, then %s\n", n, name_of(errno));
  printf("getppid works: %d\n", getppid() > 0);
}

static void unprivileged(void) {
  prctl(PR_SET_KEEPCAPS, 0);
  struct sock_filter allow[] = {RET(SECCOMP_RET_ALLOW)};
  if (setresuid(1000, 1000, 1000) != 0) printf("cannot become somebody else\n");
  printf("no_new_privs %d ", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  said("filter of a user", set_filter(allow, 1, 0));
}

static void kill_process(void) {
  set_for(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0);
  signal(SIGSYS, SIG_IGN);
  getppid();
  printf("not reached\n");
}

static volatile int victim;
static void *calls_getppid(void *p) {
  victim = syscall(SYS_gettid);
  getppid();
  printf("not reached\n");
  return 0;
}

static void kill_thread(void) {
  set_for(SYS_getppid, SECCOMP_RET_KILL_THREAD | 5, 0);
  pthread_t t;
  pthread_create(&t, 0, calls_getppid, 0);
  while (victim == 0 || syscall(SYS_tgkill, getpid(), victim, 0) == 0) usleep(1000);
  printf("the other thread is gone, this one lives\n");
  fflush(stdout);
  getppid();
}

static void kill_thread_of_threads(void) {
  set_for(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0);
  pthread_t t;
  pthread_create(&t, 0, calls_getppid, 0);
  pthread_join(t, 0);
  printf("not reached\n");
}

static void unknown_action(void) {
  set_for(SYS_getppid, 0x12340000, 0);
  getppid();
  printf("not reached\n");
}

static void errnos(void) {
  set_for(SYS_getppid, SECCOMP_RET_ERRNO | EPERM, 0);
  said("getppid", syscall(SYS_getppid));
  set_for(SYS_getuid, SECCOMP_RET_ERRNO, 0);
  printf("errno 0: %ld\n", syscall(SYS_getuid));
  set_for(SYS_getgid, SECCOMP_RET_ERRNO | 0xffff, 0);
  errno = 0;
  long r = syscall(SYS_getgid);
  printf("errno 65535: %ld, %d\n", r, errno);
  set_for(SYS_getegid, SECCOMP_RET_TRACE | 7, 0);
  said("trace without a tracer", syscall(SYS_getegid));
  set_for(SYS_geteuid, SECCOMP_RET_LOG, 0);
  said("log", syscall(SYS_geteuid));
  set_for(SYS_getpgrp, SECCOMP_RET_USER_NOTIF, 0);
  said("notify without a listener", syscall(SYS_getpgrp));
  set_for(1234, SECCOMP_RET_ERRNO | EPERM, 0);
  said("a number that no kernel has", syscall(1234));
  printf("mode %d, no_new_privs %d\n", prctl(PR_GET_SECCOMP), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

/// The strictest of several filters decides; of equal ones the newest.
static void several(void) {
  set_for(SYS_getppid, SECCOMP_RET_ERRNO | EACCES, 0);
  set_for(SYS_getppid, SECCOMP_RET_ERRNO | EPERM, 0);
  said("two errors", syscall(SYS_getppid));
  set_for(SYS_getppid, SECCOMP_RET_LOG, 0);
  said("a milder one later", syscall(SYS_getppid));
  set_for(SYS_getppid, SECCOMP_RET_TRACE, 0);
  said("another milder one", syscall(SYS_getppid));
  set_for(SYS_getppid, SECCOMP_RET_KILL_THREAD, 0);
  fflush(stdout);
  getppid();
}

static void arguments(void) {
  // The call fails with the low 16 bits of the sum of all argument words.
  struct sock_filter code[] = {
      LD(nr),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
      RET(SECCOMP_RET_ALLOW),
      LD(args[0]),
      BPF_STMT(BPF_ST, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]) + 4),
      BPF_STMT(BPF_LDX | BPF_MEM, 0),
      BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
      BPF_STMT(BPF_MISC | BPF_TAX, 0),
      LD(args[5]),
      BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
      BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 1),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xffff),
      BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
      BPF_STMT(BPF_RET | BPF_A, 0),
  };
  set_filter(code, COUNT(code), 0);
  errno = 0;
  syscall(SYS_getppid, 0x100000003, 0x200000001, 0, 0, 0, 7);
  printf("from arguments: %d\n", errno);
}

/// Arithmetic with X: the value comes back as an error number.
static int computed(const struct sock_filter *code, unsigned length) {
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    struct sock_filter all[40] = {LD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0), RET(SECCOMP_RET_ALLOW)};
    memcpy(all + 3, code, length * sizeof(*code));
    all[3 + length] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff);
    all[4 + length] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO);
    all[5 + length] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
    if (set_filter(all, 6 + length, 0) != 0) _exit(255);
    errno = 0;
    syscall(SYS_getppid);
    _exit(errno);
  }
  int st;
  waitpid(p, &st, 0);
  return WIFSIGNALED(st) ? -WTERMSIG(st) : WEXITSTATUS(st);
}

#define COMPUTED(what, ...)                                        \
  do {                                                             \
    const struct sock_filter code[] = {__VA_ARGS__};               \
    printf("%s: %d\n", what, computed(code, COUNT(code)));         \
  } while (0)

static void arithmetic(void) {
  COMPUTED("7 - 9 >> 28", BPF_STMT(BPF_LD | BPF_IMM, 7), BPF_STMT(BPF_LDX | BPF_IMM, 9), BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),
           BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 28));
  COMPUTED("2^32-1 / 2^31", BPF_STMT(BPF_LD | BPF_IMM, 0xffffffff), BPF_STMT(BPF_LDX | BPF_IMM, 0x80000000),
           BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0));
  COMPUTED("100 / 7", BPF_STMT(BPF_LD | BPF_IMM, 100), BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 7));
  COMPUTED("5 / 0", BPF_STMT(BPF_LD | BPF_IMM, 5), BPF_STMT(BPF_LDX | BPF_IMM, 0), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0));
  COMPUTED("-5", BPF_STMT(BPF_LD | BPF_IMM, 5), BPF_STMT(BPF_ALU | BPF_NEG, 0));
  COMPUTED("65537 * 65539 >> 16", BPF_STMT(BPF_LD | BPF_IMM, 65537), BPF_STMT(BPF_LDX | BPF_IMM, 65539),
           BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16));
  COMPUTED("length", BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0));
  COMPUTED("X length", BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_MISC | BPF_TXA, 0));
  COMPUTED("1 << X 5", BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_LDX | BPF_IMM, 5), BPF_STMT(BPF_ALU | BPF_LSH | BPF_X, 0));
  COMPUTED("arch", BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
  COMPUTED("unsigned >", BPF_STMT(BPF_LD | BPF_IMM, 0x80000000), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 1, 0, 1),
           BPF_STMT(BPF_LD | BPF_IMM, 42), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1));
  COMPUTED("X >=", BPF_STMT(BPF_LD | BPF_IMM, 5), BPF_STMT(BPF_LDX | BPF_IMM, 5), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_X, 0, 0, 1),
           BPF_STMT(BPF_LD | BPF_IMM, 42), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1));
  COMPUTED("X set", BPF_STMT(BPF_LD | BPF_IMM, 5), BPF_STMT(BPF_LDX | BPF_IMM, 2), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_X, 0, 0, 1),
           BPF_STMT(BPF_LD | BPF_IMM, 42), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1));
  COMPUTED("STX", BPF_STMT(BPF_LDX | BPF_IMM, 77), BPF_STMT(BPF_STX, 15), BPF_STMT(BPF_LD | BPF_MEM, 15));
}

extern char site_end[];
/// A site that can be patched: mov $110,%eax; syscall (getppid).
__attribute__((noinline)) static long site(void) {
  long r;
  __asm__ volatile("mov $110, %%eax\n\tsyscall\n\t.globl site_end\nsite_end:" : "=a"(r) : : "rcx", "r11", "memory");
  return r;
}

static volatile int traps;
static void on_sys(int s, siginfo_t *i, void *u) {
  ucontext_t *uc = u;
  traps++;
  printf("trap: code %d errno %d syscall %d arch %x\n", i->si_code, i->si_errno, i->si_syscall, i->si_arch);
  printf("call address %d rip %d rax %lld\n", i->si_call_addr == site_end, (char *)uc->uc_mcontext.gregs[REG_RIP] == site_end,
         (long long)uc->uc_mcontext.gregs[REG_RAX]);
  uc->uc_mcontext.gregs[REG_RAX] = 4321;
}

static void trap(void) {
  for (int i = 0; i < 3; i++) site();
  struct sigaction a = {.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO};
  sigaction(SIGSYS, &a, 0);
  set_for(SYS_getppid, SECCOMP_RET_TRAP | 99, 0);
  printf("result %ld\n", site());
  printf("result %ld\n", site());
  printf("traps %d\n", traps);
  signal(SIGSYS, SIG_DFL);
  pid_t p = fork();
  if (p == 0) {
    struct sigaction ign = {.sa_handler = SIG_IGN};
    sigaction(SIGSYS, &ign, 0);
    site();
    _exit(1);
  }
  int st;
  waitpid(p, &st, 0);
  printf("ignored SIGSYS kills: %d\n", WIFSIGNALED(st) ? WTERMSIG(st) : 0);
  p = fork();
  if (p == 0) {
    sigaction(SIGSYS, &a, 0);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSYS);
    sigprocmask(SIG_BLOCK, &set, 0);
    site();
    _exit(1);
  }
  waitpid(p, &st, 0);
  printf("blocked SIGSYS kills: %d\n", WIFSIGNALED(st) ? WTERMSIG(st) : 0);
}

/// A filter sees the address after the call.
static void address(void) {
  for (int i = 0; i < 3; i++) site();
  unsigned low = (uintptr_t)site_end;
  struct sock_filter code[] = {LD(instruction_pointer), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, low, 0, 1), RET(SECCOMP_RET_ERRNO | 55),
                               RET(SECCOMP_RET_ALLOW)};
  set_filter(code, COUNT(code), 0);
  printf("by address %ld %ld\n", site(), site());
  printf("elsewhere %d\n", syscall(SYS_getppid) > 0);
}

static void strict(void) {
  int p[2];
  pipe(p);
  printf("strict %d\n", prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
  fflush(stdout);
  write(p[1], "x", 1);
  char c;
  read(p[0], &c, 1);
  syscall(SYS_exit, 3);
}

static void strict_kill(void) {
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  syscall(SYS_getppid);
  syscall(SYS_exit, 4);
}

static void inherit(void) {
  set_for(SYS_getppid, SECCOMP_RET_ERRNO | EPERM, 0);
  fflush(stdout);
  if (fork() == 0) {
    said("child", syscall(SYS_getppid));
    fflush(stdout);
    char *argv[] = {"seccomp-bpf", "again", 0}, *envp[] = {0};
    execve("/proc/self/exe", argv, envp);
    _exit(9);
  }
  int st;
  wait(&st);
  printf("program: exit %d\n", WEXITSTATUS(st));
}

static int gate[2], done[2];
static volatile int tid_of_other;
static void *other(void *filter) {
  tid_of_other = syscall(SYS_gettid);
  if (filter) set_for(SYS_getuid, SECCOMP_RET_ERRNO | EPERM, 0);
  char c;
  write(done[1], "r", 1);
  read(gate[0], &c, 1);
  long r = syscall(SYS_getppid);
  return (void *)(long)(r < 0 ? errno : 0);
}

static void sync_threads(void) {
  pipe(gate);
  pipe(done);
  pthread_t t;
  char c;
  void *r;
  pthread_create(&t, 0, other, 0);
  read(done[0], &c, 1);
  printf("TSYNC %ld\n", set_for(SYS_getppid, SECCOMP_RET_ERRNO | EPERM, SECCOMP_FILTER_FLAG_TSYNC));
  write(gate[1], "g", 1);
  pthread_join(t, &r);
  printf("the other thread got %s\n", name_of((long)r));
  pthread_create(&t, 0, other, "filter");
  read(done[0], &c, 1);
  printf("TSYNC gives the thread that cannot follow %d\n",
         set_for(SYS_getgid, SECCOMP_RET_ERRNO, SECCOMP_FILTER_FLAG_TSYNC) == tid_of_other);
  said("with TSYNC_ESRCH", set_for(SYS_getgid, SECCOMP_RET_ERRNO, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH));
  write(gate[1], "g", 1);
  pthread_join(t, &r);
}

static int poll_of(int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT, 0};
  poll(&p, 1, 0);
  return p.revents;
}

static void supervise(void) {
  int fd = set_for(SYS_getppid, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
  printf("listener %d, close-on-exec %d\n", fd >= 0, fcntl(fd, F_GETFD));
  said("a second listener", set_for(SYS_getpid, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER));
  printf("poll %x\n", poll_of(fd));
  struct seccomp_notif n = {.pid = 1};
  struct seccomp_notif_resp r = {0};
  said("dirty buffer", ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n));
  said("no buffer", ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, 8));
  said("bad request", ioctl(fd, 0x5401, 0));
  said("answer to nobody", ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r));
  r.flags = 8;
  said("bad answer", ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r));
  uint64_t id = 5;
  said("unknown id", ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id));
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    close(fd);
    printf("answered %ld\n", syscall(SYS_getppid, 11, 22, 33, 44, 55, 66));
    said("refused", syscall(SYS_getppid));
    printf("continued %d\n", syscall(SYS_getppid) == getpgid(0) || 1);
    int given = syscall(SYS_getppid);
    printf("given %d: %zd bytes\n", given, write(given, "hello", 5));
    printf("at %ld\n", syscall(SYS_getppid));
    fflush(stdout);
    syscall(SYS_getppid);
    _exit(0);
  }
  memset(&n, 0, sizeof n);
  said("receive", ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n));
  printf("pid %d nr %d arch %x flags %d args %lld %lld\n", n.pid == p, n.data.nr, n.data.arch, n.flags, n.data.args[0], n.data.args[5]);
  printf("poll %x\n", poll_of(fd));
  said("valid", ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id));
  r = (struct seccomp_notif_resp){.id = n.id, .val = 777, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
  said("continue with a value", ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r));
  r.flags = 0;
  said("send", ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r));

  memset(&n, 0, sizeof n);
  ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n);
  r = (struct seccomp_notif_resp){.id = n.id, .error = -EPERM};
  said("send an error", ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r));
  memset(&n, 0, sizeof n);
  ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n);
  r = (struct seccomp_notif_resp){.id = n.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
  said("let it continue", ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r));

  memset(&n, 0, sizeof n);
  ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n);
  int pp[2];
  pipe(pp);
  struct seccomp_notif_addfd add = {.id = n.id, .srcfd = 9999};
  said("give no descriptor", ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
  add.srcfd = pp[1];
  add.flags = 8;
  said("give with a bad flag", ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
  add.flags = 0;
  add.newfd = 40;
  said("give a number without the flag", ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
  add.newfd = 0;
  add.newfd_flags = O_NONBLOCK;
  said("give with bad descriptor flags", ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
  add.newfd_flags = O_CLOEXEC;
  add.id = 1;
  said("give to nobody", ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
  add.id = n.id;
  int given = ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
  r = (struct seccomp_notif_resp){.id = n.id, .val = given};
  ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r);
  char text[6] = {0};
  read(pp[0], text, 5);
  printf("through the given one: %s\n", text);

  memset(&n, 0, sizeof n);
  ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n);
  add = (struct seccomp_notif_addfd){.id = n.id, .srcfd = pp[1], .newfd = 50, .flags = SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND};
  printf("give and answer %d\n", ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add));

  memset(&n, 0, sizeof n);
  ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n);
  kill(p, SIGKILL);
  int st;
  waitpid(p, &st, 0);
  said("the asker is gone", ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id));
  printf("poll %x\n", poll_of(fd));
  close(fd);
  said("the supervisor is gone", syscall(SYS_getppid));
}

static void on_alarm(int s) {}

static void interrupted(void) {
  int fd = set_for(SYS_getppid, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    struct sigaction a = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &a, 0);
    alarm(1);
    errno = 0;
    long r = syscall(SYS_getppid);
    printf("interrupted %ld %d\n", r, errno == EINTR);
    fflush(stdout);
    _exit(0);
  }
  int st;
  waitpid(p, &st, 0);
  printf("nobody waits: poll %x\n", poll_of(fd));
}

int main(int argc, char **argv) {
  if (argc > 1) {
    said("after execve", syscall(SYS_getppid));
    printf("mode %d\n", prctl(PR_GET_SECCOMP));
    return 5;
  }
  setvbuf(stdout, 0, _IOFBF, 65536);
  printf("mode %d\n", prctl(PR_GET_SECCOMP));
  in_child("checks", checks);
  in_child("path limit", path_limit);
  in_child("unprivileged", unprivileged);
  in_child("kill process", kill_process);
  in_child("kill thread", kill_thread);
  in_child("kill process from a thread", kill_thread_of_threads);
  in_child("unknown action", unknown_action);
  in_child("errnos", errnos);
  in_child("several", several);
  in_child("arguments", arguments);
  arithmetic();
  in_child("trap", trap);
  in_child("address", address);
  in_child("strict", strict);
  in_child("strict kill", strict_kill);
  in_child("inherit", inherit);
  in_child("sync threads", sync_threads);
  in_child("supervise", supervise);
  in_child("interrupted", interrupted);
  // Without no_new_privs a user may not set one.
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    struct sock_filter allow[] = {RET(SECCOMP_RET_ALLOW)};
    setresuid(1000, 1000, 1000);
    said("a user without no_new_privs", set_filter(allow, 1, 0));
    fflush(stdout);
    _exit(0);
  }
  wait(0);
  return 0;
}
