// SPDX-License-Identifier: MIT
//
// Lists of system calls as guests/fuzz.c reads them: chunks of 200 calls with the memory that they point into.
// KEEP IN SYNC: guests/fuzz.c IMAGE_BYTES

/** Where the guest puts a chunk's image; the page behind it cannot be accessed. */
export const SCRATCH = 0x2000_0000;
export const IMAGE_BYTES = 16384;
export const CALLS_IN_CHUNK = 200;

/** Marks a chunk. */
const MAGIC = 0x6c6c_6163_6863_6165n;
const HEADER_BYTES = 64;
const CALL_BYTES = 56;
export const CHUNK_BYTES = HEADER_BYTES + IMAGE_BYTES + CALLS_IN_CHUNK * CALL_BYTES;

/** Who makes the calls of a chunk; a union of bits. */
export const Mode = { unprivileged: 1, threads: 2, processes: 4 } as const;

/** Where an argument comes from when it is made; the value is added to a result. */
export const Source = { asGiven: 0, ownPid: 1, ownTid: 2, lastResult: 3, lastAddress: 4 } as const;

export interface Argument {
  readonly source: number;
  readonly value: bigint;
}

export interface Call {
  readonly number: number;
  readonly arguments: readonly Argument[];
}

export interface Chunk {
  readonly mode: number;
  readonly image: Uint8Array;
  /** At most CALLS_IN_CHUNK; getpid stands in for what is missing. */
  readonly calls: readonly Call[];
}

const GETPID: Call = { number: 39, arguments: [] };

/** The bytes of /fuzz/calls. */
export function encodeChunks(chunks: readonly Chunk[]): Uint8Array {
  const bytes = new Uint8Array(chunks.length * CHUNK_BYTES);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { mode, image, calls } of chunks) {
    view.setUint32(at, mode, true);
    view.setBigUint64(at + 8, MAGIC, true);
    bytes.set(image, at + HEADER_BYTES);
    for (let i = 0; i < CALLS_IN_CHUNK; i++) {
      encodeCall(view, at + HEADER_BYTES + IMAGE_BYTES + i * CALL_BYTES, calls[i] ?? GETPID);
    }
    at += CHUNK_BYTES;
  }
  return bytes;
}

function encodeCall(view: DataView, at: number, call: Call): void {
  let sources = 0;
  for (const [i, { source, value }] of call.arguments.entries()) {
    sources |= source << (4 * i);
    view.setBigUint64(at + 8 + 8 * i, BigInt.asUintN(64, value), true);
  }
  view.setUint32(at, call.number, true);
  view.setUint32(at + 4, sources, true);
}

/** The chunks of such a file. */
export function decodeChunks(bytes: Uint8Array): Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Chunk[] = [];
  for (let at = 0; at + CHUNK_BYTES <= bytes.length; at += CHUNK_BYTES) {
    const image = bytes.slice(at + HEADER_BYTES, at + HEADER_BYTES + IMAGE_BYTES);
    const calls = Array.from({ length: CALLS_IN_CHUNK }, (_, i) =>
      decodeCall(view, at + HEADER_BYTES + IMAGE_BYTES + i * CALL_BYTES),
    );
    chunks.push({ mode: view.getUint32(at, true), image, calls });
  }
  return chunks;
}

function decodeCall(view: DataView, at: number): Call {
  const sources = view.getUint32(at + 4, true);
  const values = Array.from({ length: 6 }, (_, i) => ({
    source: (sources >>> (4 * i)) & 15,
    value: view.getBigUint64(at + 8 + 8 * i, true),
  }));
  return { number: view.getUint32(at, true), arguments: values };
}

const SOURCE_NAMES = ['', 'pid+', 'tid+', 'result+', 'address+'];

/** One line a call, for people. */
export function describe(chunk: Chunk, nameOf: (number: number) => string): string {
  const lines = chunk.calls.map(({ number, arguments: args }) => {
    const shown = args.map(({ source, value }) => {
      const text = value < 4096n ? String(value) : `0x${BigInt.asUintN(64, value).toString(16)}`;
      return `${SOURCE_NAMES[source] ?? '?'}${text}`;
    });
    return `  ${nameOf(number)}(${shown.join(', ')})`;
  });
  return `mode ${chunk.mode}\n${lines.join('\n')}`;
}
