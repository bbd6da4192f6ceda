// SPDX-License-Identifier: MIT
//
// The mounts of one sandbox and how they hang together: attaching, detaching, copying and moving them. Who may do so
// and with which errors is mounting.ts's. Models fs/namespace.c (attach_recursive_mnt, copy_tree, umount_tree).

import { ENOSPC } from '../abi/errno.ts';
import { invariant } from '../base/errors.ts';
import { savable } from '../base/savable.ts';
import { Mount } from './dentry.ts';
import type { Dentry, Entry } from './dentry.ts';
import type { FileSystem } from './inode.ts';

/** Mounts at a time. Linux's fs.mount-max is 100,000. */
export const MAX_MOUNTS = 10_000;

/** All mounts that have a place, in the order in which they got it. */
export class MountTable {
  private readonly mounts = new Set<Mount>();
  private nextId = 1;
  private top: Mount | null = null;

  get all(): Iterable<Mount> {
    return this.mounts;
  }

  /** What `/` of the whole tree is. */
  get root(): Mount {
    const root = this.top;
    invariant(root !== null, () => 'the tree has no root yet');
    return root;
  }

  /** The mount is in the tree: neither unmounted nor one without a place. */
  has(mount: Mount): boolean {
    return this.mounts.has(mount);
  }

  /** A mount without a place yet. */
  make(fs: FileSystem, flags: number, source: string, top?: Entry): Mount {
    return new Mount(this.nextId++, fs, null, flags, source, top);
  }

  setRoot(mount: Mount): void {
    this.top = mount;
    this.enter(mount);
  }

  /** Puts `mount`, and what is mounted in it, over `at`. -ENOSPC when there are too many. */
  attach(mount: Mount, at: Dentry): number {
    const tree = subtree(mount);
    if (this.mounts.size + tree.length > MAX_MOUNTS) return -ENOSPC;
    cover(mount, at);
    for (const each of tree) this.enter(each);
    return 0;
  }

  private enter(mount: Mount): void {
    if (this.mounts.has(mount)) return;
    this.mounts.add(mount);
    mount.fs.mountCount++;
  }

  /** Takes `mount` and everything mounted in it out of the tree. */
  detach(mount: Mount): void {
    for (const each of subtree(mount).reverse()) {
      uncover(each);
      if (this.mounts.delete(each)) each.fs.mountCount--;
    }
  }

  /** Moves `mount`, with what is mounted in it, over `at`. */
  move(mount: Mount, at: Dentry): void {
    uncover(mount);
    cover(mount, at);
  }

  /** `next` takes the place of the root, which then lies over `place`, a dentry of `next` or below it. */
  pivot(next: Mount, place: Dentry): void {
    const old = this.root;
    uncover(next);
    cover(old, place);
    this.top = next;
  }

  /**
   * A copy of what `from` shows, to be attached; with `deep` also of what is mounted below it. -ENOSPC when the whole
   * would be too many mounts.
   */
  copy(from: Dentry, deep: boolean): Mount | number {
    const { mount } = from;
    const made = this.make(mount.fs, mount.flags, mount.source, from.entry);
    if (!deep) return made;
    const pairs: [Mount, Mount][] = [[mount, made]];
    let count = 1;
    for (let next = pairs.shift(); next !== undefined; next = pairs.shift()) {
      const [old, copy] = next;
      for (const child of old.children) {
        const at = child.mountpoint;
        if (at === null || child.isUnbindable || (old === mount && !at.isWithin(from))) continue;
        if (this.mounts.size + ++count > MAX_MOUNTS) {
          this.detach(made);
          return -ENOSPC;
        }
        const twin = this.make(child.fs, child.flags, child.source, child.root.entry);
        cover(twin, at.entry.seenFrom(copy));
        pairs.push([child, twin]);
      }
    }
    return made;
  }
}

function cover(mount: Mount, at: Dentry): void {
  mount.mountpoint = at;
  at.covering = mount;
  at.entry.coverings++;
  at.mount.children.add(mount);
}

function uncover(mount: Mount): void {
  const at = mount.mountpoint;
  if (at === null) return;
  mount.mountpoint = null;
  at.covering = null;
  at.entry.coverings--;
  at.mount.children.delete(mount);
}

/** The mount and all below it, parents first. */
function subtree(mount: Mount): Mount[] {
  const all = [mount];
  for (let i = 0; i < all.length; i++) {
    const at = all[i];
    if (at !== undefined) all.push(...at.children);
  }
  return all;
}

savable('vfs/mount-table', { MountTable }, { isPlace: true });
