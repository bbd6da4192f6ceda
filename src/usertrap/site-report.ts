// SPDX-License-Identifier: MIT
//
// `trapline sites`: every call of the kernel in a program's executable segments, whether it would be patched, by which
// rule, and what makes it dangerous. Static: what never runs is listed, code made at run time is not. The rules are
// those of stub-check.ts and patcher.ts; the shapes are those that gVisor's sighandler_amd64.c:261-288 can meet.

import { Phdr } from '../abi/elf.ts';
import { PAGE_SIZE } from '../base/addr.ts';
import { TraplineError } from '../base/errors.ts';
import { LINE_BYTES, looksLikeSite, SITE_BYTES, siteSysno, splitsLine, SYSCALL_OFFSET } from '../isa/syscall-site.ts';
import { bytesSource, readCodeSections, readElf, readSymbols, readUnwindTable } from '../loader/index.ts';
import type { ElfSegment, SymbolTable, UnwindTable } from '../loader/index.ts';
import { FIRST_UNKNOWN } from './patcher.ts';
import { findNumber, type NumberSource } from './site-number.ts';
import { findBranches, sweepCode, type CallInstruction, type FoundCall, type SweptSegment } from './site-sweep.ts';

/** What decides about a call in one mode. All but the first refuse, in `upstream` all but the first two. */
export type SiteRule =
  /** `mov $number,%eax; syscall`. */
  | 'mov-eax'
  /** The five bytes before the `syscall` look like that `mov` but end a longer instruction. */
  | 'tail-of-instruction'
  /** They may be such a tail: no instruction is known to start there. */
  | 'boundary-unknown'
  /** The number is none that any kernel serves. */
  | 'no-such-number'
  /** A page boundary splits the seven bytes. */
  | 'page-split'
  /** The byte before the seven, which the stub reads too, is not mapped. */
  | 'first-byte-of-mapping'
  /** `sysenter` or `int 0x80`. */
  | 'no-syscall-instruction'
  | NumberSource;

export type SiteHazard =
  /** `upstream` patches the tail of a longer instruction, which then stores or computes something else. */
  | 'false-match'
  /** A direct branch goes to the `syscall`: after a patch it meets the guard byte. */
  | 'shared-tail'
  /** A direct branch goes to another byte within the seven: after a patch it meets bytes of the jump. */
  | 'branch-into-middle'
  /** A cache line, or a page, ends within the seven bytes. */
  | 'line-split'
  | 'page-split'
  /** The two bytes of the opcode lie in two lines, or pages: for patchers that write only those. */
  | 'opcode-line-split'
  | 'opcode-page-split'
  | 'first-byte-of-mapping'
  /** The number is not in the instruction before. */
  | 'number-elsewhere'
  /** Read straight on, the call is part of another instruction: only a branch into that one leads here. */
  | 'overlapping-code';

export interface Decision {
  readonly patched: boolean;
  readonly rule: SiteRule;
}

/** A function, or what comes closest to one. */
export interface SiteFunction {
  /** Undefined where the file has no symbol: then `start` comes from its unwind tables. */
  readonly name: string | undefined;
  readonly start: number;
}

/** One instruction of the program. */
export interface SiteInstruction {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** One call of the kernel. Addresses are the file's own: a position-independent program adds its base. */
export interface SiteReport {
  /** Of the seven bytes that end with the call: where a patch begins, and what `run --metrics` calls a site. */
  readonly address: number;
  /** Of the `syscall`, `sysenter` or `int`, prefixes left out: five bytes on. */
  readonly callAddress: number;
  readonly instruction: CallInstruction;
  /** Up to the byte before the seven, and them. Fewer at the start of a segment. */
  readonly bytes: Uint8Array;
  /** The instruction that really ends where the call begins; undefined where none is known. */
  readonly preceding: SiteInstruction | undefined;
  /** The call's number, where the code shows it. */
  readonly sysno: number | undefined;
  /** The bytes are `b8`, four more, `0f 05`. */
  readonly matches: boolean;
  readonly upstream: Decision;
  readonly hardened: Decision;
  readonly hazards: readonly SiteHazard[];
  /** Instructions that branch to the `syscall` or into the seven bytes, ascending, at most eight for each byte. */
  readonly branches: readonly { readonly from: number; readonly to: number }[];
  readonly function: SiteFunction | undefined;
}

/** All of a program. */
export interface ProgramSites {
  readonly sites: readonly SiteReport[];
  /** `0f 05` that is part of another instruction or of data between functions. */
  readonly embedded: number;
  readonly executableBytes: number;
}

/**
 * Finds the calls of a program or a shared library.
 * @param program an ELF file
 * @throws TraplineError `SITES_NOT_ELF` when the bytes are none that Trapline could load; `SITES_TOO_MANY`
 */
export function analyseSites(program: Uint8Array): ProgramSites {
  const source = bytesSource(program);
  const image = readElf(source);
  if (!image.ok) throw new TraplineError('SITES_NOT_ELF', image.message);
  const symbols = readSymbols(source);
  const segments = image.segments
    .filter((s) => s.executable)
    .map((s) => ({ start: s.vaddr, code: program.subarray(s.offset, s.offset + s.fileSize) }))
    .sort((a, b) => a.start - b.start);
  const functions = symbols.symbols.filter((s) => s.isFunction).map((s) => s.value);
  const boundaries = [...functions, image.entry, ...readCodeSections(source)];
  // Headers that lie in an executable segment are no code, but what follows them is.
  if (image.headersVaddr !== undefined) boundaries.push(image.headersVaddr + image.headerCount * Phdr.size);
  const sweep = sweepCode(
    segments,
    boundaries.sort((a, b) => a - b),
  );
  const branches = findBranches(sweep.segments, branchedTo(sweep.calls));
  const mapped = new MappedPages(image.segments);
  const namer = new FunctionNamer(symbols, readUnwindTable(source));
  return {
    sites: sweep.calls.map((call) => reportCall(call, branches, mapped, namer)),
    embedded: sweep.embedded,
    executableBytes: segments.reduce((n, s) => n + s.code.length, 0),
  };
}

/** Addresses within sites that something goes to. */
function branchedTo(calls: readonly FoundCall[]): Set<number> {
  const wanted = new Set<number>();
  for (const { segment, at } of calls)
    for (let o = at - SYSCALL_OFFSET + 1; o <= at + 1; o++) if (segment.targets.has(o)) wanted.add(segment.start + o);
  return wanted;
}

function reportCall(
  call: FoundCall,
  branches: ReadonlyMap<number, readonly number[]>,
  mapped: MappedPages,
  namer: FunctionNamer,
): SiteReport {
  const { segment, at, instruction } = call;
  const { code, start } = segment;
  const site = at - SYSCALL_OFFSET;
  const address = start + site;
  // With a prefix before the `syscall` the immediate ends in that prefix: no number that a program has.
  const matches = site >= 0 && call.start === at && looksLikeSite(code, site);
  const before = segment.previousStart(call.start);
  const preceding =
    before === undefined ? undefined : { address: start + before, bytes: code.slice(before, call.start) };
  const isWhole = matches && before === site;
  const number = isWhole ? undefined : findNumber(segment, call.start);
  const targets = branchTargets(segment, site, matches);
  const isFirst = !mapped.has(address - 1);
  const upstream = decideUpstream(instruction, matches, isWhole, before, isFirst, number?.source);
  const splitsPage = address % PAGE_SIZE > PAGE_SIZE - SITE_BYTES;

  const hazards: SiteHazard[] = [];
  if (matches && !isWhole && before !== undefined) hazards.push('false-match');
  if (targets.includes(at)) hazards.push('shared-tail');
  if (targets.some((o) => o !== at)) hazards.push('branch-into-middle');
  if (matches && splitsPage) hazards.push('page-split');
  else if (matches && splitsLine(address)) hazards.push('line-split');
  const opcode = start + at;
  if (opcode % PAGE_SIZE === PAGE_SIZE - 1) hazards.push('opcode-page-split');
  else if (opcode % LINE_BYTES === LINE_BYTES - 1) hazards.push('opcode-line-split');
  if (isFirst) hazards.push('first-byte-of-mapping');
  if (number?.isElsewhere === true) hazards.push('number-elsewhere');
  if (call.isOverlapping) hazards.push('overlapping-code');
  return {
    address,
    callAddress: opcode,
    instruction,
    bytes: code.slice(Math.max(0, site - 1), at + 2),
    preceding,
    sysno: isWhole ? siteSysno(code, site) : number?.sysno,
    matches,
    upstream,
    hardened: decideHardened(upstream, splitsPage, matches ? siteSysno(code, site) : 0),
    hazards,
    branches: targets.flatMap((o) => (branches.get(start + o) ?? []).map((from) => ({ from, to: start + o }))),
    function: namer.find(opcode),
  };
}

/** Offsets within a site that something else goes to; of other calls only the opcode matters. */
function branchTargets(segment: SweptSegment, site: number, matches: boolean): number[] {
  const targets: number[] = [];
  for (let o = matches ? site + 1 : site + SYSCALL_OFFSET; o < site + SITE_BYTES; o++)
    if (segment.targets.has(o)) targets.push(o);
  return targets;
}

function decideUpstream(
  instruction: CallInstruction,
  matches: boolean,
  isWhole: boolean,
  before: number | undefined,
  isFirst: boolean,
  number: NumberSource | undefined,
): Decision {
  if (instruction !== 'syscall') return { patched: false, rule: 'no-syscall-instruction' };
  if (isFirst) return { patched: false, rule: 'first-byte-of-mapping' };
  if (!matches) return { patched: false, rule: number ?? 'no-number-before' };
  return {
    patched: true,
    rule: isWhole ? 'mov-eax' : before === undefined ? 'boundary-unknown' : 'tail-of-instruction',
  };
}

/** The guards of hardened mode that look at the bytes, in the order in which patcher.ts asks them. */
function decideHardened(upstream: Decision, splitsPage: boolean, sysno: number): Decision {
  if (!upstream.patched) return upstream;
  if (sysno >= FIRST_UNKNOWN) return { patched: false, rule: 'no-such-number' };
  if (splitsPage) return { patched: false, rule: 'page-split' };
  return upstream.rule === 'mov-eax' ? upstream : { patched: false, rule: upstream.rule };
}

/** Pages that the file's segments map. */
class MappedPages {
  readonly #ranges: readonly { readonly start: number; readonly end: number }[];

  constructor(segments: readonly ElfSegment[]) {
    this.#ranges = segments
      .filter((s) => s.readable || s.executable)
      .map((s) => ({ start: s.vaddr - (s.vaddr % PAGE_SIZE), end: s.vaddr + s.memorySize }))
      .map(({ start, end }) => ({ start, end: Math.ceil(end / PAGE_SIZE) * PAGE_SIZE }));
  }

  has(address: number): boolean {
    return this.#ranges.some((r) => address >= r.start && address < r.end);
  }
}

/** Names by symbol, else by the unwind tables. */
class FunctionNamer {
  readonly #symbols: SymbolTable;
  readonly #unwind: UnwindTable;

  constructor(symbols: SymbolTable, unwind: UnwindTable) {
    this.#symbols = symbols;
    this.#unwind = unwind;
  }

  find(address: number): SiteFunction | undefined {
    const named = this.#symbols.lookup(address);
    if (named !== undefined) return { name: named.name, start: address - named.offset };
    const start = this.#unwind.find(address);
    return start === undefined ? undefined : { name: undefined, start };
  }
}

/** Numbers of a program as a whole. Splits are of the seven bytes where those match, of the opcode everywhere. */
export interface SiteCounts {
  readonly syscall: number;
  readonly sysenter: number;
  readonly int80: number;
  readonly matching: number;
  readonly patchedUpstream: number;
  readonly patchedHardened: number;
  /** Matching sites that one aligned 8-byte store could replace. */
  readonly inOneWord: number;
  readonly lineSplit: number;
  readonly pageSplit: number;
  readonly opcodeLineSplit: number;
  readonly opcodePageSplit: number;
}

/** A page ends where a line does, so that `lineSplit` counts both. */
export function countSites(sites: readonly SiteReport[]): SiteCounts {
  const count = (test: (site: SiteReport) => boolean): number => sites.reduce((n, s) => n + Number(test(s)), 0);
  const has = (...hazards: SiteHazard[]): number => count((s) => hazards.some((h) => s.hazards.includes(h)));
  return {
    syscall: count((s) => s.instruction === 'syscall'),
    sysenter: count((s) => s.instruction === 'sysenter'),
    int80: count((s) => s.instruction === 'int80'),
    matching: count((s) => s.matches),
    patchedUpstream: count((s) => s.upstream.patched),
    patchedHardened: count((s) => s.hardened.patched),
    inOneWord: count((s) => s.matches && s.address % 8 <= 8 - SITE_BYTES),
    lineSplit: has('line-split', 'page-split'),
    pageSplit: has('page-split'),
    opcodeLineSplit: has('opcode-line-split', 'opcode-page-split'),
    opcodePageSplit: has('opcode-page-split'),
  };
}
