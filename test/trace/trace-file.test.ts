// SPDX-License-Identifier: MIT
//
// Stored traces: what is written is read back, and nothing else is taken for a trace.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventKind } from '../../src/trace/events.ts';
import type { TraceEvent } from '../../src/trace/events.ts';
import { TraceFileWriter, readTraceFile } from '../../src/trace/trace-file.ts';

const number = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.constant(Number.NaN));
const anyEvent: fc.Arbitrary<TraceEvent> = fc.record({
  kind: fc.constantFrom(...Object.values(EventKind)),
  tid: fc.nat(),
  timeNs: fc.nat(),
  a: number,
  b: number,
  c: number,
  text: fc.option(fc.string({ unit: 'binary' }), { nil: undefined }),
});

function written(events: readonly TraceEvent[]): string[] {
  let file = '';
  const writer = new TraceFileWriter((lines) => (file += lines));
  for (const event of events) writer.event(event);
  writer.close();
  return file.split('\n');
}

describe('A stored trace', () => {
  it('gives back the events that were written', () => {
    fc.assert(
      fc.property(fc.array(anyEvent), (events) => {
        expect([...readTraceFile(written(events))]).toEqual(events);
      }),
    );
  });

  it('is written in pieces of whole lines, not kept', () => {
    const pieces: string[] = [];
    const writer = new TraceFileWriter((lines) => pieces.push(lines));
    const event: TraceEvent = { kind: EventKind.taskName, tid: 1, timeNs: 2, a: 0, b: 0, c: 0, text: 'x'.repeat(1000) };
    for (let i = 0; i < 1000; i++) writer.event(event);
    expect(pieces.length).toBeGreaterThan(10);
    expect(pieces.every((piece) => piece.endsWith(']\n'))).toBe(true);
  });

  it.each([
    ['nothing', [], 'empty'],
    ['another file', ['{"format":"something"}'], 'does not say'],
    ['no JSON', ['#!/bin/sh'], 'does not say'],
    ['another version', ['{"format":"trapline-trace","version":2}'], 'version 2'],
    ['an unknown kind', [...written([]), '[999,1,2,3,4,5]'], 'known kind'],
    ['half a line', [...written([]), '[1,1,2'], 'no event'],
    ['words for numbers', [...written([]), '[1,"1",2,3,4,5]'], 'no number'],
    ['a number for a text', [...written([]), '[1,1,2,3,4,5,6]'], 'text'],
  ])('is not %s', (_, lines, message) => {
    expect(() => [...readTraceFile(lines)]).toThrow(message);
  });
});
