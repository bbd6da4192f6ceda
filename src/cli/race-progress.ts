// SPDX-License-Identifier: MIT
//
// What a long exploration shows on a terminal, and when it is to stop: after so many seconds, or at Ctrl-C.

import { writeSync } from 'node:fs';
import type { Progress, StopReason } from '../race/search/system.ts';
import { parseSeconds } from './sizes.ts';

const STDERR = 2;
const FIRST_MS = 1000;
const EVERY_MS = 500;

function count(n: number): string {
  return n.toLocaleString('en-US');
}

/** One line: what there is, how fast, and the time left where a limit says it. */
function progressLine(progress: Progress, seconds: number, limit: number): string {
  const rate = Math.round(progress.transitions / Math.max(seconds, 0.001));
  const what =
    progress.schedules > 0
      ? `${count(progress.schedules)} schedules`
      : `${count(progress.states)} states, ${count(progress.frontier)} to visit`;
  const layer = progress.layer < 0 ? '' : `, ${progress.layer} switches`;
  const left = Number.isFinite(limit) ? `, stops in ${Math.max(0, Math.round(limit - seconds))} s` : '';
  const failures = progress.failures > 0 ? `, ${progress.failures} failures` : '';
  return `${what}${layer}, ${count(rate)} transitions/s${failures}${left}`;
}

/** Asked by the search now and then. @param time seconds, as text */
export function racePoll(time: string | undefined): (progress: Progress) => StopReason | null {
  const limit = time === undefined ? Number.POSITIVE_INFINITY : parseSeconds('--time', time);
  const start = performance.now();
  const isTerminal = process.stderr.isTTY;
  let shown = start + FIRST_MS - EVERY_MS;
  let isShowing = false;
  return (progress) => {
    const now = performance.now();
    const seconds = (now - start) / 1000;
    const stops = seconds >= limit;
    if (isTerminal && now - shown >= EVERY_MS) {
      shown = now;
      isShowing = true;
      writeSync(STDERR, `\r\x1b[K${progressLine(progress, seconds, limit)}`);
    }
    if (isShowing && stops) writeSync(STDERR, '\r\x1b[K');
    return stops ? 'time' : null;
  };
}
