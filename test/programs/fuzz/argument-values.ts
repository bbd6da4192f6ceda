// SPDX-License-Identifier: MIT
//
// A value for one argument, by what the table of calls says that it is; for arguments that several calls use
// differently, by the call's name.

import { bitsOf } from '../../../src/kernel/decode/flags.ts';
import { valuesOf } from '../../../src/kernel/decode/enums.ts';
import type { ArgKind, EnumSet, FlagSet } from '../../../src/kernel/decode/kinds.ts';
import type { Argument } from './call-list.ts';
import { IMAGE_BYTES, SCRATCH, Source } from './call-list.ts';
import { FAMILIAR, Fd } from './familiar-values.ts';
import type { Draw } from './image.ts';
import type { Image } from './image.ts';

const AT_FDCWD = -100n;
/** Descriptors that the first calls of a chunk have opened lie below. */
const OPEN_FDS = 27;

/** Commands of calls with many of them: ranges of numbers, first and last. */
const COMMANDS: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  ioctl: [
    [0x5400, 0x5470],
    [0x8901, 0x8950],
    [0x80045430, 0x80045430],
    [0x40045431, 0x40045431],
    [0x5410, 0x5441],
  ],
  fcntl: [
    [0, 16],
    [1024, 1042],
  ],
  futex: [
    [0, 13],
    [128, 141],
    [256, 269],
    [384, 397],
  ],
  prctl: [
    [0, 66],
    [0x53564d41, 0x53564d41],
  ],
  ptrace: [
    [0, 24],
    [0x4200, 0x4210],
  ],
  shmctl: [[0, 16]],
  semctl: [[0, 20]],
  msgctl: [[0, 14]],
  seccomp: [[0, 4]],
  keyctl: [[0, 32]],
  kcmp: [[0, 8]],
  quotactl: [[0x800001, 0x800009]],
  bpf: [[0, 36]],
  getsockopt: [[0, 80]],
  setsockopt: [[0, 80]],
  socket: [[0, 6]],
  socketpair: [[0, 6]],
  membarrier: [
    [0, 9],
    [64, 256],
  ],
};

const SIZES: readonly bigint[] = [
  0n,
  1n,
  2n,
  4n,
  8n,
  12n,
  16n,
  24n,
  32n,
  48n,
  64n,
  88n,
  100n,
  128n,
  512n,
  4095n,
  4096n,
  4097n,
  8192n,
  65536n,
];

/** Descriptors that a call is most likely to make something of. */
const FAVOURITES: readonly (readonly [RegExp, readonly number[]])[] = [
  [
    /sock|^(bind|listen|accept|connect|send[mt]|recv|shutdown|getpeername)/,
    [Fd.socketPair, Fd.socketPair + 1, Fd.datagram, Fd.listener],
  ],
  [/^epoll/, [Fd.epoll]],
  [/^timerfd/, [Fd.timerfd]],
  [/^signalfd/, [Fd.signalfd, -1]],
  [/^pidfd/, [Fd.pidfd]],
  [/^(splice|tee|vmsplice)/, [Fd.pipe, Fd.pipe + 1, Fd.secondPipe, Fd.file]],
  [/at$|at2$|^openat|^getdents/, [Fd.directory]],
  [
    /^(lseek|p?read|p?write|ftrunc|falloc|fadvise|mmap|sendfile|copy_file|flock|fsync|fchmod|sync_file)/,
    [Fd.file, Fd.memfd],
  ],
];

/** Calls whose size is that of a signal set. */
const WITH_SIGSET = /^(rt_sig|ppoll|pselect|epoll_pwait|signalfd)/;

/** Values for the arguments of one call, one after the other. */
export class ArgumentValues {
  readonly #draw: Draw;
  readonly #image: Image;

  constructor(draw: Draw, image: Image) {
    this.#draw = draw;
    this.#image = image;
  }

  /** @param index which argument of the call it is */
  argument(call: string, kind: ArgKind, index: number): Argument {
    const draw = this.#draw;
    const familiar = FAMILIAR[call]?.[index];
    if (familiar !== undefined && !draw.oneIn(4)) return { source: Source.asGiven, value: familiar(draw, this.#image) };
    if (kind === 'pid') return this.#pid();
    if (draw.oneIn(40)) return { source: Source.asGiven, value: draw.oneIn(2) ? draw.edge() : draw.u64() };
    if (draw.oneIn(20)) return { source: Source.lastResult, value: 0n };
    if (kind === 'ptr' && draw.oneIn(3)) return this.#mapped();
    return { source: Source.asGiven, value: this.#value(call, kind, index) };
  }

  #pid(): Argument {
    const draw = this.#draw;
    switch (draw.below(8)) {
      case 0:
        return { source: Source.asGiven, value: draw.of([0n, 1n, -1n, -2n, 32768n, 0x7fffffffn]) };
      case 1:
        return { source: Source.ownTid, value: 0n };
      case 2:
        return { source: Source.lastResult, value: 0n };
      case 3:
        // A child, a group.
        return { source: Source.ownPid, value: draw.of([1n, 2n, -1n]) };
      default:
        return { source: Source.ownPid, value: 0n };
    }
  }

  /** An address as mmap, shmat and their like gave one, or near what is mapped anyway. */
  #mapped(): Argument {
    const draw = this.#draw;
    const pages = BigInt(draw.below(8)) * 4096n;
    if (draw.oneIn(2)) return { source: Source.lastAddress, value: draw.oneIn(4) ? pages : 0n };
    const base = draw.of([
      SCRATCH,
      SCRATCH + IMAGE_BYTES,
      0x3000_0000,
      0x3001_0000,
      0x40_0000,
      0x60000,
      0x7fff_f7ff_0000,
    ]);
    return { source: Source.asGiven, value: BigInt(base) + (draw.oneIn(8) ? draw.number() : pages) };
  }

  #value(call: string, kind: ArgKind, index: number): bigint {
    const draw = this.#draw;
    const image = this.#image;
    if (kind.startsWith('flags:')) return this.#flags(kind.slice(6) as FlagSet);
    if (kind.startsWith('enum:')) return this.#enumerated(kind.slice(5) as EnumSet);
    if (kind.startsWith('in:') || kind.startsWith('inout:')) return this.#structure(kind.slice(kind.indexOf(':') + 1));
    if (kind.startsWith('out:')) return image.anywhere();
    switch (kind) {
      case 'fd':
        return this.#descriptor(call);
      case 'dirfd':
        return draw.oneIn(2) ? AT_FDCWD : this.#descriptor(call);
      case 'path':
        return image.path();
      case 'str':
        return image.word();
      case 'buf':
      case 'outbuf':
      case 'outstr':
      case 'outlink':
        return image.anywhere();
      case 'iov:in':
      case 'iov:out':
        return this.#vector();
      case 'argv':
      case 'envp':
        return this.#strings();
      case 'size':
        if (WITH_SIGSET.test(call) && !draw.oneIn(8)) return 8n;
        return draw.oneIn(8) ? draw.number() : draw.of(SIZES);
      case 'mode':
      case 'octal':
        return BigInt(draw.of([0, 0o644, 0o755, 0o777, 0o1777, 0o4755, 0o7777, 0o177777]));
      case 'filemode':
        return BigInt(draw.of([0o10644, 0o100644, 0o140755, 0o20666, 0o40755, 0o170000, 0o644]));
      case 'uid':
        return draw.of([0n, 1000n, 65534n, -1n, -2n]);
      case 'signo':
        return draw.oneIn(16) ? draw.number() : BigInt(draw.below(66));
      case 'ms':
        return draw.of([0n, 0n, 1n, 10n, -1n]);
      case 'ptr':
        return this.#pointer(call);
      default:
        return this.#command(call, index) ?? draw.number();
    }
  }

  #command(call: string, index: number): bigint | undefined {
    const ranges = COMMANDS[call];
    if (ranges === undefined || index === 0 ? call !== 'prctl' && call !== 'ptrace' && call !== 'seccomp' : index > 2) {
      return undefined;
    }
    const [first, last] = this.#draw.of(ranges ?? []);
    return BigInt(first + this.#draw.below(last - first + 1));
  }

  #descriptor(call = ''): bigint {
    const draw = this.#draw;
    const favourites = draw.oneIn(2) ? FAVOURITES.find(([calls]) => calls.test(call)) : undefined;
    if (favourites !== undefined) return BigInt(draw.of(favourites[1]));
    if (!draw.oneIn(8)) return BigInt(3 + draw.below(OPEN_FDS - 3));
    return draw.of([-1n, 0n, 1n, 2n, 99n, 1023n, 1024n, 0x7fffffffn, AT_FDCWD]);
  }

  #flags(set: FlagSet): bigint {
    const draw = this.#draw;
    if (draw.oneIn(12)) return draw.number();
    let value = set === 'open' || set === 'map' || set === 'prot' ? BigInt(draw.below(4)) : 0n;
    for (let n = draw.of([0, 0, 1, 1, 2, 3, 6]); n > 0; n--) value |= BigInt(draw.of(bitsOf(set)));
    return value;
  }

  #enumerated(set: EnumSet): bigint {
    const values = set === 'socket_family' && this.#draw.oneIn(2) ? [1] : valuesOf(set);
    return this.#draw.oneIn(12) || values.length === 0 ? this.#draw.number() : BigInt(this.#draw.of(values));
  }

  /** iovecs; what counts them is the next argument, mostly small. */
  #vector(): bigint {
    const widths: 8[] = [];
    const values: bigint[] = [];
    for (let n = this.#draw.below(9); n >= 0; n--) {
      widths.push(8, 8);
      values.push(this.#image.anywhere(), this.#draw.oneIn(16) ? this.#draw.number() : this.#draw.of(SIZES));
    }
    return this.#image.struct(widths, values);
  }

  #strings(): bigint {
    const draw = this.#draw;
    const values = Array.from({ length: draw.below(5) }, () => (draw.oneIn(16) ? draw.number() : this.#image.word()));
    if (!draw.oneIn(16)) values.push(0n);
    return this.#image.struct(
      values.map(() => 8),
      values,
    );
  }

  #time(): bigint[] {
    const draw = this.#draw;
    const seconds = draw.oneIn(6) ? draw.number() : BigInt(draw.below(2));
    const rest = draw.of([
      0n,
      0n,
      1n,
      1000n,
      100_000n,
      999_999n,
      1_000_000n,
      999_999_999n,
      1_000_000_000n,
      -1n,
      0x3fffffffn,
      0x3ffffffen,
    ]);
    return [seconds, rest];
  }

  #structure(name: string): bigint {
    const draw = this.#draw;
    const image = this.#image;
    if (draw.oneIn(16)) return image.anywhere();
    switch (name) {
      case 'timespec':
      case 'timeval':
        return image.struct([8, 8], this.#time());
      case 'timespec2':
      case 'itimerspec':
      case 'itimerval':
        return image.struct([8, 8, 8, 8], [...this.#time(), ...this.#time()]);
      case 'sigset':
        return image.struct([8], [draw.of([0n, -1n, 1n << BigInt(draw.below(64)), draw.u64()])]);
      case 'sigaction': {
        const handler = draw.of([0n, 1n, 0x400100n, image.anywhere()]);
        return image.struct(
          [8, 8, 8, 8],
          [handler, 0x04000000n | draw.number(), draw.of([0n, 0x400100n]), draw.number()],
        );
      }
      case 'sigevent':
        return image.struct(
          [8, 4, 4, 8, 8],
          [undefined, BigInt(draw.below(66)), draw.of([0n, 1n, 2n, 4n]), draw.number()],
        );
      case 'clone_args':
        return image.struct(
          [8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8],
          [
            this.#cloneFlags(),
            image.anywhere(),
            image.anywhere(),
            image.anywhere(),
            draw.of([0n, 17n]),
            0n,
            0n,
            0n,
            0n,
            0n,
            0n,
          ],
        );
      case 'epoll_event':
        return image.struct(
          [4, 8],
          [draw.of([1n, 4n, 5n, 1n | (1n << 31n), 1n | (1n << 30n), 1n | (1n << 28n), draw.number()])],
        );
      case 'stack_t':
        return image.struct([8, 4, 4, 8], [image.anywhere(), draw.of([0n, 1n, 2n, draw.number()]), 0n, draw.of(SIZES)]);
      default:
        return image.struct([8, 8, 8, 8, 8, 8, 8, 8]);
    }
  }

  #cloneFlags(): bigint {
    // Seldom more than a process: each goes on with the list.
    const draw = this.#draw;
    return draw.oneIn(3) ? this.#flags('clone') : draw.of([0n, 0x4000n | 0x100n, 0x1000n]);
  }

  /** What a pointer without a kind of its own leads to. */
  #pointer(call: string): bigint {
    const draw = this.#draw;
    const image = this.#image;
    if (draw.oneIn(8)) return image.anywhere();
    if (/^clone/.test(call)) return image.anywhere();
    if (/msg$|mmsg$/.test(call)) return this.#message();
    if (/^(bind|connect|sendto|accept4?|getsockname|getpeername)$/.test(call)) return this.#socketAddress();
    if (/poll/.test(call)) return this.#pollSet();
    if (/^(seccomp|prctl|setsockopt)$/.test(call) && draw.oneIn(2)) return this.#filter();
    if (/^sem/.test(call))
      return image.struct(
        [2, 2, 2, 2, 2, 2],
        Array.from({ length: 6 }, () => BigInt(draw.below(5) - 2)),
      );
    if (/^(fcntl)$/.test(call))
      return image.struct([2, 2, 4, 8, 8, 4], [BigInt(draw.below(4)), BigInt(draw.below(4)), 0n]);
    if (/^mq_/.test(call)) return draw.oneIn(2) ? image.word() : image.struct([8, 8, 8, 8]);
    if (/^(process_vm|vmsplice|process_madvise)/.test(call)) return this.#vector();
    if (draw.oneIn(3)) return image.struct([8, 8, 8, 8, 8, 8, 8, 8]);
    if (draw.oneIn(3)) return image.struct([4, 4, 4, 4]);
    return image.anywhere();
  }

  #socketAddress(): bigint {
    const image = this.#image;
    const at = image.struct([2, 8, 8, 8], [this.#draw.of([1n, 1n, 1n, 2n, 10n, 0n, 16n])]);
    const path = this.#draw.of(['/tmp/socket', '\0abstract', '', '/tmp/d/s', 'rel']);
    for (const [i, c] of [...path, '\0'].entries()) {
      const offset = Number(at) - SCRATCH + 2 + i;
      if (offset < IMAGE_BYTES) image.bytes[offset] = c.charCodeAt(0);
    }
    return at;
  }

  /** A msghdr with descriptors or credentials beside the data. */
  #message(): bigint {
    const draw = this.#draw;
    const image = this.#image;
    const fds = Array.from({ length: draw.below(4) }, () => this.#descriptor());
    const length = BigInt(16 + 4 * fds.length);
    const control = image.struct(
      [8, 4, 4, 4, 4, 4, 4],
      [draw.oneIn(6) ? draw.number() : length, draw.of([1n, 1n, 1n, 0n]), draw.of([1n, 1n, 2n, 3n]), ...fds],
    );
    const hasControl = draw.oneIn(2);
    return image.struct(
      [8, 8, 8, 8, 8, 8, 8],
      [
        draw.oneIn(2) ? 0n : this.#socketAddress(),
        draw.of([0n, 16n, 110n]),
        this.#vector(),
        BigInt(draw.below(4)),
        hasControl ? control : 0n,
        hasControl ? draw.of([length, 24n, 64n]) : 0n,
        0n,
      ],
    );
  }

  #pollSet(): bigint {
    const widths: (4 | 2)[] = [];
    const values: bigint[] = [];
    for (let n = this.#draw.below(6); n >= 0; n--) {
      widths.push(4, 2, 2);
      values.push(this.#descriptor(), this.#draw.of([1n, 4n, 5n, 0x7fffn, 0n]), 0n);
    }
    return this.#image.struct(widths, values);
  }

  /** A BPF program: codes that exist, jumps that may not. */
  #filter(): bigint {
    const draw = this.#draw;
    const image = this.#image;
    const count = 1 + draw.below(8);
    const widths: (2 | 4)[] = [];
    const values: bigint[] = [];
    for (let i = 0; i < count; i++) {
      widths.push(2, 2, 4);
      const code =
        i === count - 1 && !draw.oneIn(6)
          ? 6
          : draw.of([0x20, 0x15, 0x25, 0x45, 0x05, 0x04, 0x54, 0x74, 0x60, 0x02, 0x07, 0x87, draw.below(256)]);
      const operand =
        code === 6
          ? draw.of([0x7fff0000n, 0x7fff0000n, 0x50001n, 0x30000n, 0n, draw.u64()])
          : BigInt(draw.of([0, 4, 8, 16, 24, 60, draw.below(512)]));
      values.push(BigInt(code), BigInt(draw.below(3) + 256 * draw.below(3)), operand);
    }
    const program = image.struct(widths, values);
    return image.struct([8, 8], [BigInt(draw.oneIn(12) ? draw.below(5000) : count), program]);
  }
}
