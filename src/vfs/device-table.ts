// SPDX-License-Identifier: MIT
//
// What all file systems of one tree share: character devices by number, and what its files may hold together.
// Models fs/char_dev.c, fs.pipe-user-pages-soft, fs.file-max and fs.epoll.max_user_watches.

import { savable } from '../base/savable.ts';
import type { Credentials } from './credentials.ts';
import type { Dentry } from './dentry.ts';
import type { OpenFile } from './open-file.ts';

/** Opens a device. */
export type DeviceOpener = (dentry: Dentry, flags: number, cred: Credentials) => OpenFile | number;

/** Bytes that all pipes and sockets of a tree may hold. */
const BUFFER_BYTES = 256 * 1024 * 1024;

/** Descriptors in all tables of a tree. */
const MAX_DESCRIPTORS = 131_072;
/** Descriptors that all epolls of a tree watch. */
const MAX_WATCHES = 131_072;

/** Counts what guests make the host hold, so that many small things cannot exhaust it. */
export class Budget {
  private left: number;

  constructor(amount: number) {
    this.left = amount;
  }

  get free(): number {
    return this.left;
  }

  take(amount: number): boolean {
    if (amount > this.left) return false;
    this.left -= amount;
    return true;
  }

  give(amount: number): void {
    this.left += amount;
  }
}

/** The devices that exist, by device number. */
export class DeviceTable {
  /** Bytes in pipes and sockets. */
  readonly buffers = new Budget(BUFFER_BYTES);
  readonly descriptors = new Budget(MAX_DESCRIPTORS);
  readonly watches = new Budget(MAX_WATCHES);
  private readonly openers = new Map<number, DeviceOpener>();

  register(device: number, opener: DeviceOpener): void {
    this.openers.set(device, opener);
  }

  find(device: number): DeviceOpener | undefined {
    return this.openers.get(device);
  }
}

savable('vfs/device-table', { Budget }, { isPlace: true });
savable('vfs/device-table', { DeviceTable }, { isPlace: true, kept: ['openers'] });
