// SPDX-License-Identifier: MIT
//
// ioctl(2): names of requests, and the arguments of those that programs without devices use.

import * as abi from '../../abi/ioctl.ts';
import { hex } from '../../base/addr.ts';
import { enumTable } from './enums.ts';
import type { RawArgs } from './kinds.ts';
import { input, output, printerOf, structText } from './printers.ts';
import type { SpecialArg, SpecialCalls } from './special-call.ts';
import { kinds } from './special-call.ts';

const REQUESTS = enumTable('', abi, /^(TC|TIOC|FIO|FI|FS_IOC|BLK)/);
const DIRECTIONS = ['_IOC_NONE', '_IOC_WRITE', '_IOC_READ', '_IOC_READ|_IOC_WRITE'];
/** _IOC_NONE etc. as the numbers stand in a request: none 0, write 1, read 2. */
const NUMBER_BITS = 8;

const REQUEST = input(({ args }, i) => {
  const request = args.uint(i);
  const name = REQUESTS.names.get(request);
  if (name !== undefined) return name;
  const part = (n: number): string => (n === 0 ? '0' : hex(n));
  const type = (request >>> NUMBER_BITS) & 0xff;
  const size = (request >>> 16) & 0x3fff;
  return `_IOC(${DIRECTIONS[request >>> 30] ?? ''}, ${part(type)}, ${part(request & 0xff)}, ${part(size)})`;
});

const WINDOW = output(({ args, memory }, i) => structText(memory, 'winsize', args.num(i)));
const TERMIOS = output(({ args, memory }, i) => structText(memory, 'termios', args.num(i)));
const INT_OUT = output(({ args, memory }, i) => structText(memory, 'int', args.num(i)));

function argument(args: RawArgs): readonly SpecialArg[] {
  switch (args.uint(1)) {
    case abi.TIOCGWINSZ:
      return [WINDOW];
    case abi.TIOCSWINSZ:
      return kinds('in:winsize');
    case abi.TCGETS:
      return [TERMIOS];
    case abi.TCSETS:
    case abi.TCSETSW:
    case abi.TCSETSF:
      return kinds('in:termios');
    case abi.FIONREAD:
    case abi.TIOCGPGRP:
    case abi.TIOCGSID:
    case abi.TIOCOUTQ:
      return [INT_OUT];
    case abi.FIONBIO:
    case abi.FIOASYNC:
    case abi.TIOCSPGRP:
      return kinds('in:int');
    case abi.FIOCLEX:
    case abi.FIONCLEX:
    case abi.TIOCNOTTY:
      return [];
    case abi.TIOCSCTTY:
    case abi.TCSBRK:
    case abi.TCSBRKP:
      return kinds('int');
    case abi.TCFLSH:
      return [input(({ args: a }, i) => ['TCIFLUSH', 'TCOFLUSH', 'TCIOFLUSH'][a.int(i)] ?? hex(a.uint(i)))];
    case abi.FICLONE:
      return kinds('fd');
    default:
      return kinds(REQUESTS.names.has(args.uint(1)) ? 'ptr' : 'hex');
  }
}

export const IOCTL_SPECIALS: SpecialCalls = {
  ioctl: { args: (args) => [printerOf('fd'), REQUEST, ...argument(args)] },
};
