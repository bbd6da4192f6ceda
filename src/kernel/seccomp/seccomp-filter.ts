// SPDX-License-Identifier: MIT
//
// The filters of a task: each one checks a call, then its predecessor does; the strictest answer counts. Tasks share
// chains, which fork and execve keep. Models Linux kernel/seccomp.c (struct seccomp_filter, seccomp_run_filters).

import { savable } from '../../base/savable.ts';
import { AUDIT_ARCH_X86_64 } from '../../abi/signal-frame.ts';
import { SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ALLOW } from '../../abi/seccomp.ts';
import { SYSCALL_TABLE_SIZE } from '../syscalls/table.ts';
import type { Task } from '../task.ts';
import type { BpfProgram, FilterInput } from './bpf-program.ts';
import type { SeccompListener } from './listener.ts';

/** What each filter of a path costs beside its instructions. */
const PENALTY = 4;
/** Instructions of one path: 256 KiB of them. */
const MAX_PATH_INSTRUCTIONS = 32_768;

/** Memory of a filter beside its program, in instructions. */
const FILTER_SIZE = 100;

const UNKNOWN = 0;
const ALLOWED = 1;
const DEPENDS = 2;

/** One filter and those that were there before it. */
export class SeccompFilter {
  readonly program: BpfProgram;
  readonly previous: SeccompFilter | null;
  /** SECCOMP_FILTER_FLAG_LOG. */
  readonly logs: boolean;
  /** Who answers SECCOMP_RET_USER_NOTIF; null without one, or when it is gone. */
  listener: SeccompListener | null = null;
  /** What the filter takes of the kernel's memory, in instructions. */
  readonly size: number;
  /** Instructions of this filter and its predecessors, with what each costs beside. */
  readonly pathCost: number;
  /** Filters from here on. */
  readonly depth: number;
  /** Tasks whose last filter this is, and filters that follow it. */
  private users = 0;
  /** By number: whether the whole path lets the call pass whatever its arguments are. */
  private readonly fate = new Uint8Array(SYSCALL_TABLE_SIZE);

  constructor(program: BpfProgram, previous: SeccompFilter | null, logs: boolean) {
    this.program = program;
    this.previous = previous;
    this.logs = logs;
    this.size = program.length + FILTER_SIZE;
    this.pathCost = program.length + (previous === null ? 0 : previous.pathCost + PENALTY);
    this.depth = previous === null ? 1 : previous.depth + 1;
  }

  get isTooLong(): boolean {
    return this.pathCost > MAX_PATH_INSTRUCTIONS;
  }

  retain(): this {
    if (this.users++ === 0) this.previous?.retain();
    return this;
  }

  /** A task or filter less; `freed` hears of each filter that nobody has any more. */
  release(freed: (filter: SeccompFilter) => void): void {
    for (let filter: SeccompFilter | null = this; filter !== null && --filter.users === 0; filter = filter.previous) {
      filter.listener?.orphaned();
      freed(filter);
    }
  }

  /** The filter that was set as number `index` of those from here on, the oldest being 0. */
  at(index: number): SeccompFilter | undefined {
    let filter: SeccompFilter | null = this;
    while (filter !== null && filter.depth - 1 > index) filter = filter.previous;
    return filter !== null && filter.depth - 1 === index ? filter : undefined;
  }

  /** Whether `later` came after this filter on one path, or is it. */
  isAncestorOf(later: SeccompFilter | null): boolean {
    for (let filter = later; filter !== null; filter = filter.previous) if (filter === this) return true;
    return false;
  }

  /** Whether a filter of the path has a listener. */
  get hasListener(): boolean {
    for (let filter: SeccompFilter | null = this; filter !== null; filter = filter.previous) {
      if (filter.listener !== null) return true;
    }
    return false;
  }

  /** True when no filter of the path has anything against the call, without a run of them. */
  allows(nr: number): boolean {
    if (nr >= SYSCALL_TABLE_SIZE) return false;
    let fate = UNKNOWN;
    for (let filter: SeccompFilter | null = this; filter !== null && fate === UNKNOWN; filter = filter.previous) {
      fate = filter.fate[nr] as number;
      if (fate !== UNKNOWN) break;
      if (filter.program.constantResult(nr, AUDIT_ARCH_X86_64) !== SECCOMP_RET_ALLOW) fate = DEPENDS;
    }
    if (fate === UNKNOWN) fate = ALLOWED;
    this.fate[nr] = fate;
    return fate === ALLOWED;
  }

  /** Runs all filters, the newest first: the strictest answer, and the filter that gave it. */
  judge(data: FilterInput): Verdict {
    let value = SECCOMP_RET_ALLOW;
    let author: SeccompFilter | null = null;
    for (let filter: SeccompFilter | null = this; filter !== null; filter = filter.previous) {
      const answer = filter.program.run(data);
      // Actions compare as signed numbers: the lower one is stricter.
      if ((answer & SECCOMP_RET_ACTION_FULL) < (value & SECCOMP_RET_ACTION_FULL)) {
        value = answer;
        author = filter;
      }
    }
    verdict.value = value >>> 0;
    verdict.author = author;
    return verdict;
  }
}

/** A filter's answer. */
export interface Verdict {
  /** Action and data, unsigned. */
  value: number;
  /** The filter that gave the answer; null when all allow. */
  author: SeccompFilter | null;
}

/** Overwritten by each judgement. */
const verdict: Verdict = { value: 0, author: null };

/** A task no longer has its filters: it has ended, or has others. */
export function releaseFilters(task: Task): void {
  const { seccomp, kernel } = task;
  task.seccomp = null;
  if (seccomp === null || seccomp === 'strict') return;
  seccomp.release((filter) => {
    kernel.filterSize -= filter.size;
  });
}

savable('kernel/seccomp/seccomp-filter', { SeccompFilter });
