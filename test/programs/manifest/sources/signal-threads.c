// SPDX-License-Identifier: MIT
//
// Signals and threads: directed ones, one thread that waits for all, timers that make threads and signals, a storm
// across threads, handlers while others hold locks.

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static atomic_int hits, wrong, ready, stop;
static _Thread_local int own_hits;

static void count(int number) {
  (void)number;
  hits++;
  own_hits++;
}

static void *target(void *wanted) {
  ready++;
  while (own_hits < (int)(long)wanted) usleep(200);
  return (void *)(long)own_hits;
}

static void directed(void) {
  pthread_t threads[3];
  signal(SIGUSR1, count);
  for (long i = 0; i < 3; i++) pthread_create(&threads[i], NULL, target, (void *)(i + 1));
  while (ready < 3) usleep(100);
  for (int i = 0; i < 3; i++)
    for (int n = 0; n <= i; n++) {
      int before = hits;
      pthread_kill(threads[i], SIGUSR1);
      while (hits == before) usleep(100);
    }
  long sum = 0;
  for (int i = 0; i < 3; i++) {
    void *own;
    pthread_join(threads[i], &own);
    sum = sum * 10 + (long)own;
  }
  printf("directed: %d hits, own %ld, mine %d\n", hits, sum, own_hits);
}

static void *wait_for_all(void *set) {
  int numbers[3] = {0}, number;
  for (int i = 0; i < 6; i++) {
    sigwait(set, &number);
    numbers[number == SIGHUP ? 0 : number == SIGINT ? 1 : 2]++;
    hits++;
  }
  printf("one thread took %d %d %d\n", numbers[0], numbers[1], numbers[2]);
  return NULL;
}

static void waiter(void) {
  static sigset_t set;
  pthread_t thread;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  hits = 0;
  pthread_create(&thread, NULL, wait_for_all, &set);
  int all[6] = {SIGHUP, SIGINT, SIGINT, SIGTERM, SIGTERM, SIGTERM};
  for (int i = 0; i < 6; i++) {
    kill(getpid(), all[i]);
    while (hits <= i) usleep(100);
  }
  pthread_join(thread, NULL);
}

static atomic_int expiries;
static void expire(union sigval value) { expiries += value.sival_int; }

static void timers(void) {
  timer_t by_thread, by_signal;
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = 1};
  event.sigev_notify_function = expire;
  timer_create(CLOCK_MONOTONIC, &event, &by_thread);
  struct itimerspec times = {{0, 1000000}, {0, 1000000}};
  timer_settime(by_thread, 0, &times, NULL);
  while (expiries < 4) usleep(500);
  timer_delete(by_thread);
  struct sigevent plain = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  timer_create(CLOCK_REALTIME, &plain, &by_signal);
  hits = 0;
  timer_settime(by_signal, 0, &times, NULL);
  while (hits < 5) pause();
  timer_delete(by_signal);
  puts("timers by thread and by signal");
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *worker(void *unused) {
  for (int i = 0; i < 4000; i++) {
    pthread_mutex_lock(&lock);
    long value = counter;
    for (volatile int spin = 0; spin < 20; spin++) continue;
    counter = value + 1;
    pthread_mutex_unlock(&lock);
  }
  return unused;
}

static void *shooter(void *threads) {
  while (!stop) {
    for (int i = 0; i < 3; i++) pthread_kill(((pthread_t *)threads)[i], SIGUSR1);
    usleep(50);
  }
  return NULL;
}

static void storm(void) {
  pthread_t threads[3], gun;
  struct itimerval fast = {{0, 500}, {0, 500}}, none = {0};
  signal(SIGALRM, count);
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, worker, NULL);
  setitimer(ITIMER_REAL, &fast, NULL);
  pthread_create(&gun, NULL, shooter, threads);
  // Threads stay joinable until the gun is silent: their handles stay valid.
  struct timespec rest = {0, 2000000};
  long last = -1;
  while (counter != last || counter < 12000 || hits <= 10) {
    last = counter;
    nanosleep(&rest, NULL);
  }
  stop = 1;
  pthread_join(gun, NULL);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  setitimer(ITIMER_REAL, &none, NULL);
  printf("counter %ld after the storm, hit: %d\n", counter, hits > 10);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  directed();
  waiter();
  timers();
  storm();
  return 0;
}
