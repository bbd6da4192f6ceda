// SPDX-License-Identifier: MIT
//
// Reading and writing in pieces, at offsets, and with flags for one call; and each error of the manual pages.

#define _GNU_SOURCE
#include "outcome.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#ifndef RWF_APPEND
#define RWF_APPEND 0x10
#endif
#ifndef RWF_SYNC
#define RWF_SYNC 4
#define RWF_DSYNC 2
#define RWF_HIPRI 1
#endif

// The libraries' own functions fall back to others: the calls take the offset in two halves, of which one counts here.
static long preadv2_(int f, const struct iovec *v, unsigned long n, long at, int flags) { return syscall(SYS_preadv2, f, v, n, at, 0L, flags); }
static long pwritev2_(int f, const struct iovec *v, unsigned long n, long at, int flags) { return syscall(SYS_pwritev2, f, v, n, at, 0L, flags); }

static void show(int f) {
  char buf[100] = "";
  int r = pread(f, buf, 99, 0);
  printf("file: %d \"%s\", offset %ld\n", r, buf, (long)lseek(f, 0, SEEK_CUR));
  fflush(stdout);
}

int main(void) {
  char where[] = "/tmp/vectors-XXXXXX";
  if (!mkdtemp(where) || chdir(where)) return 1;
  int f = open("f", O_CREAT | O_RDWR, 0600), a = open("f", O_WRONLY | O_APPEND), r = open("f", O_RDONLY), d = open(".", O_RDONLY), p[2];
  pipe(p);
  struct iovec out[3] = {{"one ", 4}, {"", 0}, {"two ", 4}};
  CALL(writev(f, out, 3));
  show(f);
  CALL(pwritev(f, out, 3, 4));
  show(f);
  CALL(pwritev2_(f, out, 1, -1, 0));
  show(f);
  CALL(pwritev2_(f, out, 1, 0, RWF_APPEND));
  show(f);
  CALL(pwritev2_(f, out, 1, -1, RWF_APPEND));
  show(f);
  CALL(pwritev2_(f, out, 1, 2, RWF_SYNC | RWF_DSYNC));
  CALL(pwritev2_(a, out, 1, 0, 0));
  CALL(pwrite(a, "at the end", 10, 0));
  show(f);
  char x[5] = "", y[6] = "";
  struct iovec in[2] = {{x, 4}, {y, 5}};
  lseek(f, 0, SEEK_SET);
  CALL(readv(f, in, 2));
  printf("\"%s\" \"%s\"\n", x, y);
  CALL(preadv(f, in, 2, 3));
  printf("\"%s\" \"%s\"\n", x, y);
  CALL(preadv2_(f, in, 2, -1, RWF_HIPRI));
  printf("\"%s\" \"%s\"\n", x, y);
  show(f);
  CALL(preadv2_(f, in, 2, 1000, 0));
  CALL(preadv2_(f, in, 2, 0, 0x10000));
  CALL(pwritev2_(f, out, 2, 0, 0x10000));
  CALL(preadv2_(f, in, 2, -2, 0));
  CALL(pwritev2_(f, out, 2, -2, 0));
  CALL(preadv(f, in, 2, -1));
  CALL(pread(f, x, 1, -1));
  CALL(pwrite(f, x, 1, -1));
  CALL(readv(f, in, -1));
  CALL(readv(f, in, 1025));
  CALL(readv(f, in, 0));
  CALL(readv(f, (void *)8, 1));
  struct iovec bad[2] = {{x, 4}, {(void *)8, 4}}, huge[2] = {{x, 4}, {y, -1}};
  lseek(f, 0, SEEK_SET);
  CALL(readv(f, bad, 2));
  CALL(readv(f, bad + 1, 1));
  CALL(readv(f, huge, 2));
  CALL(writev(f, huge, 2));
  lseek(f, 0, SEEK_END);
  CALL(writev(f, bad + 1, 1));
  CALL(preadv(d, in, 1, 0));
  CALL(readv(d, in, 1));
  CALL(preadv(p[0], in, 1, 0));
  CALL(pwritev(p[1], out, 1, 0));
  CALL(preadv2_(p[0], in, 1, 0, 0));
  CALL(pwritev2_(p[1], out, 3, -1, 0));
  CALL(preadv2_(p[0], in, 2, -1, 0));
  CALL(preadv(a, in, 1, 0));
  CALL(pwritev(r, out, 1, 0));
  CALL(preadv(999, in, 1, 0));
  CALL(pwritev2_(999, out, 1, -1, 0));
  CALL(pread(f, x, 4, LONG_MAX));
  struct iovec empty = {0, 0};
  CALL(writev(f, &empty, 1));
  CALL(read(f, x, 0));
  CALL(read(f, (void *)8, 0));
  CALL(read(p[1], x, 1));
  CALL(write(r, x, 1));
  CHILD({
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old, l;
    getrlimit(RLIMIT_FSIZE, &old);
    l = old, l.rlim_cur = 50;
    setrlimit(RLIMIT_FSIZE, &l);
    // What is printed may go to a file, too.
    long some = pwrite(f, "0123456789", 10, 45), none = pwrite(f, "0123456789", 10, 50), error = errno;
    long pieces = pwritev2_(f, out, 3, 46, 0), longer = ftruncate(f, 51);
    setrlimit(RLIMIT_FSIZE, &old);
    printf("%ld %ld %ld %ld %ld\n", some, none, error, pieces, longer);
  });
  CHILD({
    struct rlimit l = {50, 50};
    setrlimit(RLIMIT_FSIZE, &l);
    pwrite(f, "0123456789", 10, 50);
  });
  unlink("f"), chdir("/");
  printf("left behind nothing: %d\n", rmdir(where) == 0);
}
