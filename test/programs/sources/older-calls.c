// SPDX-License-Identifier: MIT
//
// The older of the calls that have successors: C libraries make the newer ones, so their errors are tried by number.

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/time.h>
#include "say.h"

static char *bad = (char *)8;
static char long_name[300], long_path[5000];

// Each error that a path may lead to, for one call.
#define PATHS(name, ...) do { \
  T(SC(name, "none", ##__VA_ARGS__)); \
  T(SC(name, "", ##__VA_ARGS__)); \
  T(SC(name, bad, ##__VA_ARGS__)); \
  T(SC(name, "file/x", ##__VA_ARGS__)); \
  T(SC(name, "loop/x", ##__VA_ARGS__)); \
  T(SC(name, long_name, ##__VA_ARGS__)); \
  T(SC(name, long_path, ##__VA_ARGS__)); \
} while (0)

static void files(void) {
  struct stat s;
  PATHS(open, O_RDONLY, 0);
  T(SC(open, "loop", O_RDONLY, 0));
  T(SC(open, "folder", O_WRONLY, 0));
  T(SC(open, "file", O_RDONLY | O_DIRECTORY, 0));
  T(SC(open, "file", O_CREAT | O_EXCL, 0600));
  T(SC(open, "link", O_NOFOLLOW, 0));
  T(SC(open, "fifo", O_WRONLY | O_NONBLOCK, 0));
  T(SC(open, "folder", O_TMPFILE | O_RDONLY, 0600));
  PATHS(creat, 0600);
  unlink("none");
  T(SC(creat, "folder", 0600));
  PATHS(stat, &s);
  T(SC(stat, "loop", &s));
  T(SC(stat, "file", bad));
  PATHS(lstat, &s);
  T(SC(lstat, "loop", &s));
  T(SC(lstat, "file", bad));
  T(SC(fstat, -1, &s));
  T(SC(fstat, 0, bad));
  T(SC(fstat, 99, bad));
  PATHS(access, F_OK);
  T(SC(access, "file", 8));
  T(SC(access, "file", -1));
  PATHS(readlink, long_path, 10);
  T(SC(readlink, "file", long_path, 10));
  T(SC(readlink, "link", bad, 10));
  T(SC(readlink, "link", long_path, 0));
  T(SC(readlink, "link", long_path, -1));
  T(SC(faccessat, -1, "file", F_OK));
  T(SC(faccessat, 99, "file", F_OK));
  T(SC(faccessat, 0, "file", 8));
  T(SC(faccessat, AT_FDCWD, bad, F_OK));
  T(SC(faccessat, AT_FDCWD, "file/x", F_OK));
  T(SC(faccessat, AT_FDCWD, "loop", F_OK));
}

static void changes(void) {
  struct timeval late[2] = {{0, 1000000}, {0, 0}}, early[2] = {{0, -1}, {0, 0}}, fine[2] = {{1, 2}, {3, 4}};
  PATHS(mkdir, 0700);
  T(SC(mkdir, "file", 0700));
  T(SC(mkdir, "/", 0700));
  PATHS(rmdir);
  T(SC(rmdir, "file"));
  T(SC(rmdir, "folder/."));
  T(SC(rmdir, "folder/.."));
  T(SC(rmdir, "full"));
  T(SC(rmdir, "/"));
  PATHS(unlink);
  T(SC(unlink, "folder"));
  T(SC(unlink, "file/"));
  PATHS(rename, "other");
  T(SC(rename, "file", bad));
  T(SC(rename, "file", "folder"));
  T(SC(rename, "folder", "file"));
  T(SC(rename, "folder", "full"));
  T(SC(rename, "full", "full/x"));
  T(SC(rename, "folder/.", "x"));
  T(SC(rename, "file", "folder/.."));
  PATHS(link, "other");
  T(SC(link, "file", "folder"));
  T(SC(link, "folder", "other"));
  T(SC(link, "file", bad));
  T(SC(symlink, "", "other"));
  T(SC(symlink, "x", "file"));
  T(SC(symlink, bad, "other"));
  T(SC(symlink, "x", bad));
  T(SC(symlink, "x", "file/x"));
  T(SC(symlink, long_path, "other"));
  PATHS(chmod, 0600);
  T(SC(chmod, "loop", 0600));
  T(SC(fchmod, -1, 0600));
  PATHS(chown, 0, 0);
  T(SC(chown, "loop", 0, 0));
  PATHS(lchown, 0, 0);
  T(SC(lchown, "loop", 0, 0));
  T(SC(fchown, -1, 0, 0));
  PATHS(mknod, S_IFREG | 0600, 0);
  unlink("none");
  T(SC(mknod, "file", S_IFREG | 0600, 0));
  T(SC(mknod, "other", S_IFDIR | 0600, 0));
  T(SC(mknod, "other", S_IFLNK | 0600, 0));
  T(SC(mknod, "other", 0170000 | 0600, 0));
  PATHS(truncate, 1);
  T(SC(truncate, "file", -1l));
  T(SC(truncate, "folder", 1));
  T(SC(ftruncate, -1, 1));
  PATHS(utime, 0);
  T(SC(utime, "file", bad));
  PATHS(utimes, 0);
  T(SC(utimes, "file", bad));
  T(SC(utimes, "file", late));
  T(SC(utimes, "file", early));
  T(SC(utimes, "file", fine));
  T(SC(futimesat, -1, "file", 0));
  T(SC(futimesat, 99, "file", fine));
  T(SC(futimesat, AT_FDCWD, "none", fine));
  T(SC(futimesat, AT_FDCWD, "file/x", fine));
  T(SC(futimesat, AT_FDCWD, "file", bad));
  T(SC(futimesat, AT_FDCWD, "file", late));
  T(SC(futimesat, AT_FDCWD, bad, fine));
  T(SC(futimesat, AT_FDCWD, 0, fine));
  T(SC(futimesat, SC(open, "folder", O_RDONLY, 0), 0, fine));
  PATHS(chdir);
  T(SC(chdir, "file"));
  T(SC(chdir, "loop"));
  T(SC(fchdir, -1));
  T(SC(fchdir, SC(open, "file", O_RDONLY, 0)));
  PATHS(llistxattr, long_path, 10);
  T(SC(llistxattr, "loop", long_path, 10));
}

static void descriptors(void) {
  unsigned long mask[2] = {0};
  struct sembuf op = {0, 1, 0}, far = {9, 1, 0};
  int p[2];
  T(SC(signalfd, -1, mask, 7));
  T(SC(signalfd, -1, bad, 8));
  T(SC(signalfd, 99, mask, 8));
  T(SC(signalfd, 0, mask, 8));
  T(SC(signalfd, -2, mask, 8));
  T(SC(epoll_create, 0));
  T(SC(epoll_create, -1));
  T(SC(inotify_init1, 1));
  T(SC(pipe, bad));
  T(SC(pipe2, bad, 0));
  T(SC(pipe2, p, 1));
  T(SC(dup, -1));
  T(SC(dup, 99));
  T(SC(dup2, 99, 99));
  T(SC(dup2, 0, -1));
  T(SC(dup2, 0, 1 << 30));
  T(SC(dup2, -1, 5));
  T(SC(dup3, 0, 0, 0));
  T(SC(dup3, 0, 5, 1));
  T(SC(dup3, 99, 5, 0));
  T(SC(close, -1));
  T(SC(close, 99));
  T(SC(semop, -1, &op, 1));
  T(SC(semop, 0x7fff0000, &op, 1));
  int set = SC(semget, IPC_PRIVATE, 1, 0600);
  T(SC(semop, set, bad, 1));
  T(SC(semop, set, &op, 0));
  T(SC(semop, set, &op, 501));
  T(SC(semop, set, &far, 1));
  op.sem_op = 32767;
  T(SC(semop, set, &op, 1));
  T(SC(semop, set, &op, 1));
  op.sem_op = 0;
  op.sem_flg = IPC_NOWAIT;
  T(SC(semop, set, &op, 1));
  T(SC(semctl, set, 0, IPC_RMID, 0));
  T(SC(semop, set, &op, 1));
  struct rlimit r = {12, 12};
  setrlimit(RLIMIT_NOFILE, &r);
  while (dup(0) >= 0) ;
  T(SC(eventfd, 0));
  T(SC(signalfd, -1, mask, 8));
  T(SC(epoll_create, 1));
  T(syscall(SYS_inotify_init));
  T(SC(open, "file", O_RDONLY, 0));
  T(SC(creat, "file", 0600));
  T(SC(dup, 0));
  T(SC(pipe, p));
}

int main(void) {
  alarm(600);
  memset(long_name, 'n', sizeof long_name - 1);
  memset(long_path, '/', sizeof long_path - 1);
  close(SC(open, "file", O_CREAT | O_RDWR, 0644));
  mkdir("folder", 0755);
  mkdir("full", 0755);
  close(open("full/file", O_CREAT | O_RDWR, 0644));
  symlink("loop", "loop");
  symlink("file", "link");
  mkfifo("fifo", 0644);
  files();
  changes();
  descriptors();
  return 0;
}
