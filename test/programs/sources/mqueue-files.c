// SPDX-License-Identifier: MIT
//
// Message queues as files of the mqueue file system: listed, read, opened and removed by their paths. Run by root only,
// in a mount namespace of its own, where there is one to be had.

#define _GNU_SOURCE
#include "outcome.h"
#include <dirent.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static void list(const char *where) {
  DIR *d = opendir(where);
  int n = 0;
  for (struct dirent *e; d && (e = readdir(d));)
    if (strncmp(e->d_name, "own-", 4) == 0) n++;
  closedir(d);
  printf("listed %d\n", n);
}

static void show(const char *path) {
  char text[200];
  int f = open(path, O_RDONLY);
  ssize_t n = read(f, text, sizeof text);
  printf("%.*s", n > 0 ? (int)n : 0, text);
  CALL(read(f, text, sizeof text));
  CALL(pread(f, text, 5, 2));
  close(f);
}

int main(void) {
  char where[] = "/tmp/mqueue-XXXXXX", path[64];
  if (getuid() != 0 || !mkdtemp(where)) return 0;
  // Queues are of the namespace that they were made in; its own one ends with the program.
  if (unshare(CLONE_NEWNS | CLONE_NEWIPC) == 0) mount(0, "/", 0, MS_REC | MS_PRIVATE, 0);
  CALL(mount("none", where, "mqueue", 0, 0));
  struct statfs s;
  CALL(statfs(where, &s));
  SHOW(s.f_type == 0x19800202);
  struct mq_attr a = {.mq_maxmsg = 4, .mq_msgsize = 100};
  mqd_t q = mq_open("/own-first", O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0640, &a);
  mqd_t r = mq_open("/own-second", O_RDWR | O_CREAT | O_EXCL, 0600, &a);
  list(where);
  sprintf(path, "%s/own-first", where);
  struct stat t;
  CALL(stat(path, &t));
  printf("mode %o size %ld links %ld\n", t.st_mode, (long)t.st_size, (long)t.st_nlink);
  show(path);
  mq_send(q, "hello", 5, 3);
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  mq_notify(r, &e);
  show(path);
  // What open gives is a queue's descriptor.
  mqd_t again = open(path, O_RDWR);
  char text[100];
  CALL(mq_receive(again, text, 100, 0));
  CALL(write(again, "x", 1));
  CALL(mkdir(path, 0700));
  sprintf(path, "%s/own-folder", where);
  CALL(mkdir(path, 0700));
  CALL(symlink("x", path));
  CALL(open(path, O_RDONLY));
  CALL(mq_unlink("/own-second"));
  list(where);
  sprintf(path, "%s/own-second", where);
  CALL(open(path, O_RDONLY));
  sprintf(path, "%s/own-first", where);
  NOBODY(CALL(open(path, O_RDONLY)); CALL(unlink(path)));
  CALL(unlink(path));
  CALL(unlink(path));
  list(where);
  CALL(mq_send(q, "still", 5, 0));
  CALL(mq_unlink("/own-first"));
  CALL(umount(where));
  rmdir(where);
  return 0;
}
