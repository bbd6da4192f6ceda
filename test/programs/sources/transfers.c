// SPDX-License-Identifier: MIT
//
// Moving bytes and telling the kernel about them: read and write in all forms, their flags and their errors, positions,
// advice and synchronisation; and where a process stands: chdir, getcwd, chroot, umask.

#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "say.h"

static char *bad = (char *)8;
static char buf[70000];
static char *edge; /* the last byte before an unmapped page */

static void plain(void) {
  puts("-- read and write");
  int fd = open("f", O_CREAT | O_RDWR | O_TRUNC, 0644), ro = open("f", O_RDONLY), wo = open("f", O_WRONLY);
  int path = open("f", O_PATH), dir = open(".", O_RDONLY), p[2];
  pipe(p);
  T(write(fd, "hello, world", 12));
  T(write(ro, "x", 1));
  T(read(wo, buf, 1));
  T(write(path, "x", 1));
  T(read(path, buf, 1));
  T(read(dir, buf, 1));
  T(write(dir, "x", 1));
  T(read(99, buf, 1));
  T(write(99, "x", 1));
  T(read(fd, buf, 0));
  T(read(fd, bad, 10));
  T(pread(fd, bad, 10, 0));
  T(write(fd, bad, 10));
  T(pread(fd, edge - 4, 10, 0));
  T(pwrite(fd, edge - 4, 10, 100));
  T(pread(fd, buf, 10, -1));
  T(pwrite(fd, buf, 10, -1));
  T(pread(fd, buf, 10, INT64_MAX));
  T(pwrite(fd, buf, 10, INT64_MAX));
  T(pwrite(fd, buf, 10, INT64_MAX - 5));
  T(pread(p[0], buf, 10, 0));
  T(pwrite(p[1], buf, 10, 0));
  T(pread(fd, buf, 100, 5));
  T(lseek(fd, 0, SEEK_CUR));
  T(lseek(p[0], 0, SEEK_SET));
  T(lseek(fd, INT64_MAX, SEEK_CUR));
  T(lseek(fd, 10, 99));
  T(lseek(99, 0, SEEK_SET));
  T(lseek(path, 0, SEEK_SET));
  int app = open("f", O_WRONLY | O_APPEND);
  T(pwrite(app, "appended", 8, 0));
  T(lseek(app, 0, SEEK_CUR));
  T(write(app, "!", 1));
  T(lseek(app, 0, SEEK_CUR));
  puts("-- vectors");
  struct iovec v[3] = {{buf, 5}, {buf + 100, 0}, {buf + 200, 5}}, w[2] = {{buf, 3}, {bad, 10}}, huge[2] = {{buf, SSIZE_MAX}, {buf, SSIZE_MAX}};
  T(readv(ro, v, 3));
  T(readv(ro, v, 0));
  T(readv(ro, v, -1));
  T(readv(ro, v, IOV_MAX + 1));
  T(readv(ro, (void *)bad, 2));
  T(readv(ro, w, 2));
  T(readv(ro, huge, 2));
  T(writev(fd, v, 3));
  T(writev(fd, w, 2));
  T(writev(ro, v, 3));
  T(preadv(ro, v, 3, 0));
  T(preadv(ro, v, 3, -1));
  T(pwritev(fd, v, 3, 10));
  T(pwritev(fd, v, 3, -1));
  T(preadv(p[0], v, 3, 0));
  puts("-- flags");
  T(SC(preadv2, ro, v, 3, 0, 0, 0));
  T(SC(preadv2, ro, v, 3, -1, 0, 0));
  T(lseek(ro, 0, SEEK_CUR));
  T(SC(preadv2, ro, v, 3, 0, 0, 0x1000));
  T(SC(preadv2, ro, v, 3, 0, 0, RWF_HIPRI));
  T(SC(pwritev2, fd, v, 3, 0, 0, RWF_DSYNC));
  T(SC(pwritev2, fd, v, 3, 0, 0, RWF_SYNC));
  T(SC(pwritev2, fd, v, 3, 0, 0, 0x1000));
  struct stat s;
  fstat(fd, &s);
  long before = s.st_size;
  T(SC(pwritev2, fd, v, 3, 0, 0, RWF_APPEND));
  fstat(fd, &s);
  printf("grown by %ld\n", (long)s.st_size - before);
  T(lseek(fd, 0, SEEK_SET));
  T(SC(pwritev2, fd, v, 3, -1, -1, RWF_APPEND));
  T(SC(preadv2, 99, v, 3, 0, 0, 0));
  T(SC(preadv2, p[0], v, 3, 0, 0, 0));
  T(write(p[1], "pipe", 4));
  T(SC(preadv2, p[0], v, 3, -1, -1, 0));
  close(app);
  puts("-- synchronising");
  T(fsync(fd));
  T(fsync(ro));
  T(fsync(dir));
  T(fsync(99));
  T(fsync(path));
  T(fsync(p[0]));
  T(fdatasync(fd));
  T(fdatasync(p[0]));
  T(syncfs(fd));
  T(syncfs(99));
  T(syncfs(path));
  T(sync_file_range(fd, 0, 100, SYNC_FILE_RANGE_WRITE));
  T(sync_file_range(fd, 0, 0, 0));
  T(sync_file_range(fd, -1, 100, 0));
  T(sync_file_range(fd, 0, -1, 0));
  T(sync_file_range(fd, 0, 100, 8));
  T(sync_file_range(99, 0, 100, 0));
  T(sync_file_range(p[0], 0, 100, 0));
  sync();
  puts("-- advice");
  T(SC(fadvise64, fd, 0, 0, POSIX_FADV_SEQUENTIAL));
  T(SC(fadvise64, fd, 0, 0, POSIX_FADV_DONTNEED));
  T(SC(fadvise64, fd, 0, -1, POSIX_FADV_NORMAL));
  T(SC(fadvise64, fd, 0, 0, 6));
  T(SC(fadvise64, 99, 0, 0, 0));
  T(SC(fadvise64, p[0], 0, 0, 0));
  T(SC(fadvise64, path, 0, 0, 0));
  T(readahead(99, 0, 10));
  T(readahead(wo, 0, 10));
  T(readahead(p[0], 0, 10));
  for (int i = 3; i < 20; i++) close(i);
}

static void limits(void) {
  puts("-- a file's greatest size");
  if (fork() == 0) {
    struct rlimit limit = {1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN);
    int fd = open("limited", O_CREAT | O_RDWR | O_TRUNC, 0644);
    T(write(fd, buf, 900));
    T(write(fd, buf, 900));
    T(write(fd, buf, 900));
    T(pwrite(fd, buf, 1, 1000));
    T(pwrite(fd, buf, 1, 999));
    T(pwrite(fd, buf, 10, 2000));
    signal(SIGXFSZ, SIG_DFL);
    fflush(stdout);
    write(fd, buf, 1);
    _exit(0);
  }
  int status;
  wait(&status);
  printf("ended by %d\n", WTERMSIG(status) & 0x7f);
}

static void places(void) {
  puts("-- where a process stands");
  char cwd[4096], start[4096];
  mkdir("d", 0755);
  symlink("d", "l");
  symlink("loop", "loop");
  SC(getcwd, start, sizeof start);
  T(chdir("none"));
  T(chdir("f"));
  T(chdir("f/x"));
  T(chdir(""));
  T(chdir(bad));
  T(chdir("loop"));
  T(chdir("l"));
  T(SC(getcwd, cwd, sizeof cwd) == (long)strlen(start) + 3);
  T(chdir(".."));
  T(SC(getcwd, cwd, 2));
  T(SC(getcwd, cwd, 0));
  T(SC(getcwd, cwd, strlen(start)));
  T(SC(getcwd, bad, 4096));
  int dir = open("d", O_RDONLY), path = open("d", O_PATH), file = open("f", O_RDONLY);
  T(fchdir(dir));
  T(chdir(".."));
  T(fchdir(path));
  T(chdir(".."));
  T(fchdir(file));
  T(fchdir(99));
  chmod("d", 0600);
  fflush(stdout);
  if (fork() == 0) {
    setuid(1000);
    T(chdir("d"));
    T(fchdir(dir));
    T(chroot("."));
    T(chroot("none"));
    T(chroot("f"));
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  T(umask(0777));
  T(umask(07022));
  T(umask(022));
  T(chroot("none"));
  T(chroot("f"));
  T(chroot(bad));
  T(chroot(""));
  if (fork() == 0) {
    chmod("d", 0755);
    mkdir("d/in", 0755);
    T(chroot("d"));
    T(access("/in", F_OK));
    cwd[0] = 0;
    T(SC(getcwd, cwd, sizeof cwd) < 0 ? -1 : strncmp(cwd, "(unreachable)", 13));
    T(chdir("/"));
    T(SC(getcwd, cwd, sizeof cwd));
    T(chdir(".."));
    T(access("in", F_OK));
    T(access("../../../in", F_OK));
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  umask(022);
  edge = (char *)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + 4096;
  munmap(edge, 4096);
  plain();
  limits();
  places();
  return 0;
}
