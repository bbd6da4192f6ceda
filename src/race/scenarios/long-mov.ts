// SPDX-License-Identifier: MIT
//
// The site's mov is the tail of a longer instruction, `mov $number,%r8d` with the number in rax already: upstream patches
// it, and the jump leaves r8 as it was (gVisor issue #10849; Guards.instructionBoundary).

import { PAGE_SIZE, pageDown } from '../../base/addr.ts';
import { Reg } from '../../cpu/regs.ts';
import { MOV_EAX_IMM32 } from '../../isa/syscall-site.ts';
import type { Then } from '../world/behaviour.ts';
import type { Local, ServedCall, Space } from '../world/state.ts';
import { patcher, SiteBehaviour, siteScenario } from './stage.ts';

/** REX.B: the mov is to r8d. */
const PREFIX = 0x41;

class LongMov extends SiteBehaviour {
  protected override boundaryOf(rip: number): number {
    return super.boundaryOf(rip) - 1;
  }

  protected override isLegal(space: Space, offset: number, bytes: Uint8Array, length: number): boolean {
    if (offset !== -1) return super.isLegal(space, offset, bytes, length);
    const rest = bytes.subarray(1);
    return rest[0] === MOV_EAX_IMM32 || super.isLegal(space, 0, rest, length - 1);
  }

  protected override serve(local: Local, call: ServedCall): Then {
    const then = super.serve(local, call);
    if (local.role !== 'T' || Number(local.regs[Reg.r8]) === call.sysno) return then;
    const text = `{actor} makes its syscall and has ${local.regs[Reg.r8] ?? 0n} in r8, which the program has set`;
    return { kind: 'fail', local, failure: { signature: 'register lost', text } };
  }
}

export const LONG_MOV = siteScenario({
  name: 'long-mov',
  summary:
    'the mov of the site is the tail of a longer instruction, mov to r8, which threads execute while it is patched',
  promise: 'every thread makes its syscall once, with r8 set',
  actors: (stage) => [
    patcher(stage),
    ...Array.from({ length: stage.parameters.threads }, (_, i) => {
      const local = stage.actor('T', stage.site - 1);
      return { name: `T${i}`, local };
    }),
  ],
  behaviour: (options, jobs) => new LongMov(options, jobs),
  prepare: (pages, { site, machine }) => {
    const address = pageDown(site - 1);
    const page = pages.get(address);
    if (page === undefined) return;
    const content = machine.contents.with(page.content, (site - 1) % PAGE_SIZE, Uint8Array.of(PREFIX));
    pages.set(address, { ...page, content });
  },
});
