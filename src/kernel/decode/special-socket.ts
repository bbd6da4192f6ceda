// SPDX-License-Identifier: MIT
//
// Sockets: addresses, options, and messages with what travels beside their bytes.

import * as S from '../../abi/socket.ts';
import { getU64 } from '../../abi/words.ts';
import { enumTable, enumText, nameIn } from './enums.ts';
import { flagsText, SOCK_TYPE_FLAGS } from './flags.ts';
import { hex } from '../../base/addr.ts';
import type { GuestMemory } from './kinds.ts';
import { arrayText, bufferText, input, isError, output, printerOf, structText } from './printers.ts';
import type { Call, Printer } from './printers.ts';
import { readBytes, readStruct } from './reader.ts';
import { pointerText } from './signal-text.ts';
import type { SpecialCalls } from './special-call.ts';
import { kinds } from './special-call.ts';
import { quote } from './strings.ts';

const SOCK_TYPES = ['0', 'SOCK_STREAM', 'SOCK_DGRAM', 'SOCK_RAW', 'SOCK_RDM', 'SOCK_SEQPACKET'];

const SOCKET_TYPE = input(({ args }, i) => {
  const value = args.uint(i);
  let text = SOCK_TYPES[value & 0xf] ?? `0x${(value & 0xf).toString(16)} /* SOCK_??? */`;
  let rest = value & ~0xf;
  for (const [name, bit] of SOCK_TYPE_FLAGS) {
    if ((value & bit) !== 0) text += `|${name}`;
    rest &= ~bit;
  }
  return rest === 0 ? text : `${text}|${hex(rest >>> 0)}`;
});

const PROTOCOLS: Readonly<Record<number, string>> = {
  0: 'IPPROTO_IP',
  1: 'IPPROTO_ICMP',
  6: 'IPPROTO_TCP',
  17: 'IPPROTO_UDP',
};

const SOCKET_PROTOCOL = input(({ args }, i) => {
  const isInternet = args.int(0) === S.AF_INET || args.int(0) === S.AF_INET6;
  return (isInternet ? PROTOCOLS[args.int(i)] : undefined) ?? String(args.int(i));
});

/** An address of `length` bytes. */
function addressText(memory: GuestMemory, addr: number, length: number): string {
  const size = Math.min(length, S.SOCKADDR_STORAGE_BYTES);
  const bytes = addr === 0 || size < 2 ? undefined : readBytes(memory, addr, size);
  if (bytes === undefined) return pointerText(addr);
  const family = (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8);
  const name = enumText('socket_family', family);
  if (family === S.AF_UNIX) {
    const path = bytes.subarray(2, S.SockaddrUn.size);
    if (path.length === 0) return `{sa_family=${name}}`;
    if (path[0] === 0) return `{sa_family=${name}, sun_path=@${quote(path.subarray(1))}}`;
    const zero = path.indexOf(0);
    return `{sa_family=${name}, sun_path=${quote(zero < 0 ? path : path.subarray(0, zero))}}`;
  }
  if (family === S.AF_INET && size >= 8) {
    return (
      `{sa_family=${name}, sin_port=htons(${((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0)}), ` +
      `sin_addr=inet_addr("${[...bytes.subarray(4, 8)].join('.')}")}`
    );
  }
  return `{sa_family=${name}, sa_data=${quote(bytes.subarray(2))}}`;
}

const ADDRESS_IN = input(({ args, memory }, i) => addressText(memory, args.num(i), args.int(i + 1)));

/** A length that the call overwrites: `[110 => 2]`, or `[4]` when it stays. */
function lengthText({ args, memory, before }: Call, i: number): string {
  const view = args.num(i) === 0 ? undefined : readStruct(memory, args.num(i), 4);
  if (view === undefined) return pointerText(args.big(i));
  const after = view.getInt32(0, true);
  return before === undefined || before === after ? `[${after}]` : `[${before} => ${after}]`;
}

/** The int behind argument `i`, as it is at entry. */
function lengthBefore(i: number): (call: Call) => number | undefined {
  return ({ args, memory }) => (args.num(i) === 0 ? undefined : readStruct(memory, args.num(i), 4)?.getInt32(0, true));
}

/** Where an address goes, and its length. */
function addressOut(at: number): readonly [Printer, number][] {
  const address: Printer = {
    exit: ({ args, memory }, i, result) => {
      const length = isError(result) ? undefined : readStruct(memory, args.num(i + 1), 4);
      if (length === undefined || args.num(i) === 0) return pointerText(args.big(i));
      return addressText(memory, args.num(i), length.getInt32(0, true));
    },
  };
  const length: Printer = { exit: lengthText };
  return [
    [address, at],
    [length, at + 1],
  ];
}

const OPTIONS = enumTable('SO_???', S, /^SO_/);
const LEVELS: Readonly<Record<number, string>> = { 0: 'SOL_IP', 1: 'SOL_SOCKET', 6: 'SOL_TCP', 17: 'SOL_UDP' };
const LEVEL = input(({ args }, i) => LEVELS[args.int(i)] ?? `${hex(args.uint(i))} /* SOL_??? */`);
const OPTION = input(({ args }, i) => {
  if (args.int(i - 1) !== S.SOL_SOCKET) return hex(args.uint(i));
  const name = nameIn(OPTIONS, args.int(i));
  return name === 'SO_RCVTIMEO' || name === 'SO_SNDTIMEO' ? `${name}_OLD` : name;
});

function optionText(memory: GuestMemory, option: number, addr: number, length: number): string {
  if (length < 0 || addr === 0) return pointerText(addr);
  const view = readStruct(memory, addr, Math.min(length, OPTION_LIMIT));
  if (view === undefined) return pointerText(addr);
  if (option === S.SO_LINGER && length >= 8) {
    return `{l_onoff=${view.getInt32(0, true)}, l_linger=${view.getInt32(4, true)}}`;
  }
  if (option === S.SO_PEERCRED && length >= 12) return identityText(view, 0);
  if (length === 4) return `[${view.getInt32(0, true)}]`;
  return bufferText(memory, addr, length);
}

function identityText(view: DataView, at: number): string {
  const id = (offset: number): number => view.getInt32(at + offset, true);
  return `{pid=${id(S.Ucred.pid)}, uid=${id(S.Ucred.uid)}, gid=${id(S.Ucred.gid)}}`;
}

const OPTION_IN = input(({ args, memory }, i) => {
  const length = args.int(i + 1);
  if (length < 4) return pointerText(args.big(i));
  return optionText(memory, args.int(1) === S.SOL_SOCKET ? args.int(2) : -1, args.num(i), length);
});
const OPTION_OUT: Printer = {
  exit: ({ args, memory }, i, result) => {
    const length = isError(result) ? undefined : readStruct(memory, args.num(i + 1), 4);
    if (length === undefined) return pointerText(args.big(i));
    return optionText(memory, args.int(2), args.num(i), length.getInt32(0, true));
  },
};
const LENGTH_OUT: Printer = { exit: lengthText };

/** Control messages shown, and descriptors of one. */
const CONTROL_LIMIT = 32;
/** Bytes of one control message that are looked at: a descriptor more than are shown. */
const DATA_LIMIT = 4 * (CONTROL_LIMIT + 1);
/** Bytes of an option's value that are looked at. */
const OPTION_LIMIT = 12;

function controlText(memory: GuestMemory, addr: number, length: number): string {
  const parts: string[] = [];
  for (let at = 0; at + S.Cmsghdr.size <= length && parts.length < CONTROL_LIMIT;) {
    const head = readStruct(memory, addr + at, S.Cmsghdr.size);
    if (head === undefined) return at === 0 ? pointerText(addr) : `[${parts.join(', ')}, ...]`;
    const size = getU64(head, S.Cmsghdr.length);
    const level = head.getInt32(S.Cmsghdr.level, true);
    const type = head.getInt32(S.Cmsghdr.type, true);
    const data = readBytes(
      memory,
      addr + at + S.Cmsghdr.size,
      // A hostile program may claim any length: no more is read than is shown.
      Math.max(0, Math.min(size - S.Cmsghdr.size, length - at - S.Cmsghdr.size, DATA_LIMIT)),
    );
    parts.push(`{cmsg_len=${size}, ${messageKindText(level, type)}${dataText(level, type, data)}}`);
    if (size < S.Cmsghdr.size) break;
    at += Math.ceil(size / 8) * 8;
  }
  return `[${parts.join(', ')}]`;
}

function messageKindText(level: number, type: number): string {
  if (level !== S.SOL_SOCKET)
    return `cmsg_level=${LEVELS[level] ?? `${hex(level >>> 0)} /* SOL_??? */`}, cmsg_type=${hex(type >>> 0)}`;
  const name = type === S.SCM_RIGHTS ? 'SCM_RIGHTS' : type === S.SCM_CREDENTIALS ? 'SCM_CREDENTIALS' : undefined;
  return `cmsg_level=SOL_SOCKET, cmsg_type=${name ?? `${hex(type >>> 0)} /* SCM_??? */`}`;
}

function dataText(level: number, type: number, data: Uint8Array | undefined): string {
  if (data === undefined || data.length === 0) return '';
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (level === S.SOL_SOCKET && type === S.SCM_RIGHTS) {
    const fds: string[] = [];
    for (let i = 0; i + 4 <= data.length; i += 4) {
      if (fds.length === CONTROL_LIMIT) {
        fds.push('...');
        break;
      }
      fds.push(String(view.getInt32(i, true)));
    }
    return `, cmsg_data=[${fds.join(', ')}]`;
  }
  if (level === S.SOL_SOCKET && type === S.SCM_CREDENTIALS && data.length >= S.Ucred.size) {
    return `, cmsg_data=${identityText(view, 0)}`;
  }
  return `, cmsg_data=${quote(data)}`;
}

/** The inside of a struct msghdr; `available` bytes of its buffers are shown. */
function headerText(memory: GuestMemory, view: DataView, available: number, before?: number): string {
  const name = getU64(view, S.Msghdr.name);
  const nameLength = view.getInt32(S.Msghdr.nameLength, true);
  const shownLength = before === undefined || before === nameLength ? nameLength : `${before} => ${nameLength}`;
  const iov = getU64(view, S.Msghdr.iov);
  const count = getU64(view, S.Msghdr.iovLength);
  let left = available;
  const vector =
    count > 1024
      ? pointerText(iov)
      : count === 0
        ? '[]'
        : arrayText(memory, iov, count, 16, (v) => {
            const length = getU64(v, 8);
            const shown = Math.min(length, left);
            left -= shown;
            return `{iov_base=${bufferText(memory, getU64(v, 0), shown)}, iov_len=${length}}`;
          });
  const control = getU64(view, S.Msghdr.control);
  const controlLength = getU64(view, S.Msghdr.controlLength);
  const controlPart =
    controlLength === 0 ? '' : `msg_control=${control === 0 ? 'NULL' : controlText(memory, control, controlLength)}, `;
  return (
    `{msg_name=${addressText(memory, name, nameLength)}, msg_namelen=${shownLength}, msg_iov=${vector}, msg_iovlen=${count}, ` +
    `${controlPart}msg_controllen=${controlLength}, msg_flags=${flagsText('msg', view.getUint32(S.Msghdr.flags, true))}}`
  );
}

function headerAt(memory: GuestMemory, addr: number, available: number, before?: number): string {
  const view = addr === 0 ? undefined : readStruct(memory, addr, S.Msghdr.size);
  return view === undefined ? pointerText(addr) : headerText(memory, view, available, before);
}

const HEADER_IN = input(({ args, memory }, i) => headerAt(memory, args.num(i), Number.MAX_SAFE_INTEGER));
const HEADER_OUT: Printer = {
  exit: ({ args, memory, before }, i, result) => {
    if (!isError(result)) return headerAt(memory, args.num(i), result, before);
    const view = args.num(i) === 0 ? undefined : readStruct(memory, args.num(i), S.Msghdr.size);
    return view === undefined ? pointerText(args.big(i)) : `{msg_namelen=${view.getInt32(S.Msghdr.nameLength, true)}}`;
  },
};

function several({ args, memory }: Call, i: number, count: number, ofResult: boolean): string {
  return arrayText(memory, args.num(i), count, S.Mmsghdr.size, (view) => {
    const length = view.getUint32(S.Mmsghdr.length, true);
    const header = headerText(memory, view, ofResult ? length : Number.MAX_SAFE_INTEGER);
    return `{msg_hdr=${header}${ofResult ? `, msg_len=${length}` : ''}}`;
  });
}

const HEADERS_SENT: Printer = {
  exit: (call, i, result) => several(call, i, isError(result) ? call.args.uint(i + 1) : result, !isError(result)),
};
const HEADERS_RECEIVED: Printer = {
  exit: (call, i, result) => (isError(result) ? pointerText(call.args.big(i)) : several(call, i, result, true)),
};

/** With MSG_TRUNC the result may be more than there was room for. */
const RECEIVED = output(({ args, memory }, i, result) =>
  bufferText(memory, args.num(i), Math.min(result, args.num(i + 1))),
);

/** msg_namelen of the struct msghdr behind the second argument. */
function nameLengthBefore({ args, memory }: Call): number | undefined {
  return readStruct(memory, args.num(1), S.Msghdr.size)?.getInt32(S.Msghdr.nameLength, true);
}

/** The sender of recvfrom: nothing is read when the call does not ask. */
const RECEIVED_FROM = addressOut(4);

export const SOCKET_SPECIALS: SpecialCalls = {
  socket: { args: () => [printerOf('enum:socket_family'), SOCKET_TYPE, SOCKET_PROTOCOL] },
  socketpair: {
    args: () => [printerOf('enum:socket_family'), SOCKET_TYPE, SOCKET_PROTOCOL, printerOf('out:intpair')],
  },
  connect: { args: () => [printerOf('fd'), ADDRESS_IN, printerOf('int')] },
  bind: { args: () => [printerOf('fd'), ADDRESS_IN, printerOf('int')] },
  accept: { before: lengthBefore(2), args: () => [printerOf('fd'), ...addressOut(1)] },
  accept4: {
    before: lengthBefore(2),
    args: () => [printerOf('fd'), ...addressOut(1), [printerOf('flags:sock'), 3]],
  },
  getsockname: { before: lengthBefore(2), args: () => [printerOf('fd'), ...addressOut(1)] },
  getpeername: { before: lengthBefore(2), args: () => [printerOf('fd'), ...addressOut(1)] },
  sendto: { args: () => [...kinds('fd', 'buf', 'size', 'flags:msg'), ADDRESS_IN, printerOf('int')] },
  recvfrom: {
    before: lengthBefore(5),
    args: () => [printerOf('fd'), RECEIVED, ...kinds('size', 'flags:msg'), ...RECEIVED_FROM],
  },
  sendmsg: { args: () => [printerOf('fd'), HEADER_IN, printerOf('flags:msg')] },
  recvmsg: { before: nameLengthBefore, args: () => [printerOf('fd'), HEADER_OUT, printerOf('flags:msg')] },
  sendmmsg: { args: () => [printerOf('fd'), HEADERS_SENT, ...kinds('uint', 'flags:msg')] },
  recvmmsg: {
    args: () => [printerOf('fd'), HEADERS_RECEIVED, ...kinds('uint', 'flags:msg', 'in:timespec')],
    result: ({ args, memory }, result) =>
      args.num(4) === 0 ? undefined : `${result} (left ${structText(memory, 'timespec', args.num(4))})`,
  },
  setsockopt: { args: () => [printerOf('fd'), LEVEL, OPTION, OPTION_IN, printerOf('int')] },
  getsockopt: { before: lengthBefore(4), args: () => [printerOf('fd'), LEVEL, OPTION, OPTION_OUT, LENGTH_OUT] },
};
