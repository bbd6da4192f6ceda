// SPDX-License-Identifier: MIT
//
// Performs memory calls from a script on standard input on the Linux that it runs on and prints what each gave.
// transcripts.txt beside it holds scripts with the answers of Linux 6.18; address-space-linux.test.ts gives the
// same calls to AddressSpace. Build and record: cc -O1 memory-calls.c -o memory-calls && ./memory-calls < SCRIPTS
//
// Pages are counted from 0x10000000. One call a line; a line "new" starts from an empty region and a fresh file
// of 6 pages and 100 bytes whose page k is filled with k+1.
//   m page pages prot flags kind offset   mmap; kind a anonymous, f file, r file opened read-only; offset in pages
//   u page pages         p page pages prot            munmap, mprotect
//   r page pages newpages flags newpage               mremap
//   a page pages advice  l page pages  n page pages   madvise, mlock, munlock
//   s page pages flags   c page pages                 msync, mincore
//   R page               W page value                 load and store of the byte 7 of a page
//   t size               truncate the file            M  the maps lines of the region
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BASE 0x10000000ul
#define REGION 64
#define PAGE 4096ul

static sigjmp_buf escape;
static volatile int fault_signal, fault_code;

static void on_fault(int signo, siginfo_t *info, void *context) {
  (void)context;
  fault_signal = signo;
  fault_code = info->si_code;
  siglongjmp(escape, 1);
}

static unsigned long at(long page) { return BASE + page * PAGE; }

static void result(long value) {
  if (value < 0 && value > -4096) printf(" = -%s\n", strerrorname_np(-value));
  else if ((unsigned long)value >= BASE) printf(" = page %ld\n", (long)((value - BASE) / PAGE));
  else printf(" = %ld\n", value);
}

static long call6(long nr, long a, long b, long c, long d, long e, long f) {
  long value = syscall(nr, a, b, c, d, e, f);
  return value == -1 ? -errno : value;
}

static void print_maps(void) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[512];
  while (fgets(line, sizeof line, maps)) {
    unsigned long start, end, offset;
    char perms[8], path[256] = "";
    sscanf(line, "%lx-%lx %7s %lx %*s %*s %255s", &start, &end, perms, &offset, path);
    if (end <= BASE || start >= at(REGION)) continue;
    const char *kind = path[0] == 0 ? "anon" : strstr(path, "/dev/zero") ? "shm" : "file";
    printf("  %ld-%ld %s %lx %s\n", (long)(start - BASE) / (long)PAGE, (long)(end - BASE) / (long)PAGE, perms, offset / PAGE, kind);
  }
  fclose(maps);
}

int main(void) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  char name[] = "/tmp/memory-calls-XXXXXX";
  int file = mkstemp(name);
  int readonly = open(name, O_RDONLY);
  unlink(name);
  char line[256];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    char op = line[0], kind;
    long a = 0, b = 0, c = 0, d = 0, e = 0;
    if (strcmp(line, "new") == 0) {
      munmap((void *)BASE, REGION * PAGE);
      if (ftruncate(file, 0)) return 1;
      char content[PAGE];
      for (int page = 0; page < 7; page++) {
        memset(content, page + 1, PAGE);
        if (pwrite(file, content, page < 6 ? PAGE : 100, page * PAGE) < 0) return 1;
      }
      puts("new");
      continue;
    }
    printf("%s", line);
    switch (op) {
    case 'm':
      sscanf(line + 1, "%ld %ld %ld %li %c %ld", &a, &b, &c, &d, &kind, &e);
      result(call6(SYS_mmap, at(a), b * PAGE, c, d, kind == 'a' ? -1 : kind == 'f' ? file : readonly, e * PAGE));
      break;
    case 'u':
      sscanf(line + 1, "%ld %ld", &a, &b);
      result(call6(SYS_munmap, at(a), b * PAGE, 0, 0, 0, 0));
      break;
    case 'p':
      sscanf(line + 1, "%ld %ld %ld", &a, &b, &c);
      result(call6(SYS_mprotect, at(a), b * PAGE, c, 0, 0, 0));
      break;
    case 'r':
      sscanf(line + 1, "%ld %ld %ld %ld %ld", &a, &b, &c, &d, &e);
      result(call6(SYS_mremap, at(a), b * PAGE, c * PAGE, d, at(e), 0));
      break;
    case 'a':
      sscanf(line + 1, "%ld %ld %ld", &a, &b, &c);
      result(call6(SYS_madvise, at(a), b * PAGE, c, 0, 0, 0));
      break;
    case 'l':
    case 'n':
      sscanf(line + 1, "%ld %ld", &a, &b);
      result(call6(op == 'l' ? SYS_mlock : SYS_munlock, at(a), b * PAGE, 0, 0, 0, 0));
      break;
    case 's':
      sscanf(line + 1, "%ld %ld %ld", &a, &b, &c);
      result(call6(SYS_msync, at(a), b * PAGE, c, 0, 0, 0));
      break;
    case 'c': {
      unsigned char vector[REGION];
      sscanf(line + 1, "%ld %ld", &a, &b);
      result(call6(SYS_mincore, at(a), b * PAGE, (long)vector, 0, 0, 0));
      break;
    }
    case 'R':
    case 'W':
      sscanf(line + 1, "%ld %ld", &a, &b);
      if (sigsetjmp(escape, 1)) {
        printf(" = %s %d\n", fault_signal == SIGBUS ? "SIGBUS" : "SIGSEGV", fault_code);
        break;
      }
      volatile unsigned char *byte = (unsigned char *)at(a) + 7;
      if (op == 'W') *byte = b;
      printf(" = %d\n", *byte);
      break;
    case 't':
      sscanf(line + 1, "%ld", &a);
      result(ftruncate(file, a) ? -errno : 0);
      break;
    case 'M':
      puts("");
      print_maps();
      break;
    }
  }
  return 0;
}
