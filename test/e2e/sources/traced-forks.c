// SPDX-License-Identifier: MIT
//
// Forks a child and waits for it.

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  char text[64];
  pid_t child = fork();
  if (child == 0) _exit(7);
  int status;
  waitpid(child, &status, 0);
  write(1, text, snprintf(text, sizeof text, "child %d\n", WEXITSTATUS(status)));
  return 0;
}
