// SPDX-License-Identifier: MIT
//
// The course of a run in bounded memory: for each task the hash of what it has done, noted after every `step` events.
// A second run is held against the notes as it goes. Long runs double the step, which drops every other note.

/** Notes of all tasks together before the step doubles: 16 MiB. */
const MAX_NOTES = 2 ** 21;

/** What is kept of one task. */
export interface TaskCourse {
  /** Events in all. */
  count: number;
  /** The hash after the last one. */
  last: number;
  /** The hash after each `step` events. */
  notes: number[];
}

/** Where two courses part, as far as the notes tell. */
export interface Parting {
  /** The task. */
  readonly key: string;
  /** Events of the task that are the same for certain. */
  readonly same: number;
  /** The first event that differs is no later than this one, counted from 1. */
  readonly within: number;
}

/** The notes of one run: the reference. */
export class Course {
  readonly tasks = new Map<string, TaskCourse>();
  step = 1;
  private notes = 0;

  /** Takes the next event of a task. */
  add(key: string, hash: number): void {
    let task = this.tasks.get(key);
    if (task === undefined) this.tasks.set(key, (task = { count: 0, last: 0, notes: [] }));
    task.count++;
    task.last = hash;
    if (task.count % this.step !== 0) return;
    task.notes.push(hash);
    if (++this.notes >= MAX_NOTES) this.coarsen();
  }

  private coarsen(): void {
    this.step *= 2;
    this.notes = 0;
    for (const task of this.tasks.values()) {
      task.notes = task.notes.filter((_, i) => i % 2 === 1);
      this.notes += task.notes.length;
    }
  }
}

/** Holds a run against the notes of another one, event by event. */
export class CourseComparison {
  private readonly reference: Course;
  private readonly isOpen: boolean;
  private readonly counts = new Map<string, number>();
  parting: Parting | null = null;

  /** @param isOpen the reference would have gone on */
  constructor(reference: Course, isOpen: boolean) {
    this.reference = reference;
    this.isOpen = isOpen;
  }

  /** Takes the next event of a task; false when the courses have parted. */
  add(key: string, hash: number): boolean {
    const count = (this.counts.get(key) ?? 0) + 1;
    this.counts.set(key, count);
    if (this.parting !== null) return false;
    const task = this.reference.tasks.get(key);
    const { step } = this.reference;
    if (this.isOpen && count > (task?.count ?? 0)) return true;
    const isSame =
      task !== undefined &&
      count <= task.count &&
      (count % step !== 0 || task.notes[count / step - 1] === hash) &&
      (count !== task.count || task.last === hash);
    if (isSame) return true;
    const same = Math.min(Math.floor((count - 1) / step) * step, task?.count ?? 0);
    this.parting = { key, same, within: count };
    return false;
  }

  /** Events of a task so far. */
  done(key: string): number {
    return this.counts.get(key) ?? 0;
  }

  /** The run is over: a task that did less than it should have parts there. */
  finish(): Parting | null {
    if (this.parting !== null || this.isOpen) return this.parting;
    const { step } = this.reference;
    for (const [key, task] of this.reference.tasks) {
      const count = this.counts.get(key) ?? 0;
      if (count === task.count) continue;
      this.parting = { key, same: Math.floor(count / step) * step, within: count + 1 };
      break;
    }
    return this.parting;
  }
}
