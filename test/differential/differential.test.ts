// SPDX-License-Identifier: MIT
//
// The engine against the real CPU: stored regressions first, then random sequences. TRAPLINE_SEED and
// TRAPLINE_DIFF_COUNT choose which and how many.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { Coverage, renderCoverage } from './coverage.ts';
import { EmulatedCpu } from './emulated.ts';
import { advertisedFeatures } from './features.ts';
import { classifyForms } from './forms.ts';
import { Generator } from './generate.ts';
import { minimise } from './minimise.ts';
import { NativeCpu, nativeUnavailable } from './native.ts';
import type { StoredCase } from './report.ts';
import { renderFailure, restoreCase } from './report.ts';
import { Session } from './session.ts';

const SEED = Number(process.env['TRAPLINE_SEED'] ?? 1);
const COUNT = Number(process.env['TRAPLINE_DIFF_COUNT'] ?? 100_000);
const CHUNK = 4000;
/** Agreeing executions that make a form covered, when the run is long enough to expect them. */
const ENOUGH = COUNT >= 50_000 ? 5 : 1;

describe.skipIf(nativeUnavailable() !== undefined)('the engine beside the real CPU', () => {
  let native: NativeCpu;
  let emulated: EmulatedCpu;

  beforeAll(() => {
    native = new NativeCpu();
    emulated = new EmulatedCpu(openUnicorn({ memoryBytes: 64 * 2 ** 20 }));
  });
  afterAll(() => emulated?.cpu.dispose());

  it('agrees on every stored regression', () => {
    const stored = JSON.parse(readFileSync(new URL('regressions.json', import.meta.url), 'utf8')) as StoredCase[];
    const session = new Session(native, emulated);
    session.run(stored.map(restoreCase));
    expect(session.failures.map((f) => renderFailure(f, SEED))).toEqual([]);
  });

  it(`agrees on ${COUNT} random sequences (seed ${SEED})`, { timeout: 3_600_000 }, () => {
    const { tested, excluded } = classifyForms(advertisedFeatures(emulated));
    const coverage = new Coverage(tested);
    const session = new Session(native, emulated, (c, o) => coverage.add(c, o));
    const generator = new Generator(new Prng(SEED), tested);
    for (let done = 0; done < COUNT && session.failures.length === 0; done += CHUNK) {
      session.run(Array.from({ length: Math.min(CHUNK, COUNT - done) }, () => generator.next()));
    }
    const reports = session.failures.slice(0, 5).map((f) => renderFailure(minimise(session, f), SEED));
    expect(reports.join('\n\n'), `rerun with TRAPLINE_SEED=${SEED}`).toBe('');
    console.log(renderCoverage(coverage, excluded, ENOUGH));
    console.log(`known differences met: ${[...session.known].map(([id, n]) => `${id} ${n}`).join(', ')}; undefined bits used: ${session.undefinedUsed}`);
    for (const group of coverage.groups) {
      const g = coverage.group(group, ENOUGH);
      expect(g.covered / g.forms, `${group}: ${g.missing.join(', ')}`).toBeGreaterThanOrEqual(0.95);
    }
  });
});
