// SPDX-License-Identifier: MIT
//
// What race offers.

export { replayCommand, runRaceCommand, startRaceCommand } from './command.ts';
export type { RaceCommandOptions, RaceCommandResult } from './command.ts';
export { parseProtocol } from './protocols.ts';
export { scenarioNamed, SCENARIOS } from './scenarios/index.ts';
export { DEFAULT_PARAMETERS } from './scenarios/scenario.ts';
export type { Scenario, ScenarioParameters } from './scenarios/scenario.ts';
export { explore, startSearch, STRATEGIES } from './search/explore.ts';
export { NumberedSystem } from './search/numbered-system.ts';
export type { KeyedSystem } from './search/numbered-system.ts';
export { finish, formatSchedule, parseSchedule, replay } from './search/schedule.ts';
export type { Exploration, Failure, TransitionSystem, Witness } from './search/system.ts';
export { RACE_MEMORY_BYTES } from './world/machine.ts';
export { COHERENT, fetchNamed } from './world/model.ts';
export type { Model } from './world/model.ts';
