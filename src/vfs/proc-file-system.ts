// SPDX-License-Identifier: MIT
//
// /proc: processes, their files, and the machine as a whole. Texts of processes are in proc-text.ts.
// Models fs/proc (root.c, base.c, fd.c, task_mmu.c).

import { EACCES, EINVAL, EIO, ENOENT, ESRCH } from '../abi/errno.ts';
import { O_ACCMODE, O_WRONLY, O_RDONLY } from '../abi/open.ts';
import { pathOf, displayPath } from './dentry.ts';
import type { Dentry, Mount } from './dentry.ts';
import type { FsClock, Inode } from './inode.ts';
import { ProcMemoryNode } from './proc-memory.ts';
import { ProcDirectory, ProcFile, ProcFileSystemBase, ProcLink } from './proc-nodes.ts';
import type { Ownership, TextMaker } from './proc-nodes.ts';
import type { ProcSource, ProcTask } from './proc-source.ts';
import { machineNodes } from './proc-machine.ts';
import { fdInfoText, limitsText, statmText, statText, statusText, systemCallText } from './proc-text.ts';

/** Process directories that are kept before those of processes that are gone are thrown away. */
const MAX_REMEMBERED = 8192;

/** The mounted /proc. */
export class ProcFileSystem extends ProcFileSystemBase {
  override readonly root: Inode;
  readonly source: ProcSource;
  readonly #mounts: () => readonly Mount[];
  /** Process directories, with the start that tells a re-used number apart. */
  readonly #processes = new Map<number, { startNs: number; dir: Inode }>();

  constructor(deviceNumber: number, clock: FsClock, source: ProcSource, mounts: () => readonly Mount[]) {
    super(deviceNumber, clock);
    this.source = source;
    this.#mounts = mounts;
    const fixed = machineNodes(this, source, () => this.mountsText());
    fixed.set('self', new ProcLink(this, () => String(source.currentTgid)));
    fixed.set('thread-self', new ProcLink(this, () => `${source.currentTgid}/task/${source.currentTid}`));
    const names = [...fixed.keys()].sort();
    this.root = new ProcDirectory(
      this,
      0o555,
      () => [...names, ...source.processes().map(String)],
      (name) => fixed.get(name) ?? this.#process(name),
      undefined,
      false,
    );
  }

  #process(name: string): Inode | undefined {
    if (!/^[1-9][0-9]{0,9}$/.test(name)) return undefined;
    const tid = Number(name);
    const task = this.source.task(tid);
    if (task === undefined) {
      this.#processes.delete(tid);
      return undefined;
    }
    const known = this.#processes.get(tid);
    if (known !== undefined && known.startNs === task.startNs) return known.dir;
    const dir = this.#taskDirectory(tid, true);
    if (this.#processes.size >= MAX_REMEMBERED) {
      for (const old of [...this.#processes.keys()])
        if (this.source.task(old) === undefined) this.#processes.delete(old);
    }
    this.#processes.set(tid, { startNs: task.startNs, dir });
    return dir;
  }

  /** /proc/<pid>, or /proc/<pid>/task/<tid>. */
  #taskDirectory(tid: number, isProcess: boolean): Inode {
    const { source } = this;
    const owner = (): Ownership => {
      const task = source.task(tid);
      return { uid: task?.uids[1] ?? 0, gid: task?.gids[1] ?? 0 };
    };
    const text =
      (make: (task: ProcTask) => string | Uint8Array): TextMaker =>
      () => {
        const task = source.task(tid);
        return task === undefined ? -ESRCH : make(task);
      };
    const file = (make: (task: ProcTask) => string | Uint8Array, mode = 0o444): Inode =>
      new ProcFile(this, text(make), { mode, owner });
    const place = (of: (task: ProcTask) => Dentry | null | undefined): Inode =>
      new ProcLink(this, () => this.#linkText(tid, of), {
        target: () => {
          const task = source.task(tid);
          return (task === undefined ? null : of(task)) ?? -ENOENT;
        },
        owner,
      });
    const makers: Record<string, () => Inode> = {
      auxv: () => file((t) => t.auxv(), 0o400),
      cgroup: () => file(() => '0::/\n'),
      cmdline: () => file((t) => t.commandLine()),
      comm: () =>
        new ProcFile(
          this,
          text((t) => `${t.name}\n`),
          {
            mode: 0o644,
            owner,
            write: (value) => {
              const task = source.task(tid);
              if (task === undefined) return -ESRCH;
              if (task.tgid !== source.currentTgid) return -EINVAL;
              task.setName(value.replace(/\n$/, '').slice(0, 15));
              return 0;
            },
          },
        ),
      cwd: () => place((t) => t.fs?.cwd),
      environ: () => file((t) => t.environment(), 0o400),
      exe: () => place((t) => t.exe),
      fd: () => this.#fdDirectory(tid, owner),
      fdinfo: () => this.#fdInfoDirectory(tid, owner),
      limits: () => file(limitsText),
      loginuid: () => file(() => '4294967295'),
      maps: () => file((t) => t.mm?.mapsText() ?? ''),
      mem: () => new ProcMemoryNode(this, () => source.task(tid)?.mm ?? null, owner),
      mountinfo: () => file(() => this.#mountInfoText()),
      mounts: () => file(() => this.mountsText()),
      oom_score: () => file(() => '0\n'),
      oom_score_adj: () =>
        new ProcFile(
          this,
          text((t) => `${t.oomScoreAdj}\n`),
          {
            mode: 0o644,
            owner,
            write: (value) => {
              const number = Number(value.trim());
              if (!Number.isInteger(number) || number < -1000 || number > 1000) return -EINVAL;
              const task = source.task(tid);
              if (task === undefined) return -ESRCH;
              if (number < task.oomScoreAdj && task.uids[1] !== 0) return -EACCES;
              task.setOomScoreAdj(number);
              return 0;
            },
          },
        ),
      personality: () => file((t) => `${t.personality.toString(16).padStart(8, '0')}\n`, 0o400),
      root: () => place((t) => t.fs?.root),
      stat: () => file(statText),
      statm: () => file(statmText),
      status: () => file(statusText),
      syscall: () => file(systemCallText, 0o400),
      wchan: () => file(() => '0'),
    };
    if (isProcess) makers['task'] = (): Inode => this.#taskListDirectory(tid, owner);
    const names = Object.keys(makers).sort();
    const dir = new ProcDirectory(
      this,
      0o555,
      () => (source.task(tid) === undefined ? [] : names),
      (name) => (source.task(tid) === undefined || !Object.hasOwn(makers, name) ? undefined : makers[name]?.()),
      owner,
    );
    dir.nlink = isProcess ? 5 : 4;
    return dir;
  }

  #linkText(tid: number, of: (task: ProcTask) => Dentry | null | undefined): string | number {
    const task = this.source.task(tid);
    const to = task === undefined ? undefined : of(task);
    return to === undefined || to === null ? -ENOENT : this.#shown(to);
  }

  /** A place as the asking task may see it. */
  #shown(to: Dentry): string {
    const asking = this.source.task(this.source.currentTid);
    return displayPath(to, asking?.fs?.root ?? null);
  }

  #taskListDirectory(tgid: number, owner: () => Ownership): Inode {
    const threads = (): readonly number[] => this.source.task(tgid)?.threads ?? [];
    return new ProcDirectory(
      this,
      0o555,
      () => threads().map(String),
      (name) => (threads().map(String).includes(name) ? this.#taskDirectory(Number(name), false) : undefined),
      owner,
    );
  }

  #fdNames(tid: number): string[] {
    return [...(this.source.task(tid)?.files?.descriptors() ?? [])].map(String);
  }

  #fdDirectory(tid: number, owner: () => Ownership): Inode {
    const fileOf = (name: string): ReturnType<NonNullable<ProcTask['files']>['get']> =>
      /^(0|[1-9][0-9]*)$/.test(name) ? this.source.task(tid)?.files?.get(Number(name)) : undefined;
    return new ProcDirectory(
      this,
      0o500,
      () => this.#fdNames(tid),
      (name) =>
        fileOf(name) === undefined
          ? undefined
          : new ProcLink(
              this,
              () => {
                const file = fileOf(name);
                return file === undefined ? -ENOENT : this.#shown(file.dentry);
              },
              {
                target: () => fileOf(name)?.dentry ?? -ENOENT,
                owner,
                size: 64,
                mode: () => {
                  const file = fileOf(name);
                  if (file === undefined) return 0o777;
                  const mode = file.flags & O_ACCMODE;
                  return 0o100 | (mode === O_WRONLY ? 0 : 0o400) | (mode === O_RDONLY ? 0 : 0o200);
                },
              },
            ),
      owner,
    );
  }

  #fdInfoDirectory(tid: number, owner: () => Ownership): Inode {
    return new ProcDirectory(
      this,
      0o555,
      () => this.#fdNames(tid),
      (name) => {
        const number = Number(name);
        if (!this.#fdNames(tid).includes(name)) return undefined;
        return new ProcFile(
          this,
          () => {
            const files = this.source.task(tid)?.files;
            const file = files?.get(number);
            return file === undefined ? -EIO : fdInfoText(file, files?.isCloexec(number) ?? false);
          },
          { owner },
        );
      },
      owner,
    );
  }

  #mountsSeen(): { mount: Mount; path: string }[] {
    const root = this.source.task(this.source.currentTid)?.fs?.root ?? null;
    return this.#mounts()
      .map((mount) => ({ mount, ...pathOf(mount.root, root) }))
      .filter((m) => m.reachable)
      .map(({ mount, path }) => ({ mount, path: escapedPath(path) }));
  }

  /** /proc/mounts, in the format of fstab(5). */
  mountsText(): string {
    return this.#mountsSeen()
      .map(
        ({ mount, path }) =>
          `${escapedPath(mount.source)} ${path} ${mount.fs.typeName} ${mount.optionsText}${mount.fs.optionsText} 0 0\n`,
      )
      .join('');
  }

  #mountInfoText(): string {
    return this.#mountsSeen()
      .map(({ mount, path }) => {
        const parent = mount.mountpoint?.mount.id ?? mount.id;
        const device = mount.fs.deviceNumber;
        const shown = escapedPath(mount.rootPath);
        const source = escapedPath(mount.source);
        const access = `${mount.fs.isReadOnly ? 'ro' : 'rw'}${mount.fs.optionsText}`;
        return `${mount.id} ${parent} ${(device >>> 8) & 0xfff}:${device & 0xff} ${shown} ${path} ${mount.optionsText} - ${mount.fs.typeName} ${source} ${access}\n`;
      })
      .join('');
  }
}

/** White space and backslashes in octal, as mounts files escape them. */
function escapedPath(path: string): string {
  return path.replace(/[ \t\n\\]/g, (c) => '\\' + c.charCodeAt(0).toString(8).padStart(3, '0'));
}
