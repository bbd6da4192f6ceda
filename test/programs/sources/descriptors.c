// SPDX-License-Identifier: MIT
//
// Every call that takes a descriptor, with every kind of descriptor, right and wrong: a line for each call, which says what
// it gives for each kind. Nothing here waits, and nothing changes a file outside the working directory.

#define _GNU_SOURCE
#include "say.h"
#include <dirent.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

enum { NONE, CLOSED, PATH, PATH_DIR, READS, WRITES, BOTH, APPENDS, DIRECTORY, NOTHING, ZERO, FULL, PROC_FILE, PROC_DIR, PIPE_OUT, PIPE_IN, FIFO, STREAM,
  LONELY, LISTENER, DATAGRAM, NAMELESS, PACKETS, EVENT, EPOLL, TIMER, SIGNALS, WATCH, MEMORY, QUEUE, KINDS };
static const char *const names[] = {"-1", "closed", "path", "path-dir", "reads", "writes", "both", "appends", "dir", "null", "zero", "full", "proc",
  "proc-dir", "pipe-out", "pipe-in", "fifo", "stream", "lonely", "listener", "datagram", "nameless", "packets", "event", "epoll", "timer", "signals",
  "watch", "memory", "queue"};

/** The other end, where there is one. */
static int other = -1;
static struct sockaddr_un address = {AF_UNIX, "listener"};

static int make(int kind) {
  int fds[2] = {-1, -1}, fd;
  sigset_t set;
  other = -1;
  switch (kind) {
    case NONE: return -1;
    case CLOSED: return 77;
    case PATH: return open("file", O_PATH);
    case PATH_DIR: return open("dir", O_PATH);
    case READS: return open("file", O_RDONLY);
    case WRITES: return open("file", O_WRONLY);
    case BOTH: return open("file", O_RDWR);
    case APPENDS: return open("file", O_RDWR | O_APPEND);
    case DIRECTORY: return open("dir", O_RDONLY);
    case NOTHING: return open("/dev/null", O_RDWR);
    case ZERO: return open("/dev/zero", O_RDWR);
    case FULL: return open("/dev/full", O_RDWR);
    case PROC_FILE: return open("/proc/self/comm", O_RDONLY);
    case PROC_DIR: return open("/proc/self/fdinfo", O_RDONLY);
    case PIPE_OUT: pipe2(fds, O_NONBLOCK); other = fds[1]; return fds[0];
    case PIPE_IN: pipe2(fds, O_NONBLOCK); other = fds[0]; return fds[1];
    case FIFO: return open("fifo", O_RDWR | O_NONBLOCK);
    case STREAM: socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds); other = fds[1]; return fds[0];
    case LONELY: return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    case LISTENER:
      fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
      unlink("listener");
      bind(fd, (void *)&address, sizeof address);
      listen(fd, 5);
      return fd;
    case DATAGRAM: socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds); other = fds[1]; return fds[0];
    case NAMELESS: return socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    case PACKETS: socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds); other = fds[1]; return fds[0];
    case EVENT: return eventfd(0, EFD_NONBLOCK);
    case EPOLL: return epoll_create1(0);
    case TIMER: return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    case SIGNALS: sigemptyset(&set); sigaddset(&set, SIGUSR1); return signalfd(-1, &set, SFD_NONBLOCK);
    case WATCH: return inotify_init1(IN_NONBLOCK);
    case MEMORY: return memfd_create("m", MFD_ALLOW_SEALING);
    case QUEUE: return mq_open("/trapline-descriptors", O_RDWR | O_CREAT | O_NONBLOCK, 0600, 0);
  }
  return -1;
}

static char bytes[8192];
static struct stat st;
static struct iovec vector = {bytes, 8};
static int value;
static socklen_t length;
/** Helpers of the calls that take two descriptors. */
static int full[2], empty[2], in, out, poller;

static void fresh(void) {
  int fd = open("file", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  write(fd, "0123456789", 10);
  close(fd);
  pipe2(full, O_NONBLOCK);
  write(full[1], "pipe", 4);
  pipe2(empty, O_NONBLOCK);
  in = open("in", O_RDWR), out = open("out", O_RDWR);
  poller = epoll_create1(0);
  memset(bytes, 0, sizeof bytes);
  length = sizeof bytes;
  value = 0;
}
static void stale(void) {
  close(full[0]), close(full[1]), close(empty[0]), close(empty[1]), close(in), close(out), close(poller);
}

typedef long (*Call)(int f);
enum { NUMBER = 1, TOUCHES = 2 };

/** What belongs to the machine is left as it is, and not gone to. */
static int is_foreign(int kind) { return kind >= NOTHING && kind <= PROC_DIR; }

static void try(const char *what, Call call, int flags, const char *without) {
  printf("%s:", what);
  for (int kind = 0; kind < KINDS; kind++) {
    if ((flags & TOUCHES) && is_foreign(kind)) continue;
    char wanted[32];
    snprintf(wanted, sizeof wanted, " %s ", names[kind]);
    if (strstr(without, wanted)) continue;
    fresh();
    int fd = make(kind);
    errno = 0;
    long r = call(fd);
    if (r == -1) printf(" %s %s", names[kind], name_of(errno));
    else if (flags & NUMBER) printf(" %s %ld", names[kind], r);
    else printf(" %s ok", names[kind]);
    if (fd >= 0) close(fd);
    if (other >= 0) close(other);
    stale();
  }
  printf("\n");
  fflush(stdout);
}
#define TRY(flags, expr) TRY_BUT("", flags, expr)
// Kinds for which one version of Linux, or file system, says otherwise than the next one, between blanks.
#define TRY_BUT(without, flags, expr) do { long call(int f) { return (long)(expr); } try(#expr, call, flags, without); } while (0)

static struct msghdr *message(void) {
  static struct msghdr m;
  m = (struct msghdr){.msg_iov = &vector, .msg_iovlen = 1};
  return &m;
}
static struct flock *lock(int type) {
  static struct flock l;
  l = (struct flock){.l_type = type};
  return &l;
}
static long mapped(void *at) {
  if (at == MAP_FAILED) return -1;
  munmap(at, 4096);
  return 0;
}
/** A new descriptor is not left behind. */
static long new(long fd) {
  int e = errno;
  if (fd >= 0) close(fd);
  errno = e;
  return fd;
}
static long polled(int f) {
  struct pollfd p = {f, POLLIN | POLLOUT | POLLPRI | POLLRDHUP};
  return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}
static long chosen(int f) {
  fd_set r, w, e;
  FD_ZERO(&r);
  FD_ZERO(&w);
  FD_ZERO(&e);
  if (f >= 0) FD_SET(f, &r), FD_SET(f, &w), FD_SET(f, &e);
  return select(f + 1, &r, &w, &e, &(struct timeval){0});
}
static struct epoll_event event = {EPOLLIN};
static struct itimerspec never;
static sigset_t none;

static void transfers(void) {
  TRY(NUMBER, read(f, bytes, 8));
  TRY(NUMBER, read(f, bytes, 0));
  TRY(NUMBER, read(f, (void *)8, 8));
  TRY(NUMBER, write(f, bytes, 8));
  TRY(NUMBER, write(f, bytes, 0));
  TRY_BUT(" nameless ", NUMBER, write(f, (void *)8, 8));
  TRY(NUMBER, pread(f, bytes, 8, 0));
  TRY(NUMBER, pread(f, bytes, 8, -1));
  TRY_BUT(" proc ", NUMBER, pwrite(f, bytes, 8, 0));
  TRY(NUMBER, pwrite(f, bytes, 8, -1));
  TRY(NUMBER, readv(f, &vector, 1));
  TRY(NUMBER, readv(f, &vector, -1));
  TRY(NUMBER, writev(f, &vector, 1));
  TRY(NUMBER, writev(f, &vector, -1));
  TRY(NUMBER, preadv(f, &vector, 1, 0));
  TRY_BUT(" proc ", NUMBER, pwritev(f, &vector, 1, 0));
  TRY(NUMBER, lseek(f, 0, SEEK_SET));
  TRY(NUMBER, lseek(f, 3, SEEK_CUR));
  TRY(NUMBER, lseek(f, -1, SEEK_SET));
  TRY(NUMBER, lseek(f, 0, 9));
  TRY(0, SC(getdents64, f, bytes, sizeof bytes));
  TRY_BUT(" proc ", NUMBER, sendfile(empty[1], f, 0, 4));
  TRY(NUMBER, sendfile(f, in, 0, 4));
  TRY_BUT(" proc ", NUMBER, splice(f, 0, empty[1], 0, 4, SPLICE_F_NONBLOCK));
  TRY(NUMBER, splice(full[0], 0, f, 0, 4, SPLICE_F_NONBLOCK));
  TRY(NUMBER, tee(f, empty[1], 4, SPLICE_F_NONBLOCK));
  TRY(NUMBER, tee(full[0], f, 4, SPLICE_F_NONBLOCK));
  TRY(NUMBER, vmsplice(f, &vector, 1, SPLICE_F_NONBLOCK));
  TRY(NUMBER, copy_file_range(f, 0, out, 0, 4, 0));
  TRY(NUMBER, copy_file_range(in, 0, f, 0, 4, 0));
}

static void files(void) {
  TRY(NUMBER, fstat(f, &st));
  TRY(NUMBER, SC(newfstatat, f, "", &st, AT_EMPTY_PATH));
  TRY(NUMBER, SC(statx, f, "", AT_EMPTY_PATH, 0x7ff, bytes));
  TRY(NUMBER, fstatfs(f, (void *)bytes));
  TRY_BUT(" event  epoll  timer  signals  watch ", TOUCHES | NUMBER, fchmod(f, 0644));
  TRY_BUT(" event  epoll  timer  signals  watch ", TOUCHES | NUMBER, fchown(f, -1, -1));
  TRY_BUT(" event  epoll  timer  signals  watch ", TOUCHES | NUMBER, SC(fchownat, f, "", -1, -1, AT_EMPTY_PATH));
  TRY_BUT(" event  epoll  timer  signals  watch ", TOUCHES | NUMBER, futimens(f, 0));
  TRY(NUMBER, SC(faccessat2, f, "", R_OK, AT_EMPTY_PATH));
  TRY(TOUCHES | NUMBER, ftruncate(f, 5));
  TRY(NUMBER, ftruncate(f, -1));
  TRY(TOUCHES | NUMBER, fallocate(f, 0, 0, 100));
  TRY(NUMBER, fallocate(f, 0, -1, 100));
  TRY(NUMBER, fsync(f));
  TRY(NUMBER, fdatasync(f));
  TRY(NUMBER, sync_file_range(f, 0, 0, 0));
  TRY(NUMBER, SC(syncfs, f));
  TRY(NUMBER, readahead(f, 0, 4096));
  TRY(NUMBER, posix_fadvise(f, 0, 0, POSIX_FADV_NORMAL));
  TRY(NUMBER, posix_fadvise(f, 0, 0, 99));
  TRY(NUMBER, mapped(mmap(0, 4096, PROT_READ, MAP_PRIVATE, f, 0)));
  TRY(NUMBER, mapped(mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0)));
  TRY_BUT(" pipe-out  pipe-in  fifo  stream  lonely  listener  datagram  nameless  packets  event  epoll  timer  signals  watch ", NUMBER, mapped(mmap(0, 4096, PROT_EXEC, MAP_PRIVATE, f, 4096)));
  TRY(TOUCHES | NUMBER, flock(f, LOCK_SH | LOCK_NB));
  TRY(NUMBER, flock(f, 99));
  TRY(NUMBER, fcntl(f, F_GETLK, lock(F_RDLCK)));
  TRY(TOUCHES | NUMBER, fcntl(f, F_SETLK, lock(F_RDLCK)));
  TRY(TOUCHES | NUMBER, fcntl(f, F_SETLK, lock(F_WRLCK)));
  TRY(TOUCHES | NUMBER, fcntl(f, F_OFD_SETLK, lock(F_RDLCK)));
  TRY(NUMBER, fcntl(f, F_GETLK, (void *)8));
  TRY(NUMBER, fgetxattr(f, "user.none", bytes, 10));
  TRY(TOUCHES | NUMBER, fremovexattr(f, "user.none"));
  TRY(TOUCHES | NUMBER, fchdir(f) == 0 ? chdir("..") : -1);
  TRY(0, new(openat(f, "in", O_RDONLY)));
  TRY(NUMBER, mkdirat(f, "in", 0700));
  TRY(NUMBER, mkdirat(f, "", 0700));
  TRY(NUMBER, mknodat(f, "in", S_IFREG, 0));
  TRY(NUMBER, symlinkat("to", f, ""));
  TRY(NUMBER, linkat(f, "none", AT_FDCWD, "in", 0));
  TRY(NUMBER, linkat(f, "", AT_FDCWD, "in", AT_EMPTY_PATH));
  TRY(NUMBER, linkat(AT_FDCWD, "in", f, "", 0));
  TRY(NUMBER, renameat(f, "none", AT_FDCWD, "in"));
  TRY(NUMBER, renameat(AT_FDCWD, "none", f, "none"));
  TRY(NUMBER, unlinkat(f, "none", 0));
  TRY(NUMBER, unlinkat(f, "none", AT_REMOVEDIR));
  TRY(NUMBER, readlinkat(f, "none", bytes, 10));
  TRY(NUMBER, readlinkat(f, "", bytes, 10));
  TRY(NUMBER, fchmodat(f, "none", 0, 0));
  TRY(NUMBER, fchownat(f, "none", 0, 0, 0));
  TRY(NUMBER, utimensat(f, "none", 0, 0));
  TRY(NUMBER, faccessat(f, "none", 0, 0));
  TRY(NUMBER, SC(execveat, f, "none", (char *[]){0}, (char *[]){0}, 0));
  TRY(NUMBER, SC(execveat, f, "", (char *[]){0}, (char *[]){0}, AT_EMPTY_PATH));
}

static void control(void) {
  TRY(NUMBER, fcntl(f, F_GETFD));
  TRY(NUMBER, fcntl(f, F_SETFD, FD_CLOEXEC));
  TRY(NUMBER, fcntl(f, F_GETFL) < 0 ? -1 : 0);
  TRY(NUMBER, fcntl(f, F_SETFL, O_NONBLOCK));
  TRY(NUMBER, fcntl(f, F_GETOWN));
  TRY(NUMBER, fcntl(f, F_SETOWN, getpid()));
  TRY(NUMBER, fcntl(f, F_GETSIG));
  TRY(NUMBER, fcntl(f, F_SETSIG, 99));
  TRY(NUMBER, fcntl(f, F_GETPIPE_SZ));
  TRY(NUMBER, fcntl(f, F_SETPIPE_SZ, 4096));
  TRY_BUT(" reads  writes  both  appends ", NUMBER, fcntl(f, F_GET_SEALS));
  TRY_BUT(" reads  writes  both  appends ", NUMBER, fcntl(f, F_ADD_SEALS, F_SEAL_GROW));
  TRY(NUMBER, fcntl(f, 999));
  TRY(0, new(fcntl(f, F_DUPFD, 100)));
  TRY(NUMBER, fcntl(f, F_DUPFD, -1));
  TRY(0, new(dup(f)));
  TRY(0, dup2(f, f));
  TRY(0, new(dup2(f, 200)));
  TRY(NUMBER, SC(dup3, f, f, 0));
  TRY(NUMBER, SC(close, f) == 0 ? 0 : -1);
  TRY(NUMBER, SC(close_range, f, f, 0));
  TRY(NUMBER, ioctl(f, FIONBIO, &value));
  TRY(NUMBER, ioctl(f, FIONBIO, 8));
  TRY(NUMBER, ioctl(f, FIOCLEX));
  TRY_BUT(" proc  queue  epoll ", NUMBER, ioctl(f, FIONREAD, &value) < 0 ? -1 : value);
  TRY_BUT(" epoll ", NUMBER, ioctl(f, TCGETS, bytes));
  TRY_BUT(" epoll ", NUMBER, ioctl(f, TIOCGWINSZ, bytes));
  TRY_BUT(" epoll ", NUMBER, ioctl(f, 0xdead, bytes));
  TRY(NUMBER, polled(f));
  TRY(NUMBER, chosen(f));
  TRY(NUMBER, epoll_ctl(poller, EPOLL_CTL_ADD, f, &event));
  TRY(NUMBER, epoll_ctl(poller, EPOLL_CTL_DEL, f, &event));
  TRY(NUMBER, epoll_ctl(f, EPOLL_CTL_ADD, full[0], &event));
  TRY(NUMBER, epoll_wait(f, &event, 1, 0));
}

static void sockets(void) {
  TRY(0, new(accept4(f, 0, 0, 0)));
  TRY(NUMBER, accept4(f, 0, 0, 1));
  TRY(NUMBER, bind(f, (void *)&address, sizeof address));
  TRY(NUMBER, bind(f, (void *)8, sizeof address));
  TRY(NUMBER, bind(f, (void *)&address, 999));
  TRY(NUMBER, connect(f, (void *)&(struct sockaddr_un){AF_UNIX, "nowhere"}, sizeof address));
  TRY(NUMBER, connect(f, (void *)8, sizeof address));
  TRY(NUMBER, connect(f, (void *)&address, 1));
  TRY(NUMBER, connect(f, (void *)&(struct sockaddr_un){AF_INET, "file"}, sizeof address));
  TRY(NUMBER, listen(f, 1));
  TRY(NUMBER, getsockname(f, (void *)bytes, &length));
  TRY(NUMBER, getsockname(f, (void *)bytes, (void *)8));
  TRY(NUMBER, getpeername(f, (void *)bytes, &length));
  TRY(NUMBER, getpeername(f, (void *)8, &length));
  TRY(NUMBER, getpeername(f, (void *)bytes, (void *)8));
  TRY(NUMBER, (length = -1, getpeername(f, (void *)bytes, &length)));
  TRY(NUMBER, getsockopt(f, SOL_SOCKET, SO_TYPE, bytes, &length));
  TRY(NUMBER, getsockopt(f, SOL_SOCKET, SO_TYPE, (void *)8, &length));
  TRY(NUMBER, getsockopt(f, SOL_SOCKET, 9999, bytes, &length));
  TRY(NUMBER, setsockopt(f, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof value));
  TRY(NUMBER, setsockopt(f, SOL_SOCKET, SO_KEEPALIVE, &value, 1));
  TRY(NUMBER, setsockopt(f, SOL_SOCKET, SO_KEEPALIVE, (void *)8, sizeof value));
  TRY(NUMBER, setsockopt(f, 99, SO_KEEPALIVE, &value, sizeof value));
  TRY(NUMBER, shutdown(f, SHUT_RD));
  TRY(NUMBER, shutdown(f, 9));
  TRY(NUMBER, send(f, bytes, 8, MSG_NOSIGNAL));
  TRY(NUMBER, send(f, bytes, 0, MSG_NOSIGNAL));
  TRY_BUT(" nameless ", NUMBER, send(f, (void *)8, 8, MSG_NOSIGNAL));
  TRY(NUMBER, sendto(f, bytes, 8, MSG_NOSIGNAL, (void *)8, sizeof address));
  TRY(NUMBER, sendto(f, bytes, 8, MSG_NOSIGNAL, (void *)&address, 999));
  TRY(NUMBER, recv(f, bytes, 8, MSG_DONTWAIT));
  TRY(NUMBER, recv(f, bytes, 0, MSG_DONTWAIT));
  TRY(NUMBER, sendmsg(f, message(), MSG_NOSIGNAL));
  TRY(NUMBER, sendmsg(f, (void *)8, MSG_NOSIGNAL));
  TRY(NUMBER, recvmsg(f, message(), MSG_DONTWAIT));
  TRY(NUMBER, recvmsg(f, (void *)8, MSG_DONTWAIT));
  TRY(NUMBER, SC(sendmmsg, f, bytes, 1, MSG_NOSIGNAL));
  TRY(NUMBER, SC(recvmmsg, f, bytes, 1, MSG_DONTWAIT, 0));
}

static void special(void) {
  TRY(0, inotify_add_watch(f, "dir", IN_CREATE));
  TRY(NUMBER, inotify_add_watch(f, "dir", 0));
  TRY(NUMBER, inotify_add_watch(f, "none", IN_CREATE));
  TRY(NUMBER, inotify_rm_watch(f, 1));
  TRY(NUMBER, timerfd_settime(f, 0, &never, 0));
  TRY(NUMBER, timerfd_settime(f, 99, &never, 0));
  TRY(NUMBER, timerfd_gettime(f, &never));
  TRY(NUMBER, timerfd_gettime(f, (void *)8));
  TRY(0, new(SC(signalfd4, f, &none, 8, 0)));
  TRY(NUMBER, SC(mq_getsetattr, f, 0, bytes));
  TRY(NUMBER, SC(mq_timedsend, f, bytes, 8, 0, 0));
  TRY(NUMBER, SC(mq_timedsend, f, bytes, 8, 99999, 0));
  TRY(NUMBER, SC(mq_timedreceive, f, bytes, 8192, 0, 0));
  TRY(NUMBER, SC(mq_timedreceive, f, bytes, 1, 0, 0));
  TRY(NUMBER, SC(mq_notify, f, 0));
  TRY(NUMBER, SC(pidfd_send_signal, f, 0, 0, 0));
  TRY(NUMBER, SC(pidfd_getfd, f, 0, 0));
  TRY(NUMBER, SC(setns, f, 0));
  TRY(NUMBER, waitid(3, f, (void *)bytes, WEXITED | WNOHANG));
}

int main(void) {
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  alarm(600);
  signal(SIGPIPE, SIG_IGN);
  mkdir("dir", 0755);
  mkfifo("fifo", 0644);
  for (int i = 0; i < 2; i++) {
    int fd = open(i ? "out" : "in", O_WRONLY | O_CREAT, 0644);
    write(fd, "abcdefgh", 8);
    close(fd);
  }
  transfers();
  files();
  control();
  sockets();
  special();
  mq_unlink("/trapline-descriptors");
  return 0;
}
