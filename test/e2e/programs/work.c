// SPDX-License-Identifier: MIT
//
// Ordinary work of a C program: memory, files, directories, time, formatted output, sorting.

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static sigjmp_buf after_fault;
static void on_fault(int signo) { siglongjmp(after_fault, signo); }

int main(int argc, char **argv) {
  printf("arguments %d: %s %s\n", argc, argc > 1 ? argv[1] : "-", getenv("GREETING") ? getenv("GREETING") : "-");

  char *blocks[200];
  for (int i = 0; i < 200; i++) {
    blocks[i] = malloc((size_t)i * 997 + 1);
    memset(blocks[i], i, (size_t)i * 997 + 1);
  }
  unsigned sum = 0;
  for (int i = 0; i < 200; i++) {
    sum += (unsigned char)blocks[i][i * 997];
    free(blocks[i]);
  }
  printf("memory %u\n", sum);

  char folder[] = "/tmp/work-XXXXXX";
  if (mkdtemp(folder) == NULL || chdir(folder) != 0) return 1;
  for (int i = 9; i >= 0; i--) {
    char name[32];
    snprintf(name, sizeof name, "file-%d", i);
    FILE *file = fopen(name, "w");
    for (int line = 0; line < 100 * i; line++) fprintf(file, "line %d of %s\n", line, name);
    fclose(file);
  }
  char *names[16];
  int count = 0;
  DIR *directory = opendir(".");
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    if (entry->d_name[0] != '.') names[count++] = strdup(entry->d_name);
  }
  closedir(directory);
  qsort(names, (size_t)count, sizeof names[0], compare);
  for (int i = 0; i < count; i++) {
    struct stat status;
    if (stat(names[i], &status) != 0) return 2;
    printf("%s %lld %o\n", names[i], (long long)status.st_size, status.st_mode & 0777);
  }
  int fd = open("file-9", O_RDWR);
  char *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return 3;
  memcpy(mapped, "LINE", 4);
  munmap(mapped, 4096);
  char start[16] = {0};
  if (pread(fd, start, 13, 0) != 13) return 4;
  printf("mapped %s", start);
  close(fd);
  for (int i = 0; i < count; i++) unlink(names[i]);
  if (chdir("/") != 0 || rmdir(folder) != 0) return 5;
  int missing = open("/no/such/file", O_RDONLY);
  printf("missing: %d %s\n", missing, strerror(errno));

  int ends[2];
  if (pipe(ends) != 0) return 6;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    dprintf(ends[1], "from the child");
    _exit(9);
  }
  char text[32] = {0};
  if (read(ends[0], text, sizeof text - 1) < 0) return 7;
  int status;
  waitpid(child, &status, 0);
  printf("%s, status %d\n", text, WEXITSTATUS(status));

  signal(SIGSEGV, on_fault);
  if (sigsetjmp(after_fault, 1) == 0) *(volatile int *)8 = 1;
  else printf("fault caught\n");

  struct timespec pause = {0, 3000000};
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  nanosleep(&pause, NULL);
  clock_gettime(CLOCK_MONOTONIC, &after);
  printf("slept %s\n", (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec >= 3000000 ? "enough" : "too little");
  printf("%.12f %.3e %a\n", sqrt(2.0), 1e300 * 10, 0.1);
  return 3;
}
