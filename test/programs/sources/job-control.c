// SPDX-License-Identifier: MIT
//
// Sessions, process groups, stops and orphaned groups: what a shell with job control relies on, without a terminal.
// Everything happens in a session of its own. One line a fact.

#define _GNU_SOURCE
#include "asleep.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *name_of(int error) {
  switch (error) {
    case 0: return "ok";
    case EACCES: return "EACCES";
    case ECHILD: return "ECHILD";
    case EINTR: return "EINTR";
    case EINVAL: return "EINVAL";
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

static void line(const char *what, int status) {
  if (WIFEXITED(status)) printf("%s: exit %d\n", what, WEXITSTATUS(status));
  else if (WIFSIGNALED(status)) printf("%s: signal %d\n", what, WTERMSIG(status));
  else if (WIFSTOPPED(status)) printf("%s: stopped %d\n", what, WSTOPSIG(status));
  else if (WIFCONTINUED(status)) printf("%s: continued\n", what);
}

static pid_t forked(void) {
  fflush(stdout);
  return fork();
}

static volatile int *flag;
static void reset(void) { memset((void *)flag, 0, 64); }
static void until(int n) {
  while (!flag[n]) usleep(200);
}

static pid_t idle_child(void) {
  pid_t p = forked();
  if (p == 0) for (;;) pause();
  return p;
}

static void groups(void) {
  said("setpgid of nobody", setpgid(0x3ffffff, 0));
  said("setpgid to -1", setpgid(0, -1));
  said("setpgid of a parent", setpgid(getppid(), 0));
  said("a session's leader", setpgid(0, 0));
  pid_t p = idle_child();
  said("a child to a group of nobody", setpgid(p, 0x3ffffff));
  said("a child to its own group", setpgid(p, p));
  printf("its group %d\n", getpgid(p) == p);
  pid_t q = idle_child();
  said("another one to that group", setpgid(q, p));
  said("and back", setpgid(q, 0) == 0 ? 0 : -1);
  said("to another session's", setpgid(q, getppid()));
  said("getpgid of nobody", getpgid(0x3ffffff));
  said("getsid of nobody", getsid(0x3ffffff));
  said("getpgid of -1", getpgid(-1));
  printf("sessions %d %d\n", getsid(p) == getsid(0), getsid(0) == getpid());
  kill(p, SIGKILL);
  kill(q, SIGKILL);
  waitpid(p, 0, 0);
  waitpid(q, 0, 0);
  said("a leader cannot begin a session", setsid());
  reset();
  p = forked();
  if (p == 0) {
    printf("setsid %d\n", setsid() == getpid());
    printf("session %d group %d\n", getsid(0) == getpid(), getpgrp() == getpid());
    fflush(stdout);
    flag[0] = 1;
    until(1);
    _exit(0);
  }
  until(0);
  said("a child in another session", setpgid(p, p));
  flag[1] = 1;
  waitpid(p, 0, 0);
  // After execve a child is its own.
  p = forked();
  if (p == 0) {
    char *argv[] = {"job-control", "idle", 0}, *envp[] = {0};
    execve("/proc/self/exe", argv, envp);
    _exit(9);
  }
  usleep(1000);
  long r;
  while ((r = setpgid(p, p)) == 0) usleep(200);
  said("a child that has called execve", r);
  kill(p, SIGKILL);
  waitpid(p, 0, 0);
  // A group lives as long as a member, and its number is not given again.
  p = forked();
  if (p == 0) {
    setpgid(0, 0);
    if (fork() == 0) {
      flag[2] = getpid();
      until(3);
      printf("group of a leader that is gone: %d\n", getpgrp() != getpid());
      fflush(stdout);
      _exit(0);
    }
    until(2);
    _exit(0);
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  waitpid(p, 0, 0);
  said("kill the group without its leader", kill(-p, 0));
  flag[3] = 1;
  int st;
  printf("wait for the group %d\n", waitpid(-p, &st, 0) == flag[2]);
  said("kill the group without members", kill(-p, 0));
}

static void stops(void) {
  int st, signals[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
  for (int n = 0; n < 4; n++) {
    pid_t p = idle_child();
    setpgid(p, p);
    kill(p, signals[n]);
    waitpid(p, &st, WUNTRACED);
    line("child", st);
    siginfo_t i;
    kill(p, SIGTERM);
    printf("SIGTERM waits: %d\n", waitpid(p, &st, WNOHANG));
    kill(p, SIGCONT);
    waitpid(p, &st, 0);
    line("then", st);
  }
  // SIGCONT throws waiting stops away, and the reverse.
  reset();
  pid_t p = forked();
  if (p == 0) {
    setpgid(0, 0);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    sigaddset(&set, SIGCONT);
    sigprocmask(SIG_BLOCK, &set, 0);
    kill(getpid(), SIGTSTP);
    sigset_t pending;
    sigpending(&pending);
    printf("TSTP waits %d\n", sigismember(&pending, SIGTSTP));
    kill(getpid(), SIGCONT);
    sigpending(&pending);
    printf("after CONT: TSTP %d CONT %d\n", sigismember(&pending, SIGTSTP), sigismember(&pending, SIGCONT));
    kill(getpid(), SIGTSTP);
    sigpending(&pending);
    printf("after TSTP: TSTP %d CONT %d\n", sigismember(&pending, SIGTSTP), sigismember(&pending, SIGCONT));
    fflush(stdout);
    _exit(0);
  }
  waitpid(p, &st, 0);
  line("child", st);
  // SIGKILL ends a stopped process.
  p = idle_child();
  kill(p, SIGSTOP);
  waitpid(p, &st, WUNTRACED);
  kill(p, SIGKILL);
  waitpid(p, &st, 0);
  line("killed while stopped", st);
  // A report that nobody fetched is overtaken by the next.
  p = idle_child();
  kill(p, SIGSTOP);
  siginfo_t i;
  waitid(P_PID, p, &i, WSTOPPED | WNOWAIT);
  kill(p, SIGCONT);
  waitid(P_PID, p, &i, WCONTINUED | WNOWAIT);
  memset(&i, 0, sizeof i);
  printf("no stop any more: %d pid %d\n", waitid(P_PID, p, &i, WSTOPPED | WNOHANG), i.si_pid);
  kill(p, SIGKILL);
  waitpid(p, &st, 0);
  line("then", st);
  printf("SIGCONT of a running process is no news: ");
  p = idle_child();
  kill(p, SIGCONT);
  memset(&i, 0, sizeof i);
  waitid(P_PID, p, &i, WCONTINUED | WNOHANG);
  printf("%d\n", i.si_pid);
  kill(p, SIGKILL);
  waitpid(p, &st, 0);
}

static volatile int conts;
static void on_cont(int s) { conts++; }

static void *counts(void *p) {
  for (;;) {
    ((volatile int *)flag)[5]++;
    usleep(100);
  }
}

static void threads_stop(void) {
  reset();
  pid_t p = forked();
  if (p == 0) {
    struct sigaction a = {.sa_handler = on_cont};
    sigaction(SIGCONT, &a, 0);
    pthread_t t[3];
    for (int n = 0; n < 3; n++) pthread_create(&t[n], 0, counts, 0);
    flag[0] = 1;
    while (!conts) usleep(100);
    _exit(conts);
  }
  until(0);
  kill(p, SIGSTOP);
  int st;
  waitpid(p, &st, WUNTRACED);
  int before = flag[5];
  usleep(20000);
  printf("all threads stand still: %d\n", before == flag[5]);
  kill(p, SIGCONT);
  waitpid(p, &st, 0);
  line("SIGCONT reached its handler", st);
}

/// Calls that sleep go on after a stop as signal(7) says.
static void sleepers(void) {
  static const char *names[] = {"nanosleep", "poll", "epoll_wait", "sigtimedwait", "pause-like read"};
  for (int n = 0; n < 5; n++) {
    reset();
    int fds[2];
    pipe(fds);
    pid_t p = forked();
    if (p == 0) {
      // What a stop ends has no end of its own; musl's sigtimedwait begins again.
      int sec = n == 2 ? 1000 : 1;
      struct timespec t = {sec, 0};
      int e = epoll_create1(0);
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, SIGUSR1);
      char c;
      long r = 0;
      flag[0] = 1;
      errno = 0;
      switch (n) {
        case 0: r = nanosleep(&t, 0); break;
        case 1: r = poll(0, 0, sec * 1000); break;
        case 2: r = epoll_wait(e, (struct epoll_event[1]){0}, 1, sec * 1000); break;
        case 3: r = sigtimedwait(&set, 0, &t); break;
        case 4: r = read(fds[0], &c, 1); break;
      }
      printf("%s: %ld %s\n", names[n], r, errno == EAGAIN ? "EAGAIN" : name_of(errno));
      fflush(stdout);
      _exit(0);
    }
    until(0);
    await_asleep(p, p);
    kill(p, SIGSTOP);
    int st;
    waitpid(p, &st, WUNTRACED);
    kill(p, SIGCONT);
    if (n == 4) write(fds[1], "x", 1);
    waitpid(p, &st, 0);
    close(fds[0]);
    close(fds[1]);
  }
}

static volatile int hups;
static void on_hup(int s) { hups = hups * 10 + (s == SIGHUP ? 1 : 2); }

/// A group that loses its last tie to the session while a member is stopped gets SIGHUP and SIGCONT.
static void orphans(void) {
  reset();
  fflush(stdout);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  int st;
  pid_t middle = fork();
  if (middle == 0) {
    // A session with two groups: the leader's, and that of its children.
    setsid();
    pid_t stopped = fork();
    if (stopped == 0) {
      setpgid(0, 0);
      struct sigaction a = {.sa_handler = on_hup};
      sigfillset(&a.sa_mask);
      sigaction(SIGHUP, &a, 0);
      sigaction(SIGCONT, &a, 0);
      flag[1] = getpid();
      raise(SIGSTOP);
      printf("stopped one: signals %d\n", hups == 12 || hups == 21);
      fflush(stdout);
      _exit(11);
    }
    until(1);
    pid_t running = fork();
    if (running == 0) {
      setpgid(0, stopped);
      struct sigaction a = {.sa_handler = on_hup};
      sigfillset(&a.sa_mask);
      sigaction(SIGHUP, &a, 0);
      sigaction(SIGCONT, &a, 0);
      flag[2] = 1;
      while (hups < 10) usleep(200);
      flag[3] = 1;
      _exit(12);
    }
    until(2);
    waitpid(stopped, &st, WUNTRACED);
    _exit(0);
  }
  waitpid(middle, &st, 0);
  line("the tie", st);
  int sum = 0;
  for (int n = 0; n < 2; n++) {
    waitpid(-flag[1], &st, 0);
    sum += WIFEXITED(st) ? WEXITSTATUS(st) : 100;
  }
  printf("both members went on: %d\n", sum);
  // Without a stopped member nothing happens.
  reset();
  middle = forked();
  if (middle == 0) {
    setsid();
    if (fork() == 0) {
      setpgid(0, 0);
      flag[1] = getpid();
      until(2);
      usleep(5000);
      _exit(13);
    }
    until(1);
    _exit(0);
  }
  waitpid(middle, &st, 0);
  flag[2] = 1;
  waitpid(-flag[1], &st, 0);
  line("an orphaned group that runs", st);
  // In an orphaned group the terminal's stop signals do nothing, SIGSTOP does.
  reset();
  middle = forked();
  if (middle == 0) {
    setsid();
    pid_t p = fork();
    if (p == 0) {
      setpgid(0, 0);
      flag[1] = getpid();
      until(2);
      raise(SIGTSTP);
      raise(SIGTTIN);
      raise(SIGTTOU);
      flag[3] = 1;
      raise(SIGSTOP);
      _exit(14);
    }
    until(1);
    _exit(0);
  }
  waitpid(middle, 0, 0);
  flag[2] = 1;
  waitpid(-flag[1], &st, WUNTRACED);
  line("SIGSTOP", st);
  printf("after the others %d\n", flag[3]);
  kill(-flag[1], SIGCONT);
  waitpid(-flag[1], &st, 0);
  line("then", st);
}

/// Orphans go to the nearest ancestor that reaps, whatever they were to tell their parent.
static void reapers(void) {
  reset();
  int st, r = 0;
  said("subreaper", prctl(PR_SET_CHILD_SUBREAPER, 1));
  prctl(PR_GET_CHILD_SUBREAPER, &r);
  printf("is subreaper %d\n", r);
  pid_t middle = forked();
  if (middle == 0) {
    prctl(PR_GET_CHILD_SUBREAPER, &r);
    printf("a child is not: %d\n", r);
    fflush(stdout);
    // One that would tell nobody of its end.
    if (syscall(SYS_clone, 0, 0, 0, 0, 0) == 0) {
      until(1);
      _exit(21);
    }
    _exit(20);
  }
  waitpid(middle, &st, 0);
  line("middle", st);
  flag[1] = 1;
  printf("adopted %d\n", wait(&st) > 0);
  line("it", st);
  // Zombies are handed on, too.
  middle = forked();
  if (middle == 0) {
    pid_t p = fork();
    if (p == 0) _exit(23);
    siginfo_t i;
    waitid(P_PID, p, &i, WEXITED | WNOWAIT);
    _exit(22);
  }
  waitpid(middle, &st, 0);
  line("middle", st);
  wait(&st);
  line("its zombie", st);
  said("nobody left", wait(&st));
}

static void session(void) {
  groups();
  stops();
  threads_stop();
  sleepers();
  reapers();
}

int main(int argc, char **argv) {
  if (argc > 1) for (;;) pause();
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  flag = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t p = forked();
  if (p == 0) {
    setsid();
    session();
    fflush(stdout);
    _exit(0);
  }
  int st;
  waitpid(p, &st, 0);
  line("session", st);
  orphans();
  return 0;
}
