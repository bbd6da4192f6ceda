// SPDX-License-Identifier: MIT
//
// Events: new processes and threads, programs, ends, filters; who then is a tracee, and in which stop it begins.

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include "ptrace-common.h"

enum { ALL_FORKS = OPT_FORK | OPT_VFORK | OPT_CLONE | OPT_VFORKDONE };

static long message(pid_t p) {
  long m = -1;
  pt(GETEVENTMSG, p, 0, (long)&m);
  return m;
}

static void info(const char *what, pid_t p) {
  siginfo_t i;
  memset(&i, 0, sizeof i);
  long r = pt(GETSIGINFO, p, 0, (long)&i);
  if (r < 0) result(what, r);
  else printf("%s: signo %d code %d, pid is its own %d\n", what, i.si_signo, i.si_code, i.si_pid == p);
}

/** A fork event: its child, with both stops shown. */
static pid_t forked(const char *what, pid_t p) {
  next(what, p);
  info("siginfo", p);
  pid_t c = message(p);
  struct user_regs_struct r;
  pt(GETREGS, p, 0, (long)&r);
  printf("rax is ENOSYS %d\n", r.rax == -ENOSYS);
  next("child", c);
  info("siginfo", c);
  pt(GETREGS, c, 0, (long)&r);
  printf("child's rax %ld\n", (long)r.rax);
  proc_state("child", c);
  return c;
}

static void forks(int seize) {
  printf("forks, %s\n", seize ? "seized" : "attached");
  pid_t p = spawn();
  if (p == 0) {
    if (!seize) pt(TRACEME, 0, 0, 0);
    stop_self();
    pid_t c = fork();
    if (c == 0) _exit(3);
    waitpid(c, 0, 0);
    c = vfork();
    if (c == 0) _exit(4);
    waitpid(c, 0, 0);
    c = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (c == 0) _exit(5);
    waitpid(c, 0, __WALL);
    c = syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0);
    if (c == 0) _exit(6);
    waitpid(c, 0, __WALL);
    _exit(0);
  }
  int st;
  waitpid(p, &st, WUNTRACED);
  if (seize) {
    result("SEIZE", pt(SEIZE, p, 0, ALL_FORKS));
    next("stopped before", p);
    info("siginfo", p);
    kill(p, SIGCONT);
    pt(CONT, p, 0, 0);
    next("continued", p);
    info("siginfo", p);
    pt(CONT, p, 0, 0);
    next("SIGCONT", p);
    pt(CONT, p, 0, SIGCONT);
  } else {
    pt(SETOPTIONS, p, 0, ALL_FORKS);
    pt(CONT, p, 0, 0);
  }
  pid_t c = forked("fork", p);
  pt(CONT, c, 0, 0);
  next("child", c);
  pt(CONT, p, 0, 0);
  next("SIGCHLD", p);
  pt(CONT, p, 0, 0);
  c = forked("vfork", p);
  pt(CONT, p, 0, 0);
  pt(CONT, c, 0, 0);
  next("child", c);
  next("parent", p);
  printf("message is the child %d\n", message(p) == c);
  pt(CONT, p, 0, 0);
  next("SIGCHLD", p);
  pt(CONT, p, 0, 0);
  c = forked("clone", p);
  pt(CONT, c, 0, 0);
  next("child", c);
  pt(CONT, p, 0, 0);
  // The child that is not traced is told by its SIGCHLD only.
  next("SIGCHLD", p);
  pt(CONT, p, 0, 0);
  next("end", p);
}

static void no_options(void) {
  printf("without options\n");
  pid_t p = stopped_child();
  if (p == 0) {
    pid_t c = fork();
    if (c == 0) _exit(3);
    int st = 0;
    waitpid(c, &st, 0);
    status("child: its child", st);
    fflush(stdout);
    char *args[] = {"/proc/self/exe", "exit", "9", 0};
    char *env[] = {0};
    execve(args[0], args, env);
    _exit(99);
  }
  pt(CONT, p, 0, 0);
  next("SIGCHLD", p);
  pt(CONT, p, 0, 0);
  next("execve", p);
  info("siginfo", p);
  struct user_regs_struct r;
  pt(GETREGS, p, 0, (long)&r);
  printf("orig_rax %ld rax %ld\n", (long)r.orig_rax, (long)r.rax);
  pt(CONT, p, 0, 0);
  next("end", p);
}

static void exec_and_exit(void) {
  printf("execve and exit\n");
  pid_t p = stopped_child();
  if (p == 0) {
    char *args[] = {"/proc/self/exe", "exit", "9", 0};
    char *env[] = {0};
    execve("/no/such/program", args, env);
    execve(args[0], args, env);
    _exit(99);
  }
  pt(SETOPTIONS, p, 0, OPT_EXEC | OPT_EXIT | OPT_SYSGOOD);
  int st;
  struct user_regs_struct r;
  for (int n = 0, inside = 0; n < 20; n++) {
    pt(SYSCALL, p, 0, 0);
    waitpid(p, &st, __WALL);
    pt(GETREGS, p, 0, (long)&r);
    if (r.orig_rax != SYS_execve) {
      if (inside) break;
      continue;
    }
    inside = 1;
    status("stop", st);
    printf("rax %ld, message is its pid %d\n", (long)r.rax, message(p) == p);
  }
  pt(CONT, p, 0, 0);
  next("exit", p);
  info("siginfo", p);
  printf("status %lx\n", message(p));
  proc_state("in it", p);
  pt(CONT, p, 0, 0);
  next("end", p);

  p = stopped_child();
  if (p == 0) {
    for (;;) pause();
  }
  pt(SETOPTIONS, p, 0, OPT_EXIT);
  pt(CONT, p, 0, SIGTERM);
  next("killed by TERM", p);
  printf("status %lx\n", message(p));
  pt(CONT, p, 0, 0);
  next("end", p);

  p = stopped_child();
  if (p == 0) {
    for (;;) pause();
  }
  pt(SETOPTIONS, p, 0, OPT_EXIT);
  kill(p, SIGKILL);
  next("killed while it was stopped", p);
  printf("status %lx\n", message(p));
  pt(CONT, p, 0, 0);
  next("end", p);

  p = stopped_child();
  if (p == 0) {
    for (;;) pause();
  }
  pt(CONT, p, 0, 0);
  result("KILL", pt(KILL, p, 0, 0));
  next("end", p);
}

static pid_t thread_tid;
static int gate[2], done[2];
static void *thread(void *arg) {
  char c;
  thread_tid = syscall(SYS_gettid);
  read(gate[0], &c, 1);
  return 0;
}

static void threads(void) {
  printf("threads\n");
  pipe(gate);
  pid_t p = stopped_child();
  if (p == 0) {
    pthread_t t;
    pthread_create(&t, 0, thread, 0);
    pthread_join(t, 0);
    _exit(0);
  }
  pt(SETOPTIONS, p, 0, OPT_CLONE | OPT_EXIT);
  pt(CONT, p, 0, 0);
  next("clone", p);
  pid_t t = message(p);
  next("thread", t);
  info("siginfo", t);
  proc_state("thread", t);
  pt(CONT, p, 0, 0);
  pt(CONT, t, 0, 0);
  write(gate[1], "x", 1);
  next("thread", t);
  printf("status %lx\n", message(t));
  pt(CONT, t, 0, 0);
  next("thread", t);
  next("process", p);
  pt(CONT, p, 0, 0);
  next("end", p);

  printf("exit_group\n");
  p = stopped_child();
  if (p == 0) {
    pthread_t t;
    pthread_create(&t, 0, thread, 0);
    await_state(getpid(), 'R');
    _exit(12);
  }
  pt(SETOPTIONS, p, 0, OPT_CLONE);
  pt(CONT, p, 0, 0);
  next("clone", p);
  t = message(p);
  next("thread", t);
  pt(CONT, t, 0, 0);
  await_state(t, 'S');
  pt(CONT, p, 0, 0);
  next("thread", t);
  next("end", p);

  printf("exit_group with exit events\n");
  p = stopped_child();
  if (p == 0) {
    pthread_t t;
    pthread_create(&t, 0, thread, 0);
    _exit(13);
  }
  pt(SETOPTIONS, p, 0, OPT_CLONE | OPT_EXIT);
  pt(CONT, p, 0, 0);
  next("clone", p);
  t = message(p);
  next("thread", t);
  pt(CONT, t, 0, 0);
  await_state(t, 'S');
  pt(CONT, p, 0, 0);
  next("thread", t);
  printf("status %lx\n", message(t));
  next("process", p);
  printf("status %lx\n", message(p));
  pt(CONT, p, 0, 0);
  int st = 0;
  usleep(10000);
  printf("the leader's end waits for the thread: %d\n", waitpid(p, &st, __WALL | WNOHANG));
  pt(CONT, t, 0, 0);
  next("thread", t);
  next("end", p);
  close(gate[0]), close(gate[1]);
}

static void *executing(void *arg) {
  char *args[] = {"/proc/self/exe", "exit", "9", 0};
  char *env[] = {0};
  execve(args[0], args, env);
  return 0;
}

static void exec_in_thread(void) {
  printf("execve by another thread than the first\n");
  pid_t p = stopped_child();
  if (p == 0) {
    pthread_t t;
    pthread_create(&t, 0, executing, 0);
    for (;;) pause();
  }
  pt(SETOPTIONS, p, 0, OPT_CLONE | OPT_EXEC | OPT_EXIT);
  pt(CONT, p, 0, 0);
  next("clone", p);
  pid_t t = message(p);
  next("thread", t);
  pt(CONT, p, 0, 0);
  await_state(p, 'S');
  pt(CONT, t, 0, 0);
  next("leader", p);
  printf("status %lx\n", message(p));
  pt(CONT, p, 0, 0);
  next("as the leader", p);
  printf("message is the former tid %d\n", message(p) == t);
  result("the former tid", pt(CONT, t, 0, 0));
  pt(CONT, p, 0, 0);
  next("exit", p);
  pt(CONT, p, 0, 0);
  next("end", p);
}

static void filters(void) {
  printf("filters\n");
  for (int traced = 0; traced < 2; traced++) {
    pid_t p = stopped_child();
    if (p == 0) {
      struct sock_filter code[] = {
          BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 0x123),
          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgrp, 0, 1),
          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EBUSY),
          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      };
      struct sock_fprog prog = {sizeof code / sizeof *code, code};
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
      pid_t expected = 0;
      for (int i = 0; i < 4; i++) {
        long r = syscall(SYS_getppid);
        printf("child: %s, errno %s\n", r < 0 ? "fails" : r == 55 ? "55" : "a pid", r < 0 ? name_of(errno) : "none");
      }
      fflush(stdout);
      _exit(0);
    }
    pt(SETOPTIONS, p, 0, traced ? OPT_SECCOMP : 0);
    pt(CONT, p, 0, 0);
    if (traced) {
      next("filter", p);
      info("siginfo", p);
      printf("data %lx\n", message(p));
      struct user_regs_struct r;
      pt(GETREGS, p, 0, (long)&r);
      printf("orig_rax %ld, rax is ENOSYS %d\n", (long)r.orig_rax, r.rax == -ENOSYS);
      uint8_t si[88];
      memset(si, 0, sizeof si);
      result("syscall info", pt(GET_SYSCALL_INFO, p, sizeof si, (long)si));
      printf("op %d nr %d data %x\n", si[0], *(int *)(si + 24), *(int *)(si + 80));
      pt(CONT, p, 0, 0);
      next("filter", p);
      pt(GETREGS, p, 0, (long)&r);
      r.orig_rax = -1;
      r.rax = 55;
      pt(SETREGS, p, 0, (long)&r);
      pt(CONT, p, 0, 0);
      next("filter", p);
      pt(GETREGS, p, 0, (long)&r);
      r.orig_rax = SYS_getpgrp;
      pt(SETREGS, p, 0, (long)&r);
      pt(SYSCALL, p, 0, 0);
      next("exit of it", p);
      pt(GETREGS, p, 0, (long)&r);
      printf("rax %ld\n", (long)r.rax);
      pt(CONT, p, 0, 0);
      next("filter", p);
      pt(SYSCALL, p, 0, 0);
      next("exit of it", p);
      pt(CONT, p, 0, 0);
    }
    next("end", p);
  }
}

int main(int argc, char **argv) {
  if (argc == 3) _exit(atoi(argv[2]));
  forks(0);
  forks(1);
  no_options();
  exec_and_exit();
  threads();
  exec_in_thread();
  filters();
  return 0;
}
