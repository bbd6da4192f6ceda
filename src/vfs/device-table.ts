// SPDX-License-Identifier: MIT
//
// What all file systems of one tree share: character devices by number, and the memory that pipes and sockets may
// hold together. Models fs/char_dev.c and fs.pipe-user-pages-soft.

import type { Dentry } from './dentry.ts';
import type { OpenFile } from './open-file.ts';

/** Opens a device. */
export type DeviceOpener = (dentry: Dentry, flags: number) => OpenFile | number;

/** Bytes that all pipes and sockets of a tree may hold. */
const BUFFER_BYTES = 256 * 1024 * 1024;

/** Counts the memory of pipes and sockets, so that opening many of them cannot exhaust the host. */
export class BufferBudget {
  #free = BUFFER_BYTES;

  take(bytes: number): boolean {
    if (bytes > this.#free) return false;
    this.#free -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#free += bytes;
  }
}

/** The devices that exist, by device number. */
export class DeviceTable {
  readonly buffers = new BufferBudget();
  readonly #openers = new Map<number, DeviceOpener>();

  register(device: number, opener: DeviceOpener): void {
    this.#openers.set(device, opener);
  }

  find(device: number): DeviceOpener | undefined {
    return this.#openers.get(device);
  }
}
