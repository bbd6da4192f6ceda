// SPDX-License-Identifier: MIT
//
// System V semaphores: operations that happen all or not at all, sleepers, undo, rights, and each error of the manual
// pages.

#define _GNU_SOURCE
#include "outcome.h"
#include <pthread.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <time.h>

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif

union semun { int val; struct semid_ds *buf; unsigned short *array; struct seminfo *info; void *p; };
static int id;

static int op1(int num, int op, int flags) {
  struct sembuf b = {num, op, flags};
  return semop(id, &b, 1);
}

static int op2(int n1, int o1, int n2, int o2, int flags) {
  struct sembuf b[2] = {{n1, o1, flags}, {n2, o2, flags}};
  return semop(id, b, 2);
}

static void values(const char *what) {
  unsigned short v[4];
  semctl(id, 0, GETALL, (union semun){.array = v});
  printf("%s: %d %d %d %d\n", what, v[0], v[1], v[2], v[3]);
  fflush(stdout);
}

static void operations(void) {
  values("new");
  CALL(op1(0, 3, 0));
  CALL(op2(0, -1, 1, 2, 0));
  values("after two");
  CALL(op2(0, -1, 1, -3, IPC_NOWAIT));
  values("nothing happened");
  CALL(op1(2, 0, 0));
  CALL(op1(0, 0, IPC_NOWAIT));
  CALL(op1(0, -3, IPC_NOWAIT));
  CALL(op1(0, 32767, 0));
  CALL(op1(4, 1, 0));
  CALL(op1(-1, 1, 0));
  CALL(op2(3, 1, 3, -1, 0));
  CALL(semctl(id, 0, GETPID) == getpid());
  CALL(semctl(id, 2, GETPID) == getpid());
  struct sembuf many[501];
  for (int i = 0; i < 501; i++) many[i] = (struct sembuf){i / 2 % 4, i % 2 ? -1 : 1, 0};
  CALL(semop(id, many, 500));
  CALL(semop(id, many, 501));
  CALL(semop(id, many, 0));
  CALL(semop(id, (void *)8, 1));
  CALL(semop(-1, many, 1));
  CALL(semop(id + 32768, many, 1));
  struct timespec bad = {0, 1000000000}, none = {0, 0}, some = {0, 20000000};
  CALL(semtimedop(id, many, 1, &bad));
  CALL(semtimedop(id, many, 1, (void *)8));
  many[0] = (struct sembuf){2, -5, 0};
  CALL(semtimedop(id, many, 1, &none));
  CALL(semtimedop(id, many, 1, &some));
  values("at the end");
}

static int child(int a, int b, int c, int d) {
  fflush(stdout);
  int p = fork();
  if (p == 0) {
    int r = b == 9 ? op1(a, c, d) : op2(a, b, c, d, 0);
    _exit(r < 0 ? errno : 0);
  }
  return p;
}

static int status(int p) {
  int s;
  waitpid(p, &s, 0);
  return WIFEXITED(s) ? WEXITSTATUS(s) : -WTERMSIG(s);
}

static void until(int num, int command, int n) {
  while (semctl(id, num, command) != n) usleep(1000);
}

static void sleepers(void) {
  semctl(id, 0, SETALL, (union semun){.array = (unsigned short[]){0, 0, 1, 0}});
  int first = child(0, 9, -2, 0);
  until(0, GETNCNT, 1);
  int second = child(0, 9, -1, 0);
  until(0, GETNCNT, 2);
  int zero = child(2, 9, 0, 0);
  until(2, GETZCNT, 1);
  int both = child(1, -1, 3, -1);
  until(1, GETNCNT, 1);
  printf("counts %d %d %d\n", semctl(id, 0, GETNCNT), semctl(id, 2, GETZCNT), semctl(id, 3, GETNCNT));
  CALL(op1(0, 1, 0));
  printf("second %d\n", status(second));
  CALL(op1(0, 2, 0));
  printf("first %d\n", status(first));
  CALL(op1(2, -1, 0));
  printf("zero %d\n", status(zero));
  CALL(op1(1, 1, 0));
  until(3, GETNCNT, 1);
  CALL(semctl(id, 3, SETVAL, (union semun){.val = 1}));
  printf("both %d\n", status(both));
  values("all served");
  int killed = child(0, 9, -1, 0);
  until(0, GETNCNT, 1);
  kill(killed, SIGTERM);
  printf("killed %d\n", status(killed));
  CALL(semctl(id, 0, GETNCNT));
}

static void nothing(int s) {}

static void interrupted(void) {
  struct sigaction a = {.sa_handler = nothing, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &a, 0);
  // Again and again: the first may come before the call.
  ualarm(10000, 10000);
  CALL(op1(0, -1, 0));
  ualarm(0, 0);
}

static void *undoing(void *p) {
  op1(1, 4, SEM_UNDO);
  return 0;
}

static void undo(void) {
  semctl(id, 0, SETALL, (union semun){.array = (unsigned short[]){5, 0, 0, 0}});
  CHILD({
    CALL(op1(0, -2, SEM_UNDO));
    CALL(op1(1, 3, SEM_UNDO));
    values("in the child");
  });
  values("undone");
  CHILD({
    op1(0, -2, SEM_UNDO);
    CALL(semctl(id, 0, SETVAL, (union semun){.val = 9}));
  });
  values("SETVAL forgets");
  CHILD({
    op1(1, 3, SEM_UNDO);
    CALL(op1(1, -3, 0));
  });
  values("never below zero");
  CHILD({
    pthread_t t;
    pthread_create(&t, 0, undoing, 0);
    pthread_join(t, 0);
    values("the thread has ended");
  });
  values("the process has");
  CHILD({
    op1(2, 2, SEM_UNDO);
    CHILD(values("a fork has none"));
  });
  values("and the first's are gone");
  CHILD({ CALL(op1(0, 20000, SEM_UNDO)); CALL(op1(0, -20000, 0)); CALL(op1(0, 20000, SEM_UNDO)); });
  values("limits");
}

static void control(void) {
  struct semid_ds ds;
  struct seminfo info;
  unsigned short array[4] = {1, 2, 3, 40000};
  CALL(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}));
  printf("nsems %d mode %o otime %d ctime %d\n", (int)ds.sem_nsems, ds.sem_perm.mode, ds.sem_otime > 0, ds.sem_ctime > 0);
  CALL(semctl(id, 0, SETALL, (union semun){.array = array}));
  CALL(semctl(id, 0, SETALL, (union semun){.p = (void *)8}));
  CALL(semctl(id, 0, GETALL, (union semun){.p = (void *)8}));
  CALL(semctl(id, 0, SETVAL, (union semun){.val = 32768}));
  CALL(semctl(id, 0, SETVAL, (union semun){.val = -1}));
  CALL(semctl(id, 4, SETVAL, (union semun){.val = 1}));
  CALL(semctl(id, -1, GETVAL));
  CALL(semctl(id, 4, GETVAL));
  CALL(semctl(id, 4, GETNCNT));
  CALL(semctl(id, 0, 77));
  CALL(semctl(-1, 0, GETVAL));
  CALL(semctl(id + 32768, 0, GETVAL));
  CALL(semctl(0x7fffffff, 0, GETVAL));
  CALL(semctl(id, 0, IPC_STAT, (union semun){.p = (void *)8}));
  CALL(semctl(id, 0, IPC_SET, (union semun){.p = (void *)8}));
  CALL(semctl(0, 0, IPC_INFO, (union semun){.info = &info}) >= 0);
  printf("%d %d %d %d %d %d %d %d %d\n", info.semmni, info.semmns, info.semmsl, info.semopm, info.semume, info.semusz, info.semvmx, info.semaem, info.semmnu);
  CALL(semctl(0, 0, SEM_INFO, (union semun){.info = &info}) >= 0);
  printf("in use %d\n", info.semusz > 0 && info.semaem >= 4);
  CALL(semctl(0, 0, SEM_INFO, (union semun){.p = (void *)8}));
  CALL(semctl(id & 32767, 0, SEM_STAT, (union semun){.buf = &ds}) == id);
  CALL(semctl(32767, 0, SEM_STAT, (union semun){.buf = &ds}));
  NOBODY({
    CALL(op1(0, 1, 0));
    CALL(op1(0, 0, IPC_NOWAIT));
    CALL(semctl(id, 0, GETVAL));
    CALL(semctl(id, 0, SETVAL, (union semun){.val = 1}));
    CALL(semctl(id, 0, SETALL, (union semun){.array = array}));
    CALL(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}));
    CALL(semctl(id & 32767, 0, SEM_STAT_ANY, (union semun){.buf = &ds}) == id);
    CALL(semctl(id, 0, IPC_SET, (union semun){.buf = &ds}));
    CALL(semctl(id, 0, IPC_RMID));
  });
  ds.sem_perm.mode = 0604;
  CALL(semctl(id, 0, IPC_SET, (union semun){.buf = &ds}));
  NOBODY({
    SHOW(semctl(id, 0, GETVAL) >= 0);
    CALL(op1(3, 0, IPC_NOWAIT));
    CALL(op1(3, 1, 0));
  });
  key_t key = 0x54524150 ^ getpid();
  int other = OK(semget(key, 2, IPC_CREAT | IPC_EXCL | 0600));
  CALL(semget(key, 2, IPC_CREAT | IPC_EXCL | 0600));
  CALL(semget(key, 0, 0) == other);
  CALL(semget(key, 3, 0));
  CALL(semget(key + 1, 2, 0));
  CALL(semget(IPC_PRIVATE, 0, 0600));
  CALL(semget(IPC_PRIVATE, -1, 0600));
  CALL(semget(IPC_PRIVATE, 32001, 0600));
  NOBODY({ CALL(semget(key, 1, 0200)); CALL(semget(key, 1, 0) == other); });
  CALL(semctl(other, 0, IPC_RMID));
}

static void removal(void) {
  semctl(id, 0, SETALL, (union semun){.array = (unsigned short[]){0, 0, 0, 0}});
  int p = child(0, 9, -1, 0);
  until(0, GETNCNT, 1);
  FILE *f = fopen("/proc/sysvipc/sem", "r");
  char line[300];
  while (f && fgets(line, sizeof line, f)) {
    int key, one, perms, n;
    if (sscanf(line, "%d %d %o %d", &key, &one, &perms, &n) == 4 && one == id) printf("listed: %d %o %d\n", key, perms, n);
  }
  CALL(semctl(id, 0, IPC_RMID));
  printf("the sleeper got EIDRM %d\n", status(p) == EIDRM);
  CALL(op1(0, 1, 0));
}

int main(void) {
  id = OK(semget(IPC_PRIVATE, 4, IPC_CREAT | 0600));
  operations();
  sleepers();
  interrupted();
  undo();
  control();
  removal();
}
