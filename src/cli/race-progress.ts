// SPDX-License-Identifier: MIT
//
// Follows a long exploration: shows how far it is on a terminal, and tells it to stop after so many seconds or at
// Ctrl-C. A search runs in slices, so that signals arrive between them; a second Ctrl-C ends the process at once.

import { writeSync } from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Progress, StopReason } from '../race/search/system.ts';
import { parseSeconds } from './sizes.ts';

const STDERR = 2;
const FIRST_MS = 1000;
const EVERY_MS = 500;
const WAIT_MS = 100;
const CLEAR_LINE = '\r\x1b[K';

function count(n: number): string {
  return n.toLocaleString('en-US');
}

/** One line: what there is, how fast, and the time left where a limit says it. */
function progressLine(progress: Progress, seconds: number, limit: number): string {
  const rate = Math.round(progress.transitions / Math.max(seconds, 0.001));
  const about = progress.estimate === null ? '' : ` of at least ${count(progress.estimate.states)}`;
  const what =
    progress.schedules > 0
      ? `${count(progress.schedules)} schedules`
      : `${count(progress.states)} states${about}, ${count(progress.frontier)} to visit`;
  const layer = progress.layer < 0 ? '' : `, ${progress.layer} switches`;
  const eta = toGo(progress) > 0 ? `, ${Math.ceil(toGo(progress) * seconds)} s to go or more` : '';
  const left = Number.isFinite(limit) ? `, stops in ${Math.max(0, Math.round(limit - seconds))} s` : eta;
  const failures = progress.failures > 0 ? `, ${progress.failures} failures` : '';
  return `${what}${layer}, ${count(rate)} transitions/s${failures}${left}`;
}

/** What is left, in units of what is done; 0 where nobody knows. */
function toGo({ states, schedules, frontier, estimate }: Progress): number {
  if (schedules > 0) return frontier / schedules;
  return estimate === null ? 0 : Math.max(0, estimate.states / states - 1);
}

/**
 * Runs a search to its end, or until `time` seconds have passed or Ctrl-C was pressed.
 * @param time as on the command line
 */
export async function followRace<T>(
  race: Generator<Progress, T, StopReason | null>,
  time: string | undefined,
): Promise<T> {
  const limit = time === undefined ? Number.POSITIVE_INFINITY : parseSeconds('--time', time);
  const isTerminal = process.stderr.isTTY;
  const start = performance.now();
  let shown = start + FIRST_MS - EVERY_MS;
  let isShowing = false;
  let stop: StopReason | null = null;
  const interrupt = (): void => {
    stop = 'interrupted';
  };
  process.once('SIGINT', interrupt);
  try {
    let at = race.next();
    while (at.done !== true) {
      const now = performance.now();
      const seconds = (now - start) / 1000;
      if (isTerminal && now - shown >= EVERY_MS) {
        shown = now;
        isShowing = true;
        writeSync(STDERR, `${CLEAR_LINE}${progressLine(at.value, seconds, limit)}`);
      }
      // Who waits for others is asked again now and then, so that time limits and Ctrl-C count.
      if (at.value.ready === undefined) await setImmediate();
      else await Promise.race([at.value.ready, setTimeout(WAIT_MS, undefined, { ref: false })]);
      at = race.next(seconds >= limit ? 'time' : stop);
    }
    return at.value;
  } finally {
    process.off('SIGINT', interrupt);
    if (isShowing) writeSync(STDERR, CLEAR_LINE);
  }
}
