// SPDX-License-Identifier: MIT
//
// The report on a guest that died of a signal: what happened, registers, instructions, stack, last calls, maps.

import { errnoName } from '../abi/errno-text.ts';
import { signalName } from '../abi/signal.ts';
import { syscallName } from '../abi/sysno.ts';
import { hex } from '../base/addr.ts';
import { toHex } from '../base/bytes.ts';
import type { DisassembledInstruction } from '../isa/disassembler.ts';
import type { CrashReport, NamedAddress, PatchedSite } from '../kernel/crash-report.ts';
import { siginfoCodeName } from '../kernel/decode/signal-text.ts';

/** Longest line of disassembled bytes, in instructions. */
const INSTRUCTIONS = 6;
const REGISTERS_PER_LINE = 4;
const STACK_PER_LINE = 2;

/** `main+0x12`, or nothing. */
function symbolText(at: NamedAddress): string {
  return at.symbol === undefined ? '' : ` (${at.symbol}+${hex(at.offset)})`;
}

function cause(crash: CrashReport): string {
  const code = siginfoCodeName(crash.signo, crash.code);
  if (crash.faultAddress !== undefined) return `${code}, address ${hex(crash.faultAddress)}`;
  return crash.senderPid === undefined ? code : `${code} from process ${crash.senderPid}`;
}

function inLines(cells: readonly string[], perLine: number): string {
  let out = '';
  for (let i = 0; i < cells.length; i += perLine) out += `  ${cells.slice(i, i + perLine).join('  ')}\n`;
  return out;
}

/**
 * The whole report, with a newline at its end.
 * @param disassemble machine code at an address as text
 */
export function crashText(
  crash: CrashReport,
  disassemble: (code: Uint8Array, address: number) => DisassembledInstruction[],
): string {
  let out =
    `trapline: task ${crash.tid} (${crash.name}) died of ${signalName(crash.signo)} (${cause(crash)})` +
    ` at ${hex(crash.rip.address)}${symbolText(crash.rip)} after ${crash.instructions} instructions\n`;
  if (crash.patchedSite !== undefined) out += `this is in a patched syscall site: ${siteText(crash.patchedSite)}\n`;
  else if (crash.lastCallSite !== undefined)
    out += `the task's last call came from a patched syscall site: ${siteText(crash.lastCallSite)}\n`;
  else out += 'no patched syscall site was involved\n';
  out += 'registers:\n';
  out += inLines(
    crash.registers.map(({ name, value }) => `${name.padEnd(6)} ${value.toString(16).padStart(16, '0')}`),
    REGISTERS_PER_LINE,
  );
  out += 'code:\n';
  if (crash.instructionBytes.length === 0) out += '  (not readable)\n';
  const code = disassemble(crash.instructionBytes, crash.rip.address).slice(0, INSTRUCTIONS);
  for (const [i, { address, bytes, text }] of code.entries()) {
    out += `${i === 0 ? '=>' : '  '} ${hex(address)}  ${toHex(bytes, ' ').padEnd(24)} ${text}\n`;
  }
  if (crash.stack.length > 0) {
    out += 'stack:\n';
    out += inLines(
      crash.stack.map(({ address, value }) => `${hex(address)}: ${value.toString(16).padStart(16, '0')}`),
      STACK_PER_LINE,
    );
  }
  if (crash.lastCalls.length > 0) out += 'last system calls:\n';
  for (const { tid, sysno, result, rip } of crash.lastCalls) {
    out += `  [${tid}] ${syscallName(sysno)} = ${resultText(result)} from ${hex(rip)}\n`;
  }
  return `${out}maps:\n${crash.maps}`;
}

function siteText({ address, sysno, slot }: PatchedSite): string {
  return `${hex(address)} (${syscallName(sysno)}), trap slot ${hex(slot)}`;
}

function resultText(result: number | undefined): string {
  if (result === undefined) return '?';
  return result < 0 && result > -4096 ? `-${errnoName(-result)}` : result > 0xffff ? hex(result) : String(result);
}
