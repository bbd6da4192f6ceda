// SPDX-License-Identifier: MIT
//
// A server and its clients in one tree of processes: epoll with timers, events, signals and sockets; poll and select.

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENTS = 5, REQUESTS = 20 };

static void client(int socket, int number, int doorbell) {
  long sum = 0;
  for (int i = 0; i < REQUESTS; i++) {
    long request = number * 100 + i, answer;
    if (write(socket, &request, sizeof request) != sizeof request) _exit(1);
    if (read(socket, &answer, sizeof answer) != sizeof answer || answer != request * request) _exit(2);
    sum += answer;
  }
  uint64_t ring = (uint64_t)sum;
  if (write(doorbell, &ring, sizeof ring) != sizeof ring) _exit(3);
  _exit(0);
}

static void watch(int epoll, int fd, uint32_t events, uint64_t tag) {
  struct epoll_event event = {.events = events, .data.u64 = tag};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) perror("epoll_ctl");
}

static void serve(void) {
  int epoll = epoll_create1(EPOLL_CLOEXEC), doorbell = eventfd(0, EFD_NONBLOCK);
  int ticking = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int signals = signalfd(-1, &set, SFD_NONBLOCK);
  int sockets[CLIENTS];
  for (int i = 0; i < CLIENTS; i++) {
    int pair[2];
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
    if (fork() == 0) {
      close(pair[0]);
      client(pair[1], i + 1, doorbell);
    }
    close(pair[1]);
    sockets[i] = pair[0];
    watch(epoll, pair[0], EPOLLIN | EPOLLRDHUP, (uint64_t)i);
  }
  watch(epoll, doorbell, EPOLLIN | EPOLLET, 100);
  watch(epoll, ticking, EPOLLIN, 101);
  watch(epoll, signals, EPOLLIN, 102);
  struct itimerspec times = {{0, 2000000}, {0, 2000000}};
  timerfd_settime(ticking, 0, &times, NULL);
  int ended = 0, requests = 0, hangups = 0;
  uint64_t ticks = 0, rings = 0, value;
  while (ended < CLIENTS || ticks < 3 || hangups < CLIENTS) {
    struct epoll_event events[4];
    int n = epoll_wait(epoll, events, 4, 1000);
    for (int i = 0; i < n; i++) {
      uint64_t tag = events[i].data.u64;
      if (tag == 100) {
        while (read(doorbell, &value, sizeof value) == sizeof value) rings += value;
      } else if (tag == 101) {
        if (read(ticking, &value, sizeof value) == sizeof value) ticks += value;
      } else if (tag == 102) {
        struct signalfd_siginfo info;
        while (read(signals, &info, sizeof info) == sizeof info) continue;
        int status;
        while (waitpid(-1, &status, WNOHANG) > 0) ended += WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : 100;
      } else {
        long request;
        ssize_t length = read(sockets[tag], &request, sizeof request);
        if (length == sizeof request) {
          request *= request;
          requests += write(sockets[tag], &request, sizeof request) == sizeof request;
        } else {
          hangups++;
          epoll_ctl(epoll, EPOLL_CTL_DEL, sockets[tag], NULL);
          close(sockets[tag]);
        }
      }
    }
  }
  while (read(doorbell, &value, sizeof value) == sizeof value) rings += value;
  printf("served %d, ended %d, hung up %d, sum %llu, ticked %d\n", requests, ended, hangups, (unsigned long long)rings, ticks >= 3);
}

static void polling(void) {
  int ends[3][2];
  for (int i = 0; i < 3; i++)
    if (pipe(ends[i])) return;
  if (write(ends[1][1], "x", 1) != 1) return;
  close(ends[2][1]);
  struct pollfd fds[4];
  for (int i = 0; i < 3; i++) fds[i] = (struct pollfd){ends[i][0], POLLIN, 0};
  fds[3] = (struct pollfd){999, POLLIN, 0};
  printf("poll %d:", poll(fds, 4, 0));
  for (int i = 0; i < 4; i++) printf(" %x", fds[i].revents);
  fd_set reading;
  FD_ZERO(&reading);
  for (int i = 0; i < 3; i++) FD_SET(ends[i][0], &reading);
  struct timeval soon = {0, 1000};
  int ready = select(ends[2][1] + 10, &reading, NULL, NULL, &soon);
  printf("; select %d: %d%d%d", ready, FD_ISSET(ends[0][0], &reading) != 0, FD_ISSET(ends[1][0], &reading) != 0, FD_ISSET(ends[2][0], &reading) != 0);
  printf("; timeout %d", poll(fds, 1, 5));
  char buffer[70000] = {0};
  int pair[2];
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
  long sent = 0, got = 0, n;
  while ((n = write(pair[0], buffer, sizeof buffer)) > 0) sent += n;
  printf("; full: %s", strerror(errno));
  while ((n = read(pair[1], buffer, sizeof buffer)) > 0) got += n;
  close(pair[1]);
  signal(SIGPIPE, SIG_IGN);
  printf(", all came: %d; then %s\n", sent == got && sent > 0, write(pair[0], "x", 1) == -1 ? strerror(errno) : "?");
}

int main(void) {
  serve();
  polling();
  return 0;
}
