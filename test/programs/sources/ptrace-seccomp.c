// SPDX-License-Identifier: MIT
//
// Filters and the strict mode rest while a tracer says so (PTRACE_O_SUSPEND_SECCOMP); programs of filters as it sees them.

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include "ptrace-common.h"

#define OPT_SUSPEND_SECCOMP (1 << 21)
enum { SECCOMP_GET_FILTER = 0x420c, SECCOMP_GET_METADATA = 0x420d };

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
    stop_self();
    long second = ask();
    stop_self();
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
    stop_self();
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

/** Two filters, the second with a flag. */
static void programs(void) {
  printf("programs of filters\n");
  pid_t p = stopped_child();
  if (p == 0) {
    forbid_getppid();
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {1, code};
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program);
    stop_self();
    _exit(0);
  }
  struct sock_filter code[8];
  struct { uint64_t index, flags; } about = {0, 77};
  result("without a filter", pt(SECCOMP_GET_FILTER, p, 0, (long)code));
  result("metadata", pt(SECCOMP_GET_METADATA, p, 16, (long)&about));
  pt(CONT, p, 0, 0);
  next("stop", p);
  for (int i = 0; i < 4; i++) {
    memset(code, 0, sizeof code);
    result("length", pt(SECCOMP_GET_FILTER, p, i, 0));
    long n = pt(SECCOMP_GET_FILTER, p, i, (long)code);
    result("program", n);
    for (int k = 0; k < n; k++) printf("  %x %d %d %x\n", code[k].code, code[k].jt, code[k].jf, code[k].k);
    about.index = i, about.flags = 77;
    result("metadata", pt(SECCOMP_GET_METADATA, p, 16, (long)&about));
    printf("flags %d\n", (int)about.flags);
  }
  about.index = 1, about.flags = 77;
  result("metadata of 8 bytes", pt(SECCOMP_GET_METADATA, p, 8, (long)&about));
  result("of 100", pt(SECCOMP_GET_METADATA, p, 100, (long)&about));
  result("of 7", pt(SECCOMP_GET_METADATA, p, 7, (long)&about));
  result("nowhere", pt(SECCOMP_GET_METADATA, p, 16, 8));
  result("a program to nowhere", pt(SECCOMP_GET_FILTER, p, 0, 8));
  result("number -1", pt(SECCOMP_GET_FILTER, p, -1, 0));
  finish(p);
}

static void rights(void) {
  printf("rights\n");
  pid_t p = spawn();
  if (p == 0) {
    pid_t c = stopped_child();
    if (c == 0) _exit(0);
    forbid_getppid();
    result("under a filter", pt(SETOPTIONS, c, 0, OPT_SUSPEND_SECCOMP));
    result("its program", pt(SECCOMP_GET_FILTER, c, 0, 0));
    result("its metadata", pt(SECCOMP_GET_METADATA, c, 1, 0));
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
    result("its program", pt(SECCOMP_GET_FILTER, c, 0, 0));
    result("its metadata", pt(SECCOMP_GET_METADATA, c, 1, 0));
    finish(c);
    fflush(stdout);
    _exit(0);
  }
  next("end", p);
}

int main(void) {
  alarm(600);
  filtered();
  strict();
  detached();
  programs();
  rights();
  return 0;
}
