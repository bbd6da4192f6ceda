// SPDX-License-Identifier: MIT
//
// prctl(2) and arch_prctl(2): each option's values and errors. What depends on the machine's processor or on how its
// kernel was built is left out, and so is what came after Linux 6.1.

#define _GNU_SOURCE
#include "outcome.h"
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define P(...) syscall(SYS_prctl, __VA_ARGS__)
#define NO_MEMORY 8ul
// As numbers, for headers that are older than the kernel.
#define SET_MM 35
#define SET_THP_DISABLE 41
#define GET_THP_DISABLE 42
#define SET_IO_FLUSHER 57
#define GET_IO_FLUSHER 58
#define USER_DISPATCH 59
#define SCHED_CORE 62
#define SET_PTRACER 0x59616d61
#define SET_VMA 0x53564d41

static void options(void) {
  // Options of other processors, and numbers that are none.
  static const int none[] = {0, 5, 6, 9, 10, 11, 12, 19, 20, 43, 44, 45, 46, 50, 51, 54, 55, 56, 99, 1000, -1, 0x59616d61 + 1};
  for (unsigned i = 0; i < sizeof none / sizeof *none; i++) {
    long r = P(none[i], 1, 0, 0, 0);
    printf("option %d: %ld %d\n", none[i], r, r < 0 ? errno : 0);
  }
  CALL(P(PR_GET_TIMING, 0, 0, 0, 0));
  CALL(P(PR_SET_TIMING, PR_TIMING_STATISTICAL, 0, 0, 0));
  CALL(P(PR_SET_TIMING, PR_TIMING_TIMESTAMP, 0, 0, 0));
  CALL(P(PR_SET_TIMING, 9, 0, 0, 0));
}

static void names(void) {
  char name[17] = "";
  CALL(P(PR_SET_NAME, "a name", 0, 0, 0));
  CALL(P(PR_GET_NAME, name, 0, 0, 0));
  printf("%s\n", name);
  CALL(P(PR_SET_NAME, "0123456789abcdefgh", 7, 7, 7));
  CALL(P(PR_GET_NAME, name, 0, 0, 0));
  printf("%s\n", name);
  CALL(P(PR_SET_NAME, NO_MEMORY, 0, 0, 0));
  CALL(P(PR_GET_NAME, NO_MEMORY, 0, 0, 0));
  CALL(P(PR_SET_NAME, 0, 0, 0, 0));
  CALL(P(PR_SET_NAME, "", 0, 0, 0));
  CALL(P(PR_GET_NAME, name, 0, 0, 0));
  printf("[%s]\n", name);
  // A name at the end of what there is.
  char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(page + 4096, 4096);
  strcpy(page + 4096 - 4, "end");
  CALL(P(PR_SET_NAME, page + 4096 - 4, 0, 0, 0));
  CALL(P(PR_SET_NAME, page + 4096 - 3, 0, 0, 0));
  memcpy(page + 4096 - 3, "end", 3);
  CALL(P(PR_SET_NAME, page + 4096 - 3, 0, 0, 0));
  CALL(P(PR_GET_NAME, page + 4096 - 8, 0, 0, 0));
  CALL(P(PR_GET_NAME, name, 0, 0, 0));
  printf("%s\n", name);
}

static int integer;
static void flags(void) {
  CALL(P(PR_SET_PDEATHSIG, 65, 0, 0, 0));
  CALL(P(PR_SET_PDEATHSIG, -1, 0, 0, 0));
  CALL(P(PR_SET_PDEATHSIG, 64, 0, 0, 0));
  CALL(P(PR_GET_PDEATHSIG, &integer, 0, 0, 0));
  SHOW(integer);
  CALL(P(PR_GET_PDEATHSIG, NO_MEMORY, 0, 0, 0));
  CHILD(P(PR_GET_PDEATHSIG, &integer, 0, 0, 0); SHOW(integer));
  CALL(P(PR_SET_PDEATHSIG, 0, 0, 0, 0));
  CALL(P(PR_GET_DUMPABLE, 0, 0, 0, 0));
  CALL(P(PR_SET_DUMPABLE, 2, 0, 0, 0));
  CALL(P(PR_SET_DUMPABLE, -1, 0, 0, 0));
  CALL(P(PR_SET_DUMPABLE, 0, 0, 0, 0));
  CALL(P(PR_GET_DUMPABLE, 0, 0, 0, 0));
  CHILD(CALL(P(PR_GET_DUMPABLE, 0, 0, 0, 0)));
  CALL(P(PR_SET_DUMPABLE, 1, 9, 9, 9));
  CALL(P(PR_SET_CHILD_SUBREAPER, 77, 0, 0, 0));
  CALL(P(PR_GET_CHILD_SUBREAPER, &integer, 0, 0, 0));
  SHOW(integer);
  CALL(P(PR_GET_CHILD_SUBREAPER, NO_MEMORY, 0, 0, 0));
  CHILD(P(PR_GET_CHILD_SUBREAPER, &integer, 0, 0, 0); SHOW(integer));
  CALL(P(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0));
  CALL(P(PR_GET_KEEPCAPS, 0, 0, 0, 0));
  CALL(P(PR_SET_KEEPCAPS, 2, 0, 0, 0));
  CALL(P(PR_SET_KEEPCAPS, -1, 0, 0, 0));
  CALL(P(PR_SET_KEEPCAPS, 1, 0, 0, 0));
  CALL(P(PR_GET_KEEPCAPS, 0, 0, 0, 0));
  CALL(P(PR_SET_KEEPCAPS, 0, 0, 0, 0));
  CALL(P(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  CALL(P(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
  CALL(P(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 1));
  CALL(P(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
  CALL(P(PR_SET_NO_NEW_PRIVS, 2, 0, 0, 0));
  CALL(P(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
  CALL(P(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 1));
  CALL(P(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  CALL(P(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  CHILD(CALL(P(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)));
  CALL(P(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
  CALL(P(PR_GET_TSC, &integer, 0, 0, 0));
  SHOW(integer);
  CALL(P(PR_GET_TSC, NO_MEMORY, 0, 0, 0));
  CALL(P(PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0));
  CALL(P(PR_SET_TSC, 0, 0, 0, 0));
  CALL(P(PR_SET_TSC, 3, 0, 0, 0));
  CALL(P(PR_TASK_PERF_EVENTS_DISABLE, 0, 0, 0, 0));
  CALL(P(PR_TASK_PERF_EVENTS_ENABLE, 7, 7, 7, 7));
}

static void slack(void) {
  CALL(P(PR_SET_TIMERSLACK, 1234, 0, 0, 0));
  CALL(P(PR_GET_TIMERSLACK, 0, 0, 0, 0));
  CHILD(CALL(P(PR_GET_TIMERSLACK, 0, 0, 0, 0)); CALL(P(PR_SET_TIMERSLACK, 99, 0, 0, 0));
        CALL(P(PR_SET_TIMERSLACK, 0, 0, 0, 0)); CALL(P(PR_GET_TIMERSLACK, 0, 0, 0, 0)));
  CALL(P(PR_SET_TIMERSLACK, 0, 0, 0, 0));
  CALL(P(PR_GET_TIMERSLACK, 0, 0, 0, 0));
}

static void pages(void) {
  CALL(P(GET_THP_DISABLE, 0, 0, 0, 0));
  CALL(P(GET_THP_DISABLE, 1, 0, 0, 0));
  CALL(P(GET_THP_DISABLE, 0, 0, 1, 0));
  CALL(P(SET_THP_DISABLE, 1, 0, 1, 0));
  CALL(P(SET_THP_DISABLE, 1, 0, 0, 1));
  CALL(P(SET_THP_DISABLE, 1, 0, 0, 0));
  CALL(P(GET_THP_DISABLE, 0, 0, 0, 0));
  CHILD(CALL(P(GET_THP_DISABLE, 0, 0, 0, 0)));
  CALL(P(SET_THP_DISABLE, 0, 0, 0, 0));
  CALL(P(GET_THP_DISABLE, 0, 0, 0, 0));
}

static void memory_errors(void) {
  CALL(P(PR_MCE_KILL_GET, 0, 0, 0, 0));
  CALL(P(PR_MCE_KILL_GET, 1, 0, 0, 0));
  CALL(P(PR_MCE_KILL_GET, 0, 0, 0, 1));
  CALL(P(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 1, 0, 0));
  CALL(P(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 1, 0));
  CALL(P(PR_MCE_KILL, PR_MCE_KILL_SET, 3, 0, 0));
  CALL(P(PR_MCE_KILL, PR_MCE_KILL_SET, -1, 0, 0));
  CALL(P(PR_MCE_KILL, 7, 0, 0, 0));
  for (int policy = 0; policy < 3; policy++) {
    CALL(P(PR_MCE_KILL, PR_MCE_KILL_SET, policy, 0, 0));
    CALL(P(PR_MCE_KILL_GET, 0, 0, 0, 0));
  }
  CALL(P(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
  CHILD(CALL(P(PR_MCE_KILL_GET, 0, 0, 0, 0)));
  CALL(P(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0));
  CALL(P(PR_MCE_KILL_GET, 0, 0, 0, 0));
}

static void as_nobody(void) {
  CALL(P(SET_MM, 0, 0, 0, 0));
  CALL(P(SET_MM, 1, 0x400000, 0, 0));
  CALL(P(SET_MM, 1, 0x400000, 1, 0));
  CALL(P(SET_MM, 1, 0x400000, 0, 1));
  CALL(P(SET_IO_FLUSHER, 1, 0, 0, 0));
  CALL(P(GET_IO_FLUSHER, 0, 0, 0, 0));
  CALL(P(PR_SET_SECUREBITS, 0, 0, 0, 0));
  CALL(P(PR_GET_SECUREBITS, 0, 0, 0, 0));
  CALL(P(PR_CAPBSET_DROP, 0, 0, 0, 0));
  CALL(P(PR_CAPBSET_READ, 0, 0, 0, 0));
  CALL(P(PR_CAPBSET_READ, 64, 0, 0, 0));
  CALL(P(PR_CAPBSET_READ, -1, 0, 0, 0));
  CALL(P(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 0, 0, 0));
  CALL(P(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 0, 0, 0));
  CALL(P(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
  CALL(P(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0));
  CALL(P(PR_CAP_AMBIENT, 9, 0, 0, 0));
  CALL(P(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 77, 0, 0));
  CALL(P(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 0, 1, 0));
}

static void dispatch(void) {
  CALL(P(USER_DISPATCH, 2, 0, 0, 0));
  CALL(P(USER_DISPATCH, -1, 0, 0, 0));
  CALL(P(USER_DISPATCH, 0, 1, 0, 0));
  CALL(P(USER_DISPATCH, 0, 0, 1, 0));
  CALL(P(USER_DISPATCH, 0, 0, 0, 1));
}

// What is the same whatever the processor and the kernel's configuration.
static void others(void) {
  CALL(P(PR_GET_SPECULATION_CTRL, 0, 1, 0, 0));
  CALL(P(PR_GET_SPECULATION_CTRL, 0, 0, 1, 0));
  CALL(P(PR_GET_SPECULATION_CTRL, 0, 0, 0, 1));
  CALL(P(PR_GET_SPECULATION_CTRL, 77, 0, 0, 0));
  CALL(P(PR_GET_SPECULATION_CTRL, -1l, 0, 0, 0));
  CALL(P(PR_SET_SPECULATION_CTRL, 0, 2, 1, 0));
  CALL(P(PR_SET_SPECULATION_CTRL, 0, 2, 0, 1));
  CALL(P(PR_SET_SPECULATION_CTRL, 77, 2, 0, 0));
  CALL(P(SCHED_CORE, 9, 0, 0, 0));
  CALL(P(SCHED_CORE, 1, 0, 9, 0));
  CALL(P(SCHED_CORE, 0, 0, 0, NO_MEMORY));
  CALL(P(SCHED_CORE, 0, 0, 1, &integer));
  CALL(P(SET_PTRACER, 0x3ffffff, 0, 0, 0));
  CALL(P(SET_PTRACER, -2l, 0, 0, 0));
}

static void regions(void) {
  char *p = mmap(0, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CALL(P(SET_VMA, 1, p, 8192, "name"));
  CALL(P(SET_VMA, 7, p, 8192, 0));
}

static void seccomp(void) {
  CALL(P(PR_GET_SECCOMP, 0, 0, 0, 0));
  CALL(P(PR_SET_SECCOMP, 0, 0, 0, 0));
  CALL(P(PR_SET_SECCOMP, 3, 0, 0, 0));
  P(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  CALL(P(PR_SET_SECCOMP, 2, NO_MEMORY, 0, 0));
  CALL(P(PR_SET_SECCOMP, 2, 0, 0, 0));
}

static void bases(void) {
  unsigned long base = 0;
  CALL(syscall(SYS_arch_prctl, 0, 0));
  CALL(syscall(SYS_arch_prctl, 0x9999, 0));
  CALL(syscall(SYS_arch_prctl, -1, 0));
  CALL(syscall(SYS_arch_prctl, 0x1003, NO_MEMORY));
  CALL(syscall(SYS_arch_prctl, 0x1003, &base));
  SHOW(base == (unsigned long)__builtin_thread_pointer());
  CALL(syscall(SYS_arch_prctl, 0x1002, -1ul));
  CALL(syscall(SYS_arch_prctl, 0x1002, 0x800000000000ul));
  CALL(syscall(SYS_arch_prctl, 0x1002, base));
}

int main(void) {
  CHILD(options());
  CHILD(names());
  CHILD(flags());
  CHILD(slack());
  CHILD(pages());
  CHILD(memory_errors());
  NOBODY(as_nobody());
  CHILD(dispatch());
  CHILD(others());
  CHILD(regions());
  CHILD(seccomp());
  CHILD(bases());
  return 0;
}
