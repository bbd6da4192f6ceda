// SPDX-License-Identifier: MIT
//
// What clone, clone3, fork, vfork, wait4, waitid, execve and their relatives refuse, and which mixes of flags they
// take. One line a fact.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

static const char *name_of(int error) {
  switch (error) {
    case 0: return "ok";
    case E2BIG: return "E2BIG";
    case EACCES: return "EACCES";
    case EAGAIN: return "EAGAIN";
    case EBADF: return "EBADF";
    case EBUSY: return "EBUSY";
    case ECHILD: return "ECHILD";
    case EEXIST: return "EEXIST";
    case EFAULT: return "EFAULT";
    case EINVAL: return "EINVAL";
    case EISDIR: return "EISDIR";
    case ELOOP: return "ELOOP";
    case ENAMETOOLONG: return "ENAMETOOLONG";
    case ENOENT: return "ENOENT";
    case ENOEXEC: return "ENOEXEC";
    case ENOMEM: return "ENOMEM";
    case ENOSYS: return "ENOSYS";
    case ENOTDIR: return "ENOTDIR";
    case EPERM: return "EPERM";
    case ESRCH: return "ESRCH";
    case ETXTBSY: return "ETXTBSY";
    default: return "another error";
  }
}

static void said(const char *what, long result) { printf("%s: %s\n", what, result < 0 ? name_of(errno) : "ok"); }

static char stack[65536] __attribute__((aligned(16)));
static void *const top = stack + sizeof stack;

static long raw_clone(unsigned long flags, void *sp, int *ptid, int *ctid, unsigned long tls) {
  return syscall(SYS_clone, flags, sp, ptid, ctid, tls);
}

/// clone(2) that is expected to fail; should it succeed, the child ends and is waited for.
static void refused(const char *what, unsigned long flags, unsigned long tls) {
  int tid = 0;
  long r = raw_clone(flags, 0, &tid, &tid, tls);
  if (r == 0) _exit(0);
  said(what, r);
  if (r > 0) waitpid(r, 0, __WALL);
}

static void flags(void) {
  refused("SIGHAND without VM", CLONE_SIGHAND | SIGCHLD, 0);
  refused("THREAD without SIGHAND", CLONE_THREAD | CLONE_VM, 0);
  refused("THREAD without VM", CLONE_THREAD | CLONE_SIGHAND, 0);
  refused("FS with NEWNS", CLONE_FS | CLONE_NEWNS, 0);
  refused("FS with NEWUSER", CLONE_FS | CLONE_NEWUSER, 0);
  refused("PIDFD with PARENT_SETTID", CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0);
  refused("PIDFD with DETACHED", CLONE_PIDFD | CLONE_DETACHED | SIGCHLD, 0);
  refused("THREAD with NEWPID", CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWPID, 0);
  refused("THREAD with NEWUSER", CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWUSER, 0);
  refused("NEWIPC with SYSVSEM", CLONE_NEWIPC | CLONE_SYSVSEM | SIGCHLD, 0);
  refused("TLS beyond user memory", CLONE_SETTLS | SIGCHLD, 0x800000000000);
  refused("FS alone", CLONE_FS | SIGCHLD, 0);
  refused("FILES alone", CLONE_FILES | SIGCHLD, 0);
  refused("SYSVSEM alone", CLONE_SYSVSEM | SIGCHLD, 0);
  refused("IO alone", CLONE_IO | SIGCHLD, 0);
  refused("UNTRACED alone", CLONE_UNTRACED | SIGCHLD, 0);
  refused("PTRACE alone", CLONE_PTRACE | SIGCHLD, 0);
  refused("DETACHED alone", CLONE_DETACHED | SIGCHLD, 0);
  refused("PARENT_SETTID and CHILD_SETTID", CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0);
  int r = raw_clone(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, (int *)8, (int *)8, 0);
  if (r == 0) _exit(0);
  said("tids in no memory", r);
  waitpid(r, 0, 0);
  r = raw_clone(CLONE_PIDFD | SIGCHLD, 0, (int *)8, 0, 0);
  if (r == 0) _exit(0);
  said("pidfd in no memory", r);
}

static void args3(void) {
  struct clone_args a = {.exit_signal = SIGCHLD};
  struct {
    struct clone_args a;
    char more[64];
  } big = {.a = {.exit_signal = SIGCHLD}};
  long r;
#define TRY(what, ptr, size)                    \
  do {                                          \
    r = syscall(SYS_clone3, ptr, (size_t)size); \
    if (r == 0) _exit(0);                       \
    said(what, r);                              \
    if (r > 0) waitpid(r, 0, __WALL);           \
  } while (0)
  TRY("size 0", &a, 0);
  TRY("size 63", &a, 63);
  TRY("size 64", &a, 64);
  TRY("size 72", &a, 72);
  TRY("size 88", &a, 88);
  TRY("size with zeroes", &big, 88 + 64);
  big.more[33] = 1;
  TRY("size with more", &big, 88 + 64);
  TRY("size 4097", &big, 4097);
  TRY("no memory", 8, 64);
  a.exit_signal = 65;
  TRY("exit signal 65", &a, 64);
  a.exit_signal = 0x111;
  TRY("exit signal 0x111", &a, 64);
  a.exit_signal = 0;
  TRY("no exit signal", &a, 64);
  a.exit_signal = SIGCHLD;
  a.flags = CLONE_PARENT;
  TRY("PARENT with a signal", &a, 64);
  a.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
  TRY("THREAD with a signal", &a, 64);
  a.flags = CLONE_DETACHED;
  TRY("DETACHED", &a, 64);
  a.flags = 0x80 << 8;
  a.flags = 1ULL << 40;
  TRY("unknown flag", &a, 64);
  a.flags = SIGCHLD;
  TRY("signal in the flags", &a, 64);
  a.flags = CLONE_SIGHAND | CLONE_VM | CLONE_CLEAR_SIGHAND;
  TRY("SIGHAND with CLEAR_SIGHAND", &a, 64);
  a.flags = 0;
  a.stack = (uintptr_t)stack;
  TRY("stack without a size", &a, 64);
  a.stack = 0;
  a.stack_size = 4096;
  TRY("size without a stack", &a, 64);
  a.stack = 0x800000000000;
  TRY("stack beyond user memory", &a, 64);
  a.stack = a.stack_size = 0;
  a.set_tid_size = 33;
  a.set_tid = (uintptr_t)stack;
  TRY("33 tids", &a, 88);
  a.set_tid_size = 0;
  TRY("tids without a size", &a, 88);
  a.set_tid = 0;
  a.set_tid_size = 1;
  TRY("a size without tids", &a, 88);
  pid_t tids[2] = {-5, 0};
  a.set_tid = (uintptr_t)tids;
  TRY("a negative tid", &a, 88);
  tids[0] = 1;
  TRY("tid 1", &a, 88);
  a.set_tid = 8;
  TRY("tids in no memory", &a, 88);
}

static int shared_value, closed_in_child;
static int mixes_child(void *p) {
  shared_value = 5;
  close(closed_in_child);
  chdir("/proc");
  signal(SIGUSR1, SIG_IGN);
  _exit(0);
}

static void mix(const char *what, int flags) {
  closed_in_child = dup(1);
  chdir("/");
  signal(SIGUSR1, SIG_DFL);
  shared_value = 0;
  pid_t p = clone(mixes_child, top, flags | SIGCHLD, 0);
  waitpid(p, 0, 0);
  char cwd[PATH_MAX];
  struct sigaction a;
  sigaction(SIGUSR1, 0, &a);
  printf("%s: memory %d files %d directory %s handlers %d\n", what, shared_value, fcntl(closed_in_child, F_GETFD) < 0,
         getcwd(cwd, sizeof cwd), a.sa_handler == SIG_IGN);
  close(closed_in_child);
  signal(SIGUSR1, SIG_DFL);
  chdir("/");
}

static int says_parent(void *p) { _exit(getppid() == *(pid_t *)p ? 1 : 2); }

static void mixes(void) {
  mix("nothing shared", 0);
  mix("VM", CLONE_VM);
  mix("FILES", CLONE_FILES);
  mix("FS", CLONE_FS);
  mix("VM SIGHAND", CLONE_VM | CLONE_SIGHAND);
  mix("VM FILES FS SIGHAND", CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND);
  mix("VM VFORK", CLONE_VM | CLONE_VFORK);
  // CLONE_PARENT: a sibling, which the grandparent waits for.
  pid_t me = getpid();
  pid_t p = fork();
  if (p == 0) {
    raw_clone(CLONE_PARENT, 0, 0, 0, 0) == 0 ? says_parent(&me) : 0;
    _exit(4);
  }
  int st, sum = 0;
  for (int i = 0; i < 2; i++) {
    wait(&st);
    sum = sum * 10 + (WEXITSTATUS(st) == 4 ? 0 : WEXITSTATUS(st));
  }
  printf("CLONE_PARENT: %s\n", sum == 1 || sum == 10 ? "a sibling" : "something else");
  // CLONE_CHILD_CLEARTID in shared memory.
  int *word = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int set = 0;
  p = raw_clone(CLONE_CHILD_SETTID | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, 0, &set, word, 0);
  if (p == 0) {
    _exit(*word == getpid() ? 1 : 2);
  }
  waitpid(p, &st, 0);
  printf("tids: child %d parent %d after %d\n", WEXITSTATUS(st), set == p, *word == p || *word == 0);
  // CLONE_CLEAR_SIGHAND: handlers go, ignored ones stay.
  signal(SIGUSR1, SIG_IGN);
  signal(SIGUSR2, (void (*)(int))says_parent);
  struct clone_args a = {.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
  p = syscall(SYS_clone3, &a, sizeof a);
  if (p == 0) {
    struct sigaction one, two;
    sigaction(SIGUSR1, 0, &one);
    sigaction(SIGUSR2, 0, &two);
    _exit((one.sa_handler == SIG_IGN) + 2 * (two.sa_handler == SIG_DFL));
  }
  waitpid(p, &st, 0);
  printf("CLEAR_SIGHAND %d\n", WEXITSTATUS(st));
  signal(SIGUSR1, SIG_DFL);
  signal(SIGUSR2, SIG_DFL);
}

static void pidfds(void) {
  int fd = -1;
  pid_t p = raw_clone(CLONE_PIDFD | SIGCHLD, 0, &fd, 0, 0);
  if (p == 0) {
    pause();
    _exit(0);
  }
  printf("pidfd %d close-on-exec %d\n", fd >= 0, fcntl(fd, F_GETFD));
  siginfo_t i;
  struct pollfd pf = {fd, POLLIN, 0};
  printf("poll %d\n", poll(&pf, 1, 0));
  said("waitid of a pidfd, WNOHANG", waitid(P_PIDFD, fd, &i, WEXITED | WNOHANG));
  said("waitid of no pidfd", waitid(P_PIDFD, 1, &i, WEXITED));
  said("waitid of a closed one", waitid(P_PIDFD, 99, &i, WEXITED));
  said("waitid of -1", waitid(P_PIDFD, -1, &i, WEXITED));
  said("signal", syscall(SYS_pidfd_send_signal, fd, SIGTERM, 0, 0));
  said("signal with flags", syscall(SYS_pidfd_send_signal, fd, SIGTERM, 0, 0x100));
  said("signal 65", syscall(SYS_pidfd_send_signal, fd, 65, 0, 0));
  said("signal to a file", syscall(SYS_pidfd_send_signal, 1, SIGTERM, 0, 0));
  said("signal to nothing", syscall(SYS_pidfd_send_signal, 99, SIGTERM, 0, 0));
  printf("waitid %d", waitid(P_PIDFD, fd, &i, WEXITED));
  printf(" pid %d code %d status %d\n", i.si_pid == p, i.si_code, i.si_status);
  said("again", waitid(P_PIDFD, fd, &i, WEXITED));
  said("signal to the dead", syscall(SYS_pidfd_send_signal, fd, 0, 0, 0));
  printf("poll %d\n", poll(&pf, 1, 0));
  close(fd);
  said("pidfd_open of 0", syscall(SYS_pidfd_open, 0, 0));
  said("pidfd_open of -1", syscall(SYS_pidfd_open, -1, 0));
  said("pidfd_open of the dead", syscall(SYS_pidfd_open, p, 0));
  said("pidfd_open with flags", syscall(SYS_pidfd_open, getpid(), 0x40000000));
  // A child that somebody else waits for.
  fd = syscall(SYS_pidfd_open, getpid(), 0);
  said("waitid of oneself", waitid(P_PIDFD, fd, &i, WEXITED));
  fcntl(fd, F_SETFL, O_NONBLOCK);
  close(fd);
  p = fork();
  if (p == 0) {
    pause();
    _exit(0);
  }
  fd = syscall(SYS_pidfd_open, p, O_NONBLOCK);
  said("waitid of a nonblocking pidfd", waitid(P_PIDFD, fd, &i, WEXITED));
  kill(p, SIGKILL);
  poll(&(struct pollfd){fd, POLLIN, 0}, 1, -1);
  said("when it has ended", waitid(P_PIDFD, fd, &i, WEXITED));
  close(fd);
}

static void waits(void) {
  int st;
  siginfo_t i;
  said("wait4 with unknown options", syscall(SYS_wait4, -1, &st, 0x100, 0));
  said("wait4 with WEXITED", syscall(SYS_wait4, -1, &st, WEXITED, 0));
  said("wait4 with WNOWAIT", syscall(SYS_wait4, -1, &st, WNOWAIT, 0));
  said("wait4 of INT_MIN", syscall(SYS_wait4, INT_MIN, &st, 0, 0));
  said("wait4 of no child", syscall(SYS_wait4, -1, &st, WNOHANG, 0));
  said("wait4 of init", syscall(SYS_wait4, 1, &st, 0, 0));
  said("wait4 of a group without members", syscall(SYS_wait4, -999999, &st, 0, 0));
  said("waitid without a state", waitid(P_ALL, 0, &i, WNOHANG));
  said("waitid with unknown options", waitid(P_ALL, 0, &i, WEXITED | 0x100));
  said("waitid of type 9", waitid(9, 0, &i, WEXITED));
  said("waitid of pid 0", waitid(P_PID, 0, &i, WEXITED));
  said("waitid of pid -1", waitid(P_PID, -1, &i, WEXITED));
  said("waitid of group -1", waitid(P_PGID, -1, &i, WEXITED));
  said("waitid of group 0", waitid(P_PGID, 0, &i, WEXITED));
  said("waitid of no child", waitid(P_ALL, 0, &i, WEXITED));
  pid_t p = fork();
  if (p == 0) _exit(3);
  said("status to no memory", waitpid(p, (int *)8, 0));
  said("the child is gone all the same", waitpid(p, 0, 0));
  p = fork();
  if (p == 0) _exit(3);
  struct rusage *nowhere = (void *)8;
  said("usage to no memory", wait4(p, &st, 0, nowhere));
  p = fork();
  if (p == 0) _exit(3);
  said("info to no memory", waitid(P_PID, p, (siginfo_t *)8, WEXITED));
  said("and gone", waitid(P_PID, p, &i, WEXITED));
  p = fork();
  if (p == 0) _exit(6);
  said("waitid without info", waitid(P_PID, p, 0, WEXITED | WNOWAIT));
  said("another group", waitid(P_PGID, getpgrp() + 100000, &i, WEXITED | WNOHANG));
  struct rusage ru;
  memset(&ru, 0xff, sizeof ru);
  memset(&i, 0, sizeof i);
  printf("with usage %ld", syscall(SYS_waitid, P_PGID, 0, &i, WEXITED, &ru));
  printf(" code %d status %d uid %d usage %d\n", i.si_code, i.si_status, i.si_uid == getuid(), ru.ru_utime.tv_sec == 0);
  // A clone child without SIGCHLD: only __WCLONE and __WALL see it.
  p = raw_clone(0, 0, 0, 0, 0);
  if (p == 0) _exit(7);
  said("a clone child without __WCLONE", waitpid(p, &st, 0));
  printf("with __WCLONE %d", waitpid(p, &st, __WCLONE) == p);
  printf(" exit %d\n", WEXITSTATUS(st));
  // Ignored before there is a child that may send it at once.
  signal(SIGUSR2, SIG_IGN);
  p = raw_clone(SIGUSR2, 0, 0, 0, 0);
  if (p == 0) {
    _exit(8);
  }
  printf("with __WALL %d", waitpid(p, &st, __WALL) == p);
  printf(" exit %d\n", WEXITSTATUS(st));
  signal(SIGUSR2, SIG_DFL);
  p = fork();
  if (p == 0) _exit(9);
  said("a forked child with __WCLONE", waitpid(p, &st, __WCLONE | WNOHANG));
  said("with __WNOTHREAD", waitpid(p, &st, __WNOTHREAD));
  // WNOWAIT leaves the state, WNOHANG gives zeroes.
  int go[2];
  char byte;
  pipe(go);
  p = fork();
  if (p == 0) {
    raise(SIGSTOP);
    read(go[0], &byte, 1);
    _exit(1);
  }
  for (int n = 0; n < 2; n++) {
    waitid(P_PID, p, &i, WSTOPPED | (n == 0 ? WNOWAIT : 0));
    printf("stopped: code %d status %d signo %d\n", i.si_code, i.si_status, i.si_signo);
  }
  memset(&i, 0xff, sizeof i);
  printf("nothing more %d", waitid(P_PID, p, &i, WSTOPPED | WNOHANG));
  printf(" pid %d signo %d\n", i.si_pid, i.si_signo);
  kill(p, SIGCONT);
  waitid(P_PID, p, &i, WCONTINUED | WNOWAIT);
  printf("continued: code %d status %d\n", i.si_code, i.si_status);
  waitid(P_PID, p, &i, WCONTINUED);
  printf("continued: code %d status %d\n", i.si_code, i.si_status);
  write(go[1], "", 1);
  close(go[0]), close(go[1]);
  waitid(P_PID, p, &i, WEXITED | WSTOPPED);
  printf("ended: code %d status %d\n", i.si_code, i.si_status);
  // A group's id in wait4.
  p = fork();
  if (p == 0) {
    setpgid(0, 0);
    _exit(2);
  }
  setpgid(p, p);
  said("own group only", waitpid(0, &st, 0));
  printf("that group %d\n", waitpid(-p, &st, 0) == p);
}

static void execs(void) {
  char *argv[] = {"x", 0}, *envp[] = {0};
  char dir[] = "/tmp/trapline-exec-XXXXXX";
  if (mkdtemp(dir) == 0) return;
  chdir(dir);
  int fd = open("empty", O_CREAT | O_WRONLY, 0755);
  close(fd);
  fd = open("plain", O_CREAT | O_WRONLY, 0644);
  close(fd);
  fd = open("text", O_CREAT | O_WRONLY, 0755);
  write(fd, "hello, world, nothing to run\n", 29);
  close(fd);
  fd = open("script", O_CREAT | O_WRONLY, 0755);
  write(fd, "#!/nowhere/at/all\n", 18);
  close(fd);
  fd = open("loop", O_CREAT | O_WRONLY, 0755);
  char line[PATH_MAX];
  write(fd, line, snprintf(line, sizeof line, "#!%s/loop\n", dir));
  close(fd);
  fd = open("elf", O_CREAT | O_WRONLY, 0755);
  write(fd, "\177ELF\2\1\1", 7);
  close(fd);
  symlink("self", "self");
  char *long_argv[] = {0, 0};
  char *huge = malloc(200000);
  memset(huge, 'a', 199999);
  huge[199999] = 0;
  long_argv[0] = huge;
  said("no file", execve("none", argv, envp));
  said("an empty path", execve("", argv, envp));
  said("a directory", execve(".", argv, envp));
  said("a file as a directory", execve("plain/x", argv, envp));
  said("not executable", execve("plain", argv, envp));
  said("empty", execve("empty", argv, envp));
  said("text", execve("text", argv, envp));
  said("no interpreter", execve("script", argv, envp));
  said("an interpreter that is itself", execve("loop", argv, envp));
  said("a broken program", execve("elf", argv, envp));
  said("a circle of links", execve("self", argv, envp));
  said("a long name", execve(huge, argv, envp));
  said("a long argument", execve("text", long_argv, envp));
  said("a path in no memory", execve((char *)8, argv, envp));
  said("arguments in no memory", execve("text", (char **)8, envp));
  char *bad_argv[] = {(char *)8, 0};
  said("an argument in no memory", execve("text", bad_argv, envp));
  said("an environment in no memory", execve("text", argv, (char **)8));
  fd = open("text", O_WRONLY);
  said("open for writing", execve("text", argv, envp));
  close(fd);
  fd = open("text", O_RDONLY);
  said("execveat with bad flags", syscall(SYS_execveat, AT_FDCWD, "text", argv, envp, 0x8000));
  said("execveat with bad flags and no path", syscall(SYS_execveat, fd, "", argv, envp, 0x8000));
  said("execveat without a path", syscall(SYS_execveat, fd, "", argv, envp, 0));
  said("execveat of a descriptor", syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH));
  said("execveat below a file", syscall(SYS_execveat, fd, "x", argv, envp, 0));
  said("execveat below nothing", syscall(SYS_execveat, 99, "x", argv, envp, 0));
  said("execveat of a link", syscall(SYS_execveat, AT_FDCWD, "self", argv, envp, AT_SYMLINK_NOFOLLOW));
  close(fd);
  const char *names[] = {"empty", "plain", "text", "script", "loop", "elf", "self"};
  for (unsigned n = 0; n < sizeof names / sizeof *names; n++) unlink(names[n]);
  chdir("/");
  rmdir(dir);
  free(huge);
}

static void namespaces(void) {
  said("unshare of nothing", unshare(0));
  said("unshare with an unknown flag", unshare(0x1000000));
  said("unshare FS", unshare(CLONE_FS));
  said("unshare FILES", unshare(CLONE_FILES));
  said("unshare SYSVSEM", unshare(CLONE_SYSVSEM));
  said("unshare THREAD of one", unshare(CLONE_THREAD));
  said("unshare VM of one", unshare(CLONE_VM));
  said("setns of a closed descriptor", syscall(SYS_setns, 99, 0));
  said("setns of a file", syscall(SYS_setns, 1, 0));
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 4096);
  fflush(stdout);
  flags();
  args3();
  mixes();
  pidfds();
  waits();
  execs();
  namespaces();
  return 0;
}
