// SPDX-License-Identifier: MIT
//
// Every call that takes a path, with every way in which a path can be wrong: a line for each call, as root and as a user
// who owns nothing here.

#define _GNU_SOURCE
#include "say.h"
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

static char long_name[300], long_path[5000], longest_path[4200];

/** In the order of what must fail everywhere, then what exists. */
static const struct { const char *what, *path; } paths[] = {
  {"empty", ""}, {"nowhere", (char *)8}, {"long-name", long_name}, {"long-path", long_path}, {"longest-path", longest_path},
  {"missing", "missing"}, {"below-missing", "missing/x"}, {"below-file", "file/x"}, {"file-as-dir", "file/"}, {"file-dot", "file/."},
  {"loop", "loop"}, {"below-loop", "loop/x"}, {"loop-slash", "loop/"}, {"dangling", "dangling"}, {"dangling-slash", "dangling/"},
  {"shut", "shut/x"}, {"shut-missing", "shut/missing"}, {"shut-itself", "shut"}, {"dir", "dir"}, {"dir-slash", "dir/"}, {"dot", "."}, {"dot-dot", "dir/.."},
  {"dir-dot", "dir/."}, {"full-dir", "full"}, {"link", "link"}, {"link-slash", "link/"}, {"link-dir", "link-dir"}, {"link-dir-slash", "link-dir/"},
  {"fifo", "fifo"}, {"file", "file"},
};

/** Removes all that a directory holds. */
static void clear(int dir) {
  DIR *list = fdopendir(dir);
  for (struct dirent *entry; (entry = readdir(list));) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || unlinkat(dir, name, 0) == 0) continue;
    clear(openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    unlinkat(dir, name, AT_REMOVEDIR);
  }
  closedir(list);
}

static void fresh(void) {
  clear(open(".", O_RDONLY | O_DIRECTORY));
  mkdir("dir", 0755), mkdir("shut", 0700), mkdir("full", 0755);
  static const char *const files[] = {"file", "shut/x", "full/x"};
  for (int i = 0; i < 3; i++) close(open(files[i], O_CREAT | O_WRONLY, 0644));
  symlink("loop", "loop"), symlink("target", "dangling"), symlink("file", "link"), symlink("dir", "link-dir");
  mkfifo("fifo", 0644);
}

/** What belongs to root is made anew by root once a call may have changed something. */
static int user, isChanged = 1;
static const char *path;
typedef long (*Call)(void);

static void try(const char *what, Call call, int changes) {
  printf("%s:", what);
  for (int i = 0; i < sizeof paths / sizeof *paths; i++) {
    path = paths[i].path;
    if (isChanged) fresh();
    if (user) setegid(user), seteuid(user);
    errno = 0;
    long r = call();
    int e = errno;
    seteuid(0), setegid(0);
    isChanged = changes && r != -1;
    printf(" %s %s", paths[i].what, r == -1 ? name_of(e) : "ok");
  }
  printf("\n");
}
#define TRY(expr) do { long call(void) { return (long)(expr); } try(#expr, call, 1); } while (0)
// One that changes nothing.
#define LOOK(expr) do { long call(void) { return (long)(expr); } try(#expr, call, 0); } while (0)

static char bytes[5000];
static struct stat st;

static long new(long fd) {
  int e = errno;
  if (fd >= 0) close(fd);
  errno = e;
  return fd;
}
/** Goes there and back. */
static long back(int here, long r) {
  int e = errno;
  fchdir(here);
  errno = e;
  return r;
}
static int here;
/** What a socket gives for the path, which has less room there. */
static long with_socket(int (*call)(int, const struct sockaddr *, socklen_t)) {
  struct sockaddr_un address = {AF_UNIX};
  if (path == (char *)8) { errno = EFAULT; return -1; }
  strncpy(address.sun_path, path, sizeof address.sun_path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  long r = call(fd, (void *)&address, sizeof address);
  new(fd);
  return r;
}
static long watched(void) {
  int fd = inotify_init();
  long r = inotify_add_watch(fd, path, IN_CREATE);
  new(fd);
  return r;
}
/** execve of nothing that can be executed; what a directory or device gives comes from its kind. */
static long executed(void) { return SC(execve, path, (char *[]){"x", 0}, (char *[]){0}); }

static void all(void) {
  LOOK(stat(path, &st));
  LOOK(lstat(path, &st));
  LOOK(SC(newfstatat, AT_FDCWD, path, &st, 0));
  LOOK(SC(newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW));
  LOOK(SC(statx, AT_FDCWD, path, 0, 0x7ff, bytes));
  LOOK(statfs(path, (void *)bytes));
  LOOK(access(path, F_OK));
  LOOK(access(path, R_OK | X_OK));
  LOOK(SC(faccessat2, AT_FDCWD, path, W_OK, AT_EACCESS));
  LOOK(readlink(path, bytes, sizeof bytes));
  LOOK(new(open(path, O_RDONLY | O_NONBLOCK)));
  LOOK(new(open(path, O_WRONLY | O_NONBLOCK)));
  LOOK(new(open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW)));
  LOOK(new(open(path, O_RDONLY | O_DIRECTORY)));
  LOOK(new(open(path, O_PATH)));
  LOOK(new(open(path, O_PATH | O_NOFOLLOW | O_DIRECTORY)));
  TRY(new(open(path, O_RDONLY | O_NONBLOCK | O_CREAT, 0600)));
  TRY(new(open(path, O_RDWR | O_CREAT | O_EXCL, 0600)));
  TRY(new(open(path, O_RDWR | O_NONBLOCK | O_TRUNC)));
  TRY(new(open(path, O_RDWR | O_TMPFILE, 0600)));
  LOOK(new(open(path, O_RDONLY | O_NONBLOCK | O_NOATIME)));
  TRY(truncate(path, 3));
  LOOK(truncate(path, -1));
  TRY(chmod(path, 0755));
  TRY(chown(path, -1, -1));
  TRY(chown(path, 0, 0));
  TRY(lchown(path, 0, 0));
  TRY(utime(path, 0));
  TRY(utimes(path, (struct timeval[2]){0}));
  TRY(utimensat(AT_FDCWD, path, 0, 0));
  TRY(utimensat(AT_FDCWD, path, 0, AT_SYMLINK_NOFOLLOW));
  TRY(mkdir(path, 0700));
  TRY(mknod(path, S_IFREG | 0600, 0));
  TRY(mkfifo(path, 0600));
  TRY(mknod(path, S_IFCHR | 0600, 0x103));
  TRY(symlink("to", path));
  TRY(symlink(path, "new"));
  TRY(link(path, "new"));
  TRY(link("file", path));
  TRY(linkat(AT_FDCWD, path, AT_FDCWD, "new", AT_SYMLINK_FOLLOW));
  TRY(unlink(path));
  TRY(rmdir(path));
  LOOK(unlinkat(AT_FDCWD, path, 99));
  TRY(rename(path, "new"));
  TRY(rename("file", path));
  TRY(rename("dir", path));
  TRY(SC(renameat2, AT_FDCWD, "file", AT_FDCWD, path, 1));
  TRY(SC(renameat2, AT_FDCWD, "file", AT_FDCWD, path, 2));
  TRY(SC(renameat2, AT_FDCWD, path, AT_FDCWD, "dir", 2));
  LOOK(back(here, chdir(path)));
  LOOK(getxattr(path, "user.none", bytes, 10));
  LOOK(lgetxattr(path, "user.none", bytes, 10));
  LOOK(listxattr(path, bytes, 10) < 0 ? -1 : 0);
  TRY(removexattr(path, "trusted.none"));
  TRY(with_socket(bind));
  LOOK(with_socket(connect));
  LOOK(watched());
  LOOK(executed());
  LOOK(SC(openat2, AT_FDCWD, path, (long[3]){O_PATH, 0, 0}, 24) < 0 ? -1 : 0);
  LOOK(SC(mq_open, path, O_RDONLY, 0, 0) < 0 ? -1 : 0);
}

int main(void) {
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  alarm(600);
  umask(022);
  memset(long_name, 'n', 256);
  // A path may have 4095 characters.
  for (int i = 0; i < 4998; i += 2) memcpy(long_path + i, "./", 2);
  for (int i = 0; i < 4094; i += 2) memcpy(longest_path + i, "./", 2);
  longest_path[4094] = '.';
  here = open(".", O_RDONLY | O_DIRECTORY);
  printf("-- as root\n");
  all();
  printf("-- as a user\n");
  setgroups(0, 0);
  user = 1234;
  all();
  clear(open(".", O_RDONLY | O_DIRECTORY));
  return 0;
}
