// SPDX-License-Identifier: MIT
//
// Chunks of random calls out of a seed: any call of the table, arguments of its kinds, at times unknown numbers.

import { SYS } from '../../../src/abi/sysno.ts';
import { Prng } from '../../../src/base/prng.ts';
import { makeSyscallTable } from '../../../src/kernel/syscalls/index.ts';
import type { SyscallDef } from '../../../src/kernel/syscalls/table.ts';
import { ArgumentValues } from './argument-values.ts';
import type { Argument, Call, Chunk } from './call-list.ts';
import { CALLS_IN_CHUNK, Mode, Source } from './call-list.ts';
import { Fd } from './familiar-values.ts';
import { Draw, Image } from './image.ts';

const TABLE = makeSyscallTable().filter((def): def is SyscallDef => def !== undefined);
/** Calls that end the caller or its use: once in a while only. */
const ENDING: ReadonlySet<number> = new Set([SYS.exit, SYS.exit_group, SYS.rt_sigreturn, SYS.execve, SYS.execveat]);
/** Calls that make processes, each of which goes on with the list. */
const MULTIPLYING: ReadonlySet<number> = new Set([SYS.fork, SYS.vfork, SYS.clone, SYS.clone3]);

function given(value: number | bigint): Argument {
  return { source: Source.asGiven, value: BigInt(value) };
}

/** Opens one of each kind of file, so that descriptors mean something. */
function opening(draw: Draw, image: Image): Call[] {
  const call = (number: number, ...values: (number | bigint)[]): Call => ({ number, arguments: values.map(given) });
  const pair = (): bigint => image.address(image.place(8));
  // An address in the abstract name space.
  const abstract = image.struct([2, 8], [1n, 0x7373657264646100n]);
  return [
    call(SYS.open, image.string('/tmp/a'), 0o102, 0o666),
    call(SYS.open, image.string('/tmp'), 0o200000),
    call(SYS.pipe2, pair(), 0o4000),
    call(SYS.socketpair, 1, 1, 0, pair()),
    call(SYS.eventfd2, 3, 0o4000),
    call(SYS.epoll_create1, 0),
    call(SYS.timerfd_create, 1, 0),
    call(SYS.signalfd4, -1, image.struct([8], [0x200n]), 8, 0),
    call(SYS.memfd_create, image.string('m'), 2),
    { number: SYS.pidfd_open, arguments: [{ source: Source.ownPid, value: 0n }, given(0)] },
    call(SYS.inotify_init1, 0),
    call(SYS.open, image.string('/proc/self/maps'), 0),
    call(SYS.open, image.string('/dev/null'), 2),
    call(SYS.open, image.string('/etc'), 0o10200000),
    call(SYS.socket, 1, 2, 0),
    call(SYS.socket, 1, 1, 0),
    call(SYS.mq_open, image.string('queue'), 0o4102, 0o666, 0),
    call(SYS.pipe2, pair(), 0o4000),
    call(SYS.open, image.string('/dev/ptmx'), 0o402),
    call(SYS.ioctl, Fd.terminal, 0x40045431, image.struct([4], [0n])),
    call(SYS.ioctl, Fd.terminal, 0x5441, 0o402),
    call(SYS.bind, Fd.listener, abstract, 10),
    call(SYS.listen, Fd.listener, 4),
    call(SYS.socket, 1, 1, 0),
    call(SYS.connect, Fd.client, abstract, 10),
    ...[Fd.file, Fd.pipe + 1, Fd.socketPair + 1, Fd.memfd].map((fd) => call(SYS.write, fd, abstract, 1000)),
    call(SYS.lseek, Fd.file, 0, 0),
    call(SYS.fsetxattr, Fd.file, image.string('user.a'), abstract, 8, 0),
    call(SYS.shmget, 1, 8192, 0o1666),
    call(SYS.semget, 1, 3, 0o1666),
    call(SYS.msgget, 1, 0o1666),
    call(SYS.timer_create, 1, 0, pair()),
    call(SYS.inotify_add_watch, Fd.inotify, image.string('/tmp'), 0xfff),
    call(SYS.mkdir, image.string('/tmp/d'), 0o777),
    ...(draw.oneIn(8) ? [call(SYS.mount, 0, image.string('/tmp/d'), image.string('tmpfs'), 0, 0)] : []),
    call(SYS.symlink, image.string('/tmp/d'), image.string('/tmp/link')),
    call(SYS.mknod, image.string('/tmp/fifo'), 0o10666, 0),
    call(SYS.mmap, 0, 65536, 3, 0x22, -1, 0),
  ];
}

/** One chunk; `index` counts them from the seed on. */
export function makeChunk(seed: number, index: number): Chunk {
  const draw = new Draw(new Prng(seed * 2 ** 24 + index));
  const image = new Image(draw);
  const values = new ArgumentValues(draw, image);
  const mode =
    (draw.oneIn(4) ? 0 : Mode.unprivileged) | (draw.oneIn(5) ? Mode.threads : draw.oneIn(5) ? Mode.processes : 0);
  const calls = draw.oneIn(6) ? [] : opening(draw, image);
  // At times a chunk stays with a few calls: they meet more often.
  const some = draw.oneIn(3) ? Array.from({ length: 2 + draw.below(12) }, () => draw.of(TABLE)) : TABLE;
  while (calls.length < CALLS_IN_CHUNK) {
    const call = makeCall(draw, values, draw.oneIn(4) ? TABLE : some);
    if (call !== null) calls.push(call);
  }
  return { mode, image: image.bytes, calls };
}

function makeCall(draw: Draw, values: ArgumentValues, from: readonly SyscallDef[]): Call | null {
  if (draw.oneIn(100)) {
    return { number: draw.oneIn(2) ? draw.below(600) : Number(draw.u64() & 0xffffffffn), arguments: [] };
  }
  const def = draw.of(from);
  if (ENDING.has(def.nr) && !draw.oneIn(8)) return null;
  if (MULTIPLYING.has(def.nr) && !draw.oneIn(4)) return null;
  const args = def.args.slice(0, 6).map((kind, i) => values.argument(def.name, kind, i));
  // What the table does not know of is there all the same.
  while (args.length < 6) args.push(draw.oneIn(4) ? given(draw.number()) : given(0));
  return { number: def.nr, arguments: args };
}
