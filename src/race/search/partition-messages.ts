// SPDX-License-Identifier: MIT
//
// What the parts of a divided search tell each other: arrays of numbers, the first of which is one of these.

/** Kinds of messages. Those with a partition to go to and one that they come from have these next. */
export const Say = {
  // from whoever leads the search
  layer: 1, // layer: go on with the states that wait for it
  row: 2, // part, shared, row
  after: 3, // event, part, after
  findEnds: 4, // all states are known: which can come to an end?
  refine: 5, // look at every move of those of which that is not known
  // between partitions: to, from, records
  states: 16, // tuple, its last actor, 1 where a layer ahead
  exits: 17, // tuple, number of a state from which it is reached
  canEnd: 18, // numbers of states
  asks: 19, // as exits: say so where the state can come to an end now
  // to whoever leads
  needRow: 32, // part, shared
  needAfter: 33, // event, part
  ends: 34, // tuples of states in which nobody can move
  report: 35, // see PartitionReport
} as const;

/** Where records begin in a message between partitions. */
export const RECORDS = 3;

/** How far a partition is. */
export interface PartitionReport {
  /** Messages that it had been sent when it said so. */
  readonly received: number;
  /** It has nothing to do but what others send. */
  readonly isIdle: boolean;
  readonly states: number;
  readonly transitions: number;
  /** States that wait in this layer, and those that wait for the next. */
  readonly waiting: number;
  readonly ahead: number;
  /** States of which it is not known whether they come to an end. */
  readonly unresolved: number;
  /** By the numbers of failures: fewest switches to one, -1 for none; ends of that kind. */
  readonly failures: readonly { readonly switches: number; readonly count: number }[];
}

const HIGH = 2 ** 30;

export function encodeReport(report: PartitionReport): Int32Array {
  const { received, isIdle, states, transitions, waiting, ahead, unresolved, failures } = report;
  const pairs = failures.flatMap(({ switches, count }) => [switches, count]);
  const counts = [received, Math.floor(transitions / HIGH), transitions % HIGH, states, waiting, ahead, unresolved];
  return Int32Array.of(Say.report, isIdle ? 1 : 0, ...counts, ...pairs);
}

export function decodeReport(message: Int32Array): PartitionReport {
  const at = (i: number): number => message[i] ?? 0;
  const failures: { switches: number; count: number }[] = [];
  for (let i = 9; i + 1 < message.length; i += 2) failures.push({ switches: at(i), count: at(i + 1) });
  return {
    isIdle: at(1) === 1,
    received: at(2),
    transitions: at(3) * HIGH + at(4),
    states: at(5),
    waiting: at(6),
    ahead: at(7),
    unresolved: at(8),
    failures,
  };
}
