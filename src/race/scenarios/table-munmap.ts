// SPDX-License-Identifier: MIT
//
// The program unmaps the trap table while a site is patched and called (scenario 39). Upstream notices nothing: who jumps
// through a slot dies. Hardened gives sites their own bytes back before, and the address space is not patched again.

import { TABLE_BYTES } from '../../usertrap/layout.ts';
import { changeCode } from '../../usertrap/code-change.ts';
import { loseTable } from '../../usertrap/trap-table.ts';
import type { WorldStep, WorldSteps } from '../world/behaviour.ts';
import { changer, siteRecord } from './code-changes.ts';
import { slotCode } from './interrupts.ts';
import { patcher, siteScenario, threads } from './stage.ts';

function* lost(unmap: WorldStep): WorldSteps<void> {
  yield* loseTable<WorldStep>();
  yield unmap;
}

export const TABLE_MUNMAP = siteScenario({
  name: 'table-munmap',
  summary: 'the program unmaps the trap table while the site is patched, or a thread is in its slot',
  promise: 'every thread makes its syscall once, with its own number',
  actors: (stage) => [patcher(stage), changer(stage), ...threads(stage)],
  jobs: (stage) => ({
    change: {
      *steps() {
        const { table } = stage.parameters;
        const unmap: WorldStep = { op: 'unmap', addr: table, length: TABLE_BYTES, what: 'munmap of the table' };
        if (stage.guards.surviveTableLoss) yield* changeCode<WorldStep>(siteRecord(stage), false, lost(unmap));
        else yield unmap;
      },
    },
  }),
  hot: (parameters) => [slotCode(parameters)],
  changesCode: true,
});
