// SPDX-License-Identifier: MIT
//
// Extended attributes: every call in its three forms, classes and who may use them, sizes and errors.

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include "say.h"

static char *bad = (char *)8;
static char big[70000], name255[300], name256[300];

static int by_text(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

/** All attributes by name: file systems list them in orders of their own. */
static void show(const char *path) {
  char names[4096], value[300];
  ssize_t n = llistxattr(path, names, sizeof names);
  if (n < 0) {
    printf("%s: %s\n", path, name_of(errno));
    return;
  }
  printf("%s:", path);
  char *each[100];
  int count = 0;
  for (char *at = names; at < names + n && count < 100; at += strlen(at) + 1) each[count++] = at;
  qsort(each, count, sizeof *each, by_text);
  for (int i = 0; i < count; i++) {
    ssize_t size = lgetxattr(path, each[i], value, sizeof value);
    if (size < 0) printf(" %.20s(%s)", each[i], name_of(errno));
    else printf(" %.20s=%.*s", each[i], (int)size, value);
  }
  printf("\n");
}

static void basics(void) {
  puts("-- set, get, list, remove");
  close(open("f", O_CREAT | O_RDWR, 0644));
  mkdir("d", 0755);
  symlink("f", "l");
  symlink("nowhere", "dangling");
  int fd = open("f", O_RDONLY), path = open("f", O_PATH);
  T(setxattr("f", "user.b", "two", 3, 0));
  T(lsetxattr("f", "user.a", "one", 3, XATTR_CREATE));
  T(fsetxattr(fd, "user.c", "", 0, 0));
  T(setxattr("d", "user.dir", "d", 1, 0));
  T(setxattr("l", "user.through", "x", 1, 0));
  show("f");
  show("d");
  show("l");
  T(setxattr("f", "user.a", "new", 3, XATTR_CREATE));
  T(setxattr("f", "user.a", "newer", 5, XATTR_REPLACE));
  T(setxattr("f", "user.none", "x", 1, XATTR_REPLACE));
  T(setxattr("f", "user.none", "x", 1, XATTR_REPLACE | XATTR_CREATE));
  T(setxattr("f", "user.a", "x", 1, XATTR_REPLACE | XATTR_CREATE));
  T(setxattr("f", "user.a", "x", 1, 8));
  T(getxattr("f", "user.a", NULL, 0));
  T(getxattr("f", "user.a", big, 4));
  T(getxattr("f", "user.a", big, 5));
  T(getxattr("f", "user.a", bad, 100));
  T(getxattr("f", "user.c", big, 100));
  T(getxattr("f", "user.c", NULL, 0));
  T(getxattr("f", "user.nothing", big, 100));
  T(fgetxattr(fd, "user.b", big, 100));
  T(fgetxattr(path, "user.b", big, 100));
  T(fgetxattr(99, "user.b", big, 100));
  T(fsetxattr(path, "user.b", big, 100, 0));
  T(fsetxattr(99, "user.b", big, 100, 0));
  T(listxattr("f", NULL, 0));
  T(listxattr("f", big, 5));
  T(listxattr("f", bad, 100));
  T(listxattr("nowhere", big, 100));
  T(flistxattr(fd, big, 100));
  T(flistxattr(path, big, 100));
  T(flistxattr(99, big, 100));
  T(removexattr("f", "user.c"));
  T(removexattr("f", "user.c"));
  T(lremovexattr("f", "user.b"));
  T(fremovexattr(fd, "user.through"));
  T(fremovexattr(path, "user.a"));
  T(fremovexattr(99, "user.a"));
  T(removexattr("nowhere", "user.a"));
  T(removexattr("f", "nothing"));
  show("f");
}

static void names(void) {
  puts("-- names and sizes");
  strcpy(name255, "user.");
  memset(name255 + 5, 'n', 250);
  memcpy(name256, name255, 255);
  name256[255] = 'n';
  T(setxattr("f", name255, "1", 1, 0));
  T(getxattr("f", name255, big, 10));
  T(setxattr("f", name256, "1", 1, 0));
  T(getxattr("f", name256, big, 10));
  T(removexattr("f", name256));
  T(setxattr("f", "", "1", 1, 0));
  T(getxattr("f", "", big, 10));
  T(setxattr("f", bad, "1", 1, 0));
  T(getxattr("f", bad, big, 10));
  T(removexattr("f", bad));
  T(setxattr("f", "user.x", bad, 10, 0));
  T(setxattr("f", "user.big", big, 65536, 0));
  T(getxattr("f", "user.big", NULL, 0));
  T(getxattr("f", "user.big", big, sizeof big));
  T(getxattr("f", "user.big", big, 65535));
  T(removexattr("f", "user.big"));
  T(setxattr("f", "user.big", big, 65537, 0));
  T(setxattr("f", "user.", "1", 1, 0));
  T(getxattr("f", "user.", big, 10));
  T(setxattr("f", "user", "1", 1, 0));
  T(setxattr("f", "other.x", "1", 1, 0));
  T(getxattr("f", "other.x", big, 10));
  T(removexattr("f", "other.x"));
  T(setxattr("f", "system.nonsense", "1", 1, 0));
  T(getxattr("f", "system.nonsense", big, 10));
  T(setxattr("nowhere", "user.a", "1", 1, 0));
  T(getxattr("nowhere", "user.a", big, 10));
  T(setxattr(bad, "user.a", "1", 1, 0));
  T(getxattr(bad, "user.a", big, 10));
  T(listxattr(bad, big, 10));
  T(removexattr(bad, "user.a"));
  T(setxattr("f/x", "user.a", "1", 1, 0));
  T(setxattr("dangling", "user.a", "1", 1, 0));
  T(getxattr("/proc/self/stat", "user.a", big, 10));
  T(setxattr("/proc/self/stat", "user.a", "1", 1, 0));
  T(listxattr("/proc/self/stat", big, 10));
}

static void classes(void) {
  puts("-- classes");
  mkfifo("p", 0666);
  T(lsetxattr("l", "user.a", "1", 1, 0));
  T(lgetxattr("l", "user.a", big, 10));
  T(lremovexattr("l", "user.a"));
  T(lsetxattr("l", "trusted.a", "link", 4, 0));
  T(lgetxattr("l", "trusted.a", big, 10));
  T(getxattr("l", "trusted.a", big, 10));
  T(setxattr("p", "user.a", "1", 1, 0));
  T(getxattr("p", "user.a", big, 10));
  T(setxattr("p", "trusted.a", "1", 1, 0));
  T(setxattr("f", "trusted.t", "t", 1, 0));
  T(setxattr("f", "security.s", "s", 1, 0));
  show("f");
  show("l");
  show("p");
}

static int as_user(void) {
  setgroups(0, NULL);
  setgid(1000);
  setuid(1000);
  puts("-- another user");
  T(setxattr("f", "user.a", "1", 1, 0));
  T(getxattr("f", "user.a", big, 10));
  T(removexattr("f", "user.a"));
  T(getxattr("hidden", "user.a", big, 10));
  T(listxattr("hidden", big, 10));
  T(setxattr("f", "trusted.t", "1", 1, 0));
  T(getxattr("f", "trusted.t", big, 10));
  T(removexattr("f", "trusted.t"));
  T(setxattr("f", "security.s", "1", 1, 0));
  T(getxattr("f", "security.s", big, 10));
  T(removexattr("f", "security.s"));
  show("f");
  T(setxattr("sticky", "user.a", "1", 1, 0));
  T(setxattr("open", "user.a", "1", 1, 0));
  T(setxattr("closed/f", "user.a", "1", 1, 0));
  T(getxattr("closed/f", "user.a", big, 10));
  close(open("mine", O_CREAT | O_RDWR, 0400));
  T(setxattr("mine", "user.a", "1", 1, 0));
  T(getxattr("mine", "user.a", big, 10));
  T(chmod("mine", 0200));
  T(getxattr("mine", "user.a", big, 10));
  T(setxattr("mine", "user.a", "1", 1, 0));
  return 0;
}

static void times(void) {
  puts("-- times and names");
  struct stat a, b;
  stat("f", &a);
  usleep(20000);
  setxattr("f", "user.time", "1", 1, 0);
  stat("f", &b);
  printf("mtime stays %d, ctime moves %d\n", a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec,
         a.st_ctim.tv_sec != b.st_ctim.tv_sec || a.st_ctim.tv_nsec != b.st_ctim.tv_nsec);
  link("f", "g");
  rename("f", "h");
  show("g");
  show("h");
  unlink("h");
  show("g");
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  umask(022);
  basics();
  names();
  classes();
  close(open("hidden", O_CREAT | O_RDWR, 0600));
  setxattr("hidden", "user.a", "1", 1, 0);
  mkdir("sticky", 0);
  chmod("sticky", 01777);
  mkdir("open", 0);
  chmod("open", 0777);
  mkdir("closed", 0700);
  close(open("closed/f", O_CREAT | O_RDWR, 0666));
  fflush(stdout);
  if (fork() == 0) _exit(as_user());
  wait(NULL);
  times();
  return 0;
}
