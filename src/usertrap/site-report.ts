// SPDX-License-Identifier: MIT
//
// `trapline sites`: every syscall instruction in a program's executable segments, whether it would be patched, by which
// rule not, and what makes it dangerous. Static: what never runs is listed, code made at run time is not.

import { PAGE_SIZE } from '../base/addr.ts';
import { toHex } from '../base/bytes.ts';
import { TraplineError } from '../base/errors.ts';
import { branchTarget } from '../isa/branch-target.ts';
import { instructionLength } from '../isa/instruction-length.ts';
import { looksLikeSite, SITE_BYTES, siteSysno, splitsLine, SYSCALL_OFFSET } from '../isa/syscall-site.ts';
import { bytesSource, readElf, readSymbols } from '../loader/index.ts';
import type { SymbolTable } from '../loader/index.ts';

/** Why a site does not match, or what hardened mode refuses it for. */
export type SiteRule =
  | 'mov-eax'
  | 'mov-eax-not-adjacent'
  | 'mov-rax-imm32'
  | 'number-in-register'
  | 'zeroed-register'
  | 'pop'
  | 'no-number-before'
  | 'tail-of-instruction'
  | 'page-split'
  | 'first-byte-of-mapping';

export type SiteHazard = 'false-match' | 'shared-tail' | 'line-split' | 'page-split';

/** One `syscall` instruction. */
export interface SiteReport {
  /** Of the seven bytes that would be patched; the `syscall` is five bytes on. */
  readonly address: number;
  /** S-1 .. S+6. */
  readonly bytes: Uint8Array;
  /** The number in the immediate, where the bytes match. */
  readonly sysno: number | undefined;
  readonly upstream: 'patched' | 'refused';
  readonly hardened: 'patched' | 'refused';
  readonly rule: SiteRule;
  readonly hazards: readonly SiteHazard[];
  /** `name+0x12`, where the file has symbols. */
  readonly symbol: string | undefined;
}

/** How far back the load of a number is looked for. */
const LOOK_BACK_INSTRUCTIONS = 12;

interface Segment {
  readonly start: number;
  readonly code: Uint8Array;
}

interface Sweep {
  /** Starts of instructions, ascending. */
  readonly starts: Int32Array;
  /** Offsets of `syscall` instructions. */
  readonly syscalls: readonly number[];
}

/** Walks a segment instruction by instruction; known starts of functions are boundaries, bytes that are no code are skipped. */
function sweep(segment: Segment, known: readonly number[], targets: Set<number>): Sweep {
  const { code, start } = segment;
  const boundaries = known.map((address) => address - start).filter((at) => at >= 0 && at < code.length);
  const starts: number[] = [];
  const syscalls: number[] = [];
  let next = 0;
  let at = 0;
  while (at < code.length) {
    while (next < boundaries.length && (boundaries[next] ?? 0) <= at) next++;
    const limit = boundaries[next] ?? code.length;
    const length = instructionLength(code, at);
    if (length === 0) {
      at++;
      continue;
    }
    // An instruction that runs over a function's start was none: padding or data before it.
    if (at + length > limit) {
      at = limit;
      continue;
    }
    starts.push(at);
    if (code[at] === 0x0f && code[at + 1] === 0x05) syscalls.push(at);
    const target = branchTarget(code, at, length, start + at);
    if (target !== undefined) targets.add(target);
    at += length;
  }
  return { starts: Int32Array.from(starts), syscalls };
}

/** Index of the last start at or below `at`. */
function indexOf(starts: Int32Array, at: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] as number) <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** How the number gets into eax where the bytes before the syscall are no `mov $imm,%eax`. */
function classify(code: Uint8Array, starts: Int32Array, index: number): SiteRule {
  const at = (back: number): Uint8Array => code.subarray(starts[index - back] ?? 0, starts[index - back + 1] ?? 0);
  const [a, b, c] = at(1);
  if (a === 0x48 && b === 0xc7 && c === 0xc0) return 'mov-rax-imm32';
  for (let back = 1; back <= LOOK_BACK_INSTRUCTIONS && index - back >= 0; back++) {
    const bytes = at(back);
    const skip = (bytes[0] ?? 0) >= 0x40 && (bytes[0] ?? 0) <= 0x4f ? 1 : 0;
    const opcode = bytes[skip];
    const modrm = bytes[skip + 1] ?? 0;
    if (opcode === 0xb8 && (skip === 0 || ((bytes[0] ?? 0) & 1) === 0)) return 'mov-eax-not-adjacent';
    if (opcode === 0xc7 && modrm === 0xc0) return 'mov-rax-imm32';
    if ((opcode === 0x31 || opcode === 0x33) && modrm === 0xc0) return 'zeroed-register';
    if (opcode === 0x89 && (modrm & 0xc7) === 0xc0) return 'number-in-register';
    if (opcode === 0x8b && (modrm & 0x38) === 0) return 'number-in-register';
    if (opcode === 0x58 && skip === 0) return 'pop';
    // Beyond a branch or a return nothing says how the code came here.
    if (opcode === 0xc3 || opcode === 0xe8 || opcode === 0xe9 || opcode === 0xeb) break;
  }
  return 'no-number-before';
}

/**
 * Finds the sites of a program.
 * @throws TraplineError `SITES_NOT_ELF` when the bytes are no program that Trapline could load
 */
export function analyseSites(program: Uint8Array): SiteReport[] {
  const source = bytesSource(program);
  const image = readElf(source);
  if (!image.ok) throw new TraplineError('SITES_NOT_ELF', image.message);
  const symbols = readSymbols(source);
  const functions = symbols.symbols.filter((s) => s.isFunction).map((s) => s.value);
  const known = [...functions, image.entry].sort((a, b) => a - b);
  const segments: Segment[] = image.segments
    .filter((s) => s.executable)
    .map((s) => ({ start: s.vaddr, code: program.subarray(s.offset, s.offset + s.fileSize) }));
  const targets = new Set<number>();
  const sweeps = segments.map((segment) => sweep(segment, known, targets));
  return segments.flatMap((segment, i) => sitesOf(segment, sweeps[i] as Sweep, targets, symbols));
}

function sitesOf(
  segment: Segment,
  { starts, syscalls }: Sweep,
  targets: ReadonlySet<number>,
  symbols: SymbolTable,
): SiteReport[] {
  const { code, start } = segment;
  return syscalls.map((syscall) => {
    const at = syscall - SYSCALL_OFFSET;
    const address = start + at;
    const matches = at >= 0 && looksLikeSite(code, at);
    const index = indexOf(starts, syscall);
    const isWhole = matches && starts[index - 1] === at;
    const named = symbols.lookup(start + syscall);
    const common = {
      address,
      bytes: code.slice(Math.max(0, at - 1), syscall + 2),
      symbol: named && `${named.name}+0x${named.offset.toString(16)}`,
    };
    if (!matches) {
      const rule = classify(code, starts, index);
      return { ...common, sysno: undefined, upstream: 'refused', hardened: 'refused', rule, hazards: [] } as const;
    }
    const hazards: SiteHazard[] = [];
    if (!isWhole) hazards.push('false-match');
    for (let o = 1; o < SITE_BYTES; o++) {
      if (targets.has(address + o)) {
        hazards.push('shared-tail');
        break;
      }
    }
    const splitsPage = address % PAGE_SIZE > PAGE_SIZE - SITE_BYTES;
    if (splitsPage) hazards.push('page-split');
    else if (splitsLine(address)) hazards.push('line-split');
    const isFirst = at === 0 && address % PAGE_SIZE === 0;
    const rule: SiteRule = isFirst
      ? 'first-byte-of-mapping'
      : !isWhole
        ? 'tail-of-instruction'
        : splitsPage
          ? 'page-split'
          : 'mov-eax';
    return {
      ...common,
      sysno: siteSysno(code, at),
      upstream: isFirst ? 'refused' : 'patched',
      hardened: rule === 'mov-eax' ? 'patched' : 'refused',
      rule,
      hazards,
    } as const;
  });
}

/** What the command line prints and exits with. */
export interface SitesCommandResult {
  readonly text: string;
  readonly exitCode: 0;
  readonly json: object;
}

/**
 * `trapline sites`.
 * @throws TraplineError `SITES_NOT_ELF`
 */
export function sitesCommand(program: Uint8Array): SitesCommandResult {
  const sites = analyseSites(program);
  const rows = sites.map((s) => [
    `0x${s.address.toString(16)}`,
    toHex(s.bytes, ' '),
    s.sysno === undefined ? '-' : String(s.sysno),
    s.upstream,
    s.hardened,
    s.rule,
    s.hazards.join(' ') || '-',
    s.symbol ?? '-',
  ]);
  const heading = ['SITE', 'BYTES (S-1 .. S+6)', 'NUMBER', 'UPSTREAM', 'HARDENED', 'RULE', 'HAZARDS', 'IN'];
  const widths = heading.map((h, c) => Math.max(h.length, ...rows.map((r) => r[c]?.length ?? 0)));
  const lines = [heading, ...rows].map((r) =>
    r
      .map((cell, c) => cell.padEnd(widths[c] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const count = (mode: 'upstream' | 'hardened'): number => sites.filter((s) => s[mode] === 'patched').length;
  lines.push(
    '',
    `${sites.length} syscall instructions; patched: upstream ${count('upstream')}, hardened ${count('hardened')}`,
  );
  const json = {
    version: 1,
    sites: sites.map((s) => ({ ...s, address: `0x${s.address.toString(16)}`, bytes: toHex(s.bytes, ' ') })),
  };
  return { text: `${lines.join('\n')}\n`, exitCode: 0, json };
}
