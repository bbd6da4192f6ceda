// SPDX-License-Identifier: MIT
//
// Requests of ptrace(2) on a child that is there, with the arguments that strace shows in full. The child's registers
// are constants where addresses are not.

#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  TRACEME = 0, PEEKTEXT = 1, PEEKDATA = 2, PEEKUSER = 3, POKETEXT = 4, POKEDATA = 5, POKEUSER = 6, CONT = 7, KILL = 8,
  SINGLESTEP = 9, GETREGS = 12, SETREGS = 13, GETFPREGS = 14, SETFPREGS = 15, ATTACH = 16, DETACH = 17, SYSCALL = 24,
  ARCH_PRCTL = 30, SYSEMU = 31, SINGLEBLOCK = 33, SETOPTIONS = 0x4200, GETEVENTMSG = 0x4201,
  GETSIGINFO = 0x4202, SETSIGINFO = 0x4203, GETREGSET = 0x4204, SETREGSET = 0x4205, SEIZE = 0x4206, INTERRUPT = 0x4207,
  LISTEN = 0x4208, PEEKSIGINFO = 0x4209, GETSIGMASK = 0x420a, SETSIGMASK = 0x420b, SECCOMP_GET_FILTER = 0x420c,
  SECCOMP_GET_METADATA = 0x420d, GET_SYSCALL_INFO = 0x420e, GET_RSEQ = 0x420f,
};

static pid_t child;

static long pt(long request, long addr, void *data) {
  return syscall(SYS_ptrace, request, child, addr, data);
}

static void go(long request, long signal) {
  pt(request, 0, (void *)signal);
  int st;
  waitpid(child, &st, __WALL);
}

/** Never comes back. */
static void tracee(void) {
  syscall(SYS_ptrace, TRACEME, 0, 0, 0);
  asm volatile(
      "mov $1, %%eax; mov $2, %%ebx; mov $3, %%ecx; mov $4, %%edx; mov $5, %%esi; mov $6, %%edi; mov $8, %%r8d; mov $9, %%r9d\n"
      "mov $10, %%r10d; mov $11, %%r11d; mov $12, %%r12d; mov $13, %%r13d; mov $14, %%r14d; mov $15, %%r15d; cmp %%eax, %%eax\n"
      "int3\n"
      "nop; nop\n"
      "mov $110, %%eax; xor %%edi, %%edi; mov $1, %%esi; mov $2, %%edx; mov $3, %%r10d; mov $4, %%r8d; mov $5, %%r9d; syscall\n"
      "int3\n"
      "mov $3, %%eax; mov $-1, %%edi; syscall\n"
      "mov $110, %%eax; syscall\n"
      "mov $231, %%eax; mov $7, %%edi; syscall\n"
      "hlt\n" ::
          : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory");
}

/** Never comes back either: a tracee with a filter. */
static void filtered(void) {
  struct sock_filter code[] = { { 6, 0, 0, 0x7fff0000 } };
  struct sock_fprog program = { 1, code };
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program);
  syscall(SYS_ptrace, TRACEME, 0, 0, 0);
  asm volatile("int3; hlt");
}

int main(void) {
  alarm(300);
  static long cell = 0x1122;
  static char far[600];
  struct user_regs_struct regs;
  struct user_fpregs_struct fp;
  siginfo_t info;
  long word;
  unsigned long set = 1 << 9;
  int st;
  child = fork();
  if (child == 0) tracee();
  if (child <= 0) _exit(1);
  waitpid(child, &st, __WALL);

  pt(GETREGS, 0, &regs); pt(GETREGS, 0x10, &regs); pt(GETREGS, 0, 0); pt(GETREGS, 0, (void *)8);
  pt(SETREGS, 0, &regs); pt(SETREGS, 0, (void *)8);
  pt(GETFPREGS, 0, &fp); pt(SETFPREGS, 0, &fp); pt(GETFPREGS, 5, (void *)8);
  struct iovec v = { &regs, sizeof regs }, few = { &regs, 16 }, more = { far, sizeof far }, bad = { (void *)8, 216 }, odd = { &regs, 13 };
  pt(GETREGSET, NT_PRSTATUS, &v); pt(GETREGSET, NT_PRSTATUS, &few); pt(GETREGSET, NT_PRSTATUS, &more); pt(GETREGSET, NT_PRSTATUS, &bad); pt(GETREGSET, NT_PRSTATUS, &odd);
  pt(GETREGSET, NT_PRSTATUS, 0); pt(GETREGSET, NT_PRSTATUS, (void *)8); pt(GETREGSET, 0x999, &v); pt(SETREGSET, NT_PRSTATUS, &v); pt(SETREGSET, NT_PRSTATUS, &few); pt(SETREGSET, NT_PRSTATUS, &bad); pt(SETREGSET, 0x999, &few);
  few.iov_len = 0; pt(GETREGSET, NT_PRSTATUS, &few);
  pt(PEEKUSER, 8 * 15, &word); pt(PEEKUSER, 8 * 17, &word); pt(PEEKUSER, 0, &word); pt(PEEKUSER, 8 * 26, &word); pt(PEEKUSER, 8 * 27, &word); pt(PEEKUSER, 4, &word); pt(PEEKUSER, sizeof(struct user), &word); pt(PEEKUSER, 216, &word); pt(PEEKUSER, -1, &word);
  pt(PEEKUSER, offsetof(struct user, i387), &word); pt(PEEKUSER, offsetof(struct user, i387) + 8, &word); pt(PEEKUSER, offsetof(struct user, u_tsize), &word); pt(PEEKUSER, offsetof(struct user, u_dsize), &word); pt(PEEKUSER, offsetof(struct user, u_ssize), &word); pt(PEEKUSER, offsetof(struct user, start_code), &word); pt(PEEKUSER, offsetof(struct user, start_stack), &word);
  pt(PEEKUSER, offsetof(struct user, signal), &word); pt(PEEKUSER, offsetof(struct user, u_ar0), &word); pt(PEEKUSER, offsetof(struct user, u_fpstate), &word); pt(PEEKUSER, offsetof(struct user, magic), &word); pt(PEEKUSER, offsetof(struct user, u_comm), &word); pt(PEEKUSER, offsetof(struct user, u_comm) + 8, &word);
  for (int i = 0; i < 9; i++) pt(PEEKUSER, offsetof(struct user, u_debugreg) + 8 * i, &word);
  pt(PEEKUSER, offsetof(struct user, u_debugreg) + 4, &word); pt(PEEKUSER, 8 * 16, (void *)8);
  pt(POKEUSER, offsetof(struct user, u_debugreg), &cell); pt(POKEUSER, offsetof(struct user, u_debugreg) + 56, (void *)0x10001L); pt(POKEUSER, offsetof(struct user, u_debugreg) + 56, (void *)0L); pt(POKEUSER, 8 * 5, (void *)2L); pt(POKEUSER, 3, (void *)2L); pt(POKEUSER, offsetof(struct user, u_debugreg) + 32, (void *)0x123456L);
  pt(PEEKDATA, (long)&cell, &word); pt(PEEKTEXT, (long)&cell, &word); pt(PEEKDATA, 8, &word); pt(PEEKDATA, (long)&cell, (void *)8); pt(POKEDATA, (long)&cell, (void *)0x77L); pt(POKETEXT, (long)&cell, (void *)0L); pt(POKEDATA, 8, (void *)-1L);
  pt(GETSIGINFO, 0, &info); pt(SETSIGINFO, 0, &info); pt(GETSIGINFO, 0, (void *)8); pt(SETSIGINFO, 0, (void *)8);
  pt(GETSIGMASK, 8, &word); pt(SETSIGMASK, 8, &set); pt(GETSIGMASK, 8, &word); pt(GETSIGMASK, 4, &word); pt(SETSIGMASK, 4, &set); pt(GETSIGMASK, 8, (void *)8);
  kill(child, SIGUSR1);
  struct { unsigned long off; unsigned flags; int nr; } peek = { 0, 0, 2 }, shared = { 0, 1, 2 }, unknown = { 1, 6, 1 };
  siginfo_t infos[2];
  pt(PEEKSIGINFO, (long)&peek, infos); pt(PEEKSIGINFO, (long)&shared, infos); pt(PEEKSIGINFO, (long)&unknown, infos); pt(PEEKSIGINFO, 8, infos);
  set = 0; pt(SETSIGMASK, 8, &set);
  pt(GETEVENTMSG, 0, &word); pt(GETEVENTMSG, 0, (void *)8);
  pt(SETOPTIONS, 0, (void *)0x7fL); pt(SETOPTIONS, 0, (void *)0x100001L); pt(SETOPTIONS, 0, (void *)0x80000000L); pt(SETOPTIONS, 0, (void *)0x1L); pt(21, 0, (void *)0x1L);
  pt(GET_SYSCALL_INFO, 88, far); pt(GET_SYSCALL_INFO, 24, far); pt(GET_SYSCALL_INFO, 20, far); pt(GET_SYSCALL_INFO, 8, far); pt(GET_SYSCALL_INFO, 0, far); pt(GET_SYSCALL_INFO, 88, (void *)8); pt(GET_SYSCALL_INFO, 200, far);
  pt(GET_RSEQ, 24, far); pt(GET_RSEQ, 8, far);
  pt(SECCOMP_GET_FILTER, 0, 0); pt(SECCOMP_GET_METADATA, 16, far);
  pt(ARCH_PRCTL, (long)&word, (void *)0x1003L); pt(ARCH_PRCTL, (long)&word, (void *)0x1004L); pt(ARCH_PRCTL, 0, (void *)0x1001L); pt(ARCH_PRCTL, 5, (void *)0x9999L);
  pt(0x4299, 1, (void *)2L); pt(99, 0, (void *)0L);
  pt(LISTEN, 0, 0); pt(INTERRUPT, 0, 0); pt(ATTACH, 0, 0); pt(SEIZE, 0, (void *)0x9L); pt(SEIZE, 7, (void *)0x300000L); pt(CONT, 0, (void *)0x99L); pt(CONT, 1, (void *)-1L);
  go(SINGLESTEP, 0); pt(GETSIGINFO, 0, &info);
  go(SYSCALL, 0); pt(GETSIGINFO, 0, &info); pt(GETEVENTMSG, 0, &word);
  pt(GET_SYSCALL_INFO, 88, far); pt(GET_SYSCALL_INFO, 80, far); pt(GET_SYSCALL_INFO, 40, far); pt(GET_SYSCALL_INFO, 32, far); pt(GET_SYSCALL_INFO, 24, far);
  go(SYSCALL, 0);
  pt(GET_SYSCALL_INFO, 88, far); pt(GET_SYSCALL_INFO, 33, far); pt(GET_SYSCALL_INFO, 32, far); pt(GET_SYSCALL_INFO, 24, far);
  pt(GETREGSET, NT_PRFPREG, &more);
  struct iovec some = { far, 200 };
  pt(GETREGSET, NT_PRFPREG, &some); pt(SETREGSET, NT_PRFPREG, &some);
  some.iov_len = 40; pt(GETREGSET, NT_PRFPREG, &some);
  go(CONT, 0); go(SYSCALL, 0); go(SYSCALL, 0); pt(GET_SYSCALL_INFO, 88, far);
  go(SYSEMU, 0);
  pt(SETOPTIONS, 0, (void *)0x41L); go(CONT, 0); pt(GETEVENTMSG, 0, &word);
  go(CONT, 0);
  pt(CONT, 0x55, (void *)0L);
  waitpid(child, &st, __WALL);
  pt(DETACH, 0, (void *)(long)SIGTERM);
  pt(KILL, 0, 0);

  child = fork();
  if (child == 0) filtered();
  if (child <= 0) _exit(1);
  waitpid(child, &st, __WALL);
  struct { unsigned long index, flags; } about = { 0, 77 };
  pt(SECCOMP_GET_FILTER, 0, 0); pt(SECCOMP_GET_FILTER, 0, far); pt(SECCOMP_GET_FILTER, 1, far); pt(SECCOMP_GET_FILTER, -1, far); pt(SECCOMP_GET_FILTER, 0, (void *)8);
  pt(SECCOMP_GET_METADATA, 16, &about); pt(SECCOMP_GET_METADATA, 100, &about); pt(SECCOMP_GET_METADATA, 8, &about); pt(SECCOMP_GET_METADATA, 7, &about); pt(SECCOMP_GET_METADATA, 16, (void *)8);
  about.index = 3; pt(SECCOMP_GET_METADATA, 16, &about);
  pt(DETACH, 0, (void *)(long)SIGKILL);
  waitpid(child, &st, __WALL);
  return 0;
}
