// SPDX-License-Identifier: MIT
//
// Calls of many families, most of which fail early: their arguments are what matters. Traced by strace and by us; harmless for root.

#define _GNU_SOURCE
#include <unistd.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <sys/uio.h>
#include <linux/seccomp.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#define S(n, ...) syscall(SYS_##n, ##__VA_ARGS__)
int main(void) {
  alarm(300);
  static char b[4096]; long off = 3; int p[2]; struct iovec io = { b, 10 }, io2 = { b + 100, 10 };
  int none = 0x3fffffff;
  S(ptrace, PTRACE_ATTACH, none, 0L, 0L); S(ptrace, PTRACE_SEIZE, none, 0L, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL); S(ptrace, PTRACE_PEEKDATA, none, 0x1000L, b); S(ptrace, PTRACE_POKEDATA, none, 0x1000L, 5L); S(ptrace, PTRACE_PEEKUSER, none, 8L * 16, b); S(ptrace, PTRACE_CONT, none, 0L, 9L); S(ptrace, PTRACE_SYSCALL, none, 0L, 0L); S(ptrace, PTRACE_SINGLESTEP, none, 0L, SIGUSR1);
  S(ptrace, PTRACE_GETREGS, none, 0L, b); S(ptrace, PTRACE_SETREGS, none, 0L, b); S(ptrace, PTRACE_GETREGSET, none, 1L, &io); S(ptrace, PTRACE_SETOPTIONS, none, 0L, 1L); S(ptrace, PTRACE_GETEVENTMSG, none, 0L, b); S(ptrace, PTRACE_GETSIGINFO, none, 0L, b); S(ptrace, PTRACE_DETACH, none, 0L, 0L); S(ptrace, PTRACE_INTERRUPT, none, 0L, 0L); S(ptrace, PTRACE_LISTEN, none, 0L, 0L); S(ptrace, PTRACE_KILL, none, 0L, 0L); S(ptrace, 0x5555, none, 1L, 2L); S(ptrace, PTRACE_GET_SYSCALL_INFO, none, 88L, b);
  S(seccomp, SECCOMP_GET_ACTION_AVAIL, 0, b); S(seccomp, 99, 1, 0L); struct sock_filter f[3] = { { 0x20, 0, 0, 0 }, { 0x15, 0, 1, 999 }, { 6, 0, 0, 0x7fff0000 } }; struct sock_fprog g = { 0, f }; S(seccomp, SECCOMP_SET_MODE_FILTER, 0, &g); S(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG, 0L); S(seccomp, SECCOMP_SET_MODE_STRICT, 1, 0L);
  S(mount, "a", "/nonexistent", "tmpfs", MS_RDONLY | MS_NOSUID, "size=1"); S(mount, 0L, "/nonexistent", 0L, MS_REMOUNT | MS_BIND, 0L); S(mount, "a", "/nonexistent", 0L, (long)MS_PRIVATE | MS_REC, 0L); S(umount2, "/nonexistent", MNT_DETACH | UMOUNT_NOFOLLOW); S(umount2, "/nonexistent", 0); S(pivot_root, "/nonexistent", "/nonexistent/x"); S(chroot, "/nonexistent");
  S(setxattr, "/nonexistent", "user.a", "value", 5L, XATTR_CREATE); S(getxattr, "/nonexistent", "user.a", b, 10L); S(listxattr, "/nonexistent", b, 10L); S(removexattr, "/nonexistent", "user.a"); S(fsetxattr, 99, "user.b", 0L, 0L, 0); S(lgetxattr, "/proc/self/exe", "user.none", b, 10L); S(flistxattr, 99, 0L, 0L);
  struct open_how how = { O_RDONLY | O_CLOEXEC, 0, RESOLVE_BENEATH }; S(openat2, AT_FDCWD, "nonexistent", &how, sizeof how); S(openat2, AT_FDCWD, "nonexistent", &how, 8L); how.flags = O_CREAT; how.mode = 0600; how.resolve = 0x1000; S(openat2, AT_FDCWD, "nonexistent", &how, sizeof how);
  int n = S(inotify_init1, IN_NONBLOCK | IN_CLOEXEC); S(inotify_add_watch, n, "/nonexistent", IN_CREATE | IN_MODIFY | IN_ONLYDIR); S(inotify_rm_watch, n, 5); S(inotify_add_watch, 99, "/", IN_ALL_EVENTS);
  S(pipe2, p, O_NONBLOCK); S(write, p[1], "0123456789", 10L); S(tee, p[0], p[1], 5L, 0); int q[2]; S(pipe2, q, 0); S(tee, p[0], q[1], 5L, SPLICE_F_NONBLOCK); S(splice, p[0], 0L, q[1], 0L, 5L, SPLICE_F_MOVE | SPLICE_F_MORE); S(splice, p[0], &off, q[1], 0L, 5L, 0); struct iovec v = { "vm", 2 }; S(vmsplice, q[1], &v, 1L, SPLICE_F_GIFT); S(copy_file_range, p[0], 0L, q[1], &off, 5L, 0); S(sendfile, q[1], 99, &off, 5L); S(sync_file_range, 99, 1L, 2L, 7);
  S(process_vm_readv, getpid(), &io, 1L, &io2, 1L, 0L); S(process_vm_writev, none, &io, 1L, &io2, 1L, 0L); S(process_vm_readv, none, &io, 1L, &io2, 1L, 1L); S(kcmp, none, none, 0, 1L, 2L); S(kcmp, none, none, 3, 1L, 2L); S(pidfd_open, none, 0); S(pidfd_getfd, 99, 1, 0); S(pidfd_send_signal, 99, SIGTERM, 0L, 0);
  unsigned long set = 1 << 9; int sf = S(signalfd4, -1, &set, 8L, SFD_CLOEXEC); S(signalfd4, 99, &set, 8L, 0); int tf = S(timerfd_create, 1, TFD_NONBLOCK); struct itimerspec it = { { 0, 0 }, { 5, 0 } }; S(timerfd_settime, tf, TFD_TIMER_ABSTIME, &it, b); S(timerfd_settime, tf, 0, &it, 0L); S(timerfd_gettime, 99, b); S(waitid, P_PID, none, b, WEXITED | WNOWAIT, 0L); S(waitid, P_PIDFD, 99, b, WEXITED, 0L); S(waitid, P_ALL, 0, b, WEXITED | WSTOPPED | WNOHANG, 0L);
  S(unshare, CLONE_FILES | CLONE_FS); S(setns, 99, CLONE_NEWNET); S(ioprio_get, 1, 0); S(ioprio_set, 9, 0, 0x4002); S(name_to_handle_at, AT_FDCWD, "/nonexistent", b, &off, 0); S(preadv2, 99, &io, 1L, 0L, 0L, 8); S(pwritev2, 99, &io, 1L, -1L, -1L, 0x11); S(pkey_mprotect, 0L, 4096L, 1, 9); S(getcpu, 0L, 0L, 0L); syscall(449, b, 1, 0, 0L, 1); S(close_range, 90, 99, 4); S(fallocate, 99, 3, 0L, 10L); S(readahead, 99, 0L, 10L); S(fadvise64, 99, 0L, 0L, 3); S(msync, 0L, 1L, 5); S(mlock2, 0L, 0L, 1); S(mlockall, 8); S(mincore, 1L, 1L, b); S(remap_file_pages, 0L, 0L, 0, 0L, 0); S(rt_sigqueueinfo, none, 10, b); S(rt_tgsigqueueinfo, none, none, 10, b);
  S(capget, (unsigned[2]){ 0x20080522, 0 }, 0L); S(capset, (unsigned[2]){ 0, 0 }, 0L); S(setgroups, 99999999L, b); S(setfsuid, 0); 
  return 0;
}
