// SPDX-License-Identifier: MIT
//
// Two threads trap on one site before it is patched, and both ask for a patch: the second finds the first one's
// (usertrap_amd64.go:224). Scenario 9 of the conformance list.

import type { Failure } from '../search/system.ts';
import type { Local, Shared } from '../world/state.ts';
import { patcher, SiteBehaviour, siteScenario, threads } from './stage.ts';

class OneSlot extends SiteBehaviour {
  override stuck(shared: Shared, locals: readonly Local[], actors: readonly string[]): Failure | undefined {
    const wrong = super.stuck(shared, locals, actors);
    const next = shared.spaces[0]?.next ?? 0;
    if (wrong !== undefined || next <= 2) return wrong;
    return { signature: 'two slots', text: `one site has used up ${next - 1} slots` };
  }
}

export const TWO_PATCHERS = siteScenario({
  name: 'two-patchers',
  summary: 'two threads trapped on one site and both patch it, others execute it',
  promise: 'the site has one slot and every thread makes its syscall once, with its own number',
  actors: (stage) => [patcher(stage, 'P0'), patcher(stage, 'P1'), ...threads(stage)],
  behaviour: (options, jobs) => new OneSlot(options, jobs),
});
