// SPDX-License-Identifier: MIT
//
// Children that stop, go on, die of signals of all kinds, and what their parent hears of it. Harmless for root.

#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sys/syscall.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <errno.h>
#include <time.h>
static void handler(int n, siginfo_t *i, void *c) {}
int main(void) {
  alarm(20);
  int s; siginfo_t si;
  struct sigaction a = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
  sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL }, 0);
  pid_t c = fork();
  if (c == 0) { raise(SIGSTOP); _exit(3); }
  waitpid(c, &s, WUNTRACED); kill(c, SIGCONT); waitpid(c, &s, 0);
  c = fork();
  if (c == 0) { sigset_t none; sigaction(SIGUSR1, &a, 0); sigaction(SIGRTMIN + 2, &a, 0); sigemptyset(&none); sigsuspend(&none); pause(); abort(); }
  struct timespec t = { 0, 30000000 }; nanosleep(&t, 0);
  kill(c, SIGUSR1); nanosleep(&t, 0); sigqueue(c, SIGRTMIN + 2, (union sigval){ .sival_int = 5 }); waitid(P_PID, c, &si, WEXITED | WNOWAIT); waitid(P_PID, c, &si, WEXITED);
  c = fork();
  if (c == 0) { volatile int z = 0; signal(SIGFPE, SIG_DFL); z = 1 / z; }
  wait(&s);
  c = fork();
  if (c == 0) { ((void (*)(void))0x10)(); }
  wait(&s);
  c = vfork();
  if (c == 0) _exit(7);
  wait(&s);
  c = fork();
  if (c == 0) { setsid(); setpgid(0, 0); for (;;) pause(); }
  nanosleep(&t, 0); kill(c, SIGTERM); wait(&s); kill(c, 0); getsid(0);
  struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 9 };
  timer_t id; syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id); sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR2); sigprocmask(SIG_BLOCK, &set, 0);
  struct itimerspec it = { { 0, 0 }, { 0, 1000000 } }; syscall(SYS_timer_settime, id, 0, &it, 0L); sigwaitinfo(&set, &si);
  raise(SIGTERM);
}
