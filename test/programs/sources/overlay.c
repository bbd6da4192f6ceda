// SPDX-License-Identifier: MIT
//
// Changes a tree that was there before: what shows through must look as if it had been on one file system all along.
// Natively it runs on a copy of the tree, in a sandbox on the tree itself, which must stay as it was.

#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include "say.h"

static ino_t number(const char *path) {
  struct stat s;
  return lstat(path, &s) == 0 ? s.st_ino : 0;
}

static void show(const char *path) {
  struct stat s;
  if (lstat(path, &s) != 0) printf("%s: %s\n", path, name_of(errno));
  else printf("%s: mode %o nlink %d size %ld mtime %ld\n", path, s.st_mode, S_ISDIR(s.st_mode) ? 0 : (int)s.st_nlink,
              S_ISDIR(s.st_mode) ? 0L : (long)s.st_size, s.st_mtim.tv_sec < 1000000100 ? (long)s.st_mtim.tv_sec : -1L);
}

static void get(const char *path) {
  char text[200];
  int fd = open(path, O_RDONLY);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
  if (n < 0) printf("%s: %s\n", path, name_of(errno));
  else printf("%s: \"%.*s\"\n", path, (int)n, text);
  close(fd);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

static void list(const char *path) {
  char *names[200];
  int count = 0;
  DIR *dir = opendir(path);
  if (dir == NULL) {
    printf("%s: %s\n", path, name_of(errno));
    return;
  }
  for (struct dirent *e; (e = readdir(dir)) != NULL && count < 200;) {
    char line[400], full[600];
    snprintf(full, sizeof full, "%s/%s", path, e->d_name);
    struct stat s;
    int same = strcmp(e->d_name, "..") == 0 || (lstat(full, &s) == 0 && s.st_ino == e->d_ino);
    snprintf(line, sizeof line, "%s(%d%s)", e->d_name, e->d_type, same ? "" : " another number");
    names[count++] = strdup(line);
  }
  closedir(dir);
  qsort(names, count, sizeof *names, by_name);
  printf("%s:", path);
  for (int i = 0; i < count; i++) printf(" %s", names[i]);
  printf("\n");
}

static void contents(void) {
  puts("-- writing to what shows through");
  show("a");
  ino_t before = number("a");
  int reader = open("a", O_RDONLY);
  char *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, reader, 0);
  printf("mapped %.6s\n", map);
  int fd = open("a", O_RDWR);
  T(pwrite(fd, "HOST", 4, 0));
  printf("mapped %.6s same number %d\n", map, number("a") == before);
  char text[10] = "";
  T(pread(reader, text, 6, 0));
  puts(text);
  get("b");
  get("d/c");
  printf("one file %d\n", number("a") == number("b") && number("b") == number("d/c"));
  show("a");
  T(unlink("a"));
  get("a");
  get("b");
  show("b");
  T(link("b", "d/e/new-link"));
  show("d/c");
  T(rename("d/e/new-link", "a"));
  T(chmod("d/c", 0600));
  show("a");
  close(fd);
  close(reader);
  puts("-- a large file");
  before = number("big");
  fd = open("big", O_RDWR);
  struct stat s;
  fstat(fd, &s);
  printf("size %ld\n", (long)s.st_size);
  T(pwrite(fd, "middle", 6, 500000));
  char piece[20] = "";
  pread(fd, piece, 12, 499997);
  puts(piece);
  pread(fd, piece, 6, 0);
  pread(fd, piece + 6, 6, 999994);
  puts(piece);
  T(ftruncate(fd, 500003));
  T(lseek(fd, 0, SEEK_END));
  T(ftruncate(fd, 1000000));
  pread(fd, piece, 6, 500000);
  printf("%.3s %d %d\n", piece, piece[3], piece[5]);
  printf("same number %d\n", number("big") == before);
  T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 8192));
  pread(fd, piece, 2, 4095);
  printf("%c %d\n", piece[0], piece[1]);
  T(open("big", O_WRONLY | O_TRUNC) < 0 ? -1 : 0);
  T(lseek(fd, 0, SEEK_END));
  close(fd);
  puts("-- a private and a shared mapping");
  fd = open("d/f", O_RDWR);
  char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  own[0] = 'p';
  shared[1] = 's';
  get("d/f");
  printf("%.4s %.4s\n", own, shared);
  close(fd);
}

static void names(void) {
  puts("-- names");
  list(".");
  list("d");
  T(unlink("d/f"));
  list("d");
  T(open("d/f", O_RDONLY));
  T(open("d/f", O_CREAT | O_EXCL | O_WRONLY, 0644) < 0 ? -1 : 0);
  get("d/f");
  list("d");
  T(rmdir("d"));
  T(rmdir("many"));
  ino_t dir = number("d"), file = number("d/e/g");
  T(rename("d", "moved"));
  printf("numbers stay %d %d\n", number("moved") == dir, number("moved/e/g") == file);
  get("moved/e/g");
  get("d/e/g");
  T(mkdir("d", 0755));
  list("d");
  list("moved");
  T(rename("moved/e", "d/e"));
  get("d/e/g");
  list("d");
  T(rename("to-file", "d/to-file"));
  T(readlink("d/to-file", (char[10]){0}, 10));
  T(rename("empty", "d/e"));
  T(rename("empty", "d/empty"));
  T(rename("d/empty", "moved"));
  puts("-- removing everything");
  T(unlink("moved/f"));
  T(unlink("moved/c"));
  T(rmdir("moved"));
  T(mkdir("moved", 0700));
  list("moved");
  show("moved");
}

static void reading(void) {
  puts("-- a listing while names change");
  DIR *dir = opendir("many");
  int seen[60] = {0}, count = 0, strange = 0;
  for (struct dirent *e; (e = readdir(dir)) != NULL;) {
    int n;
    if (sscanf(e->d_name, "file%d", &n) != 1 || n < 0 || n >= 60) {
      strange += e->d_name[0] != '.' && strncmp(e->d_name, "new", 3) != 0;
      continue;
    }
    seen[n]++;
    char path[40];
    sprintf(path, "many/file%d", n);
    if (n % 3 == 0) unlink(path);
    sprintf(path, "many/new%d", count++ % 7);
    close(open(path, O_CREAT | O_WRONLY, 0600));
  }
  int once = 0;
  for (int i = 0; i < 50; i++) once += seen[i] == 1;
  printf("each once %d, strange %d\n", once, strange);
  rewinddir(dir);
  count = 0;
  while (readdir(dir) != NULL) count++;
  printf("afterwards %d\n", count);
  closedir(dir);
  list("many");
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  umask(022);
  contents();
  names();
  reading();
  T(setxattr("b", "trusted.note", "x", 1, 0));
  T(getxattr("a", "trusted.note", (char[10]){0}, 10));
  T(removexattr("a", "trusted.note"));
  show("b");
  puts("-- the rest");
  list("d/e");
  list("d");
  list(".");
  show("d/e/g");
  show("d/to-file");
  return 0;
}
