// SPDX-License-Identifier: MIT
//
// A tar archive of the host as a root for guests. A plain one is read where it is; of a compressed one the bytes go to
// a file without a name in the temporary folder first, because neither form can be entered in the middle. Memory stays
// bounded either way. RFC 1952 (gzip), RFC 8878 (Zstandard).

import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { TraplineError } from '../../base/errors.ts';
import { TarDirectory } from '../../vfs/tar/tar-directory.ts';
import { NodeFile } from './file.ts';

/** What a compressed archive may become, and so what it may take of the temporary folder. */
const MAX_UNPACKED = 16 * 2 ** 30;
/** As the zstd command without --long: larger windows are refused. */
const MAX_WINDOW = 128 * 2 ** 20;
const CHUNK = 1 << 18;

/** Compressed forms by their first bytes; those without a way to read them have a name only. */
const FORMATS: readonly { readonly magic: readonly number[]; readonly name: string; readonly unpack?: Unpack }[] = [
  { magic: [0x1f, 0x8b], name: 'gzip', unpack: gunzip },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], name: 'zstd', unpack: unzstd },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], name: 'xz' },
  { magic: [0x42, 0x5a, 0x68], name: 'bzip2' },
  { magic: [0x04, 0x22, 0x4d, 0x18], name: 'lz4' },
  { magic: [0x50, 0x4b, 0x03, 0x04], name: 'zip' },
];

type Unpack = (from: number, write: (bytes: Uint8Array) => void) => Promise<void>;

/** Opens an archive; its file stays open until the directory is disposed of. */
export class ArchiveDirectory extends TarDirectory {
  readonly #file: NodeFile;

  /** @throws TraplineError as `readTarIndex`; the file is closed then */
  static over(fd: number): ArchiveDirectory {
    const file = new NodeFile(fd);
    try {
      return new ArchiveDirectory(file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  private constructor(file: NodeFile) {
    super(file);
    this.#file = file;
  }

  dispose(): void {
    this.#file.close();
  }
}

/**
 * Opens a tar archive, plain or compressed by gzip or zstd, whatever its name.
 * @throws TraplineError `HOST_ARCHIVE` with what is wrong with the file, in words for its owner
 */
export async function openHostArchive(path: string): Promise<ArchiveDirectory> {
  try {
    return await openByContent(path);
  } catch (error) {
    if (error instanceof TraplineError) {
      throw new TraplineError('HOST_ARCHIVE', `${path}: ${error.message}`, { cause: error });
    }
    const code = (error as NodeJS.ErrnoException).code;
    if (typeof code !== 'string') throw error;
    throw new TraplineError('HOST_ARCHIVE', `${path}: ${reasonOf(code)}`, { cause: error });
  }
}

function reasonOf(code: string): string {
  switch (code) {
    case 'ENOENT':
      return 'no such file or directory';
    case 'EACCES':
      return 'permission denied';
    case 'ENOSPC':
      return `the temporary folder ${tmpdir()} has no room for it unpacked`;
    default:
      return `cannot be read: ${code}`;
  }
}

async function openByContent(path: string): Promise<ArchiveDirectory> {
  // Looked at before it is opened, because a pipe would wait for its other end.
  if (!statSync(path).isFile()) throw new TraplineError('HOST_ARCHIVE', 'it is neither a directory nor a file');
  const fd = openSync(path, 'r');
  let isKept = false;
  try {
    const head = new Uint8Array(8);
    const length = readSync(fd, head, 0, head.length, 0);
    const format = FORMATS.find(({ magic }) => magic.length <= length && magic.every((byte, i) => head[i] === byte));
    if (format === undefined) {
      isKept = true;
      return ArchiveDirectory.over(fd);
    }
    const { name, unpack } = format;
    if (unpack === undefined) {
      throw new TraplineError(
        'HOST_ARCHIVE',
        `it is packed by ${name}; what can be read is tar, plain or by gzip or zstd`,
      );
    }
    return ArchiveDirectory.over(await unpacked(fd, name, unpack));
  } finally {
    if (!isKept) closeSync(fd);
  }
}

/** A descriptor of a file without a name that holds what `fd` unpacks to. */
async function unpacked(fd: number, name: string, unpack: Unpack): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'trapline-root-'));
  let out: number;
  try {
    out = openSync(join(folder, 'tar'), 'wx+', 0o600);
  } finally {
    // The name goes at once: however the run ends, the file goes with it.
    rmSync(folder, { recursive: true, force: true });
  }
  let total = 0;
  const write = (bytes: Uint8Array): void => {
    total += bytes.length;
    if (total > MAX_UNPACKED) {
      throw new TraplineError(
        'HOST_ARCHIVE',
        `it unpacks to more than ${MAX_UNPACKED / 2 ** 30} GiB, which is the limit`,
      );
    }
    for (let at = 0; at < bytes.length;) at += writeSync(out, bytes, at);
  };
  try {
    await unpack(fd, write);
    return out;
  } catch (error) {
    closeSync(out);
    if (error instanceof TraplineError || isSystemError(error)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new TraplineError('HOST_ARCHIVE', `its ${name} data are damaged or end too soon: ${reason}`, {
      cause: error,
    });
  }
}

/** Of writing to the temporary folder, not of the data. */
function isSystemError(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

/** Calls `take` with the pieces of a file. */
function eachChunk(fd: number, take: (chunk: Uint8Array) => void): void {
  for (;;) {
    // A new buffer for each: whoever takes one may keep it.
    const chunk = new Uint8Array(CHUNK);
    const n = readSync(fd, chunk, 0, CHUNK, null);
    if (n === 0) return;
    take(chunk.subarray(0, n));
  }
}

async function gunzip(from: number, write: (bytes: Uint8Array) => void): Promise<void> {
  const stream = createGunzip({ chunkSize: CHUNK });
  const chunk = new Uint8Array(CHUNK);
  const feed = (async (): Promise<void> => {
    for (;;) {
      const n = readSync(from, chunk, 0, CHUNK, null);
      if (n === 0) break;
      await new Promise<void>((done, fail) => {
        stream.write(chunk.slice(0, n), (error) => (error === null || error === undefined ? done() : fail(error)));
      });
    }
    stream.end();
  })();
  // A file that cannot be read on ends the stream, whose failures come out below.
  feed.catch((error: unknown) => stream.destroy(error instanceof Error ? error : undefined));
  for await (const bytes of stream) write(bytes as Uint8Array);
}

async function unzstd(from: number, write: (bytes: Uint8Array) => void): Promise<void> {
  const { Decompress } = await import('fzstd');
  const stream = new Decompress((bytes) => write(bytes));
  let isFirst = true;
  eachChunk(from, (chunk) => {
    if (isFirst && windowOf(chunk) > MAX_WINDOW) {
      throw new TraplineError(
        'HOST_ARCHIVE',
        `unpacking it needs a window of more than ${MAX_WINDOW / 2 ** 20} MiB: pack it without --long and --ultra`,
      );
    }
    isFirst = false;
    stream.push(chunk);
  });
  stream.push(new Uint8Array(0), true);
}

/** The window that a frame asks for, from its header. */
function windowOf(frame: Uint8Array): number {
  const descriptor = frame[4] ?? 0;
  const byte = (at: number): number => frame[at] ?? 0;
  if ((descriptor & 0x20) === 0) {
    const base = 2 ** (10 + (byte(5) >>> 3));
    return base + (base / 8) * (byte(5) & 7);
  }
  // One segment: the window is the whole content, whose size comes after the number of the dictionary.
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const length = 1 << (descriptor >>> 6);
  let size = length === 2 ? 256 : 0;
  for (let i = 0; i < length; i++) size += byte(5 + dictionary + i) * 256 ** i;
  return size;
}
