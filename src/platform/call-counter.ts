// SPDX-License-Identifier: MIT
//
// Counts patched calls by their sites. Most come from the same one again, which is not looked up anew.

import { savable } from '../base/savable.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import type { PatchedSite, SpaceTraps } from './space-traps.ts';

export class CallCounter {
  private site: PatchedSite | undefined;
  private returnAddress = 0;
  private traps: SpaceTraps | undefined;
  private version = 0;

  /** A call that returns to this address. Hot: no allocation. */
  count(traps: SpaceTraps, returnAddress: number): void {
    if (returnAddress !== this.returnAddress || traps !== this.traps || traps.version !== this.version) {
      this.returnAddress = returnAddress;
      this.traps = traps;
      this.version = traps.version;
      this.site = traps.byReturn.get(returnAddress);
    }
    if (this.site !== undefined) this.site.calls++;
  }

  /** An address space goes. */
  forget(mm: AddressSpace): void {
    if (this.traps?.mm === mm) this.traps = undefined;
  }
}

savable('platform/call-counter', { CallCounter });
