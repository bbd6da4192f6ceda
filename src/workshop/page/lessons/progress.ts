// SPDX-License-Identifier: MIT
//
// Which tasks are done, kept in this browser. A browser that keeps nothing, or something else under our name, only
// means that the lesson begins anew.

import { signal } from '@preact/signals';
import type { Attempt } from '../../lessons/lesson.ts';

/** Of one lesson. */
export interface LessonProgress {
  /** Ids of tasks whose goal was reached. */
  readonly done: readonly string[];
  /** What was right, by task: for the line that is handed in. */
  readonly answers: Readonly<Record<string, Attempt>>;
  /** Attempts. */
  readonly steps: number;
  /** Time with the lesson open. */
  readonly seconds: number;
}

const KEY = 'trapline-lessons-2';
export const NOTHING: LessonProgress = { done: [], answers: {}, steps: 0, seconds: 0 };

const progress = signal<Readonly<Record<string, LessonProgress>>>(load());

export function lessonProgress(lesson: string): LessonProgress {
  return progress.value[lesson] ?? NOTHING;
}

/** Whether all tasks of a lesson are done. */
export function isLessonDone(lesson: string, tasks: number): boolean {
  return lessonProgress(lesson).done.length >= tasks;
}

/** Changes what is known of a lesson. */
export function updateProgress(lesson: string, change: (now: LessonProgress) => LessonProgress): void {
  progress.value = { ...progress.peek(), [lesson]: change(progress.peek()[lesson] ?? NOTHING) };
  try {
    localStorage.setItem(KEY, JSON.stringify(progress.peek()));
  } catch {
    // A browser that keeps nothing: it is known until the page is closed.
  }
}

function load(): Record<string, LessonProgress> {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    if (typeof stored !== 'object' || stored === null) return {};
    return Object.fromEntries(Object.entries(stored).filter(isProgress));
  } catch {
    return {};
  }
}

function isProgress(entry: [string, unknown]): entry is [string, LessonProgress] {
  const value = entry[1] as Partial<LessonProgress> | null;
  return (
    Array.isArray(value?.done) &&
    value.done.every((id) => typeof id === 'string') &&
    typeof value.answers === 'object' &&
    value.answers !== null &&
    typeof value.steps === 'number' &&
    typeof value.seconds === 'number'
  );
}
