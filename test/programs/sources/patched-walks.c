// SPDX-License-Identifier: MIT
//
// Walks of random steps over code with syscall sites: calls them in every way, and does to that code and to addresses
// around what a program may do. A line a walk: its number and a hash of all that it has seen.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

enum { PAGE = 4096, PAGES = 4, STEPS = 24, STACK = 65536, MOST_TRAPS = 64 };
static u8 *const code = (u8 *)0x20000000;
static u8 *const spare = (u8 *)0x30000000;
#define WINDOW 0x60000ul

static struct shared {
  u64 hash, steps;
} *shared;
static int verbose;
static u64 state;

static u32 below(u32 n) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (u32)((state >> 11) % n);
}

static void note(const char *what, u64 value) {
  if (verbose) dprintf(1, "  %s %lx\n", what, value);
  shared->hash = (shared->hash ^ value) * 0x100000001b3ul;
}

// What is where. Rights are PROT_ bits, -1: nothing is mapped.
static int rights[PAGES];
static int is_file;
static u8 pages[PAGES * PAGE];
static int memory_file;

enum shape { PLAIN, R8D, MOVABS, STORE, TAIL, PAIR, SHAPES };
static struct function {
  u32 offset, number, other;
  enum shape shape;
} functions[64];
static u32 function_count;
static const u32 NUMBERS[] = {39, 102, 104, 107, 108, 110, 186, 24, 1000};

static u64 unpatched(u64 number) {
  u64 result;
  __asm__ volatile("nop\n\tsyscall" : "=a"(result) : "a"(number), "D"(0), "S"(0), "d"(0) : "rcx", "r11", "memory");
  return result;
}

static u8 *put(u8 *to, const char *hex) {
  for (; *hex; hex += *hex == ' ') {
    if (*hex == ' ') continue;
    u32 byte;
    sscanf(hex, "%2x", &byte);
    *to++ = (u8)byte;
    hex += 2;
  }
  return to;
}

static u8 *put_number(u8 *to, u32 number) {
  memcpy(to, &number, 4);
  return to + 4;
}

static u8 *mov(u8 *to, u32 number) {
  *to = 0xb8;
  return put_number(to + 1, number);
}

/** Writes a function; returns its end. */
static u8 *make(u8 *at, struct function *f) {
  switch (f->shape) {
    case PLAIN:
      return put(mov(at, f->number), "0f 05 c3");
    case R8D:
      at = mov(at, f->number);
      *at++ = 0x41;
      return put(mov(at, f->number), "0f 05 c3");
    case MOVABS:
      at = mov(at, f->number);
      at = put(at, "48 bb 11 22 33");
      return put(mov(at, f->number), "0f 05 c3");
    case STORE:
      at = mov(at, f->number);
      at = put(at, "c7 44 24");
      return put(mov(at, f->number), "0f 05 c3");
    case TAIL:
      // mov number; syscall; ret; mov other; jmp to the syscall
      at = put(mov(at, f->number), "0f 05 c3");
      return put(mov(at, f->other), "eb f4");
    default:
      at = put(mov(at, f->number), "0f 05");
      return put(mov(at, f->other), "0f 05 c3");
  }
}

static void make_pages(void) {
  memset(pages, 0x90, sizeof pages);
  function_count = 0;
  for (u32 at = 16 + below(32); at < sizeof pages - 64 && function_count < 64;) {
    struct function *f = &functions[function_count++];
    *f = (struct function){at, NUMBERS[below(9)], NUMBERS[below(9)], below(SHAPES)};
    at = (u32)(make(pages + at, f) - pages) + 1 + below(600);
    // Now and then over the end of a page.
    if (below(6) == 0) at = (at | (PAGE - 1)) - below(9);
  }
}

static void map_page(u32 i, int protection) {
  u8 *at = code + i * PAGE;
  if (is_file) {
    mmap(at, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, memory_file, i * PAGE);
  } else {
    mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memcpy(at, pages + i * PAGE, PAGE);
  }
  mprotect(at, PAGE, protection);
  rights[i] = protection;
}

// Calls with all registers given, and all looked at.
struct registers {
  u64 r[16], flags, stack_changed;
};
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 };

void call_all(struct registers *, const void *, u8 *stack);
__asm__(
    ".text\n.globl call_all\ncall_all:\n"
    "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"
    "mov %rsp, saved_rsp(%rip)\nmov %rdi, saved_registers(%rip)\nmov %rsi, saved_target(%rip)\nmov %rdx, %rsp\n"
    "pushq 128(%rdi)\npopfq\n"
    "mov 0(%rdi), %rax\nmov 8(%rdi), %rcx\nmov 16(%rdi), %rdx\nmov 24(%rdi), %rbx\nmov 40(%rdi), %rbp\nmov 48(%rdi), %rsi\n"
    "mov 64(%rdi), %r8\nmov 72(%rdi), %r9\nmov 80(%rdi), %r10\nmov 88(%rdi), %r11\nmov 96(%rdi), %r12\nmov 104(%rdi), %r13\n"
    "mov 112(%rdi), %r14\nmov 120(%rdi), %r15\nmov 56(%rdi), %rdi\n"
    "call *saved_target(%rip)\n"
    "call_all_end:\n"
    "mov %rdi, saved_rdi(%rip)\nmov saved_registers(%rip), %rdi\n"
    "pushfq\npopq 128(%rdi)\ncld\n"
    "mov %rax, 0(%rdi)\nmov %rcx, 8(%rdi)\nmov %rdx, 16(%rdi)\nmov %rbx, 24(%rdi)\nmov %rsp, 32(%rdi)\nmov %rbp, 40(%rdi)\n"
    "mov %rsi, 48(%rdi)\nmov %r8, 64(%rdi)\nmov %r9, 72(%rdi)\nmov %r10, 80(%rdi)\nmov %r11, 88(%rdi)\nmov %r12, 96(%rdi)\n"
    "mov %r13, 104(%rdi)\nmov %r14, 112(%rdi)\nmov %r15, 120(%rdi)\nmov saved_rdi(%rip), %rax\nmov %rax, 56(%rdi)\n"
    "mov saved_rsp(%rip), %rsp\n"
    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n"
    ".bss\n.globl saved_rsp\nsaved_rsp: .quad 0\nsaved_registers: .quad 0\nsaved_target: .quad 0\nsaved_rdi: .quad 0\n.text\n");

static u8 call_stack[STACK] __attribute__((aligned(64)));

// A program whose code is not there any more, or no code, gets its signal here.
static u64 traps, trap_hash;
static int steps_on;
extern u8 call_all_end[];
static u64 redirect, redirect_rax;
static int in_call;

static void handler(int signo, siginfo_t *info, void *context) {
  greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
  if (signo == SIGTRAP) {
    u64 rip = (u64)g[REG_RIP];
    if (rip >= (u64)code && rip < (u64)code + PAGES * PAGE) {
      // Whether there is a trap right behind a syscall depends on who steps.
      u64 at = rip - (u64)code;
      int is_behind = at >= 2 && pages[at - 2] == 0x0f && pages[at - 1] == 0x05;
      if (traps < MOST_TRAPS && !is_behind) note("step", rip - (u64)code), note("  rax", g[REG_RAX] > 2000 ? 1 : 0);
      traps++;
    }
    if (!steps_on || rip == (u64)call_all_end || traps > MOST_TRAPS) g[REG_EFL] &= ~0x100ul;
    return;
  }
  if (signo == SIGUSR1) {
    if (redirect) {
      g[REG_RIP] = (greg_t)redirect;
      g[REG_RAX] = (greg_t)redirect_rax;
      redirect = 0;
    }
    return;
  }
  // Anywhere else, in a thread that shares memory too, it is the end.
  if (!in_call) _exit(100 + signo);
  note("signal", (u64)signo);
  note("si_code", (u64)info->si_code);
  note("rip", (u64)g[REG_RIP] - (u64)code);
  note("addr", (u64)info->si_addr - (u64)code);
  // Back to who called, with the stack as the call left it.
  g[REG_RIP] = (greg_t)(u64)call_all_end;
  g[REG_RSP] = (greg_t)(u64)(call_stack + STACK - 1024);
  g[REG_EFL] &= ~0x100ul;
}

static void call_at(const u8 *target, u64 rax, int is_stepped) {
  struct registers r;
  for (int i = 0; i < 16; i++) r.r[i] = 0x1000ul * (u64)i + below(4096);
  r.r[RAX] = rax;
  r.r[RDI] = r.r[RSI] = r.r[RDX] = 0;
  r.flags = 0x202 | (below(2) ? 0x8d5 & ~0x100ul : 0) | (below(4) == 0 ? 0x400 : 0);
  if (is_stepped) r.flags |= 0x100;
  u8 *top = call_stack + STACK - 1024;
  memset(top - 512, 0xa5, 512);
  u64 vector[2] = {below(1 << 30), below(1 << 30)}, after[2];
  traps = 0;
  steps_on = is_stepped;
  __asm__ volatile("movdqu %0, %%xmm9\nmovdqu %0, %%xmm0" : : "m"(vector) : "xmm9", "xmm0");
  in_call = 1;
  call_all(&r, target, top);
  in_call = 0;
  __asm__ volatile("movdqu %%xmm9, %0" : "=m"(after));
  steps_on = 0;
  u32 changed = 0;
  // The return address, and what a function stores below it.
  for (int i = 9; i <= 512; i++) changed += top[-i] != 0xa5;
  note("stack", is_stepped ? 0 : changed);
  note("vector", vector[0] == after[0] && vector[1] == after[1]);
  u64 result = r.r[RAX];
  for (u32 i = 0; i < 9; i++) {
    if (result == unpatched(NUMBERS[i])) {
      result = 0xca11000 + NUMBERS[i];
      break;
    }
  }
  note("rax", result);
  for (int i = 1; i < 16; i++) {
    if (i == RSP) note("rsp", r.r[i] - (u64)top);
    else note(i == RCX ? "rcx" : i == 11 ? "r11" : "register", i == RCX ? r.r[i] - (u64)code : r.r[i]);
  }
  note("flags", r.flags & ~0x100ul);
}

static struct function *any(void) { return &functions[below(function_count)]; }

static int is_writable(u32 offset, u32 length) {
  for (u32 i = offset / PAGE; i <= (offset + length - 1) / PAGE; i++)
    if (rights[i] < 0 || !(rights[i] & PROT_WRITE)) return 0;
  return 1;
}

/** Offset of the last `mov` of a function, the one before its first syscall. */
static u32 last_mov(const struct function *f) {
  switch (f->shape) {
    case R8D:
      return f->offset + 6;
    case MOVABS:
      return f->offset + 10;
    case STORE:
      return f->offset + 8;
    default:
      return f->offset;
  }
}

static int in_thread(void *argument) {
  u64 result;
  const struct function *f = argument;
  __asm__ volatile("call *%1" : "=a"(result) : "r"(code + f->offset), "D"(0), "S"(0), "d"(0) : "rcx", "r8", "rbx", "r11", "memory");
  syscall(SYS_exit, 0);
  return (int)result;
}

// A thread that makes calls from code of its own, whatever the walk does to the rest of the process.
static u8 *const other_code = (u8 *)0x28000000;
enum { OTHER_SITES = 40, OTHER_STRIDE = 32 };
static volatile u64 other_wrong, other_rounds;
static u8 other_stack[STACK] __attribute__((aligned(64)));

static int stand_by(void *argument) {
  const u64 pid = (u64)argument;
  for (;; other_rounds++) {
    for (u64 i = 0; i < OTHER_SITES; i++) {
      u8 *at = other_code + i * OTHER_STRIDE;
      u64 result, next, kept;
      __asm__ volatile("mov %5, %%rbx\n\tsub $128, %%rsp\n\tcall *%4\n\tadd $128, %%rsp\n\tmov %%rbx, %2"
                       : "=a"(result), "=c"(next), "=r"(kept), "=D"((u64){0})
                       : "r"(at), "r"(i), "D"(0), "S"(0), "d"(0)
                       : "rbx", "r11", "memory");
      other_wrong += result != pid || next != (u64)at + 7 || kept != i;
    }
  }
  return 0;
}

static void start_thread(void) {
  mmap(other_code, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  for (u64 i = 0; i < OTHER_SITES; i++) {
    memset(other_code + i * OTHER_STRIDE, 0x90, OTHER_STRIDE);
    put(mov(other_code + i * OTHER_STRIDE, 39), "0f 05 c3");
  }
  mprotect(other_code, PAGE, PROT_READ | PROT_EXEC);
  int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  clone(stand_by, other_stack + STACK - 64, flags, (void *)(u64)getpid());
}

static u8 thread_stack[STACK] __attribute__((aligned(64)));

static void walk(u32 steps);

static void step(void) {
  struct function *f = any();
  u32 page = below(PAGES);
  u8 *at = code + page * PAGE;
  u32 kind = below(30);
  note("kind", kind);
  switch (kind) {
    default:
      call_at(code + f->offset, 0x77777777, 0);
      call_at(code + f->offset, 0x77777777, 0);
      return;
    case 10:
      call_at(code + f->offset, 0x77777777, 1);
      return;
    case 11:
      call_at(code + last_mov(f) + 5, f->number, below(3) == 0);
      return;
    case 12:
      call_at(code + last_mov(f) + 5, NUMBERS[below(9)], below(3) == 0);
      return;
    case 13:
      call_at(code + last_mov(f) + 5, 0xdeadbeef00000000ul + f->number, 0);
      return;
    case 14: {
      int protection = (int[]){5, 3, 1, 5, 7, 0, 4, 5}[below(8)];
      // What is written in place in a file's writable code is a limit that the README names.
      if (is_file && protection == 7) protection = 3;
      u32 length = below(2) ? PAGE : 1;
      int result = mprotect(at, length, protection);
      note("mprotect", (u64)result);
      if (result == 0) rights[page] = protection;
      return;
    }
    case 15:
      if (f->shape == PLAIN && is_writable(f->offset, 8)) {
        f->number = NUMBERS[below(9)];
        put_number(code + f->offset + 1, f->number);
      }
      return;
    case 16:
      if (is_writable(page * PAGE, PAGE)) {
        u64 sum = 0;
        for (int i = 0; i < PAGE; i++) sum = sum * 31 + at[i];
        note("bytes", sum);
      }
      return;
    case 17:
      note("munmap", (u64)munmap(at, below(2) ? PAGE : 1));
      map_page(page, below(3) ? 5 : 3);
      return;
    case 18:
      if (rights[page] >= 0) {
        note("away", mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, spare) == spare);
        if (below(2) && rights[page] & PROT_EXEC && f->offset / PAGE == page && (f->offset + 40) / PAGE == page) {
          u64 result;
          __asm__ volatile("call *%1" : "=a"(result) : "r"(spare + f->offset % PAGE), "D"(0), "S"(0), "d"(0) : "rcx", "r8", "rbx", "r11", "memory");
        }
        note("back", mremap(spare, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at) == at);
      }
      return;
    case 19:
      if (is_file) note("madvise", (u64)madvise(at, below(2) ? PAGE : 1, MADV_DONTNEED));
      return;
    case 20: {
      u64 before = state;
      pid_t child = fork();
      if (child == 0) {
        walk(4);
        _exit((int)(shared->hash & 0x3f));
      }
      int status;
      waitpid(child, &status, 0);
      note("child", (u64)status);
      state = before;
      below(2);
      return;
    }
    case 21: {
      u64 to = WINDOW + below(16) * PAGE;
      u32 what = below(7);
      unsigned char resident[4] = {0};
      void *got = 0;
      if (what == 0) got = mmap((void *)to, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
      if (what == 1) got = mmap((void *)to, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (what == 2) got = mmap((void *)to, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
      if (what == 3) note("munmap", (u64)munmap((void *)to, 3 * PAGE));
      if (what == 4) note("mincore", (u64)mincore((void *)to, PAGE, resident));
      if (what == 5) note("mprotect", (u64)mprotect((void *)to, 2 * PAGE, PROT_READ));
      if (what == 6) note("advice", (u64)madvise((void *)to, 2 * PAGE, MADV_DONTFORK));
      note("got", (u64)got == to ? 1 : (u64)got == ~0ul ? 2 : (u64)got < WINDOW + 0x100000 ? 3 : 4);
      return;
    }
    case 22: {
      struct iovec from = {pages + f->offset, 16}, to = {code + f->offset, 16};
      note("writev", (u64)process_vm_writev(getpid(), &from, 1, &to, 1, 0));
      return;
    }
    case 23: {
      int fd = open("/proc/self/mem", O_RDWR);
      u8 bytes[40];
      make(bytes, f);
      note("mem", (u64)pwrite(fd, bytes, 6, code + f->offset - (u8 *)0));
      close(fd);
      return;
    }
    case 24: {
      if (rights[f->offset / PAGE] != 5 || rights[(f->offset + 40) / PAGE % PAGES] != 5) return;
      int status = 0;
      int flags = below(2) ? CLONE_VM | CLONE_VFORK | SIGCHLD : CLONE_VM | CLONE_FILES | SIGCHLD;
      pid_t child = clone(in_thread, thread_stack + STACK - 64, flags, f);
      waitpid(child, &status, 0);
      note("thread", (u64)status);
      return;
    }
    case 25:
      redirect = (u64)(code + (below(2) ? f->offset : last_mov(f) + 5));
      redirect_rax = below(2) ? f->number : NUMBERS[below(9)];
      {
        // The return address of the code that the handler sends the task to.
        struct registers r = {.r = {[RAX] = 200, [RDI] = (u64)syscall(SYS_gettid), [RSI] = SIGUSR1}, .flags = 0x202};
        static const u8 kill_code[] = {0x90, 0x0f, 0x05, 0xc3};
        static u8 *trampoline;
        if (!trampoline) {
          trampoline = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          memcpy(trampoline, kill_code, 4);
          mprotect(trampoline, PAGE, PROT_READ | PROT_EXEC);
        }
        in_call = 1;
        call_all(&r, trampoline, call_stack + STACK - 1024);
        in_call = 0;
        redirect = 0;
        note("sent", (u64)(long)r.r[RAX] > ~4095ul ? r.r[RAX] : r.r[RAX] == unpatched(f->number));
      }
      return;
    case 26: {
      u64 maps = 0;
      FILE *file = fopen("/proc/self/maps", "r");
      char line[512];
      while (fgets(line, sizeof line, file)) {
        // Below the program.
        u64 start = strtoul(line, 0, 16);
        if (start < 0x400000) maps = maps * 31 + start;
      }
      fclose(file);
      note("maps", maps);
      return;
    }
    case 27:
      if (below(12) == 0) {
        u64 base = 0x1000ul * below(16) + (u64)call_stack;
        u64 now = 0;
        syscall(SYS_arch_prctl, 0x1001, base);
        syscall(SYS_arch_prctl, 0x1004, &now);
        note("gs", now == base);
      }
      return;
  }
}

static void walk(u32 steps) {
  for (u32 i = 0; i < steps; i++) step();
}

int main(int count, char **arguments) {
  u32 first = count > 1 ? (u32)atoi(arguments[1]) : 0;
  u32 walks = count > 2 ? (u32)atoi(arguments[2]) : 100;
  verbose = count > 3;
  shared = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  setvbuf(stdout, 0, _IOFBF, 65536);
  for (u32 seed = first; seed < first + walks; seed++) {
    shared->hash = 0xcbf29ce484222325ul;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      state = 0x9e3779b97f4a7c15ul * (seed + 1);
      below(2);
      static u8 signal_stack[STACK];
      stack_t stack = {.ss_sp = signal_stack, .ss_size = STACK};
      sigaltstack(&stack, 0);
      struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
      for (int i = 0; i < 6; i++) sigaction((int[]){SIGSEGV, SIGILL, SIGTRAP, SIGBUS, SIGUSR1, SIGFPE}[i], &action, 0);
      // No walk is long.
      alarm(20);
      make_pages();
      is_file = below(3) == 0;
      if (is_file) {
        memory_file = memfd_create("code", 0);
        if (write(memory_file, pages, sizeof pages) != sizeof pages) _exit(99);
      }
      for (u32 i = 0; i < PAGES; i++) map_page(i, 5);
      int is_accompanied = below(80) == 0;
      if (is_accompanied) start_thread();
      walk(STEPS);
      // It has been round before the end, and never went wrong.
      while (is_accompanied && other_rounds == 0) sched_yield();
      note("thread", other_wrong);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("%u %x %lx\n", seed, (u32)status, shared->hash);
  }
  return 0;
}
