// SPDX-License-Identifier: MIT
//
// What the ptrace guests share: lines about wait statuses, calls that report, children that wait to be traced.

#ifndef PTRACE_COMMON_H
#define PTRACE_COMMON_H

#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  TRACEME = 0, PEEKTEXT = 1, PEEKDATA = 2, PEEKUSER = 3, POKETEXT = 4, POKEDATA = 5, POKEUSER = 6, CONT = 7, KILL = 8,
  SINGLESTEP = 9, GETREGS = 12, SETREGS = 13, GETFPREGS = 14, SETFPREGS = 15, ATTACH = 16, DETACH = 17, SYSCALL = 24,
  ARCH_PRCTL = 30, SYSEMU = 31, SYSEMU_SINGLESTEP = 32, SINGLEBLOCK = 33, SETOPTIONS = 0x4200, GETEVENTMSG = 0x4201, GETSIGINFO = 0x4202,
  SETSIGINFO = 0x4203, GETREGSET = 0x4204, SETREGSET = 0x4205, SEIZE = 0x4206, INTERRUPT = 0x4207, LISTEN = 0x4208,
  PEEKSIGINFO = 0x4209, GETSIGMASK = 0x420a, SETSIGMASK = 0x420b, GET_SYSCALL_INFO = 0x420e, GET_RSEQ = 0x420f,
};
enum {
  OPT_SYSGOOD = 1, OPT_FORK = 2, OPT_VFORK = 4, OPT_CLONE = 8, OPT_EXEC = 16, OPT_VFORKDONE = 32, OPT_EXIT = 64, OPT_SECCOMP = 128,
  OPT_EXITKILL = 1 << 20,
};

/** The raw call: 0 or more, or -errno. Results of PEEK go to *data. */
static long pt(long request, pid_t pid, long addr, long data) {
  long r = syscall(SYS_ptrace, request, pid, addr, data);
  return r < 0 ? -errno : r;
}

static const char *name_of(int error) {
  switch (error) {
    case 0: return "ok";
    case EPERM: return "EPERM";
    case ESRCH: return "ESRCH";
    case ENOENT: return "ENOENT";
    case EIO: return "EIO";
    case EINVAL: return "EINVAL";
    case EFAULT: return "EFAULT";
    case ECHILD: return "ECHILD";
    case ENODEV: return "ENODEV";
    case EBUSY: return "EBUSY";
    case ENXIO: return "ENXIO";
    case EACCES: return "EACCES";
    case ENOSYS: return "ENOSYS";
    case EOPNOTSUPP: return "EOPNOTSUPP";
    case EINTR: return "EINTR";
    default: return "another";
  }
}

static void result(const char *what, long r) {
  if (r < 0) printf("%s: %s\n", what, name_of(-r));
  else printf("%s: %ld\n", what, r);
}

static void status(const char *what, int st) {
  printf("%s: ", what);
  if (WIFEXITED(st)) printf("exit %d\n", WEXITSTATUS(st));
  else if (WIFSIGNALED(st)) printf("killed %d\n", WTERMSIG(st));
  else if (WIFCONTINUED(st)) printf("continued\n");
  else if (st >> 16) printf("stop %d event %d\n", WSTOPSIG(st), st >> 16);
  else printf("stop %d\n", WSTOPSIG(st));
}

/** Waits for a change of `pid` and prints it. */
static int next(const char *what, pid_t pid) {
  int st = 0;
  pid_t r = waitpid(pid, &st, __WALL);
  if (r < 0) printf("%s: wait %s\n", what, name_of(errno));
  else status(what, st);
  return st;
}

/** A fork that is safe with buffered output. */
static pid_t spawn(void) {
  fflush(stdout);
  return fork();
}

/** Stops this process. Some C libraries' raise blocks signals meanwhile, so that what a tracer then sends would wait. */
static void stop_self(void) {
  kill(getpid(), SIGSTOP);
}

/** A child that is traced and stopped by its own SIGSTOP; returns 0 in the child once it is let go. */
static pid_t stopped_child(void) {
  pid_t p = spawn();
  if (p == 0) {
    pt(TRACEME, 0, 0, 0);
    stop_self();
    return 0;
  }
  waitpid(p, 0, __WALL);
  return p;
}

static void finish(pid_t p) {
  kill(p, SIGKILL);
  int st;
  while (waitpid(p, &st, __WALL) == p && !WIFEXITED(st) && !WIFSIGNALED(st))
    ;
}

/** The state letter in /proc/PID/status, and whether TracerPid is this process. */
static void proc_state(const char *what, pid_t pid) {
  char path[64], line[256], state = '?';
  int tracer = -1;
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f)) {
    sscanf(line, "State: %c", &state);
    sscanf(line, "TracerPid: %d", &tracer);
  }
  if (f) fclose(f);
  printf("%s: state %c, tracer %s\n", what, state, tracer == 0 ? "none" : tracer == getpid() ? "this" : "other");
}

/** Sleeps until the task is in the state: stops of others are not told to everybody. */
static void await_state(pid_t pid, char wanted) {
  for (int i = 0; i < 60000; i++) {
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY);
    if (fd < 0) return;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    char *end = n > 0 ? strrchr(text, ')') : 0;
    if (end && end[2] == wanted) return;
    usleep(1000);
  }
  printf("never in state %c\n", wanted);
}

#endif
