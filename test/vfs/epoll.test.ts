// SPDX-License-Identifier: MIT

import { beforeEach, describe, expect, it } from 'vitest';
import { EEXIST, EINVAL, ELOOP, ENOENT, ENOSPC, EPERM } from '../../src/abi/errno.ts';
import { O_CREAT, O_RDWR } from '../../src/abi/open.ts';
import { EPOLLET, EPOLLIN, EPOLLONESHOT, EPOLLOUT, POLLIN } from '../../src/abi/poll.ts';
import { Budget } from '../../src/vfs/device-table.ts';
import { EpollFile } from '../../src/vfs/epoll.ts';
import { EventFile } from '../../src/vfs/eventfd.ts';
import { BufferTransfer } from '../../src/vfs/open-file.ts';
import { makeTree, open } from './fixture.ts';
import type { Fixture } from './fixture.ts';

let tree: Fixture;
let epoll: EpollFile;
let event: EventFile;

function newEpoll(): EpollFile {
  return new EpollFile(tree.vfs.anonymous.dentry('anon_inode:[eventpoll]'), O_RDWR);
}

function newEvent(): EventFile {
  return new EventFile(tree.vfs.anonymous.dentry('anon_inode:[eventfd]'), O_RDWR, 0, 0);
}

function drain(file: EventFile): void {
  file.readAt(new BufferTransfer(new Uint8Array(8)), 8);
}

beforeEach(() => {
  tree = makeTree();
  epoll = newEpoll();
  event = newEvent();
});

describe('an epoll', () => {
  it('tells of a level-triggered file as long as it is ready', () => {
    expect(epoll.add(3, event, EPOLLIN, 7n)).toBe(0);
    expect(epoll.collect(10)).toEqual([]);
    event.add(1n);
    expect(epoll.collect(10)).toEqual([{ events: EPOLLIN, data: 7n }]);
    expect(epoll.collect(10)).toHaveLength(1);
    drain(event);
    expect(epoll.collect(10)).toEqual([]);
  });

  it('tells of an edge-triggered file once for each event', () => {
    event.add(1n);
    epoll.add(3, event, EPOLLIN | EPOLLET, 0n);
    expect(epoll.collect(10)).toHaveLength(1);
    expect(epoll.collect(10)).toEqual([]);
    event.add(1n);
    expect(epoll.collect(10)).toHaveLength(1);
  });

  it('tells of a one-shot file once until it is modified', () => {
    event.add(1n);
    epoll.add(3, event, EPOLLIN | EPOLLONESHOT, 0n);
    expect(epoll.collect(10)).toHaveLength(1);
    event.add(1n);
    expect(epoll.collect(10)).toEqual([]);
    expect(epoll.modify(3, event, EPOLLIN | EPOLLONESHOT, 0n)).toBe(0);
    expect(epoll.collect(10)).toHaveLength(1);
  });

  it('gives everyone a turn when more are ready than fit', () => {
    const files = [newEvent(), newEvent(), newEvent()];
    for (const [i, file] of files.entries()) {
      file.add(1n);
      epoll.add(i, file, EPOLLIN, BigInt(i));
    }
    const seen = [epoll.collect(2), epoll.collect(2), epoll.collect(2)].flat().map((e) => Number(e.data));
    expect(seen).toEqual([0, 1, 2, 0, 1, 2]);
  });

  it('watches one description under two descriptors apart', () => {
    epoll.add(3, event, EPOLLIN, 3n);
    expect(epoll.add(3, event, EPOLLIN, 3n)).toBe(-EEXIST);
    expect(epoll.add(4, event, EPOLLOUT, 4n)).toBe(0);
    expect(epoll.collect(10)).toEqual([{ events: EPOLLOUT, data: 4n }]);
    expect(epoll.remove(4, event)).toBe(0);
    expect(epoll.remove(4, event)).toBe(-ENOENT);
    expect(epoll.modify(4, event, EPOLLIN, 0n)).toBe(-ENOENT);
  });

  it('forgets a file whose last descriptor is closed, and lets go of files when it is closed itself', () => {
    event.add(1n);
    epoll.add(3, event, EPOLLIN, 0n);
    event.release();
    expect(epoll.collect(10)).toEqual([]);
    const other = newEvent();
    epoll.add(4, other, EPOLLIN, 0n);
    expect(other.queue.size).toBe(1);
    epoll.release();
    expect(other.queue.size).toBe(0);
  });

  it('refuses regular files, itself, rings and deep nesting', () => {
    expect(epoll.add(3, open(tree.root, 'f', O_CREAT | O_RDWR), EPOLLIN, 0n)).toBe(-EPERM);
    expect(epoll.add(3, epoll, EPOLLIN, 0n)).toBe(-EINVAL);
    const outer = newEpoll();
    expect(outer.add(3, epoll, EPOLLIN, 0n)).toBe(0);
    expect(epoll.add(3, outer, EPOLLIN, 0n)).toBe(-ELOOP);
    let chain = newEpoll();
    const results: number[] = [];
    for (let i = 0; i < 8; i++) {
      const next = newEpoll();
      results.push(next.add(3, chain, EPOLLIN, 0n));
      chain = next;
    }
    expect(results).toContain(-ELOOP);
  });

  it('keeps to what all epolls together may watch, and gives it back', () => {
    const budget = new Budget(2);
    const small = new EpollFile(tree.vfs.anonymous.dentry('anon_inode:[eventpoll]'), O_RDWR, budget);
    expect([1, 2, 3].map((fd) => small.add(fd, event, EPOLLIN, 0n))).toEqual([0, 0, -ENOSPC]);
    expect(small.remove(1, event)).toBe(0);
    expect(small.add(3, event, EPOLLIN, 0n)).toBe(0);
    small.release();
    expect(budget.free).toBe(2);
  });

  it('is watched by few epolls, so that one event cannot wake up without end', () => {
    const watchers = Array.from({ length: 6 }, newEpoll);
    const results = watchers.map((watcher) => watcher.add(3, epoll, EPOLLIN, 0n));
    expect(results).toEqual([0, 0, 0, 0, -EINVAL, -EINVAL]);
    watchers[0]?.release();
    expect(watchers[5]?.add(3, epoll, EPOLLIN, 0n)).toBe(0);
  });

  it('is ready itself when something it watches is', () => {
    const outer = newEpoll();
    epoll.add(3, event, EPOLLIN, 0n);
    outer.add(4, epoll, EPOLLIN, 9n);
    expect(outer.collect(1)).toEqual([]);
    event.add(1n);
    expect(epoll.poll() & POLLIN).toBe(POLLIN);
    expect(outer.collect(1)).toEqual([{ events: EPOLLIN, data: 9n }]);
    drain(event);
    expect(outer.collect(1)).toEqual([]);
  });
});
