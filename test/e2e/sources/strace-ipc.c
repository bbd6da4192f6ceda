// SPDX-License-Identifier: MIT
//
// System V and POSIX objects between processes. Traced by strace and by us; harmless for root.

#define _GNU_SOURCE
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/sem.h>
#include <sys/msg.h>
#include <mqueue.h>
#include <fcntl.h>
#include <unistd.h>
#include <time.h>
#include <signal.h>
#include <sys/syscall.h>
#define S(n, ...) syscall(SYS_##n, ##__VA_ARGS__)
int main(void) {
  alarm(300);
  static char b[500]; struct timespec ts = { 0, 1000 };
  S(shmget, 0x7ffffff1, 10L, 0); S(shmget, 0x7ffffff1, 10L, IPC_EXCL | 0700); int id = S(shmget, IPC_PRIVATE, 5000L, IPC_CREAT | 0640); char *m = (char *)S(shmat, id, 0L, 0L); S(shmat, id, 0L, SHM_RDONLY | SHM_RND); S(shmat, id, m, (long)SHM_REMAP | 1);
  S(shmctl, id, IPC_STAT, b); S(shmctl, id, IPC_SET, b); S(shmctl, -1, IPC_INFO, b); S(shmctl, -1, 999, b); S(shmdt, m); S(shmdt, 5L); S(shmctl, id, IPC_RMID, 0L); S(shmctl, id, IPC_STAT, b);
  int q = S(semget, IPC_PRIVATE, 3, IPC_CREAT | 0600); S(semget, 0x7ffffff1, 1, 0); unsigned short v[3] = { 1, 2, 3 };
  struct sembuf o[2] = { { 0, 1, 0 }, { 1, -1, IPC_NOWAIT | SEM_UNDO } }; S(semop, q, o, 2L); S(semctl, q, 0, SETVAL, 5L); S(semctl, q, 0, GETVAL, 0L); S(semctl, q, 0, SETALL, v); S(semctl, q, 0, GETALL, v); S(semctl, q, 1, GETPID, 0L); S(semctl, q, 1, GETNCNT, 0L); S(semctl, q, 0, IPC_STAT, b); S(semctl, q, 0, IPC_SET, b);
  S(semop, q, o, 2L); S(semop, q, o, 0L); S(semop, -1, 0L, 1L); o[0].sem_op = -50; S(semtimedop, q, o, 1L, &ts); S(semtimedop, q, o, 1L, 0L - 1); S(semctl, q, 0, 99, 1L); S(semctl, q, 0, IPC_RMID, 0L);
  int mq = S(msgget, IPC_PRIVATE, IPC_CREAT | 0600); S(msgget, 0x7ffffff1, 0); struct { long t; char x[40]; } mb = { 7, "hello" }; S(msgsnd, mq, &mb, 5L, 0); S(msgsnd, mq, &mb, 40L, IPC_NOWAIT); mb.t = 0; S(msgsnd, mq, &mb, 1L, 0); S(msgsnd, -1, 0L, 1L, 0);
  S(msgrcv, mq, &mb, 40L, 0L, IPC_NOWAIT); S(msgrcv, mq, &mb, 2L, -9L, MSG_NOERROR); S(msgrcv, mq, &mb, 2L, 1L, IPC_NOWAIT | MSG_EXCEPT); S(msgrcv, mq, &mb, -1L, 1L, 0); S(msgctl, mq, IPC_STAT, b); S(msgctl, mq, IPC_SET, b); S(msgctl, mq, IPC_RMID, 0L); S(msgctl, mq, 99, 0L);
  struct mq_attr at = { 0, 5, 20, 0 }; int p = S(mq_open, "trapline-oracle", O_RDWR | O_CREAT | O_NONBLOCK, 0600, &at); S(mq_open, "trapline-none", O_RDONLY, 0, 0L); S(mq_open, "trapline-two/", O_RDWR | O_CREAT, 0600, 0L);
  S(mq_timedsend, p, "abc", 3L, 4, 0L); S(mq_timedsend, p, "abcdef", 6L, 9, &ts); S(mq_timedreceive, p, b, 20L, &mb, 0L); S(mq_timedreceive, p, b, 2L, 0L, &ts); S(mq_timedreceive, p, b, 20L, 0L, 0L); S(mq_timedreceive, p, b, 20L, 0L, 0L);
  struct sigevent e = { .sigev_notify = SIGEV_NONE }; S(mq_notify, p, &e); S(mq_notify, p, 0L); S(mq_getsetattr, p, 0L, &at); at.mq_flags = 0; S(mq_getsetattr, p, &at, b); S(mq_unlink, "trapline-oracle"); S(mq_unlink, "trapline-oracle"); S(mq_timedsend, 99, "a", 1L, 0, 0L);
  return 0;
}
