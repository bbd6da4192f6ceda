// SPDX-License-Identifier: MIT
//
// Random system calls with random arguments, in children that may die of it. Runs only inside Trapline: on a real
// kernel it would do harm, so it looks where it is first.

#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t state;
static uint64_t rnd(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static char *page, *edge;
static char text[64] = "/tmp/file";

static uint64_t argument(void) {
  switch (rnd() % 16) {
    case 0: return 0;
    case 1: return 1;
    case 2: return (uint64_t)-1;
    case 3: return rnd() % 16;
    case 4: return rnd() % 4096;
    case 5: return (uint64_t)(page + rnd() % 4096);
    case 6: return (uint64_t)(page + (rnd() % 512) * 8);
    case 7: return (uint64_t)(edge - rnd() % 64);
    case 8: return (uint64_t)text;
    case 9: return 1ull << (rnd() % 64);
    case 10: return rnd();
    case 11: return rnd() & 0xffffffff;
    case 12: return (uint64_t)-(rnd() % 4096);
    case 13: return 0x7fffffffffff - rnd() % 65536;
    case 14: return (rnd() % 64) * 4096;
    default: return rnd() % 1024;
  }
}

static long call(long n, const uint64_t a[6]) {
  long r;
  register uint64_t r10 __asm__("r10") = a[3];
  register uint64_t r8 __asm__("r8") = a[4];
  register uint64_t r9 __asm__("r9") = a[5];
  __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return r;
}

static void child(long only) {
  page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(page + 4096, 4096, PROT_NONE);
  edge = page + 4096;
  for (int i = 0; i < 512; i++) ((uint64_t *)page)[i] = rnd() % 4 == 0 ? rnd() : argument();
  open("/tmp", O_RDONLY);
  open(text, O_CREAT | O_RDWR, 0644);
  int p[2];
  pipe(p);
  memfd_create("m", 0);
  for (int i = 0; i < 200; i++) {
    uint64_t a[6];
    for (int k = 0; k < 6; k++) a[k] = argument();
    long n = only >= 0 ? only : (long)(rnd() % 480);
    // Ends would end the fuzzing too soon.
    if (only < 0 && (n == SYS_exit || n == SYS_exit_group) && rnd() % 8 != 0) continue;
    call(n, a);
  }
  _exit(0);
}

int main(int argc, char **argv) {
  struct utsname u;
  uname(&u);
  if (strcmp(u.nodename, "trapline") != 0) return 77;
  state = 88172645463325252ull + (argc > 1 ? strtoull(argv[1], 0, 10) * 2654435761u : 0);
  int rounds = argc > 2 ? atoi(argv[2]) : 20;
  long only = argc > 3 ? atol(argv[3]) : -1;
  // Children with any exit signal and any idea of whom to kill must not end this process.
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, 0);
  for (int i = 0; i < rounds; i++) {
    uint64_t seed = rnd();
    pid_t pid = fork();
    if (pid == 0) {
      state = seed | 1;
      sigprocmask(SIG_UNBLOCK, &all, 0);
      // Most children may not harm this process.
      if (i % 4 != 0) setresuid(1000, 1000, 1000);
      child(only);
    }
    struct timespec t = {5, 0};
    nanosleep(&t, 0);
    // The child may have become the leader of anything: everything but this process goes.
    kill(-1, SIGCONT);
    kill(-1, SIGKILL);
    while (waitpid(-1, 0, __WALL) > 0) ;
  }
  printf("done\n");
  return 0;
}
