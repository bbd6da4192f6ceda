// SPDX-License-Identifier: MIT
//
// Memory of processes at their ends, byte by byte: taken down in one run, held against it in another.

import type { AddressSpace } from '../../mm/address-space.ts';
import type { TraceEvent } from '../../trace/events.ts';
import type { Sandbox } from '../sandbox.ts';
import type { RunTaker } from './compared-run.ts';
import type { DifferingBytes } from './memory-snapshot.ts';
import { MemorySnapshot } from './memory-snapshot.ts';
import { SiteLog } from './site-log.ts';

/** Takes down what the given address spaces hold when they end. */
export class MemoryTaker implements RunTaker {
  readonly snapshots = new Map<number, MemorySnapshot>();
  private readonly spaces: ReadonlySet<number>;

  constructor(spaces: ReadonlySet<number>) {
    this.spaces = spaces;
  }

  begin(): void {}
  event(): void {}

  spaceEnds(number: number, mm: AddressSpace): void {
    if (this.spaces.has(number)) this.snapshots.set(number, new MemorySnapshot(mm));
  }
}

/** Holds them against what another run has taken down. */
export class MemoryComparer implements RunTaker {
  readonly log = new SiteLog();
  differences: readonly DifferingBytes[] = [];
  private readonly snapshots: ReadonlyMap<number, MemorySnapshot>;
  private sandbox: Sandbox | null = null;

  constructor(snapshots: ReadonlyMap<number, MemorySnapshot>) {
    this.snapshots = snapshots;
  }

  begin(sandbox: Sandbox): void {
    this.sandbox = sandbox;
  }

  event(): void {}

  other(e: TraceEvent): void {
    if (this.sandbox !== null) this.log.take(e, this.sandbox);
  }

  spaceEnds(number: number, mm: AddressSpace): void {
    const expected = this.snapshots.get(number);
    if (expected === undefined || this.differences.length > 0) return;
    this.differences = expected.differences(mm, [...this.log.sites.keys()]);
    if (this.differences.length > 0) this.sandbox?.stop();
  }
}
