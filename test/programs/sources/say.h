// SPDX-License-Identifier: MIT
//
// One line for each call: its text and its result, errors by name. Only for programs of one file.

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *name_of(int e) {
  static char other[16];
  switch (e) {
#define N(x) case x: return #x;
    N(EPERM) N(ENOENT) N(ESRCH) N(EINTR) N(EIO) N(ENXIO) N(EBADF) N(EAGAIN) N(ENOMEM) N(EACCES) N(EFAULT) N(ENOTBLK)
    N(EBUSY) N(EEXIST) N(EXDEV) N(ENODEV) N(ENOTDIR) N(EISDIR) N(EINVAL) N(EMFILE) N(ENFILE) N(ENOTTY) N(ETXTBSY)
    N(EFBIG) N(ENOSPC) N(ESPIPE) N(EROFS) N(EMLINK) N(EPIPE) N(ERANGE) N(ENAMETOOLONG) N(ENOSYS) N(ENOTEMPTY) N(ELOOP)
    N(ENODATA) N(EOPNOTSUPP) N(EOVERFLOW) N(E2BIG) N(EDEADLK) N(ENOLCK) N(ESTALE) N(EDQUOT)
#undef N
  }
  sprintf(other, "%d", e);
  return other;
}

static void say(int line, const char *what, long r) {
  if (r == -1) printf("%d %s = %s\n", line, what, name_of(errno));
  else printf("%d %s = %ld\n", line, what, r);
}

#define T(x) do { errno = 0; long r_ = (long)(x); say(__LINE__, #x, r_); } while (0)
#define SC(n, ...) syscall(SYS_##n, __VA_ARGS__)
