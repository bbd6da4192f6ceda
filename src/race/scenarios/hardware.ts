// SPDX-License-Identifier: MIT
//
// "Patch versus execute" as it was run on a real processor: the fifth slot of the table, and a thread that runs into the
// guard counts as an outcome of its own. test/race/hardware.json has what the processor showed.

import type { Decoded, Then } from '../world/behaviour.ts';
import type { Local, ServedCall } from '../world/state.ts';
import { hexNumber } from './gvisor-behaviour.ts';
import type { Failure } from '../search/system.ts';
import { patcher, SiteBehaviour, siteScenario, threads } from './stage.ts';

class Observed extends SiteBehaviour {
  override decode(decoded: Decoded): { text: string; failure?: (consequence: string) => Failure; readsData?: boolean } {
    const known = super.decode(decoded);
    if (known.failure !== undefined || decoded.length > 0 || decoded.at !== this.options.site + 5) return known;
    const failure = { signature: 'guard', text: '{actor} ran into the guard at site+5' };
    return { text: known.text, failure: () => failure };
  }

  /** Every wrong number is an outcome of its own. */
  protected override serve(local: Local, call: ServedCall): Then {
    const then = super.serve(local, call);
    if (then.kind !== 'end' || then.failure === undefined) return then;
    return { ...then, failure: { ...then.failure, signature: `number ${hexNumber(call.sysno)}` } };
  }
}

export const HARDWARE = siteScenario({
  name: 'hardware',
  summary: 'patch-vs-exec as it was run on a real processor; running into the guard is an outcome to be reached',
  observes: true,
  promise: 'no thread runs into the guard or executes a mix of old and new',
  actors: (stage) => [patcher(stage), ...threads(stage)],
  behaviour: (options, jobs) => new Observed(options, jobs),
  next: 5,
});
