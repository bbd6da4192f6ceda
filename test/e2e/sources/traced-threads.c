// SPDX-License-Identifier: MIT
//
// Two threads that sleep when ready() is called, each at a gate of its own, and go on one after the other: a tracer that
// stops both may change who sleeps first.

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <string.h>
#include <fcntl.h>
#include <sys/syscall.h>
static int gates[2][2];
static volatile int tids[2];
int sum;
static void say(const char *text) { write(1, text, strlen(text)); }
static void *work(void *number) {
  char c;
  tids[(long)number] = syscall(SYS_gettid);
  read(gates[(long)number][0], &c, 1);
  __atomic_add_fetch(&sum, 1 + (long)number, __ATOMIC_SEQ_CST);
  return NULL;
}
/* Both threads sleep in read. */
static void await_sleep(int tid) {
  for (;;) {
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    int fd = open(path, O_RDONLY);
    if (fd >= 0) { pread(fd, text, sizeof text - 1, 0); close(fd); }
    char *end = strrchr(text, ')');
    if (end && end[2] == 'S') return;
    usleep(1000);
  }
}
void ready(void) {}
int main(void) {
  pthread_t threads[2];
  for (long i = 0; i < 2; i++) {
    pipe(gates[i]);
    pthread_create(&threads[i], NULL, work, (void *)i);
    while (!tids[i]) usleep(1000);
    await_sleep(tids[i]);
  }
  ready();
  for (int i = 0; i < 2; i++) {
    say("go\n");
    write(gates[i][1], "x", 1);
    // A tracer that has stopped it at its store has the other still at its gate.
    pthread_join(threads[i], NULL);
  }
  say("done\n");
  return 0;
}
