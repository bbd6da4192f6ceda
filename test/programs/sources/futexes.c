// SPDX-License-Identifier: MIT
//
// Futexes and what C libraries build of them. One line a fact.

#define _GNU_SOURCE
#include "asleep.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long futex(void *a, int op, uint32_t v, const void *t, void *b, uint32_t v3) { return syscall(SYS_futex, a, op, v, t, b, v3); }
// The call has been made when this runs, so errno is its own.
static void failed(const char *what, long result, int error) { printf("%s: %ld, errno as expected %d\n", what, result, errno == error); }

static uint32_t word, other;
static volatile int woken;

static void errors(void) {
  struct timespec t = {0, 1000000}, bad = {0, 1000000000};
  failed("value differs", futex(&word, FUTEX_WAIT, 1, 0, 0, 0), EAGAIN);
  failed("timeout", futex(&word, FUTEX_WAIT, 0, &t, 0, 0), ETIMEDOUT);
  failed("bad timeout", futex(&word, FUTEX_WAIT, 0, &bad, 0, 0), EINVAL);
  failed("unaligned", futex((char *)&word + 1, FUTEX_WAIT, 0, &t, 0, 0), EINVAL);
  failed("unmapped", futex((void *)4096, FUTEX_WAIT, 0, &t, 0, 0), EFAULT);
  failed("no bits", futex(&word, FUTEX_WAIT_BITSET, 0, 0, 0, 0), EINVAL);
  failed("unknown", futex(&word, 99, 0, 0, 0, 0), ENOSYS);
  printf("wake nobody %ld\n", futex(&word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  failed("absolute in the past", futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &t, 0, ~0u), ETIMEDOUT);
  clock_gettime(CLOCK_REALTIME, &now);
  now.tv_nsec += 2000000;
  if (now.tv_nsec >= 1000000000) { now.tv_sec++; now.tv_nsec -= 1000000000; }
  failed("realtime", futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &now, 0, ~0u), ETIMEDOUT);
  printf("wake op %ld", futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &other, FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0)));
  printf(" other %u\n", other);
  futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &other, FUTEX_OP(FUTEX_OP_XOR | FUTEX_OP_OPARG_SHIFT, 3, FUTEX_OP_CMP_LT, -1));
  printf("other %u\n", other);
  other = 0;
}

struct arg { uint32_t *word; uint32_t bits; volatile pid_t tid; };
static void *waiter(void *p) {
  struct arg *a = p;
  a->tid = syscall(SYS_gettid);
  long r = futex(a->word, FUTEX_WAIT_BITSET_PRIVATE, 0, 0, 0, a->bits);
  __sync_fetch_and_add(&woken, 1);
  return (void *)r;
}

static void many(void) {
  pthread_t t[6];
  struct arg a[6];
  for (int i = 0; i < 6; i++) {
    a[i] = (struct arg){&word, 1u << i, 0};
    pthread_create(&t[i], 0, waiter, &a[i]);
  }
  for (int i = 0; i < 6; i++) {
    while (a[i].tid == 0) sched_yield();
    await_asleep(getpid(), a[i].tid);
  }
  printf("bitset wakes %ld\n", futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 100, 0, 0, 3));
  while (woken < 2) sched_yield();
  printf("woken %d\n", woken);
  failed("requeue with another value", futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &other, 9), EAGAIN);
  printf("requeue %ld\n", futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &other, 0));
  printf("at the other word %ld\n", futex(&other, FUTEX_WAKE_PRIVATE, 10, 0, 0, 0));
  printf("at the first word %ld\n", futex(&word, FUTEX_WAKE_PRIVATE, 10, 0, 0, 0));
  for (int i = 0; i < 6; i++) pthread_join(t[i], 0);
  printf("all woken %d\n", woken);
}

static pthread_mutex_t robust;
static void *dies(void *p) {
  pthread_mutex_lock(p);
  return 0;
}

static void robustness(void) {
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &a);
  pthread_t t;
  pthread_create(&t, 0, dies, &robust);
  pthread_join(t, 0);
  int r = pthread_mutex_lock(&robust);
  printf("owner died %d\n", r == EOWNERDEAD);
  pthread_mutex_consistent(&robust);
  pthread_mutex_unlock(&robust);
  printf("consistent again %d\n", pthread_mutex_lock(&robust));
  pthread_mutex_t *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(shared, &a);
  pid_t p = fork();
  if (p == 0) {
    pthread_mutex_lock(shared);
    raise(SIGKILL);
  }
  waitpid(p, 0, 0);
  r = pthread_mutex_lock(shared);
  printf("process died with it %d\n", r == EOWNERDEAD);
}

static pthread_mutex_t pi;
static int in_pi;
static void *pi_thread(void *p) {
  (void)p;
  for (int i = 0; i < 200; i++) {
    pthread_mutex_lock(&pi);
    in_pi++;
    if (i % 50 == 0) usleep(500);
    pthread_mutex_unlock(&pi);
  }
  return 0;
}

static void priority(void) {
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
  pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
  if (pthread_mutex_init(&pi, &a) != 0) {
    printf("no priority inheritance\n");
    return;
  }
  pthread_t t[4];
  for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, pi_thread, 0);
  for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
  printf("priority inheritance %d\n", in_pi);
  pthread_mutex_lock(&pi);
  printf("twice %d\n", pthread_mutex_lock(&pi) == EDEADLK);
  pthread_mutex_unlock(&pi);
}

static pthread_barrier_t barrier;
static sem_t sem;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int ready, serial;
static long sum;

static void *worker(void *p) {
  for (int i = 0; i < 50; i++) {
    if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) __sync_fetch_and_add(&serial, 1);
    pthread_rwlock_wrlock(&rw);
    sum += (long)p;
    pthread_rwlock_unlock(&rw);
    pthread_rwlock_rdlock(&rw);
    pthread_rwlock_unlock(&rw);
    sem_post(&sem);
  }
  pthread_mutex_lock(&lock);
  ready++;
  pthread_cond_broadcast(&cond);
  while (ready < 5) pthread_cond_wait(&cond, &lock);
  pthread_mutex_unlock(&lock);
  return 0;
}

static void library(void) {
  pthread_barrier_init(&barrier, 0, 5);
  sem_init(&sem, 0, 0);
  pthread_t t[5];
  for (long i = 0; i < 5; i++) pthread_create(&t[i], 0, worker, (void *)i);
  for (int i = 0; i < 250; i++) sem_wait(&sem);
  for (int i = 0; i < 5; i++) pthread_join(t[i], 0);
  printf("barrier %d sum %ld ready %d\n", serial, sum, ready);
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  at.tv_nsec += 3000000;
  if (at.tv_nsec >= 1000000000) { at.tv_sec++; at.tv_nsec -= 1000000000; }
  pthread_mutex_lock(&lock);
  printf("timed wait %d\n", pthread_cond_timedwait(&cond, &lock, &at) == ETIMEDOUT);
  pthread_mutex_unlock(&lock);
  printf("sem timed %d %d\n", sem_timedwait(&sem, &at), errno == ETIMEDOUT);
}

static void *cancelled(void *p) {
  (void)p;
  for (;;) pause();
}

static void cancel(void) {
  pthread_t t;
  void *r;
  pthread_create(&t, 0, cancelled, 0);
  usleep(2000);
  pthread_cancel(t);
  pthread_join(t, &r);
  printf("cancelled %d\n", r == PTHREAD_CANCELED);
}

static volatile int handled;
static void on_signal(int s) { (void)s; handled++; }
static int restarts;
static void *poke(void *p) {
  int before = handled;
  await_asleep(getpid(), getpid());
  pthread_kill(*(pthread_t *)p, SIGUSR1);
  while (handled == before) sched_yield();
  if (restarts) await_asleep(getpid(), getpid());
  word = 1;
  futex(&word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
  return 0;
}

static void signals(void) {
  struct sigaction a = {.sa_handler = on_signal};
  pthread_t self = pthread_self(), t;
  word = 0;
  sigaction(SIGUSR1, &a, 0);
  pthread_create(&t, 0, poke, &self);
  failed("interrupted", futex(&word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0), EINTR);
  pthread_join(t, 0);
  word = 0;
  restarts = 1;
  a.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &a, 0);
  pthread_create(&t, 0, poke, &self);
  printf("restarted %ld\n", futex(&word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0));
  pthread_join(t, 0);
  word = 0;
  restarts = 0;
  pthread_create(&t, 0, poke, &self);
  struct timespec limit = {50, 0};
  failed("restarted with a timeout", futex(&word, FUTEX_WAIT_PRIVATE, 0, &limit, 0, 0), EINTR);
  pthread_join(t, 0);
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  errors();
  many();
  robustness();
  priority();
  library();
  cancel();
  signals();
  return 0;
}
