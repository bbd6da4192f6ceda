// SPDX-License-Identifier: MIT
//
// Takes of processes, threads, memory, filters, watchers and terminals as much as it gets: each way must end in an
// error, and leave room for the next. For a sandbox only.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int *shared;

static void told(const char *what, const char *end) {
  printf("%s: %s\n", what, end);
  fflush(stdout);
}
static void reap(void) {
  while (waitpid(-1, 0, 0) > 0 || errno == EINTR) ;
}

static pid_t by_clone3(void) {
  struct clone_args a = {.exit_signal = SIGCHLD};
  return syscall(SYS_clone3, &a, sizeof a);
}

// Every process makes as many as it can.
static void bomb(const char *what, pid_t (*make)(void)) {
  shared[0] = 0;
  pid_t first = make();
  if (first == 0) {
    for (;;) {
      if (make() < 0) {
        shared[0] = errno;
        pause();
      }
    }
  }
  while (!shared[0]) sched_yield();
  int here = make() < 0 ? errno : 0;
  kill(-1, SIGKILL);
  reap();
  pid_t again = make();
  if (again == 0) _exit(7);
  int status = 0;
  waitpid(again, &status, 0);
  told(what, shared[0] == EAGAIN && here == EAGAIN && WEXITSTATUS(status) == 7 ? "EAGAIN, then there is room" : "?");
}

// Each waits for the one that it made.
static int deeper(void) {
  shared[1]++;
  pid_t p = vfork();
  if (p == 0) _exit(deeper());
  return p < 0 ? errno : 0;
}
static void vfork_tower(void) {
  shared[1] = shared[2] = 0;
  pid_t p = fork();
  if (p == 0) _exit(deeper());
  int status;
  waitpid(p, &status, 0);
  reap();
  told("vforks", shared[1] > 100 && WIFEXITED(status) ? "as many as there may be tasks" : "?");
}

static void *waits(void *at) {
  pthread_mutex_lock(at);
  pthread_mutex_unlock(at);
  return 0;
}
static void threads(void) {
  pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 16384);
  static pthread_t all[10000];
  int n = 0, error;
  pthread_mutex_lock(&gate);
  while (n < 10000 && (error = pthread_create(&all[n], &small, waits, &gate)) == 0) n++;
  pthread_mutex_unlock(&gate);
  for (int i = 0; i < n; i++) pthread_join(all[i], 0);
  told("threads", n > 100 && error == EAGAIN ? "EAGAIN" : "?");
}

static void arguments(void) {
  static char *many[200001], *none[] = {0};
  static char one[200000];
  memset(one, 'x', sizeof one - 1);
  char *big[] = {"x", one, 0};
  execve("/proc/self/exe", big, none);
  int first = errno;
  for (int i = 0; i < 200000; i++) many[i] = "0123456789abcdef0123456789abcdef";
  execve("/proc/self/exe", many, none);
  told("arguments", first == E2BIG && errno == E2BIG ? "E2BIG" : "?");
}

static void memory(void) {
  int killed = 0;
  for (int round = 0; round < 3; round++) {
    pid_t p = fork();
    if (p == 0) {
      // Two at a time, each on pages of its own.
      fork();
      for (;;) {
        char *at = mmap(0, 1 << 24, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) _exit(errno);
        memset(at, 1, 1 << 24);
      }
    }
    int status;
    waitpid(p, &status, 0);
    killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    kill(-1, SIGKILL);
    reap();
  }
  told("memory", killed == 3 ? "SIGKILL for who takes it" : "?");
  // A file in memory counts, too.
  int f = memfd_create("m", 0);
  static char block[1 << 20];
  memset(block, 1, sizeof block);
  long written = 0, n;
  while ((n = write(f, block, sizeof block)) > 0) written += n;
  int error = errno;
  close(f);
  told("memfd", written > 0 && (error == ENOSPC || error == ENOMEM) ? "no room" : "?");
}

static void filters(void) {
  pid_t p = fork();
  if (p == 0) {
    static struct sock_filter code[4096];
    for (int i = 0; i < 4096; i++) code[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
    code[4095] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0x7fff0000);
    struct sock_fprog program = {4096, code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    int n = 0;
    while (n < 1000 && prctl(PR_SET_SECCOMP, 2, &program) == 0) n++;
    _exit(errno == ENOMEM ? n : 99);
  }
  int status;
  waitpid(p, &status, 0);
  printf("filters: ENOMEM after %d\n", WEXITSTATUS(status));
}

static void nests(void) {
  struct epoll_event e = {.events = EPOLLIN};
  int last = epoll_create1(0), depth = 0;
  for (; depth < 100; depth++) {
    int next = epoll_create1(0);
    if (epoll_ctl(next, EPOLL_CTL_ADD, last, &e) < 0) break;
    last = next;
  }
  int error = errno, a = epoll_create1(0), b = epoll_create1(0);
  epoll_ctl(a, EPOLL_CTL_ADD, b, &e);
  int loop = epoll_ctl(b, EPOLL_CTL_ADD, a, &e) < 0 ? errno : 0;
  printf("nests of epoll: %s after %d, loop %s\n", strerror(error), depth, strerror(loop));
  for (int i = 3; i < 1024; i++) close(i);
}

// Each process traces the one that it made.
static void tracers(int depth) {
  pid_t p = fork();
  if (p == 0) {
    if (depth < 60) tracers(depth + 1);
    for (;;) pause();
  }
  ptrace(PTRACE_SEIZE, p, 0, PTRACE_O_TRACEFORK);
  if (depth > 0) return;
  for (int i = 0; i < 1000; i++) sched_yield();
  kill(-1, SIGKILL);
  reap();
  told("tracers of tracers", "gone");
}

static volatile int seen;
static void note(int s) { seen++; }
static void storm(void) {
  signal(SIGUSR1, note);
  signal(SIGRTMIN + 3, note);
  for (int i = 0; i < 20; i++)
    if (fork() == 0)
      for (;;) pause();
  for (int i = 0; i < 2000; i++) kill(-1, SIGUSR1);
  int queued = 0;
  union sigval v = {0};
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 3);
  sigprocmask(SIG_BLOCK, &set, &old);
  while (sigqueue(getpid(), SIGRTMIN + 3, v) == 0) queued++;
  int error = errno;
  seen = 0;
  sigprocmask(SIG_SETMASK, &old, 0);
  told("signals", error == EAGAIN && queued > 100 && seen == queued ? "EAGAIN, and all come" : "?");
  kill(-1, SIGKILL);
  reap();
}

// Signals that come faster than their handler returns: Linux itself hardly gets on here.
static void shortest_timers(void) {
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  struct itimerspec s = {{0, 1}, {0, 1}}, none = {{0, 0}, {0, 0}};
  struct timespec from, now;
  timer_t id;
  signal(SIGUSR1, note);
  seen = 0;
  timer_create(CLOCK_MONOTONIC, &e, &id);
  clock_gettime(CLOCK_MONOTONIC, &from);
  timer_settime(id, 0, &s, 0);
  do clock_gettime(CLOCK_MONOTONIC, &now);
  while ((now.tv_sec - from.tv_sec) * 1000000000 + now.tv_nsec - from.tv_nsec < 3000000);
  timer_settime(id, 0, &none, 0);
  told("shortest timers", seen > 10 ? "the program gets on" : "?");
}

static void terminals(void) {
  int n = 0, last = -1, f;
  struct rlimit all = {20000, 20000};
  setrlimit(RLIMIT_NOFILE, &all);
  while ((f = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK)) >= 0) n++, last = f;
  int error = errno;
  static char block[1 << 16];
  memset(block, '\n', sizeof block);
  long written = 0, r;
  while (written < 1 << 24 && (r = write(last, block, sizeof block)) > 0) written += r;
  int full = errno;
  printf("terminals: %s, input %s\n", n > 10 ? strerror(error) : "?", written < 1 << 24 ? strerror(full) : "without end");
  for (int i = 3; i < 20000; i++) close(i);
}

static void depths(void) {
  char name[201];
  memset(name, 'd', 200);
  name[200] = 0;
  mkdir("/tmp/deep", 0700);
  chdir("/tmp/deep");
  int n = 0;
  while (n < 3000 && mkdir(name, 0700) == 0 && chdir(name) == 0) n++;
  static char path[1 << 20];
  long r = syscall(SYS_getcwd, path, sizeof path);
  printf("deep folders: %d, getcwd %s\n", n, r < 0 ? strerror(errno) : "told");
  for (int i = 0; i < n; i++) {
    chdir("..");
    rmdir(name);
  }
  chdir("/");
  told("deep folders", rmdir("/tmp/deep") == 0 ? "gone" : "?");
}

int main(int argc, char **argv) {
  if (argc > 1) {
    int n = atoi(argv[1]);
    char next[12];
    sprintf(next, "%d", n - 1);
    char *again[] = {"hostile-processes", next, 0}, *none[] = {0};
    if (n > 0) execve("/proc/self/exe", again, none);
    told("programs one after the other", "300");
    return 0;
  }
  setvbuf(stdout, 0, _IOLBF, 0);
  shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  bomb("forks", fork);
  bomb("clone3", by_clone3);
  vfork_tower();
  threads();
  arguments();
  memory();
  filters();
  nests();
  tracers(0);
  storm();
  shortest_timers();
  terminals();
  depths();
  char *again[] = {"hostile-processes", "300", 0}, *none[] = {0};
  execve("/proc/self/exe", again, none);
  return 1;
}
