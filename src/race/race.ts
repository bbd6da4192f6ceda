// SPDX-License-Identifier: MIT
//
// What a test starts from: scenarios, and tables of verdicts over placements and models.

import { LINE_BYTES, SITE_BYTES } from '../isa/syscall-site.ts';
import { RaceScenario } from './race-scenario.ts';
import type { ExploreSettings, RaceHost } from './race-scenario.ts';
import { scenarioNamed } from './scenarios/index.ts';
import { MODELS } from './world/model.ts';

export interface PlacementOptions {
  /** Also with the line at the end of its page. Default false. */
  readonly page?: boolean;
}

/** Names of models that need no number, from the weakest adversary on. */
export const ALL_MODELS: readonly string[] = MODELS.map((model) => model.name).filter((name) => !name.includes('='));

interface Row {
  readonly name: string;
  readonly scenario: RaceScenario;
}

function placements(scenario: RaceScenario, { page = false }: PlacementOptions): Row[] {
  const rows: Row[] = [{ name: 'in one line', scenario: scenario.with({ offset: 0, page: false }) }];
  for (const crossesPage of page ? [false, true] : [false]) {
    for (let first = 1; first < SITE_BYTES; first++) {
      const changes = { offset: LINE_BYTES - first, page: crossesPage };
      rows.push({
        name: `${first} of ${SITE_BYTES} bytes in the first ${crossesPage ? 'page' : 'line'}`,
        scenario: scenario.with(changes),
      });
    }
  }
  return rows;
}

/** Explores every cell and writes a table: placements by models. The same for the same scenario, byte for byte. */
function table(rows: readonly Row[], models: readonly string[], settings: ExploreSettings): string {
  const lines = [`| placement | ${models.join(' | ')} |`, `| --- |${' --- |'.repeat(models.length)}`];
  for (const { name, scenario } of rows) {
    const cells = models.map((model) => {
      const { verdict, witness } = scenario.explore({ ...settings, model });
      return witness === null ? verdict : `${witness.signature}, ${witness.switches} switches`;
    });
    lines.push(`| ${name} | ${cells.join(' | ')} |`);
  }
  return `${lines.join('\n')}\n`;
}

/** The entry: see {@link createRace}. */
export interface Race {
  /** A new scenario, to be filled. */
  scenario(name: string): RaceScenario;
  /** One that Trapline brings; `trapline race --list` shows them. @throws TraplineError `RACE_SCENARIO` */
  named(name: string): RaceScenario;
  /** `race.forEachPlacement({ page: true }, scenario).forEachModel(models).verdictTable()` */
  forEachPlacement(
    options: PlacementOptions,
    scenario: RaceScenario,
  ): {
    forEachModel(models?: readonly string[]): { verdictTable(settings?: ExploreSettings): string };
  };
}

/** Races on an engine: `createRace({ openCpu: openUnicorn })`. */
export function createRace(host: RaceHost): Race {
  return {
    scenario: (name) => RaceScenario.empty(host, name),
    named(name) {
      const known = scenarioNamed(name);
      const parts = { name, code: null, actors: [], kernel: {}, always: [], finally: [], changes: {} };
      return new RaceScenario(host, known, parts);
    },
    forEachPlacement: (options, scenario) => ({
      forEachModel: (models = ALL_MODELS) => ({
        verdictTable: (settings = {}) => table(placements(scenario, options), models, settings),
      }),
    }),
  };
}
