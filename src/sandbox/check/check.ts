// SPDX-License-Identifier: MIT
//
// Runs a program with patching off and in the modes that are to be checked, and finds out whether, and if so where and
// why, it takes another course. Further runs, which are the same byte for byte, look at the place more closely.

import { TraplineError } from '../../base/errors.ts';
import type { Disassembler } from '../../isa/disassembler.ts';
import type { Metrics } from '../metrics.ts';
import type { RunResult } from '../sandbox.ts';
import { causeOf, GUARDS_TO_TRY } from './causes.ts';
import type { CheckedMode, CheckResult, CheckVerdict, Divergence, ModeResult } from './check-result.ts';
import { runOnce } from './compared-run.ts';
import type { CheckedProgram, RunMode } from './compared-run.ts';
import { ComparingTaker, CourseTaker, RangeTaker } from './comparing.ts';
import type { Depth } from './comparing.ts';
import type { Parting } from './course.ts';
import { diagnose, diagnoseMemory, guardOf } from './diagnosis.ts';
import type { Trial } from './diagnosis.ts';
import type { Scene } from './facts.ts';
import { MemoryComparer, MemoryTaker } from './memory-taker.ts';
import { SharedStreams } from './run-streams.ts';
import type { InputSource, OutputDigest } from './run-streams.ts';
import { SceneTaker } from './scene-taker.ts';
import { SteadyTrees } from './steady-tree.ts';
import type { Place } from './scene-taker.ts';

/** A mode that has lost its way computes at most this much longer than the program does with patching off. */
const EXTRA_INSTRUCTIONS = 20_000_000;
const EXTRA_FACTOR = 1.25;
/** A longer program is not run again and again to find the guard that it misses. */
const MAX_TRIED_INSTRUCTIONS = 2_000_000_000;
/** Below this many late traps no program is slower for them. */
const FEW_TRAPS = 16;

const NO_SCENE: Scene = {
  fact: null,
  before: [],
  sites: new Map(),
  lastSite: undefined,
  recovery: undefined,
  isEndless: false,
};

export interface CheckOptions {
  readonly program: CheckedProgram;
  /** Modes to hold against patching off, in order. */
  readonly modes: readonly CheckedMode[];
  /** The program's input: asked for more when the program wants it. */
  readonly input: InputSource;
  readonly disassembler: () => Disassembler;
}

/** What is known of the reference. */
interface Reference {
  readonly taker: CourseTaker;
  readonly result: RunResult;
  readonly output: OutputDigest;
}

/** Where a run of some mode differs from the reference. */
type Difference =
  | { readonly at: 'event'; readonly parting: Parting; readonly depth: Depth }
  | { readonly at: 'memory'; readonly spaces: ReadonlySet<number> }
  | { readonly at: 'output' };

/** What came of one comparison. */
interface Comparison {
  readonly metrics: Metrics;
  /** A limit ended the runs before anything differed. */
  readonly isCut: boolean;
  readonly difference: Difference | undefined;
  /** With depth `visible`: something differed that only `full` looks at. */
  readonly hasDeeper: boolean;
}

/**
 * Checks a program. Its output goes to the host's streams once.
 * @throws what `Sandbox.create` throws; TraplineError `CHECK_INPUT` for more input than can be kept,
 *   `CHECK_UNREPEATABLE` when the program's world changes between the runs
 */
export async function checkProgram(options: CheckOptions): Promise<CheckResult> {
  const { modes } = options;
  const trees = new SteadyTrees();
  const program = trees.over(options.program);
  const streams = new SharedStreams(options.input);
  const taker = new CourseTaker();
  const { result, output } = await runOnce(program, { patch: 'off' }, streams, taker, { shows: true });
  const check = new Check({ ...options, program }, trees, streams, { taker, result, output });
  const results = new Map<CheckedMode, ModeResult>();
  // What hardened mode refuses is part of the explanation of what upstream does not, so it comes first.
  for (const mode of ['hardened', 'upstream'] as const) {
    if (modes.includes(mode)) results.set(mode, await check.mode(mode));
  }
  const inOrder = modes.flatMap((mode) => results.get(mode) ?? []);
  return {
    program: program.program,
    seed: program.seed ?? 0,
    verdict: worst(inOrder.map((r) => r.verdict)),
    reference: result.metrics,
    modes: inOrder,
    events: taker.events,
  };
}

class Check {
  private readonly options: CheckOptions;
  private readonly trees: SteadyTrees;
  private readonly streams: SharedStreams;
  private readonly reference: Reference;
  private readonly maxInstructions: number;
  private isRepeatable: boolean | undefined;
  /** Rules by which hardened mode left sites alone, by address. */
  private refused: ReadonlyMap<number, string> = new Map();

  constructor(options: CheckOptions, trees: SteadyTrees, streams: SharedStreams, reference: Reference) {
    this.options = options;
    this.trees = trees;
    this.streams = streams;
    this.reference = reference;
    this.maxInstructions = Math.floor(reference.result.metrics.instructions * EXTRA_FACTOR) + EXTRA_INSTRUCTIONS;
  }

  /** Checks one mode. */
  async mode(mode: CheckedMode): Promise<ModeResult> {
    const run: RunMode = { patch: mode };
    const first = await this.compare(run, mode === 'hardened' ? 'full' : 'visible');
    const { metrics } = first;
    if (mode === 'hardened') this.refused = new Map(metrics.refused.map((r) => [Number(r.address), r.rule]));
    const done = (verdict: CheckVerdict, divergence?: Divergence): ModeResult => ({
      mode,
      verdict,
      divergence,
      metrics,
    });
    if (first.isCut) return done('incomplete');
    const divergence =
      mode === 'hardened'
        ? await this.explain(run, first.difference, { kind: 'inherent' })
        : await this.upstream(run, first);
    if (divergence !== undefined) {
      await this.assertRepeatable();
      return done('differs', divergence);
    }
    return done(isSlowerOnly(metrics) ? 'slower-only' : 'same');
  }

  /** Makes sure that a difference is the mode's doing: two runs with patching off must not differ. */
  private async assertRepeatable(): Promise<void> {
    this.isRepeatable ??= (await this.compare({ patch: 'off' }, 'full')).difference === undefined;
    const { changed } = this.trees;
    if (changed !== undefined) {
      throw new TraplineError(
        'CHECK_UNREPEATABLE',
        `${changed}: another program has changed it between the runs, which all read it: check with a copy of it, given ` +
          'with --bind or in another --root',
      );
    }
    if (this.isRepeatable) return;
    throw new TraplineError(
      'CHECK_UNREPEATABLE',
      'two runs with patching off differ from each other: something that the program sees changes meanwhile; check it ' +
        'with a copy of the files that it uses',
    );
  }

  /**
   * A patched call of upstream's leaves rcx and r11 as they were, and their old values lie about in registers and memory
   * where nobody reads them. So these are compared with a variant of upstream that differs in nothing but that.
   */
  private async upstream(plain: RunMode, first: Comparison): Promise<Divergence | undefined> {
    if (first.difference === undefined && !first.hasDeeper) return undefined;
    const clobbering: RunMode = { ...plain, guards: { syscallClobbers: true } };
    const second = await this.compare(clobbering, 'full');
    if (first.difference !== undefined && second.difference === undefined)
      return await this.explain(plain, first.difference, { kind: 'guard', guard: 'syscallClobbers' });
    if (second.difference === undefined) return undefined;
    return await this.explain(clobbering, second.difference, await this.tryGuards(clobbering));
  }

  /** Looks for the first guard that makes the difference go away. */
  private async tryGuards(run: RunMode): Promise<Trial> {
    if (this.reference.result.metrics.instructions > MAX_TRIED_INSTRUCTIONS) return { kind: 'untried' };
    for (const guard of GUARDS_TO_TRY) {
      const { difference } = await this.compare({ ...run, guards: { ...run.guards, [guard]: true } }, 'full');
      if (difference === undefined) return { kind: 'guard', guard };
    }
    const { difference } = await this.compare({ patch: 'hardened' }, 'full');
    return { kind: difference === undefined ? 'several' : 'inherent' };
  }

  private async compare(run: RunMode, depth: Depth): Promise<Comparison> {
    const { reference, maxInstructions } = this;
    const isCut = isLimit(reference.result.ended);
    const taker = new ComparingTaker(reference.taker, depth, isCut);
    const { result, output } = await runOnce(this.options.program, run, this.streams, taker, { maxInstructions });
    const { metrics } = result;
    // Too many instructions are the mode's own doing: then something that the program does is missing.
    const isStopped = taker.parting === null && (isCut || (isLimit(result.ended) && result.ended !== 'budget'));
    const parting = isStopped ? null : taker.finish();
    const hasDeeper = taker.deepParting !== null || taker.spaces.size > 0;
    const comparison = { metrics, isCut: isStopped, hasDeeper };
    if (parting !== null) return { ...comparison, difference: { at: 'event', parting, depth } };
    if (!isStopped && !output.equals(reference.output)) return { ...comparison, difference: { at: 'output' } };
    if (depth === 'full' && taker.spaces.size > 0)
      return { ...comparison, difference: { at: 'memory', spaces: taker.spaces } };
    return { ...comparison, difference: undefined };
  }

  /** Looks at the place in both runs, and says what it means. */
  private async explain(
    run: RunMode,
    difference: Difference | undefined,
    trial: Trial,
  ): Promise<Divergence | undefined> {
    switch (difference?.at) {
      case undefined:
        return undefined;
      case 'output':
        return outputDivergence(trial);
      case 'memory':
        return await this.explainMemory(run, difference.spaces, trial);
      case 'event':
        return await this.explainEvent(run, await this.locate(run, difference.parting, difference.depth), trial);
    }
  }

  private async explainEvent(run: RunMode, place: Place, trial: Trial): Promise<Divergence> {
    const { program, disassembler } = this.options;
    const { refused, maxInstructions } = this;
    const expected = new SceneTaker(place);
    await runOnce(program, { patch: 'off' }, this.streams, expected);
    const found = new SceneTaker(place, expected.snapshot);
    await runOnce(program, run, this.streams, found, { maxInstructions });
    return diagnose({
      task: place.key,
      event: place.index,
      expected: expected.scene,
      found: found.scene,
      corrupted: found.differences,
      refused,
      trial,
      disassembler: disassembler(),
    });
  }

  /** What differs in memory at the ends of processes. */
  private async explainMemory(run: RunMode, spaces: ReadonlySet<number>, trial: Trial): Promise<Divergence> {
    const { program, disassembler } = this.options;
    const expected = new MemoryTaker(spaces);
    await runOnce(program, { patch: 'off' }, this.streams, expected);
    const found = new MemoryComparer(expected.snapshots);
    await runOnce(program, run, this.streams, found);
    return diagnoseMemory({
      task: '1',
      expected: NO_SCENE,
      found: { ...NO_SCENE, sites: found.log.sites },
      corrupted: found.differences,
      refused: this.refused,
      trial,
      disassembler: disassembler(),
    });
  }

  /** The exact event, where the notes say only between which two it is. */
  private async locate(run: RunMode, parting: Parting, depth: Depth): Promise<Place> {
    const { program } = this.options;
    const { key, same, within } = parting;
    if (within === same + 1) return { key, index: within };
    const expected = new RangeTaker(parting, depth);
    await runOnce(program, { patch: 'off' }, this.streams, expected);
    const found = new RangeTaker(parting, depth);
    await runOnce(program, run, this.streams, found, { maxInstructions: this.maxInstructions });
    let at = 0;
    while (at < expected.hashes.length && expected.hashes[at] === found.hashes[at]) at++;
    return { key, index: same + 1 + at };
  }
}

/** The program did not come to its own end. */
function isLimit(ended: RunResult['ended']): boolean {
  return ended === 'timeout' || ended === 'budget' || ended === 'output' || ended === 'stopped';
}

function outputDivergence(trial: Trial): Divergence {
  const guard = guardOf(trial);
  return {
    kind: 'output',
    cause: guard === undefined ? 'unknown' : causeOf(guard),
    guard,
    task: '1',
    tid: 1,
    event: 0,
    expected: 'the output that is shown above',
    found: 'other output',
    before: [],
    suspect: undefined,
    corrupted: [],
    faultAddress: undefined,
  };
}

/** Most calls that a patched site could serve trap: each place's first call has to, later ones are late. */
function isSlowerOnly({ refused, trapped, patchedCalls }: Metrics): boolean {
  const late = refused.reduce((sum, { traps }) => sum + traps - 1, 0);
  return late > FEW_TRAPS && late > patchedCalls && trapped > patchedCalls;
}

const ORDER: readonly CheckVerdict[] = ['same', 'slower-only', 'incomplete', 'differs'];

function worst(verdicts: readonly CheckVerdict[]): CheckVerdict {
  return ORDER[Math.max(0, ...verdicts.map((v) => ORDER.indexOf(v)))] ?? 'same';
}
