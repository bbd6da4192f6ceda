// SPDX-License-Identifier: MIT
//
// Makes a failing schedule small (races.md 4.7): turns of one actor are left out or joined with another turn of the
// same actor, single steps are left out, as long as the failure stays the same one.

import { replay } from './schedule.ts';
import type { Replay, ScheduledStep } from './schedule.ts';
import { countSwitches } from './system.ts';
import type { Failure, TransitionSystem, Witness } from './system.ts';

/** Steps of one actor's turn. */
type Turn = readonly ScheduledStep[];

function turnsOf(steps: readonly ScheduledStep[]): Turn[] {
  const turns: ScheduledStep[][] = [];
  for (const step of steps) {
    const turn = turns.at(-1);
    if (turn !== undefined && turn[0]?.actor === step.actor) turn.push(step);
    else turns.push([step]);
  }
  return turns;
}

/** Schedules that are worth a try, the boldest first. */
function* candidates(steps: readonly ScheduledStep[]): Generator<ScheduledStep[]> {
  const turns = turnsOf(steps);
  for (let i = 0; i < turns.length; i++) yield turns.filter((_, k) => k !== i).flat();
  for (let i = 0; i < turns.length; i++) {
    for (const to of [i - 2, i + 2]) {
      const turn = turns[i];
      const other = turns[to];
      if (turn === undefined || other === undefined || turn[0]?.actor !== other[0]?.actor) continue;
      const joined = to < i ? [...other, ...turn] : [...turn, ...other];
      yield turns.flatMap((t, k) => (k === i ? [] : k === to ? joined : t));
    }
  }
  for (let i = steps.length - 1; i >= 0; i--) yield steps.filter((_, k) => k !== i);
}

function failureOf(system: TransitionSystem, found: Replay): Failure | undefined {
  return found.failure ?? (found.kind === 'passed' ? system.stuck(found.state) : undefined);
}

/** A witness of the same failure from which nothing more can be taken away. */
export function shrink(system: TransitionSystem, witness: Witness): Witness {
  let best = witness;
  for (let improved = true; improved;) {
    improved = false;
    for (const candidate of candidates(best.steps)) {
      const found = replay(system, candidate, 'lenient');
      const failure = failureOf(system, found);
      if (failure?.signature !== witness.failure.signature) continue;
      const switches = countSwitches(found.steps);
      const isShorter = switches === best.switches && found.steps.length < best.steps.length;
      if (switches > best.switches || (switches === best.switches && !isShorter)) continue;
      const ended =
        found.failure !== undefined || system.actors.every((_, a) => system.moves(found.state, a).length === 0);
      if (!ended) continue;
      best = { failure, steps: found.steps, switches, isMinimal: false };
      improved = true;
      break;
    }
  }
  return best;
}
