// SPDX-License-Identifier: MIT
//
// What every scenario takes and gives. A scenario is data until an engine is there to build its world on.

import type { Cpu } from '../../cpu/cpu.ts';
import type { RaceProtocol } from '../protocols.ts';
import { GVISOR } from '../protocols.ts';
import { COHERENT } from '../world/model.ts';
import type { Model } from '../world/model.ts';
import type { World } from '../world/world.ts';

/** Parameters that all scenarios share; each reads those that mean something to it. */
export interface ScenarioParameters {
  readonly patch: 'upstream' | 'hardened';
  readonly protocol: RaceProtocol;
  readonly model: Model;
  /** Threads that execute the site, besides the patcher. */
  readonly threads: number;
  /** Of the site in its 64-byte line. */
  readonly offset: number;
  /** The line is the last of its page: a site that crosses the line crosses the page. */
  readonly atPageEnd: boolean;
  /** System call number of the site. */
  readonly sysno: number;
  /** Address of the trap table. */
  readonly table: number;
  /** Where the threads start in the site: 0, or 5 with the number loaded already. */
  readonly startAt: 0 | 5;
}

export const DEFAULT_PARAMETERS: ScenarioParameters = {
  patch: 'upstream',
  protocol: GVISOR,
  model: COHERENT,
  threads: 1,
  offset: 0,
  atPageEnd: false,
  sysno: 39,
  table: 0x61000,
  startAt: 0,
};

/** How a world is built, beyond what the scenario is. */
export interface BuildOptions {
  /** An engine of its own, with an arena of RACE_MEMORY_BYTES: the world writes its memory and registers. */
  readonly cpu: Cpu;
  readonly recheckEvery?: number;
  readonly exchangesEqualActors?: boolean;
}

/** A scenario that `trapline race` knows. */
export interface Scenario {
  readonly name: string;
  readonly summary: string;
  /** What it means that it holds, for the first line of a report. */
  readonly promise: string;
  /** Its failures are outcomes to be reached, no defects: not part of `--all`. */
  readonly observes?: boolean;
  /** Address of the site whose bytes a report shows. */
  site(parameters: ScenarioParameters): number;
  build(parameters: ScenarioParameters, options: BuildOptions): World;
}
