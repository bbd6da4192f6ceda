// SPDX-License-Identifier: MIT
//
// A sleep that was stopped and goes on as restart_syscall(2), from a site that another thread patches at that moment: the stub
// finds the guard byte behind the call that has just trapped and starts the site anew, with the site's own number.
// Threads sleep by a jump to the `syscall` of fresh sites, a parent stops and continues them, and one patches.

#include "lib/sites.h"

enum { SIGCONT = 18, SIGSTOP = 19, WNOHANG = 1, SLEEPERS = 8, ROUNDS = 40, STRIDE = 32 };

static struct thread threads[SLEEPERS];
static u8 *code;
static volatile int continued;
static volatile u32 round, asleep, awake, wrong;
static volatile i64 result_of_one;

static void on_continue(int signo, struct siginfo *info, struct ucontext *context) {
  (void)signo, (void)info, (void)context;
  continued = 1;
}

/** clock_nanosleep at the second instruction of a site that says nanosleep: so it is not patched by this call. */
static i64 sleep_at(const u8 *site, struct timespec *time) {
  register i64 r10 __asm__("r10") = 0;
  i64 result;
  __asm__ volatile("call *%1"
                   : "=a"(result)
                   : "r"(site + 5), "0"((i64)SYS_clock_nanosleep), "D"(1L), "S"(0L), "d"(time), "r"(r10)
                   : "rcx", "r8", "r9", "r11", "memory");
  return result;
}

static i64 patch_by_calling(const u8 *site, struct timespec *time) {
  i64 result;
  __asm__ volatile("call *%1" : "=a"(result) : "r"(site), "D"(time), "S"(0L) : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory");
  return result;
}

static void wait_a_little(void) {
  struct timespec time = {0, 200000};
  quiet(SYS_nanosleep, &time, 0);
}

static u8 *site_of(u32 number) { return code + number * STRIDE + 1; }

static void sleep_each_round(u64 unused) {
  (void)unused;
  u64 mask = 1UL << (SIGCONT - 1);
  quiet(SYS_rt_sigprocmask, SIG_BLOCK, &mask, 0, 8);
  for (u32 now = 1; now <= ROUNDS; now++) {
    while (round < now) wait_a_little();
    struct timespec time = {0, 6000000};
    __sync_fetch_and_add(&asleep, 1);
    i64 result = sleep_at(site_of(now), &time);
    if (result != 0) {
      __sync_fetch_and_add(&wrong, 1);
      result_of_one = result;
    }
    __sync_fetch_and_add(&awake, 1);
  }
}

static void child(volatile u32 *patched_soon) {
  code = map_at(0, (ROUNDS + 1) * STRIDE, RWX);
  for (u32 i = 0; i <= ROUNDS; i++) make_site(site_of(i), SYS_nanosleep);
  CHECK(2, handle(SIGCONT, on_continue, SA_RESTART) == 0);
  for (int i = 0; i < SLEEPERS; i++) CHECK(3, spawn(&threads[i], sleep_each_round, 0) > 0);
  struct timespec nothing = {0, 0};
  u32 random = 1;
  for (u32 now = 1; now <= ROUNDS; now++) {
    asleep = awake = 0;
    continued = 0;
    round = now;
    while (asleep < SLEEPERS) wait_a_little();
    wait_a_little();
    *patched_soon = now;
    while (!continued) __asm__ volatile("pause");
    random = random * 1103515245 + 12345;
    // Sometimes soon, sometimes when others have had a turn.
    for (u32 i = 0; i < (random >> 26) % SLEEPERS; i++) quiet(SYS_sched_yield);
    for (volatile u32 i = 0; i < (random >> 16) % 3000; i++) {
    }
    CHECK(4, patch_by_calling(site_of(now), &nothing) == 0);
    while (awake < SLEEPERS) wait_a_little();
  }
  for (int i = 0; i < SLEEPERS; i++) join(&threads[i]);
  say("d10");
  tell("sleeps", ROUNDS * SLEEPERS);
  tell("wrong-results", wrong);
  tell("error", (u64)-result_of_one);
  end_line();
  finish(wrong != 0);
}

int guest_main(void) {
  volatile u32 *patched_soon = (u32 *)quiet(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  i64 pid = quiet(SYS_fork);
  if (pid == 0) child(patched_soon);
  int status = 0;
  for (u32 now = 1; now <= ROUNDS; now++) {
    while (*patched_soon < now) {
      if (quiet(SYS_wait4, pid, &status, WNOHANG, 0) == pid) finish(5);
      wait_a_little();
    }
    quiet(SYS_kill, pid, SIGSTOP);
    wait_a_little();
    quiet(SYS_kill, pid, SIGCONT);
  }
  CHECK(6, quiet(SYS_wait4, pid, &status, 0, 0) == pid);
  finish(status >> 8 | (status & 127));
}
