// SPDX-License-Identifier: MIT
//
// Sites as they were when they were patched: their own bytes, and the code around them that says whether they are what
// they look like.

import { SITE_BYTES } from '../../isa/syscall-site.ts';
import { EventKind } from '../../trace/events.ts';
import type { TraceEvent } from '../../trace/events.ts';
import { originalBytes } from '../../usertrap/layout.ts';
import type { Sandbox } from '../sandbox.ts';
import { CodeNames } from './code-names.ts';
import type { SiteAtPatch } from './facts.ts';

/** Code kept behind a site. */
const CODE_AFTER = 48;
/** The longest straight-line code that is kept before one. */
const CODE_BEFORE = 1024;
const MAX_SITES = 65536;

/** Fills itself from a trace, as it comes. */
export class SiteLog {
  readonly sites = new Map<number, SiteAtPatch>();
  private readonly names = new CodeNames();
  private patched: { readonly tid: number; readonly address: number; readonly sysno: number } | null = null;

  take(e: TraceEvent, sandbox: Sandbox): void {
    if (e.kind === EventKind.sitePatched) {
      this.patched = { tid: e.tid, address: e.a, sysno: e.b };
    } else if (e.kind === EventKind.slotUsed && this.patched !== null) {
      if (this.sites.size < MAX_SITES) this.add(this.patched, e.c, sandbox);
      this.patched = null;
    }
  }

  private add(
    { tid, address, sysno }: { tid: number; address: number; sysno: number },
    slot: number,
    sandbox: Sandbox,
  ): void {
    const { kernel, cpu } = sandbox;
    const task = kernel.task(tid);
    if (task === undefined) return;
    const known = cpu.blockStart;
    const blockStart = known > 0 && known <= address && address - known <= CODE_BEFORE ? known : address;
    const code = new Uint8Array(address - blockStart + SITE_BYTES + CODE_AFTER);
    const held = task.mm.copyIn(blockStart, code, true);
    code.set(originalBytes(sysno), address - blockStart);
    this.sites.set(address, {
      address,
      sysno,
      slot,
      blockStart,
      code: code.slice(0, held),
      ...this.names.name(task.mm, address),
    });
  }
}
