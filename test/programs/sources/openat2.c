// SPDX-License-Identifier: MIT
//
// openat2: its struct in every size, its flags, and how each RESOLVE_ flag bounds the walk.

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "say.h"

enum { NO_XDEV = 1, NO_MAGICLINKS = 2, NO_SYMLINKS = 4, BENEATH = 8, IN_ROOT = 16, CACHED = 32 };
static char here[4096];
static char *edge;

static int at(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  uint64_t how[3] = {flags, mode, resolve};
  int fd = SC(openat2, dir, path, how, sizeof how);
  if (fd < 0) return -1;
  close(fd);
  return 0;
}

static void struct_sizes(void) {
  puts("-- the struct");
  uint64_t how[600] = {0};
  T(SC(openat2, AT_FDCWD, "f", how, 0));
  T(SC(openat2, AT_FDCWD, "f", how, 23));
  T(SC(openat2, AT_FDCWD, "f", how, 24) < 0 ? -1 : 0);
  T(SC(openat2, AT_FDCWD, "f", how, 32) < 0 ? -1 : 0);
  T(SC(openat2, AT_FDCWD, "f", how, 4096) < 0 ? -1 : 0);
  T(SC(openat2, AT_FDCWD, "f", how, 4097));
  how[3] = 1;
  T(SC(openat2, AT_FDCWD, "f", how, 32));
  T(SC(openat2, AT_FDCWD, "f", how, 25));
  T(SC(openat2, AT_FDCWD, "f", (void *)8, 24));
  memset(edge - 24, 0, 24);
  T(SC(openat2, AT_FDCWD, "f", edge - 24, 24) < 0 ? -1 : 0);
  T(SC(openat2, AT_FDCWD, "f", edge - 24, 32));
  T(SC(openat2, AT_FDCWD, (void *)8, how, 24));
}

static void flags(void) {
  puts("-- flags");
  T(at(AT_FDCWD, "f", 1ull << 40, 0, 0));
  T(at(AT_FDCWD, "f", 1u << 31, 0, 0));
  T(at(AT_FDCWD, "f", O_RDONLY, 0644, 0));
  T(at(AT_FDCWD, "new", O_CREAT | O_WRONLY, 0644, 0));
  T(at(AT_FDCWD, "new", O_CREAT | O_WRONLY, 010644, 0));
  T(at(AT_FDCWD, "new", O_CREAT | O_WRONLY, -1ull, 0));
  T(at(AT_FDCWD, ".", O_TMPFILE | O_RDWR, 0600, 0));
  T(at(AT_FDCWD, ".", O_TMPFILE | O_RDONLY, 0600, 0));
  T(at(AT_FDCWD, ".", (O_TMPFILE & ~O_DIRECTORY) | O_RDWR, 0600, 0));
  T(at(AT_FDCWD, "f", O_PATH | O_RDWR, 0, 0));
  T(at(AT_FDCWD, "f", O_PATH | O_CLOEXEC | O_NOFOLLOW, 0, 0));
  T(at(AT_FDCWD, "f", O_PATH | O_TRUNC, 0, 0));
  T(at(AT_FDCWD, "f", O_RDONLY, 0, 64));
  T(at(AT_FDCWD, "f", O_RDONLY, 0, 1ull << 33));
  T(at(AT_FDCWD, "f", O_RDONLY, 0, BENEATH | IN_ROOT));
  T(at(AT_FDCWD, "d", O_DIRECTORY | O_CREAT, 0600, 0));
  T(at(99, "f", O_RDONLY, 0, 0));
  T(at(99, "/", O_RDONLY, 0, 0));
  T(at(99, "/", O_RDONLY, 0, IN_ROOT));
  T(at(AT_FDCWD, "", O_RDONLY, 0, 0));
  T(at(AT_FDCWD, "f", O_RDONLY, 0, CACHED));
  T(at(AT_FDCWD, "made", O_CREAT | O_WRONLY, 0600, CACHED));
  T(at(AT_FDCWD, "f", O_TRUNC | O_WRONLY, 0, CACHED));
  T(at(AT_FDCWD, ".", O_TMPFILE | O_WRONLY, 0600, CACHED));
}

static void walks(const char *title, uint64_t resolve) {
  static const char *const paths[] = {
    "f", "d/g", "d/../f", "..", "../x", "d/../../x", "/", "/etc", ".", "./d/.", "to-f", "d/to-f", "d/up", "d/up/f",
    "abs-f", "abs-etc", "d/abs-f", "loop", "to-d/g", "to-d/../f", "f/", "to-d/", "dangling", "self-fd", "self-root",
    "self-cwd", "self-root/etc", "/proc/self/fd", "/dev/null", "d/to-root-dots", "none",
  };
  printf("-- %s\n", title);
  int dir = open(".", O_PATH);
  for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
    errno = 0;
    int r = at(dir, paths[i], O_RDONLY, 0, resolve);
    printf("%s: %s\n", paths[i], r == 0 ? "opens" : name_of(errno));
  }
  close(dir);
  dir = open("d", O_PATH);
  for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
    errno = 0;
    int r = at(dir, paths[i], O_RDONLY | O_NOFOLLOW, 0, resolve);
    printf("from d, no follow, %s: %s\n", paths[i], r == 0 ? "opens" : name_of(errno));
  }
  close(dir);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  // Natively the working directory lies in a mount that is not the root's.
  if (argc > 1 && strcmp(argv[1], "inside") == 0) {
    char start[4096];
    if (mount("none", ".", "tmpfs", 0, NULL) != 0 || getcwd(start, sizeof start) == NULL || chdir(start) != 0) return 1;
    if (mkdir("below", 0777) != 0 || chdir("below") != 0) return 1;
  }
  umask(022);
  char path[5000];
  getcwd(here, sizeof here);
  edge = (char *)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + 4096;
  munmap(edge, 4096);
  mkdir("d", 0755);
  close(open("f", O_CREAT | O_RDWR, 0644));
  close(open("d/g", O_CREAT | O_RDWR, 0644));
  symlink("f", "to-f");
  symlink("../f", "d/to-f");
  symlink("..", "d/up");
  symlink("../../../../../../../..", "d/to-root-dots");
  symlink("d", "to-d");
  symlink("loop", "loop");
  symlink("/etc", "abs-etc");
  snprintf(path, sizeof path, "%s/f", here);
  symlink(path, "abs-f");
  symlink(path, "d/abs-f");
  symlink("nowhere", "dangling");
  int fd = open("f", O_RDONLY);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  symlink(path, "self-fd");
  symlink("/proc/self/root", "self-root");
  symlink("/proc/self/cwd", "self-cwd");
  struct_sizes();
  flags();
  walks("nothing", 0);
  walks("NO_XDEV", NO_XDEV);
  walks("NO_MAGICLINKS", NO_MAGICLINKS);
  walks("NO_SYMLINKS", NO_SYMLINKS);
  walks("BENEATH", BENEATH);
  walks("IN_ROOT", IN_ROOT);
  walks("BENEATH and NO_SYMLINKS", BENEATH | NO_SYMLINKS);
  walks("IN_ROOT and NO_XDEV", IN_ROOT | NO_XDEV);
  puts("-- making files");
  T(at(AT_FDCWD, "../outside", O_CREAT | O_WRONLY, 0600, BENEATH));
  T(at(AT_FDCWD, "d/../inside", O_CREAT | O_EXCL | O_WRONLY, 0600, BENEATH));
  T(at(AT_FDCWD, "/in-root", O_CREAT | O_EXCL | O_WRONLY, 0600, IN_ROOT));
  T(access("in-root", F_OK));
  T(at(AT_FDCWD, "to-f", O_CREAT | O_WRONLY, 0600, NO_SYMLINKS));
  T(at(AT_FDCWD, "dangling", O_CREAT | O_WRONLY, 0600, BENEATH));
  T(access("nowhere", F_OK));
  return 0;
}
