// SPDX-License-Identifier: MIT
//
// PTRACE_O_SUSPEND_SECCOMP: filters and the strict mode rest while a tracer says so.

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include "ptrace-common.h"

#define OPT_SUSPEND_SECCOMP (1 << 21)

static void forbid_getppid(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {4, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static long ask(void) {
  return syscall(SYS_getppid) < 0 ? -errno : 0;
}

/** A tracee whose calls are forbidden; it stops between its questions. */
static void filtered(void) {
  printf("a filter\n");
  pid_t p = stopped_child();
  if (p == 0) {
    forbid_getppid();
    long first = ask();
    raise(SIGSTOP);
    long second = ask();
    raise(SIGSTOP);
    long third = ask();
    printf("before %s, suspended %s, after %s\n", name_of(-first), name_of(-second), name_of(-third));
    fflush(stdout);
    _exit(0);
  }
  pt(CONT, p, 0, 0);
  next("stop", p);
  long r = pt(SETOPTIONS, p, 0, OPT_SUSPEND_SECCOMP);
  result("suspended", r);
  pt(CONT, p, 0, 0);
  next("stop", p);
  result("again", pt(SETOPTIONS, p, 0, 0));
  pt(CONT, p, 0, 0);
  next("end", p);
}

static void strict(void) {
  printf("the strict mode\n");
  pid_t p = stopped_child();
  if (p == 0) {
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    syscall(SYS_getppid);
    syscall(SYS_exit, 5);
  }
  pt(SETOPTIONS, p, 0, OPT_SUSPEND_SECCOMP);
  pt(CONT, p, 0, 0);
  next("end, suspended", p);
  p = stopped_child();
  if (p == 0) {
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    syscall(SYS_getppid);
    syscall(SYS_exit, 5);
  }
  pt(CONT, p, 0, 0);
  next("end", p);
}

static void detached(void) {
  printf("the end of tracing is the end of the rest\n");
  pid_t p = stopped_child();
  if (p == 0) {
    forbid_getppid();
    long first = ask();
    raise(SIGSTOP);
    long second = ask();
    printf("suspended %s, detached %s\n", name_of(-first), name_of(-second));
    fflush(stdout);
    _exit(0);
  }
  pt(SETOPTIONS, p, 0, OPT_SUSPEND_SECCOMP);
  pt(CONT, p, 0, 0);
  next("stop", p);
  pt(DETACH, p, 0, 0);
  next("end", p);
}

static void rights(void) {
  printf("rights\n");
  pid_t p = spawn();
  if (p == 0) {
    pid_t c = stopped_child();
    if (c == 0) _exit(0);
    forbid_getppid();
    result("under a filter", pt(SETOPTIONS, c, 0, OPT_SUSPEND_SECCOMP));
    finish(c);
    fflush(stdout);
    _exit(0);
  }
  next("end", p);
  p = spawn();
  if (p == 0) {
    setresuid(1234, 1234, 1234);
    pid_t c = stopped_child();
    if (c == 0) _exit(0);
    result("without capabilities", pt(SETOPTIONS, c, 0, OPT_SUSPEND_SECCOMP));
    finish(c);
    fflush(stdout);
    _exit(0);
  }
  next("end", p);
}

int main(void) {
  alarm(30);
  filtered();
  strict();
  detached();
  rights();
  return 0;
}
