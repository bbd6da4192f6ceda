// SPDX-License-Identifier: MIT
//
// The page of a patched site is thrown away, its slot serves another site (Guards.reuseSlots; upstream's slots are
// append-only), and a thread is in the slot meanwhile.

import { PROT_EXEC, PROT_READ } from '../../abi/mman.ts';
import { PAGE_SIZE, pageDown } from '../../base/addr.ts';
import { SITE_BYTES } from '../../isa/syscall-site.ts';
import { originalBytes, patchedBytes, trapAddress, trapBytes } from '../../usertrap/layout.ts';
import { headerBytes } from '../../usertrap/trap-table.ts';
import type { Local, Page, Shared } from '../world/state.ts';
import type { ActorStart } from '../world/world.ts';
import { changer, changing, pageOfSite } from './code-changes.ts';
import { slotCode } from './interrupts.ts';
import { SiteBehaviour, siteScenario, TEXT, threads } from './stage.ts';
import type { Stage } from './stage.ts';

/** gettid, and where a site asks for it: in another page than the scenario's site. */
const OTHER = 186;
const OTHER_SITE = TEXT + 0x200;

function write(
  pages: Map<number, Page>,
  { machine }: Pick<Stage, 'machine'>,
  address: number,
  bytes: Uint8Array,
): void {
  for (let done = 0; done < bytes.length;) {
    const page = pageDown(address + done);
    const n = Math.min(bytes.length - done, page + PAGE_SIZE - address - done);
    const known = pages.get(page) ?? {
      content: machine.contents.of(new Uint8Array(PAGE_SIZE)),
      prot: PROT_READ | PROT_EXEC,
      isCow: false,
    };
    const content = machine.contents.with(known.content, address + done - page, bytes.subarray(done, done + n));
    pages.set(page, { ...known, content });
    done += n;
  }
}

/** The site is patched, its slot is the first; another site waits. */
export function patchedSite(pages: Map<number, Page>, stage: Omit<Stage, 'pages'>): void {
  const { sysno, table } = stage.parameters;
  const slot = trapAddress(table, 1);
  write(pages, stage, table, headerBytes(2));
  write(pages, stage, slot, trapBytes(slot, stage.site + SITE_BYTES, sysno));
  write(pages, stage, stage.site, patchedBytes(slot));
  write(pages, stage, OTHER_SITE, originalBytes(OTHER));
}

/** A patcher that has trapped on the other site. */
export function patchesOther(stage: Stage): ActorStart {
  const local = stage.actor('P', OTHER_SITE + SITE_BYTES, { notes: { sysno: OTHER } }, OTHER);
  return { name: 'P', local, work: 'patch' };
}

/** Tells runs in which one slot served both sites. */
class Reusing extends SiteBehaviour {
  override outcome(shared: Shared, locals: readonly Local[], actors: readonly string[]): string {
    return super.outcome(shared, locals, actors) + (shared.spaces[0]?.next === 2 ? ', one slot for both sites' : '');
  }
}

export const SLOT_REUSE = siteScenario({
  name: 'slot-reuse',
  summary: 'the page of a patched site is thrown away while a thread is in its slot, and another site is patched',
  promise: 'every thread makes its syscall once, with its own number',
  actors: (stage) => [patchesOther(stage), changer(stage), ...threads(stage)],
  jobs: (stage) => ({
    change: changing(stage, [{ ...pageOfSite(stage, originalBytes(stage.parameters.sysno)), what: 'MADV_DONTNEED' }]),
  }),
  prepare: patchedSite,
  behaviour: (options, jobs) => new Reusing(options, jobs),
  hot: (parameters) => [slotCode(parameters)],
  next: 2,
  changesCode: true,
});
