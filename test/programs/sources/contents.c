// SPDX-License-Identifier: MIT
//
// What files hold: holes, fallocate in all modes, truncation, unnamed files, and that mappings, reads and writes of one
// file always agree. Sizes and blocks are those of tmpfs.

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
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
/** In directories of other file systems, which need not have holes. */
static int only_mappings;
static char block[65536];

static void status(int fd) {
  struct stat s;
  fstat(fd, &s);
  printf("size %ld blocks %ld\n", (long)s.st_size, (long)s.st_blocks);
}

static void map_of(int fd) {
  off_t end = lseek(fd, 0, SEEK_END);
  printf("data");
  for (off_t at = 0; at < end;) {
    off_t data = lseek(fd, at, SEEK_DATA);
    if (data < 0) break;
    off_t hole = lseek(fd, data, SEEK_HOLE);
    printf(" %ld-%ld", (long)data, (long)hole);
    at = hole;
  }
  printf(" of %ld\n", (long)end);
}

static void byte_at(int fd, off_t at) {
  unsigned char c = 0;
  ssize_t n = pread(fd, &c, 1, at);
  printf("byte %ld: %ld %d\n", (long)at, (long)n, c);
}

static void sparse(void) {
  puts("-- holes");
  int fd = open("sparse", O_CREAT | O_RDWR | O_TRUNC, 0644);
  map_of(fd);
  T(pwrite(fd, "x", 1, 1000000));
  map_of(fd);
  status(fd);
  T(pwrite(fd, block, sizeof block, 200000));
  map_of(fd);
  T(ftruncate(fd, 5000000));
  map_of(fd);
  status(fd);
  T(ftruncate(fd, 220000));
  map_of(fd);
  status(fd);
  T(ftruncate(fd, 300000));
  map_of(fd);
  T(lseek(fd, 0, SEEK_DATA));
  T(lseek(fd, 250000, SEEK_DATA));
  T(lseek(fd, 300000, SEEK_DATA));
  T(lseek(fd, 300000, SEEK_HOLE));
  T(lseek(fd, -1, SEEK_DATA));
  T(lseek(fd, 299999, SEEK_HOLE));
  T(lseek(fd, 0, 5));
  T(lseek(fd, -1, SEEK_SET));
  T(lseek(fd, -400000, SEEK_END));
  byte_at(fd, 250000);
  T(ftruncate(fd, 0));
  status(fd);
  close(fd);
}

static void allocate(void) {
  puts("-- fallocate");
  int fd = open("alloc", O_CREAT | O_RDWR | O_TRUNC, 0644), ro = open("alloc", O_RDONLY);
  T(fallocate(fd, 0, 0, 10000));
  status(fd);
  map_of(fd);
  T(fallocate(fd, FALLOC_FL_KEEP_SIZE, 10000, 20000));
  status(fd);
  T(fallocate(fd, 0, -1, 10));
  T(fallocate(fd, 0, 0, 0));
  T(fallocate(fd, 0, 0, -1));
  T(fallocate(fd, 0, INT64_MAX, 1));
  T(fallocate(fd, 0, INT64_MAX - 10, 100));
  T(fallocate(ro, 0, 0, 10));
  T(fallocate(99, 0, 0, 10));
  T(fallocate(fd, 0x1000, 0, 10));
  T(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4096));
  T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, 4096));
  T(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096));
  T(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, 4096));
  T(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, 4096));
  T(fallocate(fd, FALLOC_FL_UNSHARE_RANGE, 0, 4096));
  int dir = open(".", O_RDONLY), path = open("alloc", O_PATH), pipes[2];
  pipe(pipes);
  T(fallocate(dir, 0, 0, 10));
  T(fallocate(path, 0, 0, 10));
  T(fallocate(pipes[1], 0, 0, 10));
  close(dir);
  close(path);
  puts("-- punching");
  memset(block, 'p', sizeof block);
  T(ftruncate(fd, 0));
  T(pwrite(fd, block, sizeof block, 0));
  T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 8192));
  map_of(fd);
  status(fd);
  T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 20000, 1000));
  map_of(fd);
  byte_at(fd, 19999);
  byte_at(fd, 20000);
  byte_at(fd, 20999);
  byte_at(fd, 21000);
  T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 60000, 1000000));
  status(fd);
  byte_at(fd, 59999);
  byte_at(fd, 60000);
  T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000000, 10));
  struct rlimit limit = {50000, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
  T(fallocate(fd, 0, 0, 40000));
  T(fallocate(fd, 0, 0, 100000));
  T(ftruncate(fd, 50001));
  T(ftruncate(fd, 50000));
  T(truncate("alloc", 60000));
  T(pwrite(fd, block, 100, 49950));
  T(pwrite(fd, block, 100, 50000));
  setrlimit(RLIMIT_FSIZE, &none);
  close(fd);
  close(ro);
}

static void truncating(void) {
  puts("-- truncate");
  int fd = open("t", O_CREAT | O_RDWR | O_TRUNC, 0644), ro = open("t", O_RDONLY), dir = open(".", O_RDONLY);
  T(truncate("t", 100));
  T(truncate("t", -1));
  T(truncate("none", 0));
  T(truncate(".", 0));
  T(truncate("", 0));
  T(truncate(bad, 0));
  T(truncate("t/x", 0));
  T(ftruncate(ro, 0));
  T(ftruncate(dir, 0));
  T(ftruncate(fd, -1));
  T(ftruncate(99, 0));
  int path = open("t", O_PATH);
  T(ftruncate(path, 0));
  mkfifo("fifo", 0600);
  T(truncate("fifo", 0));
  symlink("t", "to-t");
  T(truncate("to-t", 50));
  status(fd);
  write(fd, "abc", 3);
  T(open("t", O_RDONLY | O_TRUNC) < 0 ? -1 : 0);
  status(fd);
  chmod("t", 06777);
  write(fd, "x", 1);
  struct stat s;
  fstat(fd, &s);
  printf("mode %o\n", s.st_mode);
  close(fd);
  close(ro);
  close(dir);
  close(path);
}

static void unnamed(void) {
  puts("-- O_TMPFILE");
  int fd = open(".", O_TMPFILE | O_RDWR, 0640);
  T(fd < 0 ? -1 : 0);
  struct stat s;
  fstat(fd, &s);
  printf("mode %o nlink %d\n", s.st_mode, (int)s.st_nlink);
  T(write(fd, "hello", 5));
  char proc[40];
  sprintf(proc, "/proc/self/fd/%d", fd);
  char target[4096];
  ssize_t n = readlink(proc, target, sizeof target - 1);
  target[n < 0 ? 0 : n] = 0;
  printf("deleted %d\n", strstr(target, " (deleted)") != NULL);
  T(linkat(AT_FDCWD, proc, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
  fstat(fd, &s);
  printf("nlink %d\n", (int)s.st_nlink);
  T(linkat(fd, "", AT_FDCWD, "named2", AT_EMPTY_PATH));
  T(linkat(fd, "", AT_FDCWD, "named2", AT_EMPTY_PATH));
  unlink("named");
  unlink("named2");
  T(linkat(fd, "", AT_FDCWD, "named", AT_EMPTY_PATH));
  close(fd);
  fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
  T(linkat(fd, "", AT_FDCWD, "exclusive", AT_EMPTY_PATH));
  close(fd);
  T(open(".", O_TMPFILE | O_RDONLY, 0600));
  T(open(".", O_TMPFILE, 0600));
  T(open("t", O_TMPFILE | O_RDWR, 0600));
  T(open("none", O_TMPFILE | O_RDWR, 0600));
  T(open("/proc", O_TMPFILE | O_RDWR, 0600));
  T(open(".", O_TMPFILE | O_CREAT | O_RDWR, 0600));
  fd = open(".", O_TMPFILE | O_WRONLY, 0000);
  T(write(fd, "x", 1));
  T(read(fd, target, 1));
  close(fd);
}

static jmp_buf jump;
static void on_bus(int sig) { siglongjmp(jump, sig); }

static void touch(const char *what, volatile char *at, int writes) {
  int sig = sigsetjmp(jump, 1);
  if (sig != 0) printf("%s: signal %d\n", what, sig);
  else if (writes) {
    *at = 'w';
    printf("%s: written\n", what);
  } else printf("%s: %d\n", what, *at);
}

static void mappings(void) {
  puts("-- mappings");
  struct sigaction sa = {.sa_handler = on_bus};
  sigaction(SIGBUS, &sa, NULL);
  sigaction(SIGSEGV, &sa, NULL);
  int fd = open("map", O_CREAT | O_RDWR | O_TRUNC, 0644), other = open("map", O_RDWR);
  ftruncate(fd, 10000);
  char *shared = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *copy = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  char *second = mmap(NULL, 4096, PROT_READ, MAP_SHARED, other, 4096);
  char text[20] = "";
  pwrite(other, "written", 7, 4096);
  printf("%.7s %.7s %.7s\n", shared + 4096, copy + 4096, second);
  memcpy(shared + 4096, "MAPPED!", 7);
  T(pread(other, text, 7, 4096));
  printf("%s %.7s %.7s\n", text, copy + 4096, second);
  copy[4096] = 'p';
  memcpy(shared + 4100, "XY", 2);
  printf("%.7s %.7s\n", shared + 4096, copy + 4096);
  T(pread(other, text, 7, 4096));
  printf("%s\n", text);
  touch("in the file's last page", shared + 11000, 0);
  touch("write there", shared + 11000, 1);
  T(ftruncate(fd, 12000));
  byte_at(fd, 11000);
  touch("beyond", shared + 12288, 0);
  T(ftruncate(fd, 20000));
  touch("now inside", shared + 12288, 0);
  touch("write there", shared + 12288, 1);
  byte_at(fd, 12288);
  T(ftruncate(fd, 4096));
  touch("cut away", shared + 4096, 0);
  touch("cut away, own copy", copy + 4096, 0);
  T(ftruncate(fd, 16384));
  touch("back", shared + 4096, 0);
  memset(shared, 'm', 16384);
  if (!only_mappings) {
    T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096));
    map_of(fd);
    printf("punched %d %d %d\n", shared[4095], shared[4096], shared[8192]);
  }
  puts("-- a reader in the mapping's own file");
  memset(shared, 'a', 4096);
  T(pwrite(fd, shared, 4096, 8192));
  printf("%c%c\n", shared[8192], shared[12287]);
  T(pread(fd, shared + 100, 100, 8192));
  struct iovec v[2] = {{shared, 10}, {shared + 9000, 10}};
  T(pwritev(fd, v, 2, 5000));
  printf("%d %d\n", shared[5000], shared[5010]);
  puts("-- msync and errors");
  T(msync(shared, 16384, MS_SYNC));
  T(msync(shared, 16384, MS_ASYNC | MS_SYNC));
  T(msync(shared + 1, 4096, MS_SYNC));
  T(msync(shared, 4096, 0x100));
  T(msync((void *)0x10000000000, 4096, MS_SYNC));
  T(msync(shared, 4096, MS_INVALIDATE));
  int ro = open("map", O_RDONLY), wo = open("map", O_WRONLY), path = open("map", O_PATH), dir = open(".", O_RDONLY);
  T(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED ? -1 : 0);
  T(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0) == MAP_FAILED ? -1 : 0);
  T(mmap(NULL, 4096, PROT_READ, MAP_SHARED, wo, 0) == MAP_FAILED ? -1 : 0);
  T(mmap(NULL, 4096, PROT_WRITE, MAP_PRIVATE, wo, 0) == MAP_FAILED ? -1 : 0);
  T(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, path, 0) == MAP_FAILED ? -1 : 0);
  T(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, dir, 0) == MAP_FAILED ? -1 : 0);
  T(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED ? -1 : 0);
  T(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 1) == MAP_FAILED ? -1 : 0);
  T(mmap(NULL, 0, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
  T(mmap(NULL, 4096, PROT_READ, 0, fd, 0) == MAP_FAILED ? -1 : 0);
  void *r = mmap(NULL, 4096, PROT_READ, MAP_SHARED, ro, 0);
  T(mprotect(r, 4096, PROT_READ | PROT_WRITE));
  puts("-- after the last close");
  close(fd);
  close(other);
  unlink("map");
  strcpy(shared, "still here");
  printf("%s\n", shared);
  puts("-- between processes");
  fd = open("both", O_CREAT | O_RDWR | O_TRUNC, 0644);
  ftruncate(fd, 4096);
  char *ours = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fork() == 0) {
    strcpy(ours, "from the child");
    int mine = open("both", O_RDWR);
    pwrite(mine, "written by it", 14, 100);
    _exit(0);
  }
  wait(NULL);
  printf("%s, %s\n", ours, ours + 100);
  T(pread(fd, text, 14, 0));
  printf("%.14s\n", text);
}

static void busy_text(void) {
  puts("-- programs that run");
  int in = open("/proc/self/exe", O_RDONLY), out = open("copy", O_CREAT | O_WRONLY | O_TRUNC, 0755);
  for (ssize_t n; (n = read(in, block, sizeof block)) > 0;) write(out, block, n);
  T(execl("./copy", "copy", "sleep", NULL));
  close(out);
  int p[2], q[2];
  pipe(p);
  pipe(q);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(p[1], 1);
    dup2(q[0], 0);
    close(q[1]);
    execl("./copy", "copy", "sleep", NULL);
    _exit(1);
  }
  char c;
  read(p[0], &c, 1);
  T(open("copy", O_WRONLY));
  T(open("copy", O_RDWR));
  T(open("copy", O_RDONLY | O_TRUNC));
  T(truncate("copy", 0));
  T(open("copy", O_RDONLY) < 0 ? -1 : 0);
  T(chmod("copy", 0700));
  T(unlink("copy"));
  write(q[1], "x", 1);
  waitpid(pid, NULL, 0);
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "sleep") == 0) {
    char c;
    write(1, "r", 1);
    return read(0, &c, 1) != 1;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  umask(022);
  only_mappings = argc > 1 && strcmp(argv[1], "mappings") == 0;
  if (!only_mappings) {
    sparse();
    allocate();
    truncating();
    unnamed();
  }
  mappings();
  busy_text();
  return 0;
}
