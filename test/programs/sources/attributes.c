// SPDX-License-Identifier: MIT
//
// What files are: stat, statx, access, chmod, chown, times, statfs, listings and opening, with the errors of each, as
// root and as users with groups and without.

#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <utime.h>
#include "say.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

static char *bad = (char *)8;
static char long_name[300], long_path[5000];

static void make(const char *path, int mode) {
  close(open(path, O_CREAT | O_WRONLY, 0600));
  chmod(path, mode);
}

static void mode_of(const char *path) {
  struct stat s;
  if (lstat(path, &s) != 0) printf("%s: %s\n", path, name_of(errno));
  else printf("%s: %o %d:%d\n", path, s.st_mode, s.st_uid, s.st_gid);
}

static void as(uid_t uid, gid_t gid, int count, const gid_t *groups, void (*work)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    setgroups(count, groups);
    setresgid(gid, gid, gid);
    setresuid(uid, uid, uid);
    work();
    fflush(stdout);
    _exit(0);
  }
  waitpid(pid, NULL, 0);
}

static void looking(void) {
  puts("-- stat");
  struct stat s;
  make("f", 0644);
  mkdir("d", 0755);
  symlink("f", "l");
  symlink("loop", "loop");
  int fd = open("f", O_RDONLY), path = open("f", O_PATH), dir = open("d", O_RDONLY);
  T(stat("f", bad));
  T(stat(bad, &s));
  T(stat("", &s));
  T(stat("none", &s));
  T(stat("f/", &s));
  T(stat("f/x", &s));
  T(stat("l/", &s));
  T(lstat("l/", &s));
  T(stat("loop", &s));
  T(lstat("loop", &s));
  T(stat(long_name, &s));
  T(stat(long_path, &s));
  T(fstat(99, &s));
  T(fstat(path, &s));
  T(fstatat(99, "f", &s, 0));
  T(fstatat(fd, "f", &s, 0));
  T(fstatat(dir, "f", &s, 0));
  T(fstatat(dir, "../f", &s, 0));
  T(fstatat(fd, "", &s, 0));
  T(fstatat(fd, "", &s, AT_EMPTY_PATH));
  T(fstatat(AT_FDCWD, "", &s, AT_EMPTY_PATH));
  T(fstatat(AT_FDCWD, "f", &s, 0x8000));
  puts("-- statx");
  struct statx x;
  memset(&x, 0xaa, sizeof x);
  T(SC(statx, AT_FDCWD, "f", 0, STATX_BASIC_STATS | STATX_BTIME, &x));
  printf("basic %d btime %d mode %o nlink %d size %lld blksize %d\n", (x.stx_mask & 0x7ff) == 0x7ff, (x.stx_mask & 0x800) != 0,
         x.stx_mode, x.stx_nlink, (long long)x.stx_size, x.stx_blksize);
  T(SC(statx, AT_FDCWD, "f", 0, 0, &x));
  T(SC(statx, AT_FDCWD, "f", 0, 0x80000000, &x));
  T(SC(statx, AT_FDCWD, "f", 0x6000, 0x7ff, &x));
  T(SC(statx, AT_FDCWD, "f", 0x4000, 0x7ff, &x));
  T(SC(statx, AT_FDCWD, "f", 0x10000, 0x7ff, &x));
  T(SC(statx, AT_FDCWD, "f", 0, 0x7ff, bad));
  T(SC(statx, AT_FDCWD, bad, 0, 0x7ff, &x));
  T(SC(statx, AT_FDCWD, "", 0, 0x7ff, &x));
  T(SC(statx, fd, "", AT_EMPTY_PATH, 0x7ff, &x));
  T(SC(statx, 99, "f", 0, 0x7ff, &x));
  T(SC(statx, fd, "f", 0, 0x7ff, &x));
  T(SC(statx, AT_FDCWD, "l", AT_SYMLINK_NOFOLLOW, 0x7ff, &x));
  printf("mode %o size %lld\n", x.stx_mode, (long long)x.stx_size);
  puts("-- statfs");
  struct statfs fs;
  T(statfs("f", &fs));
  T(statfs("none", &fs));
  T(statfs("f/x", &fs));
  T(statfs(bad, &fs));
  T(statfs("f", (void *)bad));
  T(statfs("", &fs));
  T(fstatfs(fd, &fs));
  T(fstatfs(path, &fs));
  T(fstatfs(99, &fs));
  T(fstatfs(fd, (void *)bad));
  printf("name %ld block %ld\n", (long)fs.f_namelen, (long)fs.f_bsize);
  puts("-- getdents");
  char entries[2000];
  T(SC(getdents64, fd, entries, sizeof entries));
  T(SC(getdents64, path, entries, sizeof entries));
  T(SC(getdents64, 99, entries, sizeof entries));
  T(SC(getdents64, dir, entries, 10));
  T(SC(getdents64, dir, bad, 1000));
  T(SC(getdents64, dir, entries, sizeof entries));
  T(SC(getdents64, dir, entries, sizeof entries));
  T(lseek(dir, 0, SEEK_SET));
  T(SC(getdents, dir, entries, sizeof entries));
  T(SC(getdents, dir, entries, sizeof entries));
  T(read(dir, entries, 10));
  T(write(dir, entries, 10));
  puts("-- name_to_handle_at");
  struct { unsigned bytes; int type; char data[128]; } handle = {128};
  int mount_id;
  T(SC(name_to_handle_at, AT_FDCWD, "none", &handle, &mount_id, 0));
  T(SC(name_to_handle_at, AT_FDCWD, bad, &handle, &mount_id, 0));
  T(SC(name_to_handle_at, AT_FDCWD, "f/x", &handle, &mount_id, 0));
  T(SC(name_to_handle_at, 99, "f", &handle, &mount_id, 0));
  T(SC(name_to_handle_at, AT_FDCWD, "", &handle, &mount_id, 0));
  T(SC(name_to_handle_at, AT_FDCWD, "f", &handle, &mount_id, 0x10000));
  close(fd);
  close(path);
  close(dir);
}

static void changing(void) {
  puts("-- chmod");
  struct stat s;
  int fd = open("f", O_RDONLY), path = open("f", O_PATH), link = open("l", O_PATH | O_NOFOLLOW);
  T(chmod("f", 07777));
  mode_of("f");
  T(chmod("f", 0100644));
  mode_of("f");
  T(chmod("l", 0600));
  mode_of("l");
  T(chmod("none", 0600));
  T(chmod("f/x", 0600));
  T(chmod("", 0600));
  T(chmod(bad, 0600));
  T(chmod("loop", 0600));
  T(fchmod(fd, 0640));
  T(fchmod(path, 0640));
  T(fchmod(99, 0640));
  T(fchmodat(99, "f", 0640, 0));
  T(SC(fchmodat2, AT_FDCWD, "l", 0600, AT_SYMLINK_NOFOLLOW));
  T(SC(fchmodat2, AT_FDCWD, "f", 0600, AT_SYMLINK_NOFOLLOW));
  T(SC(fchmodat2, path, "", 0611, AT_EMPTY_PATH));
  T(SC(fchmodat2, link, "", 0600, AT_EMPTY_PATH));
  T(SC(fchmodat2, AT_FDCWD, "f", 0600, 0x200));
  T(SC(fchmodat2, AT_FDCWD, "", 0600, 0));
  mode_of("f");
  puts("-- chown");
  T(chown("f", 1, 2));
  mode_of("f");
  T(chown("f", -1, 3));
  T(chown("f", 4, -1));
  T(chown("f", -1, -1));
  mode_of("f");
  T(lchown("l", 7, 7));
  mode_of("l");
  mode_of("f");
  T(chown("l", 8, 8));
  mode_of("f");
  T(chown("none", 1, 1));
  T(chown(bad, 1, 1));
  T(chown("f/x", 1, 1));
  T(chown("loop", 1, 1));
  T(fchown(fd, 0, 0));
  T(fchown(path, 0, 0));
  T(fchown(99, 0, 0));
  T(fchownat(path, "", 5, 5, AT_EMPTY_PATH));
  T(fchownat(AT_FDCWD, "l", 6, 6, AT_SYMLINK_NOFOLLOW));
  T(fchownat(AT_FDCWD, "f", 6, 6, 0x8000));
  T(fchownat(99, "f", 6, 6, 0));
  chmod("f", 06755);
  T(chown("f", 0, 0));
  mode_of("f");
  chmod("f", 02644);
  T(chown("f", 0, 0));
  mode_of("f");
  chmod("d", 06755);
  T(chown("d", 0, 0));
  mode_of("d");
  puts("-- times");
  struct timespec t[2] = {{100, 5}, {200, 999999999}};
  T(utimensat(AT_FDCWD, "f", t, 0));
  stat("f", &s);
  printf("%ld.%09ld %ld.%09ld\n", s.st_atim.tv_sec, s.st_atim.tv_nsec, s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
  t[0].tv_nsec = UTIME_OMIT;
  t[1].tv_sec = 300;
  t[1].tv_nsec = 0;
  T(utimensat(AT_FDCWD, "f", t, 0));
  stat("f", &s);
  printf("%ld %ld\n", s.st_atim.tv_sec, s.st_mtim.tv_sec);
  t[1].tv_nsec = UTIME_OMIT;
  T(utimensat(AT_FDCWD, "f", t, 0));
  T(utimensat(AT_FDCWD, "none", t, 0));
  t[0].tv_nsec = 1000000000;
  T(utimensat(AT_FDCWD, "f", t, 0));
  t[0].tv_nsec = -1;
  T(utimensat(AT_FDCWD, "f", t, 0));
  t[0].tv_sec = -5;
  t[0].tv_nsec = 0;
  T(utimensat(AT_FDCWD, "f", t, 0));
  stat("f", &s);
  printf("%ld\n", s.st_atim.tv_sec);
  T(utimensat(AT_FDCWD, "none", t, 0));
  T(utimensat(AT_FDCWD, "l", t, AT_SYMLINK_NOFOLLOW));
  T(utimensat(AT_FDCWD, "f", t, 0x8000));
  T(utimensat(AT_FDCWD, "f", (void *)bad, 0));
  T(utimensat(AT_FDCWD, bad, t, 0));
  T(utimensat(99, "f", t, 0));
  T(SC(utimensat, fd, NULL, t, 0));
  T(SC(utimensat, path, NULL, t, 0));
  T(SC(utimensat, fd, NULL, t, AT_SYMLINK_NOFOLLOW));
  T(SC(utimensat, 99, NULL, t, 0));
  T(SC(utimensat, AT_FDCWD, NULL, t, 0));
  T(utimensat(path, "", t, AT_EMPTY_PATH));
  struct timeval v[2] = {{1, 2}, {3, 1000000}};
  T(utimes("f", v));
  v[1].tv_usec = 999999;
  T(utimes("f", v));
  T(futimesat(AT_FDCWD, "f", v));
  struct utimbuf u = {10, 20};
  T(utime("f", &u));
  T(utime("none", &u));
  T(SC(utime, "f", bad));
  T(utime("f", NULL));
  close(fd);
  close(path);
  close(link);
}

static void opening(void) {
  puts("-- open");
  T(open("none", O_RDONLY));
  T(open("", O_RDONLY));
  T(open(bad, O_RDONLY));
  T(open("f/x", O_RDONLY));
  T(open("f/", O_RDONLY));
  T(open("new/", O_CREAT | O_WRONLY, 0600));
  T(open("d", O_WRONLY));
  T(open("d", O_RDONLY | O_TRUNC));
  T(open("d", O_RDONLY | O_CREAT, 0600));
  T(open("f", O_CREAT | O_EXCL, 0600));
  T(open("l", O_CREAT | O_EXCL, 0600));
  T(open("l", O_NOFOLLOW));
  T(open("l", O_NOFOLLOW | O_PATH) < 0 ? -1 : 0);
  T(open("l", O_NOFOLLOW | O_CREAT, 0600));
  T(open("f", O_DIRECTORY));
  T(open("l", O_DIRECTORY));
  T(open("d", O_DIRECTORY) < 0 ? -1 : 0);
  T(open("loop", O_RDONLY));
  T(open("loop/x", O_RDONLY));
  T(open(long_name, O_CREAT | O_WRONLY, 0600));
  T(open(long_path, O_RDONLY));
  T(open("none/x", O_CREAT | O_WRONLY, 0600));
  T(openat(99, "f", O_RDONLY));
  T(openat(99, "/", O_RDONLY) < 0 ? -1 : 0);
  T(creat("d", 0600));
  T(creat("none/x", 0600));
  puts("-- forty links");
  char name[20], target[20];
  close(open("chain0", O_CREAT | O_WRONLY, 0600));
  for (int i = 1; i <= 41; i++) {
    sprintf(name, "chain%d", i);
    sprintf(target, "chain%d", i - 1);
    symlink(target, name);
  }
  T(access("chain40", F_OK));
  T(access("chain41", F_OK));
  puts("-- O_PATH");
  int path = open("f", O_PATH);
  char c;
  T(read(path, &c, 1));
  T(write(path, &c, 1));
  T(lseek(path, 0, SEEK_SET));
  T(fsync(path));
  T(fcntl(path, F_GETFL) & (O_PATH | O_ACCMODE));
  T(fcntl(path, F_SETFL, O_NONBLOCK));
  T(dup(path) < 0 ? -1 : 0);
  T(fchdir(path));
  char proc[40];
  sprintf(proc, "/proc/self/fd/%d", path);
  T(open(proc, O_RDONLY) < 0 ? -1 : 0);
  close(path);
  puts("-- access");
  T(access("f", 8));
  T(access("none", F_OK));
  T(access(bad, F_OK));
  T(access("f/x", F_OK));
  T(access("loop", F_OK));
  chmod("f", 0);
  T(access("f", R_OK | W_OK));
  T(access("f", X_OK));
  chmod("f", 0001);
  T(access("f", X_OK));
  T(faccessat(99, "f", F_OK, 0));
  T(SC(faccessat2, AT_FDCWD, "l", F_OK, AT_SYMLINK_NOFOLLOW));
  T(SC(faccessat2, AT_FDCWD, "f", F_OK, AT_EACCESS));
  T(SC(faccessat2, AT_FDCWD, "f", F_OK, 0x8000));
  T(SC(faccessat2, AT_FDCWD, "", F_OK, AT_EMPTY_PATH));
}

static void tries(void) {
  static const char *const files[] = {"r--------", "-w-------", "---r-----", "----w----", "------r--", "-------w-", "rwxrwxrwx", "---------", "--x--x--x"};
  for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
    printf("%s:", files[i]);
    int fd = open(files[i], O_RDONLY);
    printf(" read %s", fd < 0 ? name_of(errno) : "ok");
    fd = open(files[i], O_WRONLY);
    printf(" write %s", fd < 0 ? name_of(errno) : "ok");
    printf(" access %d%d%d", access(files[i], R_OK) == 0, access(files[i], W_OK) == 0, access(files[i], X_OK) == 0);
    printf(" chmod %s", chmod(files[i], 0) < 0 ? name_of(errno) : "ok");
    printf(" chown %s", chown(files[i], 1001, -1) < 0 ? name_of(errno) : "ok");
    printf(" chgrp %s", chown(files[i], -1, 2002) < 0 ? name_of(errno) : "ok");
    printf(" now %s", utimensat(AT_FDCWD, files[i], NULL, 0) < 0 ? name_of(errno) : "ok");
    struct timespec t[2] = {{1, 0}, {2, 0}};
    printf(" times %s", utimensat(AT_FDCWD, files[i], t, 0) < 0 ? name_of(errno) : "ok");
    printf(" truncate %s\n", truncate(files[i], 0) < 0 ? name_of(errno) : "ok");
  }
  T(open("shut/f", O_RDONLY));
  T(open("shut/none", O_RDONLY));
  T(open("listed", O_RDONLY | O_DIRECTORY) < 0 ? -1 : 0);
  T(open("listed/f", O_RDONLY));
  T(open("searched", O_RDONLY | O_DIRECTORY) < 0 ? -1 : 0);
  T(open("searched/f", O_RDONLY) < 0 ? -1 : 0);
  T(chdir("listed"));
  T(chdir("shut/.."));
  T(open("f0", O_RDONLY | O_NOATIME));
  T(open("own", O_CREAT | O_RDWR | O_NOATIME, 0400) < 0 ? -1 : 0);
  T(open("own", O_RDWR));
  T(chmod("own", 02755));
  mode_of("own");
  T(chown("own", -1, 2002));
  mode_of("own");
  T(chown("own", 0, -1));
  T(chown("own", -1, 0));
  T(chroot("."));
  unlink("own");
  T(mknod("device", S_IFCHR | 0600, 0x103));
}

static void prepare(void) {
  static const char *const files[] = {"r--------", "-w-------", "---r-----", "----w----", "------r--", "-------w-", "rwxrwxrwx", "---------", "--x--x--x"};
  for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
    int mode = 0;
    for (int b = 0; b < 9; b++) if (files[i][b] != '-') mode |= 0400 >> b;
    unlink(files[i]);
    make(files[i], 0600);
    chown(files[i], 1000, 2000);
    chmod(files[i], mode);
  }
  make("f0", 0644);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  umask(022);
  memset(long_name, 'n', 256);
  memset(long_path, 'p', sizeof long_path - 1);
  for (unsigned i = 100; i < sizeof long_path; i += 100) long_path[i] = '/';
  looking();
  changing();
  opening();
  mkdir("who", 0777);
  chmod("who", 0777);
  chdir("who");
  static const char *const dirs[] = {"shut", "listed", "searched"};
  static const int modes[] = {0600, 0644, 0711};
  for (int i = 0; i < 3; i++) {
    char path[40];
    mkdir(dirs[i], 0755);
    sprintf(path, "%s/f", dirs[i]);
    make(path, 0644);
    chmod(dirs[i], modes[i]);
  }
  gid_t groups[] = {2000, 2002};
  puts("-- the owner");
  prepare();
  as(1000, 1000, 0, NULL, tries);
  puts("-- the owner, in the group");
  prepare();
  as(1000, 2000, 2, groups, tries);
  puts("-- the group");
  prepare();
  as(1001, 2000, 0, NULL, tries);
  puts("-- by a further group");
  prepare();
  as(1001, 1001, 2, groups, tries);
  puts("-- others");
  prepare();
  as(1001, 1001, 0, NULL, tries);
  puts("-- root");
  prepare();
  as(0, 0, 0, NULL, tries);
  puts("-- root for files, a user otherwise");
  fflush(stdout);
  prepare();
  if (fork() == 0) {
    setgroups(0, NULL);
    setresgid(1001, 1001, 1001);
    setresuid(1001, 0, 0);
    T(access("r--------", R_OK));
    T(SC(faccessat2, AT_FDCWD, "r--------", R_OK, AT_EACCESS));
    T(open("r--------", O_RDONLY) < 0 ? -1 : 0);
    seteuid(1001);
    T(open("r--------", O_RDONLY) < 0 ? -1 : 0);
    T(access("r--------", R_OK));
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  return 0;
}
