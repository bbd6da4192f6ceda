// SPDX-License-Identifier: MIT
//
// Pseudo-terminals: two sides, what one writes the other is given. Models drivers/tty/pty.c.

import { savable } from '../../base/savable.ts';
import { makedev } from '../../abi/stat.ts';
import type { JobControl } from './job-control.ts';
import { Termios } from './termios.ts';
import { Tty } from './tty.ts';
import type { TtyDriver } from './tty.ts';

/** Major number of slaves and of masters. */
export const PTS_MAJOR = 136;
const PTM_MAJOR = 128;
/** Bytes on their way to either side. */
const LINE_BYTES = 8192;

/** One side's way to the other. */
class PtySide implements TtyDriver {
  readonly isCooked = false;
  /** Where it leads. */
  readonly other: Tty;

  constructor(other: Tty) {
    this.other = other;
  }

  room(): number {
    return this.other.inputRoom;
  }

  put(bytes: Uint8Array): void {
    this.other.receive(bytes);
  }

  flush(): void {
    this.other.flushWaiting();
  }

  inputTaken(): void {
    this.other.outputPossible();
  }
}

/** The master's side: it has the number and the lock. */
export class PtyMaster extends PtySide {
  readonly index: number;
  /** The slave cannot be opened yet (unlockpt). */
  isLocked = true;

  constructor(other: Tty, index: number) {
    super(other);
    this.index = index;
  }
}

/** A new pair; the slave is locked. */
export function makePty(index: number, jobs: () => JobControl): { master: Tty; slave: Tty } {
  const master = new Tty({
    name: 'ptmx',
    device: makedev(PTM_MAJOR, index),
    termios: Termios.raw(),
    inputBytes: LINE_BYTES,
    jobs,
  });
  const slave = new Tty({
    name: `pts/${index}`,
    device: makedev(PTS_MAJOR, index),
    termios: Termios.standard(),
    inputBytes: LINE_BYTES,
    jobs,
  });
  master.link = slave;
  slave.link = master;
  master.driver = new PtyMaster(slave, index);
  slave.driver = new PtySide(master);
  return { master, slave };
}

savable('vfs/tty/pty', { PtySide, PtyMaster });
