// SPDX-License-Identifier: MIT
//
// Mounts and marks files without end, as root: each way must end with an error number, soon, and leave the rest usable.
// Never to be run natively.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static char block[1 << 16];

static const char *end(void) { return errno == ENOSPC ? "ENOSPC" : strerror(errno); }

static void stacked(void) {
  mkdir("/tmp/s", 0755);
  int n = 0;
  while (n < 200000 && mount("none", "/tmp/s", "tmpfs", 0, NULL) == 0) n++;
  printf("one above the other: %d, then %s\n", n > 1000 && n < 200000, end());
  while (umount2("/tmp/s", MNT_DETACH) == 0);
  printf("gone %d\n", umount2("/tmp/s", 0) == -1 && errno == EINVAL);
}

static void doubled(void) {
  mkdir("/tmp/b", 0755);
  int n = 0;
  while (n < 100 && mount("/", "/tmp/b", NULL, MS_BIND | MS_REC, NULL) == 0) n++;
  printf("doubling: %d, then %s\n", n > 3 && n < 100, end());
  while (umount2("/tmp/b", MNT_DETACH) == 0);
  printf("usable %d\n", mount("none", "/tmp/b", "tmpfs", 0, NULL) == 0 && umount2("/tmp/b", 0) == 0);
}

static void filled(void) {
  char path[60];
  int n = 0;
  long total = 0;
  for (; n < 100; n++) {
    sprintf(path, "/tmp/t%d", n);
    mkdir(path, 0755);
    if (mount("none", path, "tmpfs", 0, "size=10g") != 0) break;
    strcat(path, "/f");
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    long before = total;
    for (ssize_t w; (w = write(fd, block, sizeof block)) > 0;) total += w;
    close(fd);
    if (total == before) break;
  }
  printf("all together hold less than a gigabyte: %d\n", total < 1L << 30);
  for (int i = 0; i <= n; i++) {
    sprintf(path, "/tmp/t%d", i);
    umount2(path, 0);
  }
  int fd = open("/tmp/f", O_CREAT | O_WRONLY, 0600);
  printf("free again %d\n", write(fd, block, sizeof block) == sizeof block);
  close(fd);
}

static void marked(void) {
  char name[260], path[60];
  long set = 0;
  int stop = 0;
  for (int f = 0; f < 1000 && !stop; f++) {
    sprintf(path, "/tmp/x%d", f);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    for (int i = 0; i < 100 && !stop; i++) {
      sprintf(name, "user.attribute%d", i);
      if (fsetxattr(fd, name, block, sizeof block, 0) != 0) stop = 1;
      else set++;
    }
    close(fd);
  }
  printf("attributes: %d, then %s\n", set > 1000, end());
  for (int f = 0; f < 1000; f++) {
    sprintf(path, "/tmp/x%d", f);
    unlink(path);
  }
  int fd = open("/tmp/x", O_CREAT | O_WRONLY, 0600);
  printf("free again %d\n", fsetxattr(fd, "user.a", block, sizeof block, 0) == 0);
  int n = 0;
  for (; n < 2000; n++) {
    sprintf(name, "user.%0200d", n);
    if (fsetxattr(fd, name, "", 0, 0) != 0) break;
  }
  printf("names %d list %s\n", n == 2000, flistxattr(fd, block, sizeof block) == -1 ? strerror(errno) : "?");
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  stacked();
  doubled();
  filled();
  marked();
  return 0;
}
