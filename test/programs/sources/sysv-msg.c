// SPDX-License-Identifier: MIT
//
// System V message queues: types, order, sleeping senders and receivers, rights, and each error of the manual pages.

#define _GNU_SOURCE
#include "outcome.h"
#include "asleep.h"
#include <limits.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif

struct message { long type; char text[9000]; };
static int id;
static struct message m;

static int send1(long type, const char *text, int flags) {
  struct message s = {type};
  strcpy(s.text, text);
  return msgsnd(id, &s, strlen(text) + 1, flags);
}

static int take(size_t room, long type, int flags) {
  memset(&m, 0, sizeof m);
  int r = msgrcv(id, &m, room, type, flags);
  if (r >= 0) printf("type %ld \"%s\" ", m.type, m.text);
  return r;
}

static void fill(void) {
  send1(3, "three", 0);
  send1(1, "one", 0);
  send1(2, "two", 0);
  send1(3, "another three", 0);
  send1(5, "five", 0);
}

static void order(void) {
  fill();
  CALL(take(100, 0, 0));
  CALL(take(100, 3, 0));
  CALL(take(100, -4, 0));
  CALL(take(100, 2, MSG_EXCEPT));
  CALL(take(3, 0, 0));
  CALL(take(3, 0, MSG_NOERROR));
  CALL(take(100, 0, IPC_NOWAIT));
  CALL(take(100, 7, IPC_NOWAIT));
  fill();
  CALL(take(100, LONG_MIN, 0));
  CALL(take(100, -1, IPC_NOWAIT));
  CALL(take(100, -2, 0));
  while (msgrcv(id, &m, 9000, 0, IPC_NOWAIT) >= 0);
  CALL(send1(4, "", 0));
  CALL(take(0, 4, 0));
  struct message empty = {8};
  CALL(msgsnd(id, &empty, 0, 0));
  CALL(msgrcv(id, &m, 0, 0, 0));
}

static void limits(void) {
  struct message s = {1};
  CALL(msgsnd(id, &s, 8192, 0));
  CALL(msgsnd(id, &s, 8193, 0));
  CALL(msgsnd(id, &s, -1, 0));
  CALL(msgsnd(id, &s, 8192, IPC_NOWAIT));
  CALL(msgsnd(id, &s, 1, IPC_NOWAIT));
  struct msqid_ds ds;
  CALL(msgctl(id, IPC_STAT, &ds));
  printf("qnum %d cbytes %d qbytes %d lspid %d lrpid %d stime %d rtime %d mode %o\n", (int)ds.msg_qnum, (int)ds.__msg_cbytes,
         (int)ds.msg_qbytes, ds.msg_lspid == getpid(), ds.msg_lrpid == getpid(), ds.msg_stime > 0, ds.msg_rtime > 0, ds.msg_perm.mode);
  ds.msg_qbytes = 100;
  CALL(msgctl(id, IPC_SET, &ds));
  CALL(msgsnd(id, &s, 1, IPC_NOWAIT));
  ds.msg_qbytes = 16384;
  CALL(msgctl(id, IPC_SET, &ds));
  while (msgrcv(id, &m, 9000, 0, IPC_NOWAIT) >= 0);
  s.type = 0;
  CALL(msgsnd(id, &s, 1, 0));
  s.type = -3;
  CALL(msgsnd(id, &s, 1, 0));
  s.type = 1;
  CALL(msgsnd(id, (void *)8, 1, 0));
  CALL(msgsnd(-1, &s, 1, 0));
  CALL(msgsnd(id + 32768, &s, 1, 0));
  CALL(msgsnd(0x7fffffff, &s, 1, 0));
  CALL(msgrcv(-1, &m, 1, 0, 0));
  CALL(msgrcv(id, &m, -1, 0, 0));
  CALL(msgrcv(id + 32768, &m, 1, 0, 0));
  CALL(msgrcv(id, &m, 1, 0, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT));
  CALL(msgrcv(id, &m, 1, 0, MSG_COPY));
  send1(1, "lost", 0);
  CALL(msgrcv(id, (void *)8, 100, 0, 0));
  CALL(take(100, 0, IPC_NOWAIT));
}

static long messages(void) {
  struct msqid_ds ds;
  msgctl(id, IPC_STAT, &ds);
  return ds.msg_qnum;
}

static int receiver(size_t room, long type, int flags) {
  fflush(stdout);
  int p = fork();
  if (p == 0) {
    int r = take(room, type, flags);
    int e = errno;
    printf(r < 0 ? "receiver: errno %d\n" : "receiver: %d\n", r < 0 ? e : r);
    fflush(stdout);
    _exit(0);
  }
  await_asleep(p, p);
  return p;
}

static void nothing(int s) {}

static void sleeping(void) {
  int p = receiver(100, 6, 0);
  send1(5, "not for it", 0);
  send1(6, "for it", 0);
  waitpid(p, 0, 0);
  SHOW(messages());
  p = receiver(100, -6, 0);
  waitpid(p, 0, 0);
  p = receiver(2, 6, 0);
  int sent = send1(6, "too long", 0);
  waitpid(p, 0, 0);
  SHOW(sent);
  SHOW(messages());
  CALL(take(2, 6, MSG_NOERROR));
  p = receiver(100, 9, MSG_EXCEPT);
  send1(9, "nine", 0);
  send1(8, "eight", 0);
  waitpid(p, 0, 0);
  CALL(take(100, 0, 0));
  struct message s = {1};
  msgsnd(id, &s, 8192, 0);
  msgsnd(id, &s, 8192, 0);
  fflush(stdout);
  p = fork();
  if (p == 0) _exit(msgsnd(id, &s, 1000, 0) < 0 ? errno : 0);
  await_asleep(p, p);
  SHOW(messages());
  CALL(msgrcv(id, &m, 9000, 0, 0));
  waitpid(p, &sent, 0);
  SHOW(sent);
  SHOW(messages());
  while (msgrcv(id, &m, 9000, 0, IPC_NOWAIT) >= 0);
  struct sigaction a = {.sa_handler = nothing, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &a, 0);
  // Again and again: the first may come before the call.
  ualarm(10000, 10000);
  CALL(take(100, 0, 0));
  ualarm(0, 0);
}

static void control(void) {
  struct msqid_ds ds;
  struct msginfo info;
  CALL(msgctl(-1, IPC_STAT, &ds));
  CALL(msgctl(id, -1, &ds));
  CALL(msgctl(id, 55, &ds));
  CALL(msgctl(id + 32768, IPC_STAT, &ds));
  CALL(msgctl(id, IPC_STAT, (void *)8));
  CALL(msgctl(id, IPC_SET, (void *)8));
  CALL(msgctl(0, IPC_INFO, (void *)&info) >= 0);
  printf("%d %d %d %d %d %d %d %d\n", info.msgpool, info.msgmap, info.msgmax, info.msgmnb, info.msgmni, info.msgssz, info.msgtql, info.msgseg);
  send1(1, "counted", 0);
  CALL(msgctl(0, MSG_INFO, (void *)&info) >= 0);
  printf("in use %d\n", info.msgpool > 0 && info.msgmap > 0 && info.msgtql >= 8);
  CALL(msgctl(0, MSG_INFO, (void *)8));
  CALL(msgctl(id & 32767, MSG_STAT, &ds) == id);
  CALL(msgctl(32767, MSG_STAT, &ds));
  msgctl(id, IPC_STAT, &ds);
  NOBODY({
    CALL(send1(1, "x", 0));
    CALL(take(100, 0, IPC_NOWAIT));
    CALL(msgctl(id, IPC_STAT, &ds));
    CALL(msgctl(id & 32767, MSG_STAT, &ds));
    CALL(msgctl(id & 32767, MSG_STAT_ANY, &ds) == id);
    CALL(msgctl(id, IPC_SET, &ds));
    CALL(msgctl(id, IPC_RMID, 0));
  });
  ds.msg_perm.uid = 65534;
  ds.msg_perm.mode = 0666;
  CALL(msgctl(id, IPC_SET, &ds));
  NOBODY({
    ds.msg_qbytes = 16385;
    CALL(msgctl(id, IPC_SET, &ds));
    ds.msg_qbytes = 16000;
    CALL(msgctl(id, IPC_SET, &ds));
    CALL(send1(1, "x", 0));
  });
  key_t key = 0x54524150 ^ getpid();
  int other = OK(msgget(key, IPC_CREAT | IPC_EXCL | 0600));
  CALL(msgget(key, IPC_CREAT | IPC_EXCL | 0600));
  CALL(msgget(key, 0) == other);
  CALL(msgget(key + 1, 0));
  NOBODY({ CALL(msgget(key, 0600)); });
  CALL(msgctl(other, IPC_RMID, 0));
}

static void removal(void) {
  while (msgrcv(id, &m, 9000, 0, IPC_NOWAIT) >= 0);
  FILE *f = fopen("/proc/sysvipc/msg", "r");
  char line[300];
  while (f && fgets(line, sizeof line, f)) {
    int key, one, perms, bytes, n;
    if (sscanf(line, "%d %d %o %d %d", &key, &one, &perms, &bytes, &n) == 5 && one == id) printf("listed: %d %o %d %d\n", key, perms, bytes, n);
  }
  int p = receiver(100, 0, 0);
  int gone = msgctl(id, IPC_RMID, 0);
  waitpid(p, 0, 0);
  SHOW(gone);
  CALL(send1(1, "x", 0));
  id = msgget(IPC_PRIVATE, 0600);
  struct message s = {1};
  msgsnd(id, &s, 8192, 0);
  msgsnd(id, &s, 8192, 0);
  fflush(stdout);
  p = fork();
  if (p == 0) _exit(msgsnd(id, &s, 1, 0) < 0 ? errno : 0);
  await_asleep(p, p);
  CALL(msgctl(id, IPC_RMID, 0));
  waitpid(p, &gone, 0);
  SHOW(WEXITSTATUS(gone));
}

int main(void) {
  id = OK(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
  order();
  limits();
  sleeping();
  control();
  removal();
}
