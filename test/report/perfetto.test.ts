// SPDX-License-Identifier: MIT
//
// The file of --trace, read strictly: lanes, slices, flows of real runs, and what only events by hand bring about.

import { describe, expect, it } from 'vitest';
import { SYS } from '../../src/abi/sysno.ts';
import { PerfettoJson } from '../../src/report/perfetto.ts';
import { micros } from '../../src/report/trace-event-json.ts';
import { EventKind } from '../../src/trace/events.ts';
import { TraceRing } from '../../src/trace/ring.ts';
import { SyscallTracer } from '../../src/kernel/decode/tracer.ts';
import { guest } from '../e2e/trapline.ts';
import { runGuest } from '../programs/guest-run.ts';
import type { ReadTrace, Slice } from './trace-event-check.ts';
import { readTraceEvents } from './trace-event-check.ts';

/** Feeds events at given times and reads the file that they make. */
class Feed {
  now = 0;
  out = '';
  largest = 0;
  readonly json = new PerfettoJson((piece) => {
    this.out += piece;
    this.largest = Math.max(this.largest, piece.length);
  });
  readonly ring = new TraceRing(() => this.now);

  constructor() {
    this.ring.attach(this.json);
  }

  task(tid: number, parent = 0, tgid = tid): void {
    this.ring.emit(EventKind.taskStart, tid, tgid, parent);
    this.ring.emitText(EventKind.taskName, tid, `name${tid}`);
  }

  enter(tid: number, sysno: number, via = 0): void {
    this.ring.emitText(EventKind.syscallEnter, tid, 'in', sysno, 0x401007, via);
  }

  exit(tid: number, sysno: number): void {
    this.ring.emitText(EventKind.syscallExit, tid, ', out0', sysno, 0, 5);
  }

  read(): ReadTrace {
    this.ring.flush();
    this.json.close();
    return readTraceEvents(this.out);
  }
}

async function traced(name: string, options: Parameters<typeof runGuest>[1] = {}): Promise<ReadTrace> {
  let out = '';
  const json = new PerfettoJson((piece) => (out += piece));
  await runGuest(guest(name), { consumers: [json], makeTracer: (trace) => new SyscallTracer(trace), ...options });
  json.close();
  return readTraceEvents(out);
}

function named(trace: ReadTrace, name: string): Slice[] {
  return trace.slices.filter((slice) => slice.name === name);
}

describe('A trace for Perfetto', () => {
  it.each(['off', 'upstream', 'hardened'] as const)('shows processes, sleeps and ends, --patch %s', async (patch) => {
    const trace = await traced('fork-wait', { patch });
    const starts = trace.flows.filter((flow) => flow.name === 'start');
    const exits = trace.flows.filter((flow) => flow.name === 'exit');
    expect(starts.length).toBeGreaterThan(0);
    expect(exits.length).toBe(starts.length);
    for (const { from, to } of starts) {
      expect(from).toMatchObject({ pid: 1, name: `start ${to.tid}` });
      expect(to).toMatchObject({ name: 'start', depth: 0 });
      expect(trace.threadNames.get(to.tid)).toBe('fork-wait.elf');
    }
    const waits = trace.slices.filter((slice) => slice.name === 'blocked' && slice.parent === 'wait4');
    expect(waits.length).toBeGreaterThan(0);
    const processor = trace.slices.filter((slice) => slice.cat === 'processor');
    expect(new Set(processor.map((slice) => slice.name)).size).toBe(starts.length + 1);
    expect(trace.slices.some((slice) => slice.name === 'trampoline')).toBe(patch !== 'off');
  });

  it('shows calls through trampolines inside slices of their own, with arguments and result', async () => {
    const trace = await traced('getpid-loop', { argv: ['getpid-loop', '20'] });
    const calls = named(trace, 'getpid');
    const patched = calls.filter((call) => call.parent === 'trampoline');
    expect(calls.length - patched.length).toBeGreaterThan(0);
    expect(patched.length).toBeGreaterThan(5);
    expect(patched[0]).toMatchObject({ cat: 'trampoline', depth: 1, args: { result: '1' } });
    expect(trace.instants.filter((instant) => instant.name === 'site patched').length).toBeGreaterThan(0);
    expect(trace.counters.at(0)).toMatchObject({ name: 'trap slots', value: 1 });
  });

  it('draws an arrow from the store of a patch to the task that faults on it', async () => {
    const trace = await traced('g06-shared-tail', { patch: 'hardened' });
    const arrows = trace.flows.filter((flow) => flow.name === 'patch');
    expect(arrows.length).toBeGreaterThan(0);
    for (const { from, to } of arrows) {
      expect(from).toMatchObject({ name: 'store', cat: 'patch' });
      expect(to.cat).toBe('fault');
      const first = Number(from.args['address']);
      expect(Number(to.args['at'])).toBeGreaterThanOrEqual(first);
      expect(Number(to.args['at'])).toBeLessThan(first + Number(from.args['length']));
    }
  });

  it('shows handlers as slices around what they call, and where signals come from', async () => {
    const trace = await traced('signal-basic');
    const handlers = trace.slices.filter((slice) => slice.name.startsWith('handler of '));
    expect(handlers.length).toBeGreaterThan(0);
    expect(named(trace, 'rt_sigreturn').map((slice) => slice.parent?.replace(/ SIG\w+$/, ''))).toContain('handler of');
    const signals = trace.flows.filter((flow) => flow.name === 'signal');
    expect(signals.length).toBeGreaterThan(0);
    for (const { from, to } of signals) expect(from.name).toBe(`send ${to.name}`);
  });

  it('is complete when the run is cut off', async () => {
    const trace = await traced('loop-forever', { maxInstructions: 100_000 });
    expect(trace.slices.some((slice) => slice.cat === 'processor')).toBe(true);
  });

  it('moves on to the leader’s lane when another thread executes a program', () => {
    const feed = new Feed();
    feed.task(1);
    feed.task(2, 1, 1);
    feed.enter(1, SYS.pause);
    feed.ring.emit(EventKind.contextSwitch, 2, 1);
    feed.now = 5;
    feed.enter(2, SYS.execve);
    feed.now = 9;
    feed.ring.emitText(EventKind.exec, 1, '/bin/true', 1, 0x400000, 2);
    feed.exit(1, SYS.execve);
    feed.enter(1, SYS.getpid);
    feed.exit(1, SYS.getpid);
    const trace = feed.read();
    expect(named(trace, 'execve')[0]).toMatchObject({ tid: 2, ns: 5, end: 9 });
    expect(named(trace, 'getpid')[0]).toMatchObject({ tid: 1, depth: 0 });
    const processor = trace.slices.filter((slice) => slice.cat === 'processor');
    expect(processor.map(({ name, ns, end }) => [name, ns, end])).toEqual([
      ['name2 2', 0, 9],
      ['name1 1', 9, 10],
    ]);
  });

  it('shows a task as runnable between the wake-up and its turn', () => {
    const feed = new Feed();
    feed.task(1);
    feed.task(2, 1);
    feed.ring.emit(EventKind.contextSwitch, 1);
    feed.enter(1, SYS.read);
    feed.now = 10;
    feed.ring.emit(EventKind.taskBlocked, 1, SYS.read, -1);
    feed.ring.emit(EventKind.contextSwitch, 2, 1);
    feed.now = 30;
    feed.ring.emit(EventKind.taskWoken, 1, 2, 1);
    feed.now = 50;
    feed.ring.emit(EventKind.contextSwitch, 1, 2);
    feed.exit(1, SYS.read);
    const trace = feed.read();
    expect(named(trace, 'blocked')[0]).toMatchObject({ tid: 1, parent: 'read', ns: 10, end: 30 });
    expect(named(trace, 'runnable')[0]).toMatchObject({ tid: 1, parent: 'read', ns: 30, end: 50 });
    expect(named(trace, 'read')[0]?.args).toEqual({ rip: '0x401007', arguments: 'in', outputs: ', out', result: '0' });
    expect(trace.flows.map(({ name, from, to }) => [name, from.tid, to.name])).toContainEqual(['wake', 2, 'runnable']);
    expect(
      trace.slices.filter((slice) => slice.cat === 'processor').map(({ name, ns, end }) => [name, ns, end]),
    ).toEqual([
      ['name1 1', 0, 10],
      ['name2 2', 10, 50],
      ['name1 1', 50, 51],
    ]);
  });

  it('shows stops by a tracer and by signals until they end', () => {
    const feed = new Feed();
    feed.task(1);
    feed.ring.emit(EventKind.ptraceStop, 1, 2, 0x57f, 0);
    feed.now = 100;
    feed.ring.emit(EventKind.ptraceResumed, 1, 2, 7, 0);
    feed.ring.emit(EventKind.taskStopped, 1, 19);
    feed.now = 300;
    feed.ring.emit(EventKind.taskContinued, 1, 18);
    const trace = feed.read();
    expect(named(trace, 'ptrace stop')[0]).toMatchObject({ ns: 1, end: 100, args: { request: 7 } });
    expect(named(trace, 'stopped by SIGSTOP')[0]).toMatchObject({ ns: 100, end: 300 });
  });

  it('keeps little of a long run: pieces, signals on their way, handlers that never return', () => {
    const feed = new Feed();
    feed.task(1);
    for (let i = 0; i < 20_000; i++) {
      feed.now += 10;
      feed.ring.emit(EventKind.signalSent, 1, 10, 1, 0);
      feed.ring.emit(EventKind.signalDelivered, 1, 10, 0, 0x400000);
      // longjmp out of the handler: each frame is at the same place.
      feed.ring.emit(EventKind.handlerEnter, 1, 10, 0x7ffff000, 0x400000);
    }
    const trace = feed.read();
    expect(feed.largest).toBeLessThan(80_000);
    expect(Math.max(...trace.slices.map((slice) => slice.depth))).toBeLessThan(3);
    expect(trace.flows.length).toBe(20_000);
  });

  it('has times of which no reader loses a nanosecond', () => {
    for (let ns = 0; ns < 20_000; ns++) expect(Math.floor(micros(ns) * 1000)).toBe(ns);
    for (let ns = 2 ** 45; ns < 2 ** 45 + 5000; ns++) expect(Math.floor(micros(ns) * 1000)).toBe(ns);
  });
});
