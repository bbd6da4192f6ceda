// SPDX-License-Identifier: MIT
//
// What programs that embed Trapline import.

export type { CrashReport, NamedAddress, PastCall } from '../kernel/crash-report.ts';
export type { CostEstimate, CostEstimates, CostRange } from './cost-model.ts';
export type { Metrics } from './metrics.ts';
export type { Bind, HostPlace, RestoreOptions, RunResult, SandboxLimits, SandboxOptions } from './sandbox.ts';
export { DEFAULT_LIMITS, DEFAULT_MEMORY_BYTES, DEFAULT_UID, guestText, Sandbox } from './sandbox.ts';
