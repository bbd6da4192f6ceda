// SPDX-License-Identifier: MIT
// Asks the kernel to remember more than it may: each line tells how an attempt ended.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN 20

static pid_t children[CHILDREN];

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "again") == 0) {
    char line[64];
    int fd = open("/proc/self/cmdline", O_RDONLY);
    ssize_t n = read(fd, line, sizeof line);
    for (ssize_t i = 0; i < n; i++) putchar(line[i] == 0 ? '|' : line[i]);
    fd = open("/proc/self/environ", O_RDONLY);
    n = read(fd, line, sizeof line);
    printf(" %zd %.*s\n", n, (int)n, line);
    argv[1][0] = 'A';
    fd = open("/proc/self/cmdline", O_RDONLY);
    n = read(fd, line, sizeof line);
    printf("changed %d\n", memmem(line, n, "Again", 5) != NULL);
    return 0;
  }
  setvbuf(stdout, NULL, _IONBF, 0);

  // One call moves no more than Linux lets it, however many pieces there are.
  static char bytes[1 << 20];
  static struct iovec pieces[1024];
  for (int i = 0; i < 1024; i++) pieces[i] = (struct iovec){bytes, 1L << 62};
  for (int i = 0; i < 40; i++) pieces[i].iov_len = sizeof bytes;
  printf("random %zd\n", readv(open("/dev/urandom", O_RDONLY), pieces, 40));
  close(3);

  // The text of /proc is not kept without end.
  int kept = 0;
  char *area = mmap(NULL, 1L << 33, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  for (int i = 0; i < 30000; i++) mprotect(area + i * 8192L, 4096, PROT_READ);
  int maps[100];
  for (int i = 0; i < 100; i++) {
    maps[i] = open("/proc/self/maps", O_RDONLY);
    if (read(maps[i], bytes, 1) < 0) break;
    kept++;
  }
  printf("texts %s\n", kept > 5 && kept < 50 ? "bounded" : "not as expected");
  for (int i = 0; i <= kept && i < 100; i++) close(maps[i]);
  munmap(area, 1L << 33);

  // A pidfd that cannot be told: the child must not come, nor anything of it stay.
  int failed = 0;
  for (int i = 0; i < 3000; i++) {
    if (syscall(SYS_clone, 0x1000 | SIGCHLD, 0, 8, 0, 0) == -1 && errno == EFAULT) failed++;
  }
  printf("clones %d, next descriptor %d\n", failed, dup(0));

  // Signals that wait count for all processes together.
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  int queued = 0;
  for (int c = 0; c < CHILDREN; c++) {
    children[c] = fork();
    if (children[c] == 0)
      for (;;) pause();
    union sigval value = {0};
    while (sigqueue(children[c], SIGRTMIN + 1, value) == 0) queued++;
  }
  printf("signals %s\n", queued <= 4000 + 32 * CHILDREN ? "bounded" : "unbounded");

  for (int c = 0; c < CHILDREN; c++) kill(children[c], SIGKILL);
  while (wait(NULL) > 0) {
  }

  // So do timers, beside the SIGCHLD that waits.
  struct sigevent event = {.sigev_notify = SIGEV_NONE};
  timer_t timer;
  int timers = 0;
  while (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0) timers++;
  if (fork() == 0) _exit(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 ? 0 : errno);
  int status;
  wait(&status);
  printf("timers %d, in a child %s\n", timers, strerror(WEXITSTATUS(status)));

  execle("/proc/self/exe", "x", "again", NULL, (char *[]){"E=1", NULL});
  return 1;
}
