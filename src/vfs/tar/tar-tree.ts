// SPDX-License-Identifier: MIT
//
// The tree that the entries of an archive make, as if they were unpacked one after the other: a later entry replaces
// an earlier one of the same name, hard links are names of one file, directories that no entry names exist all the same.

import { TraplineError } from '../../base/errors.ts';
import type { HostStat } from '../../base/host.ts';

/** A piece of a file's data: where it lies in the file and in the archive. */
export interface TarExtent {
  readonly at: number;
  readonly length: number;
  readonly offset: number;
}

/** A file of any kind in the archive. */
export interface TarNode {
  readonly kind: HostStat['kind'];
  readonly ino: number;
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: bigint;
  size: number;
  /** Directories and files that are in the tree: names that lead to it. */
  nlink: number;
  rdev: number;
  /** Of a symbolic link. */
  target: string;
  /** Data of a regular file, by ascending position; what lies between is holes. */
  extents: readonly TarExtent[];
  xattrs: ReadonlyMap<string, Uint8Array> | null;
  /** Of a directory. */
  readonly children: Map<string, TarNode> | null;
}

/** What an entry says of its file. */
export type TarFacts = Omit<TarNode, 'ino' | 'nlink' | 'children'>;

/** Entries of one archive. Debian's largest trees have some hundred thousand. */
const MAX_ENTRIES = 2_000_000;
const MAX_DEPTH = 256;

/** A name from an archive as text for people: without what terminals would obey. */
export function shownName(name: string): string {
  const bytes = Uint8Array.from(name, (c) => c.charCodeAt(0));
  const text = new TextDecoder().decode(bytes).replace(/\p{Cc}/gu, '?');
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}

/** The archive cannot be used because of this entry. */
export function badEntry(name: string, why: string): TraplineError {
  return new TraplineError('TAR_ENTRY', `its entry ${shownName(name)} ${why}`);
}

/** A tree under construction. */
export class TarTree {
  #nextIno = 1;
  #entries = 0;
  readonly root = this.#make({ ...IMPLIED_DIRECTORY });

  #make(facts: TarFacts): TarNode {
    const isDirectory = facts.kind === 'directory';
    return { ...facts, ino: this.#nextIno++, nlink: isDirectory ? 2 : 0, children: isDirectory ? new Map() : null };
  }

  /**
   * Enters a file.
   * @throws TraplineError `TAR_ENTRY` for a name that cannot be
   */
  add(name: string, facts: TarFacts): void {
    const parts = this.#partsOf(name);
    const last = parts.pop();
    if (last === undefined) {
      if (facts.kind !== 'directory') throw badEntry(name, 'would replace the root directory');
      Object.assign(this.root, facts);
      return;
    }
    const parent = this.#directory(parts, name);
    const old = parent.children?.get(last);
    if (old?.children !== null && old !== undefined && facts.kind === 'directory') Object.assign(old, facts);
    else this.#enter(parent, last, this.#make(facts), name);
  }

  /** Enters another name for the file at `target`. */
  addLink(name: string, target: string): void {
    const parts = this.#partsOf(name);
    const last = parts.pop();
    if (last === undefined) throw badEntry(name, 'would replace the root directory');
    const node = this.find(this.#partsOf(target));
    if (node === undefined)
      throw badEntry(name, `is a hard link to ${shownName(target)}, which is not there before it`);
    if (node.children !== null) throw badEntry(name, `is a hard link to a directory`);
    const parent = this.#directory(parts, name);
    if (parent.children?.get(last) !== node) this.#enter(parent, last, node, name);
  }

  find(parts: readonly string[]): TarNode | undefined {
    let at: TarNode | undefined = this.root;
    for (const part of parts) at = at?.children?.get(part);
    return at;
  }

  #partsOf(name: string): string[] {
    if (++this.#entries > MAX_ENTRIES) throw new TraplineError('TAR_LIMIT', `it has more than ${MAX_ENTRIES} entries`);
    // As tar itself unpacks: a leading slash is the root of the tree.
    const parts = name.split('/').filter((part) => part !== '' && part !== '.');
    if (parts.length > MAX_DEPTH) throw badEntry(name, `lies more than ${MAX_DEPTH} directories deep`);
    for (const part of parts) {
      if (part === '..') throw badEntry(name, 'leads out of the tree: its name has a ".."');
      if (part.length > 255) throw badEntry(name, 'has a part of more than 255 bytes');
    }
    return parts;
  }

  #directory(parts: readonly string[], name: string): TarNode {
    let at = this.root;
    for (const part of parts) {
      let next = at.children?.get(part);
      if (next === undefined) {
        next = this.#make({ ...IMPLIED_DIRECTORY });
        this.#enter(at, part, next, name);
      }
      if (next.children === null) throw badEntry(name, `lies below ${shownName(part)}, which is no directory`);
      at = next;
    }
    return at;
  }

  #enter(parent: TarNode, name: string, node: TarNode, path: string): void {
    const old = parent.children?.get(name);
    if (old !== undefined) {
      if (old.children !== null && old.children.size > 0) {
        throw badEntry(path, 'would replace a directory that has entries');
      }
      if (old.children !== null) parent.nlink--;
      old.nlink--;
    }
    parent.children?.set(name, node);
    if (node.children !== null) parent.nlink++;
    else node.nlink++;
  }
}

const IMPLIED_DIRECTORY: TarFacts = {
  kind: 'directory',
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtimeNs: 0n,
  size: 0,
  rdev: 0,
  target: '',
  extents: [],
  xattrs: null,
};
