// SPDX-License-Identifier: MIT
//
// What race offers.

export type { Coverage } from './analysis/coverage.ts';
export type { Remedy } from './analysis/remedies.ts';
export {
  changeScheduleCommand,
  replayCommand,
  resolveParameters,
  runRaceCommand,
  startRaceCommand,
  startRaceCommands,
} from './command.ts';
export type {
  ChangeScheduleOptions,
  RaceCommandOptions,
  RaceCommandResult,
  RaceCommandResults,
  ReplayCommandOptions,
} from './command.ts';
export { junitXml } from './junit.ts';
export { moveStep, replayChanged, scheduledSteps } from './changed-schedule.ts';
export type { ChangedSchedule } from './changed-schedule.ts';
export { parseProtocol } from './protocols.ts';
export { ALL_MODELS, createRace } from './race.ts';
export type { PlacementOptions, Race } from './race.ts';
export { RaceScenario } from './race-scenario.ts';
export type { Changes, ExploreSettings, KernelSettings, Placement, RaceHost, ThreadStart } from './race-scenario.ts';
export type { ActorState, RaceState } from './race-state.ts';
export { raceReport } from './report.ts';
export { raceJson, racesJson, replayJson } from './result-json.ts';
export type { ActorJson, FailureJson, RaceJson, RacesJson, ReplayJson, StateJson, StepJson } from './result-json.ts';
export type { RaceResult, ResultFailure, ResultStep } from './result.ts';
export { stateView } from './state-view.ts';
export type { ActorView, SlotView, StateView } from './state-view.ts';
export type { ReplayMode, ReplayResult } from './replay.ts';
export { guestPatcher } from './scenarios/guest-patcher.ts';
export { scenarioNamed, SCENARIOS } from './scenarios/index.ts';
export { DEFAULT_PARAMETERS } from './scenarios/scenario.ts';
export type { Scenario, ScenarioParameters } from './scenarios/scenario.ts';
export { explore, startSearch, STRATEGIES } from './search/explore.ts';
export { NumberedSystem } from './search/numbered-system.ts';
export type { KeyedSystem } from './search/numbered-system.ts';
export { finish, formatSchedule, parseSchedule, replay } from './search/schedule.ts';
export type { Exploration, Failure, TransitionSystem, Witness } from './search/system.ts';
export { compactToken, formatToken, parseToken } from './token.ts';
export type { Token } from './token.ts';
export { RACE_MEMORY_BYTES } from './world/machine.ts';
export { COHERENT, fetchNamed } from './world/model.ts';
export type { Model } from './world/model.ts';
