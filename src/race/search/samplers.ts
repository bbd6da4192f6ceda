// SPDX-License-Identifier: MIT
//
// Sampling strategies: how a run chooses whose step is next. A new one is an entry of SAMPLERS; nothing else changes.

import type { Prng } from '../../base/prng.ts';

/** Chooses one of `enabled`, which is never empty. `last`: who moved last, -1 at the start. */
export type Chooser = (enabled: readonly number[], last: number) => number;

export interface Sampler {
  readonly name: string;
  readonly summary: string;
  /**
   * A chooser for one run.
   * @param lengths visible steps that each actor made in an average run so far
   * @param run index of the run
   */
  begin(prng: Prng, lengths: readonly number[], run: number): Chooser;
}

/** Each actor that can move is as likely as another. */
const RANDOM: Sampler = {
  name: 'random',
  summary: 'every enabled actor is equally likely',
  begin: (prng) => (enabled) => enabled[prng.below(enabled.length)] ?? -1,
};

/** Uniform over interleavings rather than over choices: an actor's weight is how many steps it has left. */
const URW: Sampler = {
  name: 'urw',
  summary: 'an actor is the likelier the more steps it has left: near uniform over interleavings',
  begin: (prng, lengths) => {
    const left = lengths.map((n) => Math.max(1, Math.round(n)));
    return (enabled) => {
      let total = 0;
      for (const actor of enabled) total += left[actor] ?? 1;
      let pick = prng.below(total);
      for (const actor of enabled) {
        pick -= left[actor] ?? 1;
        if (pick >= 0) continue;
        left[actor] = Math.max(1, (left[actor] ?? 1) - 1);
        return actor;
      }
      return enabled[0] ?? -1;
    };
  },
};

/**
 * Probabilistic concurrency testing (Burckhardt et al. 2010): random priorities, and `depth - 1` random moments at which
 * the actor that runs gets the lowest. Finds a bug of that depth with a known probability.
 */
function pct(depth: number): Sampler {
  return {
    name: depth === 3 ? 'pct' : `pct${depth}`,
    summary: `random priorities that change ${depth - 1} times: finds bugs of depth ${depth}`,
    begin: (prng, lengths) => {
      const priorities = lengths.map((_, i) => depth + i);
      for (let i = priorities.length - 1; i > 0; i--) {
        const k = prng.below(i + 1);
        [priorities[i], priorities[k]] = [priorities[k] as number, priorities[i] as number];
      }
      const total = Math.max(1, Math.round(lengths.reduce((sum, n) => sum + n, 0)));
      const changes = new Map<number, number>();
      for (let i = 1; i < depth; i++) changes.set(prng.below(total), i);
      let step = 0;
      return (enabled) => {
        const highest = (): number =>
          enabled.reduce((best, a) => ((priorities[a] ?? 0) > (priorities[best] ?? 0) ? a : best), enabled[0] ?? -1);
        let actor = highest();
        const change = changes.get(step++);
        if (change !== undefined) {
          priorities[actor] = depth - change - 1;
          actor = highest();
        }
        return actor;
      };
    },
  };
}

/** A different strategy each run. */
function portfolio(members: readonly Sampler[]): Sampler {
  return {
    name: 'portfolio',
    summary: `takes turns: ${members.map((m) => m.name).join(', ')}`,
    begin: (prng, lengths, run) => (members[run % members.length] ?? RANDOM).begin(prng, lengths, run),
  };
}

export const SAMPLERS: readonly Sampler[] = [RANDOM, pct(3), pct(2), URW, portfolio([RANDOM, URW, pct(3), pct(2)])];
