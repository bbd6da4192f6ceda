// SPDX-License-Identifier: MIT
//
// Walks a program's executable segments instruction by instruction: where instructions start, where calls of the kernel
// are, where direct branches go. Then once more from each branch into the middle of an instruction, for code that means two
// things. Three bits for each byte of code, so that memory is bounded by the file's size.

import { TraplineError } from '../base/errors.ts';
import { branchTarget } from '../isa/branch-target.ts';
import { instructionLength, MAX_INSTRUCTION_BYTES } from '../isa/instruction-length.ts';
import { SYSCALL_BYTES } from '../isa/syscall-site.ts';

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
  /** Only a branch into the middle of another instruction leads here. */
  readonly isOverlapping: boolean;
}

/** Programs have thousands; what has more is data, or was made to be listed. */
export const MAX_CALLS = 200_000;

/** @internal */
export class BitSet {
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
  /** Starts of instructions in the straight reading. */
  readonly straight: BitSet;
  /** Those that only branches into other instructions reach. */
  readonly overlapping: BitSet;
  /** Where direct branches go, and functions start. */
  readonly targets: BitSet;

  constructor({ start, code }: CodeSegment) {
    this.start = start;
    this.code = code;
    this.straight = new BitSet(code.length);
    this.overlapping = new BitSet(code.length);
    this.targets = new BitSet(code.length);
  }

  /** Start of the instruction that ends at `at`, or undefined where none is known. */
  previousStart(at: number): number | undefined {
    return this.#endingAt(at, this.straight) ?? this.#endingAt(at, this.overlapping);
  }

  #endingAt(at: number, starts: BitSet): number | undefined {
    for (let p = at - 1; p >= 0 && p >= at - MAX_INSTRUCTION_BYTES; p--)
      if (starts.has(p) && p + instructionLength(this.code, p) === at) return p;
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
 * @param boundaries where instructions are known to start, and something may go to: ascending
 * @throws TraplineError `SITES_TOO_MANY`
 */
export function sweepCode(segments: readonly CodeSegment[], boundaries: readonly number[]): CodeSweep {
  const sweeper = new Sweeper(segments);
  for (const segment of sweeper.segments) walk(segment, boundaries, (at, length) => sweeper.visit(segment, at, length));
  for (const address of boundaries) sweeper.mark(address);
  for (const segment of sweeper.segments) sweeper.followOverlaps(segment);
  const calls = sweeper.calls.sort((a, b) => a.segment.start + a.at - (b.segment.start + b.at));
  const whole = calls.filter((c) => c.instruction === 'syscall').length;
  const embedded = segments.reduce((n, s) => n + countOpcodes(s.code), 0) - whole;
  return { segments: sweeper.segments, calls, embedded };
}

class Sweeper {
  readonly segments: readonly SweptSegment[];
  readonly calls: FoundCall[] = [];
  /** Targets of branches that were found while overlaps were followed. */
  readonly #pending: number[] = [];
  #isOverlap = false;
  /** Addresses of overlapping calls. */
  readonly #overlapping = new Set<number>();

  constructor(segments: readonly CodeSegment[]) {
    this.segments = segments.map((s) => new SweptSegment(s));
  }

  visit(segment: SweptSegment, at: number, length: number): void {
    const { code, start } = segment;
    (this.#isOverlap ? segment.overlapping : segment.straight).add(at);
    const opcode = opcodeAt(code, at, length);
    const instruction = callInstruction(code, opcode);
    if (instruction !== undefined)
      this.#addCall({ segment, start: at, at: opcode, instruction, isOverlapping: this.#isOverlap });
    const target = branchTarget(code, at, length, start + at);
    if (target === undefined) return;
    this.mark(target);
    if (this.#isOverlap) this.#pending.push(target);
  }

  #addCall(call: FoundCall): void {
    if (call.isOverlapping && this.#isKnown(call)) return;
    this.calls.push(call);
    if (this.calls.length > MAX_CALLS)
      throw new TraplineError('SITES_TOO_MANY', `more than ${MAX_CALLS} syscall instructions: this is no program`);
  }

  /** A branch over the prefixes of a call, or to bytes that are prefixes for it, leads to a call that is listed. */
  #isKnown({ segment, at }: FoundCall): boolean {
    const straight = segment.previousStart(at + SYSCALL_BYTES);
    if (straight !== undefined && straight <= at && segment.straight.has(straight)) return true;
    const address = segment.start + at;
    const isListed = this.#overlapping.has(address);
    this.#overlapping.add(address);
    return isListed;
  }

  mark(address: number): void {
    const holder = this.#holderOf(address);
    if (holder !== undefined) holder.targets.add(address - holder.start);
  }

  /** Reads from each target that is no start of an instruction up to where the straight reading is met again. */
  followOverlaps(segment: SweptSegment): void {
    this.#isOverlap = true;
    for (let at = 0; at < segment.code.length; at++) {
      if (!segment.targets.has(at)) continue;
      this.#readFrom(segment, at);
      for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) {
        const holder = this.#holderOf(next);
        if (holder !== undefined) this.#readFrom(holder, next - holder.start);
      }
    }
    this.#isOverlap = false;
  }

  #readFrom(segment: SweptSegment, from: number): void {
    let at = from;
    while (at < segment.code.length && !segment.straight.has(at) && !segment.overlapping.has(at)) {
      const length = instructionLength(segment.code, at);
      if (length === 0) return;
      this.visit(segment, at, length);
      at += length;
    }
  }

  #holderOf(address: number): SweptSegment | undefined {
    let low = 0;
    let high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.segments[middle] as SweptSegment).start <= address) low = middle + 1;
      else high = middle;
    }
    const holder = this.segments[low - 1];
    return holder !== undefined && address < holder.start + holder.code.length ? holder : undefined;
  }
}

/** Every `0f 05`, wherever it is. */
function countOpcodes(code: Uint8Array): number {
  let n = 0;
  for (let p = code.indexOf(0x0f); p >= 0; p = code.indexOf(0x0f, p + 1)) if (code[p + 1] === 0x05) n++;
  return n;
}

/** The straight reading; bytes that are no code are skipped. */
function walk(
  { code, start }: SweptSegment,
  boundaries: readonly number[],
  visit: (at: number, length: number) => void,
): void {
  let next = firstAtOrAbove(boundaries, start);
  let at = 0;
  while (at < code.length) {
    while (next < boundaries.length && (boundaries[next] ?? 0) - start <= at) next++;
    const limit = Math.min((boundaries[next] ?? Number.POSITIVE_INFINITY) - start, code.length);
    const length = instructionLength(code, at);
    if (length === 0) {
      at++;
    } else if (at + length > limit) {
      // An instruction that runs over a boundary was none: padding or data before it.
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
      if (!segment.straight.has(at) && !segment.overlapping.has(at)) continue;
      const target = branchTarget(code, at, instructionLength(code, at), start + at);
      if (target === undefined || !wanted.has(target)) continue;
      const sources = found.get(target) ?? [];
      if (sources.length < MAX_SOURCES) sources.push(start + at);
      found.set(target, sources);
    }
  }
  return found;
}
