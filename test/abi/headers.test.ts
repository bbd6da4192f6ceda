// SPDX-License-Identifier: MIT
//
// Every number and layout of src/abi against this machine's own headers, through a C program that prints them.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as elf from '../../src/abi/elf.ts';
import * as errno from '../../src/abi/errno.ts';
import * as futex from '../../src/abi/futex.ts';
import * as ioctl from '../../src/abi/ioctl.ts';
import * as mman from '../../src/abi/mman.ts';
import * as open from '../../src/abi/open.ts';
import * as poll from '../../src/abi/poll.ts';
import * as prctl from '../../src/abi/prctl.ts';
import * as resource from '../../src/abi/resource.ts';
import * as sched from '../../src/abi/sched.ts';
import * as frame from '../../src/abi/signal-frame.ts';
import * as signal from '../../src/abi/signal.ts';
import * as socket from '../../src/abi/socket.ts';
import * as stat from '../../src/abi/stat.ts';
import { SYS } from '../../src/abi/sysno.ts';
import * as system from '../../src/abi/system.ts';
import * as termios from '../../src/abi/termios.ts';
import * as time from '../../src/abi/time.ts';
import * as wait from '../../src/abi/wait.ts';
import { findCCompiler } from './c-compiler.ts';

/** The kernel's own headers: numbers. They do not go together with libc's, which the layouts use. */
const KERNEL_HEADERS = [
  'stddef.h',
  'asm/errno.h',
  'linux/fcntl.h',
  'linux/stat.h',
  'linux/mman.h',
  'linux/sched.h',
  'linux/futex.h',
  'asm/signal.h',
  'asm/siginfo.h',
  'asm/poll.h',
  'linux/eventpoll.h',
  'linux/timerfd.h',
  'linux/signalfd.h',
  'asm/ioctls.h',
  'linux/prctl.h',
  'asm/prctl.h',
  'linux/wait.h',
  'linux/resource.h',
  'linux/time.h',
  'linux/elf.h',
  'linux/elf-em.h',
  'linux/auxvec.h',
  'asm/auxvec.h',
  'linux/random.h',
  'linux/fs.h',
  'linux/falloc.h',
  'linux/membarrier.h',
  'linux/magic.h',
  'linux/inotify.h',
  'linux/memfd.h',
  'linux/close_range.h',
  'linux/personality.h',
  'linux/limits.h',
  'asm/termbits.h',
  'asm/termios.h',
  'linux/tty.h',
  'linux/capability.h',
  'linux/openat2.h',
  'asm/socket.h',
  'linux/xattr.h',
  'linux/fiemap.h',
  'asm/unistd_64.h',
];

/** Numbers that have a meaning of ours, or another one in the headers of the C library. */
const NOT_COMPARED = new Set(['IOV_MAX', 'NSIG', 'SIGRTMAX']);

interface Layout {
  readonly type: string;
  readonly table: Readonly<Record<string, number>>;
  /** Names of fields where they differ from ours. */
  readonly fields: Readonly<Record<string, string>>;
}

const LAYOUT_HEADERS = [
  'stddef.h',
  'stdio.h',
  'signal.h',
  'ucontext.h',
  'poll.h',
  'sys/stat.h',
  'sys/statfs.h',
  'sys/uio.h',
  'sys/epoll.h',
  'sys/resource.h',
  'sys/times.h',
  'sys/time.h',
  'sys/utsname.h',
  'sys/sysinfo.h',
  'time.h',
  'dirent.h',
  'fcntl.h',
  'elf.h',
];

const LAYOUTS: readonly Layout[] = [
  {
    type: 'struct stat',
    table: stat.Stat,
    fields: {
      dev: 'st_dev',
      ino: 'st_ino',
      nlink: 'st_nlink',
      mode: 'st_mode',
      uid: 'st_uid',
      gid: 'st_gid',
      rdev: 'st_rdev',
      fileSize: 'st_size',
      blksize: 'st_blksize',
      blocks: 'st_blocks',
      atime: 'st_atim',
      mtime: 'st_mtim',
      ctime: 'st_ctim',
    },
  },
  {
    type: 'struct statx',
    table: stat.Statx,
    fields: {
      mask: 'stx_mask',
      blksize: 'stx_blksize',
      attributes: 'stx_attributes',
      nlink: 'stx_nlink',
      uid: 'stx_uid',
      gid: 'stx_gid',
      mode: 'stx_mode',
      ino: 'stx_ino',
      fileSize: 'stx_size',
      blocks: 'stx_blocks',
      attributesMask: 'stx_attributes_mask',
      atime: 'stx_atime',
      btime: 'stx_btime',
      ctime: 'stx_ctime',
      mtime: 'stx_mtime',
      rdevMajor: 'stx_rdev_major',
      rdevMinor: 'stx_rdev_minor',
      devMajor: 'stx_dev_major',
      devMinor: 'stx_dev_minor',
    },
  },
  {
    type: 'struct statfs',
    table: stat.Statfs,
    fields: {
      type: 'f_type',
      bsize: 'f_bsize',
      blocks: 'f_blocks',
      bfree: 'f_bfree',
      bavail: 'f_bavail',
      files: 'f_files',
      ffree: 'f_ffree',
      fsid: 'f_fsid',
      namelen: 'f_namelen',
      frsize: 'f_frsize',
      flags: 'f_flags',
    },
  },
  {
    type: 'struct dirent64',
    table: { ...stat.Dirent64 },
    fields: { ino: 'd_ino', off: 'd_off', reclen: 'd_reclen', type: 'd_type', name: 'd_name' },
  },
  { type: 'struct iovec', table: stat.Iovec, fields: { base: 'iov_base', length: 'iov_len' } },
  {
    type: 'struct flock',
    table: stat.Flock,
    fields: { type: 'l_type', whence: 'l_whence', start: 'l_start', length: 'l_len', pid: 'l_pid' },
  },
  { type: 'struct pollfd', table: poll.PollFd, fields: { fd: 'fd', events: 'events', revents: 'revents' } },
  { type: 'struct epoll_event', table: poll.EpollEvent, fields: { events: 'events', data: 'data' } },
  { type: 'struct rlimit', table: resource.Rlimit, fields: { cur: 'rlim_cur', max: 'rlim_max' } },
  {
    type: 'struct rusage',
    table: resource.Rusage,
    fields: {
      utime: 'ru_utime',
      stime: 'ru_stime',
      maxrss: 'ru_maxrss',
      minflt: 'ru_minflt',
      majflt: 'ru_majflt',
      nsignals: 'ru_nsignals',
      nvcsw: 'ru_nvcsw',
      nivcsw: 'ru_nivcsw',
    },
  },
  {
    type: 'struct tms',
    table: resource.Tms,
    fields: { utime: 'tms_utime', stime: 'tms_stime', cutime: 'tms_cutime', cstime: 'tms_cstime' },
  },
  { type: 'struct timespec', table: time.Timespec, fields: { sec: 'tv_sec', nsec: 'tv_nsec' } },
  { type: 'struct timeval', table: time.Timeval, fields: { sec: 'tv_sec', usec: 'tv_usec' } },
  { type: 'struct itimerspec', table: time.Itimerspec, fields: { interval: 'it_interval', value: 'it_value' } },
  { type: 'struct itimerval', table: time.Itimerval, fields: { interval: 'it_interval', value: 'it_value' } },
  {
    type: 'struct utsname',
    table: system.Utsname,
    fields: {
      sysname: 'sysname',
      nodename: 'nodename',
      release: 'release',
      version: 'version',
      machine: 'machine',
      domainname: 'domainname',
    },
  },
  {
    type: 'struct sysinfo',
    table: system.Sysinfo,
    fields: {
      uptime: 'uptime',
      loads: 'loads',
      totalram: 'totalram',
      freeram: 'freeram',
      sharedram: 'sharedram',
      bufferram: 'bufferram',
      totalswap: 'totalswap',
      freeswap: 'freeswap',
      procs: 'procs',
      totalhigh: 'totalhigh',
      freehigh: 'freehigh',
      memUnit: 'mem_unit',
    },
  },
  { type: 'stack_t', table: frame.StackT, fields: { sp: 'ss_sp', flags: 'ss_flags', stackSize: 'ss_size' } },
  {
    type: 'siginfo_t',
    table: frame.Siginfo,
    fields: {
      signo: 'si_signo',
      errno: 'si_errno',
      code: 'si_code',
      pid: 'si_pid',
      uid: 'si_uid',
      value: 'si_value',
      timerId: 'si_timerid',
      overrun: 'si_overrun',
      status: 'si_status',
      utime: 'si_utime',
      stime: 'si_stime',
      addr: 'si_addr',
      band: 'si_band',
      fd: 'si_fd',
      callAddr: 'si_call_addr',
      syscall: 'si_syscall',
      arch: 'si_arch',
    },
  },
  {
    type: 'struct sigevent',
    table: frame.Sigevent,
    fields: { value: 'sigev_value', signo: 'sigev_signo', notify: 'sigev_notify' },
  },
  {
    type: 'Elf64_Ehdr',
    table: elf.Ehdr,
    fields: {
      ident: 'e_ident',
      type: 'e_type',
      machine: 'e_machine',
      version: 'e_version',
      entry: 'e_entry',
      phoff: 'e_phoff',
      shoff: 'e_shoff',
      flags: 'e_flags',
      ehsize: 'e_ehsize',
      phentsize: 'e_phentsize',
      phnum: 'e_phnum',
      shentsize: 'e_shentsize',
      shnum: 'e_shnum',
      shstrndx: 'e_shstrndx',
    },
  },
  {
    type: 'Elf64_Phdr',
    table: elf.Phdr,
    fields: {
      type: 'p_type',
      flags: 'p_flags',
      offset: 'p_offset',
      vaddr: 'p_vaddr',
      paddr: 'p_paddr',
      filesz: 'p_filesz',
      memsz: 'p_memsz',
      align: 'p_align',
    },
  },
  {
    type: 'Elf64_Shdr',
    table: elf.Shdr,
    fields: {
      name: 'sh_name',
      type: 'sh_type',
      flags: 'sh_flags',
      addr: 'sh_addr',
      offset: 'sh_offset',
      shSize: 'sh_size',
      link: 'sh_link',
      info: 'sh_info',
      addralign: 'sh_addralign',
      entsize: 'sh_entsize',
    },
  },
  {
    type: 'Elf64_Sym',
    table: elf.Sym,
    fields: {
      name: 'st_name',
      info: 'st_info',
      other: 'st_other',
      shndx: 'st_shndx',
      value: 'st_value',
      symSize: 'st_size',
    },
  },
];

const KERNEL_LAYOUTS: readonly Layout[] = [
  {
    type: 'struct sigaction',
    table: frame.Sigaction,
    fields: { handler: 'sa_handler', flags: 'sa_flags', restorer: 'sa_restorer', mask: 'sa_mask' },
  },
  {
    type: 'struct clone_args',
    table: sched.CloneArgs,
    fields: {
      flags: 'flags',
      pidfd: 'pidfd',
      childTid: 'child_tid',
      parentTid: 'parent_tid',
      exitSignal: 'exit_signal',
      stack: 'stack',
      stackSize: 'stack_size',
      tls: 'tls',
      setTid: 'set_tid',
      setTidSize: 'set_tid_size',
      cgroup: 'cgroup',
    },
  },
  {
    type: 'struct robust_list_head',
    table: futex.RobustListHead,
    fields: { list: 'list', futexOffset: 'futex_offset', listOpPending: 'list_op_pending' },
  },
  { type: 'struct futex_waitv', table: futex.FutexWaitv, fields: { val: 'val', uaddr: 'uaddr', flags: 'flags' } },
  {
    type: 'struct termios',
    table: ioctl.Termios,
    fields: { iflag: 'c_iflag', oflag: 'c_oflag', cflag: 'c_cflag', lflag: 'c_lflag', line: 'c_line', cc: 'c_cc' },
  },
];

const CONTEXT_LAYOUTS: readonly Layout[] = [
  {
    type: 'struct sigcontext',
    table: frame.Sigcontext,
    fields: {
      r8: 'r8',
      r9: 'r9',
      r10: 'r10',
      r11: 'r11',
      r12: 'r12',
      r13: 'r13',
      r14: 'r14',
      r15: 'r15',
      rdi: 'rdi',
      rsi: 'rsi',
      rbp: 'rbp',
      rbx: 'rbx',
      rdx: 'rdx',
      rax: 'rax',
      rcx: 'rcx',
      rsp: 'rsp',
      rip: 'rip',
      rflags: 'eflags',
      cs: 'cs',
      gs: 'gs',
      fs: 'fs',
      err: 'err',
      trapno: 'trapno',
      oldmask: 'oldmask',
      cr2: 'cr2',
      fpstate: 'fpstate',
    },
  },
  {
    type: 'struct rseq',
    table: system.Rseq,
    fields: { cpuIdStart: 'cpu_id_start', cpuId: 'cpu_id', rseqCs: 'rseq_cs', flags: 'flags' },
  },
];

const compiler = findCCompiler();

describe.runIf(compiler !== undefined)('The numbers of src/abi', () => {
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-abi-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Compiles and runs a program whose main has this body; `name value` lines as a map. */
  function printed(headers: readonly string[], body: string): Map<string, string> {
    const source = join(folder, 'print.c');
    const binary = join(folder, 'print');
    const includes = headers.map((header) => `#include <${header}>\n`).join('');
    const declare = headers.includes('stdio.h') ? '' : 'int printf(const char *, ...);\n';
    writeFileSync(source, `#define _GNU_SOURCE\n${includes}${declare}int main(void) {\n${body}return 0;\n}\n`);
    execFileSync(compiler ?? 'cc', ['-w', '-x', 'c', '-o', binary, source]);
    const lines = execFileSync(binary, { encoding: 'utf8' }).trim().split('\n');
    return new Map(lines.map((line) => line.split(' ') as [string, string]));
  }

  const modules = {
    elf,
    errno,
    futex,
    ioctl,
    termios,
    mman,
    open,
    poll,
    prctl,
    resource,
    sched,
    signal,
    socket,
    stat,
    system,
    time,
    wait,
  };

  it.each(Object.entries(modules))('of %s.ts are those of the headers', (_, module) => {
    const names = Object.entries(module).filter(
      ([name, value]) => typeof value === 'number' && /^_*[A-Z][A-Z0-9_]+$/.test(name) && !NOT_COMPARED.has(name),
    );
    const body = names
      .map(([name]) => `#ifdef ${name}\nprintf("${name} %lld\\n", (long long)(${name}));\n#endif\n`)
      .join('');
    const values = printed(KERNEL_HEADERS, body);
    expect(values.size).toBeGreaterThan(0);
    for (const [name, ours] of names) {
      const theirs = values.get(name);
      if (theirs === undefined) continue;
      // A flag in bit 31 is negative in C where it is an int.
      expect(`${name} ${BigInt.asUintN(32, BigInt(theirs))}`).toBe(
        `${name} ${BigInt.asUintN(32, BigInt(ours as number))}`,
      );
    }
  });

  it('of system calls are those of the headers', () => {
    const entries = Object.entries(SYS);
    const body = entries
      .map(([name]) => `#ifdef __NR_${name}\nprintf("${name} %d\\n", __NR_${name});\n#endif\n`)
      .join('');
    const values = printed(['asm/unistd_64.h'], body);
    expect(values.size).toBeGreaterThan(340);
    expect(Object.fromEntries(entries.filter(([name]) => values.has(name)))).toEqual(
      Object.fromEntries([...values].map(([name, value]) => [name, Number(value)])),
    );
  });

  it.each([
    ...LAYOUTS.map((layout) => [layout.type, layout, LAYOUT_HEADERS] as const),
    ...KERNEL_LAYOUTS.map(
      (layout) =>
        [
          layout.type,
          layout,
          ['stddef.h', 'asm/signal.h', 'linux/sched.h', 'linux/futex.h', 'asm/termbits.h', 'linux/types.h'],
        ] as const,
    ),
    ...CONTEXT_LAYOUTS.map(
      (layout) => [layout.type, layout, ['stddef.h', 'asm/sigcontext.h', 'linux/rseq.h']] as const,
    ),
  ])('lay %s out as the headers do', (type, { table, fields }, headers) => {
    const body = Object.entries(fields)
      .map(([ours, theirs]) => `printf("${ours} %zu\\n", offsetof(${type}, ${theirs}));\n`)
      .join('');
    const values = printed(headers, `${body}printf("size %zu\\n", sizeof(${type}));\n`);
    for (const ours of Object.keys(fields)) expect(`${ours} ${values.get(ours)}`).toBe(`${ours} ${table[ours]}`);
    if (table['size'] !== undefined && type !== 'struct dirent64' && type !== 'struct rseq')
      expect(Number(values.get('size'))).toBe(table['size']);
  });
});
