// SPDX-License-Identifier: MIT
//
// Asks the file system for more than it can give: every way must end with an error number, soon, and leave the
// process alive.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char block[1 << 20];

static void sparse(void) {
  int fd = open("/tmp/sparse", O_CREAT | O_RDWR, 0600);
  off_t end = 1LL << 52;
  pwrite(fd, "a", 1, 100);
  printf("grow %d\n", ftruncate(fd, end));
  pwrite(fd, "z", 1, end - 1);
  printf("data %d\n", lseek(fd, 5000, SEEK_DATA) > end - 10000);
  printf("hole %ld\n", (long)lseek(fd, 0, SEEK_HOLE));
  printf("punch %d\n", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, end));
  printf("reserve %d\n", fallocate(fd, 0, 0, end) == -1 && errno == ENOSPC);
  struct stat s;
  fstat(fd, &s);
  printf("blocks %ld\n", (long)s.st_blocks);
  close(fd);
}

static void buffers(void) {
  struct rlimit all = {60000, 60000};
  printf("limit %d\n", setrlimit(RLIMIT_NOFILE, &all));
  long full = 0;
  int p[2];
  while (pipe2(p, O_NONBLOCK) == 0 && write(p[1], block, 65536) > 0) full++;
  printf("pipes end %s\n", full > 1000 ? "late enough" : "early");
  for (int fd = 3; fd < 60000; fd++) close(fd);
  long sent = 0;
  int s[2];
  while (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s) == 0) {
    ssize_t n = write(s[0], block, sizeof block);
    if (n < 0) break;
    sent += n;
  }
  printf("sockets end with %s\n", errno == ENOBUFS || errno == EMFILE ? "an error" : "?");
  for (int fd = 3; fd < 60000; fd++) close(fd);
  pipe(p);
  printf("free again %d\n", (int)write(p[1], block, 65536));
  close(p[0]);
  close(p[1]);
}

static void locks(void) {
  int fd = open("/tmp/locked", O_CREAT | O_RDWR, 0600);
  long held = 0;
  for (; held < 200000; held++) {
    struct flock f = {F_WRLCK, SEEK_SET, held * 2, 1, 0};
    if (fcntl(fd, F_SETLK, &f) != 0) break;
  }
  printf("locks end with %s\n", errno == ENOLCK ? "ENOLCK" : "?");
  for (int i = 0; i < 100000; i++) flock(fd, LOCK_EX);
  close(fd);
}

static void endless(void) {
  int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
  printf("sendfile %ld\n", (long)sendfile(null, zero, NULL, 100000000));
  int fd = open("/tmp/full", O_CREAT | O_WRONLY, 0600);
  long written = 0, n;
  while ((n = write(fd, block, sizeof block)) > 0) written += n;
  printf("disk ends with %s\n", errno == ENOSPC && written > 1000000 ? "ENOSPC" : "?");
  printf("link %d\n", symlink("short", "/tmp/s"));
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  sparse();
  buffers();
  locks();
  endless();
  return 0;
}
