// SPDX-License-Identifier: MIT
//
// What can be explored, and what an exploration says. Nothing here knows of x86: a system has states, known by dense
// numbers, and actors that make moves. Every search strategy works on this interface alone.

/** What went wrong, with a signature that is the same for every schedule that fails in the same way. */
export interface Failure {
  readonly signature: string;
  /** For people. `{actor}` stands for the name of the actor whose step it was. */
  readonly text: string;
}

/**
 * What a move reads and writes, as sets of bits: two moves of different actors commute unless one writes what the
 * other reads or writes. A system that does not know says {@link EVERYTHING}.
 */
export interface Footprint {
  readonly reads: number;
  readonly writes: number;
}

/** A footprint that depends on everything. */
export const EVERYTHING: Footprint = { reads: -1, writes: -1 };

/** One step that an actor can make. */
export interface Move {
  /** Name of the step in a schedule. */
  readonly name: string;
  /** The state that it leads to. Meaningless when it fails. */
  readonly to: number;
  /** Which actor it was, by the numbering of `to`: another number only where a system exchanges equal actors. */
  readonly actor: number;
  readonly failure: Failure | null;
  readonly footprint: Footprint;
}

/**
 * A system of actors. States are numbers from 0 in the order in which they became known; equal numbers are equal
 * states. Moves are deterministic: the same state and actor always give the same list.
 */
export interface TransitionSystem {
  /** Names of the actors, by index. */
  readonly actors: readonly string[];
  readonly initial: number;
  /** What an actor can do next; several where a fetch or a store has a choice; none when it has ended or waits. */
  moves(state: number, actor: number): readonly Move[];
  /** What the move with this index in `moves` does, for people. */
  describe(state: number, actor: number, index: number): string;
  /** Called where no actor can move: undefined when that is how a run ends, else what is wrong. */
  stuck(state: number): Failure | undefined;
  /** How a run that ends here ended, for the table of outcomes. */
  outcome(state: number): string;
}

/** A step as it happened. */
export interface WitnessStep {
  readonly actor: number;
  readonly name: string;
  readonly text: string;
  /** Numbers of the states before and after it; the latter is -1 where the step fails. */
  readonly before: number;
  readonly state: number;
}

/** A path to a failure. */
export interface Witness {
  /** Its text names the actor. */
  readonly failure: Failure;
  readonly steps: readonly WitnessStep[];
  readonly switches: number;
  /** Nothing shorter fails this way: fewest switches, then fewest steps. */
  readonly isMinimal: boolean;
}

/** Why a search ended before it had seen everything; `lost`: a process that explored for it is gone. */
export type StopReason = 'budget' | 'time' | 'interrupted' | 'lost';

/** What was found. `incomplete` never counts as a pass. */
export interface Exploration {
  readonly verdict: 'holds' | 'fails' | 'incomplete';
  readonly complete: boolean;
  readonly strategy: string;
  readonly stoppedBy: StopReason | null;
  /** What happened to a process that is lost. */
  readonly trouble?: string;
  /** Distinct states that were expanded; 0 where a strategy keeps none. */
  readonly states: number;
  readonly transitions: number;
  /** Whole runs, for strategies that make runs. */
  readonly schedules: number;
  /** Ends that were reached: how many states end so, or how many runs for a strategy that makes runs. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** One witness a signature; the first has the fewest switches, then the fewest steps. */
  readonly witnesses: readonly Witness[];
  /** Context switches up to which everything was seen; -1 when not even runs without one. */
  readonly switchesCovered: number;
  /** How much there is, for a search that was long or did not end. */
  readonly estimate: Estimate | null;
}

/** How much there is to explore, from random runs. */
export interface Estimate {
  /** Distinct states, at least about so many. */
  readonly states: number;
  readonly interleavings: number;
}

/** How a search goes on, told every few thousand transitions. */
export interface Progress {
  readonly states: number;
  readonly transitions: number;
  readonly schedules: number;
  /** States or runs that wait. */
  readonly frontier: number;
  /** Context switches of what is explored now; -1 where that means nothing. */
  readonly layer: number;
  readonly failures: number;
  readonly estimate: Estimate | null;
  /** Where it waits for others: settled when it can go on. */
  readonly ready?: Promise<void>;
}

/** Bounds of a search. */
export interface Limits {
  /** States at most for a stateful search, schedules at most for the others. */
  readonly budget: number;
}

/**
 * A search under way: yields every few thousand transitions and goes on when it is told null, or ends with what it has
 * when it is told a reason. The caller owns clocks and signals.
 */
export type Search = Generator<Progress, Exploration, StopReason | null>;

/** A failure whose text names the actor. */
export function namedFailure(failure: Failure, actor: string): Failure {
  return { signature: failure.signature, text: failure.text.replaceAll('{actor}', actor) };
}

/** Context switches of a path: changes of the acting actor. */
export function countSwitches(steps: readonly { readonly actor: number }[]): number {
  let switches = 0;
  for (let i = 1; i < steps.length; i++) if (steps[i]?.actor !== steps[i - 1]?.actor) switches++;
  return switches;
}

/** Fewest switches first, then fewest steps. */
export function compareWitnesses(a: Witness, b: Witness): number {
  return a.switches - b.switches || a.steps.length - b.steps.length;
}
