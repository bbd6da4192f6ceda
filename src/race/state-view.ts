// SPDX-License-Identifier: MIT
//
// A state as somebody sees it who steps through a schedule: who is where with which registers, what each processor has
// fetched, who holds the lock, which slots of the table are filled, the site's bytes.

import { PROT_EXEC, PROT_READ } from '../abi/mman.ts';
import { REG_NAMES } from '../cpu/regs.ts';
import { SITE_BYTES } from '../isa/syscall-site.ts';
import { readTrap, TABLE_ENTRIES, TRAP_USED_BYTES, trapAddress } from '../usertrap/layout.ts';
import { readSpace } from './world/space.ts';
import type { Local, ServedCall, Space } from './world/state.ts';
import type { World } from './world/world.ts';

/** One actor of a state. */
export interface ActorView {
  readonly name: string;
  /** `user`: it is about to execute an instruction; `kernel`: the kernel works for it; `ended`: it has done its part. */
  readonly phase: Local['phase'];
  /** Number of its address space. */
  readonly space: number;
  /** General registers, rip, rflags and the segment bases by name. */
  readonly regs: Readonly<Record<string, bigint>>;
  /** What its processor has fetched, by hot granule. */
  readonly fetched: readonly (Uint8Array | null)[];
  /** The work that the kernel does for it, and what its next step is; null in user code. */
  readonly work: { readonly kind: string; readonly next: string } | null;
  readonly served: readonly ServedCall[];
}

/** A filled slot of the trap table. */
export interface SlotView {
  readonly index: number;
  readonly address: number;
  readonly sysno: number;
  /** Address behind the site that it is for. */
  readonly returnAddress: number;
}

/** Of the address space that the site was in at the start. */
export interface StateView {
  /** The site's bytes; fewer where it is not mapped. */
  readonly site: Uint8Array;
  /** Who holds the lock of the table: one alone, or several that share it. */
  readonly lock: { readonly exclusive: string | null; readonly shared: readonly string[] };
  /** Who made all others stand still. */
  readonly stoppedBy: string | null;
  /** The Sentry's own records of the table: its start, and the next unused slot, 0 before the first use. */
  readonly table: { readonly base: number; readonly next: number };
  readonly slots: readonly SlotView[];
  readonly actors: readonly ActorView[];
}

function slotsOf(space: Space): SlotView[] {
  const slots: SlotView[] = [];
  // The one at `next` is being filled in.
  for (let index = 1; index < TABLE_ENTRIES && index <= space.next; index++) {
    const address = trapAddress(space.base, index);
    const trap = readTrap(readSpace(space, address, TRAP_USED_BYTES, PROT_READ | PROT_EXEC), address);
    if (trap !== undefined) slots.push({ index, address, ...trap });
  }
  return slots;
}

function actorView(name: string, local: Local): ActorView {
  const { phase, space, work, served } = local;
  const regs = Object.fromEntries(REG_NAMES.map((register, i) => [register, local.regs[i] ?? 0n]));
  return {
    name,
    phase,
    space,
    regs,
    fetched: local.fetched.map((have) => have?.bytes ?? null),
    work: work === null ? null : { kind: work.kind, next: work.pending.what },
    served,
  };
}

/** The site's bytes in a state. */
export function siteBytes(world: World, state: number, site: number): Uint8Array {
  const space = world.shared(state).spaces[0];
  return space === undefined ? new Uint8Array(0) : readSpace(space, site, SITE_BYTES, PROT_READ | PROT_EXEC);
}

/** A state of a world by its number. */
export function stateView(world: World, state: number, site: number): StateView {
  const space = world.shared(state).spaces[0];
  const locals = world.locals(state);
  const names = (is: (local: Local) => boolean): string[] =>
    world.actors.filter((_, i) => is(locals[i] as Local) && locals[i]?.space === 0);
  return {
    site: siteBytes(world, state, site),
    lock: {
      exclusive: names((local) => local.work?.holds === 'exclusive')[0] ?? null,
      shared: names((local) => local.work?.holds === 'shared'),
    },
    stoppedBy: names((local) => local.isStopper)[0] ?? null,
    table: { base: space?.base ?? 0, next: space?.next ?? 0 },
    slots: space === undefined ? [] : slotsOf(space),
    actors: locals.map((local, i) => actorView(world.actors[i] ?? '?', local)),
  };
}
