// SPDX-License-Identifier: MIT
//
// Equal actors are exchangeable: of the states that differ only in which of them is where, the one whose parts are
// sorted stands for all. A state is a tuple of numbers here: what all share, then one part an actor.

/** Which actors of a system are equal at its start. */
export class Exchange {
  /** Of each actor, the first and the last of those equal to it. */
  readonly groups: readonly (readonly [number, number])[];

  constructor(groups: Exchange['groups']) {
    this.groups = groups;
  }

  /** Neighbours with the same part are equal. */
  static of(parts: readonly number[]): Exchange {
    return new Exchange(
      parts.map((part, i) => {
        let first = i;
        let last = i;
        while (first > 0 && parts[first - 1] === part) first--;
        while (last + 1 < parts.length && parts[last + 1] === part) last++;
        return [first, last] as const;
      }),
    );
  }

  /** Whether a step that changes this actor's part alone can leave equal actors out of order. */
  concerns(actor: number): boolean {
    const group = this.groups[actor];
    return group !== undefined && group[0] !== group[1];
  }

  /**
   * Sorts the actors equal to the one that moved, and all others where `sortsAll`.
   * @returns where the one that moved is now
   */
  sort(tuple: Int32Array, actor: number, sortsAll: boolean): number {
    const [low, high] = this.groups[actor] as readonly [number, number];
    const mine = tuple[actor + 1] as number;
    sortParts(tuple, low + 1, high + 1);
    if (sortsAll) {
      for (let i = 0; i < this.groups.length;) {
        const [first, last] = this.groups[i] as readonly [number, number];
        if (first !== low && last > first) sortParts(tuple, first + 1, last + 1);
        i = last + 1;
      }
    }
    let now = low;
    while (tuple[now + 1] !== mine) now++;
    return now;
  }
}

function sortParts(tuple: Int32Array, from: number, to: number): void {
  for (let i = from + 1; i <= to; i++) {
    const value = tuple[i] as number;
    let at = i - 1;
    while (at >= from && (tuple[at] as number) > value) {
      tuple[at + 1] = tuple[at] as number;
      at--;
    }
    tuple[at + 1] = value;
  }
}
