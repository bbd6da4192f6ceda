// SPDX-License-Identifier: MIT
//
// EPOLLEXCLUSIVE: how many of those who wait for one event are woken by it, and what does not go with it.

#define _GNU_SOURCE
#include "outcome.h"
#include "asleep.h"
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static struct epoll_event event(unsigned events) { return (struct epoll_event){.events = events}; }

// Children with an epoll of their own each, the first `exclusive` of them as such, wait for bytes written one by one.
static void waiters(int exclusive, int others, int bytes) {
  int work[2], n = exclusive + others, woken = 0;
  pid_t child[n];
  pipe(work);
  for (int i = 0; i < n; i++) {
    child[i] = fork();
    if (child[i] != 0) continue;
    int e = epoll_create1(0);
    struct epoll_event v = event(EPOLLIN | (i < exclusive ? EPOLLEXCLUSIVE : 0));
    epoll_ctl(e, EPOLL_CTL_ADD, work[0], &v);
    _exit(epoll_wait(e, &v, 1, -1));
  }
  for (int i = 0; i < n; i++) await_asleep(child[i], child[i]);
  for (int i = 0; i < bytes; i++) write(work[1], "x", 1);
  // Who is woken ends, and who is not sleeps on.
  for (int i = 0; i < n; i++) {
    if (await_asleep(child[i], child[i]) == 'S') kill(child[i], SIGKILL);
    int status;
    waitpid(child[i], &status, 0);
    woken += WEXITSTATUS(status);
  }
  printf("%d exclusive, %d others, %d bytes: %d woken\n", exclusive, others, bytes, woken);
}

int main(void) {
  waiters(4, 0, 1);
  waiters(0, 4, 1);
  waiters(3, 2, 1);
  waiters(1, 0, 1);
  waiters(4, 0, 2);
  waiters(4, 0, 3);
  int p[2], e = epoll_create1(0), f = epoll_create1(0);
  pipe(p);
  struct epoll_event v = event(EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT);
  CALL(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &v));
  v = event(EPOLLIN | EPOLLEXCLUSIVE);
  CALL(epoll_ctl(e, EPOLL_CTL_ADD, f, &v));
  CALL(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &v));
  v = event(EPOLLIN | EPOLLEXCLUSIVE | EPOLLET);
  CALL(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &v));
  CALL(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &v));
  v = event(EPOLLIN);
  CALL(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &v));
  CALL(epoll_ctl(e, EPOLL_CTL_DEL, p[0], &v));
  v = event(EPOLLRDHUP | EPOLLEXCLUSIVE);
  CALL(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &v));
  // What is there already is told to everybody.
  write(p[1], "x", 1);
  v = event(EPOLLIN | EPOLLEXCLUSIVE);
  CALL(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &v));
  CALL(epoll_ctl(f, EPOLL_CTL_ADD, p[0], &v));
  CALL(epoll_wait(e, &v, 1, 0));
  CALL(epoll_wait(f, &v, 1, 0));
  return 0;
}
