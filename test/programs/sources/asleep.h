// SPDX-License-Identifier: MIT
//
// Waits for a task until it waits itself, so that what is tried next does not depend on time.

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/** Until a task of a process sleeps, with nothing else to sleep on in the call that is tried, or has ended. Gives its state. */
static char await_asleep(pid_t pid, pid_t tid) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
  for (;;) {
    int f = open(path, O_RDONLY);
    if (f < 0) return 'X';
    ssize_t n = read(f, text, sizeof text - 1);
    close(f);
    text[n > 0 ? n : 0] = 0;
    char *end = strrchr(text, ')');
    if (end == 0 || strchr("SZX", end[2])) return end == 0 ? 'X' : end[2];
    usleep(200);
  }
}
