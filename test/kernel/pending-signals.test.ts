// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';
import { SIGHUP, SIGSEGV, SIGTERM, SIGUSR1, SI_QUEUE, SI_USER } from '../../src/abi/signal.ts';
import { PendingSignals } from '../../src/kernel/signals/pending-signals.ts';
import { faultInfo, killInfo } from '../../src/kernel/signals/siginfo.ts';
import { lowestSignal, sigBit, sigSet } from '../../src/kernel/signals/signal-sets.ts';

const ALL = 2n ** 64n - 1n;
const sent = (signo: number, code = SI_USER): ReturnType<typeof killInfo> => killInfo(signo, code, 1, 2);

describe('PendingSignals', () => {
  it('keeps a standard signal once and real-time signals each', () => {
    const pending = new PendingSignals();
    expect(pending.add(sent(SIGUSR1))).toBe(true);
    expect(pending.add(sent(SIGUSR1))).toBe(false);
    pending.add(sent(40, SI_QUEUE));
    pending.add(sent(40, SI_USER));
    expect(pending.size).toBe(3);
    expect([pending.take(sigBit(40))?.code, pending.take(sigBit(40))?.code]).toEqual([SI_QUEUE, SI_USER]);
    expect(pending.take(sigBit(40))).toBeUndefined();
  });

  it('gives faults first, then by number, and only what is allowed', () => {
    const pending = new PendingSignals();
    pending.add(sent(SIGTERM));
    pending.add(sent(SIGHUP));
    pending.add(faultInfo(SIGSEGV, 1, 5n, { trapno: 14, error: 4, cr2: 5n }));
    expect(pending.take(ALL & ~sigBit(SIGTERM))?.signo).toBe(SIGSEGV);
    expect(pending.take(ALL & ~sigBit(SIGHUP))?.signo).toBe(SIGTERM);
    expect(pending.take(ALL)?.signo).toBe(SIGHUP);
    expect(pending.set).toBe(0n);
  });

  it('forgets what is discarded', () => {
    const pending = new PendingSignals();
    for (const signo of [SIGHUP, SIGTERM, 50, 50]) pending.add(sent(signo));
    pending.discard(sigSet(SIGTERM, 50));
    expect(pending.set).toBe(sigBit(SIGHUP));
    expect(pending.size).toBe(1);
  });
});

describe('lowestSignal', () => {
  it.each([1, 2, 8, 9, 31, 32, 33, 63, 64])('finds %d alone and below all others', (signo) => {
    expect(lowestSignal(sigBit(signo))).toBe(signo);
    expect(lowestSignal(ALL & ~(sigBit(signo) - 1n))).toBe(signo);
  });
});
