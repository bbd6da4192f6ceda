// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';
import { EAGAIN } from '../../src/abi/errno.ts';
import * as P from '../../src/abi/poll.ts';
import { InotifyFile } from '../../src/vfs/inotify.ts';
import { makeDirectory, unlink } from '../../src/vfs/namespace.ts';
import { BufferTransfer } from '../../src/vfs/open-file.ts';
import { notifyUnmounted } from '../../src/vfs/notify.ts';
import { at, makeTree, writeText } from './fixture.ts';

/** Events that wait: watch, mask, name. */
function events(file: InotifyFile): [number, number, string][] {
  const transfer = new BufferTransfer(new Uint8Array(65536));
  const length = file.readAt(transfer, 65536);
  if (length === -EAGAIN) return [];
  const out: [number, number, string][] = [];
  const view = new DataView(transfer.bytes.buffer);
  for (let from = 0; from < length; from += 16 + view.getUint32(from + 12, true)) {
    const name = transfer.bytes.subarray(from + 16, from + 16 + view.getUint32(from + 12, true));
    out.push([
      view.getInt32(from, true),
      view.getUint32(from + 4, true),
      String.fromCharCode(...name).replace(/\0+$/, ''),
    ]);
  }
  return out;
}

describe('inotify', () => {
  const tree = makeTree();
  const { vfs, root } = tree;
  const made = InotifyFile.open(vfs.anonymous.dentry('anon_inode:inotify'), 0, vfs.inotifyUsers, 0);
  if (typeof made === 'number') throw new Error(`no instance: ${made}`);
  makeDirectory(root, vfs.root, 'd', 0o755);
  const { inode } = at(root, '/d');

  it('tells of names and of what happens to files', () => {
    expect(made.watch(inode, P.IN_CREATE | P.IN_DELETE | P.IN_MODIFY)).toBe(1);
    writeText(root, '/d/a', 'text');
    unlink(root, vfs.root, 'd/a');
    expect(events(made)).toEqual([
      [1, P.IN_CREATE, 'a'],
      [1, P.IN_MODIFY, 'a'],
      [1, P.IN_DELETE, 'a'],
    ]);
    expect(events(made)).toEqual([]);
  });

  it('ends its watches with the file system', () => {
    notifyUnmounted(inode.fs);
    expect(events(made)).toEqual([
      [1, (P.IN_UNMOUNT | P.IN_ISDIR) >>> 0, ''],
      [1, P.IN_IGNORED, ''],
    ]);
    expect(inode.fs.watches).toBe(0);
    expect(inode.watchers).toBeNull();
  });

  it('keeps no watch when it is closed', () => {
    made.watch(inode, P.IN_CREATE);
    expect(inode.fs.watches).toBe(1);
    made.release();
    expect(inode.fs.watches).toBe(0);
    writeText(root, '/d/b', 'text');
  });
});
