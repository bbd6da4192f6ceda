// SPDX-License-Identifier: MIT
//
// Calls on files with right and wrong arguments, each with its result: run natively and as a guest, the two outputs
// must be equal. The working directory is empty and the caller is not root.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

static const char *name_of(int e) {
  static char other[16];
  switch (e) {
#define N(x) case x: return #x;
    N(EPERM) N(ENOENT) N(EINTR) N(EIO) N(ENXIO) N(EBADF) N(EAGAIN) N(ENOMEM) N(EACCES) N(EFAULT) N(EBUSY) N(EEXIST)
    N(EXDEV) N(ENODEV) N(ENOTDIR) N(EISDIR) N(EINVAL) N(EMFILE) N(ENOTTY) N(ETXTBSY) N(EFBIG) N(ENOSPC) N(ESPIPE)
    N(EROFS) N(EMLINK) N(EPIPE) N(ERANGE) N(ENAMETOOLONG) N(ENOSYS) N(ENOTEMPTY) N(ELOOP) N(ENODATA) N(EOPNOTSUPP)
    N(EOVERFLOW) N(EAFNOSUPPORT) N(ENOTSOCK) N(EMSGSIZE) N(ENOTCONN) N(EISCONN) N(E2BIG) N(EDEADLK) N(ENOLCK)
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

static char *bad = (char *)8;
static char long_name[300], long_path[5000];
static char buf[70000];
static char *edge; /* the last byte before an unmapped page */

static void put(const char *path, const char *text) {
  int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (write(fd, text, strlen(text)) < 0) abort();
  close(fd);
}

static void show_stat(const char *path) {
  struct stat s;
  if (lstat(path, &s) != 0) {
    printf("%s: %s\n", path, name_of(errno));
    return;
  }
  printf("%s: mode %o nlink %ld size %ld uid %d\n", path, s.st_mode, (long)s.st_nlink,
         S_ISDIR(s.st_mode) ? 0L : (long)s.st_size, (int)s.st_uid == (int)getuid());
}

static void opening(void) {
  puts("-- open");
  put("f", "hello");
  mkdir("d", 0755);
  symlink("f", "l");
  symlink("nowhere", "dang");
  symlink("loop", "loop");
  T(open("", O_RDONLY));
  T(open("nosuch", O_RDONLY));
  T(open("f/x", O_RDONLY));
  T(open("f/", O_RDONLY));
  T(open("d/", O_RDONLY) > 0);
  T(open("nosuch/x", O_CREAT | O_WRONLY, 0644));
  T(open("d", O_WRONLY));
  T(open("d", O_RDWR | O_CREAT, 0644));
  T(open("d/", O_WRONLY | O_CREAT, 0644));
  T(open("new/", O_WRONLY | O_CREAT, 0644));
  T(open("f", O_RDONLY | O_DIRECTORY));
  T(open("l", O_RDONLY | O_NOFOLLOW));
  T(open("dang", O_RDONLY));
  T(open("dang", O_WRONLY | O_CREAT | O_EXCL, 0644));
  T(open("dang", O_WRONLY | O_CREAT, 0600) > 0);
  show_stat("nowhere");
  unlink("nowhere");
  T(open("loop", O_RDONLY));
  T(open("loop/x", O_RDONLY));
  T(open("f", O_CREAT | O_EXCL | O_WRONLY, 0644));
  T(open(long_name, O_RDONLY));
  T(open(long_path, O_RDONLY));
  T(open(bad, O_RDONLY));
  T(open(".", O_RDONLY | O_CREAT, 0644));
  T(open("..", O_WRONLY));
  T(open("/", O_WRONLY));
  T(openat(-1, "f", O_RDONLY));
  T(openat(-1, "/nosuch", O_RDONLY));
  int fd = open("f", O_RDONLY);
  T(openat(fd, "x", O_RDONLY));
  T(openat(fd, "", O_RDONLY));
  T(write(fd, "x", 1));
  T(ftruncate(fd, 1));
  close(fd);
  fd = open("f", O_WRONLY);
  T(read(fd, buf, 1));
  T(pread(fd, buf, 1, 0));
  close(fd);
  chmod("f", 0444);
  T(open("f", O_WRONLY));
  T(open("f", O_RDONLY | O_TRUNC));
  chmod("f", 0);
  T(open("f", O_RDONLY));
  T(access("f", R_OK));
  T(access("f", F_OK));
  T(access("f", 8));
  T(access("nosuch", F_OK));
  chmod("f", 0644);
  fd = open("f", O_PATH);
  T(read(fd, buf, 1));
  T(fchmod(fd, 0600));
  T(lseek(fd, 0, SEEK_CUR));
  T(fcntl(fd, F_GETFL));
  T(fcntl(fd, F_SETFL, O_NONBLOCK));
  struct stat s;
  T(fstat(fd, &s));
  T(fchdir(fd));
  T(close(fd));
  T(close(fd));
  fd = open("l", O_PATH | O_NOFOLLOW);
  fstat(fd, &s);
  printf("O_PATH of a link: %o\n", s.st_mode & S_IFMT);
  T(readlinkat(fd, "", buf, 100));
  close(fd);
  fd = open("d", O_RDONLY);
  T(read(fd, buf, 10));
  T(fcntl(fd, F_GETFL) & ~0100000);
  T(lseek(fd, 0, SEEK_SET));
  T(openat(fd, "../f", O_RDONLY) > 0);
  close(fd);
  fd = open("f", O_RDWR | O_APPEND | O_NONBLOCK | O_CLOEXEC);
  T(fcntl(fd, F_GETFL));
  T(fcntl(fd, F_GETFD));
  T(fcntl(fd, F_SETFD, 0));
  T(fcntl(fd, F_GETFD));
  T(fcntl(fd, F_SETFL, 0));
  T(fcntl(fd, F_GETFL));
  T(fcntl(fd, 9999, 0));
  close(fd);
  fd = open(".", O_TMPFILE | O_RDWR, 0600);
  T(write(fd, "tmp", 3));
  fstat(fd, &s);
  printf("O_TMPFILE: nlink %ld size %ld\n", (long)s.st_nlink, (long)s.st_size);
  close(fd);
  T(open(".", O_TMPFILE | O_RDONLY, 0600));
  unlink("dang");
  unlink("loop");
}

static void names(void) {
  puts("-- names");
  T(mkdir("d", 0755));
  T(mkdir("f/x", 0755));
  T(mkdir("n/x", 0755));
  T(mkdir("", 0755));
  T(mkdir(".", 0755));
  T(mkdir("/", 0755));
  T(mkdir("nd/", 0700));
  show_stat("nd");
  T(rmdir("nd/"));
  T(rmdir("nosuch"));
  T(rmdir("f"));
  T(rmdir("."));
  T(rmdir("d/."));
  T(rmdir("d/.."));
  T(rmdir("/"));
  mkdir("d/sub", 0755);
  T(rmdir("d"));
  T(unlink("d"));
  T(unlink("nosuch"));
  T(unlink("f/"));
  T(unlink("f/x"));
  T(unlink("d/sub/"));
  T(unlink(""));
  T(unlink("/"));
  T(unlink("."));
  T(unlinkat(AT_FDCWD, "f", AT_REMOVEDIR));
  T(unlinkat(AT_FDCWD, "f", 0x4000));
  T(link("f", "g"));
  T(link("f", "g"));
  T(link("nosuch", "h"));
  T(link("d", "h"));
  T(link("f", "h/"));
  T(link("f", "nodir/h"));
  T(link("l", "l2"));
  show_stat("l2");
  show_stat("f");
  T(linkat(AT_FDCWD, "l", AT_FDCWD, "l3", AT_SYMLINK_FOLLOW));
  show_stat("l3");
  T(unlink("l2") + unlink("l3"));
  T(symlink("", "s"));
  T(symlink("x", "f"));
  T(symlink("x", "nodir/s"));
  T(symlink("target", "s"));
  show_stat("s");
  T(readlink("s", buf, 3));
  T(readlink("s", buf, 0));
  T(readlink("f", buf, 10));
  T(readlink("nosuch", buf, 10));
  T(readlink("s", bad, 10));
  unlink("s");
  T(mknod("fifo", S_IFIFO | 0600, 0));
  show_stat("fifo");
  T(mknod("node", 0644, 0));
  show_stat("node");
  T(mknod("dev", S_IFCHR | 0600, 0x103));
  T(mknod("dirn", S_IFDIR | 0600, 0));
  T(mknod("lnk", S_IFLNK | 0600, 0));
  T(mknod("f", S_IFREG | 0600, 0));
  unlink("node");
  T(rename("nosuch", "x"));
  T(rename("f", "nodir/x"));
  T(rename("f", "d"));
  T(rename("d", "f"));
  T(rename("d", "d/sub/x"));
  T(rename("d/sub", "d"));
  T(rename("f", "g"));
  show_stat("f");
  T(rename(".", "x"));
  T(rename("d", "."));
  T(rename("f", "x/"));
  T(rename("f/", "x"));
  T(rename("d", "e/"));
  T(rename("e", "d"));
  mkdir("d2", 0755);
  T(rename("d2", "d"));
  T(rename("d", "d2"));
  T(rename("d2", "d"));
  T(SC(renameat2, AT_FDCWD, "f", AT_FDCWD, "d", 1));
  T(SC(renameat2, AT_FDCWD, "f", AT_FDCWD, "n1", 1));
  T(SC(renameat2, AT_FDCWD, "n1", AT_FDCWD, "d", 2));
  show_stat("n1");
  show_stat("d");
  T(SC(renameat2, AT_FDCWD, "n1", AT_FDCWD, "d", 2));
  T(SC(renameat2, AT_FDCWD, "n1", AT_FDCWD, "nosuch", 2));
  T(SC(renameat2, AT_FDCWD, "n1", AT_FDCWD, "x", 3));
  T(SC(renameat2, AT_FDCWD, "n1", AT_FDCWD, "x", 99));
  T(rename("n1", "f"));
  T(chdir("nosuch"));
  T(chdir("f"));
  T(chdir(""));
  T(SC(getcwd, buf, 0));
  T(SC(getcwd, buf, 1));
  T(chroot("."));
  T(umask(027));
  put("um", "");
  show_stat("um");
  T(umask(022));
  unlink("um");
  mkdir("gone", 0755);
  T(chdir("gone"));
  T(rmdir("../gone"));
  T(getcwd(buf, 100) == 0 ? -1 : 0);
  T(open("x", O_CREAT | O_WRONLY, 0600));
  T(open(".", O_RDONLY) > 0);
  T(mkdir("x", 0700));
  T(chdir(".."));
}

static void attributes(void) {
  puts("-- attributes");
  struct stat s;
  struct statfs fs;
  T(stat("nosuch", &s));
  T(SC(stat, "f", bad));
  T(stat("", &s));
  T(fstat(-1, &s));
  T(fstat(100000, &s));
  T(SC(newfstatat, AT_FDCWD, "", &s, AT_EMPTY_PATH));
  T(SC(newfstatat, 1000, "", &s, AT_EMPTY_PATH));
  T(SC(newfstatat, AT_FDCWD, "f", &s, 0x10));
  T(chmod("nosuch", 0));
  T(chmod("f", 07777));
  show_stat("f");
  T(chmod("f", 0644));
  T(fchmod(-1, 0));
  T(chown("f", -1, -1));
  T(chown("f", 0, -1));
  T(chown("f", getuid(), getgid()));
  T(chown("nosuch", -1, -1));
  T(fchownat(AT_FDCWD, "f", -1, -1, 0x10));
  struct timespec ts[2] = {{1000, 5}, {2000, 7}};
  T(utimensat(AT_FDCWD, "f", ts, 0));
  stat("f", &s);
  printf("times %ld.%ld %ld.%ld\n", (long)s.st_atim.tv_sec, s.st_atim.tv_nsec, (long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
  ts[0].tv_nsec = UTIME_OMIT;
  ts[1].tv_sec = 3000;
  T(utimensat(AT_FDCWD, "f", ts, 0));
  stat("f", &s);
  printf("times %ld.%ld %ld.%ld\n", (long)s.st_atim.tv_sec, s.st_atim.tv_nsec, (long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
  ts[0].tv_nsec = 1000000000;
  T(utimensat(AT_FDCWD, "f", ts, 0));
  T(utimensat(AT_FDCWD, "nosuch", NULL, 0));
  T(utimensat(AT_FDCWD, "f", NULL, 0x8000));
  struct timeval tv[2] = {{5, 6}, {7, 8}};
  T(utimes("f", tv));
  tv[0].tv_usec = 1000000;
  T(utimes("f", tv));
  T(utimes("nosuch", NULL));
  T(truncate("nosuch", 1));
  T(truncate("d", 1));
  T(truncate("f", -1));
  T(truncate("f", 10));
  show_stat("f");
  T(ftruncate(-1, 1));
  T(statfs("nosuch", &fs));
  T(SC(statfs, ".", bad));
  T(statfs(".", &fs));
  printf("namelen %ld\n", (long)fs.f_namelen);
  static unsigned char sx[256];
  T(SC(statx, AT_FDCWD, "f", 0, 0x7ff, sx));
  printf("statx mask %x mode %o size %ld\n", *(unsigned *)sx & 0x7ff, *(unsigned short *)(sx + 28), *(long *)(sx + 40));
  T(SC(statx, AT_FDCWD, "f", 0x10, 0x7ff, sx));
  T(SC(statx, AT_FDCWD, "f", 0x6000, 0x7ff, sx));
  T(SC(statx, AT_FDCWD, "f", 0, 0x80000000, sx));
  T(SC(statx, AT_FDCWD, "nosuch", 0, 0x7ff, sx));
  T(SC(faccessat2, AT_FDCWD, "f", 4, 0x200));
  T(SC(faccessat2, AT_FDCWD, "f", 4, 0x1));
  T(access("d", X_OK));
  T(access("f", X_OK));
}

static void reading(void) {
  puts("-- read and write");
  put("r", "0123456789");
  int fd = open("r", O_RDWR);
  T(read(-1, buf, 1));
  T(read(fd, bad, 5));
  T(read(fd, edge, 5));
  T(lseek(fd, 0, SEEK_CUR));
  T(read(fd, (char *)-1, 5));
  T(read(fd, buf, 0));
  T(read(fd, buf, -1));
  T(pread(fd, buf, 4, 8));
  T(pread(fd, buf, 4, 100));
  T(pread(fd, buf, 4, -1));
  T(lseek(fd, 0, SEEK_SET));
  T(lseek(fd, -1, SEEK_SET));
  T(lseek(fd, -1, SEEK_CUR));
  T(lseek(fd, 5, SEEK_END));
  T(lseek(fd, 0, 99));
  T(lseek(fd, -20, SEEK_END));
  T(read(fd, buf, 5));
  T(write(fd, "x", 1));
  show_stat("r");
  T(pread(fd, buf, 20, 0));
  for (int i = 0; i < 16; i++) printf("%d,", buf[i]);
  puts("");
  T(write(fd, edge, 5));
  T(write(fd, bad, 5));
  T(write(fd, bad, 0));
  T(pwrite(fd, "ab", 2, 1));
  T(pwrite(fd, "ab", 2, -1));
  struct iovec v[3] = {{buf, 2}, {buf + 10, 0}, {buf + 20, 3}};
  T(preadv(fd, v, 3, 0));
  T(readv(fd, v, -1));
  T(readv(fd, v, 2000));
  T(readv(fd, (struct iovec *)bad, 1));
  T(readv(fd, v, 0));
  v[1].iov_base = bad;
  v[1].iov_len = 4;
  lseek(fd, 0, SEEK_SET);
  T(readv(fd, v, 3));
  T(lseek(fd, 0, SEEK_CUR));
  v[1].iov_len = -1;
  T(readv(fd, v, 3));
  T(lseek(fd, 0, SEEK_DATA));
  T(lseek(fd, 0, SEEK_HOLE));
  T(lseek(fd, 1000, SEEK_DATA));
  T(fallocate(fd, 0, 0, 0));
  T(fallocate(fd, 0, -1, 5));
  T(fallocate(fd, 0, 0, 100));
  show_stat("r");
  T(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8192));
  show_stat("r");
  T(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
  T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 10));
  T(pread(fd, buf, 4, 0));
  printf("%d\n", buf[0]);
  T(fsync(fd));
  T(fdatasync(-1));
  T(posix_fadvise(fd, 0, 0, 3));
  T(posix_fadvise(fd, 0, 0, 99));
  T(ioctl(fd, FIONREAD, buf));
  T(ioctl(fd, TCGETS, buf));
  T(ioctl(-1, TCGETS, buf));
  T(isatty(fd));
  close(fd);
  fd = open("ap", O_CREAT | O_WRONLY | O_APPEND, 0644);
  T(write(fd, "abc", 3));
  T(lseek(fd, 0, SEEK_SET));
  T(write(fd, "def", 3));
  T(lseek(fd, 0, SEEK_CUR));
  T(pwrite(fd, "ghi", 3, 0));
  T(lseek(fd, 0, SEEK_CUR));
  show_stat("ap");
  close(fd);
  struct rlimit rl, whole;
  signal(SIGXFSZ, SIG_IGN);
  fflush(stdout);
  getrlimit(RLIMIT_FSIZE, &whole);
  rl = whole;
  rl.rlim_cur = 4096;
  int lim = open("lim", O_CREAT | O_RDWR, 0644);
  setrlimit(RLIMIT_FSIZE, &rl);
  long w1 = write(lim, buf, 5000), w2 = write(lim, buf, 10), e2 = errno, w3 = ftruncate(lim, 5000), e3 = errno;
  setrlimit(RLIMIT_FSIZE, &whole);
  printf("limit: %ld %ld %s %ld %s\n", w1, w2, name_of(e2), w3, name_of(e3));
  close(lim);
  getrlimit(RLIMIT_NOFILE, &rl);
  rl.rlim_cur = 40;
  setrlimit(RLIMIT_NOFILE, &rl);
  T(dup2(0, 40));
  T(dup2(0, 39));
  T(dup2(0, -1));
  T(dup2(99, 5));
  T(dup2(99, 99));
  T(dup2(39, 39));
  T(dup3(0, 38, O_CLOEXEC));
  T(fcntl(38, F_GETFD));
  T(dup3(0, 0, 0));
  T(dup3(0, 37, 1));
  T(fcntl(0, F_DUPFD, 40));
  T(fcntl(0, F_DUPFD, 39));
  T(fcntl(0, F_DUPFD, -1));
  T(fcntl(0, F_DUPFD_CLOEXEC, 30));
  T(SC(close_range, 30, 39, 0));
  T(SC(close_range, 30, 20, 0));
  T(SC(close_range, 30, 39, 99));
  T(fcntl(38, F_GETFD));
}

static void pipes(void) {
  puts("-- pipes");
  int p[2];
  T(pipe2(p, O_NONBLOCK));
  T(pipe2(p, 99));
  T(SC(pipe2, bad, 0));
  T(read(p[0], buf, 10));
  T(write(p[1], "abcdef", 6));
  T(read(p[0], bad, 3));
  T(read(p[0], edge, 3));
  T(read(p[0], buf, 10));
  T(read(p[1], buf, 10));
  T(write(p[0], buf, 10));
  T(lseek(p[0], 0, SEEK_SET));
  T(pread(p[0], buf, 1, 0));
  T(write(p[1], buf, 70000));
  T(write(p[1], buf, 1));
  int n;
  T(ioctl(p[0], FIONREAD, &n));
  printf("waiting %d\n", n);
  T(fcntl(p[0], F_GETPIPE_SZ));
  T(fcntl(p[0], F_SETPIPE_SZ, 4096));
  T(read(p[0], buf, 70000));
  T(fcntl(p[0], F_SETPIPE_SZ, 5000));
  T(fcntl(p[0], F_GETFL));
  T(fcntl(p[1], F_GETFL));
  struct pollfd pf[2] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}};
  T(poll(pf, 2, 0));
  printf("%x %x\n", pf[0].revents, pf[1].revents);
  close(p[1]);
  T(poll(pf, 1, 0));
  printf("%x\n", pf[0].revents);
  T(read(p[0], buf, 10));
  close(p[0]);
  pipe(p);
  close(p[0]);
  signal(SIGPIPE, SIG_IGN);
  T(write(p[1], "x", 1));
  pf[0].fd = p[1];
  pf[0].events = POLLOUT;
  T(poll(pf, 1, 0));
  printf("%x\n", pf[0].revents);
  close(p[1]);
  pf[0].fd = 77;
  T(poll(pf, 1, 0));
  printf("%x\n", pf[0].revents);
  pf[0].fd = -1;
  T(poll(pf, 1, 1));
  T(poll((struct pollfd *)bad, 1, 0));
  struct stat s;
  pipe(p);
  fstat(p[0], &s);
  printf("pipe mode %o\n", s.st_mode);
  if (fork() == 0) {
    usleep(1000);
    write(p[1], "late", 4);
    _exit(0);
  }
  T(read(p[0], buf, 10));
  wait(NULL);
  fd_set r;
  struct timeval tv = {0, 1000};
  FD_ZERO(&r);
  FD_SET(p[0], &r);
  T(select(p[0] + 1, &r, NULL, NULL, &tv));
  write(p[1], "x", 1);
  FD_SET(p[0], &r);
  T(select(p[0] + 1, &r, NULL, NULL, NULL));
  T(FD_ISSET(p[0], &r));
  FD_ZERO(&r);
  FD_SET(35, &r);
  T(select(36, &r, NULL, NULL, &tv));
  T(select(-1, NULL, NULL, NULL, &tv));
  T(SC(tee, p[0], p[1], 1, 0));
  int q[2];
  pipe(q);
  T(SC(tee, p[0], q[1], 10, 0));
  T(SC(splice, p[0], NULL, q[1], NULL, 10, 0));
  T(read(q[0], buf, 10));
  T(SC(splice, 0, NULL, 1, NULL, 10, 0) == -1);
  put("sf", "0123456789");
  int fd = open("sf", O_RDONLY), out = open("out", O_CREAT | O_RDWR | O_TRUNC, 0644);
  off_t off = 3;
  T(sendfile(out, fd, &off, 4));
  T(off);
  T(lseek(fd, 0, SEEK_CUR));
  T(sendfile(out, fd, NULL, 100));
  T(lseek(fd, 0, SEEK_CUR));
  T(sendfile(out, fd, NULL, 100));
  T(sendfile(fd, out, NULL, 100));
  T(sendfile(out, q[0], NULL, 100));
  off = -1;
  T(sendfile(out, fd, &off, 4));
  loff_t a = 2, b = 20;
  T(SC(copy_file_range, fd, &a, out, &b, 5, 0));
  printf("%ld %ld\n", (long)a, (long)b);
  T(SC(copy_file_range, fd, NULL, out, NULL, 5, 1));
  T(SC(copy_file_range, fd, NULL, q[1], NULL, 5, 0));
  show_stat("out");
  T(mkfifo("ff", 0600));
  T(open("ff", O_WRONLY | O_NONBLOCK));
  int rfd;
  T((rfd = open("ff", O_RDONLY | O_NONBLOCK)) > 0);
  T(read(rfd, buf, 1));
  pf[0].fd = rfd;
  pf[0].events = POLLIN;
  T(poll(pf, 1, 0));
  int wfd;
  T((wfd = open("ff", O_WRONLY | O_NONBLOCK)) > 0);
  T(read(rfd, buf, 1));
  close(wfd);
  T(poll(pf, 1, 0));
  printf("%x\n", pf[0].revents);
  close(rfd);
  if (fork() == 0) {
    int w = open("ff", O_WRONLY);
    write(w, "fifo", 4);
    _exit(0);
  }
  rfd = open("ff", O_RDONLY);
  T(read(rfd, buf, 10));
  wait(NULL);
  T(read(rfd, buf, 10));
}

static void events(void) {
  puts("-- eventfd, epoll, timerfd");
  uint64_t v;
  int e = eventfd(3, EFD_NONBLOCK);
  T(read(e, &v, 4));
  T(read(e, &v, 8));
  printf("%ld\n", (long)v);
  T(read(e, &v, 8));
  v = -1;
  T(write(e, &v, 8));
  v = 0xfffffffffffffffeULL;
  T(write(e, &v, 8));
  v = 1;
  T(write(e, &v, 8));
  T(eventfd(0, 99));
  int s = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
  T(read(s, &v, 8));
  printf("%ld\n", (long)v);
  T(read(s, &v, 8));
  T(read(s, &v, 8));
  int ep;
  T((ep = epoll_create1(0)) > 0);
  T(epoll_create1(99));
  T(epoll_create(0));
  struct epoll_event ev = {EPOLLIN, {.u64 = 42}}, got[4];
  T(epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev));
  T(epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev));
  T(epoll_ctl(ep, EPOLL_CTL_MOD, s, &ev));
  T(epoll_ctl(ep, EPOLL_CTL_DEL, s, &ev));
  T(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev));
  T(epoll_ctl(ep, EPOLL_CTL_ADD, 99, &ev));
  T(epoll_ctl(99, EPOLL_CTL_ADD, e, &ev));
  T(epoll_ctl(e, EPOLL_CTL_ADD, s, &ev));
  T(epoll_ctl(ep, 99, e, &ev));
  T(epoll_ctl(ep, EPOLL_CTL_ADD, s, (struct epoll_event *)bad));
  int fd = open("f", O_RDONLY);
  T(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
  T(epoll_wait(ep, got, 4, 0));
  printf("%x %ld\n", got[0].events, (long)got[0].data.u64);
  T(epoll_wait(ep, got, 4, 0));
  T(epoll_wait(ep, got, 0, 0));
  T(epoll_wait(ep, (struct epoll_event *)bad, 4, 0));
  ev.events = EPOLLIN | EPOLLET;
  T(epoll_ctl(ep, EPOLL_CTL_MOD, e, &ev));
  T(epoll_wait(ep, got, 4, 0));
  T(epoll_wait(ep, got, 4, 0));
  read(e, &v, 8);
  v = 1;
  write(e, &v, 8);
  T(epoll_wait(ep, got, 4, 0));
  T(epoll_wait(ep, got, 4, 0));
  ev.events = EPOLLIN | EPOLLONESHOT;
  T(epoll_ctl(ep, EPOLL_CTL_MOD, e, &ev));
  T(epoll_wait(ep, got, 4, 0));
  T(epoll_wait(ep, got, 4, 0));
  T(epoll_ctl(ep, EPOLL_CTL_MOD, e, &ev));
  T(epoll_wait(ep, got, 4, 0));
  int outer = epoll_create1(0);
  ev.events = EPOLLIN;
  T(epoll_ctl(outer, EPOLL_CTL_ADD, ep, &ev));
  T(epoll_ctl(ep, EPOLL_CTL_ADD, outer, &ev));
  T(epoll_wait(outer, got, 4, 0));
  T(epoll_ctl(ep, EPOLL_CTL_MOD, e, &ev));
  T(epoll_wait(outer, got, 4, 0));
  close(e);
  T(epoll_wait(outer, got, 4, 0));
  T(epoll_wait(ep, got, 4, 5));
  int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct itimerspec its = {{0, 0}, {0, 1000000}}, old;
  T(read(t, &v, 8));
  T(timerfd_settime(t, 0, &its, NULL));
  struct pollfd pf = {t, POLLIN, 0};
  T(poll(&pf, 1, -1));
  T(read(t, &v, 8));
  printf("%ld\n", (long)v);
  T(timerfd_gettime(t, &old));
  printf("%ld %ld\n", (long)old.it_value.tv_sec, old.it_value.tv_nsec);
  its.it_value.tv_nsec = 1000000000;
  T(timerfd_settime(t, 0, &its, NULL));
  T(timerfd_create(99, 0));
  T(timerfd_settime(ep, 0, &its, NULL));
}

static void others(void) {
  puts("-- locks, sockets, memfds, mappings");
  int fd = open("lk", O_CREAT | O_RDWR, 0644), fd2 = open("lk", O_RDWR);
  T(flock(fd, LOCK_EX));
  T(flock(fd2, LOCK_EX | LOCK_NB));
  T(flock(fd, LOCK_SH));
  T(flock(fd2, LOCK_SH | LOCK_NB));
  T(flock(fd, LOCK_UN));
  T(flock(fd, 4));
  T(flock(-1, LOCK_SH));
  struct flock fl = {F_WRLCK, SEEK_SET, 10, 10, 0};
  T(fcntl(fd, F_SETLK, &fl));
  if (fork() == 0) {
    struct flock g = {F_WRLCK, SEEK_SET, 0, 0, 0};
    T(fcntl(fd, F_GETLK, &g));
    printf("%d %ld %ld %d\n", g.l_type, (long)g.l_start, (long)g.l_len, g.l_pid == getppid());
    T(fcntl(fd, F_SETLK, &g));
    g.l_start = 0;
    g.l_len = 10;
    g.l_type = F_WRLCK;
    g.l_pid = 0;
    T(fcntl(fd, F_SETLK, &g));
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  fl.l_type = 9;
  T(fcntl(fd, F_SETLK, &fl));
  fl.l_type = F_UNLCK;
  T(fcntl(fd, F_SETLK, &fl));
  int sv[2];
  T(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
  T(write(sv[0], "hello", 5));
  T(recv(sv[1], buf, 3, MSG_PEEK));
  T(recv(sv[1], buf, 100, 0));
  T(recv(sv[1], buf, 100, MSG_DONTWAIT));
  T(send(sv[0], "x", 1, 0));
  T(shutdown(sv[0], SHUT_WR));
  T(read(sv[1], buf, 10));
  T(read(sv[1], buf, 10));
  T(write(sv[0], "x", 1));
  close(sv[0]);
  T(send(sv[1], "x", 1, MSG_NOSIGNAL));
  T(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
  T(send(sv[0], "one", 3, 0));
  T(send(sv[0], "three", 5, 0));
  T(recv(sv[1], buf, 2, 0));
  T(recv(sv[1], buf, 10, 0));
  T(lseek(sv[0], 0, SEEK_SET));
  T(recv(fd, buf, 1, 0));
  T(connect(fd, (struct sockaddr *)buf, 16));
  int m = SC(memfd_create, "x", 2);
  T(write(m, "memory", 6));
  T(fcntl(m, F_GET_SEALS));
  T(fcntl(m, F_ADD_SEALS, 2 | 4));
  T(ftruncate(m, 3));
  T(ftruncate(m, 100));
  T(pwrite(m, "X", 1, 0));
  T(pwrite(m, "X", 1, 6));
  T(fcntl(m, F_ADD_SEALS, 1));
  T(fcntl(m, F_ADD_SEALS, 8));
  T(fcntl(fd, F_GET_SEALS));
  T(SC(memfd_create, "x", 0x100));
  ftruncate(fd, 8192);
  char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *priv = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  map[5] = 'm';
  T(pread(fd, buf, 1, 5));
  T(buf[0]);
  T(pwrite(fd, "w", 1, 6));
  T(map[6]);
  T(priv[6]);
  priv[7] = 'p';
  T(map[7]);
  T(pread(fd, buf, 1, 7));
  T(buf[0]);
  T(munmap(map, 8192));
  T(pread(fd, buf, 1, 5));
  T(buf[0]);
  unlink("lk");
  T(pread(fd, buf, 1, 5));
  T((long)mmap(NULL, 4096, PROT_READ, MAP_SHARED, open("d", O_RDONLY), 0));
  T(open("/dev/null", O_RDWR) > 0);
  fd = open("/dev/zero", O_RDWR);
  T(read(fd, buf, 100));
  T(write(fd, buf, 100));
  fd = open("/dev/full", O_RDWR);
  T(write(fd, buf, 100));
  T(read(fd, buf, 100));
  fd = open("/dev/urandom", O_RDONLY);
  T(read(fd, buf, 100));
  T(isatty(fd));
  T(readlink("/proc/self/cwd", buf, 1) );
  T(open("/proc/self/nosuch", O_RDONLY));
  T(open("/proc/99999999", O_RDONLY));
  fd = open("f", O_RDONLY);
  char link[64];
  sprintf(link, "/proc/self/fd/%d", fd);
  T(open(link, O_RDWR) > 0);
  long n = readlink(link, buf, sizeof buf);
  T(n > 2 && buf[n - 1] == 'f' && buf[n - 2] == '/');
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  umask(022);
  memset(long_name, 'n', sizeof long_name - 1);
  memset(long_path, '/', sizeof long_path - 1);
  char *two = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(two + 4096, 4096);
  edge = two + 4094;
  opening();
  names();
  attributes();
  reading();
  pipes();
  events();
  others();
  return 0;
}
