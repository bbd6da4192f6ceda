// SPDX-License-Identifier: MIT
//
// Reaching into other processes: their memory, their descriptors, whether they share, signals through descriptors;
// and each error of the manual pages.

#define _GNU_SOURCE
#include "outcome.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define kcmp(a, b, t, x, y) syscall(SYS_kcmp, a, b, t, x, y)
#define pidfd_open(p, f) syscall(434, p, f)
#define pidfd_getfd(p, t, f) syscall(438, p, t, f)
#define pidfd_send_signal(p, s, i, f) syscall(424, p, s, i, f)

static char text[32] = "in the parent", *area;

static void memory(pid_t child) {
  char a[8] = "", b[30] = "";
  struct iovec l[2] = {{a, 4}, {b, 20}}, r[2] = {{text, 6}, {text + 6, 10}};
  CALL(process_vm_readv(child, l, 2, r, 2, 0));
  printf("\"%s\" \"%s\"\n", a, b);
  l[0] = (struct iovec){"written", 8}, r[0] = (struct iovec){text, 8};
  CALL(process_vm_writev(child, l, 1, r, 1, 0));
  CALL(process_vm_readv(child, (struct iovec[]){{b, 8}}, 1, r, 1, 0));
  printf("%s\n", b);
  r[0] = (struct iovec){area + 4000, 200};
  l[0] = (struct iovec){b, 30};
  CALL(process_vm_readv(child, (struct iovec[]){{a, 8}}, 1, (struct iovec[]){{area + 4090, 8}}, 1, 0));
  CALL(process_vm_readv(child, (struct iovec[]){{a, 4}, {b, 4}}, 2, (struct iovec[]){{text, 4}, {(void *)8, 4}}, 2, 0));
  CALL(process_vm_readv(child, (struct iovec[]){{a, 4}}, 1, (struct iovec[]){{(void *)8, 4}}, 1, 0));
  CALL(process_vm_readv(child, (struct iovec[]){{(void *)8, 4}}, 1, (struct iovec[]){{text, 4}}, 1, 0));
  CALL(process_vm_writev(child, (struct iovec[]){{"x", 1}}, 1, (struct iovec[]){{"constant", 1}}, 1, 0));
  CALL(process_vm_readv(child, l, 1, r, 1, 1));
  CALL(process_vm_readv(child, l, 1025, r, 1, 0));
  CALL(process_vm_readv(child, l, 1, r, 1025, 0));
  CALL(process_vm_readv(child, (void *)8, 1, r, 1, 0));
  CALL(process_vm_readv(child, l, 1, (void *)8, 1, 0));
  CALL(process_vm_readv(child, l, 0, r, 1, 0));
  CALL(process_vm_readv(child, l, 1, r, 0, 0));
  CALL(process_vm_readv(child, (struct iovec[]){{a, -1}}, 1, r, 1, 0));
  CALL(process_vm_readv(0x3fffff, l, 1, (struct iovec[]){{text, 4}}, 1, 0));
  CALL(process_vm_readv(getpid(), (struct iovec[]){{a, 4}}, 1, (struct iovec[]){{text, 4}}, 1, 0));
  NOBODY({
    CALL(process_vm_readv(child, (struct iovec[]){{a, 4}}, 1, (struct iovec[]){{text, 4}}, 1, 0));
    CALL(kcmp(child, child, 0, 0, 0));
    int p = pidfd_open(child, 0);
    CALL(pidfd_getfd(p, 0, 0));
    CALL(pidfd_send_signal(p, 0, 0, 0));
  });
}

static void *thread(void *p) {
  pid_t tid = syscall(SYS_gettid);
  for (int t = 1; t < 7; t++) printf("threads share %d: %ld\n", t, kcmp(getpid(), tid, t, 0, 0));
  return 0;
}

static void sameness(pid_t child) {
  int a = open("/dev/null", O_RDONLY), b = dup(a), c = open("/dev/null", O_RDONLY);
  CALL(kcmp(getpid(), getpid(), 0, a, b));
  SHOW(kcmp(getpid(), getpid(), 0, a, c) != 0);
  SHOW(kcmp(getpid(), getpid(), 0, a, c) + kcmp(getpid(), getpid(), 0, c, a));
  for (int t = 1; t < 7; t++) printf("a child shares %d: %d\n", t, kcmp(getpid(), child, t, 0, 0) == 0);
  CALL(kcmp(getpid(), getpid(), 0, a, 999));
  CALL(kcmp(getpid(), getpid(), 99, 0, 0));
  CALL(kcmp(getpid(), 0x3fffff, 1, 0, 0));
  pthread_t t;
  pthread_create(&t, 0, thread, 0);
  pthread_join(t, 0);
  close(a), close(b), close(c);
}

static void descriptors(pid_t child, int theirs) {
  CALL(pidfd_open(child, 1));
  CALL(pidfd_open(0, 0));
  CALL(pidfd_open(-1, 0));
  CALL(pidfd_open(0x3fffff, 0));
  int p = OK(pidfd_open(child, O_NONBLOCK));
  printf("flags %#x %d\n", fcntl(p, F_GETFL) & ~0100000, fcntl(p, F_GETFD));
  int f = OK(pidfd_getfd(p, theirs, 0));
  char buf[20] = "";
  CALL(read(f, buf, 20));
  CALL(fcntl(f, F_GETFD));
  close(f);
  CALL(pidfd_getfd(p, 999, 0));
  CALL(pidfd_getfd(p, 0, 1));
  CALL(pidfd_getfd(1, 0, 0));
  CALL(pidfd_getfd(999, 0, 0));
  struct pollfd q = {p, POLLIN};
  CALL(poll(&q, 1, 0));
  CALL(pidfd_send_signal(p, 0, 0, 0));
  CALL(pidfd_send_signal(p, 99, 0, 0));
  CALL(pidfd_send_signal(p, SIGTERM, 0, 0x1000));
  CALL(pidfd_send_signal(1, SIGTERM, 0, 0));
  CALL(pidfd_send_signal(999, SIGTERM, 0, 0));
  CALL(pidfd_send_signal(p, SIGTERM, (void *)8, 0));
  siginfo_t i = {.si_signo = SIGUSR1, .si_code = SI_USER};
  CALL(pidfd_send_signal(p, SIGTERM, &i, 0));
  i.si_signo = SIGTERM;
  CALL(pidfd_send_signal(p, SIGTERM, &i, 0));
  CALL(read(p, buf, 1));
  siginfo_t w = {0};
  CALL(waitid(3, p, &w, WEXITED | WNOHANG));
  CALL(pidfd_send_signal(p, SIGTERM, 0, 0));
  CALL(poll(&q, 1, -1));
  printf("%#x\n", q.revents);
  CALL(pidfd_send_signal(p, 0, 0, 0));
  CALL(pidfd_getfd(p, 0, 0));
  CALL(waitid(3, p, &w, WEXITED));
  printf("%d %d\n", w.si_code, w.si_status);
  CALL(pidfd_send_signal(p, SIGTERM, 0, 0));
  close(p);
}

int main(void) {
  int ready[2], secret[2];
  pipe(ready);
  area = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(area + 4096, 4096);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    pipe(secret);
    write(secret[1], "a secret", 8);
    strcpy(text, "in the child");
    write(ready[1], &secret[0], sizeof(int));
    for (;;) pause();
  }
  int theirs;
  read(ready[0], &theirs, sizeof theirs);
  memory(child);
  sameness(child);
  descriptors(child, theirs);
}
