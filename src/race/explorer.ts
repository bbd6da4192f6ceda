// SPDX-License-Identifier: MIT
//
// Exhaustive exploration of a system of actors: a stateful 0-1 breadth-first search in which a context switch costs
// one. It knows nothing of x86. The first path to a failure has the fewest switches that any path to it has.

/** What went wrong, with a signature that is the same for every schedule that fails in the same way. */
export interface Failure {
  readonly signature: string;
  readonly text: string;
}

/** One step of an actor. */
export interface Transition<S> {
  readonly state: S;
  /** Name of the step in a schedule. */
  readonly name: string;
  /** What it does, for people. */
  readonly text: string;
  readonly failure?: Failure;
}

/** What can be explored. Steps are deterministic, and only visible operations are steps. */
export interface ExplorableSystem<S> {
  /** Names of the actors, by index. */
  readonly actors: readonly string[];
  initial(): S;
  /** Equal for states with equal futures. */
  key(state: S): string;
  /** Actors that can make a step. */
  enabled(state: S): readonly number[];
  step(state: S, actor: number): Transition<S>;
  /** Called where no actor can go on: undefined when that is how it ends, else what is wrong. */
  stuck(state: S): Failure | undefined;
  /** How a run ended, for the table of outcomes. */
  outcome(state: S): string;
}

/** A step as it happened. */
export interface WitnessStep<S> {
  readonly actor: number;
  readonly name: string;
  readonly text: string;
  /** The state after it. */
  readonly state: S;
}

/** A path to a failure. */
export interface Witness<S> {
  readonly failure: Failure;
  readonly steps: readonly WitnessStep<S>[];
  readonly switches: number;
}

/** What was found. `incomplete` never counts as a pass. */
export interface Exploration<S> {
  readonly verdict: 'holds' | 'fails' | 'incomplete';
  readonly complete: boolean;
  readonly states: number;
  readonly transitions: number;
  /** Ends that were reached, with how many states end so. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** One witness a signature, in the order found: the first has the fewest switches. */
  readonly witnesses: readonly Witness<S>[];
  /** Context switches up to which everything was seen. */
  readonly switchesCovered: number;
}

interface Node<S> {
  readonly state: S;
  readonly key: string;
  readonly actor: number;
  readonly from: Node<S> | null;
  readonly name: string;
  readonly text: string;
}

function pathTo<S>(node: Node<S>): WitnessStep<S>[] {
  const steps: WitnessStep<S>[] = [];
  for (let n: Node<S> | null = node; n !== null && n.from !== null; n = n.from) {
    steps.push({ actor: n.actor, name: n.name, text: n.text, state: n.state });
  }
  return steps.reverse();
}

/** Context switches of a path: changes of the acting actor. */
export function countSwitches(steps: readonly { readonly actor: number }[]): number {
  let switches = 0;
  for (let i = 1; i < steps.length; i++) if (steps[i]?.actor !== steps[i - 1]?.actor) switches++;
  return switches;
}

/**
 * Explores everything, or until `maxStates` states are known.
 * @param maxStates bound; when it is reached the verdict is `incomplete` unless a failure was found
 */
export function explore<S>(system: ExplorableSystem<S>, maxStates = 200_000): Exploration<S> {
  const initial = system.initial();
  /** State and last actor: what the cost of going on depends on. */
  const visited = new Set<string>();
  /** Steps taken, by state and actor: the search meets a state once per last actor, the system once. */
  const steps = new Map<string, Transition<S>>();
  const stateKeys = new Set<string>();
  const ends = new Map<string, string>();
  const witnesses = new Map<string, Witness<S>>();
  let layer: Node<S>[] = [{ state: initial, key: system.key(initial), actor: -1, from: null, name: '', text: '' }];
  let switches = -1;
  let bounded = false;

  const fail = (node: Node<S>, failure: Failure): void => {
    if (witnesses.has(failure.signature)) return;
    const path = pathTo(node);
    witnesses.set(failure.signature, { failure, steps: path, switches: countSwitches(path) });
  };

  while (layer.length > 0 && !bounded) {
    const next: Node<S>[] = [];
    // The layer grows while it is walked: steps of the same actor cost nothing.
    for (let i = 0; i < layer.length; i++) {
      const node = layer[i] as Node<S>;
      const visit = `${node.actor}|${node.key}`;
      if (visited.has(visit)) continue;
      visited.add(visit);
      if (!stateKeys.has(node.key)) {
        if (stateKeys.size >= maxStates) {
          bounded = true;
          break;
        }
        stateKeys.add(node.key);
      }
      const enabled = system.enabled(node.state);
      if (enabled.length === 0) {
        const wrong = system.stuck(node.state);
        if (wrong !== undefined) fail(node, wrong);
        ends.set(node.key, wrong?.signature ?? system.outcome(node.state));
        continue;
      }
      for (const actor of enabled) {
        const stepKey = `${actor}|${node.key}`;
        let transition = steps.get(stepKey);
        if (transition === undefined) {
          transition = system.step(node.state, actor);
          steps.set(stepKey, transition);
        }
        const child: Node<S> = {
          state: transition.state,
          key: system.key(transition.state),
          actor,
          from: node,
          name: transition.name,
          text: transition.text,
        };
        if (transition.failure !== undefined) {
          fail(child, transition.failure);
          ends.set(`${actor}!${node.key}`, transition.failure.signature);
          continue;
        }
        (node.actor === actor || node.actor === -1 ? layer : next).push(child);
      }
    }
    if (!bounded) switches++;
    layer = next;
  }

  const outcomes = new Map<string, number>();
  for (const end of ends.values()) outcomes.set(end, (outcomes.get(end) ?? 0) + 1);
  const complete = !bounded;
  return {
    verdict: witnesses.size > 0 ? 'fails' : complete ? 'holds' : 'incomplete',
    complete,
    states: stateKeys.size,
    transitions: steps.size,
    outcomes,
    witnesses: [...witnesses.values()],
    switchesCovered: switches,
  };
}
