// SPDX-License-Identifier: MIT
//
// What certain arguments of certain calls have to be for the call to get anywhere: ids, commands and structures that
// belong to the objects which the first calls of a chunk make. The generator takes them most of the time.

import type { Draw, Image } from './image.ts';

type Make = (draw: Draw, image: Image) => bigint;

/** Descriptors as `opening` in generator.ts gets them. */
export const Fd = {
  file: 3,
  directory: 4,
  pipe: 5,
  socketPair: 7,
  eventfd: 9,
  epoll: 10,
  timerfd: 11,
  signalfd: 12,
  memfd: 13,
  pidfd: 14,
  inotify: 15,
  maps: 16,
  null: 17,
  datagram: 19,
  listener: 20,
  queue: 21,
  secondPipe: 22,
  terminal: 24,
  client: 26,
} as const;

const oneOf =
  (...values: readonly (number | bigint)[]): Make =>
  (draw) =>
    BigInt(draw.of(values));
const text =
  (...values: readonly string[]): Make =>
  (draw, image) =>
    image.string(draw.of(values));
/** A structure of words of 8 bytes. */
const words =
  (...values: readonly (number | bigint)[]): Make =>
  (_, image) =>
    image.struct(
      values.map(() => 8),
      values.map((value) => BigInt(value)),
    );
const halves =
  (...values: readonly (number | bigint)[]): Make =>
  (_, image) =>
    image.struct(
      values.map(() => 4),
      values.map((value) => BigInt(value)),
    );
const somewhere: Make = (_, image) => image.address(image.place(256));
const orNull =
  (make: Make): Make =>
  (draw, image) =>
    draw.oneIn(2) ? 0n : make(draw, image);
/** Nothing particular. */
const any = undefined;

const CAPABILITY_VERSION_3 = 0x20080522;
const IPC_CREAT = 0o1000;

const count = oneOf(0, 1, 1, 1, 2, 3);
const id = oneOf(0, 0, 0, 1, 2, 32768);
const key = oneOf(0, 1, 1, 2);
const making = oneOf(0o666, IPC_CREAT | 0o666, IPC_CREAT | 0o3600);
const timer = oneOf(0, 0, 1, 2);
const attribute = text('user.a', 'user.b', 'security.c', 'trusted.d', 'user.none');
const file = text('/tmp/a', '/tmp/d', '/tmp/b', '/tmp/link');
const mountPoint = text('/tmp/d', '/tmp/d', '/tmp', '/tmp/d/e');
const level = oneOf(1, 1, 1, 0, 6);
const length = halves(16);
const size = oneOf(0, 1, 4, 8, 16, 64);
const futexWaiters: Make = (draw, image) => {
  const word = image.struct([8], [draw.of([0n, 1n])]);
  return image.struct([8, 8, 4, 4], [draw.of([0n, 1n]), word, draw.of([2n, 0x82n, 0n]), 0n]);
};
const vector: Make = (draw, image) => {
  const buffer = image.address(image.place(128));
  return image.struct([8, 8, 8, 8], [buffer, draw.of([0n, 8n, 64n]), buffer + 64n, draw.of([0n, 8n, 64n])]);
};

/** By call, the arguments in their order. */
export const FAMILIAR: Readonly<Record<string, readonly (Make | undefined)[]>> = {
  shmget: [key, oneOf(1, 4096, 8192), making],
  shmat: [id, oneOf(0, 0, 0x30000000), oneOf(0, 0, 0o10000, 0o20000, 0o40000)],
  shmctl: [id, oneOf(0, 1, 2, 3, 11, 12, 13, 14, 15), somewhere],
  semget: [key, oneOf(1, 3, 3, 250), making],
  semop: [id, any, count],
  semtimedop: [id, any, count, any],
  semctl: [id, oneOf(0, 1, 2), oneOf(0, 1, 2, 3, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20), oneOf(0, 1, 32767)],
  msgget: [key, making],
  msgsnd: [id, words(1, 2, 3, 4), oneOf(0, 1, 24), oneOf(0, 0o4000)],
  msgrcv: [id, somewhere, oneOf(0, 8, 64), oneOf(0, 1, -2), oneOf(0o4000, 0o14000, 0o44000)],
  msgctl: [id, oneOf(0, 1, 2, 3, 11, 12, 13), somewhere],
  mq_open: [
    text('queue', 'queue', 'other'),
    oneOf(0o4102, 0o102, 2, 0, 1),
    oneOf(0o600, 0o666),
    orNull(words(0, 4, 64, 0)),
  ],
  mq_unlink: [text('queue', 'other')],
  mq_timedsend: [oneOf(Fd.queue), any, size, oneOf(0, 1, 32767), any],
  mq_timedreceive: [oneOf(Fd.queue), somewhere, oneOf(8192, 65536), somewhere, any],
  mq_notify: [oneOf(Fd.queue), orNull(halves(0, 0, 10, 0, 0, 0))],
  mq_getsetattr: [oneOf(Fd.queue), orNull(words(0, 0, 0, 0)), somewhere],
  timer_create: [oneOf(0, 1, 2, 3, 7), orNull(halves(0, 0, 10, 0, 0, 0, 0, 0)), somewhere],
  timer_settime: [timer, oneOf(0, 0, 1), any, orNull(somewhere)],
  timer_gettime: [timer, somewhere],
  timer_getoverrun: [timer],
  timer_delete: [timer],
  inotify_add_watch: [oneOf(Fd.inotify), text('/tmp', '/tmp/a', '/tmp/d'), oneOf(0xfff, 0x100, 0x80000fff)],
  inotify_rm_watch: [oneOf(Fd.inotify), oneOf(1, 1, 2, 3)],
  accept: [oneOf(Fd.listener), orNull(somewhere), orNull(length)],
  accept4: [oneOf(Fd.listener), orNull(somewhere), orNull(length), oneOf(0, 0o4000, 0o2000000)],
  listen: [oneOf(Fd.listener, Fd.datagram), oneOf(0, 1, 128)],
  getsockopt: [oneOf(Fd.socketPair, Fd.datagram, Fd.listener), level, any, somewhere, length],
  setsockopt: [oneOf(Fd.socketPair, Fd.datagram, Fd.listener), level, any, words(1, 0), oneOf(4, 8, 16)],
  ioctl: [
    oneOf(Fd.pipe, Fd.socketPair, Fd.file, Fd.terminal, Fd.terminal, Fd.terminal, Fd.terminal + 1, Fd.inotify),
    oneOf(0x541b, 0x5421, 0x5450, 0x5451, 0x5452, 0x5401, 0x5402, 0x5403, 0x5404, 0x5405, 0x5406, 0x5407, 0x5408),
    somewhere,
  ],
  tee: [oneOf(Fd.pipe), oneOf(Fd.secondPipe + 1), oneOf(1, 4096), oneOf(0, 2)],
  splice: [
    oneOf(Fd.file, Fd.pipe, Fd.socketPair),
    oneOf(0),
    oneOf(Fd.pipe + 1, Fd.secondPipe + 1, Fd.file),
    oneOf(0),
    oneOf(1, 4096),
    oneOf(2),
  ],
  copy_file_range: [
    oneOf(Fd.file, Fd.memfd),
    oneOf(0),
    oneOf(Fd.memfd, Fd.file),
    oneOf(0),
    oneOf(1, 100, 4096),
    oneOf(0),
  ],
  waitid: [oneOf(0, 0, 1, 2), any, orNull(somewhere), oneOf(5, 4, 0x1000005, 13), orNull(somewhere)],
  process_vm_readv: [any, vector, count, vector, count, oneOf(0)],
  process_vm_writev: [any, vector, count, vector, count, oneOf(0)],
  capset: [halves(CAPABILITY_VERSION_3, 0), orNull(words(0, 0, 0))],
  capget: [halves(CAPABILITY_VERSION_3, 0), somewhere],
  pidfd_send_signal: [oneOf(Fd.pidfd), oneOf(0, 10, 18, 23), oneOf(0), oneOf(0)],
  futex_waitv: [futexWaiters, oneOf(1), oneOf(0), any, oneOf(1)],
  mount: [
    text('none', '/tmp/d'),
    mountPoint,
    text('tmpfs', 'tmpfs', 'proc', 'mqueue', 'devpts'),
    oneOf(0, 0, 1, 0x1000, 0x20, 0x5000),
    oneOf(0),
  ],
  umount2: [mountPoint, oneOf(0, 2, 4, 8)],
  link: [file, text('/tmp/b', '/tmp/d/e', '/tmp/c')],
  linkat: [oneOf(-100), file, oneOf(-100), text('/tmp/b', '/tmp/d/e', '/tmp/c'), oneOf(0, 0x400)],
  rename: [file, text('/tmp/b', '/tmp/d/e', '/tmp/a')],
  unlink: [file],
  setxattr: [file, attribute, any, size, oneOf(0, 0, 1, 2)],
  lsetxattr: [file, attribute, any, size, oneOf(0, 0, 1, 2)],
  fsetxattr: [oneOf(Fd.file, Fd.memfd), attribute, any, size, oneOf(0, 0, 1, 2)],
  getxattr: [file, attribute, somewhere, size],
  lgetxattr: [file, attribute, somewhere, size],
  fgetxattr: [oneOf(Fd.file, Fd.memfd), attribute, somewhere, size],
  removexattr: [file, attribute],
  lremovexattr: [file, attribute],
  fremovexattr: [oneOf(Fd.file, Fd.memfd), attribute],
  execve: [text('/fuzz/program')],
  execveat: [oneOf(-100), text('/fuzz/program'), any, any, oneOf(0)],
  clock_settime: [oneOf(0), words(1_800_000_000, 0)],
  settimeofday: [words(1_800_000_000, 0), oneOf(0)],
};
