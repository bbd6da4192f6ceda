// SPDX-License-Identifier: MIT
//
// The figures of a run as `--metrics` writes them: schema version 1, the same for the same run but for wallMs.

import { hex } from '../base/addr.ts';
import type { RunEnd } from '../kernel/kernel.ts';
import type { PatchMode, PlatformMetrics } from '../platform/sentry.ts';
import { type CostEstimates, estimateCosts } from './cost-model.ts';

export const METRICS_VERSION = 1;

/** One JSON object; all numbers but `wallMs` are integers. `syscalls = trapped + patchedCalls`. */
export interface Metrics {
  readonly version: typeof METRICS_VERSION;
  readonly mode: PatchMode;
  readonly engine: string;
  readonly exit: { readonly code: number } | { readonly signal: number };
  readonly instructions: number;
  readonly wallMs: number;
  readonly syscalls: number;
  readonly trapped: number;
  readonly patchedCalls: number;
  readonly restarted: number;
  readonly faults: number;
  readonly sites: readonly {
    readonly address: string;
    readonly sysno: number;
    readonly slot: string;
    readonly calls: number;
  }[];
  /** Where calls trap that no patch serves, and why: sites that were left alone, then places that are no sites. */
  readonly refused: readonly {
    readonly address: string;
    readonly bytes: string;
    readonly rule: string;
    readonly traps: number;
  }[];
  readonly slots: { readonly used: number; readonly capacity: number };
  readonly tasks: number;
  readonly signals: number;
  /** What the calls would cost on real hardware, estimated. */
  readonly estimates: CostEstimates;
}

/** What is counted outside the platform. */
export interface RunFigures {
  readonly mode: PatchMode;
  readonly engine: string;
  readonly exit: RunEnd['exit'];
  readonly instructions: number;
  readonly wallMs: number;
  readonly tasks: number;
  readonly signals: number;
}

export function makeMetrics(run: RunFigures, platform: PlatformMetrics): Metrics {
  return {
    version: METRICS_VERSION,
    mode: run.mode,
    engine: run.engine,
    exit: run.exit,
    instructions: run.instructions,
    wallMs: run.wallMs,
    syscalls: platform.trapped + platform.patchedCalls,
    trapped: platform.trapped,
    patchedCalls: platform.patchedCalls,
    restarted: platform.restarted,
    faults: platform.faults,
    sites: platform.sites.map(({ address, sysno, slot, calls }) => ({
      address: hex(address),
      sysno,
      slot: hex(slot),
      calls,
    })),
    refused: [...platform.refused, ...platform.unpatchable].map(({ address, bytes, rule, traps }) => ({
      address: hex(address),
      bytes,
      rule,
      traps,
    })),
    slots: { used: platform.slots.used, capacity: platform.slots.capacity },
    tasks: run.tasks,
    signals: run.signals,
    estimates: estimateCosts(platform),
  };
}
