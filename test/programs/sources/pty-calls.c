// SPDX-License-Identifier: MIT
//
// Pseudo-terminals call by call: numbers and locks, every ioctl with its errors, packets, sizes, reads by count and by
// time, limits, flow, and what is left when either side closes.

#define _GNU_SOURCE
#include "say.h"
#include "asleep.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif
#ifndef TIOCGPTLCK
#define TIOCGPTLCK _IOR('T', 0x39, int)
#define TIOCGPKT _IOR('T', 0x38, int)
#define TIOCGEXCL _IOR('T', 0x40, int)
#endif
#define BAD ((void *)8)
struct kernel_termios { unsigned iflag, oflag, cflag, lflag; unsigned char line, cc[19]; };
struct kernel_termios2 { struct kernel_termios t; unsigned ispeed, ospeed; };
struct kernel_termio { unsigned short iflag, oflag, cflag, lflag; unsigned char line, cc[8]; };
#define KTCGETS 0x5401
#define KTCSETS 0x5402
#define KTCGETA 0x5405
#define KTCSETA 0x5406
#define KTCGETS2 0x802c542a
#define KTCSETS2 0x402c542b

static int master, slave;
static char path[64];

static void show(const char *what, const char *bytes, int n) {
  printf("%s %d:", what, n);
  for (int i = 0; i < n && i < 200; i++) {
    if (bytes[i] > 32 && bytes[i] < 127) putchar(bytes[i]);
    else printf("\\%02x", bytes[i] & 255);
  }
  puts("");
}
// Who looks whether there is input waits for the kernel's worker that carries it; what the slave takes in, it may echo.
static void settle(void) {
  int sides[] = {slave, master};
  for (int i = 0; i < 2; i++) poll(&(struct pollfd){sides[i], POLLIN, 0}, 1, 0);
}
// Where there is input already, nobody waits for the worker that brings more of it.
static void arrive(int count) {
  int waiting = 0;
  for (int i = 0; i < 30000 && ioctl(slave, FIONREAD, &waiting) == 0 && waiting < count; i++) usleep(1000);
}
static void from(const char *what, int fd, int count) {
  static char bytes[20000];
  settle();
  errno = 0;
  int n = read(fd, bytes, count);
  if (n < 0) printf("%s %s\n", what, name_of(errno));
  else show(what, bytes, n);
}
static void to(int fd, const char *text) { write(fd, text, strlen(text)); }
static void makePair(void) {
  int zero = 0, n = 0;
  master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
  ioctl(master, TIOCSPTLCK, &zero);
  ioctl(master, TIOCGPTN, &n);
  snprintf(path, sizeof path, "/dev/pts/%d", n);
  slave = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
}
static void closePair(void) { close(slave); close(master); }
static int pollOf(int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLWRNORM, 0};
  settle();
  poll(&p, 1, 0);
  return p.revents;
}
static void raw(int min, int time) {
  struct termios t;
  tcgetattr(slave, &t);
  cfmakeraw(&t);
  t.c_cc[VMIN] = min;
  t.c_cc[VTIME] = time;
  tcsetattr(slave, TCSANOW, &t);
}
static void as_nobody(void (*what)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    if (setresgid(65534, 65534, 65534) | setresuid(65534, 65534, 65534)) _exit(9);
    what();
    fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  T(status);
}

static void opening(void) {
  int n = -1, one = 1, zero = 0, lock = -1;
  struct stat st;
  char name[64] = "";
  int m = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  T(m >= 0);
  T(ioctl(m, TIOCGPTN, &n));
  T(ioctl(m, TIOCGPTLCK, &lock));
  T(lock);
  snprintf(path, sizeof path, "/dev/pts/%d", n);
  T(open(path, O_RDWR | O_NOCTTY));
  T(ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY));
  T(ioctl(m, TIOCSPTLCK, &zero));
  int s = open(path, O_RDWR | O_NOCTTY);
  T(s >= 0);
  T(fstat(s, &st));
  printf("%o %d %d minor %d uid %d\n", st.st_mode & S_IFMT, major(st.st_rdev), (int)st.st_nlink, minor(st.st_rdev) == n, st.st_uid == getuid());
  T(fstat(m, &st));
  printf("%o %d %d\n", st.st_mode, major(st.st_rdev), minor(st.st_rdev));
  T(isatty(s));
  T(isatty(m));
  T(ttyname_r(s, name, sizeof name));
  T(strcmp(name, path));
  T(ptsname_r(m, name, sizeof name));
  T(strcmp(name, path));
  int peer = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  T(peer >= 0);
  T(fcntl(peer, F_GETFD));
  T(fcntl(peer, F_GETFL) & O_ACCMODE);
  T(close(peer));
  T(ioctl(m, TIOCSPTLCK, &one));
  T(open(path, O_RDWR | O_NOCTTY));
  T(lseek(s, 0, SEEK_SET));
  T(pread(s, name, 1, 0));
  T(pwrite(s, name, 1, 0));
  T(ftruncate(s, 0));
  T(fsync(s));
  T(close(s));
  T(close(m));
  T(access(path, F_OK));
  T(open("/dev/pts/none", O_RDWR));
  T(open("/dev/pts/99999", O_RDWR));
  T(mkdir("/dev/pts/dir", 0755));
  T(open("/dev/pts/file", O_CREAT | O_RDWR, 0600));
}

static void settings(void) {
  struct kernel_termios t, m;
  struct kernel_termios2 t2;
  struct kernel_termio a;
  makePair();
  memset(&t, 0xee, sizeof t);
  T(ioctl(slave, KTCGETS, &t));
  printf("%o %o %o %o %d", t.iflag, t.oflag, t.cflag, t.lflag, t.line);
  for (int i = 0; i < 19; i++) printf(" %d", t.cc[i]);
  puts("");
  T(ioctl(master, KTCGETS, &m));
  T(memcmp(&t, &m, sizeof t));
  T(ioctl(slave, KTCGETS2, &t2));
  printf("%u %u\n", t2.ispeed, t2.ospeed);
  t2.t.cflag = (t2.t.cflag & ~CBAUD) | 0010000;
  t2.ispeed = t2.ospeed = 12345;
  T(ioctl(slave, KTCSETS2, &t2));
  memset(&t2, 0, sizeof t2);
  T(ioctl(slave, KTCGETS2, &t2));
  printf("%o %u %u\n", t2.t.cflag, t2.ispeed, t2.ospeed);
  t2.t.cflag = B9600 | CS5 | PARENB | PARODD | HUPCL | CSTOPB;
  T(ioctl(slave, KTCSETS2, &t2));
  T(ioctl(slave, KTCGETS2, &t2));
  printf("%o %u %u\n", t2.t.cflag, t2.ispeed, t2.ospeed);
  t2.t.cflag = B1200 | (B2400 << 16);
  T(ioctl(slave, KTCSETS2, &t2));
  T(ioctl(slave, KTCGETS2, &t2));
  printf("%o %u %u\n", t2.t.cflag, t2.ispeed, t2.ospeed);
  t2.t.line = 7;
  t2.t.cc[17] = 9;
  T(ioctl(master, KTCSETS2, &t2));
  T(ioctl(slave, KTCGETS2, &t2));
  printf("%d %d\n", t2.t.line, t2.t.cc[17]);
  memset(&a, 0xee, sizeof a);
  T(ioctl(slave, KTCGETA, &a));
  printf("%o %o %o %o %d", a.iflag, a.oflag, a.cflag, a.lflag, a.line);
  for (int i = 0; i < 8; i++) printf(" %d", a.cc[i]);
  puts("");
  a.lflag = ECHO;
  T(ioctl(slave, KTCSETA, &a));
  T(ioctl(slave, KTCGETS, &t));
  printf("%o %o %o %o\n", t.iflag, t.oflag, t.cflag, t.lflag);
  for (unsigned r = 0x5401; r <= 0x5408; r++) {
    printf("%x: ", r);
    T(ioctl(slave, r, BAD));
  }
  T(ioctl(slave, KTCGETS2, BAD));
  T(ioctl(slave, KTCSETS2, BAD));
  closePair();
}

static void asNobody(void) {
  T(ioctl(slave, TIOCCONS, 0));
  T(ioctl(slave, TIOCVHANGUP, 0));
  T(ioctl(slave, TIOCSTI, "x") < 0);
  T(open(path, O_RDWR | O_NOCTTY));
}
static void othersOpen(void) {
  chmod(path, 0666);
  T(open(path, O_RDWR | O_NOCTTY));
}

static void errors(void) {
  const unsigned reads[] = {FIONREAD, TIOCOUTQ, TIOCGWINSZ, TIOCSWINSZ, TIOCGETD, TIOCSETD, TIOCGPTN, TIOCSPTLCK,
                            TIOCGPTLCK, TIOCPKT, TIOCGPKT, TIOCGEXCL, TIOCGPGRP, TIOCSPGRP, TIOCGSID, 0x54fe};
  int value = 99;
  makePair();
  for (int i = 0; i < sizeof reads / sizeof *reads; i++) {
    printf("%x: ", reads[i]);
    T(ioctl(slave, reads[i], BAD));
    printf("%x: ", reads[i]);
    T(ioctl(master, reads[i], BAD));
  }
  T(ioctl(slave, TCXONC, 9));
  T(ioctl(slave, TCFLSH, 9));
  T(ioctl(slave, TCSBRK, 1));
  T(ioctl(slave, TCSBRK, 0));
  T(ioctl(slave, TCSBRKP, 1));
  T(ioctl(slave, TIOCSETD, &value));
  T(ioctl(slave, TIOCGETD, &value));
  T(value);
  T(ioctl(slave, TIOCSETD, &value));
  T(ioctl(master, TIOCSIG, 9));
  T(ioctl(master, TIOCSIG, SIGINT));
  T(ioctl(slave, TIOCSIG, SIGINT));
  T(ioctl(slave, TIOCGPTPEER, O_RDWR));
  T(ioctl(slave, TIOCNOTTY, 0));
  T(ioctl(slave, TIOCMGET, &value));
  T(ioctl(slave, TIOCGSERIAL, &value));
  T(ioctl(slave, TIOCGSOFTCAR, &value));
  T(ioctl(slave, TIOCGEXCL, &value));
  T(value);
  T(ioctl(slave, TIOCEXCL, 0));
  T(ioctl(slave, TIOCGEXCL, &value));
  T(value);
  chmod(path, 0666);
  as_nobody(asNobody);
  T(ioctl(slave, TIOCNXCL, 0));
  as_nobody(othersOpen);
  chmod(path, 0600);
  as_nobody(othersOpen);
  int pipes[2];
  pipe(pipes);
  int null = open("/dev/null", O_RDWR), proc = open("/proc/version", O_RDONLY);
  const int others[] = {pipes[0], null, proc};
  for (int i = 0; i < 3; i++) {
    struct winsize size;
    T(ioctl(others[i], KTCGETS, &value));
    T(ioctl(others[i], TIOCGWINSZ, &size));
    T(ioctl(others[i], TIOCGPGRP, &value));
    T(isatty(others[i]));
  }
  close(pipes[0]); close(pipes[1]); close(null); close(proc);
  T(read(slave, BAD, 10));
  to(master, "x\n");
  settle();
  T(read(slave, BAD, 10));
  T(write(slave, BAD, 10));
  T(write(master, BAD, 10));
  closePair();
  T(ioctl(master, KTCGETS, &value));
}

static void sizes(void) {
  struct winsize size = {1, 2, 3, 4};
  makePair();
  T(ioctl(slave, TIOCGWINSZ, &size));
  printf("%d %d %d %d\n", size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel);
  size = (struct winsize){24, 80, 7, 9};
  T(ioctl(master, TIOCSWINSZ, &size));
  memset(&size, 0, sizeof size);
  T(ioctl(slave, TIOCGWINSZ, &size));
  printf("%d %d %d %d\n", size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel);
  size.ws_row = 50;
  T(ioctl(slave, TIOCSWINSZ, &size));
  T(ioctl(master, TIOCGWINSZ, &size));
  printf("%d %d %d %d\n", size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel);
  closePair();
}

static void lines(void) {
  int waiting = -1;
  makePair();
  from("nothing", slave, 100);
  to(master, "one\ntwo\nthree");
  settle();
  T(ioctl(slave, FIONREAD, &waiting));
  T(waiting);
  T(pollOf(slave));
  from("slave", slave, 2);
  from("slave", slave, 100);
  from("slave", slave, 4);
  from("slave", slave, 100);
  T(pollOf(slave));
  from("echo", master, 100);
  to(master, "\x04");
  from("without its end", slave, 100);
  to(master, "\x04");
  settle();
  T(pollOf(slave));
  T(ioctl(slave, FIONREAD, &waiting));
  T(waiting);
  from("end", slave, 100);
  from("nothing", slave, 100);
  // A read of just the line does not meet the end-of-file after it.
  to(master, "abc\x04");
  from("exact", slave, 3);
  from("nothing", slave, 3);
  to(master, "abcdef\x04\n");
  from("part", slave, 3);
  from("part", slave, 3);
  from("line", slave, 3);
  to(master, "abc\x15" "de\x7f" "f\x17ghi jkl\x17 \x16\x04 x\n");
  from("edited", slave, 100);
  from("echo", master, 300);
  T(read(slave, path, 0));
  closePair();
}

static void limits(void) {
  static char bytes[20000];
  int waiting = -1;
  struct termios t;
  makePair();
  tcgetattr(slave, &t);
  t.c_lflag &= ~ECHO;
  tcsetattr(slave, TCSANOW, &t);
  memset(bytes, 'x', sizeof bytes);
  int sent = 0;
  for (int i = 0; i < 50; i++) {
    int n = write(master, bytes, 100);
    if (n > 0) sent += n;
    settle();
  }
  T(sent);
  T(pollOf(slave));
  to(master, "\n");
  settle();
  T(ioctl(slave, FIONREAD, &waiting));
  T(waiting);
  int n = read(slave, bytes, sizeof bytes);
  T(n);
  T(bytes[4094]);
  T(bytes[4095]);
  from("rest", slave, 100);
  // Raw: what does not fit stays on its way.
  raw(1, 0);
  sent = 0;
  for (int i = 0; i < 40; i++) {
    n = write(master, bytes, 100);
    if (n > 0) sent += n;
  }
  T(sent);
  arrive(sent);
  T(ioctl(slave, FIONREAD, &waiting));
  T(waiting);
  int got = 0;
  for (int i = 0; i < 20; i++) {
    n = read(slave, bytes, sizeof bytes);
    if (n > 0) got += n;
    settle();
  }
  T(got == sent);
  closePair();
}

static void *writer(void *text) {
  for (const char *c = text; *c != 0; c++) {
    if (*c == '.') usleep(600000);
    else write(master, c, 1);
  }
  return 0;
}
static void timed(int min, int time, int count, const char *text) {
  pthread_t thread;
  raw(min, time);
  pthread_create(&thread, 0, writer, (void *)text);
  printf("min %d time %d count %d \"%s\"\n", min, time, count, text);
  for (int i = 0; i < 3; i++) {
    char bytes[32];
    if (min > 0 && i > 0) { pthread_join(thread, 0); settle(); }
    struct pollfd p = {slave, POLLIN, 0};
    if (min > 0 && i > 0 && poll(&p, 1, 0) == 0 && fcntl(slave, F_SETFL, O_NONBLOCK) == 0) {}
    errno = 0;
    int n = read(slave, bytes, count);
    if (n < 0) printf("%s\n", name_of(errno));
    else show(" read", bytes, n);
    if (min == 0 || i > 0) continue;
  }
  if (min == 0) pthread_join(thread, 0);
  fcntl(slave, F_SETFL, 0);
  tcflush(slave, TCIFLUSH);
}

static void times(void) {
  makePair();
  fcntl(slave, F_SETFL, 0);
  timed(0, 0, 10, "");
  timed(0, 1, 10, "");
  timed(0, 12, 10, ".a");
  timed(1, 0, 10, ".a");
  timed(3, 0, 10, "a.b.c");
  timed(3, 0, 2, "a.b");
  timed(3, 1, 10, ".a.b");
  timed(3, 12, 10, "a.b.c.d");
  timed(5, 12, 10, "a.b...c");
  closePair();
}

static void readiness(void) {
  makePair();
  raw(3, 0);
  T(pollOf(slave));
  to(master, "a");
  T(pollOf(slave));
  to(master, "bc");
  T(pollOf(slave));
  from("three", slave, 10);
  raw(3, 1);
  to(master, "a");
  T(pollOf(slave));
  T(pollOf(master));
  int ep = epoll_create1(0);
  struct epoll_event e = {EPOLLIN | EPOLLET, {0}};
  T(epoll_ctl(ep, EPOLL_CTL_ADD, slave, &e));
  T(epoll_wait(ep, &e, 1, 0));
  T(epoll_wait(ep, &e, 1, 0));
  to(master, "b");
  settle();
  T(epoll_wait(ep, &e, 1, 1000));
  close(ep);
  closePair();
}

static void packets(void) {
  int on = 1, off = 0, value = -1;
  makePair();
  T(ioctl(slave, TIOCPKT, &on));
  T(ioctl(master, TIOCPKT, &on));
  T(ioctl(master, TIOCGPKT, &value));
  T(value);
  to(slave, "hello\n");
  from("data", master, 100);
  from("nothing", master, 100);
  T(pollOf(master));
  T(ioctl(slave, TCFLSH, TCIFLUSH));
  T(pollOf(master));
  from("flush read", master, 100);
  T(ioctl(slave, TCFLSH, TCOFLUSH));
  from("flush write", master, 100);
  T(ioctl(slave, TCXONC, TCOOFF));
  from("stop", master, 100);
  T(write(slave, "x", 1));
  T(pollOf(slave));
  T(ioctl(slave, TCXONC, TCOON));
  from("start", master, 100);
  struct termios t;
  tcgetattr(slave, &t);
  t.c_iflag &= ~IXON;
  tcsetattr(slave, TCSANOW, &t);
  from("no stop", master, 100);
  t.c_iflag |= IXON;
  tcsetattr(slave, TCSANOW, &t);
  from("do stop", master, 100);
  t.c_lflag |= EXTPROC;
  tcsetattr(slave, TCSANOW, &t);
  from("ioctl", master, 100);
  t.c_lflag &= ~EXTPROC;
  tcsetattr(slave, TCSANOW, &t);
  from("ioctl", master, 100);
  to(slave, "ab");
  from("one byte", master, 1);
  from("the rest", master, 10);
  T(ioctl(master, TIOCPKT, &off));
  to(slave, "cd");
  from("plain", master, 10);
  closePair();
}

static void flow(void) {
  makePair();
  to(master, "\x13");
  settle();
  T(write(slave, "held", 4));
  T(pollOf(slave));
  to(master, "ab");
  from("no echo", master, 100);
  to(master, "\x11");
  from("echo", master, 100);
  T(write(slave, "free", 4));
  from("output", master, 100);
  T(ioctl(slave, TCXONC, TCIOFF));
  from("stop key", master, 100);
  T(ioctl(slave, TCXONC, TCION));
  from("start key", master, 100);
  T(ioctl(slave, TCXONC, TCOOFF));
  to(master, "\x11");
  settle();
  T(write(slave, "held", 4));
  T(ioctl(slave, TCXONC, TCOON));
  T(write(slave, "free", 4));
  from("output", master, 100);
  T(tcdrain(slave));
  T(tcsendbreak(slave, 0));
  T(tcflow(slave, 17));
  T(ioctl(slave, TIOCSTI, "!"));
  T(ioctl(slave, TIOCSTI, "\n"));
  T(ioctl(slave, TIOCSTI, BAD));
  from("simulated", slave, 100);
  from("echo", master, 100);
  closePair();
}

static void onAlarm(int signo) {}

static void blocking(void) {
  struct sigaction action = {.sa_handler = onAlarm};
  char c;
  makePair();
  fcntl(slave, F_SETFL, 0);
  fcntl(master, F_SETFL, 0);
  sigaction(SIGUSR1, &action, 0);
  fflush(stdout);
  pid_t parent = getpid(), pid = fork();
  if (pid == 0) {
    alarm(600);
    for (int i = 0; i < 3; i++) { await_asleep(parent, parent); kill(parent, SIGUSR1); }
    _exit(0);
  }
  T(read(slave, &c, 1));
  T(read(master, &c, 1));
  ioctl(slave, TCXONC, TCOOFF);
  T(write(slave, "x", 1));
  waitpid(pid, 0, 0);
  closePair();
}

static void closing(void) {
  char c;
  int value;
  makePair();
  to(slave, "last words\n");
  close(slave);
  T(pollOf(master));
  from("rest", master, 100);
  from("after close", master, 100);
  T(pollOf(master));
  T(write(master, "x\n", 2));
  slave = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
  T(slave >= 0);
  T(pollOf(master));
  from("master", master, 100);
  from("kept", slave, 100);
  to(master, "unread\n");
  settle();
  close(master);
  T(pollOf(slave));
  from("after hangup", slave, 100);
  T(write(slave, "x", 1));
  T(ioctl(slave, KTCGETS, path));
  T(ioctl(slave, TIOCGWINSZ, path));
  T(ioctl(slave, FIONREAD, &value));
  T(ioctl(slave, TIOCSPGRP, &value));
  T(ioctl(slave, TIOCGPTN, &value));
  T(access(path, F_OK));
  T(isatty(slave));
  struct stat st;
  T(fstat(slave, &st));
  T(close(slave));
  // Both sides in one process, by TIOCVHANGUP.
  makePair();
  to(master, "lost\n");
  settle();
  T(ioctl(slave, TIOCVHANGUP, 0));
  from("hung up", slave, 100);
  T(write(slave, "x", 1));
  T(pollOf(slave));
  from("master", master, 100);
  int again = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
  T(again >= 0);
  from("again", again, 100);
  to(master, "new\n");
  from("again", again, 100);
  close(again);
  closePair();
}

int main(void) {
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  alarm(600);
  signal(SIGHUP, SIG_IGN);
  opening();
  settings();
  errors();
  sizes();
  lines();
  limits();
  times();
  readiness();
  packets();
  flow();
  blocking();
  closing();
  return 0;
}
