// SPDX-License-Identifier: MIT
//
// After fork the pages of the table are shared with the child: filling a slot copies one, while a thread is in another slot
// of it. Upstream maps the copy only when it is next used, and its stub panics where that is in a slot (usertrap.md 2.10,
// scenario 26; Guards.keepCopiedPage).

import { Reg } from '../../cpu/regs.ts';
import { TABLE_BYTES } from '../../usertrap/layout.ts';
import type { Failure } from '../search/system.ts';
import type { Local } from '../world/state.ts';
import { slotCode } from './interrupts.ts';
import type { GvisorOptions } from './gvisor-behaviour.ts';
import { patchedSite, patchesOther } from './slot-reuse.ts';
import { SiteBehaviour, siteScenario, threads } from './stage.ts';
import type { Jobs, Stage } from './stage.ts';

class InSlots extends SiteBehaviour {
  readonly #code: { readonly address: number; readonly length: number };

  constructor(options: GvisorOptions, jobs: Jobs, stage: Stage) {
    super(options, jobs);
    this.#code = slotCode(stage.parameters);
  }

  /** At its first instruction the thread's state is still that of application code. */
  pageFault({ regs }: Local): Failure | null {
    const into = Number(regs[Reg.rip]) - this.#code.address;
    if (into <= 0 || into >= this.#code.length) return null;
    return { signature: 'stub panic', text: '{actor} faults in its slot: the stub panics, and the process is gone' };
  }
}

export const COW_IN_SLOT = siteScenario({
  name: 'cow-in-slot',
  summary: 'the process has forked, and filling a slot copies the page of the table while a thread is in another slot',
  promise: 'every thread makes its syscall once, with its own number',
  actors: (stage) => [patchesOther(stage), ...threads(stage)],
  behaviour: (options, jobs, stage) => new InSlots(options, jobs, stage),
  prepare: (pages, stage) => {
    patchedSite(pages, stage);
    const { table } = stage.parameters;
    for (const [address, page] of pages)
      if (address >= table && address < table + TABLE_BYTES) pages.set(address, { ...page, isCow: true });
  },
  hot: (parameters) => [slotCode(parameters)],
  next: 2,
});
