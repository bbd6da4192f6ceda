// SPDX-License-Identifier: MIT
//
// inotify: which events each change of a tree makes, in which order, and each error of the manual pages.

#define _GNU_SOURCE
#include "outcome.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <dirent.h>

#ifndef IN_MASK_CREATE
#define IN_MASK_CREATE 0x10000000
#endif
#define renameat2(a, b, c, d, f) syscall(SYS_renameat2, a, b, c, d, f)

static int n;
static unsigned last;

static void show(const char *what) {
  char buf[8192] __attribute__((aligned(8)));
  printf("%s:", what);
  int r;
  while ((r = read(n, buf, sizeof buf)) > 0) {
    for (char *p = buf; p < buf + r;) {
      struct inotify_event *e = (void *)p;
      printf(" [%d %#x", e->wd, e->mask);
      if (e->cookie) printf(" %s", e->cookie == last ? "same" : "cookie");
      last = e->cookie;
      if (e->len) printf(" %s/%d", e->name, e->len);
      printf("]");
      p += sizeof *e + e->len;
    }
  }
  printf("\n");
  fflush(stdout);
}

static void in_directory(void) {
  mkdir("d", 0755);
  mkdir("e", 0755);
  CALL(inotify_add_watch(n, "d", IN_ALL_EVENTS));
  show("nothing yet");
  int f = open("d/a", O_CREAT | O_RDWR, 0644);
  show("create");
  write(f, "hello", 5);
  write(f, "hello", 5);
  show("two writes");
  char c[10];
  pread(f, c, 10, 0);
  pread(f, c, 10, 100);
  show("reads");
  ftruncate(f, 3);
  show("ftruncate");
  fchmod(f, 0600);
  show("fchmod");
  lseek(f, 0, SEEK_SET);
  close(f);
  show("close");
  close(open("d/a", O_RDONLY));
  show("open and close");
  truncate("d/a", 10);
  show("truncate");
  chmod("d/a", 0644);
  chown("d/a", 0, 0);
  show("chmod and chown");
  utimes("d/a", 0);
  show("utimes");
  struct timespec t[2] = {{5, 0}, {0, UTIME_OMIT}};
  utimensat(AT_FDCWD, "d/a", t, 0);
  t[0].tv_nsec = UTIME_OMIT, t[1].tv_nsec = 0;
  utimensat(AT_FDCWD, "d/a", t, 0);
  show("one time each");
  link("d/a", "d/b");
  link("d/a", "e/c");
  show("links");
  symlink("nowhere", "d/l");
  mkfifo("d/f", 0600);
  mkdir("d/sub", 0700);
  show("symlink, fifo, directory");
  rename("d/a", "d/a2");
  show("rename within");
  rename("d/a2", "e/a2");
  show("rename away");
  rename("e/a2", "d/b2");
  show("rename to");
  rename("d/sub", "d/sub2");
  show("rename a directory");
  close(open("d/x", O_CREAT | O_WRONLY, 0600));
  show("another");
  rename("d/x", "d/f");
  show("replace");
  renameat2(AT_FDCWD, "d/f", AT_FDCWD, "d/b", 2);
  show("exchange");
  unlink("d/b");
  show("unlink");
  rmdir("d/sub2");
  show("rmdir");
  stat("d/f", &(struct stat){0});
  access("d/f", R_OK);
  show("looks");
  DIR *dir = opendir("d");
  while (readdir(dir));
  closedir(dir);
  show("list");
  f = open("d/f", O_RDWR);
  unlink("d/f");
  show("unlink an open file");
  write(f, "x", 1);
  show("write to it");
  close(f);
  show("close it");
  f = open("d", O_TMPFILE | O_RDWR, 0600);
  if (f >= 0) close(f);
  read(n, c, 0);
  while (read(n, (char[4096]){0}, 4096) > 0);
  f = open("d", O_PATH);
  close(f);
  show("O_PATH");
  unlink("d/b2"), unlink("d/l"), unlink("e/c");
  show("clean");
  rmdir("e");
  rmdir("d");
  show("the directory goes");
  CALL(inotify_rm_watch(n, 1));
}

static void of_file(void) {
  int f = open("file", O_CREAT | O_RDWR, 0644);
  int w = CALL(inotify_add_watch(n, "file", IN_ALL_EVENTS));
  CALL(inotify_add_watch(n, "file", IN_MODIFY) == w);
  write(f, "x", 1);
  chmod("file", 0600);
  show("only modify");
  CALL(inotify_add_watch(n, "file", IN_MASK_ADD | IN_ATTRIB) == w);
  chmod("file", 0644);
  show("and attributes");
  CALL(inotify_add_watch(n, "file", IN_MASK_CREATE | IN_ATTRIB));
  CALL(inotify_add_watch(n, "file", IN_ALL_EVENTS) == w);
  link("file", "other");
  show("link");
  unlink("other");
  show("unlink one of two");
  rename("file", "moved");
  show("rename");
  unlink("moved");
  show("unlink while open");
  write(f, "x", 1);
  close(f);
  show("close");
  close(open("file", O_CREAT | O_RDWR, 0644));
  close(open("victim", O_CREAT | O_RDWR, 0644));
  w = inotify_add_watch(n, "victim", IN_ALL_EVENTS);
  rename("file", "victim");
  show("replaced");
  w = inotify_add_watch(n, "victim", IN_ALL_EVENTS | IN_ONESHOT);
  chmod("victim", 0600);
  chmod("victim", 0644);
  show("one shot");
  w = inotify_add_watch(n, "victim", IN_ALL_EVENTS);
  CALL(inotify_rm_watch(n, w));
  chmod("victim", 0600);
  show("removed");
  CALL(inotify_rm_watch(n, w));
  mkdir("dir", 0700);
  inotify_add_watch(n, "dir", IN_ALL_EVENTS | IN_EXCL_UNLINK);
  f = open("dir/a", O_CREAT | O_RDWR, 0600);
  unlink("dir/a");
  while (read(n, (char[4096]){0}, 4096) > 0);
  write(f, "x", 1);
  close(f);
  show("excluded");
  rename("dir", "dir2");
  show("directory moved");
  rmdir("dir2");
  show("directory removed");
  // Two watches of one event: the directory's comes first.
  mkdir("dir", 0700);
  close(open("dir/a", O_CREAT | O_RDWR, 0600));
  int wf = inotify_add_watch(n, "dir/a", IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF), wd = inotify_add_watch(n, "dir", IN_MODIFY | IN_DELETE | IN_ATTRIB);
  truncate("dir/a", 5);
  chmod("dir/a", 0644);
  unlink("dir/a");
  rmdir("dir");
  show("both");
  unlink("victim");
}

static void reading(void) {
  mkdir("d", 0700);
  int w = inotify_add_watch(n, "d", IN_CREATE | IN_DELETE);
  struct pollfd p = {n, POLLIN};
  printf("poll %d\n", poll(&p, 1, 0));
  close(open("d/a-name-of-some-length", O_CREAT | O_WRONLY, 0600));
  close(open("d/b", O_CREAT | O_WRONLY, 0600));
  int bytes;
  CALL(ioctl(n, FIONREAD, &bytes));
  printf("poll %d %#x, %d bytes\n", poll(&p, 1, 0), p.revents, bytes);
  char buf[200];
  CALL(read(n, buf, 16));
  CALL(read(n, buf, 47));
  CALL(read(n, buf, 48));
  CALL(read(n, (void *)8, 200));
  CALL(read(n, buf, 200));
  CALL(write(n, buf, 10));
  CALL(lseek(n, 0, SEEK_SET));
  unlink("d/b"), unlink("d/a-name-of-some-length");
  int m = dup(n);
  CALL(read(m, buf, 200));
  close(m);
  fflush(stdout);
  if (fork() == 0) {
    usleep(10000);
    close(open("d/late", O_CREAT | O_WRONLY, 0600));
    _exit(0);
  }
  fcntl(n, F_SETFL, 0);
  CALL(read(n, buf, 200));
  fcntl(n, F_SETFL, O_NONBLOCK);
  wait(0);
  unlink("d/late");
  rmdir("d");
  show("end");
}

static void errors(void) {
  close(open("file", O_CREAT | O_WRONLY, 0600));
  CALL(inotify_init1(0x40));
  int m = OK(inotify_init());
  printf("flags %#x %d\n", fcntl(m, F_GETFL) & ~0100000, fcntl(m, F_GETFD));
  close(m);
  CALL(inotify_add_watch(n, "missing", IN_ALL_EVENTS));
  CALL(inotify_add_watch(n, "", IN_ALL_EVENTS));
  CALL(inotify_add_watch(n, "file/x", IN_ALL_EVENTS));
  CALL(inotify_add_watch(n, "file", IN_ONLYDIR | IN_MODIFY));
  CALL(inotify_add_watch(n, "file", 0));
  CALL(inotify_add_watch(n, "file", 0x00100000));
  CALL(inotify_add_watch(n, "file", IN_MASK_ADD | IN_MASK_CREATE | IN_MODIFY));
  CALL(inotify_add_watch(n, (void *)8, IN_MODIFY));
  CALL(inotify_add_watch(999, "file", IN_MODIFY));
  CALL(inotify_add_watch(1, "file", IN_MODIFY));
  CALL(inotify_rm_watch(n, 9999));
  CALL(inotify_rm_watch(1, 1));
  CALL(inotify_rm_watch(999, 1));
  symlink("file", "link");
  int w = inotify_add_watch(n, "link", IN_ATTRIB | IN_DELETE_SELF | IN_DONT_FOLLOW);
  chmod("file", 0600);
  unlink("link");
  show("of the link itself");
  chmod(".", 0755);
  chmod("file", 0600);
  NOBODY({
    int k = inotify_init();
    CALL(inotify_add_watch(k, "file", IN_MODIFY));
    int i = 1;
    while (inotify_init() >= 0 && i < 1000) i++;
    printf("instances limited %d errno %d\n", i < 1000, errno);
  });
  unlink("file");
}

int main(void) {
  char where[] = "/tmp/inotify-XXXXXX";
  if (!mkdtemp(where) || chdir(where)) return 1;
  umask(022);
  n = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  in_directory();
  of_file();
  reading();
  errors();
  chdir("/");
  printf("left behind nothing: %d\n", rmdir(where) == 0);
}
