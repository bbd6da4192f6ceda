// SPDX-License-Identifier: MIT
//
// Job control over pseudo-terminals: sessions get and lose their terminals, keys signal the foreground group, the
// background reads, writes and asks, groups are orphaned, leaders end. Each scene is a session of its own; its processes
// report through pipes, in an order that they wait for.

#define _GNU_SOURCE
#include "say.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

static int master;
static char path[64];
static volatile sig_atomic_t got[65];

static void note(int signo) { got[signo]++; }
static void catch(int signo, int flags) {
  struct sigaction action = {.sa_handler = note, .sa_flags = flags};
  sigaction(signo, &action, 0);
}
static void told(const char *who) {
  printf("%s got", who);
  for (int s = 1; s < 32; s++) if (got[s]) printf(" %d:%d", s, got[s]);
  puts("");
  memset((void *)got, 0, sizeof got);
}
static void makePair(void) {
  int zero = 0, n = 0;
  master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  ioctl(master, TIOCSPTLCK, &zero);
  ioctl(master, TIOCGPTN, &n);
  snprintf(path, sizeof path, "/dev/pts/%d", n);
}
/// Who looks whether there is input waits for the kernel's worker that brings it, and signals keys.
static int tty;
static void settle(void) { poll(&(struct pollfd){tty, POLLIN, 0}, 1, 0); }
static void type(const char *keys) { write(master, keys, strlen(keys)); settle(); }

// A child in a session of its own runs `scene`; all that it leaves behind dies with it.
static void scene(const char *name, void (*run)(void)) {
  printf("-- %s\n", name);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    alarm(600);
    T(setsid() == getpid());
    run();
    fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  printf("-- ended %#x\n", status);
}
// A child in a group of its own, stopped until it is let go by a byte.
static int gate[2], report[2];
static pid_t job(void (*run)(void)) {
  pipe(gate);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    char c;
    alarm(600);
    setpgid(0, 0);
    close(gate[1]);
    read(gate[0], &c, 1);
    run();
    fflush(stdout);
    _exit(0);
  }
  setpgid(pid, pid);
  close(gate[0]);
  return pid;
}
static void let_go(void) { write(gate[1], "", 1); close(gate[1]); }
static void waited(pid_t pid) {
  int status = 0;
  T(waitpid(pid, &status, WUNTRACED | WCONTINUED) == pid);
  printf("status %#x\n", status);
}

static void take(void) {
  makePair();
  tty = open(path, O_RDWR);
}

static void acquiring(void) {
  int value = 0;
  T(open("/dev/tty", O_RDWR));
  makePair();
  tty = open(path, O_RDWR | O_NOCTTY);
  T(open("/dev/tty", O_RDWR));
  T(ioctl(tty, TIOCGSID, &value));
  T(ioctl(tty, TIOCGPGRP, &value));
  T(ioctl(master, TIOCGPGRP, &value));
  T(value);
  T(ioctl(master, TIOCGSID, &value));
  T(ioctl(tty, TIOCSPGRP, &value));
  T(ioctl(tty, TIOCNOTTY, 0));
  T(ioctl(tty, TIOCSCTTY, 0));
  T(ioctl(tty, TIOCSCTTY, 0));
  T(ioctl(tty, TIOCGSID, &value));
  T(value == getpid());
  value = 0;
  T(ioctl(tty, TIOCGPGRP, &value));
  T(value == getpid());
  value = 0;
  T(ioctl(master, TIOCGPGRP, &value));
  T(value == getpid());
  T(tcgetsid(tty) == getpid());
  int own = open("/dev/tty", O_RDWR);
  T(own >= 0);
  T(ioctl(own, TIOCGSID, &value));
  T(ttyname(own) != 0);
  char name[64] = "?";
  T(ttyname_r(tty, name, sizeof name));
  T(strcmp(name, path));
  // A second terminal is not for this session.
  int first = master;
  makePair();
  int other = open(path, O_RDWR);
  T(ioctl(other, TIOCSCTTY, 0));
  T(ioctl(other, TIOCGSID, &value));
  T(ioctl(other, TIOCSPGRP, &value));
  T(ioctl(other, TIOCNOTTY, 0));
  value = getppid();
  T(ioctl(tty, TIOCSPGRP, &value));
  value = -1;
  T(ioctl(tty, TIOCSPGRP, &value));
  value = 0x3ffffff;
  T(ioctl(tty, TIOCSPGRP, &value));
  T(ioctl(tty, TIOCSPGRP, (void *)8));
  // Another session cannot have it, but who is root may steal it.
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    alarm(600);
    T(ioctl(tty, TIOCSCTTY, 0));
    setsid();
    T(open("/dev/tty", O_RDWR));
    T(ioctl(tty, TIOCSCTTY, 0));
    T(ioctl(tty, TIOCGPGRP, &value));
    T(ioctl(tty, TIOCSCTTY, 1));
    T(tcgetsid(tty) == getpid());
    fflush(stdout);
    _exit(0);
  }
  catch(SIGHUP, 0);
  catch(SIGCONT, 0);
  waited(pid);
  T(tcgetsid(tty));
  T(open("/dev/tty", O_RDWR));
  told("leader");
}

static void keys(void) {
  take();
  catch(SIGINT, 0); catch(SIGQUIT, 0); catch(SIGTSTP, 0); catch(SIGWINCH, 0);
  type("\x03"); told("leader");
  type("\x1c"); told("leader");
  type("\x1a"); told("leader");
  type("a\x03" "b\n");
  char line[32];
  int n = read(tty, line, 32);
  T(n);
  struct winsize size = {10, 20};
  T(ioctl(master, TIOCSWINSZ, &size)); told("leader");
  T(ioctl(master, TIOCSWINSZ, &size)); told("leader");
  size.ws_col++;
  T(ioctl(tty, TIOCSWINSZ, &size)); told("leader");
  T(ioctl(master, TIOCSIG, SIGINT)); settle(); told("leader");
  T(ioctl(master, TIOCSIG, SIGTERM));
  struct termios t;
  tcgetattr(tty, &t);
  t.c_lflag &= ~ISIG;
  tcsetattr(tty, TCSANOW, &t);
  type("\x03"); told("leader");
  t.c_lflag |= ISIG;
  t.c_cc[VINTR] = 'q';
  tcsetattr(tty, TCSANOW, &t);
  type("q"); told("leader");
}

static void sleeper(void) { for (;;) pause(); }
static void foreground(void) {
  take();
  signal(SIGTTOU, SIG_IGN);
  pid_t pid = job(sleeper);
  // Only here: the key ends the job.
  catch(SIGINT, 0);
  T(tcsetpgrp(tty, pid));
  T(tcgetpgrp(tty) == pid);
  let_go();
  settle();
  type("\x1a");
  waited(pid);
  T(tcsetpgrp(tty, getpid()));
  T(kill(-pid, SIGCONT));
  waited(pid);
  T(tcsetpgrp(tty, pid));
  type("\x03");
  waited(pid);
  told("leader");
  // The group is gone but its number is still the terminal's.
  T(tcgetpgrp(tty) == pid);
  T(tcsetpgrp(tty, pid));
}

static void reads(void) { char c; T(read(tty, &c, 1)); }
static void readsIgnoring(void) { char c; signal(SIGTTIN, SIG_IGN); T(read(tty, &c, 1)); }
static void readsBlocking(void) {
  char c;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTTIN);
  sigprocmask(SIG_BLOCK, &set, 0);
  T(read(tty, &c, 1));
}
static void readsCatching(void) { char c; catch(SIGTTIN, 0); T(read(tty, &c, 1)); told("reader"); }
static void background(void) {
  take();
  signal(SIGTTOU, SIG_IGN);
  pid_t pid = job(reads);
  let_go();
  waited(pid);
  T(tcsetpgrp(tty, pid));
  kill(pid, SIGCONT);
  waited(pid);
  type("x\n");
  waited(pid);
  T(tcsetpgrp(tty, getpid()));
  pid = job(readsIgnoring); let_go(); waited(pid);
  pid = job(readsBlocking); let_go(); waited(pid);
  pid = job(readsCatching); let_go(); waited(pid);
  char rest[8];
  T(read(tty, rest, 8));
}

static void writes(void) { T(write(tty, "w", 1)); }
static void setsTermios(void) { struct termios t; T(tcgetattr(tty, &t)); T(tcsetattr(tty, TCSANOW, &t)); }
static void setsSize(void) { struct winsize s = {5, 5}; T(ioctl(tty, TIOCSWINSZ, &s)); }
static void flushes(void) { T(tcflush(tty, TCIFLUSH)); }
static void flows(void) { T(tcflow(tty, TCOON)); }
static void breaks(void) { T(tcsendbreak(tty, 0)); }
static void claims(void) { T(tcsetpgrp(tty, getpid())); T(tcgetpgrp(tty) == getpid()); }
static void claimsIgnoring(void) { signal(SIGTTOU, SIG_IGN); T(tcsetpgrp(tty, getpid())); T(tcgetpgrp(tty) == getpid()); }
static void output(void) {
  static void (*const calls[])(void) = {writes, setsTermios, setsSize, flushes, flows, breaks, claims};
  take();
  signal(SIGTTOU, SIG_DFL);
  struct termios t;
  tcgetattr(tty, &t);
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < sizeof calls / sizeof *calls; i++) {
      printf("call %d\n", i);
      pid_t pid = job(calls[i]);
      let_go();
      int status = 0;
      waitpid(pid, &status, WUNTRACED);
      printf("status %#x\n", status);
      if (WIFSTOPPED(status)) { kill(pid, SIGKILL); waitpid(pid, 0, 0); }
      fflush(stdout);
    }
    t.c_lflag |= TOSTOP;
    tcsetattr(tty, TCSANOW, &t);
  }
  pid_t pid = job(claimsIgnoring); let_go(); waited(pid);
  signal(SIGTTOU, SIG_IGN);
  T(tcsetpgrp(tty, getpid()));
}

// A grandchild whose parent has ended: its group is orphaned.
static void orphanReads(void) {
  pid_t parent = getppid();
  fflush(stdout);
  if (fork() == 0) {
    char c;
    alarm(600);
    while (getppid() == parent || getppid() == getpgrp()) usleep(1000);
    T(getpgrp() != getpid());
    T(read(tty, &c, 1));
    T(tcsetpgrp(tty, getpgrp()));
    struct termios t;
    T(tcgetattr(tty, &t));
    T(tcsetattr(tty, TCSANOW, &t));
    // A stop from the keyboard means nothing to an orphaned group.
    raise(SIGTSTP);
    raise(SIGTTIN);
    fflush(stdout);
    write(report[1], "", 1);
    _exit(0);
  }
}
static void orphans(void) {
  char c;
  take();
  pipe(report);
  pid_t pid = job(orphanReads);
  let_go();
  waited(pid);
  T(read(report[0], &c, 1));
}

// A stopped member of a group that becomes orphaned hears SIGHUP and SIGCONT.
static void leavesStopped(void) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    alarm(600);
    catch(SIGHUP, 0);
    catch(SIGCONT, 0);
    raise(SIGSTOP);
    settle();
    told("orphan");
    fflush(stdout);
    write(report[1], "", 1);
    _exit(0);
  }
  int status;
  T(waitpid(pid, &status, WUNTRACED) == pid);
  T(WIFSTOPPED(status));
}
static void newlyOrphaned(void) {
  char c;
  take();
  pipe(report);
  pid_t pid = job(leavesStopped);
  let_go();
  waited(pid);
  T(read(report[0], &c, 1));
}

// Goes on at a byte, after what others have said of the same event.
static int turn[2];
static void hearsHangup(void) {
  char c;
  close(master);
  catch(SIGHUP, 0);
  catch(SIGCONT, 0);
  write(report[1], "", 1);
  // The terminal says that it is gone when its master is closed; when the session's leader ends, its group is told.
  struct pollfd p = {tty, POLLIN, 0};
  while (!(poll(&p, 1, 0) == 1 && p.revents & POLLHUP) && !got[SIGHUP]) usleep(1000);
  read(turn[0], &c, 1);
  told("member");
  T(read(tty, &c, 1));
  T(write(tty, "x", 1));
  T(open("/dev/tty", O_RDWR));
  fflush(stdout);
  write(report[1], "", 1);
}
static void masterCloses(void) {
  char c;
  take();
  catch(SIGHUP, 0);
  catch(SIGCONT, 0);
  pipe(report);
  pipe(turn);
  pid_t pid = job(hearsHangup);
  signal(SIGTTOU, SIG_IGN);
  // Only this process may hold the master.
  T(tcsetpgrp(tty, pid));
  let_go();
  read(report[0], &c, 1);
  close(master);
  settle();
  told("leader");
  T(read(tty, &c, 1));
  T(open("/dev/tty", O_RDWR));
  T(tcgetsid(tty) == getpid());
  fflush(stdout);
  write(turn[1], "", 1);
  read(report[0], &c, 1);
  waited(pid);
}

static void leaderEnds(void) {
  char c;
  pipe(report);
  pipe(turn);
  makePair();
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    alarm(600);
    setsid();
    tty = open(path, O_RDWR);
    pid_t child = job(hearsHangup);
    signal(SIGTTOU, SIG_IGN);
    T(tcsetpgrp(tty, child));
    let_go();
    read(report[0], &c, 1);
    fflush(stdout);
    _exit(3);
  }
  waited(pid);
  fflush(stdout);
  // The pair lives on as long as its master.
  close(master);
  write(turn[1], "", 1);
  read(report[0], &c, 1);
}

static void givesUp(void) {
  int value;
  take();
  catch(SIGHUP, 0);
  catch(SIGCONT, 0);
  fflush(stdout);
  // Who does not lead the session gives up only for itself.
  pid_t pid = fork();
  if (pid == 0) {
    T(ioctl(tty, TIOCNOTTY, 0));
    T(open("/dev/tty", O_RDWR));
    T(ioctl(tty, TIOCGPGRP, &value));
    fflush(stdout);
    _exit(0);
  }
  waited(pid);
  told("leader");
  T(ioctl(tty, TIOCNOTTY, 0));
  settle();
  told("leader");
  T(open("/dev/tty", O_RDWR));
  T(ioctl(tty, TIOCGSID, &value));
  T(ioctl(tty, TIOCSCTTY, 0));
  T(tcgetsid(tty) == getpid());
}

static void readOnly(void) {
  makePair();
  tty = open(path, O_WRONLY);
  T(tcgetsid(tty));
  T(setresuid(65534, 65534, 65534));
  T(ioctl(tty, TIOCSCTTY, 0));
  T(ioctl(tty, TIOCSCTTY, 1));
}

int main(void) {
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  alarm(600);
  scene("a terminal for a session", acquiring);
  scene("keys and sizes", keys);
  scene("a job in the foreground", foreground);
  scene("reads in the background", background);
  scene("output and requests in the background", output);
  scene("an orphaned group", orphans);
  scene("a group that becomes orphaned", newlyOrphaned);
  scene("the master closes", masterCloses);
  scene("the leader ends", leaderEnds);
  scene("a terminal given up", givesUp);
  scene("opened for writing only", readOnly);
  return 0;
}
