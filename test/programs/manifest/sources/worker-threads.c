// SPDX-License-Identifier: MIT
//
// Threads: a queue under mutex and conditions, read-write locks, barriers, keys, once, cancellation, semaphores, spin
// locks, detached ones; every answer is free of the order in which they run.

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 4, JOBS = 400, ROOM = 8 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;
static int queue[ROOM], head, count, done;
static long long sum;

static void *work(void *own) {
  long taken = 0;
  for (;;) {
    pthread_mutex_lock(&lock);
    while (count == 0 && !done) pthread_cond_wait(&not_empty, &lock);
    if (count == 0) break;
    int job = queue[head];
    head = (head + 1) % ROOM;
    count--;
    pthread_cond_signal(&not_full);
    pthread_mutex_unlock(&lock);
    long long part = 0;
    for (int i = 0; i <= job; i++) part += (long long)i * i;
    __atomic_add_fetch(&sum, part, __ATOMIC_SEQ_CST);
    taken++;
  }
  pthread_mutex_unlock(&lock);
  *(long *)own = taken;
  return own;
}

static void queue_of_jobs(void) {
  pthread_t threads[WORKERS];
  long taken[WORKERS], all = 0;
  for (int i = 0; i < WORKERS; i++) pthread_create(&threads[i], NULL, work, &taken[i]);
  for (int job = 0; job < JOBS; job++) {
    pthread_mutex_lock(&lock);
    while (count == ROOM) pthread_cond_wait(&not_full, &lock);
    queue[(head + count++) % ROOM] = job;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&lock);
  }
  pthread_mutex_lock(&lock);
  done = 1;
  pthread_cond_broadcast(&not_empty);
  pthread_mutex_unlock(&lock);
  for (int i = 0; i < WORKERS; i++) {
    void *own;
    pthread_join(threads[i], &own);
    all += *(long *)own;
  }
  printf("%ld jobs, sum %lld\n", all, sum);
}

static pthread_rwlock_t table_lock = PTHREAD_RWLOCK_INITIALIZER;
static int table[2];
static atomic_int torn;

static void *reader(void *unused) {
  for (int i = 0; i < 300; i++) {
    pthread_rwlock_rdlock(&table_lock);
    if (table[0] != table[1]) torn++;
    sched_yield();
    if (table[0] != table[1]) torn++;
    pthread_rwlock_unlock(&table_lock);
  }
  return unused;
}

static void *writer(void *unused) {
  for (int i = 0; i < 100; i++) {
    pthread_rwlock_wrlock(&table_lock);
    table[0]++;
    sched_yield();
    table[1]++;
    pthread_rwlock_unlock(&table_lock);
  }
  return unused;
}

static void readers_and_writers(void) {
  pthread_t threads[5];
  for (int i = 0; i < 5; i++) pthread_create(&threads[i], NULL, i < 3 ? reader : writer, NULL);
  for (int i = 0; i < 5; i++) pthread_join(threads[i], NULL);
  printf("table %d %d, torn %d\n", table[0], table[1], torn);
}

static pthread_barrier_t barrier;
static int phase_sums[3];

static void *in_phases(void *number) {
  int leader = 0;
  for (int phase = 0; phase < 3; phase++) {
    __atomic_add_fetch(&phase_sums[phase], (int)(long)number * (phase + 1), __ATOMIC_SEQ_CST);
    if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) leader++;
    if (phase_sums[phase] != 10 * (phase + 1)) puts("a thread ran ahead");
    pthread_barrier_wait(&barrier);
  }
  return (void *)(long)leader;
}

static void barriers(void) {
  pthread_t threads[4];
  long leaders = 0;
  pthread_barrier_init(&barrier, NULL, 4);
  for (long i = 0; i < 4; i++) pthread_create(&threads[i], NULL, in_phases, (void *)(i + 1));
  for (int i = 0; i < 4; i++) {
    void *leader;
    pthread_join(threads[i], &leader);
    leaders += (long)leader;
  }
  printf("phases %d %d %d, leaders %ld\n", phase_sums[0], phase_sums[1], phase_sums[2], leaders);
}

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_int destroyed, onces;
static _Thread_local int own_value = 5;

static void destroy(void *value) { destroyed += (int)(long)value; }
static void make_key(void) {
  onces++;
  pthread_key_create(&key, destroy);
}

static void *with_key(void *number) {
  pthread_once(&once, make_key);
  pthread_setspecific(key, number);
  own_value += (int)(long)number;
  return (void *)(long)(own_value == 5 + (int)(long)number);
}

static void clean(void *what) { printf("cleaned %s\n", (const char *)what); }

static void *sleeper(void *unused) {
  pthread_cleanup_push(clean, "up");
  sleep(100);
  pthread_cleanup_pop(0);
  return unused;
}

static void *spinner(void *unused) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  for (volatile long i = 0;; i++) continue;
  return unused;
}

static void keys_and_ends(void) {
  pthread_t threads[6], cancelled;
  long right = 0;
  for (long i = 0; i < 6; i++) pthread_create(&threads[i], NULL, with_key, (void *)(i + 1));
  for (int i = 0; i < 6; i++) {
    void *result;
    pthread_join(threads[i], &result);
    right += (long)result;
  }
  printf("once %d, destroyed %d, own values right %ld, mine %d\n", onces, destroyed, right, own_value);
  void *result;
  pthread_create(&cancelled, NULL, sleeper, NULL);
  usleep(1000);
  pthread_cancel(cancelled);
  pthread_join(cancelled, &result);
  printf("sleeper was cancelled: %d\n", result == PTHREAD_CANCELED);
  pthread_create(&cancelled, NULL, spinner, NULL);
  usleep(1000);
  pthread_cancel(cancelled);
  pthread_join(cancelled, &result);
  printf("spinner was cancelled: %d\n", result == PTHREAD_CANCELED);
}

static sem_t gate, finished;
static atomic_int inside, most;

static void *through_the_gate(void *unused) {
  sem_wait(&gate);
  int now = ++inside;
  if (now > most) most = now;
  usleep(500);
  inside--;
  sem_post(&gate);
  sem_post(&finished);
  return unused;
}

static void semaphores(void) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 65536);
  sem_init(&gate, 0, 2);
  sem_init(&finished, 0, 0);
  for (int i = 0; i < 6; i++) {
    pthread_t thread;
    pthread_create(&thread, &attributes, through_the_gate, NULL);
  }
  for (int i = 0; i < 6; i++) sem_wait(&finished);
  printf("through the gate, at most two: %d\n", most <= 2);
  struct timespec past = {1, 0};
  printf("timed wait: %s\n", sem_timedwait(&finished, &past) == -1 && errno == ETIMEDOUT ? "timed out" : "?");
  pthread_mutex_lock(&lock);
  printf("timed lock: %s\n", strerror(pthread_mutex_timedlock(&lock, &past)));
  pthread_mutexattr_t checking;
  pthread_mutexattr_init(&checking);
  pthread_mutexattr_settype(&checking, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_t checked;
  pthread_mutex_init(&checked, &checking);
  pthread_mutex_lock(&checked);
  printf("lock twice: %s\n", strerror(pthread_mutex_lock(&checked)));
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  queue_of_jobs();
  readers_and_writers();
  barriers();
  keys_and_ends();
  semaphores();
  return 0;
}
