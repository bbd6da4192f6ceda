// SPDX-License-Identifier: MIT
//
// /proc/sys: what steers the kernel. Most can be read only; some can be set and read back. Models kernel/sysctl.c, proc(5).

import { EINVAL } from '../abi/errno.ts';
import {
  InotifyLimits,
  MqLimits,
  MSGMAX,
  MSGMNB,
  MSGMNI,
  SEMMNI,
  SEMMNS,
  SEMMSL,
  SEMOPM,
  SHMALL,
  SHMMAX,
  SHMMNI,
} from '../abi/ipc.ts';
import type { Inode } from './inode.ts';
import { ProcDirectory, ProcFile } from './proc-nodes.ts';
import type { ProcFileSystemBase } from './proc-nodes.ts';
import type { ProcSource } from './proc-source.ts';
import { MOST_PTYS } from './tty/terminals.ts';

/** A directory's entries: texts that can only be read, nodes, and directories. */
interface Entries {
  readonly [name: string]: (() => string | number) | Inode | Entries;
}

/** A random UUID of version 4. */
function uuid(source: ProcSource): string {
  const b = new Uint8Array(16);
  source.randomBytes(b);
  b[6] = ((b[6] ?? 0) & 0x0f) | 0x40;
  b[8] = ((b[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...b].map((v) => v.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Longest name of a host or a domain. */
const NAME_BYTES = 64;

/** Makes /proc/sys. */
export function sysDirectory(fs: ProcFileSystemBase, source: ProcSource): Inode {
  let settings = 0;
  /** A number that may be set and read back but steers nothing. */
  const setting = (initial: number, lowest = -0x8000_0000, highest = 0x7fff_ffff): Inode => {
    const key = `setting ${settings++}`;
    return new ProcFile(fs, () => `${fs.settings.get(key) ?? initial}\n`, {
      write: (text) => {
        const trimmed = text.trim();
        const number = Number(trimmed);
        if (!/^[+-]?[0-9]+$/.test(trimmed) || number < lowest || number > highest) return -EINVAL;
        fs.settings.set(key, number);
        return 0;
      },
    });
  };
  const name = (which: 'hostname' | 'domainname'): Inode =>
    new ProcFile(fs, () => `${source[which]}\n`, {
      write: (text) => {
        source[which] = text.slice(0, NAME_BYTES).replace(/[\n\0].*$/s, '');
        return 0;
      },
    });
  const bootId = (): string => {
    const known = fs.settings.get('boot id');
    const id = typeof known === 'string' ? known : uuid(source);
    fs.settings.set('boot id', id);
    return id;
  };
  return directory(fs, {
    dev: { tty: { legacy_tiocsti: () => 1 } },
    fs: {
      'dentry-state': () => '0\t0\t45\t0\t0\t0',
      epoll: { max_user_watches: setting(131_072, 0) },
      'file-max': setting(1_048_576, 0),
      'file-nr': () => '0\t0\t1048576',
      inotify: {
        max_queued_events: () => InotifyLimits.events,
        max_user_instances: () => InotifyLimits.instances,
        max_user_watches: () => InotifyLimits.watches,
      },
      'lease-break-time': setting(45, 0),
      'leases-enable': setting(1, 0),
      mqueue: {
        msg_default: () => MqLimits.messages,
        msg_max: () => MqLimits.messages,
        msgsize_default: () => MqLimits.messageBytes,
        msgsize_max: () => MqLimits.messageBytes,
        queues_max: () => MqLimits.queues,
      },
      nr_open: setting(1_048_576, 8),
      overflowgid: setting(65_534, 0, 65_535),
      overflowuid: setting(65_534, 0, 65_535),
      'pipe-max-size': setting(1_048_576, 4096),
      protected_fifos: () => 0,
      protected_hardlinks: () => 1,
      protected_regular: () => 0,
      protected_symlinks: () => 1,
      suid_dumpable: () => 0,
    },
    kernel: {
      cap_last_cap: () => 40,
      // With core_uses_pid: nobody's memory is dumped, and no status says so.
      core_pattern: () => '',
      core_uses_pid: () => 0,
      dmesg_restrict: () => 0,
      domainname: name('domainname'),
      hostname: name('hostname'),
      kptr_restrict: () => 1,
      msgmax: () => MSGMAX,
      msgmnb: () => MSGMNB,
      msgmni: () => MSGMNI,
      ngroups_max: () => 65_536,
      ns_last_pid: () => source.lastTid,
      osrelease: () => source.release,
      ostype: () => 'Linux',
      overflowgid: setting(65_534, 0, 65_535),
      overflowuid: setting(65_534, 0, 65_535),
      panic: setting(0),
      pid_max: () => source.pidMax,
      pty: { max: () => MOST_PTYS, nr: () => source.terminals, reserve: () => 1024 },
      random: {
        boot_id: bootId,
        entropy_avail: () => 256,
        poolsize: () => 256,
        uuid: () => uuid(source),
      },
      randomize_va_space: () => source.randomizeVaSpace,
      sched_rr_timeslice_ms: () => 100,
      seccomp: {
        actions_avail: () => 'kill_process kill_thread trap errno user_notif trace log allow',
        actions_logged: () => 'kill_process kill_thread trap errno user_notif trace log',
      },
      sem: () => `${SEMMSL}\t${SEMMNS}\t${SEMOPM}\t${SEMMNI}`,
      shm_rmid_forced: () => 0,
      shmall: () => String(SHMALL),
      shmmax: () => String(SHMMAX),
      shmmni: () => SHMMNI,
      tainted: () => 0,
      'threads-max': () => source.maxTasks,
      version: () => source.version,
      // As where Yama leaves tracing to the rules of ptrace(2).
      yama: { ptrace_scope: () => 0 },
    },
    net: {
      core: { somaxconn: setting(4096, 0) },
      unix: { max_dgram_qlen: () => 10 },
    },
    user: {
      max_inotify_instances: () => InotifyLimits.instances,
      max_inotify_watches: () => InotifyLimits.watches,
      max_user_namespaces: () => 0,
    },
    vm: {
      max_map_count: setting(65_530, 0),
      mmap_min_addr: () => 65_536,
      nr_hugepages: () => 0,
      overcommit_kbytes: setting(0, 0),
      overcommit_memory: setting(0, 0, 2),
      overcommit_ratio: setting(50, 0),
      swappiness: setting(60, 0, 200),
    },
  });
}

function directory(fs: ProcFileSystemBase, entries: Entries): Inode {
  const nodes = new Map<string, Inode>();
  for (const [name, entry] of Object.entries(entries)) {
    if (typeof entry === 'function') nodes.set(name, new ProcFile(fs, () => `${entry()}\n`));
    else nodes.set(name, isNode(entry) ? entry : directory(fs, entry));
  }
  return ProcDirectory.fixed(fs, nodes);
}

function isNode(entry: Inode | Entries): entry is Inode {
  return entry instanceof ProcFile;
}
