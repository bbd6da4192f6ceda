// SPDX-License-Identifier: MIT
//
// Takes of everything that passes between processes as much as it gets: each must end in an error. For a sandbox only.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char block[200000];

static void until(const char *what, int (*step)(int)) {
  int i = 0;
  while (i < 2000000 && step(i) >= 0) i++;
  printf("%s: %s after %d\n", what, i < 2000000 ? strerror(errno) : "never", i);
  fflush(stdout);
}

static int sets(int i) { return semget(IPC_PRIVATE, 32000, 0600); }
static int segments(int i) { return shmget(IPC_PRIVATE, 1 << 20, 0600); }
static int queues(int i) { return msgget(IPC_PRIVATE, 0600); }
static int id;
static int messages(int i) {
  static struct { long type; char text[8000]; } m = {1};
  if (i % 2 == 0) id = i / 2;
  return msgsnd(id, &m, 8000, IPC_NOWAIT);
}
static int empty(int i) {
  static long m = 1;
  return msgsnd(0, &m, 0, IPC_NOWAIT);
}
static int posix(int i) {
  char name[20];
  sprintf(name, "/q%d", i);
  struct mq_attr a = {.mq_maxmsg = 1, .mq_msgsize = 1};
  int q = mq_open(name, O_CREAT | O_RDWR | O_NONBLOCK, 0600, &a);
  return q < 0 ? q : close(q);
}
static int pair[2];
static int datagrams(int i) { return send(pair[0], "x", 1, MSG_DONTWAIT); }
static int in_flight(int i) {
  int p[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) < 0) return -1;
  char control[CMSG_SPACE(8)] = {0};
  struct iovec v = {"x", 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(8);
  memcpy(CMSG_DATA(h), p, 8);
  // A ring of two that nobody can reach any more.
  int r = sendmsg(p[0], &m, 0) < 0 || sendmsg(p[1], &m, 0) < 0 ? -1 : 0, e = errno;
  close(p[0]), close(p[1]);
  errno = e;
  return i < 30000 ? r : (errno = ERANGE, -1);
}
static int chain(int i) {
  // Each socket lies in the queue of the next: as deep as there are descriptors for them.
  static int last = -1;
  int p[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) < 0) return -1;
  if (last >= 0) {
    char control[CMSG_SPACE(4)] = {0};
    struct iovec v = {"x", 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(4);
    memcpy(CMSG_DATA(h), &last, 4);
    int r = sendmsg(p[0], &m, 0), e = errno;
    close(last);
    errno = e;
    if (r < 0) return -1;
  }
  close(p[0]);
  last = p[1];
  if (i == 50000) {
    close(last);
    errno = ERANGE;
    return -1;
  }
  return 0;
}
static int names(int i) {
  struct sockaddr_un a = {AF_UNIX};
  int s = socket(AF_UNIX, SOCK_DGRAM, 0);
  return s < 0 ? s : bind(s, (void *)&a, 2);
}
static int instances(int i) { return inotify_init(); }
static int n;
static int watches(int i) {
  char name[30];
  sprintf(name, "/tmp/w/%d", i);
  mkdir(name, 0700);
  return inotify_add_watch(n, name, IN_ALL_EVENTS);
}
static int events(int i) {
  char c[16];
  close(open(i % 2 ? "/tmp/e/a" : "/tmp/e/b", O_CREAT | O_RDWR, 0600));
  return i < 30000 ? 0 : (errno = ERANGE, -1);
}

int main(void) {
  until("semaphores", sets);
  until("segments", segments);
  until("queues", queues);
  until("messages", messages);
  for (int i = 0; i < 40000; i++) msgctl(i, IPC_RMID, 0), semctl(i, 0, IPC_RMID);
  msgget(IPC_PRIVATE, 0600);
  until("posix queues", posix);
  socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
  int size = 1 << 30;
  setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, 4);
  until("datagrams", datagrams);
  close(pair[0]), close(pair[1]);
  until("rings of sockets", in_flight);
  until("a chain of sockets", chain);
  if (fork() == 0) {
    until("names", names);
    _exit(0);
  }
  wait(0);
  if (fork() == 0) {
    until("inotify instances", instances);
    _exit(0);
  }
  wait(0);
  n = inotify_init1(IN_NONBLOCK);
  mkdir("/tmp/w", 0700), mkdir("/tmp/e", 0700);
  until("watches", watches);
  close(n);
  n = inotify_init1(IN_NONBLOCK);
  inotify_add_watch(n, "/tmp/e", IN_ALL_EVENTS);
  until("events", events);
  int read_events = 0, r;
  while ((r = read(n, block, sizeof block)) > 0) read_events += r / 32;
  printf("kept %d\n", read_events);
  // Sleepers on one set, each with many operations.
  int set = semget(IPC_PRIVATE, 500, 0600);
  struct sembuf ops[500];
  for (int i = 0; i < 500; i++) ops[i] = (struct sembuf){i, i == 499 ? -1 : 0, 0};
  int children = 0;
  for (; children < 300; children++) {
    int p = fork();
    if (p < 0) break;
    if (p == 0) {
      semop(set, ops, 500);
      _exit(0);
    }
  }
  usleep(100000);
  for (int i = 0; i < 2000; i++) {
    struct sembuf up = {0, 1, 0}, down = {0, -1, 0};
    semop(set, &up, 1), semop(set, &down, 1);
  }
  semctl(set, 0, IPC_RMID);
  while (wait(0) > 0);
  printf("sleepers %d\n", children);
}
