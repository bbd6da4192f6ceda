// SPDX-License-Identifier: MIT
//
// The stack as a new program finds it: strings at the top, below them random bytes and the platform's name, then
// argc, argv, envp and the auxiliary vector. Models Linux's create_elf_tables and the x86-64 psABI, 3.4.

import { PAGE_SIZE, pageDown, type Addr } from '../base/addr.ts';
import { utf8 } from '../base/bytes.ts';
import * as L from '../abi/elf.ts';
import {
  MAP_ANONYMOUS,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_PRIVATE,
  MAP_STACK,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../abi/mman.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import { loadError, type LoadError } from './load-error.ts';

/** Longest single argument with its zero (Linux's MAX_ARG_STRLEN). */
export const MAX_ARGUMENT = 32 * PAGE_SIZE;
const MIN_ARGUMENT_SPACE = 128 * 1024;
const MAX_ARGUMENT_SPACE = 6 * 1024 * 1024;
/** What Linux maps below the strings at once. */
const INITIAL_ROOM = 128 * 1024;

/** An entry of the auxiliary vector: type and value. */
export type AuxEntry = readonly [type: number, value: number];

/** What goes on the stack. Strings are without terminators. */
export interface StackContents {
  readonly argv: readonly Uint8Array[];
  readonly envp: readonly Uint8Array[];
  /** The path that execve was given (AT_EXECFN). */
  readonly execPath: Uint8Array;
  /** 16 bytes (AT_RANDOM). */
  readonly random: Uint8Array;
  /** Entries whose values are known; those that point into the stack are added here, at Linux's places. */
  readonly auxv: readonly AuxEntry[];
  readonly executable: boolean;
  /** First address beyond the stack. */
  readonly top: Addr;
  /** Bytes left free below the strings; a multiple of 16. */
  readonly shift: number;
}

/** Maps and fills the stack; the stack pointer. */
export function buildStack(
  mm: AddressSpace,
  contents: StackContents,
): { readonly ok: true; readonly stackPointer: Addr } | LoadError {
  // execve with an empty argv gives one empty argument (Linux 5.18).
  const argv = contents.argv.length === 0 ? [new Uint8Array(0)] : contents.argv;
  const { envp } = contents;
  const strings = [...argv, ...envp];
  const limit = Math.max(MIN_ARGUMENT_SPACE, Math.min(MAX_ARGUMENT_SPACE, Math.floor(mm.limits.stackBytes / 4)));
  let bytes = contents.execPath.length + 1;
  for (const s of strings) {
    if (s.length + 1 > MAX_ARGUMENT) return loadError('E2BIG', 'one of its arguments is longer than 128 KiB');
    bytes += s.length + 1;
  }
  const pointers = strings.length * 8;
  if (bytes + pointers > limit)
    return loadError('E2BIG', `its arguments and environment take ${bytes + pointers} bytes; ${limit} are allowed`);

  // From the top: a zero word, the path, environment, arguments.
  const { top } = contents;
  let at = top - 8 - (contents.execPath.length + 1);
  const execPathAt = at;
  for (const s of strings) at -= s.length + 1;
  const stringsAt = at;
  const platform = utf8('x86_64');
  const platformAt = stringsAt - (stringsAt % 16) - contents.shift - (platform.length + 1);
  const randomAt = platformAt - 16;
  const auxv = withPointers(contents.auxv, execPathAt, platformAt, randomAt);
  const words = 1 + argv.length + 1 + envp.length + 1 + auxv.length * 2;
  let stackPointer = randomAt - (randomAt % 16) - words * 8;
  stackPointer -= stackPointer % 16;

  const start = pageDown(stackPointer) - INITIAL_ROOM;
  const prot = PROT_READ | PROT_WRITE | (contents.executable ? PROT_EXEC : 0);
  const mapped = mm.mmap({
    addr: start,
    length: top - start,
    prot,
    flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN | MAP_STACK,
  });
  if (mapped < 0) return loadError('ENOMEM', 'no room for its stack');

  const image = new Uint8Array(top - stackPointer);
  const view = new DataView(image.buffer);
  let word = 0;
  const push = (value: number): void => {
    view.setUint32(word, value % 2 ** 32, true);
    view.setUint32(word + 4, Math.floor(value / 2 ** 32), true);
    word += 8;
  };
  let stringAt = stringsAt;
  const pushString = (s: Uint8Array): void => {
    push(stringAt);
    image.set(s, stringAt - stackPointer);
    stringAt += s.length + 1;
  };
  push(argv.length);
  for (const s of argv) pushString(s);
  push(0);
  for (const s of envp) pushString(s);
  push(0);
  for (const [type, value] of auxv) {
    push(type);
    push(value);
  }
  image.set(contents.random.subarray(0, 16), randomAt - stackPointer);
  image.set(platform, platformAt - stackPointer);
  image.set(contents.execPath, execPathAt - stackPointer);
  if (mm.copyOut(stackPointer, image) !== image.length) return loadError('ENOMEM', 'no memory for its stack');
  mm.setStackStart(stackPointer);
  return { ok: true, stackPointer };
}

/** Completes the vector in Linux's order: AT_RANDOM after AT_SECURE, AT_EXECFN and AT_PLATFORM after AT_HWCAP2. */
function withPointers(auxv: readonly AuxEntry[], execPathAt: Addr, platformAt: Addr, randomAt: Addr): AuxEntry[] {
  const out: AuxEntry[] = [];
  for (const entry of auxv) {
    out.push(entry);
    if (entry[0] === L.AT_SECURE) out.push([L.AT_RANDOM, randomAt]);
    else if (entry[0] === L.AT_HWCAP2) out.push([L.AT_EXECFN, execPathAt], [L.AT_PLATFORM, platformAt]);
  }
  out.push([L.AT_NULL, 0]);
  return out;
}
