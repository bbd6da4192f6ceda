// SPDX-License-Identifier: MIT
//
// Locks with priority inheritance, robust lists, requeueing and futex_waitv, between threads and between processes,
// with the errors of futex(2). One line a fact.

#define _GNU_SOURCE
#include "asleep.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif
#ifndef FUTEX_32
#define FUTEX_32 2
#endif
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

static long futex(void *a, int op, uint32_t v, const void *t, void *b, uint32_t v3) { return syscall(SYS_futex, a, op, v, t, b, v3); }
static int gettid_(void) { return syscall(SYS_gettid); }

static const char *name_of(int error) {
  switch (error) {
    case 0: return "ok";
    case EAGAIN: return "EAGAIN";
    case EDEADLK: return "EDEADLK";
    case EFAULT: return "EFAULT";
    case EINTR: return "EINTR";
    case EINVAL: return "EINVAL";
    case ENOSYS: return "ENOSYS";
    case EPERM: return "EPERM";
    case ESRCH: return "ESRCH";
    case ETIMEDOUT: return "ETIMEDOUT";
    case EOWNERDEAD: return "EOWNERDEAD";
    default: return "another error";
  }
}
static const char *result(long r) { return r < 0 ? name_of(errno) : "ok"; }
#define said(what, call)                       \
  do {                                         \
    long said_r = (call);                      \
    printf("%s: %s\n", what, result(said_r));  \
  } while (0)

/// A word of a lock: its owner as who that is, and its bits.
static const char *word_text(uint32_t w, int me) {
  static char text[64];
  uint32_t owner = w & FUTEX_TID_MASK;
  snprintf(text, sizeof text, "%s%s%s", owner == 0 ? "free" : (int)owner == me ? "mine" : "another's",
           w & FUTEX_WAITERS ? " wanted" : "", w & FUTEX_OWNER_DIED ? " died" : "");
  return text;
}

static uint32_t lock, lock2, cond;
static const volatile uint32_t constant = 0;

static void alone(void) {
  struct timespec past = {1, 0}, bad = {0, 1000000000};
  said("lock", futex(&lock, FUTEX_LOCK_PI, 0, 0, 0, 0));
  printf("word %s\n", word_text(lock, gettid_()));
  said("again", futex(&lock, FUTEX_LOCK_PI, 0, 0, 0, 0));
  said("try again", futex(&lock, FUTEX_TRYLOCK_PI, 0, 0, 0, 0));
  said("unlock", futex(&lock, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
  printf("word %s\n", word_text(lock, gettid_()));
  said("unlock what is free", futex(&lock, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
  said("try", futex(&lock, FUTEX_TRYLOCK_PI, 0, 0, 0, 0));
  lock = getppid() > 1 ? 0x3ffffff0 : 0x3ffffff0;
  said("owned by nobody there is", futex(&lock, FUTEX_LOCK_PI, 0, 0, 0, 0));
  printf("word %s\n", word_text(lock, gettid_()));
  lock = FUTEX_OWNER_DIED;
  said("lock after a death", futex(&lock, FUTEX_LOCK_PI, 0, 0, 0, 0));
  printf("word %s\n", word_text(lock, gettid_()));
  said("unlock it", futex(&lock, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
  lock = FUTEX_WAITERS;
  said("lock with a bit left over", futex(&lock, FUTEX_LOCK_PI, 0, 0, 0, 0));
  printf("word %s\n", word_text(lock, gettid_()));
  lock = 0;
  said("unmapped", futex((void *)4096, FUTEX_LOCK_PI, 0, 0, 0, 0));
  said("unaligned", futex((char *)&lock + 1, FUTEX_LOCK_PI, 0, 0, 0, 0));
  said("read-only", futex((void *)&constant, FUTEX_LOCK_PI, 0, 0, 0, 0));
  said("read-only, private", futex((void *)&constant, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0));
  said("bad timeout", futex(&lock, FUTEX_LOCK_PI, 0, &bad, 0, 0));
  said("timeout in no memory", futex(&lock, FUTEX_LOCK_PI, 0, (void *)8, 0, 0));
  said("clock of LOCK_PI", futex(&lock, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, 0, 0, 0));
  said("clock of LOCK_PI2", futex(&lock, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, &past, 0, 0));
  said("clock of UNLOCK_PI", futex(&lock, FUTEX_UNLOCK_PI | FUTEX_CLOCK_REALTIME, 0, 0, 0, 0));
  said("clock of WAIT", futex(&lock, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, &past, 0, 0));
  said("unlock unmapped", futex((void *)4096, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
  said("FUTEX_FD", futex(&lock, FUTEX_FD, 0, 0, 0, 0));
  lock = 0;
}

static volatile int holder_tid, waiter_tid;
static int gate[2];
static void open_gate(void) { write(gate[1], "x", 1); }
static void pass_gate(void) {
  char c;
  read(gate[0], &c, 1);
}

static void *holder(void *p) {
  futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0);
  holder_tid = gettid_();
  pass_gate();
  if (p) futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0);
  return 0;
}

static void *waiter(void *p) {
  waiter_tid = gettid_();
  long r = futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0);
  return (void *)(long)(r < 0 ? errno : (lock & FUTEX_TID_MASK) == gettid_() ? 0 : 1000);
}

static void start_holder(pthread_t *t, void *unlocks) {
  holder_tid = 0;
  pthread_create(t, 0, holder, unlocks);
  while (holder_tid == 0) usleep(200);
}

static void threads(void) {
  pthread_t h, w;
  void *r;
  pipe(gate);
  start_holder(&h, "unlock");
  said("try what another has", futex(&lock, FUTEX_TRYLOCK_PI_PRIVATE, 0, 0, 0, 0));
  printf("word %s\n", word_text(lock, holder_tid));
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  now.tv_nsec += 5000000;
  if (now.tv_nsec >= 1000000000) now.tv_sec++, now.tv_nsec -= 1000000000;
  said("lock with a time limit", futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, &now, 0, 0));
  clock_gettime(CLOCK_MONOTONIC, &now);
  said("lock with a moment in the past", futex(&lock, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, &now, 0, 0));
  said("unlock what another has", futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0));
  said("wake one", futex(&lock, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  pthread_create(&w, 0, waiter, 0);
  while (waiter_tid == 0) usleep(200);
  await_asleep(getpid(), waiter_tid);
  said("wake who waits for a lock", futex(&lock, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  said("move who waits for a lock", futex(&lock, FUTEX_REQUEUE_PRIVATE, 0, (void *)1, &lock2, 0));
  open_gate();
  pthread_join(h, 0);
  pthread_join(w, &r);
  printf("the waiter got %s\n", name_of((long)r));
  // It ended without unlocking: nobody waits, so nothing happens.
  printf("word %s\n", word_text(lock, waiter_tid));
  said("lock what a dead thread has", futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0));
  lock = 0;
  // An owner that ends while somebody waits.
  waiter_tid = 0;
  start_holder(&h, 0);
  pthread_create(&w, 0, waiter, 0);
  while (waiter_tid == 0) usleep(200);
  await_asleep(getpid(), waiter_tid);
  open_gate();
  pthread_join(h, 0);
  pthread_join(w, &r);
  printf("heir: %s, word %s\n", name_of((long)r), word_text(lock, waiter_tid));
  lock = 0;
  // The word and what the kernel knows differ.
  waiter_tid = 0;
  start_holder(&h, "unlock");
  pthread_create(&w, 0, waiter, 0);
  while (waiter_tid == 0) usleep(200);
  await_asleep(getpid(), waiter_tid);
  uint32_t kept = lock;
  lock = gettid_() | FUTEX_WAITERS;
  said("unlock a forged word", futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0));
  lock = 0x3ffffff0 | FUTEX_WAITERS;
  said("lock a forged word", futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0));
  lock = kept;
  open_gate();
  pthread_join(h, 0);
  pthread_join(w, &r);
  lock = 0;
}

static void *plain_waiter(void *p) {
  waiter_tid = gettid_();
  return (void *)futex(&cond, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
}

static void *circle(void *p) {
  futex(&lock2, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0);
  waiter_tid = gettid_();
  long r = futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0);
  futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0);
  futex(&lock2, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0);
  return (void *)r;
}

static void misuse(void) {
  pthread_t t;
  waiter_tid = 0;
  pthread_create(&t, 0, plain_waiter, 0);
  while (waiter_tid == 0) usleep(200);
  await_asleep(getpid(), waiter_tid);
  cond = waiter_tid;
  said("lock where others wait", futex(&cond, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0));
  cond = gettid_();
  said("unlock where others wait", futex(&cond, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0));
  cond = 0;
  said("requeue plain waiters to a lock", futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &lock, 0));
  printf("wake %ld\n", futex(&cond, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  pthread_join(t, 0);
  // A circle of two.
  futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0);
  waiter_tid = 0;
  pthread_create(&t, 0, circle, 0);
  while (waiter_tid == 0) usleep(200);
  await_asleep(getpid(), waiter_tid);
  said("a circle", futex(&lock2, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0));
  futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0);
  pthread_join(t, 0);
  lock = lock2 = 0;
}

static volatile int order[4], in_order, tids[4], go;
static void *cond_waiter(void *p) {
  int n = (long)p;
  while (go != n) usleep(200);
  tids[n] = gettid_();
  long r = futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, 0, &lock, 0);
  int error = errno;
  if (r == 0) {
    order[in_order++] = n;
    futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0);
  }
  return (void *)(long)(r < 0 ? error : 0);
}

static void requeue(void) {
  struct timespec soon;
  said("wait on the lock itself", futex(&lock, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, 0, &lock, 0));
  said("wait with another value", futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 5, 0, &lock, 0));
  clock_gettime(CLOCK_MONOTONIC, &soon);
  said("wait for an unmapped lock", futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &soon, (void *)4096, 0));
  said("wait for an unmapped shared lock", futex(&cond, FUTEX_WAIT_REQUEUE_PI, 0, &soon, (void *)4096, 0));
  said("wait in vain", futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &soon, &lock, 0));
  said("requeue to the same word", futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &cond, 0));
  said("requeue waking two", futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 2, (void *)1, &lock, 0));
  said("requeue waking none", futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 0, (void *)1, &lock, 0));
  said("requeue -1", futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)-1L, &lock, 0));
  said("requeue with another value", futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &lock, 7));
  printf("requeue nobody %ld\n", futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &lock, 0));
  pthread_t t[4];
  void *r;
  for (int held = 0; held < 2; held++) {
    in_order = 0;
    if (held) futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0);
    for (long n = 1; n < 4; n++) {
      tids[n] = 0;
      pthread_create(&t[n], 0, cond_waiter, (void *)n);
    }
    for (int n = 1; n < 4; n++) {
      go = n;
      while (tids[n] == 0) usleep(200);
      await_asleep(getpid(), tids[n]);
    }
    said("wake them without the lock", futex(&cond, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
    said("requeue them to another lock", futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)9, &lock2, 0));
    said("requeue them to a plain word", futex(&cond, FUTEX_REQUEUE_PRIVATE, 0, (void *)9, &lock2, 0));
    printf("requeue %ld\n", futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)9, &lock, 0));
    if (held) {
      printf("word %s\n", word_text(lock, gettid_()));
      futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, 0, 0, 0);
    }
    for (int n = 1; n < 4; n++) {
      pthread_join(t[n], &r);
      if (r) printf("waiter %d: %s\n", n, name_of((long)r));
    }
    printf("order %d %d %d\n", order[0], order[1], order[2]);
    go = 0;
    lock = 0;
  }
}

struct node {
  struct robust_list list;
  uint32_t word;
};
static struct robust_list_head head;
static struct shared {
  struct node node[4];
  uint32_t ready, seen;
} *shared;

static void die_with_locks(int pi) {
  head.list.next = &head.list;
  head.futex_offset = offsetof(struct node, word);
  struct robust_list *last = &head.list;
  for (int i = 0; i < 3; i++) {
    shared->node[i].word = i == 2 ? 1 : gettid_() | (i == 1 ? FUTEX_WAITERS : 0);
    last->next = (struct robust_list *)((uintptr_t)&shared->node[i].list | pi);
    last = &shared->node[i].list;
  }
  last->next = &head.list;
  shared->node[3].word = gettid_();
  head.list_op_pending = (struct robust_list *)((uintptr_t)&shared->node[3].list | pi);
  syscall(SYS_set_robust_list, &head, sizeof head);
  _exit(0);
}

static void robust(void) {
  said("robust list of a wrong size", syscall(SYS_set_robust_list, &head, 23));
  void *got;
  size_t size;
  said("robust list of nobody", syscall(SYS_get_robust_list, 0x3ffffff, &got, &size));
  said("robust list to no memory", syscall(SYS_get_robust_list, 0, 8, &size));
  said("its size to no memory", syscall(SYS_get_robust_list, 0, &got, 8));
  said("robust list", syscall(SYS_get_robust_list, 0, &got, &size));
  printf("size %zu\n", size);
  shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int pi = 0; pi < 2; pi++) {
    fflush(stdout);
    pid_t p = fork();
    if (p == 0) die_with_locks(pi);
    waitpid(p, 0, 0);
    for (int i = 0; i < 4; i++) printf("%s%d: %s\n", pi ? "pi " : "", i, word_text(shared->node[i].word, 1));
  }
  // A list that leads nowhere, and one that never ends.
  for (int n = 0; n < 3; n++) {
    fflush(stdout);
    pid_t p = fork();
    if (p == 0) {
      head.list.next = n == 0 ? (void *)8 : n == 1 ? &shared->node[0].list : (void *)0;
      shared->node[0].list.next = &shared->node[0].list;
      shared->node[0].word = gettid_();
      head.list_op_pending = 0;
      head.futex_offset = offsetof(struct node, word);
      syscall(SYS_set_robust_list, n == 2 ? (void *)8 : &head, sizeof head);
      _exit(n);
    }
    int st;
    waitpid(p, &st, 0);
    printf("odd list %d: exit %d\n", n, WEXITSTATUS(st));
  }
  // Who waits for a robust lock of a process that dies is woken.
  for (int pi = 0; pi < 2; pi++) {
    memset(shared, 0, sizeof *shared);
    fflush(stdout);
    pid_t p = fork();
    if (p == 0) {
      uint32_t *w = &shared->node[0].word;
      if (pi) futex(w, FUTEX_LOCK_PI, 0, 0, 0, 0);
      else *w = gettid_() | FUTEX_WAITERS;
      head.list.next = (struct robust_list *)((uintptr_t)&shared->node[0].list | pi);
      shared->node[0].list.next = &head.list;
      head.futex_offset = offsetof(struct node, word);
      head.list_op_pending = 0;
      syscall(SYS_set_robust_list, &head, sizeof head);
      shared->ready = 1;
      for (;;) pause();
    }
    pid_t q = fork();
    if (q == 0) {
      while (!shared->ready) usleep(200);
      uint32_t *w = &shared->node[0].word;
      shared->seen = 1;
      long r = pi ? futex(w, FUTEX_LOCK_PI, 0, 0, 0, 0) : futex(w, FUTEX_WAIT, *w, 0, 0, 0);
      printf("%s: %s, word %s\n", pi ? "heir" : "woken", result(r), word_text(*w, gettid_()));
      fflush(stdout);
      _exit(0);
    }
    while (!shared->seen) usleep(200);
    await_asleep(q, q);
    kill(p, SIGKILL);
    waitpid(p, 0, 0);
    waitpid(q, 0, 0);
  }
}

static void mutexes(void) {
  // The library's robust mutex with priority inheritance, shared by processes.
  pthread_mutexattr_t a;
  pthread_mutex_t *m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
  pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
  pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
  if (pthread_mutex_init(m, &a) != 0) pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_NONE), pthread_mutex_init(m, &a);
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    pthread_mutex_lock(m);
    _exit(0);
  }
  waitpid(p, 0, 0);
  printf("lock of the dead: %s\n", name_of(pthread_mutex_lock(m)));
  printf("consistent %d, again %s\n", pthread_mutex_consistent(m), name_of(pthread_mutex_lock(m)));
  printf("unlock %d\n", pthread_mutex_unlock(m));
}

struct waitv {
  uint64_t val, uaddr;
  uint32_t flags, reserved;
};

static void *waker(void *p) {
  await_asleep(getpid(), getpid());
  futex(p, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
  return 0;
}

static void waitv(void) {
  static uint32_t words[3];
  struct waitv v[130] = {0};
  for (int i = 0; i < 130; i++) v[i] = (struct waitv){0, (uintptr_t)&words[i % 3], FUTEX_32 | FUTEX_PRIVATE_FLAG, 0};
#define WAITV(what, vec, n, flags, t, clock) said(what, syscall(SYS_futex_waitv, vec, n, flags, t, clock))
  struct timespec now, bad = {0, -1};
  clock_gettime(CLOCK_MONOTONIC, &now);
  WAITV("none", v, 0, 0, &now, CLOCK_MONOTONIC);
  WAITV("129", v, 129, 0, &now, CLOCK_MONOTONIC);
  WAITV("128", v, 128, 0, &now, CLOCK_MONOTONIC);
  WAITV("flags", v, 1, 1, &now, CLOCK_MONOTONIC);
  WAITV("null", 0, 1, 0, &now, CLOCK_MONOTONIC);
  WAITV("unmapped", (void *)8, 1, 0, &now, CLOCK_MONOTONIC);
  WAITV("clock", v, 1, 0, &now, CLOCK_BOOTTIME);
  WAITV("bad time", v, 1, 0, &bad, CLOCK_MONOTONIC);
  WAITV("time in no memory", v, 1, 0, (void *)8, CLOCK_MONOTONIC);
  v[1].flags = 0x100;
  WAITV("bad futex flags", v, 2, 0, &now, CLOCK_MONOTONIC);
  v[1].flags = FUTEX_32 | FUTEX_PRIVATE_FLAG;
  v[1].reserved = 1;
  WAITV("reserved", v, 2, 0, &now, CLOCK_MONOTONIC);
  v[1].reserved = 0;
  v[1].val = 9;
  WAITV("another value", v, 2, 0, &now, CLOCK_MONOTONIC);
  v[1].val = 0;
  v[1].uaddr = 4096;
  WAITV("unmapped word", v, 2, 0, &now, CLOCK_MONOTONIC);
  v[1].uaddr = (uintptr_t)&words[1] + 2;
  WAITV("unaligned word", v, 2, 0, &now, CLOCK_MONOTONIC);
  v[1].uaddr = (uintptr_t)&words[1];
  pthread_t t;
  pthread_create(&t, 0, waker, &words[1]);
  printf("woken: index %ld\n", syscall(SYS_futex_waitv, v, 3, 0, 0, 0));
  pthread_join(t, 0);
}

static void on_signal(int s) {}
static void *interrupter(void *p) {
  await_asleep(getpid(), getpid());
  kill(getpid(), SIGUSR1);
  await_asleep(getpid(), getpid());
  open_gate();
  return 0;
}

/// A signal does not end the wait for a lock.
static void signals(void) {
  pthread_t h, t;
  struct sigaction a = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &a, 0);
  start_holder(&h, "unlock");
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, 0);
  pthread_create(&t, 0, interrupter, 0);
  pthread_sigmask(SIG_UNBLOCK, &set, 0);
  said("lock through a signal", futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0));
  pthread_join(t, 0);
  pthread_join(h, 0);
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 4096);
  alone();
  threads();
  misuse();
  requeue();
  robust();
  mutexes();
  waitv();
  signals();
  return 0;
}
