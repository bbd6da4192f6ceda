// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';
import { selfTest } from '../../src/cli/self-test.ts';
import { openUnicorn } from '../../src/cpu/unicorn/index.ts';

describe('selfTest', () => {
  it('finds nothing wrong with this engine', () => {
    const cpu = openUnicorn({ memoryBytes: 16 << 20 });
    try {
      const results = selfTest(cpu);
      expect(results.filter((result) => !result.passed)).toEqual([]);
      expect(results.length).toBeGreaterThanOrEqual(7);
    } finally {
      cpu.dispose();
    }
  });
});
