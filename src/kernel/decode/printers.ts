// SPDX-License-Identifier: MIT
//
// One printer per ArgKind. A printer with only `enter` shows an input, with only `exit` an output, with both an
// argument that the call changes (`[0] => [3]`).

import { AT_FDCWD } from '../../abi/open.ts';
import { S_IFMT } from '../../abi/stat.ts';
import * as stat from '../../abi/stat.ts';
import { signalName } from '../../abi/signal.ts';
import { getU64 } from '../../abi/words.ts';
import { hex } from '../../base/addr.ts';
import { enumText } from './enums.ts';
import { flagsText } from './flags.ts';
import type { ArgKind, EnumSet, FlagSet, GuestMemory, RawArgs, StructName } from './kinds.ts';
import { readBytes, readString, readStruct, readU64 } from './reader.ts';
import { pointerText } from './signal-text.ts';
import { STRUCTS, deviceText, epollEventText, fileModeText, modeText } from './structs.ts';
import { STRING_LIMIT, quote } from './strings.ts';

/** One call being shown. */
export interface Call {
  readonly args: RawArgs;
  readonly memory: GuestMemory;
  /** At exit: what {@link SpecialCall.before} gave at entry. */
  readonly before?: number | undefined;
}

export interface Printer {
  enter?(call: Call, i: number): string;
  exit?(call: Call, i: number, result: number): string;
}

const PATH_LIMIT = 4095;
/** Elements shown of an array. */
const ARRAY_LIMIT = 32;
/** Environment variables counted; a hostile program may point at all of its memory. */
const COUNT_LIMIT = 65536;
/** A result at or below this is no error. */
const MAX_ERRNO = 4095;

/** The call failed, or was interrupted. */
export function isError(result: number): boolean {
  return Number.isNaN(result) || (result < 0 && result >= -MAX_ERRNO);
}

/** An input shown by one function of the call and the argument's index. */
export function input(text: (call: Call, i: number) => string): Printer {
  return { enter: text };
}

/** An output; when the call fails its address is shown. */
export function output(text: (call: Call, i: number, result: number) => string): Printer {
  return { exit: (call, i, result) => (isError(result) ? pointerText(call.args.big(i)) : text(call, i, result)) };
}

/** A bare word in place of an argument. */
export function literal(text: string): Printer {
  return { enter: () => text };
}

/** `name=` before another printer's text. */
export function labelled(label: string, inner: Printer): Printer {
  const out: Printer = {};
  const { enter, exit } = inner;
  if (enter) out.enter = (call, i) => `${label}=${enter(call, i)}`;
  if (exit) out.exit = (call, i, result) => (enter ? '' : `${label}=`) + exit(call, i, result);
  return out;
}

/** `length` guest bytes in quotes, cut at the limit. */
export function bufferText(memory: GuestMemory, addr: number, length: number, quoted = quote): string {
  if (addr === 0) return 'NULL';
  const shown = Math.max(0, Math.min(length, STRING_LIMIT));
  const bytes = readBytes(memory, addr, shown);
  if (bytes === undefined) return pointerText(addr);
  return quoted(bytes) + (length > STRING_LIMIT ? '...' : '');
}

/** A C string in quotes, cut at `limit` characters. */
export function stringText(memory: GuestMemory, addr: number, limit: number): string {
  if (addr === 0) return 'NULL';
  const read = readString(memory, addr, limit + 1);
  if (read === undefined) return pointerText(addr);
  const cut = !read.ended;
  return quote(cut ? read.bytes.subarray(0, limit) : read.bytes) + (cut ? '...' : '');
}

/** The structure at `addr`, NULL, or its address when it cannot be read. */
export function structText(memory: GuestMemory, name: StructName, addr: number): string {
  if (addr === 0) return 'NULL';
  const { size, text } = STRUCTS[name];
  const view = readStruct(memory, addr, size);
  return view === undefined ? pointerText(addr) : text(view);
}

/** `[a, b]` of the elements at `addr`, each `size` bytes; how strace shows an array that ends in unreadable memory. */
export function arrayText(
  memory: GuestMemory,
  addr: number,
  count: number,
  size: number,
  text: (view: DataView) => string,
): string {
  if (addr === 0) return 'NULL';
  if (count === 0) return '[]';
  const parts: string[] = [];
  for (let i = 0; i < count; i++) {
    if (i === ARRAY_LIMIT) {
      parts.push('...');
      break;
    }
    const view = readStruct(memory, addr + i * size, size);
    if (view === undefined) {
      if (i === 0) return pointerText(addr);
      parts.push(`... /* ${pointerText(addr + i * size)} */`);
      break;
    }
    parts.push(text(view));
  }
  return `[${parts.join(', ')}]`;
}

function iovText(call: Call, i: number, available: number, showData: boolean): string {
  const addr = call.args.num(i);
  let left = available;
  return arrayText(call.memory, addr, call.args.num(i + 1), 16, (view) => {
    const base = getU64(view, 0);
    const length = getU64(view, 8);
    const shown = Math.min(length, left);
    left -= shown;
    const data = showData ? bufferText(call.memory, base, shown) : pointerText(base);
    return `{iov_base=${data}, iov_len=${view.getBigUint64(8, true)}}`;
  });
}

function argvText(call: Call, i: number): string {
  const addr = call.args.num(i);
  if (addr === 0) return 'NULL';
  const parts: string[] = [];
  for (let k = 0; ; k++) {
    const pointer = readU64(call.memory, addr + 8 * k);
    if (pointer === undefined) {
      if (k === 0) return pointerText(addr);
      parts.push(`... /* ${pointerText(addr + 8 * k)} */`);
      break;
    }
    if (pointer === 0) break;
    if (k === ARRAY_LIMIT) {
      parts.push('...');
      break;
    }
    parts.push(stringText(call.memory, pointer, STRING_LIMIT));
  }
  return `[${parts.join(', ')}]`;
}

function envpText(call: Call, i: number): string {
  const addr = call.args.num(i);
  if (addr === 0) return 'NULL';
  let count = 0;
  for (;;) {
    const pointer = readU64(call.memory, addr + 8 * count);
    if (pointer === undefined)
      return count === 0 ? pointerText(addr) : `${pointerText(addr)} /* ${count} vars, unterminated */`;
    if (pointer === 0) break;
    if (++count === COUNT_LIMIT) return `${pointerText(addr)} /* ${count} vars or more */`;
  }
  return `${pointerText(addr)} /* ${count} var${count === 1 ? '' : 's'} */`;
}

/** A descriptor that may be AT_FDCWD. */
function dirfdText(call: Call, i: number): string {
  const fd = call.args.int(i);
  return fd === AT_FDCWD ? 'AT_FDCWD' : String(fd);
}

function signalText(call: Call, i: number): string {
  const signo = call.args.int(i);
  return signo === 0 ? '0' : signalName(signo);
}

function fileModeArgument(call: Call, i: number): string {
  const mode = call.args.num(i) % 0x10000;
  const known = [stat.S_IFREG, stat.S_IFDIR, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFLNK, stat.S_IFSOCK];
  return known.includes(mode & S_IFMT) ? fileModeText(mode) : modeText(mode);
}

function direntsText(call: Call, i: number, result: number): string {
  const addr = call.args.num(i);
  let count = 0;
  for (let at = 0; at + 18 <= result;) {
    const head = readStruct(call.memory, addr + at + 16, 2);
    const length = head?.getUint16(0, true) ?? 0;
    if (length === 0) break;
    count++;
    at += length;
  }
  return `${pointerText(addr)} /* ${count} entries */`;
}

const SIMPLE = {
  int: input(({ args }, i) => String(args.int(i))),
  uint: input(({ args }, i) => String(args.uint(i))),
  long: input(({ args }, i) => String(BigInt.asIntN(64, args.big(i)))),
  off: input(({ args }, i) => String(BigInt.asIntN(64, args.big(i)))),
  size: input(({ args }, i) => String(args.big(i))),
  hex: input(({ args }, i) => (args.big(i) === 0n ? '0' : hex(args.big(i)))),
  octal: input(({ args }, i) => modeText(args.uint(i))),
  mode: input(({ args }, i) => modeText(args.uint(i) & 0xffff)),
  filemode: input(fileModeArgument),
  ptr: input(({ args }, i) => pointerText(args.big(i))),
  fd: input(({ args }, i) => String(args.int(i))),
  dirfd: input(dirfdText),
  pid: input(({ args }, i) => String(args.int(i))),
  uid: input(({ args }, i) => (args.uint(i) === 0xffffffff ? '-1' : String(args.uint(i)))),
  signo: input(signalText),
  dev: input(({ args }, i) => deviceText(stat.devMajor(args.uint(i)), stat.devMinor(args.uint(i)))),
  ms: input(({ args }, i) => String(args.int(i))),
  path: input(({ args, memory }, i) => stringText(memory, args.num(i), PATH_LIMIT)),
  str: input(({ args, memory }, i) => stringText(memory, args.num(i), STRING_LIMIT)),
  buf: input(({ args, memory }, i) => bufferText(memory, args.num(i), args.num(i + 1))),
  argv: input(argvText),
  envp: input(envpText),
  outbuf: output(({ args, memory }, i, result) => bufferText(memory, args.num(i), result)),
  outstr: output(({ args, memory }, i) => stringText(memory, args.num(i), PATH_LIMIT)),
  outlink: output(({ args, memory }, i, result) => bufferText(memory, args.num(i), result)),
  'iov:in': input((call, i) => iovText(call, i, Number.MAX_SAFE_INTEGER, true)),
  'iov:out': { exit: (call: Call, i: number, result: number) => iovText(call, i, result, !isError(result)) },
  'iov:addr': input((call, i) => iovText(call, i, 0, false)),
  'out:dirents': output(direntsText),
  'out:epoll_events': output(({ args, memory }, i, result) =>
    arrayText(memory, args.num(i), result, 12, (view) => epollEventText(view, 0)),
  ),
  none: literal(''),
} satisfies Partial<Record<ArgKind, Printer>>;

const cache = new Map<ArgKind, Printer>(Object.entries(SIMPLE) as [ArgKind, Printer][]);

/** The printer of a kind. */
export function printerOf(kind: ArgKind): Printer {
  let printer = cache.get(kind);
  if (printer === undefined) {
    printer = build(kind);
    cache.set(kind, printer);
  }
  return printer;
}

function build(kind: ArgKind): Printer {
  const colon = kind.indexOf(':');
  const family = kind.slice(0, colon);
  const name = kind.slice(colon + 1);
  switch (family) {
    case 'flags':
      return input(({ args }, i) => flagsText(name as FlagSet, args.uint(i)));
    case 'enum':
      return input(({ args }, i) => enumText(name as EnumSet, args.int(i)));
    case 'in':
      return input(({ args, memory }, i) => structText(memory, name as StructName, args.num(i)));
    case 'out':
      return output(({ args, memory }, i) => structText(memory, name as StructName, args.num(i)));
    default:
      return changing(name as StructName);
  }
}

/** `before => after`; the part after the arrow only when the call changed it. */
function changing(name: StructName): Printer {
  // One call is shown at a time per task, but tasks interleave: the text at entry cannot be kept here, so the
  // arrow is shown whenever the call succeeded.
  return {
    enter: ({ args, memory }, i) => structText(memory, name, args.num(i)),
    exit: ({ args, memory }, i, result) =>
      isError(result) || result === 0 || args.num(i) === 0 ? '' : ` => ${structText(memory, name, args.num(i))}`,
  };
}
