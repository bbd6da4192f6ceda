// SPDX-License-Identifier: MIT
//
// From two scenes to a divergence: what differs, which site is nearest to the evidence, and why patching it did that.

import { SITE_BYTES, SYSCALL_OFFSET, walkToSite } from '../../isa/syscall-site.ts';
import type { Disassembler } from '../../isa/disassembler.ts';
import { REG_NAMES, Reg } from '../../cpu/regs.ts';
import { hex } from '../../base/addr.ts';
import { toHex } from '../../base/bytes.ts';
import type { Guards } from '../../usertrap/guards.ts';
import { originalBytes, patchedBytes, TRAP_BYTES } from '../../usertrap/layout.ts';
import { causeOf } from './causes.ts';
import type { Cause, CodeLine, Divergence, DivergenceKind, SuspectSite } from './check-result.ts';
import type { Fact, Scene, SiteAtPatch } from './facts.ts';
import type { DifferingBytes } from './memory-snapshot.ts';

/** Instructions of a listing before and behind the site. */
const LINES = 4;

const IGNORED = new Set<number>([Reg.rcx, Reg.r11, Reg.rip, Reg.gsBase, Reg.rax]);

/** Which guards make the difference go away. */
export type Trial =
  | { readonly kind: 'guard'; readonly guard: keyof Guards }
  /** All together do. */
  | { readonly kind: 'several' }
  /** None does: it comes with patching in place. */
  | { readonly kind: 'inherent' }
  | { readonly kind: 'untried' };

/** The single guard of a trial. */
export function guardOf(trial: Trial): keyof Guards | undefined {
  return trial.kind === 'guard' ? trial.guard : undefined;
}

/** What the diagnosis starts from. */
export interface Evidence {
  readonly task: string;
  readonly event: number;
  readonly expected: Scene;
  readonly found: Scene;
  readonly corrupted: readonly DifferingBytes[];
  /** Rules by which hardened mode left sites alone, by address. */
  readonly refused: ReadonlyMap<number, string>;
  /** What was found by running the program with other guards. */
  readonly trial: Trial;
  readonly disassembler: Disassembler;
}

/** Works out what happened. */
export function diagnose(evidence: Evidence): Divergence {
  const { expected, found, task, event, corrupted } = evidence;
  const difference = compareFacts(expected.fact, found);
  const blamed = blame(evidence);
  const some = found.fact ?? expected.fact;
  return {
    ...difference,
    cause: blamed.cause,
    guard: guardOf(evidence.trial),
    task,
    tid: some?.tid ?? 0,
    event,
    before: found.before,
    suspect: blamed.site === undefined ? undefined : suspect(blamed.site, evidence),
    corrupted,
    faultAddress: found.fact?.kind === 'signal' ? found.fact.faultAddress : undefined,
  };
}

/** Memory differs at the end of a process, though every event was the same. */
export function diagnoseMemory(evidence: Omit<Evidence, 'event'>): Divergence {
  const [first] = evidence.corrupted;
  const blamed = blame({ ...evidence, event: 0 });
  const at = first === undefined ? '' : ` at ${hex(first.address)}`;
  return {
    kind: 'memory',
    cause: blamed.cause,
    guard: guardOf(evidence.trial),
    task: evidence.task,
    tid: 0,
    event: 0,
    expected: `the same bytes${at} when the process ends`,
    found: 'other bytes',
    before: [],
    suspect: blamed.site === undefined ? undefined : suspect(blamed.site, { ...evidence, event: 0 }),
    corrupted: evidence.corrupted,
    faultAddress: undefined,
  };
}

function compareFacts(expected: Fact | null, found: Scene): { kind: DivergenceKind; expected: string; found: string } {
  const { fact } = found;
  const text = (f: Fact | null): string => f?.text ?? 'nothing more';
  if (found.isEndless)
    return { kind: 'hang', expected: text(expected), found: 'the site is entered again and again, without an end' };
  if (fact === null) return { kind: 'hang', expected: text(expected), found: text(fact) };
  const plain = { expected: text(expected), found: text(fact) };
  if (fact.kind === 'signal') return { kind: 'signal', ...plain, found: `${plain.found} at ${hex(ripOf(fact))}` };
  if (expected === null) return { kind: 'call', ...plain };
  if (expected.kind === 'signal') return { kind: 'signal', ...plain };
  if (fact.kind !== expected.kind || fact.sysno !== expected.sysno) return { kind: 'call', ...plain };
  if (fact.kind === 'result') return { kind: 'result', ...plain };
  if (fact.kind === 'exit') return { kind: 'exit', ...plain };
  if (fact.text !== expected.text) return { kind: 'call', ...plain };
  if (toHex(fact.data) !== toHex(expected.data))
    return { kind: 'data', expected: `${text(expected)} with ${dataText(expected)}`, found: dataText(fact) };
  const registers = differingRegisters(expected, fact);
  if (registers.length > 0) {
    const show = (f: Fact): string =>
      registers.map((r) => `${REG_NAMES[r] ?? ''}=${hex(f.registers[r] ?? 0n)}`).join(' ');
    return { kind: 'registers', expected: `${text(expected)} with ${show(expected)}`, found: show(fact) };
  }
  if (toHex(fact.fpu) !== toHex(expected.fpu)) {
    const show = (f: Fact, other: Fact): string => differingLanes(f.fpu, other.fpu);
    return {
      kind: 'vector-state',
      expected: `${text(expected)} with ${show(expected, fact)}`,
      found: show(fact, expected),
    };
  }
  return { kind: 'data', ...plain };
}

function ripOf(fact: Fact): bigint {
  return fact.registers[Reg.rip] ?? 0n;
}

function dataText(fact: Fact): string {
  return JSON.stringify(String.fromCharCode(...fact.data.subarray(0, 64)));
}

/** Where x87 and SSE registers lie in an FXSAVE image. */
const ST_START = 32;
const XMM_START = 160;
const LANE_BYTES = 8;

/** The halves of vector registers, and whatever else of the image, that are not as in the other one. */
function differingLanes(image: Uint8Array, other: Uint8Array): string {
  const out: string[] = [];
  for (let at = 0; at < image.length; at += LANE_BYTES) {
    const lane = image.subarray(at, at + LANE_BYTES);
    if (toHex(lane) === toHex(other.subarray(at, at + LANE_BYTES))) continue;
    const index = at < XMM_START ? Math.floor((at - ST_START) / 16) : Math.floor((at - XMM_START) / 16);
    const name = at < ST_START ? 'control' : at < XMM_START ? `st${index}` : `xmm${index}`;
    out.push(`${name}${at % 16 === 0 ? '' : '.high'}=${toHex(lane)}`);
  }
  return out.slice(0, 4).join(' ');
}

function differingRegisters(a: Fact, b: Fact): number[] {
  return REG_NAMES.map((_, i) => i).filter((i) => !IGNORED.has(i) && a.registers[i] !== b.registers[i]);
}

const TRAP_FLAG = 0x100n;
const OTHER_CAUSES = { several: 'several', inherent: 'reads-code', untried: 'unknown' } as const;

interface Blame {
  readonly cause: Cause;
  readonly site: SiteAtPatch | undefined;
}

/** The cause, and the site that the evidence is nearest to. */
function blame({ found, corrupted, trial }: Evidence): Blame {
  const { fact, recovery } = found;
  const sites = [...found.sites.values()];
  const last = sites.find((site) => site.address === found.lastSite);
  const recovered = sites.find((site) => site.address === recovery?.site);
  const rip = fact === null ? 0 : Number(ripOf(fact));
  const entered = sites.find((s) => rip > s.address && rip < s.address + SITE_BYTES);
  const jumped = sites.find((s) => rip === s.address || (rip >= s.slot && rip < s.slot + TRAP_BYTES));
  const nearest = recovered ?? jumped ?? last ?? sites.at(-1);
  if (trial.kind !== 'guard') {
    if (fact?.kind === 'signal' && entered !== undefined) return { cause: 'jump-into-site', site: entered };
    const flags = fact?.registers[Reg.rflags] ?? 0n;
    if ((flags & TRAP_FLAG) !== 0n) return { cause: 'single-step', site: nearest };
    return { cause: OTHER_CAUSES[trial.kind], site: nearest };
  }
  const cause = causeOf(trial.guard);
  if (cause !== 'false-match') return { cause, site: nearest };
  // The bytes of its jump turn up in memory, or a task ran into its guard byte, or it was called last.
  const matches = sites.filter(isFalseMatch);
  const written = matches.find((site) => corrupted.some((range) => holdsOperand(range, site)));
  const site = written ?? matches.find((s) => s === recovered) ?? matches.find((s) => s === last) ?? matches.at(-1);
  return { cause, site: site ?? nearest };
}

/** The `mov` of the site is no instruction: a longer one ends in its bytes. */
function isFalseMatch(site: SiteAtPatch): boolean {
  return walkToSite(site.code, site.address - site.blockStart) === 'tail';
}

function holdsOperand(range: DifferingBytes, site: SiteAtPatch): boolean {
  const operand = toHex(patchedBytes(site.slot).subarray(1, SYSCALL_OFFSET));
  const found = toHex(range.found);
  return found.length >= 4 && (operand.includes(found) || found.includes(operand.slice(2)));
}

function suspect(site: SiteAtPatch, { refused, disassembler }: Evidence): SuspectSite {
  const at = site.address - site.blockStart;
  const patched = site.code.slice();
  patched.set(patchedBytes(site.slot), at);
  return {
    site,
    original: originalBytes(site.sysno),
    patched: patchedBytes(site.slot),
    before: listing(site, site.code, at, disassembler),
    after: listing(site, patched, at, disassembler),
    refusedByHardened: refused.get(site.address),
  };
}

/** The instructions that the site's bytes belong to, and one on either side. */
function listing(site: SiteAtPatch, code: Uint8Array, at: number, disassembler: Disassembler): CodeLine[] {
  const lines = disassembler.disassemble(code, site.blockStart);
  const first = lines.findIndex((line) => line.address + line.bytes.length > site.blockStart + at);
  const after = lines.findIndex((line) => line.address >= site.blockStart + at + SITE_BYTES);
  const end = after < 0 ? lines.length : Math.min(after, first + LINES);
  return lines.slice(Math.max(0, first), end).map(({ address, bytes, text }) => ({ address, bytes, text }));
}
