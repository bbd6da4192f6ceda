// SPDX-License-Identifier: MIT
//
// Tries to leave its tree, as root: by dots, links, descriptors, /proc, chroot, mounts and renames. The name of what
// lies outside is the first argument. With "race" it works in /shared while somebody changes it from outside.

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *canary;
static int tried;

/** Looks for the canary from a directory: there, and as far up as dots lead. */
static void look(const char *way, int dir) {
  char path[400] = "";
  if (dir < 0) return;
  for (int up = 0; up < 20; up++) {
    char full[800];
    snprintf(full, sizeof full, "%s%s", path, canary);
    if (faccessat(dir, full, F_OK, AT_SYMLINK_NOFOLLOW) == 0) printf("LEAK by %s: %s\n", way, full);
    snprintf(full, sizeof full, "%soutside/%s", path, canary);
    if (faccessat(dir, full, F_OK, AT_SYMLINK_NOFOLLOW) == 0) printf("LEAK by %s: %s\n", way, full);
    strcat(path, "../");
    tried += 2;
  }
}

static void by_path(const char *way, const char *path) {
  int fd = open(path, O_PATH | O_DIRECTORY);
  look(way, fd);
  close(fd);
}

static void work(void) {
  static const char *const places[] = {"/", "/..", "/shared", "/shared/..", "/shared/deep/er/../../../..", "/tmp",
    "/proc", "/proc/..", "/dev/..", "/proc/self/root", "/proc/self/root/..", "/proc/self/cwd/..", "/proc/1/root/..",
    "/proc/self/task/1/root/..", "/proc/self/fd/0/..", "/proc/thread-self/root/../..", "/shared/to-root/..",
    "/shared/to-up", "/shared/to-outside", "/shared/to-proc", "/shared/absolute"};
  symlink("/", "/shared/to-root");
  symlink("../../../../../../../..", "/shared/to-up");
  symlink("../outside", "/shared/to-outside");
  symlink("/proc/self/root/..", "/shared/to-proc");
  char full[500];
  snprintf(full, sizeof full, "%s", getenv("OUTSIDE") ?: "/outside");
  symlink(full, "/shared/absolute");
  by_path("the host's own path", full);
  for (unsigned i = 0; i < sizeof places / sizeof *places; i++) by_path(places[i], places[i]);
  puts("-- descriptors");
  for (int fd = 0; fd < 20; fd++) {
    char proc[40];
    sprintf(proc, "/proc/self/fd/%d", fd);
    by_path(proc, proc);
    look("a descriptor", fd);
  }
  puts("-- renames above a descriptor");
  mkdir("/shared/a", 0755);
  mkdir("/shared/a/b", 0755);
  mkdir("/shared/z", 0755);
  int deep = open("/shared/a/b", O_RDONLY | O_DIRECTORY);
  rename("/shared/a/b", "/shared/z/b");
  look("a moved directory", deep);
  rename("/shared/z/b", "/tmp/b");
  rmdir("/shared/a");
  rmdir("/shared/z/b");
  look("a removed directory", deep);
  puts("-- bind mounts");
  mkdir("/tmp/bound", 0755);
  mkdir("/shared/part", 0755);
  mkdir("/shared/part/in", 0755);
  printf("bind %d\n", mount("/shared/part", "/tmp/bound", NULL, MS_BIND, NULL));
  by_path("a bind", "/tmp/bound/..");
  int in = open("/tmp/bound/in", O_RDONLY | O_DIRECTORY);
  printf("move %d\n", rename("/shared/part/in", "/shared/moved"));
  look("a directory moved out of a bind", in);
  printf("recursive %d\n", mount("/", "/tmp/bound", NULL, MS_BIND | MS_REC, NULL));
  by_path("the root in itself", "/tmp/bound/..");
  by_path("the root in itself", "/tmp/bound/tmp/../..");
  umount2("/tmp/bound", MNT_DETACH);
  puts("-- chroot");
  mkdir("/tmp/jail", 0755);
  int out = open("/", O_RDONLY | O_DIRECTORY);
  printf("chroot %d\n", chroot("/tmp/jail"));
  look("the way out of a chroot", out);
  fchdir(out);
  for (int i = 0; i < 50; i++) chdir("..");
  look("climbing", AT_FDCWD == -100 ? open(".", O_PATH) : -1);
  printf("back %d\n", chroot("."));
  puts("-- RESOLVE flags");
  for (int resolve = 0; resolve < 32; resolve++) {
    uint64_t how[3] = {O_PATH | O_DIRECTORY, 0, resolve};
    look("openat2", syscall(SYS_openat2, out, "..", how, sizeof how));
    look("openat2", syscall(SYS_openat2, out, "/..", how, sizeof how));
  }
  puts("-- pivot_root");
  mkdir("/tmp/new", 0755);
  printf("mount %d\n", mount("none", "/tmp/new", "tmpfs", 0, NULL));
  mkdir("/tmp/new/old", 0755);
  printf("pivot %d\n", syscall(SYS_pivot_root, "/tmp/new", "/tmp/new/old"));
  by_path("a new root", "/..");
  by_path("the old root", "/old/..");
  umount2("/old", MNT_DETACH);
  look("the old root, unmounted", out);
}

static void race(void) {
  char text[64];
  int outside = 0, inside = 0, changed = 0;
  for (int i = 0; i < 4000; i++) {
    int fd = open("/shared/a/secret", O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (n >= 7 && memcmp(text, "outside", 7) == 0) outside++;
    if (n >= 6 && memcmp(text, "inside", 6) == 0) inside++;
    if (fd >= 0) close(fd);
    fd = open("/shared/a/made", O_CREAT | O_WRONLY | O_TRUNC, 0644);
    if (fd >= 0) {
      changed += write(fd, "guest", 5) == 5;
      close(fd);
    }
    unlink("/shared/a/made");
    rename("/shared/a/secret2", "/shared/a/secret3");
    chmod("/shared/a/secret", 0600);
    truncate("/shared/a/secret", 100);
    DIR *dir = opendir("/shared/a");
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) if (strcmp(e->d_name, canary) == 0) outside++;
    if (dir != NULL) closedir(dir);
  }
  printf("outside %d, inside %d, changed %d\n", outside, inside > 0, changed > 0);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  canary = argv[1];
  if (argc > 2 && strcmp(argv[2], "race") == 0) race();
  else {
    work();
    printf("tried %d\n", tried);
  }
  return 0;
}
