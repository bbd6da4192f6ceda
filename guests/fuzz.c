// SPDX-License-Identifier: MIT
//
// Makes the system calls that a file lists, in children that may die of it. Does so only as the first process of a
// machine that has the file at /fuzz/calls, which is never a real one: anywhere else it ends at once.
// KEEP IN SYNC: test/programs/fuzz/call-list.ts CHUNK_BYTES

#include "lib/guest.h"

enum {
  IMAGE_BYTES = 16384, CALLS = 200, NUMBERS = 512, MAP_FIXED = 0x10, SYS_open = 2, SYS_setresuid = 117, SYS_setresgid = 119,
  SIGCONT = 18, SIGKILL = 9, __WALL = 0x40000000, UNPRIVILEGED = 1, THREADS = 2, PROCESSES = 4, WORKERS = 3,
};
#define SCRATCH 0x20000000ul
#define MAGIC 0x6c6c616368636165ul

// Where an argument comes from, four bits each.
enum { AS_GIVEN, OWN_PID, OWN_TID, LAST_RESULT, LAST_ADDRESS };

struct call {
  u32 number, sources;
  u64 arguments[6];
};

static struct chunk {
  u64 flags, magic, unused[6];
  u64 image[IMAGE_BYTES / 8];
  struct call calls[CALLS];
} chunk;

// One site for each number, as programs have them: mov $number, %eax; syscall; ret.
extern u8 sites[];
__asm__(".text\n.p2align 3\nsites:\n.set number, 0\n.rept 512\n  mov $number, %eax\n  syscall\n  ret\n.set number, number + 1\n.endr\n");

static i64 make(const struct call *call, const u64 *arguments) {
  register u64 r10 __asm__("r10") = arguments[3];
  register u64 r8 __asm__("r8") = arguments[4];
  register u64 r9 __asm__("r9") = arguments[5];
  i64 result;
  // Numbers beyond the sites are taken from the register.
  if (call->number >= NUMBERS)
    return syscall6(call->number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
  __asm__ volatile("sub $128, %%rsp\n  call *%%rax\n  add $128, %%rsp"
                   : "=a"(result)
                   : "a"(sites + 8 * call->number), "D"(arguments[0]), "S"(arguments[1]), "d"(arguments[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static void run(u64 worker) {
  u64 step = chunk.flags & (THREADS | PROCESSES) ? WORKERS : 1;
  u64 result = 0, address = SCRATCH;
  for (u64 i = worker; i < CALLS; i += step) {
    const struct call *call = &chunk.calls[i];
    u64 arguments[6];
    for (int k = 0; k < 6; k++) {
      u64 given = call->arguments[k];
      switch (call->sources >> (4 * k) & 15) {
        case OWN_PID: given = (u64)syscall(SYS_getpid); break;
        case OWN_TID: given = (u64)syscall(SYS_gettid); break;
        case LAST_RESULT: given += result; break;
        case LAST_ADDRESS: given += address; break;
      }
      arguments[k] = given;
    }
    i64 got = make(call, arguments);
    if (got >= 0) result = (u64)got;
    if (got >= 65536) address = (u64)got;
  }
}

static void on_alarm(int signo, struct siginfo *info, struct ucontext *context) {
  (void)signo, (void)info, (void)context;
}

static struct thread threads[WORKERS];

static void child(void) {
  u64 *scratch = (u64 *)syscall(SYS_mmap, SCRATCH, IMAGE_BYTES + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  for (int i = 0; i < IMAGE_BYTES / 8; i++) scratch[i] = chunk.image[i];
  syscall(SYS_mprotect, SCRATCH + IMAGE_BYTES, 4096, 0);
  // What sleeps is woken every 200 microseconds.
  handle(SIGALRM, on_alarm, 0);
  struct timespec every[2] = {{0, 200}, {0, 200}};
  syscall(SYS_setitimer, 0, every, 0);
  u64 none = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
  if (chunk.flags & UNPRIVILEGED) {
    syscall(SYS_setresgid, 1000, 1000, 1000);
    syscall(SYS_setresuid, 1000, 1000, 1000);
  }
  u64 worker = 0;
  if (chunk.flags & THREADS) {
    for (worker = WORKERS - 1; worker > 0; worker--) spawn(&threads[worker], run, worker);
  } else if (chunk.flags & PROCESSES) {
    for (worker = WORKERS - 1; worker > 0; worker--)
      if (syscall(SYS_fork) == 0) break;
  }
  run(worker);
  for (int i = 1; i < WORKERS && chunk.flags & THREADS; i++) join(&threads[i]);
}

int guest_main(void) {
  if (syscall(SYS_getpid) != 1) return 0;
  i64 file = syscall(SYS_open, "/fuzz/calls", 0);
  if (file < 0) return 0;
  u64 all = ~0ul;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, 0, 8);
  // A privileged child may have made the file larger: what follows is no chunk.
  while (syscall(SYS_read, file, &chunk, sizeof chunk) == sizeof chunk && chunk.magic == MAGIC) {
    if (syscall(SYS_fork) == 0) {
      syscall(SYS_close, file);
      child();
      return 0;
    }
    struct timespec time = {0, 10000000};
    syscall(SYS_nanosleep, &time, 0);
    // Whatever the child has become and made: everything but this process goes.
    syscall(SYS_kill, -1, SIGCONT);
    syscall(SYS_kill, -1, SIGKILL);
    while (syscall(SYS_wait4, -1, 0, __WALL, 0) > 0) {
    }
  }
  return 0;
}
