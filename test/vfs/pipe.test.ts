// SPDX-License-Identifier: MIT

import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { EAGAIN, EBUSY, EFAULT, EPERM, EPIPE, ENXIO } from '../../src/abi/errno.ts';
import { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } from '../../src/abi/open.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from '../../src/abi/poll.ts';
import { Budget } from '../../src/vfs/device-table.ts';
import { makeNode } from '../../src/vfs/namespace.ts';
import { BufferTransfer } from '../../src/vfs/open-file.ts';
import type { ByteSink } from '../../src/vfs/open-file.ts';
import { Pipe } from '../../src/vfs/pipe.ts';
import { bytes, makeTree, open, tryOpen } from './fixture.ts';

function put(pipe: Pipe, text: string): number {
  return pipe.write(new BufferTransfer(bytes(text)), text.length);
}

function take(pipe: Pipe, count: number): string | number {
  const buffer = new BufferTransfer(new Uint8Array(count));
  const n = pipe.read(buffer, count);
  return n < 0 ? n : String.fromCharCode(...buffer.bytes.subarray(0, n));
}

let pipe: Pipe;
beforeEach(() => {
  pipe = new Pipe(new Budget(2 ** 28));
  pipe.readers = 1;
  pipe.writers = 1;
});

describe('a pipe', () => {
  it('gives bytes in the order in which they came, however they were cut', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 30_000 })), { maxLength: 40 }), (steps) => {
        const under = new Pipe(new Budget(2 ** 28));
        under.readers = 1;
        under.writers = 1;
        let sent = 0;
        let got = 0;
        for (const [isWrite, count] of steps) {
          if (isWrite) {
            const source = new BufferTransfer(Uint8Array.from({ length: count }, (_, i) => (sent + i) % 251));
            const n = under.write(source, count);
            if (n > 0) sent += n;
            else expect(n).toBe(-EAGAIN);
          } else {
            const sink = new BufferTransfer(new Uint8Array(count));
            const n = under.read(sink, count);
            if (n === -EAGAIN) expect(sent).toBe(got);
            else {
              expect(n).toBe(Math.min(count, sent - got));
              expect(sink.bytes.subarray(0, n).every((b, i) => b === (got + i) % 251)).toBe(true);
              got += n;
            }
          }
          expect(under.length).toBe(sent - got);
        }
      }),
    );
  });

  it('takes PIPE_BUF bytes or fewer in one piece only', () => {
    expect(put(pipe, 'x'.repeat(65_000))).toBe(65_000);
    expect(put(pipe, 'y'.repeat(600))).toBe(-EAGAIN);
    expect(put(pipe, 'y'.repeat(5000))).toBe(536);
    expect(put(pipe, 'z')).toBe(-EAGAIN);
  });

  it('ends for readers when the last writer goes, and breaks for writers when the last reader goes', () => {
    put(pipe, 'rest');
    pipe.writers = 0;
    expect(take(pipe, 10)).toBe('rest');
    expect(take(pipe, 10)).toBe('');
    pipe.writers = 1;
    pipe.readers = 0;
    expect(put(pipe, 'x')).toBe(-EPIPE);
  });

  it('keeps the bytes that a faulting reader could not store', () => {
    put(pipe, 'abcdef');
    const faulty: ByteSink = { put: (from) => Math.min(from.length, 2) };
    expect(pipe.read(faulty, 6)).toBe(-EFAULT);
    expect(take(pipe, 6)).toBe('abcdef');
  });

  it('can be made larger, and smaller down to what it holds', () => {
    put(pipe, 'x'.repeat(5000));
    expect(pipe.resize(4096, false)).toBe(-EBUSY);
    expect(pipe.resize(5001, false)).toBe(8192);
    expect(pipe.resize(2_000_000, false)).toBe(-EPERM);
    expect(pipe.resize(2_000_000, true)).toBe(2_097_152);
    expect(take(pipe, 6000)).toBe('x'.repeat(5000));
  });

  it('wakes readers for bytes, and writers for room once there was none', () => {
    const woken: number[] = [];
    pipe.queue.add({ wake: (events) => woken.push(events & (POLLIN | POLLOUT)) });
    put(pipe, 'a');
    take(pipe, 1);
    expect(woken).toEqual([POLLIN]);
    put(pipe, 'b'.repeat(65536));
    take(pipe, 4096);
    expect(woken).toEqual([POLLIN, POLLIN, POLLOUT]);
  });
});

describe('a pipe opened again by its link in /proc', () => {
  it('does not wait for the other end, and hangs up when that has gone', () => {
    const { vfs, root } = makeTree();
    const { readEnd, writeEnd } = vfs.anonymous.pipe(0, root.cred);
    const { dentry } = readEnd;
    writeEnd.release();
    const again = dentry.inode.open(dentry, O_RDONLY, root.cred);
    if (typeof again === 'number') throw new Error(`opening gave ${again}`);
    expect(again.pendingOpen).toBeNull();
    expect(again.poll()).toBe(POLLHUP);
    readEnd.release();
    again.release();
    const writer = dentry.inode.open(dentry, O_WRONLY | O_NONBLOCK, root.cred);
    expect(writer).not.toBe(-ENXIO);
  });
});

describe('a FIFO', () => {
  it('opens at once with O_RDWR, and waits for the other end without O_NONBLOCK', () => {
    const { root, vfs } = makeTree();
    makeNode(root, vfs.root, 'fifo', 0o010644, 0);
    expect(tryOpen(root, 'fifo', O_WRONLY | O_NONBLOCK)).toBe(-ENXIO);
    const reader = open(root, 'fifo', O_RDONLY);
    expect(reader.pendingOpen?.isReady()).toBe(false);
    const writer = open(root, 'fifo', O_WRONLY);
    expect(writer.pendingOpen).toBeNull();
    expect(reader.pendingOpen?.isReady()).toBe(true);
    writer.release();
    // The writer came and left: the reader's open is over all the same.
    expect(reader.pendingOpen?.isReady()).toBe(true);
    expect(open(root, 'fifo', O_RDWR).pendingOpen).toBeNull();
  });

  it('hangs up only after a writer has been there', () => {
    const { root, vfs } = makeTree();
    makeNode(root, vfs.root, 'fifo', 0o010644, 0);
    const reader = open(root, 'fifo', O_RDONLY | O_NONBLOCK);
    expect(reader.poll()).toBe(0);
    const writer = open(root, 'fifo', O_WRONLY);
    expect(writer.poll() & (POLLOUT | POLLERR)).toBe(POLLOUT);
    writer.release();
    expect(reader.poll()).toBe(POLLHUP);
  });
});
