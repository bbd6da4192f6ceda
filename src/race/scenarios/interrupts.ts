// SPDX-License-Identifier: MIT
//
// A thread at a site is interrupted while it is patched: by SIGCHLD of the Sentry's at every instruction (usertrap.md
// 2.9), or in its call, which then starts again at the `syscall` (2.8).

import { Reg } from '../../cpu/regs.ts';
import { SYSCALL_OFFSET } from '../../isa/syscall-site.ts';
import { TRAP_CODE_OFFSET, TRAP_USED_BYTES, trapAddress } from '../../usertrap/layout.ts';
import { SYS_RESTART_SYSCALL } from '../../usertrap/fault-handler.ts';
import type { GvisorOptions } from './gvisor-behaviour.ts';
import type { HotRange } from '../world/fetch.ts';
import type { Then } from '../world/behaviour.ts';
import type { Local, ServedCall, Shared } from '../world/state.ts';
import type { ScenarioParameters } from './scenario.ts';
import { patcher, SiteBehaviour, siteScenario, threads } from './stage.ts';
import type { Jobs, Stage } from './stage.ts';

const SIGCHLD = 17;

/** The code of the slot that the site will jump through. */
export function slotCode({ table }: Pick<ScenarioParameters, 'table'>, index = 1): HotRange {
  return {
    address: trapAddress(table, index) + TRAP_CODE_OFFSET,
    length: TRAP_USED_BYTES - TRAP_CODE_OFFSET,
  };
}

/** The Sentry interrupts: user code is shown to it as it is, a thread in a slot beyond its first instruction goes on. */
class Interrupted extends SiteBehaviour {
  readonly #slot: HotRange;

  constructor(options: GvisorOptions, jobs: Jobs, stage: Stage) {
    super(options, jobs);
    this.#slot = slotCode(stage.parameters);
  }

  deliver(signo: number, local: Local): Then {
    const rip = Number(local.regs[Reg.rip]);
    const { address, length } = this.#slot;
    const serialises = this.options.returnSerialises;
    if (rip < address || rip >= address + length) return { kind: 'user', local, serialises };
    if (rip > address)
      return { kind: 'user', local: { ...local, signals: [...local.signals, signo] }, serialises: false };
    // As the platform does: back to the jump, of which nothing is to be seen.
    if (this.options.guards.hideSlotRip) return { kind: 'user', local, rip: this.options.site, serialises };
    return { kind: 'user', local: { ...local, notes: { ...local.notes, shown: 1 } }, serialises };
  }

  override outcome(shared: Shared, locals: readonly Local[], actors: readonly string[]): string {
    const shown = locals.some((local) => local.notes['shown'] === 1) ? ', shown in its slot' : '';
    return super.outcome(shared, locals, actors) + shown;
  }
}

export const INTERRUPT_VS_PATCH = siteScenario({
  name: 'interrupt-vs-patch',
  summary: 'threads are interrupted by the Sentry at any instruction of the site and of its slot, while it is patched',
  promise: 'every thread makes its syscall once, with its own number',
  actors: (stage) => [
    patcher(stage),
    { name: 'S', local: stage.actor('S', stage.site), work: 'interrupt' },
    ...threads(stage),
  ],
  jobs: () => ({
    interrupt: {
      *steps() {
        yield { op: 'signal', role: 'T', signo: SIGCHLD, what: 'interrupt the threads' };
      },
    },
  }),
  behaviour: (options, jobs, stage) => new Interrupted(options, jobs, stage),
  hot: (parameters) => [slotCode(parameters)],
});

/** The first call of a thread is interrupted: it starts again at the `syscall`, with `rax` loaded. */
class Restarting extends SiteBehaviour {
  readonly #rax: number;
  readonly #stackTop: number;

  constructor(options: GvisorOptions, jobs: Jobs, stage: Stage, rax: number) {
    super(options, jobs);
    this.#rax = rax;
    this.#stackTop = stage.stackTop;
  }

  protected override serve(local: Local, call: ServedCall): Then {
    if (local.role !== 'T' || local.notes['restarted'] === 1) return super.serve(local, call);
    const first = super.serve(local, call);
    if (first.kind !== 'end' || first.failure !== undefined) return first;
    const regs = local.regs.slice();
    regs[Reg.rax] = BigInt(this.#rax);
    regs[Reg.rsp] = BigInt(this.#stackTop);
    const notes = { ...local.notes, restarted: 1, sysno: this.#rax };
    const again = { ...local, regs, notes, served: [...local.served, call] };
    return { kind: 'user', local: again, rip: this.options.site + SYSCALL_OFFSET, serialises: true };
  }
}

export const RESTART_VS_PATCH = siteScenario({
  name: 'restart-vs-patch',
  summary: 'a call from the site is interrupted and starts again with its number, while the site is patched',
  promise: 'every call that starts again is the call that was interrupted',
  actors: (stage) => [patcher(stage), ...threads(stage)],
  behaviour: (options, jobs, stage) => new Restarting(options, jobs, stage, stage.parameters.sysno),
});

export const RESTART_BLOCK_VS_PATCH = siteScenario({
  name: 'restart-block-vs-patch',
  summary: 'a sleep from the site is interrupted and goes on as restart_syscall, while the site is patched',
  promise: 'every sleep goes on as restart_syscall',
  actors: (stage) => {
    const notes = { restarted: 1, sysno: SYS_RESTART_SYSCALL };
    const local = stage.actor('T', stage.site + SYSCALL_OFFSET, { notes }, SYS_RESTART_SYSCALL);
    // The sleep of U was interrupted before anybody wanted to patch its site.
    return [patcher(stage), { name: 'U', local }, ...threads(stage)];
  },
  behaviour: (options, jobs, stage) => new Restarting(options, jobs, stage, SYS_RESTART_SYSCALL),
});
