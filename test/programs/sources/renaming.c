// SPDX-License-Identifier: MIT
//
// Names: rename, link, symlink, unlink, rmdir, mkdir and mknod in all forms, with what each refuses and what it does
// to link counts, times and open files.

#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include "say.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#define RENAME_WHITEOUT 4
#endif

static char *bad = (char *)8;
static char long_name[300], long_path[5000];

static void make(const char *path) { close(open(path, O_CREAT | O_WRONLY, 0644)); }

static void put(const char *path, const char *text) {
  int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
  write(fd, text, strlen(text));
  close(fd);
}

static void show(const char *path) {
  struct stat s;
  if (lstat(path, &s) != 0) printf("%s: %s\n", path, name_of(errno));
  else printf("%s: mode %o nlink %d size %ld rdev %lx\n", path, s.st_mode, (int)s.st_nlink,
              S_ISDIR(s.st_mode) ? 0L : (long)s.st_size, (long)s.st_rdev);
}

static void get(const char *path) {
  char text[100];
  int fd = open(path, O_RDONLY | O_NOFOLLOW);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
  if (n < 0) printf("%s: %s\n", path, name_of(errno));
  else printf("%s: \"%.*s\"\n", path, (int)n, text);
  close(fd);
}

static int in_child(int (*work)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    setgroups(0, NULL);
    setgid(1000);
    setuid(1000);
    work();
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(pid, &status, 0);
  return status;
}

static void renames(void) {
  puts("-- rename");
  put("a", "a");
  put("b", "b");
  mkdir("d", 0755);
  mkdir("e", 0755);
  make("e/x");
  symlink("a", "l");
  symlink("d", "ld");
  symlink("nowhere", "dang");
  T(rename("a", "b"));
  get("b");
  get("a");
  T(rename("none", "b"));
  T(rename("b", "none/x"));
  T(rename("b/x", "c"));
  T(rename("b", "b/x"));
  T(rename("b", ""));
  T(rename("", "b"));
  T(rename(bad, "b"));
  T(rename("b", bad));
  T(rename("b", "d"));
  T(rename("d", "b"));
  T(rename("d", "e"));
  T(rename("d", "d/inside"));
  T(rename("d", "d"));
  T(rename("e", "e/../e"));
  T(rename("e/x", "e"));
  T(rename("e", "e/x"));
  T(rename("d", "."));
  T(rename("d", ".."));
  T(rename(".", "z"));
  T(rename("..", "z"));
  T(rename("d/.", "z"));
  T(rename("/", "z"));
  T(rename("b", "/"));
  T(rename("b", "c/"));
  T(rename("b/", "c"));
  T(rename("d/", "d2/"));
  T(rename("d2", "d"));
  T(rename("l", "l2"));
  show("l2");
  T(rename("ld/", "d3"));
  T(rename("dang", "dang2"));
  T(rename("dang2/", "dang"));
  T(rename("b", long_name));
  T(rename(long_name, "b"));
  T(rename("b", long_path));
  T(renameat(99, "b", AT_FDCWD, "c"));
  T(renameat(AT_FDCWD, "b", 99, "c"));
  int file = open("b", O_RDONLY), dir = open("d", O_PATH);
  T(renameat(file, "b", AT_FDCWD, "c"));
  T(renameat(AT_FDCWD, "b", dir, "moved"));
  T(renameat(dir, "moved", AT_FDCWD, "b"));
  close(file);
  close(dir);
  puts("-- renameat2");
  T(SC(renameat2, AT_FDCWD, "b", AT_FDCWD, "c", 8));
  T(SC(renameat2, AT_FDCWD, "b", AT_FDCWD, "c", RENAME_NOREPLACE | RENAME_EXCHANGE));
  T(SC(renameat2, AT_FDCWD, "b", AT_FDCWD, "c", RENAME_WHITEOUT | RENAME_EXCHANGE));
  put("c", "c");
  T(SC(renameat2, AT_FDCWD, "b", AT_FDCWD, "c", RENAME_NOREPLACE));
  T(SC(renameat2, AT_FDCWD, "b", AT_FDCWD, ".", RENAME_NOREPLACE));
  T(SC(renameat2, AT_FDCWD, "b", AT_FDCWD, "new", RENAME_NOREPLACE));
  T(SC(renameat2, AT_FDCWD, "new", AT_FDCWD, "none", RENAME_EXCHANGE));
  T(SC(renameat2, AT_FDCWD, "none", AT_FDCWD, "new", RENAME_EXCHANGE));
  T(SC(renameat2, AT_FDCWD, "new", AT_FDCWD, "c", RENAME_EXCHANGE));
  get("new");
  get("c");
  T(SC(renameat2, AT_FDCWD, "c", AT_FDCWD, "d", RENAME_EXCHANGE));
  show("c");
  show("d");
  T(SC(renameat2, AT_FDCWD, "c", AT_FDCWD, "d", RENAME_EXCHANGE));
  T(SC(renameat2, AT_FDCWD, "e", AT_FDCWD, "e/x", RENAME_EXCHANGE));
  T(SC(renameat2, AT_FDCWD, "e/x", AT_FDCWD, "e", RENAME_EXCHANGE));
  T(SC(renameat2, AT_FDCWD, "c/", AT_FDCWD, "e", RENAME_EXCHANGE));
  T(SC(renameat2, AT_FDCWD, "e", AT_FDCWD, "c/", RENAME_EXCHANGE));
  mkdir("e/sub", 0755);
  T(SC(renameat2, AT_FDCWD, "e/sub", AT_FDCWD, "c", RENAME_EXCHANGE));
  show("e");
  show(".");
  T(SC(renameat2, AT_FDCWD, "c", AT_FDCWD, "e/sub", RENAME_EXCHANGE));
  T(SC(renameat2, AT_FDCWD, "new", AT_FDCWD, "white", RENAME_WHITEOUT));
  show("new");
  get("white");
  T(SC(renameat2, AT_FDCWD, "white", AT_FDCWD, "d/white", RENAME_WHITEOUT | RENAME_NOREPLACE));
  show("white");
  T(unlink("new"));
  T(unlink("white"));
  puts("-- rename and link counts");
  mkdir("p", 0755);
  mkdir("p/q", 0755);
  show("p");
  T(rename("p/q", "q"));
  show("p");
  T(rename("q", "p/q"));
  mkdir("p/r", 0755);
  show("p");
  T(rename("p/r", "p/q"));
  show("p");
  put("one", "one");
  T(link("one", "two"));
  T(rename("one", "two"));
  show("one");
  show("two");
  int fd = open("c", O_RDONLY);
  T(rename("two", "c"));
  struct stat s;
  fstat(fd, &s);
  printf("replaced: nlink %d\n", (int)s.st_nlink);
  close(fd);
}

static void links(void) {
  puts("-- link");
  put("f", "f");
  mkdir("dir", 0755);
  symlink("f", "sym");
  T(link("f", "g"));
  show("f");
  T(link("f", "g"));
  T(link("none", "h"));
  T(link("f", "none/h"));
  T(link("dir", "h"));
  T(link("f/", "h"));
  T(link("f", "h/"));
  T(link("f", ""));
  T(link("", "h"));
  T(link(bad, "h"));
  T(link("f", bad));
  T(link("f", "."));
  T(link("f", long_name));
  T(link("f", long_path));
  T(link("f", "f/x"));
  T(link("sym", "sym2"));
  show("sym2");
  T(linkat(AT_FDCWD, "sym", AT_FDCWD, "f2", AT_SYMLINK_FOLLOW));
  show("f2");
  T(linkat(AT_FDCWD, "f", AT_FDCWD, "f3", 0x10));
  T(linkat(99, "f", AT_FDCWD, "f3", 0));
  T(linkat(AT_FDCWD, "f", 99, "f3", 0));
  int fd = open("f", O_RDONLY), path = open("f", O_PATH), dir = open("dir", O_PATH);
  T(linkat(fd, "", AT_FDCWD, "by-fd", AT_EMPTY_PATH));
  T(linkat(path, "", AT_FDCWD, "by-path", AT_EMPTY_PATH));
  T(linkat(fd, "", AT_FDCWD, "no-flag", 0));
  T(linkat(dir, "", AT_FDCWD, "directory", AT_EMPTY_PATH));
  T(linkat(AT_FDCWD, "f", dir, "below", 0));
  T(linkat(AT_FDCWD, "f", fd, "below", 0));
  char proc[40];
  sprintf(proc, "/proc/self/fd/%d", fd);
  T(linkat(AT_FDCWD, proc, AT_FDCWD, "by-proc", AT_SYMLINK_FOLLOW));
  T(linkat(AT_FDCWD, proc, AT_FDCWD, "proc-itself", 0));
  show("f");
  T(unlink("f"));
  T(unlink("g"));
  T(link("/proc/self/stat", "h"));
  puts("-- a removed file");
  put("gone", "gone");
  int gone = open("gone", O_RDONLY);
  unlink("gone");
  T(linkat(gone, "", AT_FDCWD, "back", AT_EMPTY_PATH));
  sprintf(proc, "/proc/self/fd/%d", gone);
  T(linkat(AT_FDCWD, proc, AT_FDCWD, "back", AT_SYMLINK_FOLLOW));
  puts("-- symlink");
  T(symlink("x", "sym"));
  T(symlink("", "s"));
  T(symlink("x", ""));
  T(symlink(bad, "s"));
  T(symlink("x", bad));
  T(symlink("x", "none/s"));
  T(symlink("x", "f2/s"));
  T(symlink("x", "s/"));
  T(symlink(long_path, "s"));
  T(symlink("x", long_name));
  T(symlinkat("x", 99, "s"));
  T(symlinkat("x", dir, "s"));
  T(symlinkat("x", fd, "s"));
  show("dir/s");
  char text[100];
  puts("-- readlink");
  T(readlink("sym", text, sizeof text));
  T(readlink("sym", text, 0));
  T(readlink("dir/s", text, 1));
  T(readlink("f2", text, 10));
  T(readlink("none", text, 10));
  T(readlink("sym", bad, 10));
  T(readlink(bad, text, 10));
  T(readlink("", text, 10));
  T(readlink("sym/", text, 10));
  T(readlink("f2/x", text, 10));
  T(readlinkat(99, "sym", text, 10));
  T(readlinkat(fd, "", text, 10));
  T(readlinkat(fd, "sym", text, 10));
  int link = open("sym", O_PATH | O_NOFOLLOW);
  T(readlinkat(link, "", text, sizeof text));
  T(readlinkat(AT_FDCWD, "", text, sizeof text));
  close(fd);
  close(path);
  close(dir);
  close(gone);
  close(link);
}

static void removing(void) {
  puts("-- unlink and rmdir");
  mkdir("full", 0755);
  make("full/x");
  mkdir("empty", 0755);
  make("file");
  symlink("empty", "to-empty");
  T(unlink("none"));
  T(unlink("full"));
  T(unlink("file/"));
  T(unlink("empty/"));
  T(unlink("file/x"));
  T(unlink(""));
  T(unlink(bad));
  T(unlink("."));
  T(unlink(".."));
  T(unlink("/"));
  T(unlink(long_name));
  T(unlink("to-empty/"));
  T(rmdir("full"));
  T(rmdir("file"));
  T(rmdir("none"));
  T(rmdir("to-empty"));
  T(rmdir("to-empty/"));
  T(rmdir("."));
  T(rmdir("empty/."));
  T(rmdir("empty/.."));
  T(rmdir(".."));
  T(rmdir("/"));
  T(rmdir(""));
  T(rmdir(bad));
  T(unlinkat(AT_FDCWD, "full", 0));
  T(unlinkat(AT_FDCWD, "full", AT_REMOVEDIR));
  T(unlinkat(AT_FDCWD, "file", AT_REMOVEDIR));
  T(unlinkat(AT_FDCWD, "file", 0x8000));
  T(unlinkat(99, "file", 0));
  T(unlinkat(AT_FDCWD, "empty", AT_REMOVEDIR));
  puts("-- a removed directory");
  mkdir("gone", 0755);
  int dir = open("gone", O_RDONLY | O_DIRECTORY);
  T(fchdir(dir));
  T(rmdir("../gone"));
  T(open("x", O_CREAT | O_WRONLY, 0600));
  T(mkdir("x", 0700));
  T(symlink("x", "y"));
  T(mknod("x", S_IFIFO | 0600, 0));
  T(link("../file", "y"));
  T(rename("../file", "y"));
  T(open(".", O_RDONLY) < 0 ? -1 : 0);
  T(open("..", O_RDONLY) < 0 ? -1 : 0);
  T(open(".", O_TMPFILE | O_RDWR, 0600) < 0 ? -1 : 0);
  char cwd[100];
  T(SC(getcwd, cwd, sizeof cwd));
  struct stat s;
  fstat(dir, &s);
  printf("nlink %d\n", (int)s.st_nlink);
  char entries[1000];
  T(SC(getdents64, dir, entries, sizeof entries));
  T(chdir(".."));
  T(fchdir(dir));
  T(chdir(".."));
  close(dir);
}

static void making(void) {
  puts("-- mkdir");
  umask(027);
  T(mkdir("m", 0777));
  show("m");
  T(mkdir("m", 0777));
  T(mkdir("m/", 0777));
  T(mkdir("m2/", 07777));
  show("m2");
  T(mkdir("", 0777));
  T(mkdir(bad, 0777));
  T(mkdir(".", 0777));
  T(mkdir("/", 0777));
  T(mkdir("none/x", 0777));
  T(mkdir("file/x", 0777));
  T(mkdir("to-empty/", 0777));
  T(mkdir("sym", 0777));
  T(mkdir(long_name, 0777));
  T(mkdirat(99, "x", 0777));
  puts("-- mknod");
  T(mknod("n1", 0644, 0));
  show("n1");
  T(mknod("n2", S_IFREG | 0666, 0));
  T(mknod("n3", S_IFIFO | 0666, 77));
  show("n3");
  T(mknod("n4", S_IFSOCK | 0666, 0));
  show("n4");
  T(mknod("n5", S_IFCHR | 0666, makedev(1, 3)));
  show("n5");
  T(mknod("n6", S_IFBLK | 0666, makedev(7, 300)));
  show("n6");
  T(mknod("n7", S_IFDIR | 0666, 0));
  T(mknod("n7", S_IFLNK | 0666, 0));
  T(mknod("n7", 0030000 | 0666, 0));
  T(mknod("n1", S_IFREG | 0666, 0));
  T(mknod("n7/", S_IFREG | 0666, 0));
  T(mknod("none/x", S_IFREG | 0666, 0));
  T(mknod(bad, S_IFREG | 0666, 0));
  T(mknodat(99, "x", S_IFREG | 0666, 0));
  T(open("n4", O_RDWR));
  puts("-- groups of directories");
  mkdir("sg", 0777);
  chown("sg", 5, 77);
  chmod("sg", 02777);
  umask(022);
  mkdir("sg/d", 0755);
  make("sg/f");
  symlink("x", "sg/l");
  struct stat s;
  stat("sg/d", &s);
  printf("d %o gid %d\n", s.st_mode, s.st_gid);
  stat("sg/f", &s);
  printf("f %o gid %d\n", s.st_mode, s.st_gid);
  lstat("sg/l", &s);
  printf("l gid %d\n", s.st_gid);
}

static int as_user(void) {
  puts("-- another user");
  T(mkdir("closed/x", 0777));
  T(unlink("closed/theirs"));
  T(rename("closed/theirs", "open/x"));
  T(link("closed/theirs", "open/x"));
  T(symlink("x", "closed/x"));
  T(mknod("closed/x", S_IFIFO | 0666, 0));
  T(rmdir("closed/dir"));
  T(mknod("open/dev", S_IFCHR | 0666, makedev(1, 3)));
  T(mknod("open/fifo", S_IFIFO | 0666, 0));
  T(open("unsearched/f", O_RDONLY));
  T(unlink("unsearched/f"));
  T(open("open/mine", O_CREAT | O_RDWR, 0600) < 0 ? -1 : 0);
  T(rename("open/mine", "open/mine2"));
  T(unlink("open/mine2"));
  puts("-- sticky");
  T(unlink("sticky/theirs"));
  T(rename("sticky/theirs", "sticky/x"));
  T(rename("sticky/theirs", "open/x"));
  T(open("sticky/mine", O_CREAT | O_RDWR, 0600) < 0 ? -1 : 0);
  T(rename("sticky/mine", "sticky/theirs"));
  T(rename("sticky/mine", "sticky/mine2"));
  T(unlink("sticky/mine2"));
  T(rmdir("sticky/dir"));
  T(SC(renameat2, AT_FDCWD, "open/a", AT_FDCWD, "sticky/theirs", RENAME_EXCHANGE));
  puts("-- a directory that is not ours gets no other parent");
  T(rename("open/dir", "open/dir2"));
  T(rename("open/dir2", "open2/dir"));
  puts("-- set-group-id");
  int fd = open("sg/user", O_CREAT | O_RDWR, 02775);
  struct stat s;
  fstat(fd, &s);
  printf("mode %o gid %d\n", s.st_mode, s.st_gid);
  mkdir("sg/userdir", 0755);
  stat("sg/userdir", &s);
  printf("mode %o gid %d\n", s.st_mode, s.st_gid);
  return 0;
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
  memset(long_name, 'n', 256);
  memset(long_path, 'p', sizeof long_path - 1);
  for (unsigned i = 100; i < sizeof long_path; i += 100) long_path[i] = '/';
  mkdir("0", 0755);
  chdir("0");
  renames();
  mkdir("../1", 0755);
  chdir("../1");
  links();
  mkdir("../2", 0755);
  chdir("../2");
  removing();
  mkdir("../3", 0755);
  chdir("../3");
  make("file");
  symlink("nowhere", "sym");
  symlink("nodir", "to-empty");
  making();
  mkdir("closed", 0755);
  make("closed/theirs");
  mkdir("closed/dir", 0755);
  mkdir("open", 0777);
  chmod("open", 0777);
  make("open/a");
  mkdir("open/dir", 0755);
  mkdir("open2", 0777);
  chmod("open2", 0777);
  mkdir("unsearched", 0766);
  chmod("unsearched", 0666);
  make("unsearched/f");
  mkdir("sticky", 0777);
  chmod("sticky", 01777);
  make("sticky/theirs");
  mkdir("sticky/dir", 0755);
  in_child(as_user);
  return 0;
}
