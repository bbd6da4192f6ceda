// SPDX-License-Identifier: MIT
//
// Walks a program's executable segments instruction by instruction: where instructions start, where calls of the kernel
// are, where direct branches go. Two bits for each byte of code, so that memory is bounded by the file's size.

import { TraplineError } from '../base/errors.ts';
import { branchTarget } from '../isa/branch-target.ts';
import { instructionLength, MAX_INSTRUCTION_BYTES } from '../isa/instruction-length.ts';

/** How a program calls the kernel. `int 0x80` and `sysenter` are calls of 32-bit programs, and never patched. */
export type CallInstruction = 'syscall' | 'sysenter' | 'int80';

/** Executable bytes of a file, at the file's own address. */
export interface CodeSegment {
  readonly start: number;
  readonly code: Uint8Array;
}

/** A call of the kernel in a segment. */
export interface FoundCall {
  readonly segment: SweptSegment;
  /** Offset of the instruction. */
  readonly start: number;
  /** Offset of its two bytes of opcode: the same, but for useless prefixes. */
  readonly at: number;
  readonly instruction: CallInstruction;
}

/** Programs have thousands; what has more is data, or was made to be listed. */
export const MAX_CALLS = 200_000;

class BitSet {
  private readonly words: Uint8Array;

  constructor(bits: number) {
    this.words = new Uint8Array((bits + 7) >> 3);
  }

  add(bit: number): void {
    this.words[bit >> 3] = (this.words[bit >> 3] ?? 0) | (1 << (bit & 7));
  }

  has(bit: number): boolean {
    return bit >= 0 && ((this.words[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0;
  }
}

/** A segment with what the walk found in it. */
export class SweptSegment {
  readonly start: number;
  readonly code: Uint8Array;
  readonly #starts: BitSet;
  readonly #targets: BitSet;

  constructor({ start, code }: CodeSegment) {
    this.start = start;
    this.code = code;
    this.#starts = new BitSet(code.length);
    this.#targets = new BitSet(code.length);
  }

  addStart(at: number): void {
    this.#starts.add(at);
  }

  /** Whether an instruction starts at this offset. */
  isStart(at: number): boolean {
    return this.#starts.has(at);
  }

  addTarget(at: number): void {
    this.#targets.add(at);
  }

  /** Whether a direct branch goes to this offset, or a function starts there. */
  isTarget(at: number): boolean {
    return this.#targets.has(at);
  }

  /** Start of the instruction that ends at `at`, or undefined where none is known. */
  previousStart(at: number): number | undefined {
    for (let p = at - 1; p >= 0 && p >= at - MAX_INSTRUCTION_BYTES; p--)
      if (this.#starts.has(p)) return p + instructionLength(this.code, p) === at ? p : undefined;
    return undefined;
  }
}

/** The walk's result. */
export interface CodeSweep {
  readonly segments: readonly SweptSegment[];
  /** In order of address. */
  readonly calls: readonly FoundCall[];
  /** `0f 05` within other instructions: what a search for bytes would take for a call. */
  readonly embedded: number;
}

/**
 * @param segments in order of address, without overlap
 * @param functions starts of functions, ascending: known boundaries, and places that others go to
 * @throws TraplineError `SITES_TOO_MANY`
 */
export function sweepCode(segments: readonly CodeSegment[], functions: readonly number[]): CodeSweep {
  const swept = segments.map((s) => new SweptSegment(s));
  const calls: FoundCall[] = [];
  for (const segment of swept) {
    const { code, start } = segment;
    walk(segment, functions, (at, length) => {
      segment.addStart(at);
      const opcode = opcodeAt(code, at, length);
      const instruction = callInstruction(code, opcode);
      if (instruction !== undefined) calls.push({ segment, start: at, at: opcode, instruction });
      if (calls.length > MAX_CALLS)
        throw new TraplineError('SITES_TOO_MANY', `more than ${MAX_CALLS} syscall instructions: this is no program`);
      const target = branchTarget(code, at, length, start + at);
      if (target !== undefined) markTarget(swept, target);
    });
  }
  for (const address of functions) markTarget(swept, address);
  const whole = calls.filter((c) => c.instruction === 'syscall').length;
  const embedded = segments.reduce((n, s) => n + countOpcodes(s.code), 0) - whole;
  return { segments: swept, calls, embedded };
}

/** Every `0f 05`, wherever it is. */
function countOpcodes(code: Uint8Array): number {
  let n = 0;
  for (let p = code.indexOf(0x0f); p >= 0; p = code.indexOf(0x0f, p + 1)) if (code[p + 1] === 0x05) n++;
  return n;
}

/** Known starts of functions are boundaries; bytes that are no code are skipped. */
function walk(
  { code, start }: SweptSegment,
  functions: readonly number[],
  visit: (at: number, length: number) => void,
): void {
  let next = firstAtOrAbove(functions, start);
  let at = 0;
  while (at < code.length) {
    while (next < functions.length && (functions[next] ?? 0) - start <= at) next++;
    const limit = Math.min((functions[next] ?? Number.POSITIVE_INFINITY) - start, code.length);
    const length = instructionLength(code, at);
    if (length === 0) {
      at++;
    } else if (at + length > limit) {
      // An instruction that runs over a function's start was none: padding or data before it.
      at = limit;
    } else {
      visit(at, length);
      at += length;
    }
  }
}

/** Offset of the opcode behind legacy and REX prefixes. */
function opcodeAt(code: Uint8Array, at: number, length: number): number {
  let p = at;
  while (p < at + length - 1 && isPrefix(code[p] ?? 0)) p++;
  return p;
}

function isPrefix(b: number): boolean {
  return (b >= 0x40 && b <= 0x4f) || b === 0x66 || b === 0x67 || b === 0xf0 || b === 0xf2 || b === 0xf3 || isSegment(b);
}

function isSegment(b: number): boolean {
  return b === 0x26 || b === 0x2e || b === 0x36 || b === 0x3e || b === 0x64 || b === 0x65;
}

function callInstruction(code: Uint8Array, at: number): CallInstruction | undefined {
  const second = code[at + 1];
  if (code[at] === 0xcd) return second === 0x80 ? 'int80' : undefined;
  if (code[at] !== 0x0f) return undefined;
  return second === 0x05 ? 'syscall' : second === 0x34 ? 'sysenter' : undefined;
}

function markTarget(segments: readonly SweptSegment[], address: number): void {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((segments[middle] as SweptSegment).start <= address) low = middle + 1;
    else high = middle;
  }
  const holder = segments[low - 1];
  if (holder !== undefined && address < holder.start + holder.code.length) holder.addTarget(address - holder.start);
}

function firstAtOrAbove(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Branches that are named for one target; the rest is as good. */
const MAX_SOURCES = 8;

/** The direct branches to each of `wanted`: addresses of the branching instructions, ascending. */
export function findBranches(segments: readonly SweptSegment[], wanted: ReadonlySet<number>): Map<number, number[]> {
  const found = new Map<number, number[]>();
  if (wanted.size === 0) return found;
  for (const segment of segments) {
    const { code, start } = segment;
    for (let at = 0; at < code.length; at++) {
      if (!segment.isStart(at)) continue;
      const target = branchTarget(code, at, instructionLength(code, at), start + at);
      if (target === undefined || !wanted.has(target)) continue;
      const sources = found.get(target) ?? [];
      if (sources.length < MAX_SOURCES) sources.push(start + at);
      found.set(target, sources);
    }
  }
  return found;
}
