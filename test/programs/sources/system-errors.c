// SPDX-License-Identifier: MIT
//
// Facts of the system and of what a process has used: uname(2), sysinfo(2), getrusage(2), times(2), personality(2),
// getrandom(2), syslog(2), capget(2), sethostname(2). Nothing here may change the machine's names.

#define _GNU_SOURCE
#include "outcome.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <time.h>

#define S(n, ...) syscall(SYS_##n, __VA_ARGS__)
#define NO_MEMORY ((void *)8)
#define NO_TASK 0x3ffffff

static void burn(void) {
  for (volatile int i = 0; i < 40000000; i++) ;
}

static void names(void) {
  struct utsname u;
  CALL(S(uname, NO_MEMORY));
  CALL(S(uname, 0));
  CALL(S(uname, &u));
  printf("%s %s\n", u.sysname, u.machine);
  // Only with lengths and places that cannot become a name.
  CALL(S(sethostname, "x", -1));
  CALL(S(sethostname, "x", 65));
  CALL(S(sethostname, NO_MEMORY, 65));
  CALL(S(sethostname, NO_MEMORY, 4));
  CALL(S(setdomainname, "x", -1));
  CALL(S(setdomainname, "x", 65));
  CALL(S(setdomainname, NO_MEMORY, 4));
  NOBODY(CALL(S(sethostname, "x", 65)); CALL(S(sethostname, NO_MEMORY, 4)); CALL(S(setdomainname, NO_MEMORY, 4)));
}

static void info(void) {
  struct sysinfo i;
  CALL(S(sysinfo, NO_MEMORY));
  CALL(S(sysinfo, 0));
  CALL(S(sysinfo, &i));
  SHOW(i.totalram > 0 && i.freeram > 0 && i.freeram <= i.totalram);
  SHOW(i.procs > 0);
  SHOW(i.mem_unit);
  SHOW(i.uptime >= 0);
}

static long micros(struct timeval t) { return t.tv_sec * 1000000 + t.tv_usec; }

static void usage(void) {
  struct rusage u, v, c;
  CALL(S(getrusage, 2, &u));
  CALL(S(getrusage, -2, &u));
  CALL(S(getrusage, 77, NO_MEMORY));
  CALL(S(getrusage, RUSAGE_SELF, NO_MEMORY));
  CALL(S(getrusage, RUSAGE_CHILDREN, NO_MEMORY));
  CALL(S(getrusage, RUSAGE_THREAD, NO_MEMORY));
  CALL(S(getrusage, RUSAGE_CHILDREN, &c));
  printf("no children yet: %ld %ld\n", micros(c.ru_utime), c.ru_maxrss);
  burn();
  CALL(S(getrusage, RUSAGE_SELF, &u));
  CALL(S(getrusage, RUSAGE_THREAD, &v));
  SHOW(micros(u.ru_utime) > 0 && micros(v.ru_utime) > 0);
  CHILD(burn(); char *p = mmap(0, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(p, 1, 64 << 20));
  CALL(S(getrusage, RUSAGE_CHILDREN, &c));
  SHOW(micros(c.ru_utime) > 0);
  // Linux counts pages in batches.
  SHOW(c.ru_maxrss >= 60 << 10);
  SHOW(u.ru_maxrss < 60 << 10);
  // Whoever is ignored is not counted.
  signal(SIGCHLD, SIG_IGN);
  CHILD(burn());
  signal(SIGCHLD, SIG_DFL);
  S(getrusage, RUSAGE_CHILDREN, &v);
  SHOW(micros(v.ru_utime) == micros(c.ru_utime));
  struct tms t;
  CALL(S(times, NO_MEMORY));
  SHOW(S(times, &t) > 0);
  SHOW(t.tms_utime >= 0 && t.tms_cutime >= 0);
  CHILD(CHILD(burn()); struct tms inner; times(&inner); SHOW(inner.tms_cutime + inner.tms_cstime >= 0));
}

static void personalities(void) {
  printf("at first %lx\n", S(personality, 0xffffffff) & ~(long)ADDR_NO_RANDOMIZE);
  S(personality, 0);
  CALL(S(personality, ADDR_NO_RANDOMIZE | MMAP_PAGE_ZERO));
  CALL(S(personality, 0xffffffff));
  CHILD(CALL(S(personality, 0xffffffff)); CALL(S(personality, 0)); CALL(S(personality, 0xffffffff)));
  CALL(S(personality, PER_LINUX));
  CALL(S(personality, UNAME26));
  CALL(S(personality, 0));
}

static void randomness(void) {
  char bytes[512];
  CALL(S(getrandom, bytes, 512, 0));
  CALL(S(getrandom, bytes, 0, 0));
  CALL(S(getrandom, bytes, 16, 8));
  CALL(S(getrandom, bytes, 16, -1));
  CALL(S(getrandom, bytes, 16, 2 | 4));
  CALL(S(getrandom, bytes, 16, 1 | 2));
  CALL(S(getrandom, bytes, 16, 4));
  CALL(S(getrandom, NO_MEMORY, 16, 0));
  CALL(S(getrandom, 0, 0, 0));
  char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(page + 4096, 4096);
  CALL(S(getrandom, page + 4096 - 16, 32, 0));
}

static void logs(void) {
  char text[16];
  NOBODY(CALL(S(syslog, 0, 0, 0)); CALL(S(syslog, 5, text, 16)); CALL(S(syslog, 8, 0, 4)); CALL(S(syslog, 77, 0, 0)));
  CALL(S(syslog, 77, 0, 0));
  CALL(S(syslog, -1, 0, 0));
  CALL(S(syslog, 0, 0, 0));
  CALL(S(syslog, 1, 0, 0));
  CALL(S(syslog, 2, 0, 16));
  CALL(S(syslog, 2, text, -1));
  CALL(S(syslog, 3, 0, 16));
  CALL(S(syslog, 3, text, -1));
  CALL(S(syslog, 3, text, 0));
  CALL(S(syslog, 3, NO_MEMORY, 0));
  CALL(S(syslog, 8, 0, 0));
  CALL(S(syslog, 8, 0, 9));
  SHOW(S(syslog, 10, 0, 0) > 0);
}

static void capabilities(void) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2] = {{0}};
  NOBODY(CALL(S(capget, &h, d)); printf("%x %x %x\n", d[0].effective, d[0].permitted, d[0].inheritable);
         CALL(S(capset, &h, d)); d[0].permitted = 1; CALL(S(capset, &h, d)); d[0].permitted = 0; d[0].effective = 1;
         CALL(S(capset, &h, d)); d[0].effective = 0; d[0].inheritable = 1; CALL(S(capset, &h, d)); d[0].inheritable = 0;
         h.pid = getppid(); CALL(S(capget, &h, d)); CALL(S(capset, &h, d)); h.pid = 1; CALL(S(capset, &h, d));
         h.pid = -5; CALL(S(capget, &h, d)); CALL(S(capset, &h, d)); h.pid = NO_TASK; CALL(S(capget, &h, d));
         h.version = 7; CALL(S(capget, &h, d)); printf("version %x\n", h.version); CALL(S(capget, 0, d));
         CALL(S(capset, 0, d)); CALL(S(capget, NO_MEMORY, 0)));
}

static void refusals(void) {
  // As nobody, who may none of it anywhere.
  NOBODY(CALL(S(reboot, 0, 0, 0, 0)); CALL(S(swapon, "/none", 0)); CALL(S(swapoff, "/none")); CALL(S(acct, "/none"));
         CALL(S(chroot, "/")); CALL(S(pivot_root, "/", "/")); CALL(S(mount, 0, "/", 0, 0, 0)); CALL(S(umount2, "/", 0));
         CALL(S(vhangup, 0)); CALL(S(setdomainname, "x", 1)); CALL(S(sethostname, "x", 1)));
  CALL(S(_sysctl, 0));
  CALL(S(get_kernel_syms, 0));
  CALL(S(query_module, 0));
  CALL(S(create_module, 0));
  CALL(S(nfsservctl, 0));
  CALL(S(getpmsg, 0));
  CALL(S(putpmsg, 0));
  CALL(S(afs_syscall, 0));
  CALL(S(tuxcall, 0));
  CALL(S(security, 0));
  CALL(S(epoll_ctl_old, 0));
  CALL(S(epoll_wait_old, 0));
  CALL(S(vserver, 0));
  CALL(S(set_thread_area, 0));
  CALL(S(get_thread_area, 0));
  CALL(S(uselib, "/none"));
  CALL(syscall(511));
  CALL(syscall(1000000));
  CALL(syscall(-1));
}

int main(void) {
  CHILD(names());
  CHILD(info());
  CHILD(usage());
  CHILD(personalities());
  CHILD(randomness());
  CHILD(logs());
  CHILD(capabilities());
  CHILD(refusals());
  return 0;
}
