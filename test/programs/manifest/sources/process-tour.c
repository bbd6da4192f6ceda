// SPDX-License-Identifier: MIT
//
// Processes: trees, pipelines by hand, exec of itself in chains, posix_spawn, shared memory with locks across
// processes, orphans, sessions, file locks, descriptors passed over a socket, exit handlers.

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static const char *self;

static int status_of(pid_t pid) {
  int status = -1;
  while (waitpid(pid, &status, 0) == -1 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/** Each process adds the sums of its two children to its own number. */
static int tree(int depth, int number) {
  if (depth == 0) return number;
  int sum = number;
  for (int i = 0; i < 2; i++) {
    pid_t pid = fork();
    if (pid == 0) _exit(tree(depth - 1, number + i));
    sum += status_of(pid);
  }
  return sum;
}

static void pipeline(void) {
  int from = -1;
  pid_t pids[5];
  for (int stage = 0; stage < 5; stage++) {
    int ends[2];
    if (pipe(ends)) exit(1);
    pids[stage] = fork();
    if (pids[stage] == 0) {
      close(ends[0]);
      if (stage == 0)
        for (int i = 1; i <= 1000; i++) dprintf(ends[1], "%d\n", i);
      else {
        FILE *in = fdopen(from, "r"), *out = fdopen(ends[1], "w");
        long value;
        while (fscanf(in, "%ld", &value) == 1)
          if (value % (stage + 1) != 0) fprintf(out, "%ld\n", value);
        fclose(out);
      }
      _exit(0);
    }
    close(ends[1]);
    if (from >= 0) close(from);
    from = ends[0];
  }
  FILE *in = fdopen(from, "r");
  long value, count = 0, sum = 0;
  while (fscanf(in, "%ld", &value) == 1) count++, sum += value;
  for (int i = 0; i < 5; i++) status_of(pids[i]);
  printf("pipeline: %ld numbers, sum %ld\n", count, sum);
  fclose(in);
}

static void spawning(void) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, 5, "spawned", O_CREAT | O_RDWR | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 5, 1);
  posix_spawn_file_actions_addclose(&actions, 5);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
  char *arguments[] = {(char *)self, "say", "from the spawned one", NULL};
  pid_t pid;
  printf("spawn: %d", posix_spawn(&pid, self, &actions, &attributes, arguments, environ));
  printf(", status %d", status_of(pid));
  char text[64] = {0};
  int fd = open("spawned", O_RDONLY);
  printf(", wrote %zd: %s", read(fd, text, 63), text);
  close(fd);
  char *none[] = {"none", NULL};
  printf("spawn of nothing: %s\n", strerror(posix_spawn(&pid, "/no/such/program", NULL, NULL, none, environ)));
}

typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t turned;
  pthread_barrier_t barrier;
  int turn, count, owner_died;
} Shared;

static void shared_memory(void) {
  Shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_t mutex;
  pthread_condattr_t condition;
  pthread_barrierattr_t barrier;
  pthread_mutexattr_init(&mutex);
  pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST);
  pthread_condattr_init(&condition);
  pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
  pthread_barrierattr_init(&barrier);
  pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&shared->lock, &mutex);
  pthread_cond_init(&shared->turned, &condition);
  pthread_barrier_init(&shared->barrier, &barrier, 3);
  pid_t pids[3];
  for (int me = 0; me < 3; me++) {
    pids[me] = fork();
    if (pids[me] != 0) continue;
    pthread_barrier_wait(&shared->barrier);
    for (int i = 0; i < 20; i++) {
      pthread_mutex_lock(&shared->lock);
      while (shared->turn != me) pthread_cond_wait(&shared->turned, &shared->lock);
      shared->turn = (me + 1) % 3;
      shared->count++;
      pthread_cond_broadcast(&shared->turned);
      pthread_mutex_unlock(&shared->lock);
    }
    _exit(0);
  }
  for (int i = 0; i < 3; i++) status_of(pids[i]);
  pid_t pid = fork();
  if (pid == 0) {
    pthread_mutex_lock(&shared->lock);
    _exit(0);
  }
  status_of(pid);
  shared->owner_died = pthread_mutex_lock(&shared->lock) == EOWNERDEAD;
  pthread_mutex_consistent(&shared->lock);
  pthread_mutex_unlock(&shared->lock);
  printf("shared: %d turns, the owner died: %d\n", shared->count, shared->owner_died);
}

static void descriptors(void) {
  int pair[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  pid_t pid = fork();
  if (pid == 0) {
    int fd = open("passed", O_CREAT | O_RDWR | O_TRUNC, 0600);
    char byte = 'f', control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    if (write(fd, "written by the child", 20) != 20) _exit(1);
    _exit(sendmsg(pair[1], &message, 0) != 1);
  }
  char byte, control[CMSG_SPACE(sizeof(int))], text[32] = {0};
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  recvmsg(pair[0], &message, 0);
  int fd;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  printf("passed: %zd bytes, \"%s\", status %d\n", pread(fd, text, 31, 0), text, status_of(pid));
}

static void families(void) {
  int ends[2];
  if (pipe(ends)) exit(1);
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  pid_t pid = fork();
  if (pid == 0) {
    pid_t before = getpid(), grandchild = fork();
    if (grandchild == 0) {
      while (getppid() == before) usleep(1000);
      _exit(getppid() == atoi(getenv("TOP")) ? 44 : 45);
    }
    _exit(7);
  }
  int first = status_of(pid), second = status_of(-1);
  printf("child %d, adopted grandchild %d, then %s\n", first, second, wait(NULL) == -1 ? strerror(errno) : "?");
  pid = fork();
  if (pid == 0) {
    int ok = setsid() == getpid() && getpgrp() == getpid() && getsid(0) == getpid();
    _exit(ok && setsid() == -1 && errno == EPERM ? 1 : 0);
  }
  printf("session %d, ", status_of(pid));
  pid = fork();
  if (pid == 0) {
    struct rlimit none = {0, 0}, second_of_time = {1, 2};
    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_CPU, &second_of_time);
    abort();
  }
  printf("abort %d, ", status_of(pid) - 1000 == SIGABRT);
  pid = vfork();
  if (pid == 0) _exit(12);
  printf("vfork %d\n", status_of(pid));
}

static void at_exit(void) { puts("exit handler of the last program"); }

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  self = "/proc/self/exe";
  if (argc > 2 && strcmp(argv[1], "say") == 0) return puts(argv[2]) < 0;
  if (argc > 2 && strcmp(argv[1], "chain") == 0) {
    int left = atoi(argv[2]);
    char number[16];
    snprintf(number, sizeof number, "%d", left - 1);
    if (left > 0) execl(self, argv[0], "chain", number, NULL);
    printf("end of the chain, still process %d\n", getpid() == atoi(getenv("TOP")));
    atexit(at_exit);
    return 21;
  }
  char pid[16];
  snprintf(pid, sizeof pid, "%d", getpid());
  setenv("TOP", pid, 1);
  printf("tree %d\n", tree(4, 1));
  pipeline();
  spawning();
  shared_memory();
  descriptors();
  families();
  int fd = open(self, O_RDONLY | O_CLOEXEC);
  char *arguments[] = {"named", "chain", "5", NULL};
  fexecve(fd, arguments, environ);
  perror("fexecve");
  return 1;
}
