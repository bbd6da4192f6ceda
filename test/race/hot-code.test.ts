// SPDX-License-Identifier: MIT
//
// What a scenario declares of the code that changes is checked against what the search sees.

import { describe, expect, it } from 'vitest';

import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { DEFAULT_PARAMETERS, explore, RACE_MEMORY_BYTES } from '../../src/race/index.ts';
import type { Exploration, Scenario } from '../../src/race/index.ts';
import { siteScenario, threads } from '../../src/race/scenarios/stage.ts';
import type { SiteScenario } from '../../src/race/scenarios/stage.ts';

/** Somebody makes one of the nops before the site another one, which is two bytes long. */
function rewriting(offset: number, more: Partial<SiteScenario> = {}): Scenario {
  return siteScenario({
    name: 'rewriting',
    summary: 'code before the site is changed',
    promise: 'nothing',
    actors: (stage) => [
      { name: 'W', local: stage.actor('W', stage.site), work: 'write' },
      ...threads(stage),
      { name: 'U', local: stage.actor('T', stage.site - 2) },
    ],
    jobs: (stage) => ({
      write: {
        *steps() {
          yield { op: 'store', addr: stage.site + offset, bytes: Uint8Array.of(0x66), what: 'prefix' };
        },
      },
    }),
    programs: () => [],
    changesCode: true,
    ...more,
  });
}

function run(scenario: Scenario): Exploration {
  const cpu = openUnicorn({ memoryBytes: RACE_MEMORY_BYTES });
  try {
    return explore(scenario.build({ ...DEFAULT_PARAMETERS, offset: 20 }, { cpu }), { budget: 10_000 });
  } finally {
    cpu.dispose();
  }
}

describe('code that is executed and changed', () => {
  it('and not declared hot is an error that says where it is and what changes it', () => {
    const message =
      /^the code at 0x401052 is executed and changed \("prefix"\), and the scenario does not declare it hot/;
    expect(() => run(rewriting(-2))).toThrow(message);
  });

  it('is explored when it is declared', () => {
    const hot: SiteScenario['hot'] = () => [{ address: 0x401052, length: 2 }];
    expect(run(rewriting(-2, { hot }))).toMatchObject({ complete: true });
  });

  it('may be changed where nobody executes it', () => {
    expect(run(rewriting(40))).toMatchObject({ verdict: 'holds', complete: true });
  });
});
