// SPDX-License-Identifier: MIT
//
// Tasks by their place in the tree of tasks: the first is `1`, its second child `1.2`. Unlike thread ids, places do not
// depend on how the turns of other tasks fell. Each has running hashes of what the task did.

import { HashChain } from './hash-chain.ts';

/** Longest place that is written out. */
const MAX_KEY = 80;

/** One task. */
export interface TaskPlace {
  readonly key: string;
  /** Hash of everything: registers and vector state at each call, too. */
  readonly full: HashChain;
  /** Hash of what others can see: calls with the arguments that they take, data, results, signals, ends. */
  readonly visible: HashChain;
  children: number;
  /** Calls entered so far. */
  calls: number;
  /** Recoveries at a patched site since the last call. */
  restarts: number;
}

function place(key: string): TaskPlace {
  return { key, full: new HashChain(), visible: new HashChain(), children: 0, calls: 0, restarts: 0 };
}

/** A program can make a chain of children without end: beyond a length the hash of a place stands for it. */
function shortened(key: string): string {
  if (key.length < MAX_KEY) return key;
  const hash = new HashChain();
  hash.text(key);
  return `~${hash.value.toString(36)}`;
}

/** The tasks that are alive. */
export class TaskTree {
  private readonly byTid = new Map<number, TaskPlace>();

  /** A task has been made. */
  start(tid: number, parentTid: number): TaskPlace {
    const parent = this.byTid.get(parentTid);
    const made = place(parent === undefined ? '1' : `${shortened(parent.key)}.${++parent.children}`);
    this.byTid.set(tid, made);
    return made;
  }

  get(tid: number): TaskPlace | undefined {
    return this.byTid.get(tid);
  }

  /** A thread has executed a program and goes on under its leader's id. */
  rename(from: number, to: number): void {
    const moved = this.byTid.get(from);
    if (from === to || moved === undefined) return;
    this.byTid.delete(from);
    this.byTid.set(to, moved);
  }

  end(tid: number): void {
    this.byTid.delete(tid);
  }
}
