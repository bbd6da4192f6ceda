// SPDX-License-Identifier: MIT
//
// /proc/<pid> and /proc/<pid>/task/<tid>: which files there are, whom they belong to, and who may look into them.
// Models fs/proc/base.c, fd.c, namespaces.c and task_mmu.c of Linux 6.1.

import { EACCES, EINVAL, EIO, ENOENT, ENXIO, EPERM, ESRCH } from '../abi/errno.ts';
import { O_ACCMODE, O_RDONLY, O_WRONLY } from '../abi/open.ts';
import { CAP_SYS_ADMIN, CAP_SYS_NICE, CAP_SYS_RESOURCE, MAY_WRITE } from './credentials.ts';
import { displayPath } from './dentry.ts';
import type { Dentry } from './dentry.ts';
import type { Inode } from './inode.ts';
import { ProcMemoryNode, ProcPagemapNode } from './proc-memory.ts';
import type { MemoryLook } from './proc-memory.ts';
import { ioText, schedText } from './proc-accounting.ts';
import { netDirectory } from './proc-net.ts';
import { ProcDirectory, ProcFile, ProcLink } from './proc-nodes.ts';
import type { Ownership, ProcFileSystemBase, TextMaker } from './proc-nodes.ts';
import type { ProcSource, ProcTask } from './proc-source.ts';
import { fdInfoText, limitsText, oomScore, statmText, statText, statusText, systemCallText } from './proc-text.ts';

/** Process directories that are kept before those of processes that are gone are thrown away. */
const MAX_REMEMBERED = 8192;

/** The namespaces of the whole machine, by their numbers in Linux (PROC_*_INIT_INO). */
const NAMESPACES: readonly (readonly [string, string, number])[] = [
  ['cgroup', 'cgroup', 4_026_531_835],
  ['ipc', 'ipc', 4_026_531_839],
  ['mnt', 'mnt', 4_026_531_841],
  ['net', 'net', 4_026_531_840],
  ['pid', 'pid', 4_026_531_836],
  ['pid_for_children', 'pid', 4_026_531_836],
  ['time', 'time', 4_026_531_834],
  ['time_for_children', 'time', 4_026_531_834],
  ['user', 'user', 4_026_531_837],
  ['uts', 'uts', 4_026_531_838],
];

/** Behind every address space's own areas: nothing is mapped there, but calls are made (vsyscall=xonly). */
const VSYSCALL_LINE = `ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 ${' '.repeat(17)} [vsyscall]\n`;
const IDENTITY_MAP = '         0          0 4294967295\n';

/** What the mounts of a task look like. */
export interface MountTexts {
  mounts(): string;
  info(): string;
  statistics(): string;
}

/** The directories of all processes. */
export class ProcessDirectories {
  readonly #fs: ProcFileSystemBase;
  readonly #source: ProcSource;
  readonly #mountTexts: MountTexts;
  /** With the start that tells a re-used number apart. */
  readonly #known = new Map<number, { startNs: number; dir: Inode }>();

  constructor(fs: ProcFileSystemBase, source: ProcSource, mountTexts: MountTexts) {
    this.#fs = fs;
    this.#source = source;
    this.#mountTexts = mountTexts;
  }

  /** The directory of the task `name`, be it the first of its process or not. */
  find(name: string): Inode | undefined {
    if (!/^[1-9][0-9]{0,9}$/.test(name)) return undefined;
    const tid = Number(name);
    const task = this.#source.task(tid);
    if (task === undefined) {
      this.#known.delete(tid);
      return undefined;
    }
    const known = this.#known.get(tid);
    if (known !== undefined && known.startNs === task.startNs) {
      known.dir.refresh();
      return known.dir;
    }
    const dir = this.#directory(tid, true);
    if (this.#known.size >= MAX_REMEMBERED) {
      for (const old of [...this.#known.keys()]) if (this.#source.task(old) === undefined) this.#known.delete(old);
    }
    this.#known.set(tid, { startNs: task.startNs, dir });
    return dir;
  }

  #directory(tid: number, isProcess: boolean): Inode {
    const source = this.#source;
    const fs = this.#fs;
    const nodes = new TaskNodes(fs, source, tid);
    const { file } = nodes;
    const makers: Record<string, () => Inode> = {
      auxv: () => nodes.inspected((t) => t.auxv(), 0o400),
      cgroup: () => file(() => '0::/\n'),
      cmdline: () => file((t) => t.commandLine()),
      comm: () => nodes.comm(),
      cwd: () => nodes.place((t) => t.fs?.cwd),
      environ: () => nodes.inspected((t) => t.environment(), 0o400),
      exe: () => nodes.place((t) => t.exe),
      fd: () => nodes.descriptors(),
      fdinfo: () => nodes.descriptorInfos(),
      gid_map: () => nodes.fixed(IDENTITY_MAP, 0o644),
      io: () => nodes.io(isProcess),
      limits: () => file(limitsText),
      loginuid: () => nodes.fixed('4294967295', 0o644),
      maps: () => nodes.inspected((t) => (t.mm === null ? '' : t.mm.mapsText() + VSYSCALL_LINE)),
      mem: () => new ProcMemoryNode(fs, nodes.memory, nodes.owner),
      mountinfo: () => file(() => this.#mountTexts.info()),
      mounts: () => file(() => this.#mountTexts.mounts()),
      mountstats: () => file(() => this.#mountTexts.statistics(), 0o400),
      net: () => netDirectory(fs, source),
      ns: () => nodes.namespaces(),
      numa_maps: () => nodes.inspected((t) => t.mm?.numaMapsText(t.memoryPolicy) ?? ''),
      oom_score: () => file((t) => `${oomScore(t, source.memory.totalBytes)}\n`),
      oom_score_adj: () => nodes.oomScoreAdj(),
      pagemap: () => new ProcPagemapNode(fs, nodes.memory, nodes.owner),
      personality: () => nodes.attached((t) => `${t.personality.toString(16).padStart(8, '0')}\n`),
      projid_map: () => nodes.fixed(IDENTITY_MAP, 0o644),
      root: () => nodes.place((t) => t.fs?.root),
      sched: () => nodes.sched(),
      sessionid: () => file(() => '4294967295'),
      setgroups: () => nodes.fixed('allow\n', 0o644),
      smaps: () => nodes.inspected((t) => t.mm?.smapsText() ?? ''),
      smaps_rollup: () => nodes.inspected((t) => t.mm?.smapsText(true) ?? -ESRCH),
      stack: () => nodes.stack(),
      stat: () => file((t) => statText(t, isProcess)),
      statm: () => file(statmText),
      status: () => file(statusText),
      syscall: () => nodes.attached(systemCallText),
      timerslack_ns: () => nodes.timerSlack(),
      uid_map: () => nodes.fixed(IDENTITY_MAP, 0o644),
      // The name of a function of the kernel, which this one has not.
      wchan: () => file(() => '0'),
    };
    if (isProcess) makers['task'] = (): Inode => this.#tasks(tid, nodes.user);
    else makers['children'] = (): Inode => file((t) => t.children.map((child) => `${child} `).join(''));
    const names = Object.keys(makers).sort();
    const dir = new ProcDirectory(
      fs,
      0o555,
      () => (source.task(tid) === undefined ? [] : names),
      (name) => (source.task(tid) === undefined || !Object.hasOwn(makers, name) ? undefined : makers[name]?.()),
      nodes.user,
      true,
      // Immutable; and who kept it open learns that the task is gone.
      (wanted) => ((wanted & MAY_WRITE) !== 0 ? -EPERM : source.task(tid) === undefined ? -ESRCH : null),
    );
    dir.nlink = isProcess ? 7 : 6;
    return dir;
  }

  #tasks(tgid: number, owner: () => Ownership): Inode {
    const threads = (): readonly number[] => this.#source.task(tgid)?.threads ?? [];
    return new ProcDirectory(
      this.#fs,
      0o555,
      () => threads().map(String),
      (name) => (threads().map(String).includes(name) ? this.#directory(Number(name), false) : undefined),
      owner,
    );
  }
}

/** Makes the files of one task. */
class TaskNodes {
  readonly #fs: ProcFileSystemBase;
  readonly #source: ProcSource;
  readonly #tid: number;

  constructor(fs: ProcFileSystemBase, source: ProcSource, tid: number) {
    this.#fs = fs;
    this.#source = source;
    this.#tid = tid;
  }

  get #task(): ProcTask | undefined {
    return this.#source.task(this.#tid);
  }

  /** The user of the task: whom directories belong to that all may read. */
  readonly user = (): Ownership => {
    const task = this.#task;
    return { uid: task?.uids[1] ?? 0, gid: task?.gids[1] ?? 0 };
  };

  /** The same, but root where the task hides its memory or has none any more (task_dump_owner). */
  readonly owner = (): Ownership => {
    const task = this.#task;
    const isHidden = task === undefined || task.mm === null || !task.isDumpable;
    return isHidden ? { uid: 0, gid: 0 } : { uid: task.uids[1], gid: task.gids[1] };
  };

  /** 0 when the asking task may look into this one. */
  readonly access = (): number => {
    const task = this.#task;
    return task === undefined ? -ESRCH : task.mayBeInspected ? 0 : -EACCES;
  };

  /** The memory for whoever may look into it: null when it is gone. */
  readonly memory = (): ReturnType<MemoryLook> => {
    const denied = this.access();
    return denied < 0 ? denied : (this.#task?.mm ?? null);
  };

  #text(make: (task: ProcTask) => string | Uint8Array | number): TextMaker {
    return () => {
      const task = this.#task;
      return task === undefined ? -ESRCH : make(task);
    };
  }

  /** A text that everybody may read, if the mode lets him. */
  readonly file = (make: (task: ProcTask) => string | Uint8Array, mode = 0o444): Inode =>
    new ProcFile(this.#fs, this.#text(make), { mode, owner: this.owner });

  /** A text that never changes, whatever the mode promises. */
  fixed(text: string, mode: number): Inode {
    return new ProcFile(this.#fs, () => text, { mode, owner: this.owner, write: () => -EPERM });
  }

  /** For those who may look into the task, asked when they open it (PTRACE_MODE_READ). */
  inspected(make: (task: ProcTask) => string | Uint8Array | number, mode = 0o444): Inode {
    return new ProcFile(this.#fs, this.#text(make), { mode, owner: this.owner, access: this.access });
  }

  /** For those who may trace it, asked when they read (lock_trace). */
  attached(make: (task: ProcTask) => string): Inode {
    return new ProcFile(
      this.#fs,
      this.#text((t) => (t.mayBeInspected ? make(t) : -EPERM)),
      { mode: 0o400, owner: this.owner },
    );
  }

  comm(): Inode {
    return new ProcFile(
      this.#fs,
      this.#text((t) => `${t.name}\n`),
      {
        mode: 0o644,
        owner: this.owner,
        write: (value) => {
          const task = this.#task;
          if (task === undefined) return -ESRCH;
          if (task.tgid !== this.#source.currentTgid) return -EINVAL;
          task.setName(value.replace(/\n$/, '').slice(0, 15));
          return 0;
        },
      },
    );
  }

  oomScoreAdj(): Inode {
    return new ProcFile(
      this.#fs,
      this.#text((t) => `${t.oomScoreAdj}\n`),
      {
        mode: 0o644,
        owner: this.owner,
        write: (value) => {
          const number = integer(value);
          if (number === undefined || number < -1000 || number > 1000) return -EINVAL;
          const task = this.#task;
          if (task === undefined) return -ESRCH;
          if (number < task.oomScoreAdj && !this.#source.isCapable(CAP_SYS_RESOURCE)) return -EACCES;
          task.setOomScoreAdj(number);
          return 0;
        },
      },
    );
  }

  timerSlack(): Inode {
    const denied = (task: ProcTask): boolean =>
      task.tid !== this.#source.currentTid && !this.#source.isCapable(CAP_SYS_NICE);
    return new ProcFile(
      this.#fs,
      this.#text((t) => (denied(t) ? -EPERM : `${t.timerSlackNs}\n`)),
      {
        mode: 0o666,
        owner: this.owner,
        write: (value) => {
          const number = integer(value);
          const task = this.#task;
          if (number === undefined || number < 0) return -EINVAL;
          if (task === undefined) return -ESRCH;
          if (denied(task)) return -EPERM;
          task.setTimerSlackNs(number);
          return 0;
        },
      },
    );
  }

  /** Asked at each read whether the task may be looked into (do_io_accounting). */
  io(isProcess: boolean): Inode {
    return new ProcFile(
      this.#fs,
      this.#text((t) => (t.mayBeInspected ? ioText(isProcess ? t.io : t.taskIo) : -EACCES)),
      { mode: 0o400, owner: this.owner },
    );
  }

  sched(): Inode {
    const write = (): number => (this.#task === undefined ? -ESRCH : 0);
    return new ProcFile(this.#fs, this.#text(schedText), { mode: 0o644, owner: this.owner, write });
  }

  /** Functions of the kernel that the task is in: this kernel has none that could be named. */
  stack(): Inode {
    return new ProcFile(
      this.#fs,
      this.#text(() => (this.#source.isCapable(CAP_SYS_ADMIN) ? '' : -EACCES)),
      { mode: 0o400, owner: this.owner },
    );
  }

  /** A link to a place in the tree. */
  place(of: (task: ProcTask) => Dentry | null | undefined): Inode {
    const look = (): Dentry | number => {
      const task = this.#task;
      if (task === undefined) return -ENOENT;
      return task.mayBeInspected ? (of(task) ?? -ENOENT) : -EACCES;
    };
    return new ProcLink(this.#fs, () => this.#shown(look()), { target: look, owner: this.owner });
  }

  /** A place as the asking task may see it. */
  #shown(to: Dentry | number): string | number {
    if (typeof to === 'number') return to;
    return displayPath(to, this.#source.task(this.#source.currentTid)?.fs?.root ?? null);
  }

  namespaces(): Inode {
    const link = (text: string): Inode =>
      new ProcLink(this.#fs, () => this.access() || text, {
        // DIVERGES: a namespace cannot be entered, so there is nothing that a descriptor could stand for.
        target: () => this.access() || -ENXIO,
        owner: this.owner,
      });
    const links = NAMESPACES.map(([name, type, ino]) => [name, link(`${type}:[${ino}]`)] as const);
    return ProcDirectory.fixed(this.#fs, new Map(links), 0o511, this.owner);
  }

  // ---- descriptors

  #names(): string[] {
    return [...(this.#task?.files?.descriptors() ?? [])].map(String);
  }

  #fileOf(name: string): ReturnType<NonNullable<ProcTask['files']>['get']> {
    return /^(0|[1-9][0-9]*)$/.test(name) ? this.#task?.files?.get(Number(name)) : undefined;
  }

  descriptors(): Inode {
    return new ProcDirectory(
      this.#fs,
      0o500,
      () => this.#names(),
      (name) => (this.#fileOf(name) === undefined ? undefined : this.#descriptor(name)),
      this.owner,
      true,
      // A process finds its own whatever it was when it began.
      (wanted) => ((wanted & MAY_WRITE) === 0 && this.#task?.tgid === this.#source.currentTgid ? 0 : null),
    );
  }

  #descriptor(name: string): Inode {
    const look = (): Dentry | number => this.access() || (this.#fileOf(name)?.dentry ?? -ENOENT);
    return new ProcLink(this.#fs, () => this.#shown(look()), {
      target: look,
      owner: this.owner,
      size: 64,
      mode: () => {
        const file = this.#fileOf(name);
        if (file === undefined) return 0o777;
        const mode = file.flags & O_ACCMODE;
        return 0o100 | (mode === O_WRONLY ? 0 : 0o400) | (mode === O_RDONLY ? 0 : 0o200);
      },
    });
  }

  descriptorInfos(): Inode {
    return new ProcDirectory(
      this.#fs,
      0o555,
      () => this.#names(),
      (name) => {
        if (this.#fileOf(name) === undefined) return undefined;
        const text = (): string | number => {
          const file = this.#fileOf(name);
          const isCloexec = this.#task?.files?.isCloexec(Number(name)) ?? false;
          return file === undefined ? -EIO : fdInfoText(file, isCloexec);
        };
        return new ProcFile(this.#fs, text, { owner: this.owner, access: this.access });
      },
      this.user,
    );
  }
}

function integer(text: string): number | undefined {
  return /^\s*[+-]?[0-9]{1,15}\s*$/.test(text) ? Number(text) : undefined;
}
