// SPDX-License-Identifier: MIT
//
// A tree without a guest: a Vfs with a clock that only moves when told, callers of any identity, short forms of calls.

import { fromLatin1 } from '../../src/base/bytes.ts';
import type { HostDirectory, HostStream } from '../../src/base/host.ts';
import type { Credentials } from '../../src/vfs/credentials.ts';
import { SYSTEM_CREDENTIALS } from '../../src/vfs/credentials.ts';
import type { Dentry } from '../../src/vfs/dentry.ts';
import { FsContext } from '../../src/vfs/fs-context.ts';
import type { Caller } from '../../src/vfs/fs-context.ts';
import type { MemoryLimits } from '../../src/vfs/memory-file-system.ts';
import { openPath } from '../../src/vfs/open.ts';
import { BufferTransfer } from '../../src/vfs/open-file.ts';
import type { OpenFile } from '../../src/vfs/open-file.ts';
import { lookupPath } from '../../src/vfs/path-walk.ts';
import { Vfs } from '../../src/vfs/vfs.ts';

export const USER: Credentials = { fsuid: 1000, fsgid: 1000, groups: [1000], effective: 0n };

/** A stream that keeps what is written and gives what `input` holds, then nothing yet. */
export class TestStream implements HostStream {
  readonly isTerminal: boolean;
  written = '';
  readonly input: Uint8Array[] = [];
  hasEnded = false;
  waiting: (() => void)[] = [];

  constructor(isTerminal = false) {
    this.isTerminal = isTerminal;
  }

  windowSize(): { rows: number; columns: number } {
    return { rows: 25, columns: 90 };
  }

  read(into: Uint8Array): number {
    const first = this.input.shift();
    if (first === undefined) return this.hasEnded ? 0 : -11;
    into.set(first.subarray(0, into.length));
    if (first.length > into.length) this.input.unshift(first.subarray(into.length));
    return Math.min(first.length, into.length);
  }

  onReadable(callback: () => void): void {
    this.waiting.push(callback);
  }

  write(from: Uint8Array): number {
    this.written += String.fromCharCode(...from);
    return from.length;
  }
}

export interface Fixture {
  readonly vfs: Vfs;
  readonly root: Caller;
  readonly user: Caller;
  readonly clock: { now: bigint; nowNs(): bigint };
}

export function makeTree(
  options: {
    root?: HostDirectory;
    limits?: MemoryLimits;
    host?: Record<'stdin' | 'stdout' | 'stderr', HostStream>;
  } = {},
): Fixture {
  const clock = {
    now: 1_000_000_000n,
    nowNs(): bigint {
      return this.now;
    },
  };
  const stream = new TestStream();
  const vfs = new Vfs({
    clock,
    ...(options.root === undefined ? {} : { root: options.root }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    random: (into) => into.fill(7),
    host: options.host ?? { stdin: stream, stdout: stream, stderr: stream },
    outputBytes: 1000,
    onOutputLimit: () => undefined,
    onEscape: () => undefined,
  });
  return {
    vfs,
    clock,
    root: { fs: new FsContext(vfs.root, vfs.root), cred: SYSTEM_CREDENTIALS },
    user: { fs: new FsContext(vfs.root, vfs.root), cred: USER },
  };
}

/** The place that a path leads to; throws its errno. */
export function at(caller: Caller, path: string, follow = true): Dentry {
  const found = lookupPath(caller, caller.fs.cwd, path, follow);
  if (typeof found === 'number') throw new Error(`${path}: ${found}`);
  return found;
}

export function find(caller: Caller, path: string, follow = true): number {
  const found = lookupPath(caller, caller.fs.cwd, path, follow);
  return typeof found === 'number' ? found : 0;
}

export function open(caller: Caller, path: string, flags: number, mode = 0o644): OpenFile {
  const file = openPath(caller, caller.fs.cwd, path, flags, mode);
  if (typeof file === 'number') throw new Error(`${path}: ${file}`);
  return file;
}

/** What opening gives: 0 or -errno. */
export function tryOpen(caller: Caller, path: string, flags: number, mode = 0o644): number {
  const file = openPath(caller, caller.fs.cwd, path, flags, mode);
  if (typeof file === 'number') return file;
  file.release();
  return 0;
}

export function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

export function writeText(caller: Caller, path: string, text: string): void {
  const file = open(caller, path, 0o1101);
  file.writeAt(new BufferTransfer(bytes(text)), text.length, 0);
  file.release();
}

export function readText(caller: Caller, path: string): string {
  const file = open(caller, path, 0);
  const text = readAll(file);
  file.release();
  return text;
}

export function readAll(file: OpenFile, from = 0): string {
  const buffer = new BufferTransfer(new Uint8Array(Math.max(0, file.inode.size - from)));
  const n = file.readAt(buffer, buffer.bytes.length, from);
  if (n < 0) throw new Error(`read: ${n}`);
  return fromLatin1(buffer.bytes.subarray(0, n));
}

/** Names in a directory, in the order in which they are given. */
export function list(caller: Caller, path: string): string[] {
  const file = open(caller, path, 0);
  const names: string[] = [];
  file.readEntries((name) => {
    names.push(name);
    return true;
  });
  file.release();
  return names.filter((n) => n !== '.' && n !== '..');
}
