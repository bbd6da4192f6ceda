// SPDX-License-Identifier: MIT
//
// Archives for tests: made by the system's tar, or block by block for what tar would not make.

import { fromLatin1, latin1Bytes } from '../../../src/base/bytes.ts';
import type { ArchiveBytes } from '../../../src/vfs/tar/tar-index.ts';
import { TarDirectory } from '../../../src/vfs/tar/tar-directory.ts';

export function inMemory(bytes: Uint8Array): ArchiveBytes {
  return {
    pread(into, position) {
      const part = bytes.subarray(position, position + into.length);
      into.set(part);
      return part.length;
    },
    size: () => bytes.length,
  };
}

export interface EntryFields {
  readonly name: string;
  readonly type?: string;
  readonly data?: string | Uint8Array;
  readonly mode?: number;
  readonly linkName?: string;
  /** The size that the header tells, if not that of the data. */
  readonly size?: number | Uint8Array;
  readonly uid?: Uint8Array;
  readonly magic?: string;
  readonly prefix?: string;
}

function octal(value: number, length: number): Uint8Array {
  return latin1Bytes(`${value.toString(8).padStart(length - 1, '0')}\0`);
}

/** One entry: a header and its data, padded to blocks. */
export function entry(fields: EntryFields): Uint8Array {
  const data = typeof fields.data === 'string' ? latin1Bytes(fields.data) : (fields.data ?? new Uint8Array(0));
  const out = new Uint8Array(512 + Math.ceil(data.length / 512) * 512);
  out.set(latin1Bytes(fields.name).subarray(0, 100), 0);
  out.set(octal(fields.mode ?? 0o644, 8), 100);
  out.set(fields.uid ?? octal(0, 8), 108);
  out.set(octal(0, 8), 116);
  const { size } = fields;
  out.set(size instanceof Uint8Array ? size : octal(size ?? data.length, 12), 124);
  out.set(octal(1_000_000_000, 12), 136);
  out.set(latin1Bytes('        '), 148);
  out.set(latin1Bytes(fields.type ?? '0'), 156);
  out.set(latin1Bytes(fields.linkName ?? ''), 157);
  out.set(latin1Bytes(fields.magic ?? 'ustar\x0000'), 257);
  out.set(latin1Bytes(fields.prefix ?? ''), 345);
  let sum = 0;
  for (let i = 0; i < 512; i++) sum += out[i] ?? 0;
  out.set(octal(sum, 7), 148);
  out.set(data, 512);
  return out;
}

/** `LENGTH KEY=VALUE\n` records of an extended header. */
export function pax(records: Readonly<Record<string, string>>, type = 'x'): Uint8Array {
  let data = '';
  for (const [key, value] of Object.entries(records)) {
    const rest = ` ${key}=${value}\n`;
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length++;
    data += `${length}${rest}`;
  }
  return entry({ name: 'PaxHeaders/x', type, data });
}

export function archive(...entries: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from([...entries.flatMap((e) => [...e]), ...new Uint8Array(1024)]);
}

export function directoryOf(...entries: readonly Uint8Array[]): TarDirectory {
  return new TarDirectory(inMemory(archive(...entries)));
}

/** What a file of the archive holds, or its first megabytes. */
export function contents(directory: TarDirectory, path: string): string | number {
  const file = directory.open(path, false);
  if (typeof file === 'number') return file;
  const bytes = new Uint8Array(Math.min(file.size(), 2 ** 23));
  const n = file.pread(bytes, 0);
  return n < 0 ? n : fromLatin1(bytes.subarray(0, n));
}
