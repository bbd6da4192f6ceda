// SPDX-License-Identifier: MIT
//
// Mounting, as root, in a namespace of its own: without that it does nothing. In a sandbox, whose mounts are its own
// anyway, it is called with the argument "inside". The working directory is empty.

#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include "say.h"

static char *bad = (char *)8;
static char here[4096];
static char long_name[5000];

static void put(const char *path, const char *text) {
  int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) printf("put %s: %s\n", path, name_of(errno));
  close(fd);
}

static void get(const char *path) {
  char text[100];
  int fd = open(path, O_RDONLY);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
  if (n < 0) printf("get %s: %s\n", path, name_of(errno));
  else printf("get %s: %.*s\n", path, (int)n, text);
  close(fd);
}

static dev_t device(const char *path) {
  struct stat s;
  return stat(path, &s) == 0 ? s.st_dev : 0;
}

static void flags_of(const char *path) {
  struct statfs s;
  if (statfs(path, &s) != 0) printf("statfs %s: %s\n", path, name_of(errno));
  else printf("%s: type %lx flags %lx blocks %ld\n", path, (long)s.f_type, (long)s.f_flags & 0x3fff, (long)s.f_blocks);
}

static int child(int (*work)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    int r = work();
    fflush(stdout);
    _exit(r);
  }
  int status;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void errors(void) {
  puts("-- errors");
  T(mount("none", "nowhere", "tmpfs", 0, NULL));
  T(mount("none", "", "tmpfs", 0, NULL));
  T(mount("none", "file", "tmpfs", 0, NULL));
  T(mount("none", "file/x", "tmpfs", 0, NULL));
  T(mount("none", "m", "nofs", 0, NULL));
  T(mount("none", "m", NULL, 0, NULL));
  T(mount(bad, "m", "tmpfs", 0, NULL));
  T(mount("none", bad, "tmpfs", 0, NULL));
  T(mount("none", "m", bad, 0, NULL));
  T(mount("none", "m", "tmpfs", 0, bad));
  T(mount(long_name, "m", "tmpfs", 0, NULL));
  T(mount("none", long_name, "tmpfs", 0, NULL));
  T(mount("none", "m", "tmpfs", 0, "size=oops"));
  T(mount("none", "m", "tmpfs", 0, "nosuchoption"));
  T(mount("none", "m", "tmpfs", 0, "mode=9"));
  T(mount(NULL, "m", NULL, MS_BIND, NULL));
  T(mount("", "m", NULL, MS_BIND, NULL));
  T(mount("nowhere", "m", NULL, MS_BIND, NULL));
  T(mount("file", "m", NULL, MS_BIND, NULL));
  T(mount("d", "file", NULL, MS_BIND, NULL));
  T(mount(NULL, "m", NULL, MS_REMOUNT, NULL));
  T(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND, NULL));
  T(mount(NULL, "m", NULL, MS_PRIVATE, NULL));
  T(mount(NULL, "m", NULL, MS_PRIVATE | MS_SLAVE, NULL));
  T(mount("d", "m", NULL, MS_MOVE, NULL));
  T(mount("none", "m", "tmpfs", MS_NOUSER, NULL));
  T(umount2("m", 0));
  T(umount2("file", 0));
  T(umount2("nowhere", 0));
  T(umount2(bad, 0));
  T(umount2("m", 0x100));
  T(SC(pivot_root, "m", "d"));
  T(SC(pivot_root, "nowhere", "d"));
  T(SC(pivot_root, "file", "d"));
  T(SC(pivot_root, "m", "file"));
  T(SC(pivot_root, bad, "d"));
}

static int as_user(void) {
  setgid(1000);
  setuid(1000);
  T(mount("none", "m", "tmpfs", 0, NULL));
  T(mount("none", "nowhere", "tmpfs", 0, NULL));
  T(mount(NULL, "t", NULL, MS_REMOUNT, NULL));
  T(umount2("t", 0));
  T(umount2("nowhere", 0));
  T(SC(pivot_root, "t", "t"));
  T(chroot("t"));
  return 0;
}

static void memory(void) {
  puts("-- tmpfs");
  put("m/below", "below");
  T(mount("none", "m", "tmpfs", 0, "size=64k,mode=751,uid=7,gid=8,nr_inodes=20"));
  T(open("m/below", O_RDONLY));
  struct stat s;
  stat("m", &s);
  printf("mode %o uid %d gid %d other device %d\n", s.st_mode, s.st_uid, s.st_gid, s.st_dev != device("d"));
  flags_of("m");
  put("m/inside", "inside");
  get("m/inside");
  int fd = open("m/big", O_CREAT | O_WRONLY, 0600);
  static char block[65536];
  long got = write(fd, block, sizeof block);
  printf("write ends %d\n", got > 0 && got < 65536);
  T(write(fd, block, sizeof block));
  T(rename("m/big", "big"));
  T(link("m/big", "big"));
  T(rmdir("m"));
  T(rename("m", "n"));
  T(unlink("m"));
  T(umount2("m", 0));
  close(fd);
  T(umount2("m", MNT_FORCE | MNT_DETACH | MNT_EXPIRE));
  T(umount2("m", MNT_EXPIRE));
  get("m/inside");
  T(umount2("m", MNT_EXPIRE));
  T(umount2("m", MNT_EXPIRE));
  T(umount2("m", MNT_EXPIRE));
  get("m/below");
  T(mount("none", "m", "tmpfs", 0, ""));
  T(chdir("m"));
  T(umount2("../m", 0));
  T(chdir(".."));
  char *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd = open("m/mapped", O_CREAT | O_RDWR, 0600), 0);
  close(fd);
  T(umount2("m", 0));
  munmap(map, 4096);
  T(umount2("m", 0));
}

static void resized(void) {
  puts("-- another size");
  T(mount("none", "m", "tmpfs", 0, "size=64k"));
  put("m/f", "f");
  T(truncate("m/f", 100));
  T(mount(NULL, "m", NULL, MS_REMOUNT, "size=128k"));
  flags_of("m");
  T(mount(NULL, "m", NULL, MS_REMOUNT, "size=oops"));
  T(mount(NULL, "m", NULL, MS_REMOUNT, "nosuchoption"));
  int fd = open("m/f", O_WRONLY);
  static char block[32768];
  T(write(fd, block, sizeof block));
  close(fd);
  T(mount(NULL, "m", NULL, MS_REMOUNT, "size=4k"));
  T(mount(NULL, "m", NULL, MS_REMOUNT, "mode=700"));
  struct stat s;
  stat("m", &s);
  printf("mode %o\n", s.st_mode);
  T(umount2("m", 0));
  puts("-- read-only from the start");
  T(mount("none", "m", "tmpfs", MS_RDONLY, NULL));
  T(mkdir("m/x", 0755));
  T(mount(NULL, "m", NULL, MS_REMOUNT, NULL));
  T(mkdir("m/x", 0755));
  T(umount2("m", 0));
}

static int moves(const char *path, int links) {
  struct timespec old[2] = {{1, 0}, {1, 0}};
  struct stat s;
  utimensat(AT_FDCWD, path, old, AT_SYMLINK_NOFOLLOW);
  char text[100];
  if (links) readlink(path, text, sizeof text);
  else {
    int fd = open(path, O_RDONLY);
    if (read(fd, text, 1) < 0) SC(getdents64, fd, text, sizeof text);
    close(fd);
  }
  lstat(path, &s);
  return s.st_atim.tv_sec != 1;
}

static void read_one(const char *path) {
  char c;
  int fd = open(path, O_RDONLY);
  read(fd, &c, 1);
  close(fd);
}

/** The second of two readings changes the time as well; the clock of Linux's files moves every few milliseconds. */
static int moves_again(const char *path) {
  struct stat a, b;
  moves(path, 0);
  usleep(20000);
  read_one(path);
  stat(path, &a);
  usleep(20000);
  read_one(path);
  stat(path, &b);
  return a.st_atim.tv_nsec != b.st_atim.tv_nsec || a.st_atim.tv_sec != b.st_atim.tv_sec;
}

static void access_times(void) {
  puts("-- access times");
  static const unsigned long modes[] = {0, MS_NOATIME, MS_NODIRATIME, MS_STRICTATIME};
  T(mount("none", "m", "tmpfs", 0, NULL));
  put("m/f", "f");
  mkdir("m/d", 0755);
  symlink("f", "m/l");
  for (int i = 0; i < 4; i++) {
    T(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | modes[i], NULL));
    printf("%d: file %d directory %d link %d again %d\n", i, moves("m/f", 0), moves("m/d", 0), moves("m/l", 1),
           moves_again("m/f"));
  }
  T(umount2("m", 0));
}

static void flags(void) {
  puts("-- flags");
  T(mount("none", "m", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
  struct statfs s;
  statfs("m", &s);
  printf("flags %lx\n", (long)s.f_flags);
  T(mknod("m/null", S_IFCHR | 0666, makedev(1, 3)));
  T(open("m/null", O_RDWR));
  put("m/script", "#!/bin/sh\n");
  T(chmod("m/script", 0755));
  T(access("m/script", X_OK));
  T(SC(execve, "m/script", NULL, NULL));
  int fd = open("m/script", O_RDWR);
  T(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
  void *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  T(mprotect(map, 4096, PROT_READ | PROT_EXEC));
  munmap(map, 4096);
  T(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
  close(fd);
  T(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
  T(open("m/new", O_CREAT | O_WRONLY, 0600));
  T(open("m/script", O_WRONLY));
  T(open("m/script", O_RDONLY | O_TRUNC));
  T(mkdir("m/dir", 0700));
  T(symlink("x", "m/link"));
  T(link("m/script", "m/other"));
  T(unlink("m/script"));
  T(rename("m/script", "m/other"));
  T(chmod("m/script", 0700));
  T(chown("m/script", 1, 1));
  T(truncate("m/script", 0));
  T(mknod("m/fifo", S_IFIFO | 0600, 0));
  T(utimensat(AT_FDCWD, "m/script", NULL, 0));
  T(access("m/script", W_OK));
  T(SC(setxattr, "m/script", "trusted.a", "1", 1, 0));
  T(open("m", O_TMPFILE | O_RDWR, 0600));
  T(mkdir("m/script", 0700));
  T(mount(NULL, "m", NULL, MS_REMOUNT, NULL));
  put("m/new", "new");
  statfs("m", &s);
  printf("flags %lx\n", (long)s.f_flags);
  T(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOATIME, NULL));
  statfs("m", &s);
  printf("flags %lx\n", (long)s.f_flags);
  T(open("m/new2", O_CREAT | O_WRONLY, 0600));
  T(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND, NULL));
  put("m/new2", "new2");
  T(umount2("m", 0));
}

static void binding(void) {
  puts("-- bind");
  mkdir("d/sub", 0755);
  put("d/sub/f", "one");
  T(mount("d/sub", "m", NULL, MS_BIND, NULL));
  get("m/f");
  put("m/g", "two");
  get("d/sub/g");
  printf("same device %d\n", device("m") == device("d"));
  T(unlink("d/sub/g"));
  T(open("m/g", O_RDONLY));
  T(rename("m/f", "d/sub/h"));
  T(link("m/f", "d/sub/h"));
  T(rmdir("d/sub"));
  T(rename("d/sub", "d/other"));
  get("m/f");
  T(rename("d/other", "d/sub"));
  T(SC(openat2, AT_FDCWD, "m/f", &(uint64_t[3]){0, 0, 1}, 24));
  T(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
  T(open("m/new", O_CREAT | O_WRONLY, 0600));
  put("d/sub/new", "new");
  get("m/new");
  // A directory that leaves what the mount shows: its .. leads nowhere.
  T(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND, NULL));
  T(mkdir("m/walker", 0755));
  int fd = open("m/walker", O_RDONLY | O_DIRECTORY);
  T(rename("d/sub/walker", "d/walker"));
  T(openat(fd, "..", O_RDONLY) < 0 ? -1 : 0);
  T(openat(fd, "../..", O_RDONLY) < 0 ? -1 : 0);
  T(openat(fd, "../../../../../etc", O_RDONLY) < 0 ? -1 : 0);
  T(fchdir(fd));
  char cwd[4096];
  printf("cwd %s\n", SC(getcwd, cwd, sizeof cwd) < 0 ? name_of(errno) : cwd);
  T(chdir("/"));
  T(chdir(here));
  close(fd);
  T(umount2("m", 0));
  puts("-- bind of a file");
  T(mount("file", "other", NULL, MS_BIND, NULL));
  get("other");
  T(unlink("other"));
  T(rename("other", "x"));
  T(umount2("other", 0));
  get("other");
  puts("-- recursive");
  mkdir("d/deep", 0755);
  T(mount("none", "d/deep", "tmpfs", 0, NULL));
  put("d/deep/f", "deep");
  T(mount("d", "m", NULL, MS_BIND, NULL));
  get("m/deep/f");
  T(umount2("m", 0));
  T(mount("d", "m", NULL, MS_BIND | MS_REC, NULL));
  get("m/deep/f");
  T(umount2("m", 0));
  T(umount2("m", MNT_DETACH));
  get("d/deep/f");
  puts("-- move");
  T(mount("d/deep", "m", NULL, MS_MOVE, NULL));
  get("m/f");
  T(open("d/deep/f", O_RDONLY));
  mkdir("m/in", 0755);
  T(mount("m", "m/in", NULL, MS_MOVE, NULL));
  T(mount("m", "file", NULL, MS_MOVE, NULL));
  puts("-- stacked");
  T(mount("none", "m", "tmpfs", 0, NULL));
  T(open("m/f", O_RDONLY));
  T(umount2("m", 0));
  get("m/f");
  puts("-- lazily");
  mkdir("m/kept", 0755);
  fd = open("m/f", O_RDWR);
  T(umount2("m", 0));
  T(umount2("m", MNT_DETACH));
  T(write(fd, "late", 4));
  get("m/f");
  get("d/deep/f");
  close(fd);
  puts("-- unbindable");
  T(mount("none", "m", "tmpfs", 0, NULL));
  T(mount(NULL, "m", NULL, MS_UNBINDABLE, NULL));
  T(mount("m", "d/deep", NULL, MS_BIND, NULL));
  T(mount(NULL, "m", NULL, MS_PRIVATE, NULL));
  T(mount("m", "d/deep", NULL, MS_BIND, NULL));
  T(umount2("d/deep", 0));
  symlink("m", "to-m");
  T(umount2("to-m", UMOUNT_NOFOLLOW));
  T(umount2("to-m", 0));
}

static void pivot(void) {
  puts("-- pivot_root");
  T(mount("none", "m", "tmpfs", 0, NULL));
  mkdir("m/old", 0755);
  mkdir("m/plain", 0755);
  put("m/mark", "new root");
  T(SC(pivot_root, "m", "d"));
  T(SC(pivot_root, "m", "m/nowhere"));
  T(SC(pivot_root, "m/old", "m/old"));
  T(SC(pivot_root, "m", "m/mark"));
  T(SC(pivot_root, "/", "m/old"));
  T(SC(pivot_root, "m", "m/old"));
  get("/mark");
  get("mark");
  T(chdir("/"));
  get("mark");
  char path[5000];
  snprintf(path, sizeof path, "/old%s/file", here);
  T(access(path, R_OK));
  T(umount2("/old", 0));
  T(umount2("/old", MNT_DETACH));
  T(access(path, R_OK));
  T(chroot("/plain"));
  T(chdir("/"));
  get("/mark");
  get("../../mark");
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  int inside = argc > 1 && strcmp(argv[1], "inside") == 0;
  if (!inside) {
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return 77;
  }
  memset(long_name, 'x', sizeof long_name - 1);
  // The working directory is a mount of its own, so that what is tried cannot reach others.
  if (mount("none", ".", "tmpfs", 0, NULL) != 0 || getcwd(here, sizeof here) == NULL || chdir(here) != 0) return 78;
  chmod(".", 0777);
  mkdir("m", 0755);
  mkdir("d", 0755);
  mkdir("t", 0755);
  put("file", "file");
  put("other", "other");
  errors();
  T(mount("none", "t", "tmpfs", 0, NULL));
  child(as_user);
  T(umount2("t", 0));
  memory();
  resized();
  access_times();
  flags();
  binding();
  pivot();
  return 0;
}
