// SPDX-License-Identifier: MIT
//
// The engines that the conformance suite judges. A new engine is one more entry.

import { describe } from 'vitest';
import type { Cpu } from '../../../src/cpu/cpu.ts';
import { openUnicorn } from '../../../src/cpu/unicorn/index.ts';

export interface EngineUnderTest {
  readonly name: string;
  open(memoryBytes: number): Cpu;
}

export const ENGINES: readonly EngineUnderTest[] = [
  { name: 'unicorn', open: (memoryBytes) => openUnicorn({ memoryBytes }) },
];

/** Arena that suits a conformance test. */
export const TEST_MEMORY = 16 * 2 ** 20;

/** Runs `body` once per engine, with a name that says which version is judged. */
export function forEachEngine(title: string, body: (engine: EngineUnderTest) => void): void {
  for (const engine of ENGINES) {
    const probe = engine.open(TEST_MEMORY);
    const version = probe.name;
    probe.dispose();
    describe(`${title} (${version})`, () => body(engine));
  }
}
