// SPDX-License-Identifier: MIT
//
// The memory that the calls of a chunk point into: paths, vectors and structures with edge values, laid out one
// after the other; some lie across the end of what can be accessed.

import type { Prng } from '../../../src/base/prng.ts';
import { IMAGE_BYTES, SCRATCH } from './call-list.ts';

/** Numbers at which things change. */
const EDGES: readonly bigint[] = [
  0n,
  1n,
  2n,
  3n,
  4n,
  7n,
  8n,
  9n,
  15n,
  16n,
  31n,
  32n,
  63n,
  64n,
  65n,
  100n,
  127n,
  128n,
  255n,
  256n,
  511n,
  512n,
  1000n,
  1023n,
  1024n,
  1025n,
  4095n,
  4096n,
  4097n,
  8191n,
  8192n,
  32767n,
  32768n,
  65535n,
  65536n,
  65537n,
  1000000n,
  1048576n,
  999999999n,
  1000000000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  0x7ffffffff000n,
  0x7fffffffffffn,
  0x800000000000n,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0xffff800000000000n,
  0xfffffffffffff000n,
  -4096n,
  -100n,
  -2n,
  -1n,
];

/** Names that mean something here. */
const PATHS: readonly string[] = [
  '',
  '/',
  '.',
  '..',
  '/tmp',
  '/tmp/a',
  '/tmp/b',
  '/tmp/d',
  '/tmp/d/e',
  '/tmp/link',
  '/tmp/fifo',
  '/tmp/socket',
  '/tmp/a/b',
  'a',
  'b',
  'd',
  'd/e',
  '../tmp/a',
  './/a/',
  'link/..',
  '/etc',
  '/etc/canary',
  '/etc/link',
  '/etc/../../etc/canary',
  '/outside',
  '/fuzz',
  '/fuzz/calls',
  '/fuzz/program',
  '/proc',
  '/proc/self',
  '/proc/self/maps',
  '/proc/self/status',
  '/proc/self/stat',
  '/proc/self/fd',
  '/proc/self/fd/3',
  '/proc/self/fd/5',
  '/proc/self/exe',
  '/proc/self/cwd',
  '/proc/self/root',
  '/proc/self/root/..',
  '/proc/self/mem',
  '/proc/self/task',
  '/proc/self/comm',
  '/proc/self/environ',
  '/proc/self/mounts',
  '/proc/self/oom_score_adj',
  '/proc/self/ns/user',
  '/proc/thread-self',
  '/proc/1/mem',
  '/proc/1/status',
  '/proc/meminfo',
  '/proc/sys/kernel/pid_max',
  '/proc/sys/kernel/hostname',
  '/dev',
  '/dev/null',
  '/dev/zero',
  '/dev/full',
  '/dev/random',
  '/dev/tty',
  '/dev/ptmx',
  '/dev/pts',
  '/dev/pts/0',
  '/dev/shm',
  '/dev/shm/x',
  '/dev/fd/3',
  '/dev/stdin',
  'n'.repeat(255),
  'n'.repeat(256),
  '/tmp/'.repeat(800),
  `/${'p/'.repeat(2100)}`,
  '/tmp/\xff\x01\n',
];

/** Names of attributes, types of file systems, keys: strings that are no paths. */
const WORDS: readonly string[] = [
  '',
  'x',
  'tmpfs',
  'proc',
  'ext4',
  'overlay',
  'ro,size=1m',
  'user.a',
  'user.',
  'user',
  'trusted.b',
  'security.c',
  'system.posix_acl_access',
  'nosuch.d',
  `user.${'a'.repeat(250)}`,
  'w'.repeat(300),
  '/q',
  '/queue',
  'queue',
  '\x7fELF',
];

/** A typed draw out of edge values. */
export class Draw {
  readonly #prng: Prng;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  below(n: number): number {
    return this.#prng.below(n);
  }

  /** True once in `n`. */
  oneIn(n: number): boolean {
    return this.#prng.below(n) === 0;
  }

  of<T>(list: readonly T[]): T {
    return list[this.#prng.below(list.length)] as T;
  }

  u64(): bigint {
    return (BigInt(this.#prng.u32()) << 32n) | BigInt(this.#prng.u32());
  }

  edge(): bigint {
    return this.of(EDGES);
  }

  /** Mostly small, at times an edge, seldom anything. */
  number(): bigint {
    switch (this.below(8)) {
      case 0:
        return this.edge();
      case 1:
        return this.u64() >> BigInt(this.below(64));
      case 2:
        return this.edge() + BigInt(this.below(3) - 1);
      default:
        return BigInt(this.below(this.of([2, 4, 16, 64, 1024])));
    }
  }
}

/** Lays out the image. */
export class Image {
  readonly bytes = new Uint8Array(IMAGE_BYTES);
  readonly #view = new DataView(this.bytes.buffer);
  readonly #draw: Draw;
  #next = 0;

  constructor(draw: Draw) {
    this.#draw = draw;
  }

  /** Space for `length` bytes; when all is taken, it starts again and overwrites. */
  place(length: number): number {
    const rounded = (length + 7) & ~7;
    if (this.#next + rounded > IMAGE_BYTES) this.#next = 0;
    const at = this.#next;
    this.#next += rounded;
    return at;
  }

  address(at: number): bigint {
    return BigInt(SCRATCH + at);
  }

  /** Where a result may go: inside, across the end, or where nothing can be. */
  anywhere(): bigint {
    switch (this.#draw.below(16)) {
      case 0:
        return 0n;
      case 1:
        return this.#draw.edge();
      case 2:
        return this.address(IMAGE_BYTES - this.#draw.below(64));
      case 3:
        return this.#draw.u64();
      case 4:
        return this.address(this.#draw.below(IMAGE_BYTES));
      default:
        return this.address(this.#draw.below(IMAGE_BYTES / 8) * 8);
    }
  }

  /** Bytes as they are. */
  data(bytes: Uint8Array): bigint {
    const at = this.place(bytes.length);
    this.bytes.set(bytes.subarray(0, IMAGE_BYTES - at), at);
    return this.address(at);
  }

  /** A string with its end; once in a while one without, up to the end of memory. */
  string(text: string): bigint {
    const bytes = Uint8Array.from([...text, '\0'].map((c) => c.charCodeAt(0)));
    if (bytes.length > IMAGE_BYTES / 2 || !this.#draw.oneIn(64)) return this.data(bytes);
    const length = Math.min(bytes.length - 1, 64);
    this.bytes.set(bytes.subarray(0, length), IMAGE_BYTES - length);
    return this.address(IMAGE_BYTES - length);
  }

  path(): bigint {
    return this.#draw.oneIn(24) ? this.anywhere() : this.string(this.#draw.of(PATHS));
  }

  word(): bigint {
    return this.#draw.oneIn(24) ? this.anywhere() : this.string(this.#draw.of(WORDS));
  }

  /** Words of 8, 4 or 2 bytes, as `widths` says; a value that is missing is drawn. */
  struct(widths: readonly (2 | 4 | 8)[], values: readonly (bigint | undefined)[] = []): bigint {
    const length = widths.reduce<number>((sum, width) => sum + width, 0);
    const at = this.#draw.oneIn(32) ? IMAGE_BYTES - this.#draw.below(length + 1) : this.place(length);
    let offset = at;
    for (const [i, width] of widths.entries()) {
      const value = values[i] ?? this.#draw.number();
      if (offset + width <= IMAGE_BYTES) this.#put(offset, width, value);
      offset += width;
    }
    return this.address(at);
  }

  #put(at: number, width: 2 | 4 | 8, value: bigint): void {
    if (width === 8) this.#view.setBigUint64(at, BigInt.asUintN(64, value), true);
    else if (width === 4) this.#view.setUint32(at, Number(BigInt.asUintN(32, value)), true);
    else this.#view.setUint16(at, Number(BigInt.asUintN(16, value)), true);
  }
}
