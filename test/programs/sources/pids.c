// SPDX-License-Identifier: MIT
//
// Every call that takes the number of a process or thread, with every kind of them: a line for each call, as root and as a
// user. No call here does anything to a process that is not this program's.

#define _GNU_SOURCE
#include "say.h"
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct { const char *what; pid_t pid; } kinds[16];
static int count;
static pid_t pid;
static int user;
typedef long (*Call)(void);

static void try(const char *what, Call call, const char *without) {
  printf("%s:", what);
  for (int i = 0; i < count; i++) {
    if (strcmp(kinds[i].what, without) == 0) continue;
    pid = kinds[i].pid;
    if (user) setegid(user), seteuid(user);
    errno = 0;
    long r = call();
    int e = errno;
    seteuid(0), setegid(0);
    printf(" %s %s", kinds[i].what, r == -1 ? name_of(e) : "ok");
  }
  printf("\n");
  fflush(stdout);
}
#define TRY(expr) TRY_BUT("", expr)
// A kind for which one version of Linux says otherwise than the next one.
#define TRY_BUT(without, expr) do { long call(void) { return (long)(expr); } try(#expr, call, without); } while (0)

/** A process that sleeps until this one ends, with the ids of a user. */
static pid_t sleeper(int uid) {
  int told[2];
  char c;
  pipe(told);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    alarm(600);
    if (uid) setgroups(0, 0), setresgid(uid, uid, uid), setresuid(uid, uid, uid), prctl(PR_SET_DUMPABLE, 1);
    // A change of ids would take this back.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    write(told[1], "", 1);
    for (;;) pause();
  }
  read(told[0], &c, 1);
  close(told[0]), close(told[1]);
  return child;
}

static volatile pid_t tid;
static int gate[2];
static void *thread(void *unused) {
  char c;
  tid = gettid();
  write(gate[1], "", 1);
  for (;;) pause();
  return 0;
}

static char bytes[4096];
static struct rlimit64 limit;
static siginfo_t info;
static struct sched_param parameter;
static struct timespec interval;
static struct { uint32_t version; int pid; } header;
static long capable(void) {
  header.version = 0x20080522, header.pid = pid;
  return SC(capget, &header, bytes);
}
static long attributes(void) {
  struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t rest[7]; } a = {48};
  return SC(sched_setattr, pid, &a, 0);
}
static long queued(int whom) {
  memset(&info, 0, sizeof info);
  info.si_code = -1;
  return whom ? SC(rt_tgsigqueueinfo, pid, pid, 0, &info) : SC(rt_sigqueueinfo, pid, 0, &info);
}
static long copied(int writes) {
  struct iovec here = {bytes, 8}, there = {bytes, 8};
  return SC(process_vm_readv + writes, pid, &here, 1, &there, 1, 0);
}
static long limited(void) {
  SC(prlimit64, pid, RLIMIT_NOFILE, 0, &limit);
  return SC(prlimit64, pid, RLIMIT_NOFILE, &limit, 0);
}
static long new(long fd) {
  int e = errno;
  if (fd >= 0) close(fd);
  errno = e;
  return fd;
}
static uint64_t mask = 1;

static void all(void) {
  TRY(SC(kill, pid, 99));
  TRY(SC(tkill, pid, 0));
  TRY(SC(tgkill, pid, pid, 0));
  TRY(SC(tgkill, getpid(), pid, 0));
  TRY(SC(tgkill, pid, tid, 0));
  TRY(queued(0));
  TRY(queued(1));
  TRY(getpgid(pid) < 0 ? -1 : 0);
  TRY(getsid(pid) < 0 ? -1 : 0);
  TRY(setpgid(pid, 999999999));
  TRY(setpgid(pid, -1));
  TRY(getpriority(PRIO_PROCESS, pid));
  TRY(getpriority(PRIO_PGRP, pid));
  TRY(getpriority(9, pid));
  TRY(setpriority(PRIO_PROCESS, pid, 0));
  TRY(setpriority(9, pid, 0));
  TRY(SC(ioprio_get, 1, pid));
  TRY(SC(ioprio_set, 1, pid, 0));
  TRY(SC(sched_getscheduler, pid));
  TRY(SC(sched_setscheduler, pid, 0, &parameter));
  TRY(SC(sched_setscheduler, pid, 77, &parameter));
  TRY(SC(sched_getparam, pid, &parameter));
  TRY(SC(sched_getparam, pid, 0));
  TRY(SC(sched_setparam, pid, &parameter));
  TRY(SC(sched_rr_get_interval, pid, &interval));
  TRY(SC(sched_getattr, pid, bytes, 48, 0));
  TRY(attributes());
  TRY(SC(sched_getaffinity, pid, sizeof bytes, bytes) < 0 ? -1 : 0);
  TRY(SC(sched_setaffinity, pid, 8, &mask));
  TRY(SC(sched_setaffinity, pid, 8, 8));
  // Root may lack the right to these where this runs.
  if (user) {
    TRY(SC(prlimit64, pid, RLIMIT_NOFILE, 0, &limit));
    TRY(limited());
    TRY(SC(prlimit64, pid, 99, 0, &limit));
    TRY(SC(prlimit64, pid, RLIMIT_NOFILE, 0, 8));
  }
  TRY(capable());
  TRY(SC(get_robust_list, pid, bytes, bytes + 8));
  TRY(copied(0));
  TRY(copied(1));
  TRY(SC(kcmp, pid, getpid(), 0, 0, 0) < 0 ? -1 : 0);
  TRY(SC(kcmp, getpid(), pid, 99, 0, 0));
  TRY_BUT("thread", new(SC(pidfd_open, pid, 0)));
  TRY(SC(pidfd_open, pid, 99));
  TRY(wait4(pid, 0, WNOHANG, 0));
  TRY(wait4(pid, 0, 0x10, 0));
  TRY(waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT));
  TRY(waitid(P_PID, pid, &info, WNOHANG));
  TRY(waitid(P_PGID, pid, &info, WEXITED | WNOHANG | WNOWAIT));
}

static void kind(const char *what, pid_t number) {
  kinds[count].what = what;
  kinds[count++].pid = number;
}

int main(void) {
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  alarm(600);
  setgroups(0, 0);
  setpgid(0, 0);
  pthread_t second;
  pipe(gate);
  pthread_create(&second, 0, thread, 0);
  char c;
  read(gate[0], &c, 1);
  kind("self", getpid());
  kind("thread", tid);
  kind("root's", sleeper(0));
  kind("user's", sleeper(1234));
  kind("other's", sleeper(1235));
  fflush(stdout);
  pid_t gone = fork();
  if (gone == 0) _exit(0);
  waitpid(gone, 0, 0);
  kind("gone", gone);
  kind("none", 999999999);
  kind("negative", -999999999);
  printf("-- as root\n");
  all();
  printf("-- as a user\n");
  user = 1234;
  all();
  for (int i = 0; i < count; i++) {
    if (strchr(kinds[i].what, '\'')) kill(kinds[i].pid, SIGKILL), waitpid(kinds[i].pid, 0, 0);
  }
  // A zombie cannot be had twice.
  printf("-- a zombie\n");
  count = 0;
  fflush(stdout);
  pid_t zombie = fork();
  if (zombie == 0) _exit(0);
  waitid(P_PID, zombie, &info, WEXITED | WNOWAIT);
  kind("zombie", zombie);
  user = 0;
  all();
  return 0;
}
