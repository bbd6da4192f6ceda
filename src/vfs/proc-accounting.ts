// SPDX-License-Identifier: MIT
//
// /proc/<pid>/io and sched: what a task has moved and how it shares the processor, in the formats of Linux 6.1
// (fs/proc/base.c, kernel/sched/debug.c with CONFIG_SMP and CONFIG_NUMA_BALANCING).

import { SCHED_IDLE } from '../abi/sched.ts';
import type { ProcIo, ProcTask } from './proc-source.ts';
import { schedulingPriority } from './proc-text.ts';

/** @param io of a process with all its threads, or of one thread */
export function ioText({ rchar, wchar, syscr, syscw }: ProcIo): string {
  // There is no storage below: files lie in memory, or the host's system caches them.
  return (
    `rchar: ${rchar}\nwchar: ${wchar}\nsyscr: ${syscr}\nsyscw: ${syscw}\n` +
    'read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n'
  );
}

/** Shares of the processor for nice values from -20 to 19: each is about 1.25 of the next one. */
// prettier-ignore
const WEIGHTS = [
  88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
  9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277,
  1024, 820, 655, 526, 423, 335, 272, 215, 172, 137,
  110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
] as const;
const NORMAL_WEIGHT = 1024;
const IDLE_WEIGHT = 3;

/** One line with a whole number. */
function row(name: string, value: number): string {
  return `${name.padEnd(45)}:${String(value).padStart(21)}\n`;
}

/** One with nanoseconds as milliseconds. */
function timeRow(name: string, ns: number): string {
  const whole = Math.floor(ns / 1e6);
  return `${name.padEnd(45)}:${String(whole).padStart(14)}.${String(Math.floor(ns - whole * 1e6)).padStart(6, '0')}\n`;
}

export function schedText(t: ProcTask): string {
  const weight = t.policy === SCHED_IDLE ? IDLE_WEIGHT : (WEIGHTS[t.nice + 20] ?? NORMAL_WEIGHT);
  const { voluntarySwitches: voluntary, involuntarySwitches: involuntary } = t;
  return (
    `${t.name} (${t.tid}, #threads: ${t.threads.length})\n${'-'.repeat(67)}\n` +
    timeRow('se.exec_start', t.ranUntilNs) +
    timeRow('se.vruntime', Math.floor((t.taskUserNs * NORMAL_WEIGHT) / weight)) +
    timeRow('se.sum_exec_runtime', t.taskUserNs) +
    row('se.nr_migrations', 0) +
    row('nr_switches', voluntary + involuntary) +
    row('nr_voluntary_switches', voluntary) +
    row('nr_involuntary_switches', involuntary) +
    row('se.load.weight', weight * 1024) +
    // Averages over time are of no use to a scheduler that takes turns: they are a new task's.
    row('se.avg.load_sum', 0) +
    row('se.avg.runnable_sum', 0) +
    row('se.avg.util_sum', 0) +
    row('se.avg.load_avg', weight) +
    row('se.avg.runnable_avg', 0) +
    row('se.avg.util_avg', 0) +
    row('se.avg.last_update_time', t.ranUntilNs) +
    row('se.avg.util_est.ewma', 0) +
    row('se.avg.util_est.enqueued', 0) +
    row('policy', t.policy) +
    row('prio', schedulingPriority(t)) +
    (t.deadline === null
      ? ''
      : row('dl.runtime', Number(t.deadline.runtime)) +
        row('dl.deadline', t.ranUntilNs + Number(t.deadline.deadline))) +
    row('clock-delta', 0) +
    (t.mm === null ? '' : row('mm->numa_scan_seq', 0)) +
    row('numa_pages_migrated', 0) +
    row('numa_preferred_nid', -1) +
    row('total_numa_faults', 0) +
    'current_node=0, numa_group_id=0\n' +
    'numa_faults node=0 task_private=0 task_shared=0 group_private=0 group_shared=0\n'
  );
}
