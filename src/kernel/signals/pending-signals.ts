// SPDX-License-Identifier: MIT
//
// A queue of signals that were sent and not yet taken: standard signals once, real-time signals each.
// One per task and one per thread group. Models gVisor pkg/sentry/kernel/pending_signals.go.

import { savable } from '../../base/savable.ts';
import type { SignalInfo } from './siginfo.ts';
import { SYNCHRONOUS, isRealtime, lowestSignal, sigBit } from './signal-sets.ts';

export class PendingSignals {
  /** Signals with at least one entry. */
  set = 0n;
  private queue: SignalInfo[] = [];

  get size(): number {
    return this.queue.length;
  }

  /**
   * Queues a signal.
   * @returns false when it is a standard signal that is already there: then the new one is lost, as on Linux
   */
  add(info: SignalInfo): boolean {
    const bit = sigBit(info.signo);
    if (!isRealtime(info.signo) && (this.set & bit) !== 0n) return false;
    this.queue.push(info);
    this.set |= bit;
    return true;
  }

  /** Takes the next signal in `allowed`: faults first, then by number, then in the order sent. */
  take(allowed: bigint): SignalInfo | undefined {
    const ready = this.set & allowed;
    if (ready === 0n) return undefined;
    const first = ready & SYNCHRONOUS;
    const signo = lowestSignal(first === 0n ? ready : first);
    const at = this.queue.findIndex((info) => info.signo === signo);
    const [info] = this.queue.splice(at, 1);
    if (!this.queue.some((other) => other.signo === signo)) this.set &= ~sigBit(signo);
    return info;
  }

  /** The signal at a place in the queue, in the order sent. */
  at(index: number): SignalInfo | undefined {
    return this.queue[index];
  }

  /** The signal queued by a POSIX timer, if it is still here. */
  hasTimer(timer: object): boolean {
    return this.queue.some((info) => info.timer === timer);
  }

  /** Drops all signals in `signals`. */
  discard(signals: bigint): void {
    if ((this.set & signals) === 0n) return;
    this.queue = this.queue.filter((info) => (sigBit(info.signo) & signals) === 0n);
    this.set &= ~signals;
  }

  /** Drops the signals that a timer queued. */
  discardTimer(timer: object): void {
    this.queue = this.queue.filter((info) => info.timer !== timer);
    this.set = this.queue.reduce((set, info) => set | sigBit(info.signo), 0n);
  }
}

savable('kernel/signals/pending-signals', { PendingSignals });
