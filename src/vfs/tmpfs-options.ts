// SPDX-License-Identifier: MIT
//
// The data of mount(2) for tmpfs: `size=64m,mode=1777`. Models mm/shmem.c (shmem_parse_one), tmpfs(5).

import { EINVAL } from '../abi/errno.ts';

/** What a tmpfs is asked to be; what is left out has its default. */
export interface TmpfsOptions {
  readonly bytes?: number | undefined;
  readonly inodes?: number | undefined;
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

const PAGE = 4096;
const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
const LARGEST_ID = 2 ** 32 - 2;

/** `64m`, `0x1000`, `50%` of `whole`; undefined when it is no number. */
function memparse(text: string, whole: number): number | undefined {
  const match = /^(0x[0-9a-f]+|[0-9]+)([kmgt%]?)$/i.exec(text);
  if (match === null) return undefined;
  const [, digits = '', unit = ''] = match;
  const value = Number(digits);
  return unit === '%' ? Math.floor((whole * value) / 100) : value * (UNITS[unit.toLowerCase()] ?? 1);
}

function integer(text: string, radix: 8 | 10, most: number): number | undefined {
  if (!(radix === 8 ? /^[0-7]+$/ : /^[0-9]+$/).test(text)) return undefined;
  const value = parseInt(text, radix);
  return value <= most ? value : undefined;
}

/**
 * Reads the option string.
 * @param memory of the machine, which `size=50%` refers to
 * @returns the options, or -EINVAL for one that tmpfs does not know or whose value is no value
 */
export function parseTmpfsOptions(data: string, memory: number): TmpfsOptions | number {
  const out: { -readonly [K in keyof TmpfsOptions]: number | undefined } = {};
  for (const part of data.split(',')) {
    if (part === '') continue;
    const cut = part.indexOf('=');
    const name = cut < 0 ? part : part.slice(0, cut);
    const text = cut < 0 ? '' : part.slice(cut + 1);
    let value: number | undefined;
    if (name === 'size') value = out.bytes = memparse(text, memory);
    else if (name === 'nr_blocks') value = out.bytes = (memparse(text, memory) ?? NaN) * PAGE;
    else if (name === 'nr_inodes') value = out.inodes = memparse(text, memory);
    else if (name === 'mode') value = out.mode = integer(text, 8, 0o7777);
    else if (name === 'uid') value = out.uid = integer(text, 10, LARGEST_ID);
    else if (name === 'gid') value = out.gid = integer(text, 10, LARGEST_ID);
    // Huge pages and memory policies: there is nothing here that they could change.
    else if (name === 'huge') value = ['never', 'always', 'within_size', 'advise'].includes(text) ? 0 : undefined;
    else if (name === 'mpol') value = 0;
    if (value === undefined || Number.isNaN(value)) return -EINVAL;
  }
  return out;
}
