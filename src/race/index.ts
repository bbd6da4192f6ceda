// SPDX-License-Identifier: MIT
//
// What race offers.

export { replayCommand, runRaceCommand } from './command.ts';
export type { RaceCommandOptions, RaceCommandResult } from './command.ts';
export { explore } from './explorer.ts';
export type { Exploration, ExplorableSystem, Failure, Witness } from './explorer.ts';
export { PatchVersusExec } from './patch-vs-exec.ts';
export type { PatchRaceOptions } from './patch-vs-exec.ts';
export { finish, parseSchedule, replay } from './schedule.ts';
