// SPDX-License-Identifier: MIT
//
// /proc/<pid>/io, sched, stack and numa_maps, of processes and of threads: line by line what any Linux gives, counted
// against what this program has done, and who may look.

#define _GNU_SOURCE
#include "say.h"
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

static char text[1 << 16];

static int slurp(const char *path) {
  text[0] = 0;
  int fd = open(path, O_RDONLY);
  if (fd < 0) return -1;
  int n = 0, r;
  while ((r = read(fd, text + n, sizeof text - 1 - n)) > 0) n += r;
  int e = errno;
  close(fd);
  errno = e;
  text[n] = 0;
  return r < 0 ? -1 : n;
}

// ---- io

struct io { long rchar, wchar, syscr, syscw, read, write, cancelled; };

static struct io take(const char *path) {
  struct io io = {-1, -1, -1, -1, -1, -1, -1};
  int fd = open(path, O_RDONLY), n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n < 0) n = 0;
  text[n] = 0;
  int fields = sscanf(text, "rchar: %ld\nwchar: %ld\nsyscr: %ld\nsyscw: %ld\nread_bytes: %ld\nwrite_bytes: %ld\ncancelled_write_bytes: %ld\n",
    &io.rchar, &io.wchar, &io.syscr, &io.syscw, &io.read, &io.write, &io.cancelled);
  if (fields != 7) printf("%d fields\n", fields);
  return io;
}
static struct io before;
/** The look itself reads the file after it was made. */
static void from_here(void) {
  fflush(stdout);
  before = take("/proc/self/io");
  before.rchar += strlen(text);
  before.syscr++;
}
static void counted(int line, const char *what) {
  struct io now = take("/proc/self/io");
  printf("%d %s: rchar %ld wchar %ld syscr %ld syscw %ld\n", line, what, now.rchar - before.rchar, now.wchar - before.wchar,
    now.syscr - before.syscr, now.syscw - before.syscw);
  from_here();
}
// Does something and shows what has been counted.
#define C(x) do { x; counted(__LINE__, #x); } while (0)

static struct io of_thread;
static void *reads_seven(void *file) {
  char bytes[7];
  char path[64];
  pread(*(int *)file, bytes, 7, 0);
  snprintf(path, sizeof path, "/proc/self/task/%d/io", gettid());
  of_thread = take(path);
  return 0;
}

static void io(void) {
  char bytes[4096] = "";
  int file = memfd_create("a", 0), other = memfd_create("b", 0), pipes[2], pair[2];
  struct iovec two[2] = {{bytes, 10}, {bytes + 10, 5}};
  ftruncate(file, 1000);
  pipe2(pipes, O_NONBLOCK);
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  from_here();
  C(read(file, bytes, 100));
  C(write(other, bytes, 200));
  C(read(file, bytes, 0));
  C(pread(file, bytes, 100, 900));
  C(pread(file, bytes, 100, 5000));
  C(pwrite(other, bytes, 30, 10));
  C(readv(file, two, 2));
  C(writev(other, two, 2));
  C(preadv(file, two, 2, 0));
  C(pwritev(other, two, 2, 0));
  C(preadv2(file, two, 2, 0, 0));
  C(pwritev2(other, two, 2, 0, 0));
  C(sendfile(other, file, &(off_t){0}, 50));
  C(copy_file_range(file, &(loff_t){0}, other, &(loff_t){0}, 60, 0));
  C(write(pipes[1], bytes, 70));
  C(read(pipes[0], bytes, sizeof bytes));
  C(read(pipes[0], bytes, sizeof bytes));
  C(splice(file, &(loff_t){0}, pipes[1], 0, 80, 0));
  C(tee(pipes[0], pipes[1], 80, 0));
  C(send(pair[0], bytes, 90, 0));
  C(recv(pair[1], bytes, 90, 0));
  C(write(pair[0], bytes, 90));
  C(read(pair[1], bytes, 90));
  C(read(-1, bytes, 1));
  C(write(-1, bytes, 1));
  C(read(pipes[1], bytes, 1));
  C(read(file, (void *)8, 1));
  C(pread(pipes[0], bytes, 1, 0));
  C(pread(file, bytes, 1, -1));
  C(ftruncate(file, 500));
  C(lseek(file, 0, SEEK_SET));
  // What is asleep meanwhile is counted once, when it is over.
  int quiet[2];
  pipe(quiet);
  from_here();
  pid_t pid = fork();
  if (pid == 0) {
    usleep(1000);
    write(quiet[1], bytes, 11);
    write(quiet[1], bytes, 11);
    pread(file, bytes, 100, 0);
    _exit(0);
  }
  C(read(quiet[0], bytes, 11));
  waitid(P_PID, pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
  C((void)0);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/io", pid);
  struct io zombie = take(path);
  printf("zombie: rchar %ld wchar %ld syscr %ld syscw %ld\n", zombie.rchar, zombie.wchar, zombie.syscr, zombie.syscw);
  from_here();
  C(waitpid(pid, 0, 0));
  pthread_t thread;
  pthread_create(&thread, 0, reads_seven, &file);
  pthread_join(thread, 0);
  printf("thread: rchar %ld syscr %ld\n", of_thread.rchar, of_thread.syscr);
  struct io process = take("/proc/self/io");
  snprintf(path, sizeof path, "/proc/self/task/%d/io", getpid());
  struct io first = take(path);
  T(process.syscw > first.syscw && process.syscr > first.syscr);
  printf("%ld %ld\n", process.read >= 0, process.cancelled);
  close(file), close(other), close(quiet[0]), close(quiet[1]), close(pipes[0]), close(pipes[1]), close(pair[0]), close(pair[1]);
}

// ---- sched

static double value(const char *name) {
  char wanted[64];
  snprintf(wanted, sizeof wanted, "\n%s ", name);
  char *at = strstr(text, wanted);
  return at ? strtod(strchr(at, ':') + 1, 0) : -1;
}

static void scheduling(const char *path) {
  T(slurp(path) > 0);
  printf("%.*s\n", (int)(strchr(text, '(') - text), text);
  T(strstr(text, ", #threads: ") != 0);
  char copy[sizeof text], *rest = copy;
  strcpy(copy, text);
  for (char *line; (line = strsep(&rest, "\n")) && rest;) {
    char *colon = strchr(line, ':');
    // What one version calls otherwise than the next one.
    if (strncmp(line, "se.slice", 8) == 0 || strncmp(line, "se.avg.util_est", 15) == 0) continue;
    if (line == copy) printf("title\n");
    else if (!colon || line[0] == '-' || strncmp(line, "current_node", 12) == 0) printf("%s\n", line);
    else printf("%.*s at %d of %d, point %d\n", (int)(strcspn(line, " ")), line, (int)(colon - line), (int)strlen(line), strchr(colon, '.') ? (int)(strchr(colon, '.') - line) : 0);
  }
  T(value("nr_switches") == value("nr_voluntary_switches") + value("nr_involuntary_switches"));
  T(value("se.nr_migrations") >= 0);
  T(value("se.exec_start") > 0);
}

static void shares(void) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    static const int policies[][3] = {{SCHED_OTHER, 0, 0}, {SCHED_OTHER, 0, 5}, {SCHED_OTHER, 0, 19}, {SCHED_OTHER, 0, -20}, {SCHED_BATCH, 0, -7},
      {SCHED_IDLE, 0, 3}, {SCHED_FIFO, 1, 3}, {SCHED_RR, 10, 0}};
    for (int i = 0; i < sizeof policies / sizeof *policies; i++) {
      struct sched_param parameter = {policies[i][1]};
      T(sched_setscheduler(0, policies[i][0], &parameter));
      setpriority(PRIO_PROCESS, 0, policies[i][2]);
      slurp("/proc/self/sched");
      printf("policy %g prio %g", value("policy"), value("prio"));
      // A task of real time keeps the weight that it had.
      if (policies[i][1] == 0) printf(" weight %g load %g", value("se.load.weight"), value("se.load.weight") / 1024);
      printf("\n");
    }
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(pid, &status, 0);
  T(status);
  int fd = open("/proc/self/sched", O_RDWR);
  T(write(fd, "0", 1));
  T(write(fd, "anything", 8));
  close(fd);
}

// ---- numa_maps

/** The words behind an address, without those that change with the age of a page. */
static void area(const char *what, void *at) {
  char start[32];
  if (slurp("/proc/self/numa_maps") < 0) { printf("%s\n", name_of(errno)); return; }
  snprintf(start, sizeof start, "%08lx ", (long)at);
  char *line = strncmp(text, start, strlen(start)) == 0 ? text : strstr(text, (sprintf(start, "\n%08lx ", (long)at), start));
  if (!line) { printf("%s: no line\n", what); return; }
  line = strchr(line, ' ') + 1;
  *strchr(line, '\n') = 0;
  printf("%s:", what);
  for (char *word; (word = strsep(&line, " "));) if (strncmp(word, "active=", 7)) printf(" %s", word);
  printf("\n");
}

#define PAGES(n) ((n) * 4096L)
enum { BIND = 2, INTERLEAVE = 3, LOCAL = 4, PREFERRED = 1, STATIC = 0x8000, RELATIVE = 0x4000 };

static void memory(void) {
  // Fences keep areas from becoming one.
  char *place = mmap(0, PAGES(64), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int file = memfd_create("a file=\n\t", 0);
  ftruncate(file, PAGES(4));
  char *a = mmap(place + PAGES(2), PAGES(8), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  char *b = mmap(place + PAGES(12), PAGES(4), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  char *c = mmap(place + PAGES(18), PAGES(4), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
  char *d = mmap(place + PAGES(24), PAGES(4), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, 0);
  area("fence", place);
  area("untouched", a);
  memset(a, 1, PAGES(3));
  area("three", a);
  // The page of zeros is nobody's.
  T(((volatile char *)a)[PAGES(5)]);
  area("three and zeros", a);
  madvise(a, 4096, MADV_DONTNEED);
  area("two", a);
  area("shared, untouched", b);
  memset(b, 1, PAGES(2));
  area("shared", b);
  area("file, untouched", c);
  c[0] = c[PAGES(3)] = 1;
  area("file", c);
  area("private, untouched", d);
  d[PAGES(1)] = 1;
  area("private", d);
  munmap(c, PAGES(4));
  area("gone", c);
  char *heap = sbrk(0);
  sbrk(PAGES(4));
  slurp("/proc/self/numa_maps");
  T(strstr(text, " heap") != 0);
  T(strstr(text, " stack ") != 0);
  T(strstr(text, " kernelpagesize_kB=4\n") != 0);
  // Every area of maps has its line, in the same order.
  char *maps = malloc(1 << 16);
  slurp("/proc/self/maps");
  strcpy(maps, text);
  slurp("/proc/self/numa_maps");
  int same = 0, others = 0;
  char *left = maps, *right = text;
  for (char *m; (m = strsep(&left, "\n")) && *m;) {
    if (strstr(m, "[vsyscall]")) continue;
    char *n = strsep(&right, "\n");
    if (n && strtoul(m, 0, 16) == strtoul(n, 0, 16)) same++;
    else others++;
  }
  free(maps);
  T(same > 8);
  T(others);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    area("of two processes", a);
    a[PAGES(1)] = 2;
    area("one page more is its own", a);
    fflush(stdout);
    _exit(0);
  }
  waitpid(pid, 0, 0);
  static const int modes[] = {BIND, INTERLEAVE, PREFERRED, BIND | STATIC, PREFERRED | RELATIVE, LOCAL, 0};
  for (int i = 0; i < sizeof modes / sizeof *modes; i++) {
    unsigned long node = 1, none = 0;
    T(SC(set_mempolicy, modes[i], modes[i] == LOCAL || modes[i] == 0 ? &none : &node, 64));
    area("policy", a);
  }
  munmap(place, PAGES(64));
  close(file);
}

// ---- who may look

static const char *const files[] = {"/proc/%d/io", "/proc/%d/sched", "/proc/%d/stack", "/proc/%d/numa_maps", "/proc/%d/task/%d/io",
  "/proc/%d/task/%d/sched", "/proc/%d/task/%d/stack", "/proc/%d/task/%d/numa_maps"};

static void all(int pid) {
  for (int i = 0; i < sizeof files / sizeof *files; i++) {
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, files[i], pid, pid);
    errno = 0;
    if (stat(path, &st)) { printf("%s: %s\n", files[i], name_of(errno)); continue; }
    printf("%s: mode %o uid %d gid %d size %ld, ", files[i], st.st_mode, st.st_uid, st.st_gid, (long)st.st_size);
    int fd = open(path, O_RDONLY);
    printf("open %s", fd < 0 ? name_of(errno) : "ok");
    if (fd >= 0) printf(", read %s", read(fd, text, 4096) < 0 ? name_of(errno) : "ok"), close(fd);
    fd = open(path, O_WRONLY);
    printf(", to write %s\n", fd < 0 ? name_of(errno) : "ok");
    if (fd >= 0) close(fd);
  }
}

static void as(int uid, int pid) {
  printf("-- as %d\n", uid);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    alarm(600);
    setgroups(0, 0);
    if (setresgid(uid, uid, uid) | setresuid(uid, uid, uid)) _exit(9);
    all(pid);
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  T(status);
}

static void others(void) {
  int ready[2], done[2];
  char c;
  pipe(ready), pipe(done);
  printf("-- own\n");
  all(getpid());
  for (int open = 0; open < 2; open++) {
    printf("-- %s\n", open ? "open" : "hidden");
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
      alarm(600);
      close(done[1]);
      setgroups(0, 0);
      if (setresgid(1234, 1234, 1234) | setresuid(1234, 1234, 1234)) _exit(9);
      if (open) prctl(PR_SET_DUMPABLE, 1);
      write(ready[1], "", 1);
      read(done[0], &c, 1);
      _exit(0);
    }
    read(ready[0], &c, 1);
    as(0, pid);
    as(1234, pid);
    as(1235, pid);
    write(done[1], "", 1);
    waitid(P_PID, pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
    printf("-- zombie\n");
    all(pid);
    waitpid(pid, 0, 0);
    all(pid);
  }
}

int main(void) {
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  alarm(600);
  io();
  scheduling("/proc/self/sched");
  scheduling("/proc/thread-self/sched");
  shares();
  memory();
  others();
  return 0;
}
