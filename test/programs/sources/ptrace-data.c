// SPDX-License-Identifier: MIT
//
// What a tracer reads and writes: registers in all forms, memory whatever its protection, masks and queues of signals,
// and the same through /proc.

#include <asm/prctl.h>
#include <sys/auxv.h>
#include "ptrace-common.h"

static volatile long cell = 0x1122334455667788;
static const long constant = 0x0102030405060708;

__attribute__((noinline)) static int code(void) {
  int r;
  asm volatile(".globl patch_me\npatch_me: mov $5, %0" : "=r"(r));
  return r;
}
extern char patch_me[];

static void registers(void) {
  printf("registers\n");
  pid_t p = spawn();
  if (p == 0) {
    pt(TRACEME, 0, 0, 0);
    double d;
    long rbx, r12, xmm;
    asm volatile(
        "mov $0x123456789abcdef0, %%rbx; mov $12, %%r12; mov $13, %%r13; movq %%rbx, %%xmm7; fld1; fldpi; std\n"
        "mov $39, %%eax; xor %%edi, %%edi; mov %3, %%rdi; mov $19, %%esi; mov $62, %%eax; syscall\n"
        "cld; fstp %%st(0); fstpl %4; movq %%xmm7, %2"
        : "=&b"(rbx), "=&r"(r12), "=r"(xmm)
        : "r"((long)getpid()), "m"(d)
        : "r12", "r13", "rax", "rdi", "rsi", "rcx", "r11", "xmm7", "memory");
    printf("child: rbx %lx xmm7 %lx double %g\n", rbx, xmm, d);
    fflush(stdout);
    _exit(0);
  }
  next("stop", p);
  struct user_regs_struct r, again;
  memset(&r, 0xee, sizeof r);
  result("GETREGS", pt(GETREGS, p, 0, (long)&r));
  printf("rbx %llx r12 %lld r13 %lld rax %lld orig_rax %lld cs %llx ss %llx ds %llx es %llx fs %llx gs %llx\n", r.rbx, r.r12, r.r13, r.rax, r.orig_rax,
         r.cs, r.ss, r.ds, r.es, r.fs, r.gs);
  printf("flags: DF %d IF %d, fs_base %d\n", (int)(r.eflags >> 10 & 1), (int)(r.eflags >> 9 & 1), r.fs_base != 0);
  struct user_fpregs_struct f;
  result("GETFPREGS", pt(GETFPREGS, p, 0, (long)&f));
  printf("cwd %x ftw %x mxcsr %x xmm7 %x%08x st0 %x %x\n", f.cwd, f.ftw, f.mxcsr, f.xmm_space[29], f.xmm_space[28], f.st_space[0], f.st_space[1]);
  struct iovec v = {&again, sizeof again + 64};
  result("GETREGSET", pt(GETREGSET, p, NT_PRSTATUS, (long)&v));
  printf("length %zu, same %d\n", v.iov_len, memcmp(&r, &again, sizeof r) == 0);
  long few[2];
  v = (struct iovec){few, sizeof few};
  result("GETREGSET of 16 bytes", pt(GETREGSET, p, NT_PRSTATUS, (long)&v));
  printf("length %zu, r14 %d\n", v.iov_len, few[1] == r.r14);
  struct user_fpregs_struct f2;
  v = (struct iovec){&f2, sizeof f2};
  result("GETREGSET of FP", pt(GETREGSET, p, NT_PRFPREG, (long)&v));
  printf("length %zu, xmm7 same %d\n", v.iov_len, memcmp(&f.xmm_space[28], &f2.xmm_space[28], 16) == 0);
  f.xmm_space[28] = 0x77;
  f.xmm_space[29] = 0;
  f.mxcsr = 0xffffffff;
  result("SETFPREGS with reserved bits", pt(SETFPREGS, p, 0, (long)&f));
  f.mxcsr = 0x1f80;
  result("SETFPREGS", pt(SETFPREGS, p, 0, (long)&f));
  result("GETFPREGS", pt(GETFPREGS, p, 0, (long)&f2));
  printf("xmm7 %x\n", f2.xmm_space[28]);

  long value = -1;
  result("PEEKUSER", pt(PEEKUSER, p, offsetof(struct user_regs_struct, rbx), (long)&value));
  printf("rbx %lx\n", value);
  result("PEEKUSER of what is no register", pt(PEEKUSER, p, offsetof(struct user, u_tsize), (long)&value));
  printf("%lx\n", value);
  result("PEEKUSER of DR0", pt(PEEKUSER, p, offsetof(struct user, u_debugreg[0]), (long)&value));
  printf("%lx\n", value);
  result("PEEKUSER of DR7", pt(PEEKUSER, p, offsetof(struct user, u_debugreg[7]), (long)&value));
  printf("%lx\n", value);
  result("POKEUSER of DR7 that enables nothing", pt(POKEUSER, p, offsetof(struct user, u_debugreg[7]), 0));
  result("PEEKUSER, not aligned", pt(PEEKUSER, p, 4, (long)&value));
  result("PEEKUSER beyond", pt(PEEKUSER, p, sizeof(struct user), (long)&value));
  result("POKEUSER", pt(POKEUSER, p, offsetof(struct user_regs_struct, rbx), 0x4242));
  result("POKEUSER of what is no register", pt(POKEUSER, p, offsetof(struct user, u_tsize), 0));
  result("POKEUSER of cs", pt(POKEUSER, p, offsetof(struct user_regs_struct, cs), 0));
  result("POKEUSER of ss", pt(POKEUSER, p, offsetof(struct user_regs_struct, ss), 0x10));
  result("POKEUSER of a kernel fs_base", pt(POKEUSER, p, offsetof(struct user_regs_struct, fs_base), 1L << 62));
  result("POKEUSER of flags", pt(POKEUSER, p, offsetof(struct user_regs_struct, eflags), -1L & ~0x100L));
  pt(GETREGS, p, 0, (long)&again);
  printf("flags %llx\n", again.eflags);
  result("SETREGS", (again.eflags = r.eflags, pt(SETREGS, p, 0, (long)&again)));
  v = (struct iovec){&again, 5 * 8};
  again.r12 = 99;
  result("SETREGSET of five words", pt(SETREGSET, p, NT_PRSTATUS, (long)&v));
  pt(GETREGS, p, 0, (long)&r);
  printf("length %zu, r12 %lld, rbx %llx\n", v.iov_len, r.r12, r.rbx);
  result("ARCH_PRCTL", pt(ARCH_PRCTL, p, (long)&value, ARCH_GET_FS));
  printf("fs %d\n", value == r.fs_base);
  pt(CONT, p, 0, 0);
  next("end", p);
}

static void memory(void) {
  printf("memory\n");
  long *hidden = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  long *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  hidden[0] = 0x5a5a;
  hidden[511] = 0x6b6b;
  shared[0] = 0x7c7c;
  munmap(hidden + 512, 4096);
  mprotect(hidden, 4096, PROT_NONE);
  mprotect(shared, 4096, PROT_READ);
  pid_t p = stopped_child();
  if (p == 0) {
    mprotect(hidden, 4096, PROT_READ);
    printf("child: cell %lx, constant %lx, hidden %lx, shared %lx, code %d\n", cell, *(volatile const long *)&constant, hidden[0], shared[0], code());
    fflush(stdout);
    _exit(0);
  }
  long value = -1;
  result("PEEKDATA", pt(PEEKDATA, p, (long)&cell, (long)&value));
  printf("%lx\n", value);
  result("not aligned", pt(PEEKTEXT, p, (long)&cell + 3, (long)&value));
  printf("%lx\n", value & 0xffffffffff);
  result("PROT_NONE", pt(PEEKDATA, p, (long)hidden, (long)&value));
  printf("%lx\n", value);
  result("over the end of a mapping", pt(PEEKDATA, p, (long)hidden + 4092, (long)&value));
  result("nothing there", pt(PEEKDATA, p, 8, (long)&value));
  result("no address", pt(PEEKDATA, p, -8, (long)&value));
  result("no room for the result", pt(PEEKDATA, p, (long)&cell, 8));
  result("POKEDATA", pt(POKEDATA, p, (long)&cell, 0x99));
  result("POKEDATA of a constant", pt(POKEDATA, p, (long)&constant, 0x98));
  result("POKEDATA of PROT_NONE", pt(POKEDATA, p, (long)hidden, 0x97));
  result("POKEDATA of shared memory that is read-only", pt(POKEDATA, p, (long)shared, 0x96));
  result("POKEDATA of nothing", pt(POKEDATA, p, 8, 0));
  pt(PEEKTEXT, p, (long)patch_me, (long)&value);
  result("POKETEXT", pt(POKETEXT, p, (long)patch_me, (value & ~0xff00L) | 0x4d00));
  printf("here: cell %lx, constant %lx, code %d\n", cell, constant, code());
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", p);
  int fd = open(path, O_RDWR);
  printf("mem opens %d\n", fd >= 0);
  result("pread", pread(fd, &value, 8, (off_t)&cell));
  printf("%lx\n", value);
  value = 0x55;
  result("pwrite", pwrite(fd, &value, 8, (off_t)&cell));
  value = 0x54;
  result("pwrite of a constant", pwrite(fd, &value, 8, (off_t)&constant));
  ssize_t r = pwrite(fd, &value, 8, (off_t)shared);
  result("pwrite of shared read-only memory", r < 0 ? -errno : r);
  r = pread(fd, &value, 8, 8);
  result("pread of nothing", r < 0 ? -errno : r);
  close(fd);
  struct iovec here = {&value, 8}, there = {(void *)&cell, 8};
  result("process_vm_readv", syscall(SYS_process_vm_readv, p, &here, 1, &there, 1, 0));
  printf("%lx\n", value);
  snprintf(path, sizeof path, "/proc/%d/syscall", p);
  fd = open(path, O_RDONLY);
  char text[256] = "";
  read(fd, text, sizeof text - 1);
  close(fd);
  printf("the call that it stopped behind: %d\n", atoi(text) == SYS_tkill || atoi(text) == SYS_tgkill);
  pt(CONT, p, 0, 0);
  next("end", p);
}

static void masks_and_queues(void) {
  printf("masks and queues\n");
  pid_t p = spawn();
  if (p == 0) {
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    sigaddset(&s, SIGRTMIN);
    sigprocmask(SIG_SETMASK, &s, 0);
    pt(TRACEME, 0, 0, 0);
    stop_self();
    for (;;) pause();
  }
  waitpid(p, 0, __WALL);
  uint64_t mask = 0;
  result("GETSIGMASK", pt(GETSIGMASK, p, 8, (long)&mask));
  printf("%lx\n", mask);
  result("GETSIGMASK of another size", pt(GETSIGMASK, p, 16, (long)&mask));
  union sigval v = {.sival_int = 7};
  sigqueue(p, SIGRTMIN, v);
  v.sival_int = 8;
  sigqueue(p, SIGRTMIN, v);
  syscall(SYS_tgkill, p, p, SIGUSR1);
  struct { uint64_t off; uint32_t flags; int32_t nr; } args = {0, 1, 5};
  siginfo_t infos[5];
  result("PEEKSIGINFO of the process", pt(PEEKSIGINFO, p, (long)&args, (long)infos));
  printf("%d %d, %d %d\n", infos[0].si_signo == SIGRTMIN, infos[0].si_value.sival_int, infos[1].si_signo == SIGRTMIN, infos[1].si_value.sival_int);
  args.off = 1;
  result("from the second", pt(PEEKSIGINFO, p, (long)&args, (long)infos));
  printf("%d\n", infos[0].si_value.sival_int);
  args.flags = 0, args.off = 0;
  result("of the thread", pt(PEEKSIGINFO, p, (long)&args, (long)infos));
  printf("%d %d\n", infos[0].si_signo, infos[0].si_code);
  args.nr = -1;
  result("a negative number", pt(PEEKSIGINFO, p, (long)&args, (long)infos));
  args.nr = 1, args.flags = 2;
  result("an unknown flag", pt(PEEKSIGINFO, p, (long)&args, (long)infos));
  args.flags = 0;
  result("no room", pt(PEEKSIGINFO, p, (long)&args, 8));
  mask = 1ul << (SIGRTMIN - 1) | 1ul << (SIGKILL - 1);
  result("SETSIGMASK", pt(SETSIGMASK, p, 8, (long)&mask));
  pt(GETSIGMASK, p, 8, (long)&mask);
  printf("%d\n", mask == 1ul << (SIGRTMIN - 1));
  pt(CONT, p, 0, 0);
  next("what was blocked", p);
  pt(CONT, p, 0, SIGUSR1);
  next("end", p);
}

static void filesystem(void) {
  printf("proc\n");
  pid_t p = stopped_child();
  if (p == 0) _exit(0);
  char path[64], text[512] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", p);
  int fd = open(path, O_RDONLY);
  read(fd, text, sizeof text - 1);
  close(fd);
  printf("stat: %c\n", strrchr(text, ')')[2]);
  snprintf(path, sizeof path, "/proc/%d/task/%d/status", p, p);
  printf("task folder %d\n", access(path, F_OK) == 0);
  snprintf(path, sizeof path, "/proc/%d/wchan", p);
  printf("wchan %d\n", access(path, F_OK) == 0);
  finish(p);
}

int main(void) {
  registers();
  memory();
  masks_and_queues();
  filesystem();
  return 0;
}
