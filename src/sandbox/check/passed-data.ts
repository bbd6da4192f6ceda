// SPDX-License-Identifier: MIT
//
// The bytes that a call hands to the kernel to pass on: what a program writes, sends and puts into pipes.

import { SYS } from '../../abi/sysno.ts';
import { viewOf } from '../../base/bytes.ts';
import type { GuestMemory, RawArgs } from '../../kernel/decode/kinds.ts';

/** Bytes of one call that are looked at. */
const MAX_DATA = 2 ** 20;
const MAX_VECTORS = 1024;
const IOVEC_BYTES = 16;

const buffer = new Uint8Array(65536);

function range(memory: GuestMemory, address: number, length: number, take: (bytes: Uint8Array) => void): void {
  for (let done = 0; done < length;) {
    const part = buffer.subarray(0, Math.min(buffer.length, length - done));
    const n = memory.copyIn(address + done, part);
    if (n > 0) take(part.subarray(0, n));
    if (n < part.length) return;
    done += n;
  }
}

/** Gives the bytes in pieces that are good until the next one; nothing for calls that pass none. */
export function passedData(sysno: number, args: RawArgs, memory: GuestMemory, take: (bytes: Uint8Array) => void): void {
  switch (sysno) {
    case SYS.write:
    case SYS.pwrite64:
    case SYS.sendto:
      range(memory, args.num(1), Math.min(args.num(2), MAX_DATA), take);
      break;
    case SYS.writev:
    case SYS.pwritev: {
      const vectors = new Uint8Array(Math.min(args.num(2), MAX_VECTORS) * IOVEC_BYTES);
      const held = memory.copyIn(args.num(1), vectors);
      const view = viewOf(vectors);
      for (let at = 0; at + IOVEC_BYTES <= held; at += IOVEC_BYTES) {
        const length = Number(view.getBigUint64(at + 8, true));
        range(memory, Number(view.getBigUint64(at, true)), Math.min(length, MAX_DATA), take);
      }
      break;
    }
    default:
  }
}
