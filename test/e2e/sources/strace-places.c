// SPDX-License-Identifier: MIT
//
// Calls on paths and mounts with odd flags, modes and lengths. Traced by strace and by us; harmless for root.

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>
#define S(n, ...) syscall(SYS_##n, ##__VA_ARGS__)
int main(void) {
  alarm(300);
  static char b[70000];
  struct { struct open_how h; unsigned long more[10]; } how = { { O_RDONLY | O_CLOEXEC, 0, RESOLVE_BENEATH } };
  S(openat2, AT_FDCWD, "/nonexistent", &how, 24L); S(openat2, AT_FDCWD, "/nonexistent", &how, 32L); how.more[0] = 1; S(openat2, AT_FDCWD, "/nonexistent", &how, 32L); S(openat2, AT_FDCWD, "/nonexistent", &how, 104L); S(openat2, AT_FDCWD, "/nonexistent", &how, 10L); S(openat2, AT_FDCWD, "/nonexistent", 8L, 24L);
  how.h.flags = 1L << 40; S(openat2, AT_FDCWD, "/nonexistent", &how, 24L); how.h.flags = O_CREAT | O_RDWR; how.h.mode = -1L; S(openat2, AT_FDCWD, "/nonexistent", &how, 24L); how.h.flags = 0; how.h.mode = 0644; how.h.resolve = 0x1000; S(openat2, AT_FDCWD, "/nonexistent", &how, 24L);
  S(renameat2, AT_FDCWD, "/nonexistent", AT_FDCWD, "/nonexistent2", 0x100); S(renameat2, AT_FDCWD, "/nonexistent", AT_FDCWD, "/nonexistent2", 0x101); S(setxattr, "/nonexistent", "user.a", b, 65537L, 7);
  S(mount, "a", "/nonexistent", "tmpfs", 0xc0ed0001, "x"); S(mount, "a", "/nonexistent", "tmpfs", 0xc0ed0000, 0L); S(mount, "a", "/nonexistent", "t", (long)MS_BIND, "x"); S(mount, "a", "/nonexistent", "t", (long)MS_REMOUNT | MS_BIND, "x"); S(mount, "a", "/nonexistent", "t", (long)MS_MOVE, "x"); S(mount, "a", "/nonexistent", "t", (long)MS_SLAVE, "x");
  S(memfd_create, "a name that is longer than thirty-two characters", 0); S(memfd_create, "a name that is longer than thirty-two characters, and much longer than that, so that it is longer than what the kernel takes, which is two hundred and forty-nine bytes, counted without the zero at its end: so here some more words follow for good measure.", 1);
  S(symlink, "a target that is longer than thirty-two characters, too", "/nonexistent/x"); S(open, "/nonexistent", 0x400000, 0); S(open, "/nonexistent", 0x410000); S(unlinkat, -1, "x", 0x1000); S(linkat, -1, "x", -1, "y", 0x1400); S(fchmodat, -1, "x", 07777); S(mknodat, -1, "x", 0060644, 0x801); S(utimensat, -1, "x", 0L, 0x100); S(statfs, "/nonexistent", b); S(truncate, "/nonexistent", -5L); S(chown, "/nonexistent", -1, 5); S(readlinkat, -1, "x", b, 10L); S(faccessat, -1, "x", 7); S(execveat, -1, "x", 0L, 0L, 0x1000); S(name_to_handle_at, -1, "x", 0L, b, 0x1000); S(getcwd, b, 0L); S(lseek, 99, 5L, 4); S(pwritev2, 99, 0L, 1L, 5L, 0L, 2); S(preadv, 99, b, 2L, 5L); S(fallocate, 99, 0x40, 1L, 2L); S(fcntl, 99, 1031); S(fcntl, 99, 1033, 0xf); S(fcntl, 99, 1024, 1); S(fcntl, 99, 36, b); S(fcntl, 99, 10, 9); S(fcntl, 99, 15, b);
  return 0;
}
