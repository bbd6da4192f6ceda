// SPDX-License-Identifier: MIT
//
// fork and execve while a site is patched. fork copies the address space under the shared table lock (PreFork,
// usertrap.md 2.10), so that no child has half a patch; execve begins with a table of its own.

import { PROT_EXEC, PROT_READ } from '../../abi/mman.ts';
import { PAGE_SIZE } from '../../base/addr.ts';
import { originalBytes, TABLE_BYTES, WINDOW_START } from '../../usertrap/layout.ts';
import { lock, unlock } from '../../usertrap/steps.ts';
import type { Page } from '../world/state.ts';
import { patcher, siteScenario, threads } from './stage.ts';
import type { Stage } from './stage.ts';

/** The program afresh, with room for a table where the first one goes. */
function freshProgram(stage: Stage): Map<number, Page> {
  const image = stage.image(originalBytes(stage.parameters.sysno));
  const pages = new Map<number, Page>();
  const add = (address: number, bytes: Uint8Array): void => {
    pages.set(address, { content: stage.machine.contents.of(bytes), prot: PROT_READ | PROT_EXEC, isCow: false });
  };
  for (let at = 0; at < image.length; at += PAGE_SIZE) add(stage.textStart + at, image.slice(at, at + PAGE_SIZE));
  for (let at = 0; at < TABLE_BYTES; at += PAGE_SIZE) add(WINDOW_START + at, new Uint8Array(PAGE_SIZE));
  return pages;
}

export const PATCH_VS_FORK = siteScenario({
  name: 'patch-vs-fork',
  summary: 'the process forks while the site is patched, and the child executes the site',
  promise: 'parent and child make their syscalls once, with their own numbers',
  actors: (stage) => [
    patcher(stage),
    { name: 'F', local: stage.actor('F', stage.site), work: 'fork' },
    { name: 'C', local: stage.actor('C', stage.site, { phase: 'ended' }) },
    ...threads(stage),
  ],
  jobs: (stage) => ({
    fork: {
      *steps() {
        yield lock(false);
        const child = stage.actor('C', stage.site + stage.parameters.startAt);
        // Without its parent's records a child reads its table's header when it patches.
        const next = stage.guards.inheritTable ? {} : { next: 0 };
        yield { op: 'fork', role: 'C', child, pages: null, ...next, what: 'fork' };
        yield unlock(false);
      },
    },
  }),
});

export const PATCH_VS_EXECVE = siteScenario({
  name: 'patch-vs-execve',
  summary: 'another thread calls execve while the site is patched; the new program has the same site',
  promise: 'old and new program make their syscalls once, with their own numbers',
  actors: (stage) => [
    patcher(stage),
    { name: 'X', local: stage.actor('X', stage.site), work: 'execve' },
    { name: 'N', local: stage.actor('N', stage.site, { phase: 'ended' }) },
    ...threads(stage),
  ],
  jobs: (stage) => ({
    execve: {
      *steps() {
        const child = stage.actor('N', stage.site);
        yield { op: 'fork', role: 'N', child, pages: freshProgram(stage), what: 'execve' };
      },
    },
  }),
});
