// SPDX-License-Identifier: MIT

import { fc, it as property } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { compareVersions, upstreamVersion } from '../../../../src/cpu/unicorn/setup/versions.ts';

describe('compareVersions', () => {
  it('compares numbers, not text', () => {
    expect(compareVersions('2.1.10', '2.1.4')).toBeGreaterThan(0);
    expect(compareVersions('2.0.1', '2.1.4')).toBeLessThan(0);
    expect(compareVersions('10.0', '9.9.9')).toBeGreaterThan(0);
  });

  it('counts missing parts as zero', () => {
    expect(compareVersions('2.1', '2.1.0')).toBe(0);
    expect(compareVersions('2.2', '2.1.4')).toBeGreaterThan(0);
  });

  const version = fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.'));
  property.prop([version, version])('is antisymmetric', (a, b) => {
    expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)) + 0);
  });
});

describe('upstreamVersion', () => {
  it.each([
    ['2.1.4-4', '2.1.4'],
    ['2.0.1.post1+dfsg1-1+b1', '2.0.1'],
    ['1:1.35.0-4+deb12u1+b1', '1.35.0'],
    ['2.1.1-2+b2', '2.1.1'],
    ['unknown', '0'],
  ])('of %s is %s', (debian, upstream) => {
    expect(upstreamVersion(debian)).toBe(upstream);
  });
});
