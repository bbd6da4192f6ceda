// SPDX-License-Identifier: MIT
//
// POSIX shared memory and semaphores by name, as the C libraries make them of files in /dev/shm: between processes,
// with mutexes and condition variables in what they share; and the errors of the manual pages.

#define _GNU_SOURCE
#include "outcome.h"
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

static char name[40], other[50];

struct shared {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  sem_t sem;
  int value, turns;
};

static void memory(void) {
  CALL(shm_open(name, O_RDWR, 0));
  int f = OK(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0640));
  CALL(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0640));
  struct stat st;
  fstat(f, &st);
  printf("mode %o size %d cloexec %d\n", st.st_mode, (int)st.st_size, fcntl(f, F_GETFD));
  CALL(ftruncate(f, 8192));
  struct shared *s = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
  pthread_mutexattr_t ma;
  pthread_condattr_t ca;
  pthread_mutexattr_init(&ma), pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
  pthread_condattr_init(&ca), pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&s->mutex, &ma), pthread_cond_init(&s->cond, &ca);
  CALL(sem_init(&s->sem, 1, 0));
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    int g = shm_open(name, O_RDWR, 0);
    struct shared *t = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, g, 0);
    for (int i = 0; i < 100; i++) {
      pthread_mutex_lock(&t->mutex);
      while (t->value % 2 == 0) pthread_cond_wait(&t->cond, &t->mutex);
      t->value++, t->turns++;
      pthread_cond_signal(&t->cond);
      pthread_mutex_unlock(&t->mutex);
    }
    sem_post(&t->sem);
    _exit(0);
  }
  for (int i = 0; i < 100; i++) {
    pthread_mutex_lock(&s->mutex);
    while (s->value % 2 == 1) pthread_cond_wait(&s->cond, &s->mutex);
    s->value++, s->turns++;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->mutex);
  }
  CALL(sem_wait(&s->sem));
  wait(0);
  printf("value %d turns %d\n", s->value, s->turns);
  char c;
  CALL(pread(f, &c, 1, 8191));
  CALL(shm_unlink(name));
  CALL(shm_unlink(name));
  s->value = 7;
  printf("still mapped %d\n", s->value);
  CALL(shm_open("/", O_RDWR | O_CREAT, 0600));
  char longest[300];
  memset(longest, 'x', 299), longest[0] = '/', longest[299] = 0;
  CALL(shm_open(longest, O_RDWR | O_CREAT, 0600));
  munmap(s, 8192);
  close(f);
}

static void semaphores(void) {
  CALL(sem_open(name, 0) == SEM_FAILED);
  printf("errno %d\n", errno);
  sem_t *a = sem_open(name, O_CREAT | O_EXCL, 0600, 2);
  printf("made %d\n", a != SEM_FAILED);
  CALL(sem_open(name, O_CREAT | O_EXCL, 0600, 2) == SEM_FAILED);
  printf("errno %d\n", errno);
  sem_t *b = sem_open(name, 0);
  printf("the same %d\n", a == b);
  int v;
  CALL(sem_trywait(a));
  CALL(sem_getvalue(a, &v));
  SHOW(v);
  CHILD({
    sem_t *c = sem_open(name, 0);
    CALL(sem_trywait(c));
    CALL(sem_trywait(c));
    CALL(sem_post(c));
    CALL(sem_post(c));
  });
  CALL(sem_wait(a));
  CALL(sem_wait(a));
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  CALL(sem_timedwait(a, &t));
  fflush(stdout);
  if (fork() == 0) {
    usleep(10000);
    sem_post(a);
    _exit(0);
  }
  CALL(sem_wait(a));
  wait(0);
  CALL(sem_close(b));
  CALL(sem_close(a));
  CALL(sem_unlink(name));
  CALL(sem_unlink(name));
  CALL(sem_open(name, O_CREAT, 0600, 0x80000000u) == SEM_FAILED);
  printf("errno %d\n", errno);
}

int main(void) {
  umask(0);
  sprintf(name, "/trapline-%d", getpid());
  memory();
  semaphores();
}
