// SPDX-License-Identifier: MIT
//
// Runs instruction sequences on the real CPU for the differential test: reads cases from stdin, writes
// outcomes to stdout. Everything happens in one signal handler: each sequence ends in a signal (at the
// latest the int3 behind it), the handler records the interrupted state, rewrites its frame into the next
// case and returns. No libc and no TLS, so a sequence may change FS, GS, flags and the stack at will.

#include <stddef.h>
#include <stdint.h>

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;

// ---- Linux, as far as needed (x86-64 ABI) ------------------------------------------------------

#define SYS_read 0
#define SYS_write 1
#define SYS_mmap 9
#define SYS_rt_sigaction 13
#define SYS_rt_sigreturn 15
#define SYS_setitimer 38
#define SYS_exit_group 231
#define SYS_sigaltstack 131
#define SYS_prctl 157
#define SYS_memfd_create 319
#define SYS_ftruncate 77

enum { SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGSEGV = 11, SIGVTALRM = 26, SIGSYS = 31 };

// Order of gregs in the kernel's sigcontext.
enum { R8, R9, R10, R11, R12, R13, R14, R15, RDI, RSI, RBP, RBX, RDX, RAX, RCX, RSP, RIP, EFL, CSGSFS, ERR, TRAPNO, OLDMASK, CR2 };

struct ucontext {
  u64 flags;
  struct ucontext *link;
  u64 stack_sp, stack_flags, stack_size;
  u64 gregs[23];
  u8 *fpstate;
};

struct ksigaction {
  void *handler;
  u64 flags;
  void *restorer;
  u64 mask;
};

static long sys6(long n, long a, long b, long c, long d, long e, long f) {
  long ret;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(ret) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return ret;
}

static void die(int code) {
  for (;;) sys6(SYS_exit_group, code, 0, 0, 0, 0, 0);
}

void *memcpy(void *to, const void *from, size_t n) {
  void *ret = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
  return ret;
}

void *memset(void *to, int value, size_t n) {
  void *ret = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
  return ret;
}

// ---- The address space that both sides share. KEEP IN SYNC: test/differential/layout.ts PAGES --------------------

enum { PROT_R = 1, PROT_W = 2, PROT_X = 4 };
struct page {
  u64 va;
  int prot;
};

static const struct page pages[] = {
  { 0x40000000, PROT_R | PROT_X },
  { 0x40001000, PROT_R | PROT_X },
  { 0x40002000, PROT_R | PROT_W },
  { 0x40007000, PROT_R | PROT_X },
  { 0x50001000, PROT_R | PROT_W },
  { 0x50002000, PROT_R | PROT_W },
  { 0x50003000, PROT_R },
  { 0x50005000, PROT_R | PROT_W },
  { 0x50009000, PROT_R | PROT_W },
  { 0x7e5500007000, PROT_R | PROT_W },
};
#define PAGES ((int)(sizeof pages / sizeof *pages))
#define PAGE 4096

// ---- Case and outcome records. KEEP IN SYNC: test/differential/records.ts encodeCase -------------------------------------------

struct patch {
  u64 address, value;
};

struct input {
  u32 bytes;       // length of the whole record
  u16 code_length; // bit 15: trace, see below
  u16 patch_count;
  u64 code_address;
  u64 regs[20];    // hardware order, rip, rflags, fs base, gs base
  u8 fx[512];
  // patches, then code
};

struct change {
  u64 address, value;
};

struct output {
  u32 bytes;
  u32 change_count;
  u32 trap, error;  // trap: the exception vector; 0x100 system call, 0x180 int 0x80, 0x200 endless
  u64 cr2;
  u64 regs[20];
  u8 fx[512];
  u64 step_count;
  // changes, then RIP after each step
};

enum { TRAP_SYSCALL = 0x100, TRAP_INT80 = 0x180, TRAP_ENDLESS = 0x200 };

#define IO_BYTES (96L << 20)
static u8 *in, *in_end, *out, *out_base;
static u8 *shadow[PAGES];  // what the page holds when no sequence has touched it
static u8 *alias[PAGES];   // writable view of the page
static const struct input *current;
static u32 case_number, tick_case;

// A traced case starts with TF set: each single-step trap notes RIP and goes on, any other trap ends it.
#define TRACED 0x8000
#define MAX_STEPS 4096
static u64 steps[MAX_STEPS];
static u32 step_count;
static int code_length_of(const struct input *c) { return c->code_length & ~TRACED; }

static u8 altstack[1 << 17] __attribute__((aligned(64)));

static int page_of(u64 address) {
  for (int i = 0; i < PAGES; i++)
    if (address - pages[i].va < PAGE) return i;
  return -1;
}

static void poke(u64 address, const u8 *bytes, int n) {
  for (int i = 0; i < n; i++) {
    int p = page_of(address + i);
    if (p < 0) die(3);
    shadow[p][(address + i) % PAGE] = alias[p][(address + i) % PAGE] = bytes[i];
  }
}

static u8 *base_image;

static void unpoke(u64 address, int n) {
  for (int i = 0; i < n; i++) {
    int p = page_of(address + i);
    u64 o = (address + i) % PAGE;
    shadow[p][o] = alias[p][o] = base_image[p * PAGE + o];
  }
}

static void flush(void) {
  u8 *p = out_base;
  while (p < out) {
    long n = sys6(SYS_write, 1, (long)p, out - p, 0, 0, 0);
    if (n <= 0) die(4);
    p += n;
  }
  out = out_base;
}

static const struct patch *patches_of(const struct input *c) { return (const struct patch *)(c + 1); }

static void record(u32 trap, struct ucontext *uc, u64 fs, u64 gs) {
  struct output *o = (struct output *)out;
  const u64 *g = uc->gregs;
  o->trap = trap;
  o->error = (u32)g[ERR];
  o->cr2 = g[CR2];
  u64 *r = o->regs;
  r[0] = g[RAX]; r[1] = g[RCX]; r[2] = g[RDX]; r[3] = g[RBX];
  r[4] = g[RSP]; r[5] = g[RBP]; r[6] = g[RSI]; r[7] = g[RDI];
  r[8] = g[R8]; r[9] = g[R9]; r[10] = g[R10]; r[11] = g[R11];
  r[12] = g[R12]; r[13] = g[R13]; r[14] = g[R14]; r[15] = g[R15];
  r[16] = g[RIP]; r[17] = g[EFL]; r[18] = fs; r[19] = gs;
  memcpy(o->fx, uc->fpstate, 416);
  memset(o->fx + 416, 0, 96);

  struct change *ch = (struct change *)(o + 1);
  for (int p = 0; p < PAGES; p++) {
    if (!(pages[p].prot & PROT_W)) continue;
    u64 *live = (u64 *)alias[p], *was = (u64 *)shadow[p];
    for (int i = 0; i < PAGE / 8; i++) {
      if (live[i] == was[i]) continue;
      ch->address = pages[p].va + i * 8;
      ch->value = live[i];
      ch++;
      live[i] = was[i];
    }
  }
  o->change_count = (u32)(ch - (struct change *)(o + 1));
  o->step_count = step_count;
  memcpy(ch, steps, step_count * 8);
  out = (u8 *)ch + step_count * 8;
  o->bytes = (u32)(out - (u8 *)o);

  const struct patch *pt = patches_of(current);
  for (int i = 0; i < current->patch_count; i++) unpoke(pt[i].address, 8);
  unpoke(current->code_address, code_length_of(current));
}

static void next_case(struct ucontext *uc) {
  if (out - out_base > 1 << 16) flush();
  if (in >= in_end) {
    flush();
    die(0);
  }
  const struct input *c = current = (const struct input *)in;
  if (c->bytes < sizeof *c || c->bytes > in_end - in) die(5);
  in += c->bytes;
  case_number++;
  step_count = 0;
  const struct patch *pt = patches_of(c);
  for (int i = 0; i < c->patch_count; i++) poke(pt[i].address, (const u8 *)&pt[i].value, 8);
  poke(c->code_address, (const u8 *)(pt + c->patch_count), code_length_of(c));

  u64 *g = uc->gregs;
  const u64 *r = c->regs;
  g[RAX] = r[0]; g[RCX] = r[1]; g[RDX] = r[2]; g[RBX] = r[3];
  g[RSP] = r[4]; g[RBP] = r[5]; g[RSI] = r[6]; g[RDI] = r[7];
  g[R8] = r[8]; g[R9] = r[9]; g[R10] = r[10]; g[R11] = r[11];
  g[R12] = r[12]; g[R13] = r[13]; g[R14] = r[14]; g[R15] = r[15];
  g[RIP] = r[16]; g[EFL] = r[17];
  g[CSGSFS] = 0x33 | (0x2bUL << 48);
  // The legacy area up to XMM15; bytes 464-511 tell the kernel that an XSAVE area follows, so they stay.
  memcpy(uc->fpstate, c->fx, 416);
  *(u64 *)(uc->fpstate + 512) = 3;  // XSTATE_BV: x87 and SSE as given, the rest in its initial state
  u64 zero = 0;
  __asm__ volatile("mov %w0, %%ds\n mov %w0, %%es\n mov %w0, %%fs\n mov %w0, %%gs\n wrfsbase %1\n wrgsbase %2" : : "r"(zero), "r"(r[18]), "r"(r[19]));
}

static void on_signal(int signo, u8 *info, struct ucontext *uc) {
  u64 fs, gs;
  __asm__ volatile("rdfsbase %0\n rdgsbase %1" : "=r"(fs), "=r"(gs));
  // AC, NT and ID are not all the kernel's to restore: clear them here, set the case's own before leaving.
  __asm__ volatile("pushfq\n andq $~0x244000, (%%rsp)\n popfq" : : : "cc", "memory");
  if (signo == SIGVTALRM) {
    // A sequence is given up when it has been current for two whole ticks of its own CPU time.
    if (!current || tick_case != case_number) {
      tick_case = case_number;
      goto leave;
    }
    record(TRAP_ENDLESS, uc, fs, gs);
  } else if (current) {
    u32 trap = (u32)uc->gregs[TRAPNO];
    if (signo == SIGTRAP && trap == 1 && (current->code_length & TRACED) && step_count < MAX_STEPS) {
      steps[step_count++] = uc->gregs[RIP];
      goto leave;
    }
    if (signo == SIGSYS) trap = *(u32 *)(info + 28) == 0xc000003e ? TRAP_SYSCALL : TRAP_INT80;  // si_arch
    record(trap, uc, fs, gs);
  }
  next_case(uc);
leave:;
  u64 carried = uc->gregs[EFL] & 0x204000;
  __asm__ volatile("pushfq\n orq %0, (%%rsp)\n popfq" : : "r"(carried) : "cc", "memory");
}

__asm__(
    ".text\n"
    ".globl restorer\n"
    "restorer:\n"
    "  mov $15, %eax\n"
    "  syscall\n");
extern char restorer[];
extern char __executable_start[], etext[];

static void *map(u64 at, u64 n, int prot, int flags, int fd, u64 offset) {
  long p = sys6(SYS_mmap, (long)at, (long)n, prot, flags, fd, (long)offset);
  if (p < 0 && p > -4096) die(6);
  return (void *)p;
}

// Only the helper's own text may make system calls; from anywhere else one becomes SIGSYS, which the
// handler reports as the outcome of the sequence.
static void sandbox(void) {
  struct { u16 code; u8 jt, jf; u32 k; } filter[] = {
    { 0x20, 0, 0, 12 },                              // instruction_pointer, high word
    { 0x15, 0, 4, (u32)((u64)restorer >> 32) },
    { 0x20, 0, 0, 8 },                               // low word
    { 0x35, 0, 2, (u32)(u64)__executable_start },
    { 0x25, 1, 0, (u32)(u64)etext },
    { 0x06, 0, 0, 0x7fff0000 },                      // allow
    { 0x06, 0, 0, 0x00030000 },                      // trap
  };
  struct { u16 n; void *p; } program = { sizeof filter / sizeof *filter, filter };
  if (sys6(SYS_prctl, 38, 1, 0, 0, 0, 0)) die(7);
  if (sys6(SYS_prctl, 22, 2, (long)&program, 0, 0, 0)) die(8);
}

__attribute__((used)) static void run(u64 *stack) {
  u64 *aux = stack + 1 + stack[0] + 1;
  while (*aux++) {}
  u64 hwcap2 = 0;
  for (; aux[0]; aux += 2)
    if (aux[0] == 26) hwcap2 = aux[1];
  if (!(hwcap2 & 2)) die(9);  // no FSGSBASE

  int fd = (int)sys6(SYS_memfd_create, (long)"p", 0, 0, 0, 0, 0);
  if (fd < 0 || sys6(SYS_ftruncate, fd, PAGES * PAGE, 0, 0, 0, 0)) die(10);
  for (int i = 0; i < PAGES; i++) {
    map(pages[i].va, PAGE, pages[i].prot, 0x108001, fd, (u64)i * PAGE);  // MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE
    alias[i] = map(0, PAGE, PROT_R | PROT_W, 1, fd, (u64)i * PAGE);
    shadow[i] = map(0, PAGE, PROT_R | PROT_W, 0x22, -1, 0);
  }
  in = map(0, IO_BYTES, PROT_R | PROT_W, 0x22, -1, 0);
  out = out_base = map(0, 8 << 20, PROT_R | PROT_W, 0x22, -1, 0);
  in_end = in;
  for (;;) {
    long n = sys6(SYS_read, 0, (long)in_end, in + IO_BYTES - in_end, 0, 0, 0);
    if (n < 0) die(11);
    if (n == 0) break;
    in_end += n;
  }
  if (in_end - in < PAGES * PAGE) die(12);
  base_image = in;
  for (int i = 0; i < PAGES; i++) {
    memcpy(alias[i], in, PAGE);
    memcpy(shadow[i], in, PAGE);
    in += PAGE;
  }

  struct { void *sp; u64 flags; u64 size; } ss = { altstack, 0, sizeof altstack };
  if (sys6(SYS_sigaltstack, (long)&ss, 0, 0, 0, 0, 0)) die(13);
  struct ksigaction sa = { on_signal, 0x4 | 0x08000000 | 0x04000000, restorer, ~0UL };  // SIGINFO, ONSTACK, RESTORER
  static const int signals[] = { SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGVTALRM, SIGSYS };
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
    if (sys6(SYS_rt_sigaction, signals[i], (long)&sa, 0, 8, 0, 0)) die(14);
  struct { u64 s, us, s2, us2; } timer = { 0, 20000, 0, 20000 };
  if (sys6(SYS_setitimer, 1, (long)&timer, 0, 0, 0, 0)) die(15);
  sandbox();
  __asm__ volatile("int3");
  die(16);
}

__asm__(
    ".globl _start\n"
    "_start:\n"
    "  mov %rsp, %rdi\n"
    "  and $-16, %rsp\n"
    "  call run\n");
