// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';
import { costText, rangeText } from '../../src/report/cost-text.ts';
import { estimateCosts } from '../../src/sandbox/cost-model.ts';

describe('costText', () => {
  it('shows each way to serve the calls by each set of figures, as estimates with their sources', () => {
    const estimates = estimateCosts({ trapped: 40, patchedCalls: 10_000, restarted: 3, faults: 1 });
    expect(costText(estimates)).toMatchInlineSnapshot(`
      "estimates: counts of this run times figures measured elsewhere; what the calls themselves do is not in them
                                    mechanism   runsc
        native Linux                1.4-2.1 ms  1.4-2.4 ms
        ptrace                      107-222 ms  155-171 ms
        all trapped, seccomp        22-33 ms    24-50 ms
        all trapped, user dispatch  23-36 ms    21-45 ms
        as in this run              772-971 us  5.3-10 ms
        mechanism: AMD EPYC (Zen 4) in a virtual machine, 2 shared processors, Linux 6.18; handlers that answer at once, least and greatest of several runs
        runsc: runsc 0.0~20240729 and commit 3c5eee1 on that machine when the Sentry can spin; the launch post of Systrap (2023, GCE n2-standard-4)
      "
    `);
  });
});

describe('rangeText', () => {
  it('writes both ends in the unit of the greater', () => {
    expect(rangeText([0, 0])).toBe('0 ns');
    expect(rangeText([66, 80])).toBe('66-80 ns');
    expect(rangeText([999, 1000])).toBe('1.0 us');
    expect(rangeText([138_000, 212_000])).toBe('138-212 us');
    expect(rangeText([1_234_567, 12_345_678])).toBe('1.2-12 ms');
    expect(rangeText([5, 7_000_000_000_000])).toBe('5.0e-9-7000 s');
  });
});
