// SPDX-License-Identifier: MIT
//
// The program changes the code that is being patched: another thread maps other code, rewrites the number, throws the
// page away, protects or unmaps it. Threads execute the new code only when the change is done, and have serialised: a
// correct program. Upstream's memory calls know nothing of sites (usertrap.md 2.14); hardened ones give sites their own
// bytes back first, while the others stand still (usertrap/code-change.ts).

import { PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE } from '../../abi/mman.ts';
import { PAGE_SIZE, pageDown } from '../../base/addr.ts';
import { toHex } from '../../base/bytes.ts';
import { SITE_BYTES } from '../../isa/syscall-site.ts';
import { changeCode, emptyTable, needsOwnBytes } from '../../usertrap/code-change.ts';
import type { CodeChange, SiteRecord } from '../../usertrap/code-change.ts';
import { jumpOperand, looksPatched, originalBytes } from '../../usertrap/layout.ts';
import { bytesOf } from '../../usertrap/steps.ts';
import type { WorldStep, WorldSteps } from '../world/behaviour.ts';
import type { ActorStart } from '../world/world.ts';
import { OWN_STORE, RECORDS } from './gvisor-behaviour.ts';
import { patcher, siteScenario, threads } from './stage.ts';
import type { Job, Stage } from './stage.ts';

const TEXT_PROT = PROT_READ | PROT_EXEC;
/** gettid: the number that new code asks for. */
const OTHER = 186;
const DONE: WorldStep = { op: 'note', note: 'changed', value: 1, what: 'tell the others' };

/** What a memory call does, as the mode sees it. */
const KINDS: Partial<Record<WorldStep['op'], CodeChange>> = { map: 'discard', unmap: 'discard', protect: 'protect' };

function* just(step: WorldStep): WorldSteps<void> {
  yield step;
}

/** The Sentry's records of the site: what its jump says. */
export function* siteRecord({ site, parameters }: Stage): WorldSteps<SiteRecord[]> {
  const now = bytesOf(yield { op: 'load', addr: site, length: SITE_BYTES, force: true, what: RECORDS });
  const isPatched = now !== null && looksPatched(now);
  return isPatched ? [{ address: site, sysno: parameters.sysno, slot: jumpOperand(now) }] : [];
}

/** Memory calls of M, one after the other. */
export function changing(stage: Stage, changes: readonly WorldStep[]): Job {
  const { guards } = stage;
  return {
    *steps() {
      for (const change of changes) {
        const kind = KINDS[change.op];
        const prot = change.op === 'protect' ? change.prot : 0;
        if (kind === undefined || !needsOwnBytes(guards, kind, prot)) yield change;
        else yield* changeCode<WorldStep>(siteRecord(stage), true, just(change));
      }
      yield DONE;
    },
  };
}

/** Waits for the change and executes the site then. */
const WAIT: Job = {
  *steps() {
    yield { op: 'await', note: 'changed', value: 1, what: 'wait for the change' };
  },
  afterwards: (local) => ({ kind: 'user', local, serialises: true }),
};

export function changer(stage: Stage): ActorStart {
  return { name: 'M', local: stage.actor('M', stage.site), work: 'change' };
}

function waiters(stage: Stage, notes: Readonly<Record<string, number>> = {}): ActorStart[] {
  return Array.from({ length: stage.parameters.threads }, (_, i) => ({
    name: `T${i}`,
    local: stage.actor('T', stage.site, { notes }),
    work: 'wait',
  }));
}

/** Other code where the site is: its page, or both where a boundary splits it. */
export function pageOfSite(stage: Stage, code: Uint8Array): WorldStep & { op: 'map' } {
  const from = pageDown(stage.site);
  const isSplit = pageDown(stage.site + SITE_BYTES - 1) !== from;
  const image = stage.image(code);
  const at = from - stage.textStart;
  const bytes = image.slice(at, at + (isSplit ? 2 : 1) * PAGE_SIZE);
  return { op: 'map', addr: from, bytes, prot: TEXT_PROT, what: 'mmap other code' };
}

/** `mov $186,%eax; nop; nop; syscall`: no site, but byte 0 is what upstream's check looks at. */
// prettier-ignore
const NEW_CODE = Uint8Array.of(0xb8, OTHER, 0, 0, 0, 0x90, 0x90, 0x0f, 0x05);

export const PATCH_VS_REMAP = siteScenario({
  name: 'patch-vs-remap',
  summary: 'other code whose first byte is that of a mov is mapped where the site is, while it is patched',
  promise: 'new code is executed as its author wrote it',
  actors: (stage) => [patcher(stage), changer(stage), ...waiters(stage, { sysno: OTHER })],
  jobs: (stage) => {
    const map = pageOfSite(stage, NEW_CODE);
    const unmap: WorldStep = { op: 'unmap', addr: map.addr, length: map.bytes.length, what: 'munmap' };
    return { change: changing(stage, [unmap, map]), wait: WAIT };
  },
  programs: () => [NEW_CODE],
  changesCode: true,
});

export const PATCH_VS_REWRITE = siteScenario({
  name: 'patch-vs-rewrite',
  summary: 'a compiler makes the page writable, changes the number of the site, and makes it code again',
  promise: 'every thread makes the call that the code asks for when it is executed',
  actors: (stage) => [patcher(stage), changer(stage), ...waiters(stage, { sysno: OTHER })],
  jobs: (stage) => {
    const { addr, bytes } = pageOfSite(stage, originalBytes(OTHER));
    const protect = (prot: number, what: string): WorldStep => ({
      op: 'protect',
      addr,
      length: bytes.length,
      prot,
      what,
    });
    const changes: WorldStep[] = [
      protect(PROT_READ | PROT_WRITE, 'mprotect(RW)'),
      { op: 'store', addr: stage.site + 1, bytes: Uint8Array.of(OTHER, 0, 0, 0), what: OWN_STORE },
      protect(TEXT_PROT, 'mprotect(RX)'),
    ];
    return { change: changing(stage, changes), wait: WAIT };
  },
  programs: () => [originalBytes(OTHER)],
  changesCode: true,
});

export const PATCH_VS_DONTNEED = siteScenario({
  name: 'patch-vs-dontneed',
  summary: 'madvise(MADV_DONTNEED) gives the page of the site back as it is in its file, while it is patched',
  promise: 'every thread makes its syscall once, with its own number',
  actors: (stage) => [patcher(stage), changer(stage), ...threads(stage)],
  jobs: (stage) => ({
    change: changing(stage, [{ ...pageOfSite(stage, originalBytes(stage.parameters.sysno)), what: 'MADV_DONTNEED' }]),
  }),
  changesCode: true,
});

export const PATCH_VS_MPROTECT = siteScenario({
  name: 'patch-vs-mprotect',
  summary: 'the page of the site is out of reach for a while, and is patched meanwhile',
  promise: 'every thread makes its syscall once, with its own number',
  actors: (stage) => [patcher(stage), changer(stage), ...waiters(stage)],
  jobs: (stage) => {
    const { addr, bytes } = pageOfSite(stage, originalBytes(0));
    const protect = (prot: number, what: string): WorldStep => ({
      op: 'protect',
      addr,
      length: bytes.length,
      prot,
      what,
    });
    const changes = [protect(PROT_NONE, 'mprotect(NONE)'), protect(TEXT_PROT, 'mprotect(RX)')];
    return { change: changing(stage, changes), wait: WAIT };
  },
  changesCode: true,
});

export const PATCH_VS_MUNMAP = siteScenario({
  name: 'patch-vs-munmap',
  summary: 'the last page of the site is unmapped and mapped again as it was, while the site is patched',
  promise: 'every thread makes its syscall once, with its own number',
  actors: (stage) => [patcher(stage), changer(stage), ...waiters(stage)],
  jobs: (stage) => {
    const addr = pageDown(stage.site + SITE_BYTES - 1);
    const at = addr - stage.textStart;
    const bytes = stage.image(originalBytes(stage.parameters.sysno)).slice(at, at + PAGE_SIZE);
    const changes: WorldStep[] = [
      { op: 'unmap', addr, length: PAGE_SIZE, what: 'munmap' },
      { op: 'map', addr, bytes, prot: TEXT_PROT, what: 'mmap' },
    ];
    return { change: changing(stage, changes), wait: WAIT };
  },
  changesCode: true,
});

/** The tracer is there, and the table is as before the first patch. */
function* traced(): WorldSteps<void> {
  yield* emptyTable<WorldStep>();
  yield { op: 'set', field: 'tracees', value: 1, what: 'PTRACE_ATTACH' };
}

export const PATCH_VS_ATTACH = siteScenario({
  name: 'patch-vs-attach',
  summary: 'a tracer attaches and looks at the site while it is patched and executed: hardened gives it its bytes back',
  promise: 'the tracer sees the code of the program, and every thread makes its syscall once, with its own number',
  actors: (stage) => [
    patcher(stage),
    { name: 'D', local: stage.actor('D', stage.site), work: 'attach' },
    ...threads(stage),
  ],
  jobs: (stage) => ({
    attach: {
      *steps() {
        if (stage.guards.restoreForTracer) yield* changeCode<WorldStep>(siteRecord(stage), false, traced());
        else yield { op: 'note', note: 'traced', value: 1, what: 'PTRACE_ATTACH' };
        return bytesOf(
          yield { op: 'load', addr: stage.site, length: SITE_BYTES, force: true, what: 'PTRACE_PEEKTEXT' },
        );
      },
      afterwards(local, outcome) {
        const own = toHex(originalBytes(stage.parameters.sysno), ' ');
        const seen = outcome instanceof Uint8Array ? toHex(outcome, ' ') : null;
        if (seen === null || seen === own) return { kind: 'end', local };
        const text = `{actor} traces the program and sees ${seen} where its author wrote ${own}`;
        return { kind: 'fail', local, failure: { signature: 'tracer sees a patch', text } };
      },
    },
  }),
  changesCode: true,
});
