// SPDX-License-Identifier: MIT
//
// --strace against the real strace: the same programs, natively under `strace -f` and as guests. Compared task by
// task, with what no two runs share (addresses, ids, times, random bytes) taken out.

import { spawnSync } from 'node:child_process';
import type { StdioOptions } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byTask, childrenLast, hasStrace, isThere } from './strace-lines.ts';
import { CLI } from './trapline.ts';

const BUSYBOX = '/bin/busybox';
const ENVIRONMENT = { PATH: '/', HOME: '/', TERM: 'dumb' };

const hasGcc = isThere('gcc', '--version');
/** What a dynamic program of glibc opens before main. */
const LINKER_FILES = ['/lib64/ld-linux-x86-64.so.2', '/lib/x86_64-linux-gnu/libc.so.6', '/etc/ld.so.cache'];
const musl = isThere('musl-gcc', '--version') ? 'musl-gcc' : undefined;

describe.runIf(hasStrace && existsSync(BUSYBOX))('--strace', () => {
  let folder = '';
  let root = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-strace-'));
    root = join(folder, 'root');
    mkdirSync(join(root, 'data', 'sub'), { recursive: true });
    writeFileSync(join(root, 'data', 'a'), 'alpha\n');
    writeFileSync(join(root, 'data', 'b'), 'b'.repeat(100));
    writeFileSync(join(root, 'text'), Array.from({ length: 500 }, (_, i) => `${(i * 7919) % 501} line\n`).join(''));
    writeFileSync(join(root, 'busybox'), readFileSync(BUSYBOX), { mode: 0o755 });
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs a program of the root both ways and gives the traces. */
  function traces(
    command: readonly string[],
    setup: readonly string[] = [],
  ): { native: string[][]; guest: string[][] } {
    const out = join(folder, 'trace');
    const stdio: StdioOptions = ['ignore', 'ignore', 'inherit'];
    const options = { cwd: root, stdio };
    // Through a pipe, for the guest's output looks like one.
    const variables = Object.entries(ENVIRONMENT).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
    const uid = ['--uid', String(process.getuid?.() ?? 1000)];
    const run = ['run', '--root', root, '--cwd', '/', ...uid, ...variables, ...setup, '--strace-file', out, ...command];
    // The guest comes first: it leaves the root as it is, the native run may not.
    spawnSync(process.execPath, [CLI, ...run], { ...options, env: process.env });
    const guest = byTask(readFileSync(out, 'latin1'), /^\[pid +(\d+)\] /);
    const piped = ['-c', 'out=$1; shift; strace -f -o "$out" "$@" | cat', 'sh', out, ...command];
    spawnSync('/bin/sh', piped, { ...options, env: { ...ENVIRONMENT, PATH: process.env['PATH'] ?? '' } });
    return { native: byTask(readFileSync(out, 'latin1'), /^(\d+) +/), guest };
  }

  it.each([
    [['./busybox', 'true']],
    [['./busybox', 'echo', 'a', 'b']],
    [['./busybox', 'cat', 'data/a', 'data/b']],
    [['./busybox', 'cat', 'no-such-file']],
    [['./busybox', 'find', 'data/sub', 'text']],
    [['./busybox', 'sort', 'text']],
    [['./busybox', 'sha256sum', 'text', 'data/a']],
    [['./busybox', 'wc', 'text']],
    [['./busybox', 'head', '-n', '3', 'text']],
    [['./busybox', 'gzip', '-c', 'text']],
    [['./busybox', 'touch', '-c', 'data/none']],
    [['./busybox', 'sleep', '0.01']],
    [['./busybox', 'kill', '-l']],
    [['./busybox', 'sed', '-n', '1,5p', 'text']],
    [['./busybox', 'test', '-x', 'busybox']],
    [['./busybox', 'printf', '%s\\n', '\u0001"\\']],
  ])('of %j is what strace prints', (command) => {
    const { native, guest } = traces(command);
    expect(native.flat().length).toBeGreaterThan(10);
    expect(guest).toEqual(native);
  });

  it.each(['off', 'upstream', 'hardened'])('is the same with --patch %s', (mode) => {
    const { native, guest } = traces(['./busybox', 'wc', 'text'], ['--patch', mode]);
    expect(guest).toEqual(native);
  });

  it.runIf(hasGcc && LINKER_FILES.every((path) => existsSync(path)))('shows what the linker of glibc does', () => {
    for (const path of LINKER_FILES) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      copyFileSync(path, join(root, path));
    }
    const source = '#include <stdio.h>\nint main(void) { puts("hello"); return 3; }\n';
    const made = spawnSync('gcc', ['-o', join(root, 'dynamic'), '-x', 'c', '-'], { input: source, encoding: 'utf8' });
    expect(made.stderr).toBe('');
    const { native, guest } = traces(['./dynamic']);
    expect(native.flat().length).toBeGreaterThan(20);
    expect(guest).toEqual(native);
  });

  describe.runIf(musl !== undefined)('of programs of musl', () => {
    function compiled(name: string, source: string): string {
      const path = join(root, name);
      writeFileSync(`${path}.c`, source);
      const { status, stderr } = spawnSync(musl ?? '', ['-static', '-O1', '-w', '-pthread', '-o', path, `${path}.c`], {
        encoding: 'utf8',
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      return `./${name}`;
    }

    it('is what strace prints', () => {
      const hello = compiled('hello', '#include <stdio.h>\nint main(void) { puts("hello"); return 3; }\n');
      const { native, guest } = traces([hello]);
      expect(guest).toEqual(native);
    });

    it('shows every task of a threaded program as strace does', () => {
      const source = `
        #include <pthread.h>
        #include <unistd.h>
        #include <sys/syscall.h>
        static void *work(void *n) { syscall(SYS_getpriority, 0, 0); syscall(SYS_dup, 90 + (long)n); return 0; }
        int main(void) {
          pthread_t t;
          for (long i = 0; i < 2; i++) { pthread_create(&t, 0, work, (void *)i); usleep(20000); pthread_join(t, 0); }
          return 0;
        }`;
      const { native, guest } = traces([compiled('threads', source)]);
      // Whether a thread of musl must wait for another to end is a matter of time.
      const timeless = (tasks: string[][]): string[][] => tasks.map((t) => t.filter((line) => !/^futex\(/.test(line)));
      expect(timeless(guest)).toEqual(timeless(native));
      expect(timeless(native).flat().length).toBeGreaterThan(20);
    });

    it('shows a thread that executes a program in place of all as strace does', () => {
      const source = `
        #include <pthread.h>
        #include <unistd.h>
        static void *run(void *x) { usleep(50000); char *argv[] = { "busybox", "true", 0 }; execv("./busybox", argv); return 0; }
        int main(void) {
          pthread_t t;
          pthread_create(&t, 0, run, 0);
          pause();
        }`;
      const { native, guest } = traces([compiled('superseded', source)]);
      // Which of the two is first, how long the new thread waits for its parent, whether that sleeps already, and when
      // strace sees the id change, is a matter of time.
      const ordered = (tasks: string[][]): string[] =>
        tasks
          .flat()
          .filter((line) => !/^(futex|rt_sigprocmask|pause)\(| <pid changed to /.test(line))
          .sort();
      expect(ordered(guest)).toEqual(ordered(native));
      expect(native.flat()).toContain('+++ superseded by execve in pid ID +++');
    });

    it('shows signals, children and their ends as strace does', () => {
      const source = `
        #include <signal.h>
        #include <stdlib.h>
        #include <sys/wait.h>
        #include <unistd.h>
        static void handler(int n) {}
        int main(void) {
          int status;
          struct sigaction a = { .sa_handler = handler, .sa_flags = SA_RESTART };
          sigaction(SIGUSR1, &a, 0);
          raise(SIGUSR1);
          if (fork() == 0) _exit(4);
          wait(&status);
          if (fork() == 0) { *(volatile int *)8 = 1; }
          waitpid(-1, &status, 0);
          // Blocked until its waiter sleeps.
          sigset_t alarms;
          sigemptyset(&alarms);
          sigaddset(&alarms, SIGALRM);
          sigprocmask(SIG_BLOCK, &alarms, 0);
          alarm(1);
          sigemptyset(&alarms);
          sigsuspend(&alarms);
        }`;
      const { native, guest } = traces([compiled('signals', source)]);
      expect(childrenLast(guest)).toEqual(childrenLast(native));
      const waits = (tasks: string[][]): string[] => tasks.flat().filter((line) => /^wait4\(.* = ID$/.test(line));
      expect(waits(guest)).toEqual(waits(native));
      expect(waits(native)).toHaveLength(2);
    });

    it('shows requests to terminals as strace does', () => {
      const source = `
        #include <fcntl.h>
        #include <string.h>
        #include <sys/ioctl.h>
        #include <termios.h>
        #include <unistd.h>
        #define G2 0x802c542a
        #define S2 0x402c542b
        static unsigned char settings[64];
        int main(void) {
          int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), zero = 0, value = 5;
          unsigned flags[] = { 0, ~0u, 0x1000, 0x10001003, 0xfff, 1, 0x20, 0x100f003f, 0x800, 0x1800, 0x4000, 0x1234 };
          ioctl(m, TIOCSPTLCK, &zero);
          int s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
          for (int i = 0; i < 12; i++) {
            unsigned four[4] = { flags[i], flags[i], flags[i], flags[i] };
            memcpy(settings, four, 16);
            ioctl(m, TCSETS, settings);
          }
          ioctl(m, G2, settings); ioctl(m, S2 + 1, settings); ioctl(m, TCSETSF, settings); ioctl(m, TCSETSW, settings);
          ioctl(m, TCSETS, 8); ioctl(m, TCGETS, 8); ioctl(s, TCGETS, settings);
          ioctl(m, TCGETA, settings); ioctl(m, TCSETA, settings); ioctl(m, TCSETAW, 0);
          ioctl(m, TIOCPKT, &value); value = 0; ioctl(m, TIOCPKT, &value);
          ioctl(s, TIOCSTI, "x"); ioctl(s, TIOCGETD, &value); ioctl(s, TIOCSETD, &value);
          ioctl(s, TCXONC, 0); ioctl(s, TCXONC, 1); ioctl(s, TCXONC, 7); ioctl(s, TCFLSH, 2); ioctl(s, TCFLSH, 9);
          ioctl(s, TIOCEXCL); ioctl(s, TIOCNXCL); ioctl(s, TIOCSBRK); ioctl(s, TCSBRK, 1);
          ioctl(s, TIOCSPGRP, &value); ioctl(s, TIOCNOTTY);
          ioctl(s, TIOCGPTN, &value); ioctl(m, TIOCSIG, 99);
          return 0;
        }`;
      const { native, guest } = traces([compiled('terminals', source)]);
      expect(native.flat().length).toBeGreaterThan(40);
      expect(guest).toEqual(native);
    });

    it('shows calls on files, memory, descriptors and time as strace does', () => {
      const source = `
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <poll.h>
        #include <signal.h>
        #include <string.h>
        #include <sys/epoll.h>
        #include <sys/resource.h>
        #include <sys/stat.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <sys/uio.h>
        #include <time.h>
        #include <unistd.h>
        #define S(n, ...) syscall(SYS_##n, ##__VA_ARGS__)
        static char b[400];
        int main(void) {
          struct stat st; struct timespec ts = { 0, 1000 }; long off = 0; int p[2];
          struct iovec out[2] = { { "abc", 3 }, { "defg", 4 } }, in[2] = { { b, 3 }, { b + 100, 40 } };
          S(mkdir, "dir", 0755); S(mkdir, "dir", 0700); S(mkdirat, AT_FDCWD, "dir/sub", 0711); S(chdir, "dir");
          int f = S(openat, AT_FDCWD, "file", O_RDWR | O_CREAT | O_EXCL, 0640);
          S(write, f, "hello world, a longer text than thirty-two characters\\n", 54); S(pread64, f, b, 5, 6); S(pwrite64, f, "W", 1, 6L);
          S(lseek, f, -3L, SEEK_END); S(read, f, b, 100); S(read, f, b, 100); S(lseek, f, 0L, SEEK_SET); S(writev, f, out, 2);
          S(preadv, f, in, 2, 0L, 0L); S(ftruncate, f, 20L); S(fallocate, f, 0, 0L, 30L); S(fsync, f); S(fdatasync, f); S(fstat, f, &st);
          S(stat, "file", &st); S(lstat, "nothing", &st); S(newfstatat, f, "", &st, AT_EMPTY_PATH); S(statx, AT_FDCWD, "file", 0, 0x7ff, b);
          S(chmod, "file", 04711); S(fchmod, f, 0600); S(fchmodat, AT_FDCWD, "file", 0644); S(stat, "file", &st);
          S(link, "file", "hard"); S(symlink, "file", "soft"); S(readlink, "soft", b, 100); S(readlink, "file", b, 100); S(lstat, "soft", &st);
          S(rename, "hard", "moved"); S(renameat2, AT_FDCWD, "moved", AT_FDCWD, "file", 1); S(unlink, "moved"); S(unlink, "moved");
          struct timespec times[2] = { { 1700000000, 5 }, { 0, UTIME_OMIT } };
          S(utimensat, AT_FDCWD, "file", times, 0); S(access, "file", R_OK | W_OK); S(access, "none", F_OK); S(faccessat, AT_FDCWD, "file", R_OK);
          int d = S(openat, AT_FDCWD, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); S(getdents64, d, b, 400); S(getdents64, d, b, 400); S(close, d);
          S(fcntl, f, F_GETFD); S(fcntl, f, F_SETFD, FD_CLOEXEC); S(fcntl, f, F_GETFL); S(fcntl, f, F_SETFL, O_APPEND); S(fcntl, f, F_DUPFD, 10);
          struct flock lock = { F_WRLCK, SEEK_SET, 0, 10 }; S(fcntl, f, F_SETLK, &lock); S(fcntl, f, F_GETLK, &lock); S(flock, f, 6);
          S(mknod, "fifo", S_IFIFO | 0644, 0); S(stat, "fifo", &st); S(unlink, "fifo"); S(truncate, "none", 5L); S(rmdir, "sub"); S(rmdir, "sub");
          S(pipe2, p, O_CLOEXEC); S(write, p[1], "xyz", 3); S(dup, p[0]); S(dup2, p[0], 50); S(dup3, p[0], 51, O_CLOEXEC); S(ioctl, p[0], 0x541b, b);
          struct pollfd pf[2] = { { p[0], POLLIN }, { p[1], POLLIN | POLLOUT } };
          S(poll, pf, 2, 0); S(read, p[0], b, 10); S(poll, pf, 1, 1); S(ppoll, pf, 1, &ts, 0, 8);
          int e = S(epoll_create1, EPOLL_CLOEXEC); struct epoll_event ev = { EPOLLOUT | EPOLLET, { .u64 = 7 } }, evs[4];
          S(epoll_ctl, e, EPOLL_CTL_ADD, p[1], &ev); S(epoll_ctl, e, EPOLL_CTL_ADD, p[1], &ev); S(epoll_wait, e, evs, 4, 0); S(epoll_ctl, e, EPOLL_CTL_DEL, p[1], 0);
          int v = S(eventfd2, 3, 02000000); S(read, v, b, 8); S(write, v, b, 8); S(close, v);
          S(sendfile, p[1], f, &off, 5L); S(read, p[0], b, 10);
          char *m = (char *)S(mmap, 0, 8192, 3, 0x22, -1, 0); S(mprotect, m, 4096, 1); S(mremap, m, 8192, 4096, 0); S(munmap, m, 4096); S(madvise, b, 0, 4);
          S(mmap, 0, 4096, 1, 2, f, 0L); S(mmap, 0, 4096, 3, 1, 99, 0L); S(brk, 0);
          unsigned long set = 1 << 9; S(rt_sigprocmask, SIG_BLOCK, &set, 0, 8); S(kill, getpid(), SIGUSR1); S(rt_sigpending, &set, 8);
          S(rt_sigtimedwait, &set, 0, &ts, 8); S(rt_sigtimedwait, &set, 0, &ts, 8); S(sigaltstack, 0, b); S(clock_getres, 1, b);
          struct itimerval it = { { 0, 0 }, { 100, 0 } }; S(setitimer, 0, &it, 0); it.it_value.tv_sec = 0; S(setitimer, 0, &it, 0);
          S(prlimit64, 0, RLIMIT_CORE, 0, b); S(getpriority, 0, 0); S(prctl, 15, "name"); S(prctl, 16, b); S(umask, 077); S(umask, 022);
          S(uname, 0); S(getcwd, b, 2); S(sched_yield); S(futex, b, 129, 1); S(set_tid_address, b); S(getrandom, b, 4, 0);
          S(unlink, "soft"); S(unlink, "file"); S(chdir, ".."); S(rmdir, "dir"); S(close, f); S(close, f); S(close_range, 40, 60, 0);
          return 0;
        }`;
      const { native, guest } = traces([compiled('files', source)]);
      expect(native.flat().length).toBeGreaterThan(115);
      expect(guest).toEqual(native);
    });

    it('shows calls with odd arguments as strace does', () => {
      const source = `
        #define _GNU_SOURCE
        #include <sys/syscall.h>
        #include <unistd.h>
        #define S(n, ...) syscall(SYS_##n, ##__VA_ARGS__)
        int main(void) {
          static char b[100];
          S(read, 0, (void *)-1, 5); S(write, 99, "a\\"b\\\\c\\t\\001\\0019", 8); S(lseek, 99, -5L, 9);
          S(openat, -1, "", 0x80000000, 0); S(open, (void *)1, 3); S(open, 0, 0xffffffff);
          S(mmap, 0, 4096, 8 | 1, 0x12, 77, 4096); S(mprotect, 0, 1, 0x1000001); S(mremap, 0, 1, 2, 3, 5); S(madvise, 0, 1, 777);
          S(kill, 1 << 30, 64); S(kill, 1 << 30, 34); S(tgkill, 1, 2, 0);
          S(clock_gettime, 99, b); S(clock_nanosleep, 1, 0, 1, 1); S(getitimer, 9, b);
          S(wait4, -5, 0, 0xff, 0); S(rt_sigaction, 3, 1, 0, 8); S(rt_sigprocmask, 7, 0, 0, 8);
          S(futex, b, 0x4d, 1, 2, 3, 4); S(futex, b, 129, 1); S(close, -1); S(dup3, 98, 99, 02000000);
          S(access, "x", 99); S(faccessat2, -100, "x", 0, 0x800); S(unlinkat, -100, "x", 0x200); S(getrandom, b, 5, 99);
          S(prlimit64, 0, 99, 0, b); S(getrusage, 5, b); S(fcntl, 98, 4, 04000); S(fcntl, 98, 1030, 5); S(fcntl, 98, 99, 5);
          S(ioctl, 98, 0x5401, 1); S(ioctl, 98, 0x1234, 1); S(epoll_create1, 5); S(eventfd2, 3, 1 << 20); S(poll, 0, 5, 0);
          S(prctl, 15, 1); S(prctl, 9999, 1, 2, 3, 4); S(arch_prctl, 0x3001, b); S(renameat2, -100, "q", -100, "r", 99);
          S(linkat, -100, "q", 5, "r", 0x400); S(symlinkat, "q", 77, "r"); S(readlinkat, -100, "q", b, 100); S(fchownat, -100, "q", -1, 5, 0x100);
          S(utimensat, -100, "q", 0, 0); S(statx, -100, "q", 0, 0x7ff, b); S(truncate, "q", 5L); S(execve, "q", 0, 0); S(umask, 022);
          S(memfd_create, "x", 99); S(close_range, 90, 99, 0); S(getpriority, 0, 99999); S(select, 0, 0, 0, 0, b); S(sched_getscheduler, 0);
          S(membarrier, 77, 0); S(pipe2, 0, 02000000); S(sigaltstack, 0, b); S(set_robust_list, 0, 5); S(getcwd, b, 1); S(flock, 98, 6);
          S(exit_group, 300);
        }`;
      const { native, guest } = traces([compiled('odd', source)]);
      expect(native.flat().length).toBeGreaterThan(60);
      expect(guest).toEqual(native);
    });
  });
});
