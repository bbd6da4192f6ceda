// SPDX-License-Identifier: MIT
//
// getrlimit(2): who may change which limit to what, and what each limit refuses. Limits that a system starts with
// differ, so that every part sets its own first, in a child process.

#define _GNU_SOURCE
#include "outcome.h"
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#define S(n, ...) syscall(SYS_##n, __VA_ARGS__)
#define NO_MEMORY ((void *)8)

struct pair {
  uint64_t soft, hard;
};
static long set(int resource, uint64_t soft, uint64_t hard) {
  struct pair p = {soft, hard};
  return S(setrlimit, resource, &p);
}
static void show(int resource) {
  struct pair p;
  if (S(getrlimit, resource, &p)) printf("limit %d: errno %d\n", resource, errno);
  else printf("limit %d: %lld %lld\n", resource, (long long)p.soft, (long long)p.hard);
}

static void arguments(void) {
  struct pair p = {4, 5}, old;
  CALL(S(getrlimit, 16, &p));
  CALL(S(getrlimit, -1, &p));
  CALL(S(getrlimit, RLIMIT_CORE, NO_MEMORY));
  CALL(S(getrlimit, RLIMIT_CORE, 0));
  CALL(S(setrlimit, 16, &p));
  CALL(S(setrlimit, 16, NO_MEMORY));
  CALL(S(setrlimit, RLIMIT_CORE, NO_MEMORY));
  CALL(set(RLIMIT_CORE, 6, 5));
  CALL(set(RLIMIT_CORE, -1, 5));
  CALL(S(prlimit64, 0, 16, 0, &old));
  CALL(S(prlimit64, 0, 16, NO_MEMORY, 0));
  CALL(S(prlimit64, 0, RLIMIT_CORE, NO_MEMORY, 0));
  CALL(S(prlimit64, 0x3ffffff, RLIMIT_CORE, NO_MEMORY, 0));
  CALL(S(prlimit64, 0x3ffffff, RLIMIT_CORE, &p, 0));
  CALL(S(prlimit64, -1, RLIMIT_CORE, 0, &old));
  CALL(S(prlimit64, 0, RLIMIT_CORE, 0, 0));
  CALL(S(prlimit64, getpid(), RLIMIT_CORE, &p, 0));
  show(RLIMIT_CORE);
  // The new limit stays when the old one cannot be told.
  p = (struct pair){2, 5};
  CALL(S(prlimit64, 0, RLIMIT_CORE, &p, NO_MEMORY));
  show(RLIMIT_CORE);
  p = (struct pair){1, 4};
  CALL(S(prlimit64, 0, RLIMIT_CORE, &p, &old));
  printf("old %lld %lld\n", (long long)old.soft, (long long)old.hard);
  CALL(set(RLIMIT_NOFILE, 10, -1));
  CALL(set(RLIMIT_NOFILE, 10, 1 << 30));
}

static void as_nobody(void) {
  for (int r = 0; r < 16; r++) {
    struct pair p;
    S(getrlimit, r, &p);
    if (p.hard > 1000) p.hard = 1000;
    p.soft = p.hard;
    // No stack and no memory would end the program here.
    if (r == RLIMIT_STACK || r == RLIMIT_AS || r == RLIMIT_DATA) p.hard = p.soft = 1ull << 40;
    printf("%d lower %ld, ", r, S(setrlimit, r, &p));
    p.hard++;
    printf("raise %ld errno %d, ", S(setrlimit, r, &p), errno);
    p.hard--;
    p.soft = 0;
    if (r == RLIMIT_STACK || r == RLIMIT_AS || r == RLIMIT_DATA) p.soft = 1 << 30;
    if (r != RLIMIT_CPU && r != RLIMIT_FSIZE) printf("soft %ld, ", S(setrlimit, r, &p));
    p.soft = p.hard;
    printf("back %ld\n", S(setrlimit, r, &p));
  }
}

static void others(void) {
  int p[2];
  pipe(p);
  fflush(stdout);
  pid_t root = fork();
  if (root == 0) {
    char c;
    close(p[1]);
    read(p[0], &c, 1);
    _exit(0);
  }
  struct pair q = {7, 7}, old;
  NOBODY(CALL(S(prlimit64, root, RLIMIT_CORE, 0, &old)); CALL(S(prlimit64, root, RLIMIT_CORE, &q, 0));
         CALL(S(prlimit64, getppid(), RLIMIT_CORE, 0, &old)); CALL(S(prlimit64, getpid(), RLIMIT_CORE, 0, &old)));
  CALL(S(prlimit64, root, RLIMIT_CORE, &q, 0));
  CALL(S(prlimit64, root, RLIMIT_CORE, 0, &old));
  printf("its limit %lld\n", (long long)old.soft);
  close(p[1]);
  waitpid(root, 0, 0);
  CALL(S(prlimit64, root, RLIMIT_CORE, 0, &old));
  // A parent's limits are its children's, and stay over execve.
  set(RLIMIT_CORE, 3, 9);
  CHILD(show(RLIMIT_CORE));
}

static volatile int seen;
static void note(int s) { seen = s; }

static void spin(void) {
  struct rusage u;
  do {
    for (volatile int i = 0; i < 1000000; i++) ;
    getrusage(RUSAGE_SELF, &u);
  } while (u.ru_utime.tv_sec + u.ru_stime.tv_sec < 5 && !seen);
}

static void cpu(void) {
  CHILD({
    set(RLIMIT_CORE, 0, 0);
    set(RLIMIT_CPU, 1, 2);
    spin();
  });
  CHILD({
    signal(SIGXCPU, SIG_IGN);
    set(RLIMIT_CPU, 1, 2);
    spin();
  });
  CHILD({
    signal(SIGXCPU, note);
    set(RLIMIT_CPU, 1, 3);
    spin();
    printf("signal %d\n", seen);
    show(RLIMIT_CPU);
  });
}

static void fsize(void) {
  char name[] = "/tmp/rlimits-XXXXXX", bytes[100] = {0};
  int f = mkstemp(name);
  unlink(name);
  signal(SIGXFSZ, note);
  CALL(set(RLIMIT_FSIZE, 50, 50));
  CALL(write(f, bytes, 100));
  SHOW(seen);
  CALL(write(f, bytes, 1));
  SHOW(seen == SIGXFSZ);
  seen = 0;
  CALL(pwrite(f, bytes, 1, 49));
  SHOW(seen);
  CALL(pwrite(f, bytes, 1, 50));
  SHOW(seen == SIGXFSZ);
  seen = 0;
  CALL(ftruncate(f, 51));
  SHOW(seen == SIGXFSZ);
  seen = 0;
  CALL(ftruncate(f, 10));
  CALL(ftruncate(f, 50));
  CALL(S(fallocate, f, 0, 0, 60));
  SHOW(seen == SIGXFSZ);
  signal(SIGXFSZ, SIG_IGN);
  CALL(write(f, bytes, 1));
  CHILD({
    signal(SIGXFSZ, SIG_DFL);
    write(f, bytes, 1);
  });
  // Pipes have no size.
  int p[2];
  pipe(p);
  CALL(write(p[1], bytes, 100));
  int m = syscall(SYS_memfd_create, "m", 0);
  CALL(ftruncate(m, 51));
  CALL(write(m, bytes, 100));
}

static void nofile(void) {
  CALL(set(RLIMIT_NOFILE, 10, 20));
  int p[2], fd[2];
  for (int i = 3; i < 32; i++) close(i);
  while (dup(0) >= 0) ;
  CALL(dup(0));
  CALL(S(dup2, 0, 10));
  CALL(S(dup2, 0, 9));
  CALL(S(dup3, 0, 10, 0));
  CALL(S(dup2, 0, -1));
  CALL(fcntl(0, F_DUPFD, 0));
  CALL(fcntl(0, F_DUPFD, 10));
  CALL(fcntl(0, F_DUPFD, -1));
  CALL(S(open, "/", O_RDONLY));
  CALL(S(openat, AT_FDCWD, "/none", O_RDONLY));
  CALL(S(socket, 1, 1, 0));
  CALL(S(socketpair, 1, 1, 0, fd));
  CALL(S(pipe, p));
  CALL(S(eventfd2, 0, 0));
  CALL(S(epoll_create1, 0));
  CALL(S(timerfd_create, 1, 0));
  CALL(S(inotify_init1, 0));
  CALL(S(memfd_create, "m", 0));
  uint64_t mask = 1;
  CALL(S(signalfd4, -1, &mask, 8, 0));
  CALL(S(pidfd_open, getpid(), 0));
  CALL(mq_open("/rlimits", O_RDWR | O_CREAT | O_EXCL, 0600, 0));
  CALL(mq_unlink("/rlimits"));
  close(9);
  // Room for one of the two.
  CALL(S(pipe, p));
  CALL(S(socketpair, 1, 1, 0, fd));
  CALL(dup(0));
  // What is open beyond a new limit stays.
  CALL(set(RLIMIT_NOFILE, 4, 20));
  CALL(fcntl(9, F_GETFD));
  CALL(dup(0));
  close(3);
  CALL(dup(0));
  CALL(S(poll, 0, 5, 0));
}

static void stack_deep(int depth) {
  volatile char room[65536];
  room[0] = depth;
  room[65535] = depth;
  if (depth > 0) stack_deep(depth - 1);
  __asm__ volatile("" : : "r"(room) : "memory");
}

static void memory(void) {
  CHILD({
    set(RLIMIT_AS, 64 << 20, 64 << 20);
    OK(mmap(0, 128 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    OK(mmap(0, 16 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    void *p = mmap(0, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    OK(S(mremap, p, 1 << 20, 128 << 20, MREMAP_MAYMOVE));
    void *now = (void *)S(brk, 0);
    SHOW((void *)S(brk, (char *)now + (128 << 20)) == now);
    SHOW((void *)S(brk, (char *)now + (1 << 20)) == (char *)now + (1 << 20));
  });
  CHILD({
    set(RLIMIT_DATA, 8 << 20, 8 << 20);
    OK(mmap(0, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    OK(mmap(0, 16 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    void *p = mmap(0, 16 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW(p != MAP_FAILED);
    CALL(mprotect(p, 16 << 20, PROT_READ | PROT_WRITE));
    CALL(mprotect(p, 1 << 20, PROT_READ | PROT_WRITE));
    void *now = (void *)S(brk, 0);
    SHOW((void *)S(brk, (char *)now + (16 << 20)) == now);
  });
  CHILD({
    set(RLIMIT_STACK, 1 << 20, 1 << 20);
    stack_deep(8);
    printf("half a megabyte fits\n");
    fflush(stdout);
    set(RLIMIT_CORE, 0, 0);
    stack_deep(32);
  });
  CHILD({
    set(RLIMIT_STACK, 4 << 20, 16 << 20);
    stack_deep(32);
    printf("two megabytes fit\n");
  });
}

static void locked(void) {
  void *p = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  set(RLIMIT_MEMLOCK, 256 << 10, 256 << 10);
  NOBODY(CALL(mlock(p, 128 << 10)); CALL(mlock(p, 512 << 10)); CALL(S(mlock2, p, 512 << 10, 0));
         CALL(mlock(p, 192 << 10)); CALL(munlock(p, 1 << 20)); CALL(mlockall(MCL_CURRENT));
         CALL(mlockall(0)); CALL(mlockall(8)); CALL(mlockall(MCL_ONFAULT));
         OK(mmap(0, 512 << 10, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
         set(RLIMIT_MEMLOCK, 0, 0);
         CALL(mlock(p, 4096)); CALL(mlockall(MCL_CURRENT));
         OK(mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0)); CALL(munlockall()));
  CHILD(CALL(mlock(p, 512 << 10)); munmap(p, 4096); CALL(mlock(p, 8192)); CALL(munlock(p, 8192));
        CALL(mlock((char *)-4096, 8192)); CALL(mlock(p + 4096, -8192)); CALL(S(mlock2, p, 4096, 2)));
}

static void processes(void) {
  // Of a user that nothing else runs as, and a second run of this program neither.
  uid_t user = 20000 + getpid() % 10000;
  CHILD({
    setgroups(0, 0);
    setresgid(user, user, user);
    if (setresuid(user, user, user)) _exit(99);
    // The signal that ends the children goes to their group, which is this one only.
    if (setsid() != getpid()) _exit(98);
    set(RLIMIT_NPROC, 3, 3);
    int n = 0;
    while (n < 10 && fork() > 0) n++;
    if (n == 0 || errno != EAGAIN) {
      // The children stay until their parent has counted.
      pause();
    }
    printf("children %d errno %d\n", n, errno);
    CALL(S(clone, SIGCHLD, 0, 0, 0, 0));
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    while (wait(0) > 0) ;
    set(RLIMIT_NPROC, 0, 3);
    CALL(fork());
    CALL(syscall(SYS_fork));
    CALL(syscall(SYS_vfork));
    uint64_t more[8] = {[4] = SIGCHLD};
    CALL(S(clone3, more, sizeof more));
  });
  // Who has capabilities is not limited.
  set(RLIMIT_NPROC, 1, 1);
  CHILD(printf("root forks\n"));
}

static void queued(void) {
  uid_t user = 30000 + getpid() % 10000;
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, 0);
  CHILD({
    setgroups(0, 0);
    setresgid(user, user, user);
    if (setresuid(user, user, user)) _exit(99);
    set(RLIMIT_SIGPENDING, 4, 4);
    siginfo_t info = {.si_code = SI_QUEUE};
    int n = 0;
    while (n < 20 && S(rt_sigqueueinfo, getpid(), SIGRTMIN + 1, &info) == 0) n++;
    printf("queued %d errno %d\n", n, errno);
    CALL(kill(getpid(), SIGRTMIN + 1));
    CALL(kill(getpid(), SIGUSR1));
    CALL(S(rt_sigqueueinfo, getpid(), SIGUSR2, &info));
    CALL(S(tgkill, getpid(), getpid(), SIGRTMIN + 2));
    timer_t t;
    CALL(S(timer_create, CLOCK_MONOTONIC, 0, &t));
    struct timespec none = {0, 0};
    int taken = 0;
    while (S(rt_sigtimedwait, &all, 0, &none, 8) > 0) taken++;
    printf("taken %d\n", taken);
    set(RLIMIT_SIGPENDING, 0, 0);
    CALL(S(rt_sigqueueinfo, getpid(), SIGRTMIN + 1, &info));
    CALL(kill(getpid(), SIGRTMIN + 1));
  });
}

static void message_queues(void) {
  uid_t user = 40000 + getpid() % 10000;
  CHILD({
    setgroups(0, 0);
    setresgid(user, user, user);
    if (setresuid(user, user, user)) _exit(99);
    set(RLIMIT_MSGQUEUE, 10000, 10000);
    struct mq_attr a = {.mq_maxmsg = 10, .mq_msgsize = 8192};
    CALL(mq_open("/rlimits-a", O_RDWR | O_CREAT | O_EXCL, 0600, &a));
    a.mq_msgsize = 64;
    OK(mq_open("/rlimits-a", O_RDWR | O_CREAT | O_EXCL, 0600, &a));
    a.mq_msgsize = 900;
    CALL(mq_open("/rlimits-b", O_RDWR | O_CREAT | O_EXCL, 0600, &a));
    mq_unlink("/rlimits-a");
    mq_unlink("/rlimits-b");
  });
}

static void priorities(void) {
  set(RLIMIT_NICE, 0, 0);
  set(RLIMIT_RTPRIO, 0, 0);
  NOBODY(CALL(S(setpriority, PRIO_PROCESS, 0, 10)); CALL(S(setpriority, PRIO_PROCESS, 0, 10));
         CALL(S(setpriority, PRIO_PROCESS, 0, 9)); CALL(S(setpriority, PRIO_PROCESS, 0, -20));
         struct sched_param p = {1}; CALL(S(sched_setscheduler, 0, SCHED_FIFO, &p));
         CALL(S(sched_setscheduler, 0, SCHED_RR, &p)); p.sched_priority = 0;
         CALL(S(sched_setscheduler, 0, SCHED_IDLE, &p)); CALL(S(sched_setscheduler, 0, SCHED_BATCH, &p));
         CALL(S(sched_setscheduler, 0, SCHED_OTHER, &p)));
}

static void cores(void) {
  // Where a dump goes to is the system's; that a limit of nothing makes none is not.
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    set(RLIMIT_CORE, 0, 0);
    abort();
  }
  int status;
  waitpid(p, &status, 0);
  printf("signal %d core %d\n", WTERMSIG(status), !!WCOREDUMP(status));
}

int main(void) {
  CHILD(arguments());
  CHILD(NOBODY(as_nobody()));
  CHILD(others());
  CHILD(cpu());
  CHILD(fsize());
  CHILD(nofile());
  CHILD(memory());
  CHILD(locked());
  CHILD(processes());
  CHILD(queued());
  CHILD(message_queues());
  CHILD(priorities());
  CHILD(cores());
  return 0;
}
