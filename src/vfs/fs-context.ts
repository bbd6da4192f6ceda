// SPDX-License-Identifier: MIT
//
// A task's view of the tree: root, working directory and umask; shared (CLONE_FS) or copied. Models fs/fs_struct.c.

import { savable } from '../base/savable.ts';
import type { Credentials } from './credentials.ts';
import type { Dentry } from './dentry.ts';

/** Root, working directory and umask. */
export class FsContext {
  root: Dentry;
  cwd: Dentry;
  umask: number;
  /** Tasks that share it. */
  users = 1;

  constructor(root: Dentry, cwd: Dentry, umask = 0o022) {
    this.root = root;
    this.cwd = cwd;
    this.umask = umask;
  }

  copy(): FsContext {
    return new FsContext(this.root, this.cwd, this.umask);
  }
}

/** Who walks, and from where: what every operation by path needs. */
export interface Caller {
  readonly fs: FsContext;
  readonly cred: Credentials;
}

savable('vfs/fs-context', { FsContext });
