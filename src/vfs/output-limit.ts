// SPDX-License-Identifier: MIT
//
// What guests write to the outside, over all streams and terminals of the tool.

import { savable } from '../base/savable.ts';

/** Counts what guests write to the outside. */
export class OutputLimit {
  private left: number;
  private readonly onExceeded: () => void;

  constructor(bytes: number, onExceeded: () => void) {
    this.left = bytes;
    this.onExceeded = onExceeded;
  }

  /** How many of `bytes` may still be written. */
  take(bytes: number): number {
    const n = Math.min(bytes, this.left);
    this.left -= n;
    if (n < bytes) this.onExceeded();
    return n;
  }
}

savable('vfs/output-limit', { OutputLimit }, { isPlace: true });
