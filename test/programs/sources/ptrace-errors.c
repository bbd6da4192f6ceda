// SPDX-License-Identifier: MIT
//
// What ptrace refuses: every errno of its manual page, and who may trace whom. Starts as root and gives that up in children.

#include <cpuid.h>
#include "ptrace-common.h"

static pid_t sleeper(uid_t uid) {
  pid_t p = spawn();
  if (p == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (uid) setresgid(uid, uid, uid), setresuid(uid, uid, uid);
    for (;;) pause();
  }
  await_state(p, 'S');
  return p;
}

/** Runs `what` in a child with another uid. */
static void as_user(uid_t uid, void (*what)(pid_t), pid_t p) {
  pid_t c = spawn();
  if (c == 0) {
    setresgid(uid, uid, uid), setresuid(uid, uid, uid);
    what(p);
    fflush(stdout);
    _exit(0);
  }
  waitpid(c, 0, 0);
}

static void may_attach(pid_t p) {
  long r = pt(SEIZE, p, 0, 0);
  result("SEIZE", r);
  if (r == 0) pt(INTERRUPT, p, 0, 0), waitpid(p, 0, __WALL), pt(DETACH, p, 0, 0);
}

static void *idle(void *arg) {
  for (;;) pause();
  return 0;
}

static void not_a_tracee(void) {
  printf("no tracee\n");
  pid_t p = sleeper(0);
  long word = 0;
  long requests[] = {PEEKDATA, PEEKUSER, POKEDATA, CONT, KILL, SINGLESTEP, GETREGS, SETREGS, DETACH, SYSCALL, SETOPTIONS, GETSIGINFO, SEIZE + 1, LISTEN, SYSEMU, 12345};
  for (int i = 0; i < sizeof requests / sizeof *requests; i++) {
    printf("%lx: ", requests[i]);
    result("not traced", pt(requests[i], p, 0, (long)&word));
  }
  result("no such process", pt(ATTACH, 4194303, 0, 0));
  result("process 0", pt(ATTACH, 0, 0, 0));
  result("process -1", pt(ATTACH, -1, 0, 0));
  result("oneself", pt(ATTACH, getpid(), 0, 0));
  result("oneself by SEIZE", pt(SEIZE, getpid(), 0, 0));
  pthread_t t;
  pthread_create(&t, 0, idle, 0);
  for (int tid = getpid() + 1; tid < getpid() + 10000; tid++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d", tid);
    if (access(path, F_OK)) continue;
    result("a thread of one's own", pt(ATTACH, tid, 0, 0));
    break;
  }
  pthread_cancel(t);
  pthread_join(t, 0);
  finish(p);
  pid_t dead = spawn();
  if (dead == 0) _exit(0);
  await_state(dead, 'Z');
  result("a zombie", pt(ATTACH, dead, 0, 0));
  waitpid(dead, 0, 0);
}

static void twice(void) {
  printf("twice\n");
  pid_t p = spawn();
  if (p == 0) {
    result("TRACEME", pt(TRACEME, 0, 0, 0));
    result("TRACEME again", pt(TRACEME, 0, 0, 0));
    fflush(stdout);
    stop_self();
    _exit(0);
  }
  waitpid(p, 0, __WALL);
  result("ATTACH to a tracee", pt(ATTACH, p, 0, 0));
  result("SEIZE of a tracee", pt(SEIZE, p, 0, 0));
  pid_t other = spawn();
  if (other == 0) {
    result("another tracer", pt(ATTACH, p, 0, 0));
    result("a request of another", pt(CONT, p, 0, 0));
    fflush(stdout);
    _exit(0);
  }
  waitpid(other, 0, 0);
  finish(p);
}

/** The set that XSAVE makes: there where the processor tells of XSAVE, ENODEV elsewhere. */
static void extended(pid_t p) {
  static uint64_t room[2048];
  unsigned a, b, c, d;
  __get_cpuid(1, &a, &b, &c, &d);
  int has = c >> 27 & 1;
  struct iovec v = {room, sizeof room};
  long got = pt(GETREGSET, p, NT_X86_XSTATE, (long)&v);
  printf("GETREGSET of XSAVE's: %d\n", has ? got == 0 && v.iov_len > 512 && v.iov_len < sizeof room : got == -ENODEV && v.iov_len == sizeof room);
  long set = pt(SETREGSET, p, NT_X86_XSTATE, (long)&v);
  printf("SETREGSET of it: %d\n", set == (has ? 0 : -ENODEV));
  v.iov_len = 12;
  result("GETREGSET of half a word of it", pt(GETREGSET, p, NT_X86_XSTATE, (long)&v));
  result("SETREGSET of half a word of it", pt(SETREGSET, p, NT_X86_XSTATE, (long)&v));
  result("GETREGSET of it without an iovec", pt(GETREGSET, p, NT_X86_XSTATE, 8));
}

static void arguments(void) {
  printf("arguments\n");
  pid_t p = sleeper(0);
  result("SEIZE with an address", pt(SEIZE, p, 8, 0));
  result("SEIZE with unknown options", pt(SEIZE, p, 0, 1 << 30));
  result("SEIZE", pt(SEIZE, p, 0, 0));
  pt(INTERRUPT, p, 0, 0);
  next("stop", p);
  struct user_regs_struct r;
  result("an unknown request", pt(12345, p, 0, 0));
  result("a negative request", pt(-1, p, 0, 0));
  result("CONT with no signal", pt(CONT, p, 0, 65));
  result("CONT with a negative one", pt(CONT, p, 0, -1));
  result("DETACH with no signal", pt(DETACH, p, 0, 65));
  result("SETOPTIONS, unknown", pt(SETOPTIONS, p, 0, 1 << 30));
  result("SETOPTIONS, a known one beside", pt(SETOPTIONS, p, 0, 1 << 30 | 1));
  result("GETREGS to nowhere", pt(GETREGS, p, 0, 8));
  result("SETREGS from nowhere", pt(SETREGS, p, 0, 8));
  result("GETFPREGS to nowhere", pt(GETFPREGS, p, 0, 8));
  result("SETFPREGS from nowhere", pt(SETFPREGS, p, 0, 8));
  result("GETSIGINFO to nowhere", pt(GETSIGINFO, p, 0, 8));
  result("SETSIGINFO from nowhere", pt(SETSIGINFO, p, 0, 8));
  result("GETEVENTMSG to nowhere", pt(GETEVENTMSG, p, 0, 8));
  result("GETSIGMASK to nowhere", pt(GETSIGMASK, p, 8, 8));
  result("GET_SYSCALL_INFO to nowhere", pt(GET_SYSCALL_INFO, p, 8, 8));
  result("PEEKSIGINFO from nowhere", pt(PEEKSIGINFO, p, 8, 8));
  result("GETREGSET without an iovec", pt(GETREGSET, p, NT_PRSTATUS, 8));
  struct iovec v = {(void *)8, 216};
  result("GETREGSET to nowhere", pt(GETREGSET, p, NT_PRSTATUS, (long)&v));
  v = (struct iovec){&r, 12};
  result("GETREGSET of half a word", pt(GETREGSET, p, NT_PRSTATUS, (long)&v));
  v = (struct iovec){&r, sizeof r};
  result("GETREGSET of no set", pt(GETREGSET, p, 0x999, (long)&v));
  result("SETREGSET of no set", pt(SETREGSET, p, 0x999, (long)&v));
  result("SETREGSET of too few FP registers", pt(SETREGSET, p, NT_PRFPREG, (long)&v));
  result("GETREGSET of ports", pt(GETREGSET, p, NT_386_IOPERM, (long)&v));
  result("SETREGSET of ports", pt(SETREGSET, p, NT_386_IOPERM, (long)&v));
  extended(p);
  result("DETACH", pt(DETACH, p, 0, 0));
  finish(p);
  p = sleeper(0);
  pt(ATTACH, p, 0, 0);
  next("stop", p);
  result("INTERRUPT of an attached tracee", pt(INTERRUPT, p, 0, 0));
  result("LISTEN of an attached tracee", pt(LISTEN, p, 0, 0));
  finish(p);
  result("a tracee that is gone", pt(CONT, p, 0, 0));
}

static void rights(void) {
  printf("rights\n");
  pid_t roots = sleeper(0);
  as_user(1234, may_attach, roots);
  finish(roots);
  // Who was root before may not be looked into although the ids are the same.
  pid_t p = sleeper(1234);
  printf("ids were changed: ");
  as_user(1234, may_attach, p);
  printf("another user: ");
  as_user(1235, may_attach, p);
  printf("root: ");
  fflush(stdout);
  may_attach(p);
  finish(p);
  p = spawn();
  if (p == 0) {
    setresgid(1234, 1234, 1234), setresuid(1234, 1234, 1234);
    prctl(PR_SET_DUMPABLE, 1);
    for (;;) pause();
  }
  await_state(p, 'S');
  printf("dumpable again: ");
  as_user(1234, may_attach, p);
  printf("dumpable, another user: ");
  as_user(1235, may_attach, p);
  finish(p);
}

int main(void) {
  not_a_tracee();
  twice();
  arguments();
  rights();
  return 0;
}
