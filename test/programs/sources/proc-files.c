// SPDX-License-Identifier: MIT
//
// /proc as programs read it: what the files of a process say of a process that this program has made so, by fields and
// shapes that any Linux gives; who may look into whom; what can be written; what is left when a process ends.

#define _GNU_SOURCE
#include "say.h"
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
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
/** What a file is to this process: readable or the error. */
static void look(const char *format, int pid) {
  char path[128];
  snprintf(path, sizeof path, format, pid);
  errno = 0;
  int n = slurp(path);
  printf("%s: %s\n", format, n >= 0 ? "can be read" : name_of(errno));
}
static void linked(const char *format, int pid) {
  char path[128], to[4096];
  snprintf(path, sizeof path, format, pid);
  errno = 0;
  int n = readlink(path, to, sizeof to - 1);
  printf("%s: %s\n", format, n >= 0 ? "is a link" : name_of(errno));
}
/** The line `name:` of a status-like file. */
static const char *field(const char *name) {
  static char value[256];
  char wanted[64];
  snprintf(wanted, sizeof wanted, "\n%s:", name);
  const char *at = strncmp(text, wanted + 1, strlen(wanted) - 1) == 0 ? text - 1 : strstr(text, wanted);
  if (!at) return "(none)";
  sscanf(at + strlen(wanted), " %255[^\n]", value);
  return value;
}
/** The field of /proc/<pid>/stat with that number, from 1. */
static long long number(int which) {
  char *at = strrchr(text, ')');
  for (int i = 3; i <= which; i++) at = strchr(at + 1, ' ');
  return atoll(at + 1);
}
static void put(const char *path, const char *value) {
  int fd = open(path, O_WRONLY);
  if (fd < 0) { printf("%s <- %s: open %s\n", path, value, name_of(errno)); return; }
  errno = 0;
  int r = write(fd, value, strlen(value));
  printf("%s <- %s: %s\n", path, value, r < 0 ? name_of(errno) : "written");
  close(fd);
}

static void status(void) {
  prctl(PR_SET_NAME, "na me\\)\n");
  signal(SIGUSR1, SIG_IGN);
  signal(SIGUSR2, look);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  sigprocmask(SIG_BLOCK, &set, 0);
  raise(SIGHUP);
  umask(027);
  slurp("/proc/self/status");
  static const char *const names[] = {"Name", "Umask", "State", "TracerPid", "Uid", "Gid", "Threads", "SigPnd", "ShdPnd",
    "SigBlk", "NoNewPrivs", "Seccomp", "VmPin", "VmSwap"};
  for (int i = 0; i < sizeof names / sizeof *names; i++) printf("%s %s\n", names[i], field(names[i]));
  printf("%d %d\n", atoi(field("Pid")) == getpid(), atoi(field("PPid")) == getppid());
  slurp("/proc/self/comm");
  printf("comm %s", text);
  slurp("/proc/self/stat");
  printf("stat name %.*s\n", (int)(strrchr(text, ')') - strchr(text, '(')), strchr(text, '('));
  T(number(4) == getppid());
  T(number(5) == getpgrp());
  T(number(6) == getsid(0));
  T(number(18));
  T(number(19));
  T(number(20));
  T(number(23) > 0);
  T(number(24) > 0);
  T(number(31));
  T(number(32) & 1);
  T(number(38));
  // Addresses: the code is where a function is, data where a variable, the stack where this is.
  T(number(26) <= (long)status && (long)status < number(27));
  T(number(45) <= (long)text && number(46) > 0);
  T(number(28) > (long)&set);
  T(number(48) < number(49) && number(49) <= number(50) && number(50) <= number(51));
  T(number(47) <= (long)sbrk(0));
  T(number(52));
  signal(SIGHUP, SIG_IGN);
  prctl(PR_SET_NAME, "proc-files");
  sigprocmask(SIG_UNBLOCK, &set, 0);
}

static void memory(void) {
  long size, resident, shared, code, lib, data, dirty;
  char *page = mmap(0, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(page, 1, 3 * 4096);
  mprotect(page + 4 * 4096, 4096, PROT_NONE);
  madvise(page, 4096, MADV_DONTFORK);
  slurp("/proc/self/statm");
  T(sscanf(text, "%ld %ld %ld %ld %ld %ld %ld", &size, &resident, &shared, &code, &lib, &data, &dirty));
  T(size >= resident && resident >= shared && resident > 0 && code > 0 && data > 0);
  T(lib + dirty);
  slurp("/proc/self/smaps");
  char start[32];
  snprintf(start, sizeof start, "%lx-", (long)page + 4096);
  char *at = strstr(text, start);
  T(at != 0);
  if (at) {
    int rss, size;
    char *size_at = strstr(at, "Size:"), *rss_at = strstr(at, "Rss:"), *flags = strstr(at, "VmFlags:");
    sscanf(size_at, "Size: %d", &size);
    sscanf(rss_at, "Rss: %d", &rss);
    printf("size %d rss %d\n", size, rss);
    printf("rd %d wr %d ex %d mr %d\n", !!strstr(flags, "rd "), flags < strstr(flags, "wr "), 0, !!strstr(flags, "mr "));
  }
  static const char *const lines[] = {"Size:", "KernelPageSize:        4 kB", "MMUPageSize:           4 kB", "Rss:", "Pss:",
    "Shared_Clean:", "Shared_Dirty:", "Private_Clean:", "Private_Dirty:", "Referenced:", "Anonymous:", "LazyFree:",
    "AnonHugePages:", "ShmemPmdMapped:", "FilePmdMapped:", "Shared_Hugetlb:", "Private_Hugetlb:", "Swap:", "SwapPss:",
    "Locked:", "THPeligible:", "VmFlags: "};
  char *before = text;
  for (int i = 0; i < sizeof lines / sizeof *lines; i++) {
    char *line = strstr(before, lines[i]);
    printf("%s %d\n", lines[i], line != 0);
    if (line) before = line;
  }
  slurp("/proc/self/smaps_rollup");
  T(strstr(text, "[rollup]\nRss: ") != 0);
  T(strstr(text, "Pss_Anon:") != 0 && strstr(text, "Pss_File:") != 0);
  unsigned long long entries[8] = {0};
  int fd = open("/proc/self/pagemap", O_RDONLY);
  T(pread(fd, entries, sizeof entries, (long)page / 4096 * 8));
  for (int i = 0; i < 8; i++) printf("page %d present %d file %d alone %d\n", i, (int)(entries[i] >> 63), (int)(entries[i] >> 61 & 1), (int)(entries[i] >> 56 & 1));
  T(pread(fd, entries, 4, 0));
  T(pread(fd, entries, 8, 4));
  T(pread(fd, entries, 8, 1L << 60));
  T(pread(fd, (void *)8, 8, 0));
  close(fd);
  fd = open("/proc/self/mem", O_RDWR);
  char bytes[4] = "abc";
  T(pwrite(fd, bytes, 3, (long)page));
  T(page[0]);
  T(pread(fd, bytes, 2, (long)page + 1));
  T(pread(fd, bytes, 4, (long)page + 8 * 4096 - 2) >= 2);
  T(pread(fd, bytes, 1, 0));
  T(pwrite(fd, bytes, 1, 0));
  T(lseek(fd, 0, SEEK_END));
  T(lseek(fd, 16, SEEK_SET));
  close(fd);
  munmap(page, 8 * 4096);
}

static void *thread(void *unused) {
  char path[64];
  int tid = gettid();
  prctl(PR_SET_NAME, "second");
  snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
  slurp(path);
  printf("thread %s", text);
  slurp("/proc/thread-self/status");
  T(atoi(field("Pid")) == tid);
  T(atoi(field("Tgid")) == getpid());
  T(atoi(field("Threads")));
  snprintf(path, sizeof path, "/proc/self/task/%d/task", tid);
  T(access(path, F_OK));
  snprintf(path, sizeof path, "/proc/self/task/%d", getpid());
  T(access(path, F_OK));
  T(access("/proc/self/task/1234567", F_OK));
  struct dirent *entry;
  int entries = 0;
  DIR *dir = opendir("/proc/self/task");
  while ((entry = readdir(dir))) entries++;
  closedir(dir);
  T(entries);
  return 0;
}

static void children(void) {
  char path[64], wanted[64];
  int pipes[2];
  pipe(pipes);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    char c;
    alarm(600);
    close(pipes[1]);
    read(pipes[0], &c, 1);
    _exit(5);
  }
  snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
  slurp(path);
  snprintf(wanted, sizeof wanted, "%d ", pid);
  T(strcmp(text, wanted));
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int kept = open(path, O_RDONLY);
  snprintf(path, sizeof path, "/proc/%d", pid);
  int folder = open(path, O_RDONLY | O_DIRECTORY);
  T(faccessat(folder, "status", F_OK, 0));
  close(pipes[1]);
  siginfo_t info;
  waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
  // A zombie still has its numbers but neither memory nor files.
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  slurp(path);
  printf("zombie %c\n", strrchr(text, ')')[2]);
  T(number(23));
  T(number(24));
  T(number(52));
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  slurp(path);
  printf("%s, %s, %s\n", field("State"), field("VmSize"), field("FDSize"));
  snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
  T(slurp(path));
  snprintf(path, sizeof path, "/proc/%d/maps", pid);
  T(slurp(path));
  snprintf(path, sizeof path, "/proc/%d/statm", pid);
  slurp(path);
  printf("%s", text);
  linked("/proc/%d/exe", pid);
  linked("/proc/%d/cwd", pid);
  look("/proc/%d/smaps_rollup", pid);
  snprintf(path, sizeof path, "/proc/%d/fd", pid);
  struct dirent *entry;
  int entries = 0;
  DIR *dir = opendir(path);
  while ((entry = readdir(dir))) entries++;
  closedir(dir);
  T(entries);
  waitpid(pid, 0, 0);
  T(read(kept, path, 10));
  T(openat(folder, "status", O_RDONLY));
  snprintf(path, sizeof path, "/proc/%d", pid);
  T(access(path, F_OK));
  T(lseek(kept, 0, SEEK_SET));
  close(kept);
  close(folder);
  close(pipes[0]);
}

static const char *const files[] = {"/proc/%d/auxv", "/proc/%d/cgroup", "/proc/%d/cmdline", "/proc/%d/comm", "/proc/%d/environ",
  "/proc/%d/limits", "/proc/%d/loginuid", "/proc/%d/maps", "/proc/%d/mountinfo", "/proc/%d/mounts", "/proc/%d/mountstats",
  "/proc/%d/oom_score", "/proc/%d/oom_score_adj", "/proc/%d/pagemap", "/proc/%d/personality", "/proc/%d/setgroups",
  "/proc/%d/smaps", "/proc/%d/smaps_rollup", "/proc/%d/stat", "/proc/%d/statm", "/proc/%d/status", "/proc/%d/syscall",
  "/proc/%d/timerslack_ns", "/proc/%d/uid_map", "/proc/%d/wchan", "/proc/%d/fd", "/proc/%d/fdinfo/0", "/proc/%d/mem",
  "/proc/%d/net/unix", "/proc/%d/task", "/proc/%d/ns"};
static const char *const links[] = {"/proc/%d/exe", "/proc/%d/cwd", "/proc/%d/root", "/proc/%d/fd/0", "/proc/%d/ns/net",
  "/proc/%d/ns/user"};

static void all(int pid) {
  for (int i = 0; i < sizeof files / sizeof *files; i++) {
    // What can be read of another's pagemap and mem is another matter.
    if (i == 13 || i == 27) {
      char path[64];
      snprintf(path, sizeof path, files[i], pid);
      int fd = open(path, O_RDONLY);
      printf("%s: %s\n", files[i], fd >= 0 ? "can be opened" : name_of(errno));
      if (fd >= 0) close(fd);
    } else look(files[i], pid);
  }
  for (int i = 0; i < sizeof links / sizeof *links; i++) linked(links[i], pid);
  char path[64];
  struct stat st;
  const char *const owned[] = {"/proc/%d", "/proc/%d/fd", "/proc/%d/environ", "/proc/%d/stat", "/proc/%d/task", "/proc/%d/mem", "/proc/%d/ns"};
  for (int i = 0; i < sizeof owned / sizeof *owned; i++) {
    snprintf(path, sizeof path, owned[i], pid);
    errno = 0;
    if (stat(path, &st) == 0) printf("%s: mode %o uid %d gid %d\n", owned[i], st.st_mode, st.st_uid, st.st_gid);
    else printf("%s: %s\n", owned[i], name_of(errno));
  }
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  slurp(path);
  printf("addresses %d %d %d\n", number(26) > 1, number(28) > 0, number(48) > 0);
}

static void as(int uid, void (*what)(int), int pid) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    alarm(600);
    setgroups(0, 0);
    if (setresgid(uid, uid, uid) | setresuid(uid, uid, uid)) _exit(9);
    what(pid);
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  T(status);
}

static void writes(int pid) {
  char path[64];
  put("/proc/self/comm", "a name that is too long");
  slurp("/proc/self/comm");
  printf("%s", text);
  put("/proc/self/comm", "short\n");
  slurp("/proc/self/comm");
  printf("%s", text);
  snprintf(path, sizeof path, "/proc/%d/comm", pid);
  int fd = open(path, O_WRONLY);
  printf("another's comm: %s\n", fd < 0 ? name_of(errno) : write(fd, "x", 1) < 0 ? name_of(errno) : "written");
  if (fd >= 0) close(fd);
  put("/proc/self/oom_score_adj", "500\n");
  put("/proc/self/oom_score_adj", "400");
  put("/proc/self/oom_score_adj", "-5");
  put("/proc/self/oom_score_adj", "1001");
  put("/proc/self/oom_score_adj", "x");
  put("/proc/self/timerslack_ns", "77");
  T(prctl(PR_GET_TIMERSLACK));
  put("/proc/self/timerslack_ns", "0");
  T(prctl(PR_GET_TIMERSLACK));
  put("/proc/self/timerslack_ns", "x");
  put("/proc/self/stat", "x");
  put("/proc/version", "x");
  put("/proc/sys/kernel/ostype", "x");
  put("/proc/self/cmdline", "x");
  T(mkdir("/proc/x", 0755));
  T(open("/proc/x", O_CREAT | O_RDWR, 0600));
  T(symlink("a", "/proc/x"));
  T(unlink("/proc/version"));
  T(rmdir("/proc/self/fd"));
  T(rename("/proc/version", "/proc/other"));
  T(chmod("/proc/version", 0777));
}

static void machine(void) {
  static const char *const names[] = {"cmdline", "cpuinfo", "devices", "diskstats", "filesystems", "loadavg", "meminfo",
    "mounts", "net/dev", "net/tcp", "net/unix", "partitions", "stat", "swaps", "sysvipc/shm", "tty/drivers", "uptime",
    "version", "vmstat", "sys/fs/file-max", "sys/fs/nr_open", "sys/fs/pipe-max-size", "sys/kernel/cap_last_cap",
    "sys/kernel/hostname", "sys/kernel/ngroups_max", "sys/kernel/osrelease", "sys/kernel/ostype", "sys/kernel/pid_max",
    "sys/kernel/random/boot_id", "sys/kernel/random/uuid", "sys/kernel/sem", "sys/kernel/shmmax", "sys/kernel/threads-max",
    "sys/vm/max_map_count", "sys/vm/mmap_min_addr", "sys/vm/overcommit_memory", "sys/net/core/somaxconn"};
  for (int i = 0; i < sizeof names / sizeof *names; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s", names[i]);
    printf("%s %s\n", names[i], slurp(path) >= 0 ? "can be read" : name_of(errno));
  }
  long total, available, a, b;
  double up, idle;
  slurp("/proc/meminfo");
  T(sscanf(field("MemTotal"), "%ld kB", &total));
  T(sscanf(field("MemAvailable"), "%ld kB", &available));
  T(available > 0 && available <= total);
  slurp("/proc/uptime");
  T(sscanf(text, "%lf %lf\n", &up, &idle));
  slurp("/proc/loadavg");
  float loads[3];
  T(sscanf(text, "%f %f %f %ld/%ld %d", loads, loads + 1, loads + 2, &a, &b, &(int){0}));
  T(a >= 1 && b >= a);
  slurp("/proc/stat");
  T(strncmp(text, "cpu  ", 5));
  T(strstr(text, "\nctxt ") != 0 && strstr(text, "\nbtime ") != 0 && strstr(text, "\nprocesses ") != 0);
  slurp("/proc/sys/kernel/ostype");
  printf("%s", text);
  slurp("/proc/sys/kernel/cap_last_cap");
  printf("%s", text);
  slurp("/proc/sys/kernel/random/uuid");
  char first[40];
  strcpy(first, text);
  slurp("/proc/sys/kernel/random/uuid");
  printf("%d %c %d\n", (int)strlen(first), first[14], strcmp(first, text) != 0);
  slurp("/proc/sys/kernel/random/boot_id");
  strcpy(first, text);
  slurp("/proc/sys/kernel/random/boot_id");
  T(strcmp(first, text));
  char to[64] = "";
  T(readlink("/proc/mounts", to, 63));
  T(strcmp(to, "self/mounts"));
  T(readlink("/proc/net", to, 63));
  int entropy, fd = open("/dev/urandom", O_RDONLY);
  T(ioctl(fd, 0x80045200, &entropy));
  T(ioctl(fd, 0x80045200, (void *)8));
  T(ioctl(fd, 0x5299));
  close(fd);
}

static void others(int unused) {
  // One's own, seen by oneself.
  all(getpid());
  writes(getppid());
}

int main(void) {
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  alarm(600);
  int null = open("/dev/null", O_RDWR);
  dup2(null, 0);
  close(null);
  status();
  memory();
  pthread_t second;
  pthread_create(&second, 0, thread, 0);
  pthread_join(second, 0);
  children();
  machine();
  printf("-- as root\n");
  all(getpid());
  // A process of user 1234, looked at by itself, by another user, by root.
  int ready[2], done[2];
  char c;
  pipe(ready);
  pipe(done);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    alarm(600);
    close(done[1]);
    setgroups(0, 0);
    if (setresgid(1234, 1234, 1234) | setresuid(1234, 1234, 1234)) _exit(9);
    // Whoever changes its ids hides its memory, until it says otherwise.
    write(ready[1], "", 1);
    read(done[0], &c, 1);
    prctl(PR_SET_DUMPABLE, 1);
    write(ready[1], "", 1);
    read(done[0], &c, 1);
    _exit(0);
  }
  read(ready[0], &c, 1);
  printf("-- hidden, as root\n");
  all(pid);
  printf("-- hidden, as its user\n");
  as(1234, all, pid);
  write(done[1], "", 1);
  read(ready[0], &c, 1);
  printf("-- open, as its user\n");
  as(1234, all, pid);
  printf("-- open, as another\n");
  as(1235, all, pid);
  printf("-- own, without rights\n");
  as(1236, others, 0);
  close(done[1]);
  waitpid(pid, 0, 0);
  return 0;
}
