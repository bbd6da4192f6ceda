// SPDX-License-Identifier: MIT
//
// Tracers and job control: attaching to what runs, sleeps or is stopped, group stops, letting go, tracers that end, and
// processes whose parent is not their tracer.

#include "ptrace-common.h"

static void info(const char *what, pid_t p) {
  siginfo_t i;
  memset(&i, 0, sizeof i);
  long r = pt(GETSIGINFO, p, 0, (long)&i);
  if (r < 0) result(what, r);
  else printf("%s: signo %d code %d\n", what, i.si_signo, i.si_code);
}

static pid_t sleeper(void) {
  pid_t p = spawn();
  if (p == 0)
    for (;;) pause();
  await_state(p, 'S');
  return p;
}

static void attach(void) {
  printf("attach to a sleeper\n");
  pid_t p = sleeper();
  result("ATTACH", pt(ATTACH, p, 0, 0));
  next("stop", p);
  info("siginfo", p);
  proc_state("it", p);
  struct user_regs_struct r;
  pt(GETREGS, p, 0, (long)&r);
  printf("orig_rax is pause %d, rax %ld\n", r.orig_rax == SYS_pause, (long)r.rax);
  pt(CONT, p, 0, 0);
  await_state(p, 'S');
  result("a request while it runs", pt(GETREGS, p, 0, (long)&r));
  result("DETACH while it runs", pt(DETACH, p, 0, 0));
  kill(p, SIGUSR1);
  next("stop", p);
  result("DETACH", pt(DETACH, p, 0, 0));
  await_state(p, 'S');
  proc_state("it", p);
  kill(p, SIGTERM);
  next("end", p);

  printf("attach to a runner\n");
  volatile int *runs = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  p = spawn();
  if (p == 0)
    for (;;)
      *runs = 1;
  while (!*runs) usleep(1000);
  result("ATTACH", pt(ATTACH, p, 0, 0));
  next("stop", p);
  pt(GETREGS, p, 0, (long)&r);
  printf("orig_rax %ld\n", (long)r.orig_rax);
  result("DETACH with TERM", pt(DETACH, p, 0, SIGTERM));
  next("end", p);

  printf("attach to a stopped process\n");
  p = sleeper();
  kill(p, SIGSTOP);
  int st;
  waitpid(p, &st, WUNTRACED);
  status("stop", st);
  result("ATTACH", pt(ATTACH, p, 0, 0));
  next("trap", p);
  info("siginfo", p);
  proc_state("it", p);
  pt(CONT, p, 0, 0);
  next("the SIGSTOP of ATTACH", p);
  info("siginfo", p);
  result("DETACH", pt(DETACH, p, 0, 0));
  await_state(p, 'T');
  proc_state("it", p);
  kill(p, SIGCONT);
  await_state(p, 'S');
  finish(p);
}

static void seize(void) {
  printf("seize\n");
  pid_t p = sleeper();
  result("SEIZE", pt(SEIZE, p, 0, OPT_SYSGOOD));
  printf("no stop: %d\n", waitpid(p, 0, WNOHANG | __WALL));
  result("LISTEN while it runs", pt(LISTEN, p, 0, 0));
  result("INTERRUPT", pt(INTERRUPT, p, 0, 0));
  next("stop", p);
  info("siginfo", p);
  result("LISTEN", pt(LISTEN, p, 0, 0));
  result("a request in LISTEN", pt(CONT, p, 0, 0));
  result("INTERRUPT in LISTEN", pt(INTERRUPT, p, 0, 0));
  next("stop", p);
  result("INTERRUPT in a stop", pt(INTERRUPT, p, 0, 0));
  pt(CONT, p, 0, 0);
  next("the stop of it", p);
  pt(SYSCALL, p, 0, 0);
  next("its pause goes on", p);
  struct user_regs_struct r;
  pt(GETREGS, p, 0, (long)&r);
  printf("orig_rax is pause %d\n", r.orig_rax == SYS_pause);
  pt(CONT, p, 0, 0);
  await_state(p, 'S');

  printf("group stop of a seized process\n");
  kill(p, SIGSTOP);
  next("STOP", p);
  pt(CONT, p, 0, SIGSTOP);
  next("group stop", p);
  info("siginfo", p);
  result("LISTEN", pt(LISTEN, p, 0, 0));
  proc_state("it", p);
  printf("no stop: %d\n", waitpid(p, 0, WNOHANG | __WALL));
  kill(p, SIGUSR1);
  printf("no stop: %d\n", waitpid(p, 0, WNOHANG | __WALL));
  kill(p, SIGCONT);
  next("it has gone on", p);
  info("siginfo", p);
  pt(CONT, p, 0, 0);
  int st = next("the lower signal first", p);
  pt(CONT, p, 0, 0);
  next("and the other", p);
  pt(CONT, p, 0, 0);
  await_state(p, 'S');
  kill(p, SIGSTOP);
  next("STOP", p);
  pt(CONT, p, 0, SIGSTOP);
  next("group stop", p);
  // Without LISTEN it runs although its group is stopped.
  pt(CONT, p, 0, 0);
  await_state(p, 'S');
  proc_state("it", p);
  result("INTERRUPT", pt(INTERRUPT, p, 0, 0));
  next("it is still in the group stop", p);
  result("DETACH", pt(DETACH, p, 0, 0));
  await_state(p, 'T');
  proc_state("it", p);
  finish(p);

  printf("group stop of an attached process\n");
  p = sleeper();
  pt(ATTACH, p, 0, 0);
  next("stop", p);
  pt(CONT, p, 0, 0);
  await_state(p, 'S');
  kill(p, SIGSTOP);
  next("STOP", p);
  info("siginfo", p);
  pt(CONT, p, 0, SIGSTOP);
  next("group stop", p);
  info("siginfo", p);
  kill(p, SIGCONT);
  printf("SIGCONT does not end it: %d\n", waitpid(p, 0, WNOHANG | __WALL));
  pt(CONT, p, 0, 0);
  next("SIGCONT", p);
  result("DETACH", pt(DETACH, p, 0, 0));
  await_state(p, 'S');
  finish(p);
}

static void *waits(void *arg) {
  for (;;) pause();
  return 0;
}

static void group_of_threads(void) {
  printf("group stop of two threads\n");
  int tids[2];
  pipe(tids);
  pid_t p = spawn();
  if (p == 0) {
    pthread_t t;
    pthread_create(&t, 0, waits, 0);
    for (int tid = getpid() + 1;; tid++) {
      char path[64];
      snprintf(path, sizeof path, "/proc/self/task/%d", tid);
      if (access(path, F_OK) == 0) {
        write(tids[1], &tid, sizeof tid);
        break;
      }
    }
    for (;;) pause();
  }
  int t;
  read(tids[0], &t, sizeof t);
  await_state(p, 'S');
  result("SEIZE", pt(SEIZE, p, 0, 0));
  result("SEIZE of the other", pt(SEIZE, t, 0, OPT_EXIT));
  syscall(SYS_tgkill, p, p, SIGSTOP);
  next("STOP", p);
  pt(CONT, p, 0, SIGSTOP);
  next("first thread", p);
  next("second thread", t);
  info("siginfo", t);
  pt(LISTEN, p, 0, 0);
  pt(LISTEN, t, 0, 0);
  kill(p, SIGCONT);
  next("first thread", p);
  next("second thread", t);
  info("siginfo", t);
  pt(CONT, p, 0, 0);
  next("SIGCONT", p);
  pt(CONT, p, 0, 0);
  pt(CONT, t, 0, 0);
  await_state(p, 'S');
  await_state(t, 'S');
  // A tracer of one thread only: the other takes part, too.
  result("INTERRUPT", pt(INTERRUPT, t, 0, 0));
  next("second thread", t);
  result("DETACH", pt(DETACH, t, 0, 0));
  await_state(t, 'S');
  syscall(SYS_tgkill, p, p, SIGSTOP);
  next("STOP", p);
  pt(CONT, p, 0, SIGSTOP);
  next("first thread", p);
  await_state(t, 'T');
  proc_state("second thread", t);
  kill(p, SIGKILL);
  next("end", p);
  close(tids[0]), close(tids[1]);
}

/** A tracer that is not the parent. The child of this process is traced by another one. */
static void other_tracer(void) {
  printf("a parent that does not trace\n");
  pid_t p = spawn();
  if (p == 0) {
    pause();
    _exit(0);
  }
  await_state(p, 'S');
  int to[2], from[2];
  pipe(to), pipe(from);
  pid_t tracer = spawn();
  if (tracer == 0) {
    char c;
    result("tracer: SEIZE", pt(SEIZE, p, 0, OPT_EXIT));
    fflush(stdout);
    write(from[1], "x", 1);
    next("tracer: TERM", p);
    fflush(stdout);
    pt(CONT, p, 0, SIGTERM);
    next("tracer: exit event", p);
    pt(CONT, p, 0, 0);
    await_state(p, 'Z');
    fflush(stdout);
    write(from[1], "x", 1);
    read(to[0], &c, 1);
    next("tracer: end", p);
    next("tracer: no more of it", p);
    fflush(stdout);
    _exit(0);
  }
  char c;
  read(from[0], &c, 1);
  proc_state("tracee", p);
  printf("nothing for the parent: %d\n", waitpid(p, 0, WNOHANG | WUNTRACED));
  kill(p, SIGTERM);
  read(from[0], &c, 1);
  printf("the dead are the tracer's first: %d\n", waitpid(p, 0, WNOHANG));
  fflush(stdout);
  write(to[1], "x", 1);
  waitpid(tracer, 0, 0);
  next("parent: end", p);

  printf("group stop and the parent\n");
  p = sleeper();
  tracer = spawn();
  if (tracer == 0) {
    char c;
    result("tracer: SEIZE", pt(SEIZE, p, 0, 0));
    fflush(stdout);
    write(from[1], "x", 1);
    next("tracer: STOP", p);
    pt(CONT, p, 0, SIGSTOP);
    next("tracer: group stop", p);
    fflush(stdout);
    pt(LISTEN, p, 0, 0);
    write(from[1], "x", 1);
    read(to[0], &c, 1);
    next("tracer: goes on", p);
    pt(CONT, p, 0, 0);
    next("tracer: CONT", p);
    pt(CONT, p, 0, 0);
    fflush(stdout);
    write(from[1], "x", 1);
    pause();
  }
  read(from[0], &c, 1);
  kill(p, SIGSTOP);
  int st;
  read(from[0], &c, 1);
  waitpid(p, &st, WUNTRACED);
  status("parent", st);
  kill(p, SIGCONT);
  waitpid(p, &st, WCONTINUED);
  status("parent", st);
  fflush(stdout);
  write(to[1], "x", 1);
  read(from[0], &c, 1);
  printf("the tracer ends\n");
  finish(tracer);
  await_state(p, 'S');
  proc_state("tracee", p);
  finish(p);
  close(to[0]), close(to[1]), close(from[0]), close(from[1]);
}

static void tracers_end(void) {
  printf("tracers that end\n");
  for (int kills = 0; kills < 2; kills++) {
    pid_t p = sleeper();
    int ready[2];
    pipe(ready);
    pid_t tracer = spawn();
    if (tracer == 0) {
      pt(SEIZE, p, 0, kills ? OPT_EXITKILL : 0);
      pt(INTERRUPT, p, 0, 0);
      waitpid(p, 0, __WALL);
      write(ready[1], "x", 1);
      for (;;) pause();
    }
    char c;
    read(ready[0], &c, 1);
    proc_state("tracee", p);
    finish(tracer);
    if (!kills) {
      await_state(p, 'S');
      proc_state("tracee", p);
      kill(p, SIGTERM);
    }
    next("end", p);
    close(ready[0]), close(ready[1]);
  }
}

static pid_t thread_p;
static void *tracing_thread(void *arg) {
  result("thread: ATTACH", pt(ATTACH, thread_p, 0, 0));
  next("thread: stop", thread_p);
  result("thread: CONT", pt(CONT, thread_p, 0, 0));
  return 0;
}
static void *waiting_thread(void *arg) {
  int st = 0;
  pid_t r = waitpid(thread_p, &st, __WALL | __WNOTHREAD | WNOHANG);
  printf("other thread: with __WNOTHREAD %s\n", r < 0 ? name_of(errno) : "something");
  next("other thread: stop", thread_p);
  struct user_regs_struct r2;
  result("other thread: GETREGS", pt(GETREGS, thread_p, 0, (long)&r2));
  return 0;
}

static void threads_as_tracers(void) {
  printf("threads as tracers\n");
  // The tracee is no child, so that only the tracing makes it one's own.
  int tell[2];
  pipe(tell);
  pid_t middle = spawn();
  if (middle == 0) {
    pid_t p = sleeper();
    write(tell[1], &p, sizeof p);
    waitpid(p, 0, 0);
    _exit(0);
  }
  read(tell[0], &thread_p, sizeof thread_p);
  result("ATTACH", pt(ATTACH, thread_p, 0, 0));
  next("stop", thread_p);
  pt(CONT, thread_p, 0, 0);
  await_state(thread_p, 'S');
  kill(thread_p, SIGUSR1);
  await_state(thread_p, 't');
  pthread_t t;
  pthread_create(&t, 0, waiting_thread, 0);
  pthread_join(t, 0);
  result("DETACH", pt(DETACH, thread_p, 0, 0));
  await_state(thread_p, 'S');
  pthread_create(&t, 0, tracing_thread, 0);
  pthread_join(t, 0);
  // The thread has ended, so nobody traces any more.
  await_state(thread_p, 'S');
  proc_state("tracee", thread_p);
  printf("no child: %s\n", waitpid(thread_p, 0, WNOHANG | __WALL) < 0 ? name_of(errno) : "something");
  kill(thread_p, SIGKILL);
  waitpid(middle, 0, 0);
}

static int children, code_seen, status_seen;
static void on_child(int s, siginfo_t *i, void *c) {
  children++;
  code_seen = i->si_code;
  status_seen = i->si_status;
}

static void told_by_signal(void) {
  printf("SIGCHLD of stops\n");
  for (int flags = 0; flags < 2; flags++) {
    struct sigaction a = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | (flags ? SA_NOCLDSTOP : 0)};
    sigaction(SIGCHLD, &a, 0);
    children = 0;
    pid_t p = stopped_child();
    if (p == 0) _exit(3);
    printf("stop: %d code %d status %d\n", children, code_seen, status_seen);
    siginfo_t i;
    memset(&i, 0, sizeof i);
    pt(SYSCALL, p, 0, 0);
    waitid(P_PID, p, &i, WEXITED | WNOWAIT);
    printf("waitid: code %d status %d, signals %d, code %d status %d\n", i.si_code, i.si_status, children, code_seen, status_seen);
    waitid(P_PID, p, &i, WSTOPPED);
    finish(p);
  }
  signal(SIGCHLD, SIG_DFL);
}

int main(void) {
  attach();
  seize();
  group_of_threads();
  other_tracer();
  tracers_end();
  threads_as_tracers();
  told_by_signal();
  return 0;
}
