// SPDX-License-Identifier: MIT
//
// /proc/<pid>/mounts, mountinfo and mountstats: the mounts that the asking task can reach from its root.
// Models fs/proc_namespace.c.

import { pathOf } from './dentry.ts';
import type { Mount } from './dentry.ts';
import type { MountTexts } from './proc-process.ts';
import type { ProcSource } from './proc-source.ts';

interface SeenMount {
  readonly mount: Mount;
  readonly path: string;
  readonly source: string;
}

/** Texts over the mounts that there are when one is made. */
export class ProcMounts implements MountTexts {
  readonly #source: ProcSource;
  readonly #all: () => readonly Mount[];

  constructor(source: ProcSource, all: () => readonly Mount[]) {
    this.#source = source;
    this.#all = all;
  }

  #seen(): SeenMount[] {
    const root = this.#source.task(this.#source.currentTid)?.fs?.root ?? null;
    return this.#all()
      .map((mount) => ({ mount, ...pathOf(mount.root, root) }))
      .filter((m) => m.reachable)
      .map(({ mount, path }) => ({ mount, path: escaped(path), source: escaped(mount.source) }));
  }

  /** In the format of fstab(5). */
  mounts(): string {
    return this.#seen()
      .map(
        ({ mount, path, source }) =>
          `${source} ${path} ${mount.fs.typeName} ${mount.optionsText}${mount.fs.optionsText} 0 0\n`,
      )
      .join('');
  }

  info(): string {
    return this.#seen()
      .map(({ mount, path, source }) => {
        const parent = mount.mountpoint?.mount.id ?? mount.id;
        const device = mount.fs.deviceNumber;
        const shown = escaped(mount.rootPath);
        const access = `${mount.fs.isReadOnly ? 'ro' : 'rw'}${mount.fs.optionsText}`;
        return `${mount.id} ${parent} ${(device >>> 8) & 0xfff}:${device & 0xff} ${shown} ${path} ${mount.optionsText} - ${mount.fs.typeName} ${source} ${access}\n`;
      })
      .join('');
  }

  statistics(): string {
    return this.#seen()
      .map(({ mount, path, source }) => `device ${source} mounted on ${path} with fstype ${mount.fs.typeName}\n`)
      .join('');
  }
}

/** White space and backslashes in octal, as these files escape them. */
function escaped(path: string): string {
  return path.replace(/[ \t\n\\]/g, (c) => '\\' + c.charCodeAt(0).toString(8).padStart(3, '0'));
}
