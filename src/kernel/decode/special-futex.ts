// SPDX-License-Identifier: MIT
//
// futex(2): which of the six arguments an operation has, and what they are.

import * as abi from '../../abi/futex.ts';
import { hex } from '../../base/addr.ts';
import type { RawArgs } from './kinds.ts';
import { input, printerOf } from './printers.ts';
import type { SpecialArg, SpecialCalls } from './special-call.ts';
import { kinds } from './special-call.ts';

const NAMES = [
  'FUTEX_WAIT',
  'FUTEX_WAKE',
  'FUTEX_FD',
  'FUTEX_REQUEUE',
  'FUTEX_CMP_REQUEUE',
  'FUTEX_WAKE_OP',
  'FUTEX_LOCK_PI',
  'FUTEX_UNLOCK_PI',
  'FUTEX_TRYLOCK_PI',
  'FUTEX_WAIT_BITSET',
  'FUTEX_WAKE_BITSET',
  'FUTEX_WAIT_REQUEUE_PI',
  'FUTEX_CMP_REQUEUE_PI',
  'FUTEX_LOCK_PI2',
];
/** Operations that may name a clock. */
const CLOCKED: readonly number[] = [
  abi.FUTEX_WAIT,
  abi.FUTEX_WAIT_BITSET,
  abi.FUTEX_WAIT_REQUEUE_PI,
  abi.FUTEX_LOCK_PI2,
];

const OPERATION = input(({ args }, i) => {
  const op = args.uint(i);
  const command = op & ~(abi.FUTEX_PRIVATE_FLAG | abi.FUTEX_CLOCK_REALTIME);
  const name = NAMES[command];
  const clock = (op & abi.FUTEX_CLOCK_REALTIME) !== 0;
  if (name === undefined || (clock && !CLOCKED.includes(command))) return `${hex(op)} /* FUTEX_??? */`;
  return name + ((op & abi.FUTEX_PRIVATE_FLAG) !== 0 ? '_PRIVATE' : '') + (clock ? '|FUTEX_CLOCK_REALTIME' : '');
});

const BITSET = input(({ args }, i) => {
  const bits = args.uint(i);
  return bits === abi.FUTEX_BITSET_MATCH_ANY ? 'FUTEX_BITSET_MATCH_ANY' : bits === 0 ? '0' : hex(bits);
});

const OPS = ['FUTEX_OP_SET', 'FUTEX_OP_ADD', 'FUTEX_OP_OR', 'FUTEX_OP_ANDN', 'FUTEX_OP_XOR'];
const COMPARISONS = [
  'FUTEX_OP_CMP_EQ',
  'FUTEX_OP_CMP_NE',
  'FUTEX_OP_CMP_LT',
  'FUTEX_OP_CMP_LE',
  'FUTEX_OP_CMP_GT',
  'FUTEX_OP_CMP_GE',
];

const WAKE_OP = input(({ args }, i) => {
  const value = args.uint(i);
  const part = (n: number): string => (n === 0 ? '0' : hex(n));
  const op = (value >>> 28) & 7;
  const shift = value >>> 31 === 1 ? 'FUTEX_OP_OPARG_SHIFT<<28|' : '';
  const comparison = (value >>> 24) & 0xf;
  return (
    `${shift}${OPS[op] ?? hex(op)}<<28|${part((value >>> 12) & 0xfff)}<<12|` +
    `${COMPARISONS[comparison] ?? hex(comparison)}<<24|${part(value & 0xfff)}`
  );
});

function rest(args: RawArgs): readonly SpecialArg[] {
  const third = printerOf('uint');
  switch (args.uint(1) & ~(abi.FUTEX_PRIVATE_FLAG | abi.FUTEX_CLOCK_REALTIME)) {
    case abi.FUTEX_WAIT:
      return kinds('uint', 'in:timespec');
    case abi.FUTEX_WAKE:
    case abi.FUTEX_FD:
      return [third];
    case abi.FUTEX_WAIT_BITSET:
      return [third, printerOf('in:timespec'), [BITSET, 5]];
    case abi.FUTEX_WAKE_BITSET:
      return [third, [BITSET, 5]];
    case abi.FUTEX_REQUEUE:
      return [third, printerOf('uint'), printerOf('ptr')];
    case abi.FUTEX_CMP_REQUEUE:
    case abi.FUTEX_CMP_REQUEUE_PI:
      return [third, printerOf('uint'), printerOf('ptr'), printerOf('uint')];
    case abi.FUTEX_WAKE_OP:
      return [third, printerOf('uint'), printerOf('ptr'), WAKE_OP];
    case abi.FUTEX_LOCK_PI:
    case abi.FUTEX_LOCK_PI2:
      return [[printerOf('in:timespec'), 3]];
    case abi.FUTEX_WAIT_REQUEUE_PI:
      return [third, printerOf('in:timespec'), printerOf('ptr')];
    case abi.FUTEX_UNLOCK_PI:
    case abi.FUTEX_TRYLOCK_PI:
      return [];
    default:
      return [third, ...kinds('ptr', 'ptr', 'hex')];
  }
}

export const FUTEX_SPECIALS: SpecialCalls = {
  futex: { args: (args) => [printerOf('ptr'), OPERATION, ...rest(args)] },
};
