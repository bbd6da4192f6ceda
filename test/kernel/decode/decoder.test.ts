// SPDX-License-Identifier: MIT
//
// Texts of single calls, as strace 6.1 printed them for a program that made these calls on Linux.

import { describe, expect, it } from 'vitest';
import { SYS } from '../../../src/abi/sysno.ts';
import type { SyscallName } from '../../../src/abi/sysno.ts';
import { decodeEnter, decodeExit } from '../../../src/kernel/decode/decoder.ts';
import type { ArgKind, CallShape, RetKind } from '../../../src/kernel/decode/kinds.ts';
import { Arguments, BASE, Page } from './guest.ts';

type Value = number | bigint;

/** The whole line: entry, exit, result. */
function line(
  name: SyscallName,
  memory: Page,
  values: readonly Value[],
  result: number,
  kinds: readonly ArgKind[] = [],
  ret?: RetKind,
): string {
  const shape: CallShape = { nr: SYS[name], name, args: kinds, ...(ret === undefined ? {} : { ret }) };
  const args = new Arguments(values);
  const exit = decodeExit(shape, args, memory, result);
  return `${name}(${decodeEnter(shape, args, memory)}${exit.args}) = ${exit.result}`;
}

const AT_FDCWD = -100;

describe('The decoder', () => {
  it('quotes buffers with C escapes and cuts them at 32 characters', () => {
    const m = new Page();
    const data = m.put([...'a"b\\c\t\x01\x019\0xyz\xffabcdefghijklmnopqrstuvwxyz'].map((c) => c.charCodeAt(0)));
    expect(line('write', m, [4, data, 40], 40)).toBe(
      String.raw`write(4, "a\"b\\c\t\1\19\0xyz\377abcdefghijklmnopqr"..., 40) = 40`,
    );
  });

  it('writes an octal escape in full before a digit', () => {
    const m = new Page();
    expect(line('write', m, [1, m.put([0, 0x37, 1, 0x38]), 4], 4)).toBe(String.raw`write(1, "\0007\18", 4) = 4`);
  });

  it('shows addresses of buffers that cannot be read, and NULL', () => {
    const m = new Page();
    expect(line('write', m, [4, 8, 3], -14)).toBe('write(4, 0x8, 3) = -1 EFAULT (Bad address)');
    expect(line('write', m, [4, 0, 0], 0)).toBe('write(4, NULL, 0) = 0');
  });

  it('shows what a read gave, and its buffer when it failed', () => {
    const m = new Page();
    const buffer = m.text('vm\n');
    expect(line('read', m, [3, buffer, 300], 3)).toBe(String.raw`read(3, "vm\n", 300) = 3`);
    expect(line('read', m, [3, buffer, 300], 0)).toBe('read(3, "", 300) = 0');
    expect(line('read', m, [99, buffer, 3], -9)).toBe('read(99, 0x10000, 3) = -1 EBADF (Bad file descriptor)');
  });

  it('stops at entry before the first output', () => {
    const m = new Page();
    const shape: CallShape = { nr: 0, name: 'read', args: [] };
    expect(decodeEnter(shape, new Arguments([3, BASE, 5]), m)).toBe('3, ');
  });

  it('shows paths whole and the mode of open only where it counts', () => {
    const m = new Page();
    const path = m.text('/nonexistent/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
    expect(line('openat', m, [AT_FDCWD, path, 0o302, 0o600], -2)).toBe(
      'openat(AT_FDCWD, "/nonexistent/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", O_RDWR|O_CREAT|O_EXCL, 0600) = -1 ENOENT (No such file or directory)',
    );
    expect(line('open', m, [m.text('a'), 0o2000000, 7], 3)).toBe('open("a", O_RDONLY|O_CLOEXEC) = 3');
    expect(line('open', m, [m.text('a'), 0o24210001 | 0x10, 0o1777], -2)).toContain(
      'O_WRONLY|O_SYNC|O_TMPFILE|0x10, 01777)',
    );
  });

  it('joins flags, keeps unknown bits in hex and comments when no bit is known', () => {
    const m = new Page();
    expect(line('mmap', m, [0, 4096, 3, 0x22, -1, 0], 0x7f0000000000, [], 'hex')).toBe(
      'mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000',
    );
    expect(line('mmap', m, [0, 5, 0x100, 0x33 | (21 << 26), 0, 0], -22, [], 'hex')).toBe(
      'mmap(NULL, 5, 0x100 /* PROT_??? */, MAP_SHARED_VALIDATE|MAP_FIXED|MAP_ANONYMOUS|21<<MAP_HUGE_SHIFT, 0, 0) = -1 EINVAL (Invalid argument)',
    );
    expect(line('access', m, [m.text('x'), 99], -22, ['path', 'flags:access'])).toContain('W_OK|X_OK|0x60');
    expect(line('access', m, [m.text('x'), 0], 0, ['path', 'flags:access'])).toBe('access("x", F_OK) = 0');
  });

  it('shows stat by type, size or device', () => {
    const m = new Page();
    const kinds: ArgKind[] = ['path', 'out:stat'];
    const at = m.put(new Uint8Array(144));
    const path = m.text('/x');
    m.view.setUint32(at - BASE + 24, 0o100644, true);
    m.view.setUint32(at - BASE + 48, 695, true);
    expect(line('stat', m, [path, at], 0, kinds)).toBe('stat("/x", {st_mode=S_IFREG|0644, st_size=695, ...}) = 0');
    m.view.setUint32(at - BASE + 24, 0o020666, true);
    m.view.setUint32(at - BASE + 40, 0x103, true);
    expect(line('stat', m, [path, at], 0, kinds)).toBe(
      'stat("/x", {st_mode=S_IFCHR|0666, st_rdev=makedev(0x1, 0x3), ...}) = 0',
    );
    m.view.setUint32(at - BASE + 24, 0o041777, true);
    expect(line('stat', m, [path, at], 0, kinds)).toContain('S_IFDIR|S_ISVTX|0777');
  });

  it('shows signal sets, inverted when most signals are in', () => {
    const m = new Page();
    const shown = (set: bigint): string => line('rt_sigprocmask', m, [0, m.longs(set), 0, 8], 0);
    expect(shown(~0n)).toBe('rt_sigprocmask(SIG_BLOCK, ~[], NULL, 8) = 0');
    expect(shown(0xfffffffe7fffffffn)).toBe('rt_sigprocmask(SIG_BLOCK, ~[RTMIN RT_1], NULL, 8) = 0');
    expect(shown(0x180000000n)).toBe('rt_sigprocmask(SIG_BLOCK, [RTMIN RT_1], NULL, 8) = 0');
    expect(shown((1n << 1n) | (1n << 16n))).toBe('rt_sigprocmask(SIG_BLOCK, [INT CHLD], NULL, 8) = 0');
    expect(shown(0n)).toBe('rt_sigprocmask(SIG_BLOCK, [], NULL, 8) = 0');
  });

  it('shows sigaction with its restorer only when there is one', () => {
    const m = new Page();
    const kinds: ArgKind[] = ['signo', 'in:sigaction', 'out:sigaction', 'size'];
    const given = m.longs(0x401665, 0x14000000, 0x40aa70, 1 << 9);
    const old = m.longs(0, 0, 0, 0);
    expect(line('rt_sigaction', m, [10, given, old, 8], 0, kinds)).toBe(
      'rt_sigaction(SIGUSR1, {sa_handler=0x401665, sa_mask=[USR1], sa_flags=SA_RESTORER|SA_RESTART, sa_restorer=0x40aa70}, ' +
        '{sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, 8) = 0',
    );
  });

  it('shows futex operations with the arguments that they have', () => {
    const m = new Page();
    const time = m.longs(0, 1000);
    const f = (...values: Value[]): string => line('futex', m, [BASE, ...values], 0).slice(15, -5);
    expect(f(129, 1)).toBe('FUTEX_WAKE_PRIVATE, 1');
    expect(f(0, 5, time)).toBe('FUTEX_WAIT, 5, {tv_sec=0, tv_nsec=1000}');
    expect(f(9 | 256, 5, 0, 0, 0xffffffff)).toBe(
      'FUTEX_WAIT_BITSET|FUTEX_CLOCK_REALTIME, 5, NULL, FUTEX_BITSET_MATCH_ANY',
    );
    expect(f(138, 5, 0, 0, 1)).toBe('FUTEX_WAKE_BITSET_PRIVATE, 5, 0x1');
    expect(f(132, 1, 2, 0x10008, 5)).toBe('FUTEX_CMP_REQUEUE_PRIVATE, 1, 2, 0x10008, 5');
    expect(f(5, 1, 2, 0x10008, 0x04003001)).toBe(
      'FUTEX_WAKE_OP, 1, 2, 0x10008, FUTEX_OP_SET<<28|0x3<<12|FUTEX_OP_CMP_GT<<24|0x1',
    );
    expect(f(77, 0xffffffb0, 0x4003001, 0x4003001, 0x4003001)).toBe(
      '0x4d /* FUTEX_??? */, 4294967216, 0x4003001, 0x4003001, 0x4003001',
    );
  });

  it('shows clone with the names of its arguments, those that the flags use', () => {
    const m = new Page();
    expect(line('clone', m, [0x1200011, 0, 0, 0xf9d8690, 0], 9807)).toBe(
      'clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0xf9d8690) = 9807',
    );
    const tid = m.words(12);
    expect(line('clone', m, [0x7d0f00, BASE + 64, tid, 0x20000, 0x30000], 12)).toBe(
      'clone(child_stack=0x10040, flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS|CLONE_PARENT_SETTID' +
        '|CLONE_CHILD_CLEARTID|0x400000, parent_tid=[12], tls=0x30000, child_tidptr=0x20000) = 12',
    );
  });

  it('shows clone3 with what it wrote', () => {
    const m = new Page();
    const tid = m.words(7);
    const args = m.longs(0x3d0f00, 0, tid, tid, 0, 0x20000, 0x800300, 0x30000, 0, 0, 0);
    expect(line('clone3', m, [args, 88], 7)).toBe(
      'clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS|CLONE_PARENT_SETTID|CLONE_CHILD_CLEARTID, ' +
        'child_tid=0x10000, parent_tid=0x10000, exit_signal=0, stack=0x20000, stack_size=0x800300, tls=0x30000} => {parent_tid=[7]}, 88) = 7',
    );
  });

  it('shows poll with its events as the result', () => {
    const m = new Page();
    const fds = m.words(7, 1, 8, 5 | (4 << 16));
    expect(line('poll', m, [fds, 2, 0], 1)).toBe(
      'poll([{fd=7, events=POLLIN}, {fd=8, events=POLLIN|POLLOUT}], 2, 0) = 1 ([{fd=8, revents=POLLOUT}])',
    );
    expect(line('poll', m, [fds, 1, 10], 0)).toBe('poll([{fd=7, events=POLLIN}], 1, 10) = 0 (Timeout)');
  });

  it('shows wait statuses in words', () => {
    const m = new Page();
    const status = m.words(3 << 8);
    expect(line('wait4', m, [-1, status, 0, 0], 5)).toBe(
      'wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 5',
    );
    m.view.setInt32(status - BASE, 0x86, true);
    expect(line('wait4', m, [-1, status, 1, 0], 5)).toBe(
      'wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGABRT && WCOREDUMP(s)}], WNOHANG, NULL) = 5',
    );
    m.view.setInt32(status - BASE, 0xffff, true);
    expect(line('wait4', m, [-1, status, 8, 0], 5)).toContain('[{WIFCONTINUED(s)}], WCONTINUED');
    expect(line('wait4', m, [-1, status, 1, 0], 0)).toBe('wait4(-1, 0x10000, WNOHANG, NULL) = 0');
  });

  it('shows fcntl by command', () => {
    const m = new Page();
    const lock = m.put(new Uint8Array(32));
    m.view.setUint32(lock - BASE + 16, 10, true);
    expect(line('fcntl', m, [3, 3], 0x8000)).toBe('fcntl(3, F_GETFL) = 0x8000 (flags O_RDONLY|O_LARGEFILE)');
    expect(line('fcntl', m, [3, 1], 1)).toBe('fcntl(3, F_GETFD) = 0x1 (flags FD_CLOEXEC)');
    expect(line('fcntl', m, [3, 1030, 20], 20)).toBe('fcntl(3, F_DUPFD_CLOEXEC, 20) = 20');
    expect(line('fcntl', m, [3, 6, lock], 0)).toBe(
      'fcntl(3, F_SETLK, {l_type=F_RDLCK, l_whence=SEEK_SET, l_start=0, l_len=10}) = 0',
    );
    expect(line('fcntl', m, [3, 99, 5], -22)).toBe('fcntl(3, 0x63 /* F_??? */, 0x5) = -1 EINVAL (Invalid argument)');
  });

  it('shows ioctl requests by name or taken apart', () => {
    const m = new Page();
    expect(line('ioctl', m, [1, 0x5413, BASE], -25)).toBe(
      'ioctl(1, TIOCGWINSZ, 0x10000) = -1 ENOTTY (Inappropriate ioctl for device)',
    );
    expect(line('ioctl', m, [1, 0x1234, 5], -25)).toContain('_IOC(_IOC_NONE, 0x12, 0x34, 0), 0x5');
    expect(line('ioctl', m, [7, 0x541b, m.words(12)], 0)).toBe('ioctl(7, FIONREAD, [12]) = 0');
  });

  it('shows vectors of buffers up to what was transferred', () => {
    const m = new Page();
    const data = m.text('abcdefg');
    const vector = m.longs(data, 3, data + 3, 40);
    expect(line('writev', m, [4, vector, 1], 3, ['fd', 'iov:in', 'int'])).toBe(
      'writev(4, [{iov_base="abc", iov_len=3}], 1) = 3',
    );
    expect(line('readv', m, [4, vector, 2], 5, ['fd', 'iov:out', 'int'])).toBe(
      'readv(4, [{iov_base="abc", iov_len=3}, {iov_base="de", iov_len=40}], 2) = 5',
    );
    expect(line('readv', m, [4, vector, 1], -9, ['fd', 'iov:out', 'int'])).toContain(
      '[{iov_base=0x10000, iov_len=3}], 1) = -1 EBADF',
    );
  });

  it('shows arguments of execve, the first 32 of each', () => {
    const m = new Page();
    const word = m.text('x');
    const argv = m.longs(...Array.from({ length: 33 }, () => word), 0);
    const shown = Array.from({ length: 32 }, () => '"x"').join(', ');
    expect(line('execve', m, [m.text('/bin/x'), argv, 0], 0)).toBe(`execve("/bin/x", [${shown}, ...], NULL) = 0`);
    expect(line('execve', m, [m.text('a'), 1, m.longs(word, word, 0)], -2)).toMatch(
      /execve\("a", 0x1, 0x\w+ \/\* 2 vars \*\/\)/,
    );
  });

  it('shows restart codes with a question mark, and calls that never return', () => {
    const m = new Page();
    expect(line('pause', m, [], -514)).toBe('pause() = ? ERESTARTNOHAND (To be restarted if no handler)');
    expect(line('nanosleep', m, [m.longs(5, 0), m.longs(4, 998018691)], -516)).toBe(
      'nanosleep({tv_sec=5, tv_nsec=0}, {tv_sec=4, tv_nsec=998018691}) = ? ERESTART_RESTARTBLOCK (Interrupted by signal)',
    );
    expect(line('exit_group', m, [3], Number.NaN)).toBe('exit_group(3) = ?');
  });

  it('shows limits in kibibytes', () => {
    const m = new Page();
    const kinds: ArgKind[] = ['pid', 'enum:rlimit', 'in:rlimit', 'out:rlimit'];
    expect(line('prlimit64', m, [0, 3, 0, m.longs(8192 * 1024, -1)], 0, kinds)).toBe(
      'prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}) = 0',
    );
    expect(line('prlimit64', m, [0, 99, m.longs(1024, 1000), 0], -22, kinds)).toContain(
      '0x63 /* RLIMIT_??? */, {rlim_cur=1024, rlim_max=1000}',
    );
  });

  it('shows times to set with their dates', () => {
    const m = new Page();
    expect(line('utimensat', m, [AT_FDCWD, m.text('/n'), m.longs(1700000000, 5, 1, 0), 256], -2)).toBe(
      'utimensat(AT_FDCWD, "/n", [{tv_sec=1700000000, tv_nsec=5} /* 2023-11-14T22:13:20.000000005+0000 */, ' +
        '{tv_sec=1, tv_nsec=0} /* 1970-01-01T00:00:01+0000 */], AT_SYMLINK_NOFOLLOW) = -1 ENOENT (No such file or directory)',
    );
    expect(line('utimensat', m, [3, 0, m.longs(0, 0x3fffffff, 0, 0x3ffffffe), 0], 0)).toBe(
      'utimensat(3, NULL, [UTIME_NOW, UTIME_OMIT], 0) = 0',
    );
  });

  it('shows random bytes in hex', () => {
    const m = new Page();
    expect(line('getrandom', m, [m.put([0x2c, 0x41, 0xac]), 3, 1], 3)).toBe(
      String.raw`getrandom("\x2c\x41\xac", 3, GRND_NONBLOCK) = 3`,
    );
  });

  it('shows select by its sets', () => {
    const m = new Page();
    const set = m.longs(0x82);
    expect(line('select', m, [10, set, 0, 0, m.longs(0, 997)], 2)).toBe(
      'select(10, [1 7], NULL, NULL, {tv_sec=0, tv_usec=997}) = 2 (in [1 7], left {tv_sec=0, tv_usec=997})',
    );
  });

  it('shows socket addresses', () => {
    const m = new Page();
    const path = [1, 0, ...[...'/var/run/nscd/socket'].map((c) => c.charCodeAt(0)), ...new Uint8Array(88)];
    expect(line('connect', m, [3, m.put(path), 110], -2)).toContain(
      'connect(3, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110)',
    );
    expect(line('socket', m, [1, 0o2004001, 0], 3)).toBe(
      'socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0) = 3',
    );
    expect(line('socket', m, [2, 1, 0], 3)).toBe('socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3');
  });

  it('names numbers above 32 as real-time signals counted from SIGRTMIN', () => {
    const m = new Page();
    expect(line('kill', m, [1, 34], 0, ['pid', 'signo'])).toBe('kill(1, SIGRT_2) = 0');
    expect(line('kill', m, [1, 32], 0, ['pid', 'signo'])).toBe('kill(1, SIGRTMIN) = 0');
    expect(line('kill', m, [1, 64], 0, ['pid', 'signo'])).toBe('kill(1, SIGRT_32) = 0');
    expect(line('kill', m, [-1, 70], 0, ['pid', 'signo'])).toBe('kill(-1, 70) = 0');
  });
});
