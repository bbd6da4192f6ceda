// SPDX-License-Identifier: MIT
//
// POSIX message queues: priorities, waiting, notification, limits, rights, and each error of the manual pages.

#define _GNU_SOURCE
#include "asleep.h"
#include "outcome.h"
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

static char name[64];
static char buf[10000];
static unsigned prio;

static int take(mqd_t q) {
  memset(buf, 0, 64);
  int r = mq_receive(q, buf, sizeof buf, &prio);
  if (r >= 0) printf("\"%s\" at %u ", buf, prio);
  return r;
}

static int put(mqd_t q, const char *text, unsigned p) { return mq_send(q, text, strlen(text), p); }

static struct timespec in_ms(long ms) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += ms * 1000000;
  t.tv_sec += t.tv_nsec / 1000000000, t.tv_nsec %= 1000000000;
  return t;
}

static void opening(void) {
  struct mq_attr a = {.mq_maxmsg = 4, .mq_msgsize = 32}, b;
  CALL(mq_open(name, O_RDWR));
  mqd_t q = OK(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0640, &a));
  CALL(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0640, &a));
  printf("close on exec %d flags %#x\n", fcntl(q, F_GETFD), fcntl(q, F_GETFL) & ~0100000);
  struct stat st;
  CALL(fstat(q, &st));
  printf("mode %o size %d uid %d\n", st.st_mode, (int)st.st_size, st.st_uid);
  CALL(mq_getattr(q, &b));
  printf("%ld %ld %ld %ld\n", b.mq_flags, b.mq_maxmsg, b.mq_msgsize, b.mq_curmsgs);
  b.mq_flags = O_NONBLOCK;
  CALL(mq_setattr(q, &b, &a));
  CALL(mq_getattr(q, &a));
  printf("%ld\n", a.mq_flags);
  b.mq_flags = O_APPEND;
  CALL(syscall(SYS_mq_getsetattr, q, &b, 0));
  CALL(syscall(SYS_mq_getsetattr, q, (void *)8, 0));
  CALL(syscall(SYS_mq_getsetattr, q, 0, (void *)8));
  CALL(syscall(SYS_mq_getsetattr, 1, 0, 0));
  CALL(syscall(SYS_mq_getsetattr, 999, 0, 0));
  mqd_t w = OK(mq_open(name, O_WRONLY)), r = OK(mq_open(name, O_RDONLY));
  CALL(take(w));
  CALL(put(r, "x", 0));
  close(w), close(r);
  struct mq_attr bad[] = {{.mq_maxmsg = 0, .mq_msgsize = 1}, {.mq_maxmsg = 1, .mq_msgsize = 0}, {.mq_maxmsg = -1, .mq_msgsize = 1},
                          {.mq_maxmsg = 1, .mq_msgsize = -1}, {.mq_maxmsg = 70000, .mq_msgsize = 1}, {.mq_maxmsg = 1, .mq_msgsize = 1 << 25}};
  char other[80];
  sprintf(other, "%s-other", name);
  for (int i = 0; i < 6; i++) CALL(mq_open(other, O_RDWR | O_CREAT, 0600, &bad[i]));
  NOBODY({
    struct mq_attr many = {.mq_maxmsg = 11, .mq_msgsize = 1}, large = {.mq_maxmsg = 1, .mq_msgsize = 8193}, fits = {.mq_maxmsg = 10, .mq_msgsize = 8192};
    CALL(mq_open(other, O_RDWR | O_CREAT, 0600, &many));
    CALL(mq_open(other, O_RDWR | O_CREAT, 0600, &large));
    struct rlimit l = {20000, 20000};
    setrlimit(RLIMIT_MSGQUEUE, &l);
    CALL(mq_open(other, O_RDWR | O_CREAT, 0600, &fits));
    CALL(mq_open(name, O_RDONLY));
    CALL(mq_unlink(name));
    fits.mq_maxmsg = 2;
    mqd_t own = OK(mq_open(other, O_RDWR | O_CREAT, 0600, &fits));
    char third[80];
    sprintf(third, "%s-third", name);
    CALL(mq_open(third, O_RDWR | O_CREAT, 0600, &fits));
    CALL(mq_unlink(other));
    CALL(mq_open(third, O_RDWR | O_CREAT, 0600, &fits));
    close(own);
    OK(mq_open(third, O_RDWR | O_CREAT, 0600, &fits));
    CALL(mq_unlink(third));
  });
  CALL(syscall(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, 0));
  CALL(syscall(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, 0));
  CALL(syscall(SYS_mq_open, "/a", O_RDWR | O_CREAT, 0600, 0));
  CALL(syscall(SYS_mq_open, ".", O_RDWR | O_CREAT, 0600, 0));
  CALL(syscall(SYS_mq_open, (void *)8, O_RDWR | O_CREAT, 0600, 0));
  CALL(syscall(SYS_mq_open, "x", O_RDWR | O_CREAT, 0600, (void *)8));
  CALL(syscall(SYS_mq_open, name + 1, 3, 0, 0));
  char longest[300] = {0};
  memset(longest, 'q', 256);
  CALL(syscall(SYS_mq_open, longest, O_RDWR | O_CREAT, 0600, 0));
  CALL(syscall(SYS_mq_unlink, longest));
  CALL(syscall(SYS_mq_unlink, ""));
  CALL(syscall(SYS_mq_unlink, "a/b"));
  CALL(mq_unlink("/no-such-queue"));
  CALL(mq_unlink(name));
  CALL(mq_open(name, O_RDWR));
  CALL(put(q, "still there", 0));
  CALL(take(q));
  close(q);
  mqd_t d = OK(mq_open(name, O_RDWR | O_CREAT, 0600, 0));
  mq_getattr(d, &a);
  printf("defaults %ld %ld\n", a.mq_maxmsg, a.mq_msgsize);
  mq_unlink(name);
  close(d);
}

static void passing(void) {
  struct mq_attr a = {.mq_maxmsg = 5, .mq_msgsize = 100};
  mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, &a);
  struct pollfd p = {q, POLLIN | POLLOUT};
  printf("poll %d %#x\n", poll(&p, 1, 0), p.revents);
  CALL(put(q, "low", 1));
  CALL(put(q, "high", 7));
  CALL(put(q, "", 7));
  CALL(put(q, "highest", 32767));
  CALL(put(q, "too high", 32768));
  CALL(put(q, "low again", 1));
  printf("poll %d %#x\n", poll(&p, 1, 0), p.revents);
  lseek(q, 0, SEEK_SET);
  memset(buf, 0, sizeof buf);
  CALL(pread(q, buf, 100, 0));
  printf("%s", buf);
  struct timespec past = {1, 0}, bad = {in_ms(0).tv_sec, 1000000000}, soon = in_ms(20);
  CALL(mq_timedsend(q, "x", 1, 0, &past));
  CALL(mq_timedsend(q, "x", 1, 0, &bad));
  CALL(mq_timedsend(q, "x", 1, 0, &soon));
  CALL(syscall(SYS_mq_timedsend, q, "x", 1, 0, (void *)8));
  CALL(mq_send(q, buf, 101, 0));
  CALL(mq_send(q, (void *)8, 10, 0));
  CALL(mq_send(1, buf, 10, 0));
  CALL(mq_send(999, buf, 10, 0));
  CALL(mq_receive(q, buf, 99, &prio));
  CALL(mq_receive(1, buf, 100, &prio));
  for (int i = 0; i < 4; i++) CALL(take(q));
  CALL(mq_receive(q, (void *)8, 100, 0));
  CALL(mq_timedreceive(q, buf, 100, &prio, &past));
  soon = in_ms(20);
  CALL(mq_timedreceive(q, buf, 100, &prio, &soon));
  CALL(mq_timedreceive(q, buf, 100, &prio, &bad));
  put(q, "x", 3);
  CALL(syscall(SYS_mq_timedreceive, q, buf, 100, (void *)8, 0));
  struct mq_attr n = {.mq_flags = O_NONBLOCK};
  mq_setattr(q, &n, 0);
  CALL(take(q));
  for (int i = 0; i < 5; i++) put(q, "fill", 0);
  CALL(put(q, "x", 0));
  CHILD(CALL(take(q)));
  CALL(write(q, "x", 1));
  mq_unlink(name);
  close(q);
}

static void nothing(int s) {}

static void waiting(void) {
  struct mq_attr a = {.mq_maxmsg = 1, .mq_msgsize = 100};
  mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, &a);
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    int r = mq_receive(q, buf, sizeof buf, &prio);
    _exit(r != 13 || prio != 5 || strcmp(buf, "for the child") || put(q, "first", 1) || put(q, "second", 2));
  }
  await_asleep(p, p);
  CALL(put(q, "for the child", 5));
  // It has taken that, and waits for room for its second.
  await_asleep(p, p);
  CALL(take(q));
  CALL(take(q));
  int status;
  waitpid(p, &status, 0);
  SHOW(status);
  struct sigaction s = {.sa_handler = nothing};
  sigaction(SIGALRM, &s, 0);
  // Again and again: the first may come before the call.
  ualarm(10000, 10000);
  CALL(take(q));
  ualarm(0, 0);
  mq_unlink(name);
  close(q);
}

static void told(int signo, siginfo_t *i, void *c) {
  printf("told: signal %d code %d value %d pid %d uid %d\n", signo, i->si_code, i->si_int, i->si_pid != 0 && i->si_pid != getpid(), i->si_uid);
}

static void notification(void) {
  mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, 0);
  struct sigaction s = {.sa_sigaction = told, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &s, 0);
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
  CALL(mq_notify(q, &e));
  CALL(mq_notify(q, &e));
  CHILD(CALL(mq_notify(q, &e)); CALL(mq_notify(q, 0)));
  CHILD(put(q, "one", 0));
  CHILD(put(q, "two", 0));
  CALL(mq_notify(q, &e));
  CHILD(put(q, "not into an empty queue", 0));
  for (int i = 0; i < 3; i++) take(q);
  CALL(mq_notify(q, 0));
  CHILD(put(q, "nobody is told", 0));
  take(q);
  CALL(mq_notify(q, &e));
  mqd_t again = mq_open(name, O_RDONLY);
  close(again);
  CHILD(put(q, "the registration went with a descriptor", 0));
  take(q);
  e.sigev_notify = SIGEV_NONE;
  CALL(mq_notify(q, &e));
  CALL(mq_notify(q, &e));
  CALL(mq_notify(q, 0));
  e.sigev_notify = 77;
  CALL(syscall(SYS_mq_notify, q, &e));
  e.sigev_notify = SIGEV_SIGNAL, e.sigev_signo = 65;
  CALL(syscall(SYS_mq_notify, q, &e));
  CALL(syscall(SYS_mq_notify, q, (void *)8));
  CALL(syscall(SYS_mq_notify, 1, 0));
  CALL(syscall(SYS_mq_notify, 999, 0));
  e.sigev_notify = SIGEV_THREAD, e.sigev_signo = 999, e.sigev_value.sival_ptr = buf;
  CALL(syscall(SYS_mq_notify, q, &e));
  e.sigev_signo = open("/dev/null", O_RDWR);
  CALL(syscall(SYS_mq_notify, q, &e));
  e.sigev_value.sival_ptr = (void *)8;
  CALL(syscall(SYS_mq_notify, q, &e));
  mq_unlink(name);
  close(q);
}

static sem_t called;
static void *own;
static int told_value, is_own;
static void in_thread(union sigval v) {
  told_value = v.sival_int, is_own = (void *)pthread_self() != own;
  sem_post(&called);
}

static void by_thread(void) {
  mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, 0);
  own = (void *)pthread_self();
  sem_init(&called, 0, 0);
  struct sigevent e = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_thread, .sigev_value.sival_int = 43};
  for (int i = 0; i < 2; i++) {
    CALL(mq_notify(q, &e));
    CALL(put(q, "x", 0));
    sem_wait(&called);
    printf("a thread of its own %d, value %d\n", is_own, told_value);
    take(q);
  }
  CALL(mq_notify(q, &e));
  CALL(mq_notify(q, &e));
  CALL(mq_notify(q, 0));
  mq_unlink(name);
  close(q);
}

int main(void) {
  umask(022);
  sprintf(name, "/trapline-%d", getpid());
  opening();
  passing();
  waiting();
  notification();
  by_thread();
}
