// SPDX-License-Identifier: MIT
//
// The event buffer: order, wrapping with and without consumers, texts.

import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { EventKind } from '../../src/trace/events.ts';
import type { TraceEvent } from '../../src/trace/events.ts';
import { TraceRing } from '../../src/trace/ring.ts';
import type { TraceConsumer } from '../../src/trace/ring.ts';

/** Keeps copies of what it gets. */
class Recorder implements TraceConsumer {
  readonly seen: TraceEvent[] = [];
  readonly wantsText: boolean;
  readonly immediate: boolean;
  flushes = 0;

  constructor(options: { wantsText?: boolean; immediate?: boolean } = {}) {
    this.wantsText = options.wantsText ?? false;
    this.immediate = options.immediate ?? false;
  }

  event(e: TraceEvent): void {
    this.seen.push({ ...e });
  }

  flush(): void {
    this.flushes++;
  }
}

describe('TraceRing', () => {
  it('hands every event over once and in order, however many there are', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { maxLength: 100 }), fc.integer({ min: 1, max: 20 }), (values, capacity) => {
        let now = 0;
        const ring = new TraceRing(() => now++, capacity);
        const recorder = new Recorder();
        ring.attach(recorder);
        for (const value of values) ring.emit(EventKind.contextSwitch, value, value + 1, value + 2, value + 3);
        ring.flush();
        expect(recorder.seen.map((e) => [e.timeNs, e.tid, e.a, e.b, e.c])).toEqual(
          values.map((value, i) => [i, value, value + 1, value + 2, value + 3]),
        );
      }),
    );
  });

  it('keeps the last events without a consumer', () => {
    const ring = new TraceRing(() => 0, 4);
    for (let i = 0; i < 10; i++) ring.emit(EventKind.syscallEnter, i);
    expect(ring.last(3).map((e) => e.tid)).toEqual([7, 8, 9]);
    expect(ring.last(100).map((e) => e.tid)).toEqual([6, 7, 8, 9]);
    expect(ring.count).toBe(10);
  });

  it('shows a consumer only what comes after it was attached', () => {
    const ring = new TraceRing(() => 0, 4);
    ring.emit(EventKind.taskStart, 1);
    const recorder = new Recorder();
    ring.attach(recorder);
    ring.emit(EventKind.taskStart, 2);
    ring.flush();
    expect(recorder.seen.map((e) => e.tid)).toEqual([2]);
    expect(recorder.flushes).toBe(1);
  });

  it('wants texts only when a consumer does, and keeps them with their events', () => {
    const ring = new TraceRing(() => 0, 2);
    expect(ring.wantsText).toBe(false);
    const recorder = new Recorder({ wantsText: true });
    ring.attach(recorder);
    expect(ring.wantsText).toBe(true);
    ring.emitText(EventKind.syscallEnter, 1, 'one');
    ring.emit(EventKind.syscallExit, 1);
    ring.emit(EventKind.syscallExit, 2);
    ring.flush();
    expect(recorder.seen.map((e) => e.text)).toEqual(['one', undefined, undefined]);
  });

  it('hands events to an immediate consumer at once', () => {
    const ring = new TraceRing(() => 0, 100);
    const recorder = new Recorder({ immediate: true });
    ring.attach(recorder);
    ring.emit(EventKind.taskStart, 1);
    expect(recorder.seen).toHaveLength(1);
  });

  it('takes events that a consumer emits while it is served', () => {
    const ring = new TraceRing(() => 0, 4);
    const seen: number[] = [];
    ring.attach({
      wantsText: false,
      immediate: true,
      event(e) {
        seen.push(e.tid);
        if (e.tid < 3) ring.emit(EventKind.taskStart, e.tid + 1);
      },
    });
    ring.emit(EventKind.taskStart, 0);
    expect(seen).toEqual([0, 1, 2, 3]);
  });
});
