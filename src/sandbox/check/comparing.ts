// SPDX-License-Identifier: MIT
//
// The two halves of a comparison: one run is noted down, another one is held against the notes and stopped where it
// parts from them.

import type { AddressSpace } from '../../mm/address-space.ts';
import type { Sandbox } from '../sandbox.ts';
import type { RunTaker } from './compared-run.ts';
import { Course, CourseComparison } from './course.ts';
import type { Parting } from './course.ts';
import type { MemoryImage } from './memory-image.ts';
import { equalImages, takeMemoryImage } from './memory-image.ts';
import type { TaskPlace } from './task-tree.ts';

/** Ended processes whose memory is kept as hashes. What ends later is not compared: a shell script starts thousands. */
const MAX_IMAGES = 4096;
/** Of these, how many also with a hash for every page of their code. */
const MAX_CODE_IMAGES = 64;
/** Processes whose memory differed at their ends, beyond which no more are looked for. */
const MAX_SPACES = 8;

/**
 * How closely runs are compared: `visible` looks at what anybody outside the task can see, `full` also at registers, vector
 * state and memory.
 */
export type Depth = 'visible' | 'full';

/** The reference: everything goes into courses. */
export class CourseTaker implements RunTaker {
  readonly courses: Readonly<Record<Depth, Course>> = { visible: new Course(), full: new Course() };
  readonly images = new Map<number, MemoryImage>();
  events = 0;

  begin(): void {}

  event(place: TaskPlace): void {
    this.events++;
    this.courses.visible.add(place.key, place.visible.value);
    this.courses.full.add(place.key, place.full.value);
  }

  spaceEnds(number: number, mm: AddressSpace): void {
    if (this.images.size >= MAX_IMAGES) return;
    const image = takeMemoryImage(mm, []);
    this.images.set(number, this.images.size < MAX_CODE_IMAGES ? image : { ...image, code: new Map() });
  }
}

/** The other run. */
export class ComparingTaker implements RunTaker {
  /** Where what is compared differs first. */
  parting: Parting | null = null;
  /** With depth `visible`: where registers or vector state differ first. */
  deepParting: Parting | null = null;
  /** Address spaces that held something else at their ends than in the reference. */
  readonly spaces = new Set<number>();
  private readonly depth: Depth;
  private readonly comparisons: Readonly<Record<Depth, CourseComparison>>;
  private readonly images: ReadonlyMap<number, MemoryImage>;
  private sandbox: Sandbox | null = null;

  /** @param isCut the reference did not come to its end: what goes beyond it is no difference */
  constructor(reference: CourseTaker, depth: Depth, isCut: boolean) {
    const { visible, full } = reference.courses;
    this.depth = depth;
    this.comparisons = { visible: new CourseComparison(visible, isCut), full: new CourseComparison(full, isCut) };
    this.images = reference.images;
  }

  begin(sandbox: Sandbox): void {
    this.sandbox = sandbox;
  }

  event(place: TaskPlace): void {
    if (this.parting !== null) return;
    const { visible, full } = this.comparisons;
    if (!full.add(place.key, place.full.value)) {
      if (this.depth === 'full') this.part(full.parting);
      else this.deepParting = full.parting;
    }
    if (!visible.add(place.key, place.visible.value)) this.part(visible.parting);
  }

  goesRound(place: TaskPlace): void {
    const { key } = place;
    const done = this.comparisons.visible.done(key);
    if (this.parting === null) this.part({ key, same: done, within: done + 1 });
  }

  spaceEnds(number: number, mm: AddressSpace): void {
    const expected = this.images.get(number);
    if (this.parting !== null || expected === undefined || this.spaces.size >= MAX_SPACES) return;
    const sites = (this.sandbox?.platform.metrics().sites ?? []).map((site) => site.address);
    if (!equalImages(expected, takeMemoryImage(mm, sites))) this.spaces.add(number);
  }

  /** The run is over. */
  finish(): Parting | null {
    this.parting ??= this.comparisons.visible.finish();
    return this.parting;
  }

  private part(parting: Parting | null): void {
    this.parting ??= parting;
    this.sandbox?.stop();
  }
}

/** Hashes of one task's events in a range of places, one by one: for notes that were too far apart. */
export class RangeTaker implements RunTaker {
  readonly hashes: number[] = [];
  private readonly parting: Parting;
  private readonly depth: Depth;
  private sandbox: Sandbox | null = null;
  private count = 0;

  constructor(parting: Parting, depth: Depth) {
    this.parting = parting;
    this.depth = depth;
  }

  begin(sandbox: Sandbox): void {
    this.sandbox = sandbox;
  }

  event(place: TaskPlace): void {
    const { key, same, within } = this.parting;
    if (place.key !== key) return;
    this.count++;
    if (this.count > same && this.count <= within) this.hashes.push(place[this.depth].value);
    if (this.count >= within) this.sandbox?.stop();
  }

  spaceEnds(): void {}
}
