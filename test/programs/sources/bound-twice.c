// SPDX-License-Identifier: MIT
//
// One directory under two names that know nothing of each other: what is changed under one shows under the other, also
// in what was mapped before. The names are the arguments; natively they may be the same.

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "say.h"

static char path[2][3][4096];
enum { F, G, D };

static void put(const char *name, const char *text) {
  int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644);
  T(write(fd, text, strlen(text)));
  close(fd);
}

static void get(int side, int which) {
  char text[100] = "";
  int fd = open(path[side][which], O_RDONLY);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (n < 0) printf("%d %d: %s\n", side, which, name_of(errno));
  else {
    char *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    printf("%d %d: %s, mapped %s\n", side, which, text, map == MAP_FAILED ? "?" : map);
    munmap(map, 4096);
  }
  close(fd);
}

static ino_t number(int side, int which) {
  struct stat s;
  return stat(path[side][which], &s) == 0 ? s.st_ino : 0;
}

int main(int argc, char **argv) {
  static const char *const names[] = {"f", "g", "d"};
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int side = 0; side < 2; side++)
    for (int i = 0; i < 3; i++) snprintf(path[side][i], 4096, "%s/%s", argv[1 + side], names[i]);
  put(path[0][F], "first");
  get(0, F);
  get(1, F);
  put(path[1][F], "second");
  get(0, F);
  get(1, F);
  int fd = open(path[0][F], O_RDWR);
  char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  map[0] = 'S';
  T(msync(map, 4096, MS_SYNC));
  get(1, F);
  map[1] = 'E';
  munmap(map, 4096);
  close(fd);
  get(1, F);
  T(rename(path[1][F], path[1][G]));
  get(0, F);
  get(0, G);
  T(unlink(path[0][G]));
  get(1, G);
  put(path[1][G], "another");
  get(0, G);
  T(mkdir(path[0][D], 0755));
  T(rmdir(path[1][D]));
  T(access(path[0][D], F_OK));
  put(path[0][F], "f");
  printf("two files %d, one number each %d\n", number(0, F) != number(0, G), number(0, F) == number(0, F));
  fd = open(path[0][F], O_RDONLY);
  T(unlink(path[0][F]));
  put(path[0][F], "new");
  char text[10] = "";
  T(read(fd, text, 9));
  printf("still %s\n", text);
  struct stat s;
  fstat(fd, &s);
  printf("names %d, another number %d\n", (int)s.st_nlink, s.st_ino != number(0, F));
  return 0;
}
