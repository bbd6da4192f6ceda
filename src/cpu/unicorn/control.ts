// SPDX-License-Identifier: MIT
//
// The control block that the native engine and JavaScript share: registers, the last stop, counters, requests.
// KEEP IN SYNC: src/cpu/unicorn/native/engine.h Control, Stop, Access

import type { Access, StopKind } from '../cpu.ts';

/** Byte offsets in the block. */
export const Control = {
  regs: 0,
  kind: 160,
  access: 164,
  address: 168,
  present: 176,
  vector: 180,
  instructions: 184,
  tscOffset: 192,
  root: 200,
  flushTlb: 208,
  hasHandler: 212,
  interrupt: 216,
  attention: 220,
  blockStart: 224,
  byteLength: 232,
} as const;

/** Stop kinds in the order of the native enum. */
// prettier-ignore
export const STOP_KINDS: readonly StopKind[] = [
  'syscall', 'invalid-opcode', 'page-fault', 'general-protection', 'stack-fault', 'divide-error', 'fpu-error',
  'simd-error', 'alignment-check', 'breakpoint', 'int', 'debug', 'budget', 'interrupted',
];

export const ACCESSES: readonly Access[] = ['read', 'write', 'execute'];
