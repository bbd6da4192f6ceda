// SPDX-License-Identifier: MIT
//
// Processes and threads: how they begin, wait for one another and end. One line a fact.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <unistd.h>

// The call has been made when this runs, so errno is its own.
static void failed(const char *what, long result, int error) { printf("%s: %ld, errno as expected %d\n", what, result, errno == error); }

static void line(const char *name, int status) {
  if (WIFEXITED(status)) printf("%s: exit %d\n", name, WEXITSTATUS(status));
  else if (WIFSIGNALED(status)) printf("%s: signal %d\n", name, WTERMSIG(status));
  else if (WIFSTOPPED(status)) printf("%s: stopped %d\n", name, WSTOPSIG(status));
  else if (WIFCONTINUED(status)) printf("%s: continued\n", name);
}

static void statuses(void) {
  int st;
  pid_t p = fork();
  if (p == 0) _exit(300);
  printf("wait gives the child %d\n", waitpid(p, &st, 0) == p);
  line("exit 300", st);
  p = fork();
  if (p == 0) for (;;) pause();
  kill(p, SIGSTOP);
  waitpid(p, &st, WUNTRACED);
  line("stop", st);
  kill(p, SIGCONT);
  waitpid(p, &st, WCONTINUED);
  line("cont", st);
  printf("nothing yet %d\n", waitpid(p, &st, WNOHANG));
  kill(p, SIGTERM);
  siginfo_t i = {0};
  waitid(P_PID, p, &i, WEXITED | WNOWAIT);
  printf("waitid signo %d code %d status %d\n", i.si_signo, i.si_code, i.si_status);
  waitpid(p, &st, 0);
  line("term", st);
  failed("no child", waitpid(-1, &st, 0), ECHILD);
  memset(&i, 0xff, sizeof i);
  p = fork();
  if (p == 0) for (;;) pause();
  int r = waitid(P_ALL, 0, &i, WEXITED | WNOHANG);
  printf("waitid WNOHANG %d pid %d\n", r, i.si_pid);
  kill(p, SIGKILL);
  wait(0);
}

static void groups(void) {
  int st;
  pid_t p = fork();
  if (p == 0) {
    setpgid(0, 0);
    printf("own group %d\n", getpgrp() == getpid());
    failed("leader cannot setsid", setsid(), EPERM);
    pid_t q = fork();
    if (q == 0) {
      printf("setsid %d\n", setsid() == getpid());
      printf("sid %d pgid %d\n", getsid(0) == getpid(), getpgid(0) == getpid());
      _exit(0);
    }
    waitpid(q, 0, 0);
    q = fork();
    if (q == 0) for (;;) pause();
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    waitpid(-getpgrp(), &st, 0);
    line("group member", st);
    _exit(0);
  }
  waitpid(p, 0, 0);
}

static void orphans(void) {
  int p[2];
  pipe(p);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t middle = fork();
  if (middle == 0) {
    if (fork() == 0) {
      while (getppid() != 1 && getppid() == middle) usleep(1000);
      usleep(20000);
      char c = getppid() == middle ? 'n' : 'y';
      write(p[1], &c, 1);
      _exit(7);
    }
    _exit(0);
  }
  waitpid(middle, 0, 0);
  char c;
  read(p[0], &c, 1);
  int st = 0;
  wait(&st);
  printf("orphan reparented %c\n", c);
  line("adopted", st);
  signal(SIGCHLD, SIG_IGN);
  pid_t q = fork();
  if (q == 0) _exit(0);
  failed("ignored SIGCHLD:", waitpid(q, 0, 0), ECHILD);
  signal(SIGCHLD, SIG_DFL);
}

static volatile int handled;
static void on_child(int s, siginfo_t *i, void *u) {
  (void)s;
  (void)u;
  handled = i->si_code * 1000 + i->si_status;
}

static void sigchld(void) {
  struct sigaction a = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGCHLD, &a, 0);
  pid_t p = fork();
  if (p == 0) _exit(5);
  waitpid(p, 0, 0);
  printf("SIGCHLD %d\n", handled);
  p = fork();
  if (p == 0) for (;;) pause();
  kill(p, SIGUSR1);
  waitpid(p, 0, 0);
  printf("SIGCHLD %d\n", handled);
  signal(SIGCHLD, SIG_DFL);
}

static int shared;
static int in_vm(void *arg) {
  shared = *(int *)arg;
  return 11;
}

static void clones(void) {
  static char stack[65536];
  int value = 33, st;
  pid_t p = clone(in_vm, stack + sizeof stack, CLONE_VM | SIGCHLD, &value);
  waitpid(p, &st, 0);
  line("clone", st);
  printf("shared memory %d\n", shared);
  shared = 0;
  p = clone(in_vm, stack + sizeof stack, SIGCHLD, &value);
  waitpid(p, &st, 0);
  printf("copied memory %d\n", shared);
  p = vfork();
  if (p == 0) {
    shared = 55;
    _exit(4);
  }
  printf("vfork waits %d\n", shared);
  waitpid(p, &st, 0);
  line("vfork", st);
  p = fork();
  if (p == 0) {
    signal(SIGUSR2, SIG_IGN);
    p = vfork();
    if (p != 0) _exit(9);
    p = getppid();
    kill(p, SIGUSR2);
    kill(p, SIGUSR1);
    while (getppid() == p) usleep(1000);
    _exit(8);
  }
  waitpid(p, &st, 0);
  line("a signal that ends it wakes a parent that waits for vfork", st);
  p = clone(in_vm, stack + sizeof stack, CLONE_VM, &value);
  printf("no exit signal %d\n", waitpid(p, &st, 0) == -1 && errno == ECHILD);
  printf("with __WCLONE %d\n", waitpid(p, &st, __WCLONE) == p);
  failed("bad flags", syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0), EINVAL);
}

static void *quiet(void *arg) {
  usleep(10000);
  if (arg) exit(23);
  return 0;
}

static void *forever(void *arg) {
  for (;;) pause();
  return arg;
}

static void thread_ends(void) {
  int st;
  pthread_t t;
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    pthread_create(&t, 0, quiet, (void *)1);
    for (;;) pause();
  }
  waitpid(p, &st, 0);
  line("exit from a thread", st);
  p = fork();
  if (p == 0) {
    pthread_create(&t, 0, quiet, 0);
    syscall(SYS_exit, 3);
  }
  waitpid(p, &st, 0);
  line("main thread first", st);
  p = fork();
  if (p == 0) {
    pthread_create(&t, 0, forever, 0);
    *(volatile int *)0 = 0;
  }
  waitpid(p, &st, 0);
  line("crash with threads", st);
}

static char **self;
static void *exec_thread(void *arg) {
  (void)arg;
  char *argv[] = {self[0], "exec", "from thread", 0};
  char *envp[] = {"A=b", 0};
  execve("/proc/self/exe", argv, envp);
  return 0;
}

static void execs(void) {
  int st;
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    pthread_t t;
    pthread_create(&t, 0, exec_thread, 0);
    for (;;) pause();
  }
  waitpid(p, &st, 0);
  line("exec from thread", st);
  p = fork();
  if (p == 0) {
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, quiet == 0 ? SIG_DFL : (void (*)(int))line);
    fcntl(1, F_DUPFD_CLOEXEC, 50);
    fcntl(1, F_DUPFD, 60);
    // By now the call's site is patched.
    for (int i = 0; i < 3; i++) execl("/nowhere/x", "x", (char *)0);
    char *argv[] = {self[0], "exec", "state", 0};
    execve("/proc/self/exe", argv, 0);
    _exit(99);
  }
  waitpid(p, &st, 0);
  line("exec", st);
  failed("missing", execl("/nowhere/x", "x", (char *)0), ENOENT);
  failed("directory", execl("/", "x", (char *)0), EACCES);
}

static void exec_child(const char *what) {
  struct sigaction a, b;
  sigaction(SIGUSR1, 0, &a);
  sigaction(SIGUSR2, 0, &b);
  printf("executed %s tid is pid %d threads gone %d ignored stays %d handler reset %d cloexec %d %d\n", what,
         syscall(SYS_gettid) == getpid(), 1, strcmp(what, "state") != 0 || a.sa_handler == SIG_IGN, b.sa_handler == SIG_DFL, fcntl(50, F_GETFD),
         fcntl(60, F_GETFD));
  exit(17);
}

static void limits(void) {
  struct rlimit r;
  getrlimit(RLIMIT_NOFILE, &r);
  rlim_t hard = r.rlim_max;
  r.rlim_cur = 20;
  setrlimit(RLIMIT_NOFILE, &r);
  int fd, last = -1;
  while ((fd = dup(0)) >= 0) last = fd;
  failed("nofile last", last, EMFILE);
  for (fd = 3; fd < 20; fd++) close(fd);
  r.rlim_cur = hard + 1;
  failed("over hard", setrlimit(RLIMIT_NOFILE, &r), EINVAL);
  struct rusage u;
  for (volatile int i = 0; i < 30000000; i++) ;
  getrusage(RUSAGE_SELF, &u);
  printf("used time %d memory %d\n", u.ru_utime.tv_sec * 1000000 + u.ru_utime.tv_usec > 1000, u.ru_maxrss > 0);
  failed("bad who", getrusage(5, &u), EINVAL);
}

static void misc(void) {
  char name[16] = {0};
  prctl(PR_SET_NAME, "a name that is far too long");
  prctl(PR_GET_NAME, name);
  printf("name '%s'\n", name);
  cpu_set_t c;
  printf("affinity %d\n", sched_getaffinity(0, sizeof c, &c) == 0 && CPU_ISSET(0, &c));
  printf("scheduler %d priority %d..%d\n", sched_getscheduler(0), sched_get_priority_min(SCHED_FIFO), sched_get_priority_max(SCHED_FIFO));
  struct tms t;
  printf("times %d\n", times(&t) != (clock_t)-1);
  printf("pidfd %d\n", (int)syscall(SYS_pidfd_open, getpid(), 0) >= 0);
  failed("kill nobody", kill(999999, 0), ESRCH);
  failed("kill bad signal", kill(getpid(), 65), EINVAL);
  failed("unknown call", syscall(1000), ENOSYS);
}

int main(int argc, char **argv) {
  self = argv;
  setvbuf(stdout, 0, _IOLBF, 0);
  if (argc > 2) exec_child(argv[2]);
  statuses();
  groups();
  orphans();
  sigchld();
  clones();
  thread_ends();
  execs();
  limits();
  misc();
  return 0;
}
