// SPDX-License-Identifier: MIT
//
// Character devices by number: what opening a device node gives, wherever the node lies. Models fs/char_dev.c.

import type { Dentry } from './dentry.ts';
import type { OpenFile } from './open-file.ts';

/** Opens a device. */
export type DeviceOpener = (dentry: Dentry, flags: number) => OpenFile | number;

/** The devices that exist, by device number. */
export class DeviceTable {
  readonly #openers = new Map<number, DeviceOpener>();

  register(device: number, opener: DeviceOpener): void {
    this.#openers.set(device, opener);
  }

  find(device: number): DeviceOpener | undefined {
    return this.#openers.get(device);
  }
}
