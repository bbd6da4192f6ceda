// SPDX-License-Identifier: MIT
// Asks the kernel to remember more than it may: each line tells how an attempt ended.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
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

  // So do timers.
  struct sigevent event = {.sigev_notify = SIGEV_NONE};
  timer_t timer;
  int timers = 0;
  while (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0) timers++;
  if (fork() == 0) _exit(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 ? 0 : errno);
  int status;
  wait(&status);
  printf("timers %d, in a child %s\n", timers, strerror(WEXITSTATUS(status)));

  for (int c = 0; c < CHILDREN; c++) kill(children[c], SIGKILL);
  while (wait(NULL) > 0) {
  }
  execle("/proc/self/exe", "x", "again", NULL, (char *[]){"E=1", NULL});
  return 1;
}
