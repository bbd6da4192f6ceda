// SPDX-License-Identifier: MIT
//
// A state as the properties of a test see it.

import { PROT_EXEC, PROT_READ } from '../abi/mman.ts';
import { toHex } from '../base/bytes.ts';
import { Reg } from '../cpu/regs.ts';
import { SITE_BYTES } from '../isa/syscall-site.ts';
import type { Failure } from './search/system.ts';
import { readSpace } from './world/space.ts';
import type { Local, ServedCall, Shared } from './world/state.ts';

/** One actor of a state. */
export interface ActorState {
  readonly name: string;
  /** `user`: it is about to execute an instruction; `kernel`: the kernel works for it; `ended`: it has done its part. */
  readonly phase: 'user' | 'kernel' | 'ended';
  readonly rip: number;
  readonly rax: bigint;
  /** System calls that it made. */
  readonly served: readonly ServedCall[];
  /** Bytes that its processor has fetched, by granule. */
  readonly fetched: readonly (Uint8Array | null)[];
}

export class RaceState {
  readonly #shared: Shared;
  readonly #locals: readonly Local[];
  readonly #names: readonly string[];
  readonly #site: number;

  constructor(shared: Shared, locals: readonly Local[], names: readonly string[], site: number) {
    this.#shared = shared;
    this.#locals = locals;
    this.#names = names;
    this.#site = site;
  }

  /** The site's bytes in memory. */
  get site(): Uint8Array {
    return this.memory(this.#site, SITE_BYTES);
  }

  get actors(): ActorState[] {
    return this.#locals.map((local, i) => ({
      name: this.#names[i] ?? '?',
      phase: local.phase,
      rip: Number(local.regs[Reg.rip]),
      rax: local.regs[Reg.rax] as bigint,
      served: local.served,
      fetched: local.fetched.map((have) => have?.bytes ?? null),
    }));
  }

  /** Somebody holds the lock of the trap table exclusively. */
  get isLocked(): boolean {
    return this.#shared.spaces[0]?.isLocked ?? false;
  }

  /** Shared memory; shorter where it is not mapped. */
  memory(address: number, length: number): Uint8Array {
    const space = this.#shared.spaces[0];
    return space === undefined ? new Uint8Array(0) : readSpace(space, address, length, PROT_READ | PROT_EXEC);
  }

  /** How often all actors together made the system call with this number. */
  syscalls(sysno: number): number {
    return this.#locals.reduce((sum, local) => sum + local.served.filter((call) => call.sysno === sysno).length, 0);
  }

  /** The state in words. */
  toString(): string {
    const actors = this.actors.map(({ name, phase, rip, served }) => {
      const calls = served.map((call) => `${call.via} ${call.sysno}`).join(' ');
      return `${name} ${phase}${phase === 'user' ? ` at site+${rip - this.#site}` : ''}${calls === '' ? '' : ` (${calls})`}`;
    });
    return `site ${toHex(this.site, ' ')}; ${actors.join('; ')}`;
  }
}

/** What must be true of states. */
export interface Property {
  readonly name: string;
  holds(state: RaceState): boolean;
}

/** What is wrong with a state: the first property that is false, or that throws. */
export function violation(properties: readonly Property[], state: RaceState): Failure | undefined {
  for (const { name, holds } of properties) {
    try {
      if (holds(state)) continue;
      return { signature: `property "${name}"`, text: `"${name}" is false: ${state.toString()}` };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return {
        signature: `property "${name}" threw`,
        text: `"${name}" threw "${message}" in the state ${state.toString()}`,
      };
    }
  }
  return undefined;
}
