// SPDX-License-Identifier: MIT
//
// Whether an attempt reaches a task's goal. Pure: recordings, a disassembler's answers and the explorer's verdicts come
// in as evidence, the reasons that go out are keys of texts/.

import { instructionLength } from '../../isa/instruction-length.ts';
import { looksLikeSite, SITE_BYTES, siteSysno, walkToSite } from '../../isa/syscall-site.ts';
import { assemble } from '../lab/assembler.ts';
import { hexBytes } from './json-reader.ts';
import type { Attempt, ByteRule, Goal, RaceRequest, StepField, Value, Verdict } from './lesson.ts';
import { allSteps, findStep, fits } from './recorded-steps.ts';
import type { RecordedSteps } from './recorded-steps.ts';

/** One instruction, decoded. */
export interface Decoded {
  readonly text: string;
  readonly length: number;
  readonly isValid: boolean;
}

/** What an attempt is judged by. */
export interface Evidence {
  readonly steps?: RecordedSteps;
  /** Decodes the instruction at the start of the bytes. */
  readonly decode: (bytes: Uint8Array, address: number) => Decoded;
  /** The explorer's verdict; undefined when nobody has asked for it, or could. */
  readonly verdict: (request: RaceRequest) => Verdict | undefined;
  /** For code: whether it ends otherwise when it is patched as upstream does; undefined before it was run. */
  readonly differs?: boolean;
}

/** How good it is, and if it is not: why, as a key, with what belongs into the sentence. */
export type Outcome =
  | { readonly reached: true }
  | { readonly reached: false; readonly reason: string; readonly data: Readonly<Record<string, string | number>> };

const REACHED: Outcome = { reached: true };

function refused(reason: string, data: Readonly<Record<string, string | number>> = {}): Outcome {
  return { reached: false, reason, data };
}

/** What the explorer has to say before {@link checkGoal} can judge. */
export function racesOf(goal: Goal, attempt: Attempt): readonly RaceRequest[] {
  if (goal.kind === 'order' && attempt.kind === 'order') return [orderRace(attempt)];
  if (goal.kind === 'choice' && attempt.kind === 'choice')
    return goal.options.find((o) => o.id === attempt.option)?.races ?? [];
  return [];
}

/** The race that a choice of order, guard and model stands for. */
export function orderRace(choice: Extract<Attempt, { kind: 'order' }>): RaceRequest {
  return {
    scenario: 'patch-vs-exec',
    patch: 'upstream',
    protocol: choice.order,
    model: choice.model,
    offset: 0,
    guard: choice.guard,
  };
}

/** Judges an attempt. */
export function checkGoal(goal: Goal, attempt: Attempt, evidence: Evidence): Outcome {
  if (goal.kind === 'moment' && attempt.kind === 'moment') return checkMoment(goal, attempt.step, evidence);
  if (goal.kind === 'answer' && attempt.kind === 'answer') return checkAnswer(goal, attempt.text, evidence);
  if (goal.kind === 'bytes' && attempt.kind === 'bytes') {
    const bytes = hexBytes(attempt.bytes);
    const wanted = hexBytes(goal.start).length;
    if (bytes.length !== wanted) return refused('bytes.count', { wanted, given: bytes.length });
    return checkRules(bytes, goal.address, goal.rules, evidence);
  }
  if (goal.kind === 'choice' && attempt.kind === 'choice') return checkChoice(goal, attempt.option, evidence);
  if (goal.kind === 'order' && attempt.kind === 'order') return checkOrder(goal, attempt, evidence);
  if (goal.kind === 'code' && attempt.kind === 'code') return checkCode(goal, attempt.source, evidence);
  return refused('kind');
}

function checkMoment(goal: Extract<Goal, { kind: 'moment' }>, step: number, { steps }: Evidence): Outcome {
  if (steps === undefined) return refused('no-recording');
  if (step === -1) return refused('moment.start');
  if (step < 0 || step >= steps.count) return refused('moment.outside', { steps: steps.count });
  const good = goal.where.nth === undefined ? fits(steps, step, goal.where) : findStep(steps, goal.where) === step;
  return good ? REACHED : refused('moment.other', { step: step + 1 });
}

function checkAnswer(goal: Extract<Goal, { kind: 'answer' }>, text: string, evidence: Evidence): Outcome {
  const given = parseNumber(text, goal.base);
  if (given === undefined) return refused('answer.no-number', { text });
  const value = valueOf(goal.value, evidence.steps);
  if (value === undefined) return refused('no-recording');
  return given === value ? REACHED : refused('answer.other', { text });
}

/** A number as people write it: decimal, or hexadecimal with or without `0x`. */
export function parseNumber(text: string, base: 10 | 16): number | undefined {
  const digits = text.trim().toLowerCase().replaceAll('_', '');
  const number = /^0x[0-9a-f]{1,13}$/.test(digits)
    ? Number(digits)
    : base === 16 && /^[0-9a-f]{1,13}$/.test(digits)
      ? Number.parseInt(digits, 16)
      : /^-?\d{1,15}$/.test(digits)
        ? Number(digits)
        : undefined;
  return number;
}

/** Works a value out; undefined when the recording does not say. */
export function valueOf(value: Value, steps: RecordedSteps | undefined): number | undefined {
  if ('number' in value) return value.number;
  if ('lengthOf' in value) return instructionBytes(value.lengthOf);
  if ('minus' in value) {
    const [left, right] = value.minus.map((v) => valueOf(v, steps));
    return left === undefined || right === undefined ? undefined : left - right;
  }
  if ('slotOf' in value) {
    const crash = valueOf(value.slotOf, steps);
    return crash === undefined ? undefined : slotOf(crash);
  }
  if ('slotIndexOf' in value) {
    const slot = valueOf(value.slotIndexOf, steps);
    return slot === undefined ? undefined : slotIndexOf(slot);
  }
  if (steps === undefined) return undefined;
  if ('count' in value) return allSteps(steps, value.count).length;
  const at = findStep(steps, value.at);
  if (at === undefined) return undefined;
  return 'register' in value ? steps.register(at, value.register) : stepField(steps, at, value.field);
}

function stepField(steps: RecordedSteps, index: number, field: StepField): number | undefined {
  return steps.step(index)[field];
}

function checkRules(bytes: Uint8Array, address: number, rules: readonly ByteRule[], { decode }: Evidence): Outcome {
  for (const rule of rules) {
    const at = `+${rule.at}`;
    const there = bytes.subarray(rule.at);
    if (rule.bytes !== undefined) {
      const wanted = hexBytes(rule.bytes);
      if (wanted.some((b, i) => there[i] !== b)) return refused('bytes.other', { at, wanted: rule.bytes });
    }
    if (rule.is === undefined && rule.isNot === undefined && rule.valid === undefined && rule.length === undefined)
      continue;
    const { text, length, isValid } = decode(there, address + rule.at);
    if (rule.valid === true && !isValid) return refused('bytes.invalid', { at });
    if (rule.valid === false && isValid) return refused('bytes.valid', { at, text });
    if (rule.is !== undefined && !startsAs(text, rule.is))
      return refused('bytes.decode', { at, text, wanted: rule.is });
    if (rule.isNot !== undefined && startsAs(text, rule.isNot)) return refused('bytes.forbidden', { at, text });
    if (rule.length !== undefined && length !== rule.length)
      return refused('bytes.length', { at, wanted: rule.length, given: length });
  }
  return REACHED;
}

/** `jmp …` fits every text that starts with `jmp`; without the dots the text is meant as a whole. */
function startsAs(text: string, wanted: string): boolean {
  return wanted.endsWith('…') ? text.startsWith(wanted.slice(0, -1)) : text === wanted;
}

function checkChoice(goal: Extract<Goal, { kind: 'choice' }>, id: string, evidence: Evidence): Outcome {
  const option = goal.options.find((o) => o.id === id);
  if (option === undefined) return refused('choice.unknown', { option: id });
  if (goal.rules !== undefined) return checkRules(hexBytes(option.bytes ?? ''), 0x401000, goal.rules, evidence);
  const verdicts = (option.races ?? []).map((race) => evidence.verdict(race));
  if (verdicts.includes(undefined)) return refused('no-verdict');
  return verdicts.every((v) => v === goal.verdict) ? REACHED : refused(`choice.${id}`);
}

function checkOrder(
  goal: Extract<Goal, { kind: 'order' }>,
  attempt: Extract<Attempt, { kind: 'order' }>,
  { verdict }: Evidence,
): Outcome {
  if (!goal.guards.includes(attempt.guard) || !goal.models.includes(attempt.model)) return refused('order.outside');
  const found = verdict(orderRace(attempt));
  if (found === undefined) return refused('no-verdict');
  if (found !== goal.verdict) return refused(`order.${found}`, { order: attempt.order });
  if (goal.order !== undefined && goal.order !== attempt.order) return refused('order.order', { order: goal.order });
  if (goal.model !== undefined && goal.model !== attempt.model) return refused('order.model', { model: goal.model });
  if (goal.otherGuardThan !== undefined && goal.otherGuardThan === attempt.guard)
    return refused('order.guard', { guard: attempt.guard.toString(16).padStart(2, '0') });
  return REACHED;
}

/** What the byte matcher and a walk over instructions say about code. */
export interface MatchedCode {
  /** Offset of the seven bytes. */
  readonly at: number;
  readonly sysno: number;
  /** No instruction starts where the matcher sees a `mov`. */
  readonly isFalse: boolean;
}

/** Everything in code that gVisor's matcher takes for a site. */
export function matchedCode(bytes: Uint8Array): MatchedCode[] {
  const found: MatchedCode[] = [];
  for (let at = 0; at + SITE_BYTES <= bytes.length; at++)
    if (looksLikeSite(bytes, at))
      found.push({ at, sysno: siteSysno(bytes, at), isFalse: walkToSite(bytes, at) === 'tail' });
  return found;
}

function checkCode(goal: Extract<Goal, { kind: 'code' }>, source: string, { differs }: Evidence): Outcome {
  const program = assemble(source);
  if (!program.ok) {
    const { line, column, message } = program.error;
    return refused('code.error', { line, column, message });
  }
  const sites = matchedCode(program.bytes);
  if (sites.length === 0) return refused('code.no-match');
  if (!sites.some((s) => s.isFalse)) return refused('code.true-site');
  if (goal.judge === 'false-match') return REACHED;
  if (differs === undefined) return refused('code.not-run');
  return differs ? REACHED : refused('code.same');
}

/** Bytes of the instruction that hex digits begin with. */
function instructionBytes(hex: string): number {
  return instructionLength(hexBytes(hex), 0);
}

/** Bytes of a slot. KEEP IN SYNC: src/usertrap/layout.ts TRAP_BYTES */
const SLOT_BYTES = 80;
/** The table's window: it starts on one of eleven pages. */
const WINDOW_START = 0x60000;

/** A false patch stores `24 25 lo hi` at rsp-1: the return address ends in `25 lo hi`, and 0x0006hilo is the slot. */
function slotOf(crash: number): number {
  return WINDOW_START | (Math.floor(crash / 256) & 0xffff);
}

/** A page is no multiple of a slot: at most one base fits, and gives the index. */
function slotIndexOf(slot: number): number | undefined {
  for (let base = WINDOW_START; base < 0x6b000; base += 0x1000) {
    const index = (slot - base) / SLOT_BYTES;
    if (Number.isInteger(index) && index >= 1 && index <= 254) return index;
  }
  return undefined;
}
