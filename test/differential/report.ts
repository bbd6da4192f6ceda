// SPDX-License-Identifier: MIT
//
// Prints a failure so that a person can act on it: disassembly, bytes, input, both outputs where they
// differ, and the case as a line to paste into regressions.json. Also reads those lines back.

import { Decoder, DecoderOptions, FastFormatter } from 'iced-x86';
import { hex } from '../../src/base/addr.ts';
import { FPU_BYTES } from '../../src/cpu/cpu.ts';
import { REG_COUNT, REG_NAMES } from '../../src/cpu/regs.ts';
import { CODE_NAMES } from './forms.ts';
import type { Case } from './records.ts';
import { TRAP_NAMES } from './records.ts';
import type { Failure } from './session.ts';

/** A case as JSON keeps it: hexadecimal strings. */
export interface StoredCase {
  readonly title: string;
  readonly code: readonly string[];
  /** iced's Code name of each instruction. */
  readonly forms: readonly string[];
  readonly address: string;
  readonly regs: Readonly<Record<string, string>>;
  readonly fx: string;
  readonly patches: readonly (readonly [string, string])[];
}

const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const codesByName = new Map([...CODE_NAMES].map(([code, name]) => [name, code]));

export function storeCase(c: Case, title: string): StoredCase {
  const regs: Record<string, string> = {};
  REG_NAMES.forEach((name, r) => {
    if (c.regs[r]) regs[name] = hex(c.regs[r] ?? 0n);
  });
  return {
    title,
    code: c.units.map((u) => toHex(u.bytes)),
    forms: c.units.map((u) => CODE_NAMES.get(u.form) ?? ''),
    address: hex(c.codeAddress),
    regs,
    fx: toHex(c.fx).replace(/(00)+$/, ''),
    patches: c.patches.map((p) => [hex(p.address), hex(p.value)]),
  };
}

export function restoreCase(s: StoredCase): Case {
  const regs = new BigUint64Array(REG_COUNT);
  for (const [name, value] of Object.entries(s.regs)) {
    const r = REG_NAMES.indexOf(name);
    if (r < 0) throw new RangeError(`no register ${name}`);
    regs[r] = BigInt(value);
  }
  const fx = new Uint8Array(FPU_BYTES);
  fx.set(Buffer.from(s.fx, 'hex'));
  return {
    units: s.code.map((code, i) => ({
      bytes: Uint8Array.from(Buffer.from(code, 'hex')),
      form: codesByName.get(s.forms[i] ?? '') ?? 0,
    })),
    codeAddress: Number(s.address),
    regs,
    fx,
    patches: s.patches.map(([address, value]) => ({ address: Number(address), value: BigInt(value) })),
  };
}

function disassemble(c: Case): string[] {
  const formatter = new FastFormatter();
  const lines: string[] = [];
  let at = c.codeAddress;
  for (const unit of c.units) {
    const decoder = new Decoder(64, unit.bytes, DecoderOptions.None);
    decoder.ip = BigInt(at);
    const text = decoder
      .decodeAll()
      .map((i) => formatter.format(i))
      .join(' ; ');
    decoder.free();
    lines.push(`  ${hex(at)}  ${toHex(unit.bytes).padEnd(24)} ${text}   (${CODE_NAMES.get(unit.form) ?? '?'})`);
    at += unit.bytes.length;
  }
  formatter.free();
  return lines;
}

const show = (field: string, value: bigint) =>
  field === 'trap' ? (TRAP_NAMES.get(Number(value)) ?? String(value)) : hex(value);

/** The whole report of one failure. */
export function renderFailure(f: Failure, seed: number): string {
  const lines = [`the engine differs from the real CPU (seed ${seed})`, ...disassemble(f.case)];
  lines.push(
    `  traps: native ${TRAP_NAMES.get(f.native.trap)} at ${hex(f.native.regs[16] ?? 0n)}, emulated ${TRAP_NAMES.get(f.emulated.trap)} at ${hex(f.emulated.regs[16] ?? 0n)}`,
  );
  for (const d of f.differences) {
    const where = d.address === undefined ? d.field : `${d.field} ${hex(d.address)}`;
    lines.push(`  ${where.padEnd(28)} native ${show(d.field, d.native)}   emulated ${show(d.field, d.emulated)}`);
  }
  lines.push('  reproducer, for regressions.json:', `  ${JSON.stringify(storeCase(f.case, 'say what it shows'))}`);
  if (f.original !== f.case) lines.push('  found in:', ...disassemble(f.original));
  return lines.join('\n');
}
