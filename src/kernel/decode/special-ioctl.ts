// SPDX-License-Identifier: MIT
//
// ioctl(2): names of requests, and the arguments of those that programs without devices use.

import * as abi from '../../abi/ioctl.ts';
import { hex } from '../../base/addr.ts';
import { enumTable } from './enums.ts';
import type { RawArgs } from './kinds.ts';
import { bufferText, input, output, printerOf, structText } from './printers.ts';
import type { SpecialArg, SpecialCalls } from './special-call.ts';
import { kinds } from './special-call.ts';

const REQUESTS = enumTable('', abi, /^(TC|TIOC|FIO|FI|FS_IOC|BLK|SIOC)/);
/** Numbers that the sound timers have, too. */
const SHARED: ReadonlyMap<number, string> = new Map([
  [abi.TCSETS, 'SNDCTL_TMR_START or TCSETS'],
  [abi.TCSETSW, 'SNDCTL_TMR_STOP or TCSETSW'],
  [abi.TCSETSF, 'SNDCTL_TMR_CONTINUE or TCSETSF'],
]);
const DIRECTIONS = ['_IOC_NONE', '_IOC_WRITE', '_IOC_READ', '_IOC_READ|_IOC_WRITE'];
/** _IOC_NONE etc. as the numbers stand in a request: none 0, write 1, read 2. */
const NUMBER_BITS = 8;

const REQUEST = input(({ args }, i) => {
  const request = args.uint(i);
  const name = SHARED.get(request) ?? REQUESTS.names.get(request);
  if (name !== undefined) return name;
  const part = (n: number): string => (n === 0 ? '0' : hex(n));
  const type = (request >>> NUMBER_BITS) & 0xff;
  const size = (request >>> 16) & 0x3fff;
  return `_IOC(${DIRECTIONS[request >>> 30] ?? ''}, ${part(type)}, ${part(request & 0xff)}, ${part(size)})`;
});

const WINDOW = output(({ args, memory }, i) => structText(memory, 'winsize', args.num(i)));
const TERMIOS = output(({ args, memory }, i) => structText(memory, 'termios', args.num(i)));
const TERMIOS2 = output(({ args, memory }, i) => structText(memory, 'termios2', args.num(i)));
const TERMIO = output(({ args, memory }, i) => structText(memory, 'termio', args.num(i)));
const FLUSHED = ['TCIFLUSH', 'TCOFLUSH', 'TCIOFLUSH'];
const FLOWS = ['TCOOFF', 'TCOON', 'TCIOFF', 'TCION'];

function action(names: readonly string[]): SpecialArg {
  return input(({ args }, i) => names[args.int(i)] ?? `${hex(args.uint(i))} /* TC??? */`);
}

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
    case abi.TCGETS2:
      return [TERMIOS2];
    case abi.TCSETS2:
    case abi.TCSETSW2:
    case abi.TCSETSF2:
      return kinds('in:termios2');
    case abi.TCGETA:
      return [TERMIO];
    case abi.TCSETA:
    case abi.TCSETAW:
    case abi.TCSETAF:
      return kinds('in:termio');
    case abi.TIOCSTI:
      return [input(({ args: a, memory }, i) => bufferText(memory, a.num(i), 1))];
    case abi.FIONREAD:
    case abi.TIOCGPGRP:
    case abi.TIOCGSID:
    case abi.TIOCOUTQ:
    case abi.TIOCGPTN:
    case abi.TIOCGETD:
    case abi.TIOCGEXCL:
    case abi.SIOCATMARK:
      return [INT_OUT];
    case abi.FIONBIO:
    case abi.FIOASYNC:
    case abi.TIOCSPGRP:
    case abi.TIOCSPTLCK:
    case abi.TIOCPKT:
    case abi.TIOCSETD:
      return kinds('in:int');
    case abi.FIOCLEX:
    case abi.FIONCLEX:
    case abi.TIOCNOTTY:
    case abi.TIOCEXCL:
    case abi.TIOCNXCL:
    case abi.TIOCSBRK:
    case abi.TIOCCBRK:
    case abi.TIOCVHANGUP:
    case abi.TIOCCONS:
      return [];
    case abi.TIOCSCTTY:
    case abi.TCSBRK:
    case abi.TCSBRKP:
      return kinds('int');
    case abi.TCFLSH:
      return [action(FLUSHED)];
    case abi.TCXONC:
      return [action(FLOWS)];
    case abi.TIOCGPTPEER:
    case abi.TIOCSIG:
      return kinds('hex');
    case abi.FICLONE:
      return kinds('fd');
    default:
      return kinds(REQUESTS.names.has(args.uint(1)) ? 'ptr' : 'hex');
  }
}

export const IOCTL_SPECIALS: SpecialCalls = {
  ioctl: { args: (args) => [printerOf('fd'), REQUEST, ...argument(args)] },
};
