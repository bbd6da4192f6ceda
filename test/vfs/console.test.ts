// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';
import { EAGAIN, EIO, ENOTTY } from '../../src/abi/errno.ts';
import { TCGETS } from '../../src/abi/ioctl.ts';
import { POLLHUP, POLLIN, POLLOUT } from '../../src/abi/poll.ts';
import { BufferTransfer } from '../../src/vfs/open-file.ts';
import type { OpenFile, UserMemory } from '../../src/vfs/open-file.ts';
import { bytes, makeTree, TestStream } from './fixture.ts';

/** Guest memory of one kilobyte at address 0. */
class Memory implements UserMemory {
  readonly bytes = new Uint8Array(1024);

  copyIn(addr: number, into: Uint8Array): number {
    into.set(this.bytes.subarray(addr, addr + into.length));
    return into.length;
  }

  copyOut(addr: number, from: Uint8Array): number {
    this.bytes.set(from, addr);
    return from.length;
  }
}

function consoles(): { stdin: TestStream; stdout: TestStream; files: OpenFile[] } {
  const stdin = new TestStream();
  const stdout = new TestStream();
  const { vfs } = makeTree({ host: { stdin, stdout, stderr: new TestStream() } });
  const table = vfs.openConsoles(1000, 1000);
  return { stdin, stdout, files: [0, 1, 2].map((fd) => table.get(fd) as OpenFile) };
}

function read(file: OpenFile | undefined, count: number): string | number {
  const into = new BufferTransfer(new Uint8Array(count));
  const n = file?.readAt(into, count, 0) ?? -1;
  return n < 0 ? n : String.fromCharCode(...into.bytes.subarray(0, n));
}

describe('a console', () => {
  it('gives input as it comes, then the end', () => {
    const { stdin, files } = consoles();
    expect(read(files[0], 10)).toBe(-EAGAIN);
    stdin.input.push(bytes('first line\n'));
    expect(read(files[0], 5)).toBe('first');
    expect((files[0] as OpenFile).poll() & POLLIN).toBe(POLLIN);
    expect(read(files[0], 50)).toBe(' line\n');
    stdin.hasEnded = true;
    expect((files[0] as OpenFile).poll()).toBe(0x40 | POLLIN | POLLHUP);
    expect(read(files[0], 5)).toBe('');
  });

  it('asks the host for input only while somebody waits', () => {
    const { stdin, files } = consoles();
    const file = files[0] as OpenFile;
    expect(read(file, 1)).toBe(-EAGAIN);
    file.poll();
    expect(stdin.waiting).toHaveLength(0);
    const woken: number[] = [];
    const waiter = { wake: (events: number): void => void woken.push(events) };
    file.queue?.add(waiter, POLLIN);
    expect(stdin.waiting).toHaveLength(1);
    stdin.input.push(bytes('x'));
    stdin.waiting.pop()?.();
    expect(woken).toHaveLength(1);
    expect(read(file, 1)).toBe('x');
  });

  it('passes output on and stops at the limit of the run', () => {
    const { stdout, files } = consoles();
    const out = files[1] as OpenFile;
    expect(out.writeAt(new BufferTransfer(bytes('hello')), 5, 0)).toBe(5);
    expect(stdout.written).toBe('hello');
    expect(out.writeAt(new BufferTransfer(new Uint8Array(2000)), 2000, 0)).toBe(995);
    expect(out.writeAt(new BufferTransfer(new Uint8Array(1)), 1, 0)).toBe(-EIO);
    expect(stdout.written).toHaveLength(1000);
    expect(out.poll() & POLLOUT).toBe(POLLOUT);
  });

  it('is a pipe to programs when the host has no terminal', () => {
    const { files } = consoles();
    expect((files[1] as OpenFile).inode.mode & 0o170000).toBe(0o010000);
    expect((files[1] as OpenFile).dentry.name).toMatch(/^pipe:\[\d+\]$/);
    expect((files[1] as OpenFile).ioctl(TCGETS, 0, new Memory())).toBe(-ENOTTY);
  });
});
