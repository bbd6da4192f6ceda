// SPDX-License-Identifier: MIT
//
// The notes of a course and the comparison with another one, against a plain comparison of all events.

import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { Course, CourseComparison } from '../../../src/sandbox/check/course.ts';
import { HashChain } from '../../../src/sandbox/check/hash-chain.ts';
import { TaskTree } from '../../../src/sandbox/check/task-tree.ts';

/** An event of a task: what it is, and whose. */
type Event = readonly [task: string, what: number];

const events = fc.array(fc.tuple(fc.constantFrom('1', '1.1', '1.2'), fc.integer({ min: 0, max: 3 })), {
  maxLength: 60,
});

/** Each event with the hash of all that its task has done. */
function* hashed(list: readonly Event[]): Generator<readonly [string, number]> {
  const chains = new Map<string, HashChain>();
  for (const [task, what] of list) {
    const chain = chains.get(task) ?? new HashChain();
    chains.set(task, chain);
    chain.word(what);
    yield [task, chain.value];
  }
}

function courseOf(list: readonly Event[]): Course {
  const course = new Course();
  for (const [task, hash] of hashed(list)) course.add(task, hash);
  return course;
}

const ofTask = (list: readonly Event[], task: string): readonly number[] =>
  list.filter(([t]) => t === task).map(([, what]) => what);

function firstDifference(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) if (a[i] !== b[i]) return i + 1;
  return 0;
}

describe('Course', () => {
  it('finds two runs equal when each task did the same, whatever the order among tasks', () => {
    fc.assert(
      fc.property(events, fc.integer(), (list, seed) => {
        const course = courseOf(list);
        // The same events of each task, the tasks one after the other.
        const order = ['1', '1.1', '1.2'].sort((a, b) => ((a + b).length * seed) % 3);
        const other = order.flatMap((task) => list.filter(([t]) => t === task));
        const comparison = new CourseComparison(course, false);
        for (const [task, hash] of hashed(other)) expect(comparison.add(task, hash)).toBe(true);
        expect(comparison.finish()).toBeNull();
      }),
      { seed: 11 },
    );
  });

  it('finds the first event of a task that differs, is missing or is too many', () => {
    fc.assert(
      fc.property(events, events, (list, other) => {
        const comparison = new CourseComparison(courseOf(list), false);
        for (const [task, hash] of hashed(other)) if (!comparison.add(task, hash)) break;
        const parting = comparison.finish();
        const places = ['1', '1.1', '1.2'].map((task) => firstDifference(ofTask(list, task), ofTask(other, task)));
        if (places.every((at) => at === 0)) {
          expect(parting).toBeNull();
          return;
        }
        const { key, same, within } = parting ?? { key: '', same: 0, within: 0 };
        const at = firstDifference(ofTask(list, key), ofTask(other, key));
        expect([same + 1, within]).toEqual([at, at]);
      }),
      { seed: 12 },
    );
  });

  it('takes what goes beyond the end of an unfinished reference for no difference', () => {
    const list: Event[] = [
      ['1', 1],
      ['1', 2],
    ];
    const comparison = new CourseComparison(courseOf(list), true);
    const longer: Event[] = [...list, ['1', 3], ['1.1', 4]];
    for (const [task, hash] of hashed(longer)) expect(comparison.add(task, hash)).toBe(true);
    expect(comparison.finish()).toBeNull();
  });

  it('keeps fewer notes of a longer run, and then brackets the event that differs', () => {
    const length = 2 ** 21 + 100_000;
    const course = new Course();
    const chain = new HashChain();
    for (let i = 0; i < length; i++) {
      chain.word(i);
      course.add('1', chain.value);
    }
    expect(course.step).toBe(2);
    expect(course.tasks.get('1')?.notes.length).toBeLessThan(2 ** 21);
    const other = new HashChain();
    const comparison = new CourseComparison(course, false);
    const wrong = 1_234_567;
    let i = 0;
    do other.word(i === wrong ? -1 : i);
    while (comparison.add('1', other.value) && ++i < length);
    expect(comparison.parting).toEqual({ key: '1', same: wrong - 1, within: wrong + 1 });
  });
});

describe('TaskTree', () => {
  it('names tasks by their places, whatever ids they have', () => {
    const [a, b] = [new TaskTree(), new TaskTree()];
    const places = [a.start(1, 0), a.start(2, 1), a.start(3, 2), a.start(4, 1)].map(({ key }) => key);
    expect(places).toEqual(['1', '1.1', '1.1.1', '1.2']);
    // Another order among tasks, and other ids.
    const others = [b.start(1, 0), b.start(7, 1), b.start(9, 1), b.start(8, 7)].map(({ key }) => key);
    expect(others).toEqual(['1', '1.1', '1.2', '1.1.1']);
  });

  it('gives each task of a long chain a short name of its own', () => {
    const tree = new TaskTree();
    const names = new Set<string>();
    let longest = 0;
    for (let tid = 1; tid <= 5000; tid++) {
      const { key } = tree.start(tid, tid - 1);
      names.add(key);
      longest = Math.max(longest, key.length);
    }
    expect(names.size).toBe(5000);
    expect(longest).toBeLessThan(100);
  });

  it('lets a thread that executes a program go on as itself', () => {
    const tree = new TaskTree();
    tree.start(1, 0);
    const thread = tree.start(2, 1);
    tree.end(1);
    tree.rename(2, 1);
    expect(tree.get(1)).toBe(thread);
    expect(tree.get(2)).toBeUndefined();
  });
});
