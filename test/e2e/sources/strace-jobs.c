// SPDX-License-Identifier: MIT
//
// Children that stop, go on, die of signals of all kinds, and what their parent hears of it. Harmless for root. Nothing
// depends on time: who waits for a signal has it blocked before it says so, and of a stop and the end behind it, whose
// signals may become one, the parent does not want to hear the first.

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

static int ready[2];
static sigset_t none, blocked;

/** In the child: waits for one of the blocked signals, and tells the parent that it does. */
static void await_signal(void) { write(ready[1], "!", 1); sigsuspend(&none); }
/** In the parent. */
static void await_child(void) { char c; read(ready[0], &c, 1); }

int main(void) {
  alarm(300);
  int s; siginfo_t si;
  struct sigaction a = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
  pipe(ready); sigemptyset(&none); sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1); sigaddset(&blocked, SIGTERM); sigaddset(&blocked, SIGRTMIN + 2);
  sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP }, 0);
  pid_t c = fork();
  if (c == 0) { raise(SIGSTOP); _exit(3); }
  waitpid(c, &s, WUNTRACED); kill(c, SIGCONT); waitpid(c, &s, 0);
  sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL }, 0);
  c = fork();
  if (c == 0) { raise(SIGSTOP); _exit(4); }
  waitpid(c, &s, WUNTRACED); kill(c, SIGKILL); waitpid(c, &s, 0);
  c = fork();
  if (c == 0) { sigprocmask(SIG_BLOCK, &blocked, 0); sigaction(SIGUSR1, &a, 0); sigaction(SIGRTMIN + 2, &a, 0); await_signal(); await_signal(); abort(); }
  await_child(); kill(c, SIGUSR1); await_child(); sigqueue(c, SIGRTMIN + 2, (union sigval){ .sival_int = 5 }); waitid(P_PID, c, &si, WEXITED | WNOWAIT); waitid(P_PID, c, &si, WEXITED);
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
  if (c == 0) { setsid(); setpgid(0, 0); sigprocmask(SIG_BLOCK, &blocked, 0); await_signal(); }
  await_child(); kill(c, SIGTERM); wait(&s); kill(c, 0); getsid(0);
  struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 9 };
  timer_t id; syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id); sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR2); sigprocmask(SIG_BLOCK, &set, 0);
  struct itimerspec it = { { 0, 0 }, { 0, 1000000 } }; syscall(SYS_timer_settime, id, 0, &it, 0L); sigwaitinfo(&set, &si);
  raise(SIGTERM);
}
