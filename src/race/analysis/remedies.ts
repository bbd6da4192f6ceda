// SPDX-License-Identifier: MIT
//
// What would make a failing scenario pass: each candidate is explored like the scenario itself, none is guessed.

import { TraplineError } from '../../base/errors.ts';
import { SITE_BYTES } from '../../isa/syscall-site.ts';
import { parseProtocol } from '../protocols.ts';
import type { BuildOptions, Scenario, ScenarioParameters } from '../scenarios/scenario.ts';
import { startSearch } from '../search/explore.ts';
import type { Progress, StopReason } from '../search/system.ts';
import { RACE_MEMORY_BYTES } from '../world/machine.ts';

/** A change with which a scenario holds, completely explored. */
export interface Remedy {
  readonly text: string;
  /** The options of the command line that make the change. */
  readonly options: string;
}

interface Candidate extends Remedy {
  readonly parameters: ScenarioParameters;
  /** Says nothing new where one of these passes. */
  readonly impliedBy: readonly string[];
}

export type MakeCpu = (options: { memoryBytes: number }) => BuildOptions['cpu'];

/** Where the byte at +6 stays what it is: the table's highest byte is that of a `syscall` instruction. */
const KEEPS_LAST_BYTE = 0x05000000;

const SMALLEST_BUDGET = 5_000;
const LARGEST_BUDGET = 200_000;

function candidates(p: ScenarioParameters): Candidate[] {
  const out: Candidate[] = [];
  const protocol = (text: string): ScenarioParameters => ({ ...p, protocol: parseProtocol(text) });
  const { text, patch } = p.protocol;
  if (patch.syncAfter.length === 0 && patch.stopsOthers !== true) {
    const early = patch.steps.slice(0, -1).map((step) => step.name);
    for (const name of early) {
      const changed = `${text}:sync=${name}`;
      out.push({
        text: `sync_core after step ${name}`,
        options: `--protocol ${changed}`,
        parameters: protocol(changed),
        impliedBy: [],
      });
    }
    if (early.length === 2) {
      const changed = `${text}:sync=${early.join(',')}`;
      out.push({
        text: `sync_core after steps ${early.join(' and ')}`,
        options: `--protocol ${changed}`,
        parameters: protocol(changed),
        impliedBy: early.map((name) => `sync_core after step ${name}`),
      });
    }
  }
  for (const [name, what] of [
    ['abc', 'the protocol abc'],
    ['one-store', 'one store of eight bytes'],
  ] as const) {
    if (text !== name)
      out.push({ text: what, options: `--protocol ${name}`, parameters: protocol(name), impliedBy: [] });
  }
  const table = KEEPS_LAST_BYTE + (p.table & 0xffffff);
  if (table !== p.table) {
    out.push({
      text: `table at 0x${table.toString(16)} (byte +6 stays 05)`,
      options: `--table 0x${table.toString(16)}`,
      parameters: { ...p, table },
      impliedBy: [],
    });
  }
  if ((p.offset % p.model.granule) + SITE_BYTES > p.model.granule && p.model.granule > SITE_BYTES) {
    out.push({
      text: `site not at offset ${p.offset} but in one line`,
      options: '--offset 0',
      parameters: { ...p, offset: 0, atPageEnd: false },
      impliedBy: [],
    });
  }
  if (p.patch === 'upstream') {
    out.push({
      text: 'hardened mode',
      options: '--patch hardened',
      parameters: { ...p, patch: 'hardened' },
      impliedBy: [],
    });
  }
  return out;
}

/**
 * Explores the scenario with each change that might help.
 * @param states how many the scenario itself has
 * @returns the changes with which it holds; null when it is too large to try, or when told to stop
 */
export function* remediesOf(
  scenario: Scenario,
  parameters: ScenarioParameters,
  states: number,
  makeCpu: MakeCpu,
): Generator<Progress, Remedy[] | null, StopReason | null> {
  if (states > LARGEST_BUDGET) return null;
  const budget = Math.min(LARGEST_BUDGET, Math.max(SMALLEST_BUDGET, 8 * states));
  const found: Remedy[] = [];
  for (const candidate of candidates(parameters)) {
    if (candidate.impliedBy.some((text) => found.some((remedy) => remedy.text === text))) continue;
    const cpu = makeCpu({ memoryBytes: RACE_MEMORY_BYTES });
    try {
      const world = scenario.build(candidate.parameters, { cpu });
      const search = startSearch(world, { strategy: 'exhaustive', budget });
      let at = search.next();
      while (at.done !== true) {
        const told = yield at.value;
        if (told !== null) return null;
        // A failure says enough.
        at = search.next(at.value.failures > 0 ? 'budget' : null);
      }
      if (at.value.verdict === 'holds') found.push({ text: candidate.text, options: candidate.options });
    } catch (error) {
      // The scenario does not fit the change, such as stores behind the site where it has no hot bytes: nothing is said of it.
      if (!(error instanceof TraplineError) || error.code !== 'RACE_SCENARIO') throw error;
    } finally {
      cpu.dispose();
    }
  }
  return found;
}
