// SPDX-License-Identifier: MIT
//
// Where sites and slots lie: the end of the table, a slot in the cache line of another, a site at the start of its
// mapping, pages that are copied when they are first written.

import { PROT_READ, PROT_WRITE } from '../../abi/mman.ts';
import { PAGE_SIZE } from '../../base/addr.ts';
import { invariant } from '../../base/errors.ts';
import { TABLE_BYTES } from '../../usertrap/layout.ts';
import type { Failure } from '../search/system.ts';
import type { PageContent } from '../world/pages.ts';
import type { Local, Shared } from '../world/state.ts';
import type { GvisorOptions } from './gvisor-behaviour.ts';
import { slotCode } from './interrupts.ts';
import { patcher, SiteBehaviour, siteScenario, TEXT, threads } from './stage.ts';
import type { Jobs, Stage } from './stage.ts';

/** The guest's page behind the table is as it was. */
class SparesNeighbour extends SiteBehaviour {
  readonly #address: number;
  readonly #content: PageContent;

  constructor(options: GvisorOptions, jobs: Jobs, stage: Stage) {
    super(options, jobs);
    this.#address = stage.parameters.table + TABLE_BYTES;
    const page = stage.pages.get(this.#address);
    invariant(page !== undefined, () => 'the guest has a page behind the table');
    this.#content = page.content;
  }

  override stuck(shared: Shared, locals: readonly Local[], actors: readonly string[]): Failure | undefined {
    const wrong = super.stuck(shared, locals, actors);
    if (wrong !== undefined || shared.spaces[0]?.pages.get(this.#address)?.content === this.#content) return wrong;
    return { signature: 'guest memory overwritten', text: 'a slot was written into the guest’s page behind the table' };
  }
}

export const TABLE_FULL = siteScenario({
  name: 'table-full',
  summary: 'one slot is left, the guest has a page behind the table, and two threads patch the site',
  promise: 'the last slot is used, and nothing behind the table',
  actors: (stage) => [patcher(stage, 'P0'), patcher(stage, 'P1'), ...threads(stage)],
  prepare: (pages, stage) => {
    const content = stage.machine.contents.of(new Uint8Array(PAGE_SIZE).fill(0xaa));
    pages.set(stage.parameters.table + TABLE_BYTES, { content, prot: PROT_READ | PROT_WRITE, isCow: false });
  },
  behaviour: (options, jobs, stage) => new SparesNeighbour(options, jobs, stage),
  next: 255,
});

export const TRAMPOLINE_LINE = siteScenario({
  name: 'trampoline-line',
  summary: 'the second slot of the table is filled, in a cache line that threads may hold since they used the first',
  promise: 'no thread executes a slot as it was before it was filled',
  actors: (stage) => [patcher(stage), ...threads(stage)],
  hot: (parameters) => [slotCode(parameters, 2)],
  next: 2,
});

export const SITE_AT_START = siteScenario({
  name: 'site-at-vma-start',
  summary: 'the byte before the site, which the stub reads, is not mapped or goes away',
  promise: 'every thread makes its syscall once, with its own number',
  site: () => TEXT + PAGE_SIZE,
  actors: (stage) => [{ name: 'M', local: stage.actor('M', stage.site), work: 'unmap' }, ...threads(stage)],
  jobs: () => ({
    unmap: {
      *steps() {
        yield { op: 'unmap', addr: TEXT, length: PAGE_SIZE, what: 'munmap of the page before' };
      },
    },
  }),
  changesCode: true,
});

export const COW_BREAK = siteScenario({
  name: 'cow-break',
  summary: 'the site’s pages are copied at the first store to each: all others are interrupted then',
  promise: 'every thread makes its syscall once, with its own number',
  actors: (stage) => [patcher(stage), ...threads(stage)],
  prepare: (pages) => {
    for (const [address, page] of pages) if (address >= TEXT) pages.set(address, { ...page, isCow: true });
  },
});
