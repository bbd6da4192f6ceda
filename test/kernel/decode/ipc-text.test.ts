// SPDX-License-Identifier: MIT
//
// Texts of calls between processes, as strace 6.1 printed them for the same arguments on Linux.

import { describe, expect, it } from 'vitest';
import { addressBytes } from '../../../src/kernel/syscalls/socket-messages.ts';
import { decodeEnter, decodeExit, valueBefore } from '../../../src/kernel/decode/decoder.ts';
import { makeSyscallTable } from '../../../src/kernel/syscalls/index.ts';
import type { RawArgs } from '../../../src/kernel/decode/kinds.ts';
import { latin1Bytes } from '../../../src/base/bytes.ts';

const table = makeSyscallTable();

/** Memory of one piece, and six arguments. */
function text(name: string, given: readonly number[], bytes: Uint8Array, result: number, at = 0x1000): string {
  const shape = table.find((def) => def?.name === name);
  if (shape === undefined) throw new Error(`no call ${name}`);
  const memory = {
    copyIn(addr: number, into: Uint8Array): number {
      const part = bytes.subarray(Math.max(0, addr - at), Math.max(0, addr - at + into.length));
      if (addr < at) return 0;
      into.set(part);
      return part.length;
    },
  };
  const value = (i: number): number => given[i] ?? 0;
  const args: RawArgs = {
    num: (i) => (value(i) < 0 ? 2 ** 64 + value(i) : value(i)),
    int: (i) => value(i) | 0,
    uint: (i) => value(i) >>> 0,
    long: value,
    big: (i) => BigInt.asUintN(64, BigInt(value(i))),
  };
  const before = valueBefore(shape, args, memory);
  const entry = decodeEnter(shape, args, memory);
  const exit = decodeExit(shape, args, memory, result, before);
  return `${entry}${exit.args} = ${exit.result}`;
}

const none = new Uint8Array(0);

describe('calls between processes', () => {
  it('show keys and flags of System V objects', () => {
    expect(text('shmget', [0, 10000, 0o1640], none, 22)).toBe('IPC_PRIVATE, 10000, IPC_CREAT|0640 = 22');
    expect(text('semget', [0x545265c9, 2, 0o3600], none, -17)).toBe(
      '0x545265c9, 2, IPC_CREAT|IPC_EXCL|0600 = -1 EEXIST (File exists)',
    );
    expect(text('msgget', [0x54526600, 0], none, -2)).toBe('0x54526600, 000 = -1 ENOENT (No such file or directory)');
    expect(text('shmat', [23, 5, 0o60000], none, -22)).toBe(
      '23, 0x5, SHM_RND|SHM_REMAP = -1 EINVAL (Invalid argument)',
    );
  });

  it('show commands with what they take', () => {
    expect(text('shmctl', [25, 0x63, 0x10], none, -22)).toBe(
      '25, 0x63 /* SHM_??? */, 0x10 = -1 EINVAL (Invalid argument)',
    );
    expect(text('semctl', [12, 0, 16, 1], none, 0)).toBe('12, 0, SETVAL, 0x1 = 0');
    const operations = new Uint8Array([0, 0, 0xff, 0xff, 0, 8, 1, 0, 2, 0, 0, 0x10]);
    expect(text('semop', [12, 0x1000, 2], operations, 0)).toBe(
      '12, [{sem_num=0, sem_op=-1, sem_flg=IPC_NOWAIT}, {sem_num=1, sem_op=2, sem_flg=SEM_UNDO}], 2 = 0',
    );
  });

  it('show messages with their types', () => {
    const message = new Uint8Array([3, 0, 0, 0, 0, 0, 0, 0, ...latin1Bytes('three\0')]);
    expect(text('msgsnd', [17, 0x1000, 6, 0o4000], message, 0)).toBe(
      '17, {mtype=3, mtext="three\\0"}, 6, IPC_NOWAIT = 0',
    );
  });

  it('show addresses of sockets, and lengths that a call changes', () => {
    const name = addressBytes('server');
    expect(text('bind', [3, 0x1000, name.length], name, 0)).toBe('3, {sa_family=AF_UNIX, sun_path="server"}, 9 = 0');
    const hidden = addressBytes('\0one');
    expect(text('connect', [3, 0x1000, hidden.length], hidden, -111)).toBe(
      '3, {sa_family=AF_UNIX, sun_path=@"one"}, 6 = -1 ECONNREFUSED (Connection refused)',
    );
    const place = new Uint8Array(120);
    place.set(name);
    place[112] = 9;
    expect(text('getsockname', [3, 0x1000, 0x1070], place, 0)).toBe(
      '3, {sa_family=AF_UNIX, sun_path="server"}, [9] = 0',
    );
  });
});
