// SPDX-License-Identifier: MIT
//
// Time as guests see it. Virtual by default: one nanosecond per instruction, plus jumps to the next timer when
// every task sleeps; so two runs of a program read the same times. The time stamp counter counts the same nanoseconds:
// that is what the vDSO reads. Models gVisor pkg/sentry/ktime.

import type { Host } from '../base/host.ts';
import { savable } from '../base/savable.ts';

/** CLOCK_REALTIME when a run starts: 2026-01-01T00:00:00Z. Any fixed date serves; this one is plausible to programs. */
export const BOOT_REALTIME_NS = 1_767_225_600_000_000_000n;

/** What the clock needs of the processor. */
export interface InstructionCounter {
  readonly instructions: number;
  /** What the time stamp counter has more than that. */
  tscOffset: number;
}

/** Monotonic nanoseconds since the start, as numbers: exact for 104 days. */
export class Clock {
  private readonly counter: InstructionCounter;
  /** Set with `--wall-clock`: times are the host's. */
  private readonly host: Host | null;
  private hostStartMs: number;
  private bootNs: bigint;
  /** With `--wall-clock`: what had passed before the machine was restored, and when it last came to rest. */
  private passedNs = 0;
  private restNs = 0;
  private readonly firstInstruction: number;
  private jumped: number;

  /** @param earliestNs CLOCK_REALTIME starts no earlier than this: a tree must not lie in its guest's future */
  constructor(counter: InstructionCounter, host: Host | null = null, earliestNs = 0n) {
    this.counter = counter;
    this.host = host;
    this.hostStartMs = host === null ? 0 : host.monotonicMs();
    this.firstInstruction = counter.instructions;
    // A processor that has run before starts at zero, too.
    this.jumped = -counter.instructions;
    counter.tscOffset = this.jumped;
    const start = earliestNs > BOOT_REALTIME_NS ? earliestNs : BOOT_REALTIME_NS;
    this.bootNs = host === null ? start : host.wallClockNs();
  }

  /** CLOCK_REALTIME when the time stamp counter was 0; undefined when that does not tell the time. */
  get bootRealtimeNs(): bigint | undefined {
    return this.host === null ? this.bootNs : undefined;
  }

  get isWall(): boolean {
    return this.host !== null;
  }

  /** The machine may be saved now. */
  rest(): void {
    this.restNs = this.now();
  }

  /** Revived: the time stamp counter goes on, too. With `--wall-clock` CLOCK_MONOTONIC goes on from where it was. */
  revive(): void {
    this.counter.tscOffset = this.jumped;
    if (this.host === null) return;
    this.passedNs = this.restNs;
    this.hostStartMs = this.host.monotonicMs();
    this.bootNs = this.host.wallClockNs() - BigInt(this.passedNs);
  }

  /** CLOCK_MONOTONIC. */
  now(): number {
    if (this.host !== null) return Math.floor((this.host.monotonicMs() - this.hostStartMs) * 1e6) + 1 + this.passedNs;
    return this.counter.instructions + this.jumped;
  }

  /** For how long the processor has run guests: no longer than the time since the start. */
  busyNs(): number {
    return Math.min(this.now(), this.counter.instructions - this.firstInstruction);
  }

  /** CLOCK_REALTIME in nanoseconds since 1970. */
  realtimeNs(): bigint {
    return this.bootNs + BigInt(this.now());
  }

  /** CLOCK_REALTIME in whole seconds. */
  get seconds(): number {
    return Number(this.realtimeNs() / 1_000_000_000n);
  }

  /** A CLOCK_REALTIME moment as CLOCK_MONOTONIC; may be negative. */
  realtimeToMonotonic(realtimeNs: bigint): number {
    return Number(realtimeNs - this.bootNs);
  }

  /** Moves virtual time forward to `ns`; never back, and never with a wall clock. */
  jumpTo(ns: number): void {
    const now = this.now();
    if (this.host !== null || ns <= now) return;
    this.jumped += ns - now;
    this.counter.tscOffset = this.jumped;
  }
}

savable('kernel/clock', { Clock }, { isPlace: true, kept: ['counter', 'host'] });
