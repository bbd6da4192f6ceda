// SPDX-License-Identifier: MIT
//
// Threads of a C library: creation, a mutex, a condition, thread-local storage, joining.

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { THREADS = 6, ROUNDS = 2000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t everyone = PTHREAD_COND_INITIALIZER;
static int waiting;
static long counter;
static __thread long own;

static void *run(void *argument) {
  pthread_mutex_lock(&mutex);
  if (++waiting == THREADS) pthread_cond_broadcast(&everyone);
  while (waiting < THREADS) pthread_cond_wait(&everyone, &mutex);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < ROUNDS; i++) {
    pthread_mutex_lock(&mutex);
    counter++;
    pthread_mutex_unlock(&mutex);
    own += (long)argument;
    if (i % 100 == 0) getppid();
  }
  return (void *)own;
}

int main(void) {
  pthread_t threads[THREADS];
  long total = 0;
  for (long i = 0; i < THREADS; i++) {
    if (pthread_create(&threads[i], NULL, run, (void *)(i + 1)) != 0) return 1;
  }
  for (int i = 0; i < THREADS; i++) {
    void *result;
    pthread_join(threads[i], &result);
    total += (long)result;
  }
  printf("counter %ld, thread-local %ld\n", counter, total);
  return 0;
}
