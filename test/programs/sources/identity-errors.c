// SPDX-License-Identifier: MIT
//
// User and group ids and capabilities: who may change what, what is lost on the way, what execve makes of it. Each part
// runs in a child process of its own. What only root can show is left out for others. One line a fact.

#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT 47
#endif

static const char *name_of(int error) {
  switch (error) {
    case 0: return "ok";
    case EFAULT: return "EFAULT";
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

// The library's own would change all threads, and refuses some values itself.
static long setuid_(uid_t a) { return syscall(SYS_setuid, a); }
static long setgid_(gid_t a) { return syscall(SYS_setgid, a); }
static long setreuid_(uid_t a, uid_t b) { return syscall(SYS_setreuid, a, b); }
static long setregid_(gid_t a, gid_t b) { return syscall(SYS_setregid, a, b); }
static long setresuid_(uid_t a, uid_t b, uid_t c) { return syscall(SYS_setresuid, a, b, c); }
static long setresgid_(gid_t a, gid_t b, gid_t c) { return syscall(SYS_setresgid, a, b, c); }

static void ids(const char *what) {
  uid_t r, e, s;
  gid_t rg, eg, sg;
  getresuid(&r, &e, &s);
  getresgid(&rg, &eg, &sg);
  printf("%s: uid %d %d %d fs %d gid %d %d %d fs %d\n", what, r, e, s, setfsuid(-1), rg, eg, sg, setfsgid(-1));
}

struct caps {
  uint64_t e, p, i;
};
static struct caps get_caps(void) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2];
  syscall(SYS_capget, &h, d);
  return (struct caps){d[0].effective | (uint64_t)d[1].effective << 32, d[0].permitted | (uint64_t)d[1].permitted << 32,
                       d[0].inheritable | (uint64_t)d[1].inheritable << 32};
}
static long set_caps(uint64_t e, uint64_t p, uint64_t i) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2] = {{e, p, i}, {e >> 32, p >> 32, i >> 32}};
  return syscall(SYS_capset, &h, d);
}
#define BIT(cap) (1ull << (cap))
/// The capabilities that this program is about.
#define SOME (BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_KILL) | BIT(CAP_CHOWN) | BIT(CAP_SETPCAP) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_NET_RAW))
static void caps(const char *what) {
  struct caps c = get_caps();
  printf("%s: effective %llx permitted %llx inheritable %llx ambient %d\n", what, (unsigned long long)(c.e & SOME),
         (unsigned long long)(c.p & SOME), (unsigned long long)(c.i & SOME), prctl(PR_CAP_AMBIENT, 1, CAP_NET_RAW, 0, 0));
}

static void in_child(void (*body)(void)) {
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    body();
    fflush(stdout);
    _exit(0);
  }
  int st;
  waitpid(p, &st, 0);
  if (!WIFEXITED(st) || WEXITSTATUS(st) != 0) printf("ended with %x\n", st);
}

static void general(void) {
  said("setuid -1", setuid_(-1));
  said("setgid -1", setgid_(-1));
  said("getresuid to no memory", syscall(SYS_getresuid, 8, 8, 8));
  said("getresgid to no memory", syscall(SYS_getresgid, 8, 8, 8));
  said("getgroups -1", syscall(SYS_getgroups, -1, 0));
  said("getgroups to no memory", getgroups(0, 0) > 0 ? syscall(SYS_getgroups, 65536, 8) : (errno = EFAULT, -1));
  said("setreuid of nothing", setreuid_(-1, -1));
  said("setresuid of nothing", setresuid_(-1, -1, -1));
  said("setregid of nothing", setregid_(-1, -1));
  said("setresgid of nothing", setresgid_(-1, -1, -1));
  printf("getpgid %d getsid %d\n", getpgid(0) == getpgrp(), getsid(0) == getsid(getpid()));
}

static void headers(void) {
  struct __user_cap_header_struct h = {0, 0};
  struct __user_cap_data_struct d[2];
  said("unknown version", syscall(SYS_capget, &h, d));
  printf("version becomes %x\n", h.version);
  h.version = 1;
  said("unknown version without data", syscall(SYS_capget, &h, 0));
  h.version = 1;
  said("unknown version to set", syscall(SYS_capset, &h, d));
  h.version = _LINUX_CAPABILITY_VERSION_3;
  said("without data", syscall(SYS_capget, &h, 0));
  h.pid = -1;
  said("pid -1", syscall(SYS_capget, &h, d));
  said("pid -1 without data", syscall(SYS_capget, &h, 0));
  h.pid = 0x3ffffff;
  said("pid of nobody", syscall(SYS_capget, &h, d));
  said("set another's", syscall(SYS_capset, &h, d));
  h.pid = getpid();
  said("own pid", syscall(SYS_capget, &h, d));
  said("set own", syscall(SYS_capset, &h, d));
  said("header in no memory", syscall(SYS_capget, 8, d));
  said("data to no memory", syscall(SYS_capget, &h, 8));
  said("set from no memory", syscall(SYS_capset, &h, 8));
  h.version = _LINUX_CAPABILITY_VERSION_1;
  said("version 1", syscall(SYS_capget, &h, d));
  h.version = _LINUX_CAPABILITY_VERSION_2;
  said("version 2", syscall(SYS_capget, &h, d));
}

static void setuid_for_good(void) {
  said("setuid 1000", setuid_(1000));
  ids("after it");
  caps("after it");
  said("back", setuid_(0));
  said("to another", setuid_(1001));
  said("to itself", setuid_(1000));
  printf("dumpable %d\n", prctl(PR_GET_DUMPABLE));
}

static void seteuid_and_back(void) {
  prctl(PR_SET_PDEATHSIG, SIGUSR1);
  said("seteuid 1000", setresuid_(-1, 1000, -1));
  ids("away");
  caps("away");
  int s = -1;
  prctl(PR_GET_PDEATHSIG, &s);
  printf("dumpable %d parent death signal %d\n", prctl(PR_GET_DUMPABLE), s);
  said("to a third", setresuid_(-1, 1001, -1));
  said("setuid 0 as saved", setuid_(0));
  ids("back");
  caps("back");
}

static void saved(void) {
  said("setresuid", setresuid_(1000, 1001, 1002));
  ids("three");
  said("setreuid swaps", setreuid_(1001, 1000));
  ids("swapped");
  said("setuid to the real", setuid_(1001));
  ids("effective is real");
  said("setuid to the saved", setuid_(1000));
  ids("effective is saved");
  said("setreuid to the saved", setreuid_(-1, 1000));
  said("setreuid real to the saved", setreuid_(1002, -1));
  said("setresuid to the three", setresuid_(1000, 1001, 1000));
  ids("mixed");
  said("setresuid to a fourth", setresuid_(-1, -1, 1003));
}

static void groups(void) {
  said("setgroups", setgroups(3, (gid_t[]){30, 10, 20}));
  gid_t g[4] = {0};
  printf("getgroups %d", getgroups(4, g));
  printf(": %d %d %d\n", g[0], g[1], g[2]);
  said("too little room", getgroups(2, g));
  printf("count %d\n", getgroups(0, 0));
  said("setgroups in no memory", syscall(SYS_setgroups, 2, 8));
  said("setgroups -1", syscall(SYS_setgroups, -1, g));
  said("setgroups 65537", syscall(SYS_setgroups, 65537, g));
  said("setgroups with -1 in it", syscall(SYS_setgroups, 2, (gid_t[]){5, -1}));
  said("setresgid", setresgid_(100, 101, 102));
  ids("groups");
  caps("after a change of groups");
  said("setregid", setregid_(101, -1));
  ids("setregid");
  setuid_(1000);
  said("setgid to the saved as a user", setgid_(101));
  said("setgid to another as a user", setgid_(100));
  said("setregid to another", setregid_(-1, 77));
  said("setresgid to another", setresgid_(77, -1, -1));
  said("setgroups as a user", setgroups(0, 0));
  ids("user");
}

static void fsids(void) {
  printf("setfsuid gives %d", setfsuid(1000));
  printf(", then %d\n", setfsuid(-1));
  caps("without user 0's rights over files");
  printf("setfsuid gives %d\n", setfsuid(0));
  caps("with them");
  setresuid_(1000, 1001, 1002);
  printf("setfsuid to a fourth gives %d, then %d\n", setfsuid(1003), setfsuid(-1));
  printf("setfsuid to the saved gives %d", setfsuid(1002));
  printf(", then %d\n", setfsuid(-1));
  printf("setfsgid gives %d\n", setfsgid(55));
}

static void keep(void) {
  said("keep 2", prctl(PR_SET_KEEPCAPS, 2));
  said("keep", prctl(PR_SET_KEEPCAPS, 1));
  printf("keeps %d\n", prctl(PR_GET_KEEPCAPS));
  setuid_(1000);
  caps("kept");
  said("raise what is permitted", set_caps(BIT(CAP_KILL), SOME, 0));
  caps("raised");
  said("raise what is not", set_caps(BIT(CAP_KILL), BIT(CAP_KILL), 0));
  said("permitted again", set_caps(BIT(CAP_KILL), SOME, 0));
  said("effective beyond permitted", set_caps(BIT(CAP_KILL) | BIT(CAP_CHOWN), BIT(CAP_KILL), 0));
  said("inherit what is not permitted", set_caps(0, BIT(CAP_KILL), BIT(CAP_CHOWN)));
  said("inherit what is", set_caps(0, BIT(CAP_KILL), BIT(CAP_KILL)));
  caps("in the end");
}

static void ambient(void) {
#define AMBIENT(what, op, cap, x, y) said(what, prctl(PR_CAP_AMBIENT, op, cap, x, y))
  AMBIENT("raise what is not inheritable", 2, CAP_NET_RAW, 0, 0);
  AMBIENT("a capability there is not", 2, 63, 0, 0);
  AMBIENT("an operation there is not", 9, CAP_KILL, 0, 0);
  AMBIENT("more arguments", 1, CAP_KILL, 1, 0);
  AMBIENT("clear with an argument", 4, 1, 0, 0);
  struct caps c = get_caps();
  set_caps(c.e, c.p, c.i | BIT(CAP_NET_RAW));
  AMBIENT("raise", 2, CAP_NET_RAW, 0, 0);
  caps("raised");
  AMBIENT("lower", 3, CAP_NET_RAW, 0, 0);
  caps("lowered");
  AMBIENT("raise", 2, CAP_NET_RAW, 0, 0);
  set_caps(c.e, c.p, c.i & ~BIT(CAP_NET_RAW));
  caps("lost with inheritable");
  set_caps(c.e, c.p, c.i | BIT(CAP_NET_RAW));
  AMBIENT("raise", 2, CAP_NET_RAW, 0, 0);
  prctl(PR_SET_KEEPCAPS, 1);
  setuid_(1000);
  caps("cleared by setuid");
  c = get_caps();
  AMBIENT("raise again", 2, CAP_NET_RAW, 0, 0);
  fflush(stdout);
  char *argv[] = {"identity-errors", "caps", 0}, *envp[] = {0};
  execve("/proc/self/exe", argv, envp);
}

static void bounding(void) {
  printf("read %d\n", prctl(PR_CAPBSET_READ, CAP_NET_RAW));
  said("read one there is not", prctl(PR_CAPBSET_READ, 63));
  said("drop one there is not", prctl(PR_CAPBSET_DROP, 63));
  said("drop", prctl(PR_CAPBSET_DROP, CAP_NET_RAW));
  printf("read %d\n", prctl(PR_CAPBSET_READ, CAP_NET_RAW));
  caps("until execve");
  said("inherit what is not bounded", set_caps(SOME, SOME, BIT(CAP_NET_RAW)));
  fflush(stdout);
  char *argv[] = {"identity-errors", "caps", 0}, *envp[] = {0};
  execve("/proc/self/exe", argv, envp);
}

static void no_right_to_drop(void) {
  set_caps(BIT(CAP_KILL), SOME, 0);
  said("drop without CAP_SETPCAP", prctl(PR_CAPBSET_DROP, CAP_NET_RAW));
  said("securebits without CAP_SETPCAP", prctl(PR_SET_SECUREBITS, 1));
  said("setuid without CAP_SETUID", setuid_(1000));
  said("setresuid without CAP_SETUID", setresuid_(0, 1000, 0));
  said("setgid without CAP_SETGID", setgid_(1000));
  said("setgroups without CAP_SETGID", setgroups(0, 0));
}

static void securebits(void) {
  printf("bits %x\n", prctl(PR_GET_SECUREBITS));
  said("no setuid fixup", prctl(PR_SET_SECUREBITS, 0x4));
  setresuid_(1000, 1000, 1000);
  caps("nothing is lost");
  setresuid_(0, 0, 0);
  said("keep caps by bits", prctl(PR_SET_SECUREBITS, 0x10));
  printf("keeps %d\n", prctl(PR_GET_KEEPCAPS));
  said("lock it", prctl(PR_SET_SECUREBITS, 0x30));
  said("change what is locked", prctl(PR_SET_SECUREBITS, 0x20));
  said("unlock", prctl(PR_SET_SECUREBITS, 0x10));
  said("by PR_SET_KEEPCAPS", prctl(PR_SET_KEEPCAPS, 0));
  struct caps c = get_caps();
  set_caps(c.e, c.p, c.i | BIT(CAP_NET_RAW));
  said("no ambient capabilities", prctl(PR_SET_SECUREBITS, 0x70));
  said("raise one", prctl(PR_CAP_AMBIENT, 2, CAP_NET_RAW, 0, 0));
  said("user 0 is nobody", prctl(PR_SET_SECUREBITS, 0x71));
  set_caps(c.e, c.p, 0);
  fflush(stdout);
  char *argv[] = {"identity-errors", "caps", 0}, *envp[] = {0};
  execve("/proc/self/exe", argv, envp);
}

static void exec_as(uid_t r, uid_t e, uid_t s) {
  setresuid_(r, e, s);
  fflush(stdout);
  char *argv[] = {"identity-errors", "caps", 0}, *envp[] = {0};
  // The file may be root's own.
  int f = syscall(SYS_execve, "/proc/self/exe", argv, envp);
  printf("execve as %d %d %d: %s\n", r, e, s, f < 0 ? "refused" : "");
}
static void exec_effective_root(void) { exec_as(1000, 0, 1000); }
static void exec_real_root(void) { exec_as(0, 0, 1000); }
static void exec_saved_root(void) { exec_as(1000, 0, 0); }

int main(int argc, char **argv) {
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  if (argc > 1) {
    ids("program");
    caps("program");
    printf("securebits %x dumpable %d\n", prctl(PR_GET_SECUREBITS), prctl(PR_GET_DUMPABLE));
    return 0;
  }
  in_child(general);
  in_child(headers);
  if (getuid() != 0) return 0;
  in_child(setuid_for_good);
  in_child(seteuid_and_back);
  in_child(saved);
  in_child(groups);
  in_child(fsids);
  in_child(keep);
  in_child(ambient);
  in_child(bounding);
  in_child(no_right_to_drop);
  in_child(securebits);
  in_child(exec_effective_root);
  in_child(exec_real_root);
  in_child(exec_saved_root);
  return 0;
}
