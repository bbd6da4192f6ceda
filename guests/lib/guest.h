// SPDX-License-Identifier: MIT
//
// For guests in C without a library: entry point, system calls, threads, signals, and the verdict. A guest's
// main returns 0 when all its checks held; CHECK ends it with the number of the first that did not.

#ifndef GUEST_H
#define GUEST_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;

enum {
  SYS_read = 0, SYS_write = 1, SYS_close = 3, SYS_mmap = 9, SYS_mprotect = 10, SYS_munmap = 11, SYS_brk = 12,
  SYS_rt_sigaction = 13, SYS_rt_sigprocmask = 14, SYS_rt_sigreturn = 15, SYS_pipe = 22, SYS_sched_yield = 24,
  SYS_pause = 34, SYS_nanosleep = 35, SYS_setitimer = 38, SYS_getpid = 39, SYS_clone = 56, SYS_fork = 57,
  SYS_exit = 60, SYS_wait4 = 61, SYS_kill = 62, SYS_sigaltstack = 131, SYS_arch_prctl = 158, SYS_gettid = 186,
  SYS_futex = 202, SYS_clock_gettime = 228, SYS_clock_nanosleep = 230, SYS_exit_group = 231, SYS_tgkill = 234,
};

enum { EINTR = 4, EAGAIN = 11, ENOMEM = 12, ENOSYS = 38, ETIMEDOUT = 110 };
enum { PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20, MAP_NORESERVE = 0x4000 };
enum { SIGILL = 4, SIGFPE = 8, SIGUSR1 = 10, SIGSEGV = 11, SIGUSR2 = 12, SIGALRM = 14, SIGCHLD = 17 };
enum { SIG_BLOCK = 0, SIG_UNBLOCK = 1, SIG_SETMASK = 2 };
enum { FUTEX_WAIT = 0, FUTEX_WAKE = 1, FUTEX_REQUEUE = 3, FUTEX_WAIT_BITSET = 9, FUTEX_WAKE_BITSET = 10, FUTEX_PRIVATE = 128 };

static inline i64 syscall6(i64 number, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f) {
  register i64 r10 __asm__("r10") = d;
  register i64 r8 __asm__("r8") = e;
  register i64 r9 __asm__("r9") = f;
  i64 result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#define SELECT_SYSCALL(_0, _1, _2, _3, _4, _5, _6, NAME, ...) NAME
#define SYSCALL0(n) syscall6(n, 0, 0, 0, 0, 0, 0)
#define SYSCALL1(n, a) syscall6(n, (i64)(a), 0, 0, 0, 0, 0)
#define SYSCALL2(n, a, b) syscall6(n, (i64)(a), (i64)(b), 0, 0, 0, 0)
#define SYSCALL3(n, a, b, c) syscall6(n, (i64)(a), (i64)(b), (i64)(c), 0, 0, 0)
#define SYSCALL4(n, a, b, c, d) syscall6(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), 0, 0)
#define SYSCALL5(n, a, b, c, d, e) syscall6(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), (i64)(e), 0)
#define SYSCALL6(n, a, b, c, d, e, f) syscall6(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), (i64)(e), (i64)(f))
#define syscall(...) \
  SELECT_SYSCALL(__VA_ARGS__, SYSCALL6, SYSCALL5, SYSCALL4, SYSCALL3, SYSCALL2, SYSCALL1, SYSCALL0)(__VA_ARGS__)

__attribute__((noreturn)) static inline void exit_group(int status) {
  for (;;) syscall(SYS_exit_group, status);
}

#define CHECK(number, condition)              \
  do {                                        \
    if (!(condition)) exit_group(number);     \
  } while (0)

struct timespec {
  i64 seconds, nanoseconds;
};

// Signals. The layouts are those of the kernel's headers (asm/sigcontext.h, asm/ucontext.h).

struct sigaction {
  void *handler;
  u64 flags;
  void *restorer;
  u64 mask;
};
enum { SA_SIGINFO = 4, SA_RESTORER = 0x04000000, SA_ONSTACK = 0x08000000, SA_RESTART = 0x10000000, SA_NODEFER = 0x40000000 };

struct siginfo {
  int signo, error, code, padding;
  union {
    u64 address;
    struct {
      int pid, uid;
    };
  };
  u64 rest[13];
};

enum { REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RDI, REG_RSI, REG_RBP, REG_RBX,
       REG_RDX, REG_RAX, REG_RCX, REG_RSP, REG_RIP, REG_EFLAGS, REG_SEGMENTS, REG_ERROR, REG_TRAP, REG_OLDMASK, REG_CR2 };

struct sigstack {
  void *base;
  int flags, padding;
  u64 size;
};

struct ucontext {
  u64 flags;
  struct ucontext *link;
  struct sigstack stack;
  u64 registers[23];
  void *fpstate;
  u64 reserved[8];
  u64 mask;
};

void guest_restorer(void);
__asm__(".text\n.globl guest_restorer\nguest_restorer:\n  mov $15, %eax\n  syscall\n");

typedef void handler_function(int signo, struct siginfo *info, struct ucontext *context);

static inline i64 handle(int signo, handler_function *handler, u64 flags) {
  struct sigaction action = {(void *)handler, flags | SA_SIGINFO | SA_RESTORER, (void *)guest_restorer, 0};
  return syscall(SYS_rt_sigaction, signo, &action, 0, 8);
}

static inline i64 send_to_self(int signo) {
  return syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid), signo);
}

// Threads: a stack, clone with the flags of a thread library, and a word that the kernel clears at the end.

enum { THREAD_STACK = 16384 };

struct thread {
  volatile u32 tid;
  u8 stack[THREAD_STACK] __attribute__((aligned(16)));
};

// rdi flags, rsi stack, rdx parent tid, rcx child tid, r8 function, r9 argument
i64 guest_clone(u64 flags, void *stack, volatile u32 *parent_tid, volatile u32 *child_tid, void (*function)(u64), u64 argument);
__asm__(
    ".text\n.globl guest_clone\nguest_clone:\n"
    "  push %r12\n"
    "  push %r13\n"
    "  mov %rcx, %r10\n"
    "  mov %r8, %r12\n"
    "  mov %r9, %r13\n"
    "  xor %r8d, %r8d\n"
    "  mov $56, %eax\n"
    "  syscall\n"
    "  test %rax, %rax\n"
    "  jz 1f\n"
    "  pop %r13\n"
    "  pop %r12\n"
    "  ret\n"
    "1:\n"
    "  xor %ebp, %ebp\n"
    "  mov %r13, %rdi\n"
    "  call *%r12\n"
    "  xor %edi, %edi\n"
    "  mov $60, %eax\n"
    "  syscall\n");

static inline i64 spawn(struct thread *thread, void (*function)(u64), u64 argument) {
  // CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, PARENT_SETTID, CHILD_CLEARTID
  u64 flags = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x100000 | 0x200000;
  return guest_clone(flags, thread->stack + THREAD_STACK, &thread->tid, &thread->tid, function, argument);
}

static inline void join(struct thread *thread) {
  for (u32 tid; (tid = thread->tid) != 0;) syscall(SYS_futex, &thread->tid, FUTEX_WAIT, tid, 0);
}

// The compiler may call these whatever it is told.
__attribute__((used)) static void *guest_memset(void *to, int value, u64 length) {
  u8 *bytes = to;
  for (u64 i = 0; i < length; i++) {
    bytes[i] = (u8)value;
    __asm__ volatile("" : : : "memory");
  }
  return to;
}
void *memset(void *to, int value, u64 length) __attribute__((alias("guest_memset")));

int guest_main(void);
__asm__(
    ".text\n.globl _start\n_start:\n"
    "  xor %ebp, %ebp\n"
    "  and $-16, %rsp\n"
    "  call guest_main\n"
    "  mov %eax, %edi\n"
    "  mov $231, %eax\n"
    "  syscall\n");

#endif
