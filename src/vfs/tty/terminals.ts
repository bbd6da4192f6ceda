// SPDX-License-Identifier: MIT
//
// All terminals of one tree: who may open which, what closing one does to its other side, and the numbers of /dev/pts.
// Models drivers/tty/tty_io.c (tty_open, tty_release) and pty.c (ptmx_open, pty_close).

import { savable } from '../../base/savable.ts';
import { EBUSY, EIO, ENOSPC, ENXIO } from '../../abi/errno.ts';
import { O_NOCTTY, O_NONBLOCK } from '../../abi/open.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../../abi/poll.ts';
import type { Credentials } from '../credentials.ts';
import type { Dentry } from '../dentry.ts';
import type { JobControl } from './job-control.ts';
import { NO_PROCESSES, acquireTerminal } from './job-control.ts';
import { PtyMaster, makePty } from './pty.ts';
import type { Tty } from './tty.ts';
import type { TtyOwner } from './tty-file.ts';
import { TtyFile } from './tty-file.ts';

/** kernel.pty.max. */
export const MOST_PTYS = 4096;

/** A slave as devpts shows it. */
export interface Slave {
  readonly tty: Tty;
  readonly uid: number;
  readonly gid: number;
}

/** Group of terminals, as Debian mounts devpts. */
const TTY_GROUP = 5;

/** The terminals of one tree. */
export class Terminals implements TtyOwner {
  jobs: JobControl = NO_PROCESSES;
  /** Slaves by number, in the order of their numbers. */
  readonly slaves = new Map<number, Slave>();
  /** Numbers whose master is closed but whose slave is still open. */
  private readonly lingering = new Set<number>();
  /** The tool's own terminal, when it has one. */
  console: Tty | null = null;

  /** For those who make terminals: the kernel comes after its file systems. */
  readonly currentJobs = (): JobControl => this.jobs;

  private freeNumber(): number {
    for (let n = 0; n < MOST_PTYS; n++) if (!this.slaves.has(n) && !this.lingering.has(n)) return n;
    return -1;
  }

  /** Gives a terminal without a master the lowest free number; it is there as long as the tree. */
  addConsole(make: (index: number) => Tty, uid: number): void {
    const index = this.freeNumber();
    this.console = make(index);
    this.enter(index, { tty: this.console, uid, gid: TTY_GROUP });
  }

  private enter(index: number, slave: Slave): void {
    this.slaves.set(index, slave);
  }

  /** Numbers that exist, ascending. */
  numbers(): number[] {
    return [...this.slaves.keys()].sort((a, b) => a - b);
  }

  /** /dev/ptmx: a new pair. */
  openMaster(dentry: Dentry, flags: number, cred: Credentials): TtyFile | number {
    const index = this.freeNumber();
    if (index < 0) return -ENOSPC;
    const { master, slave } = makePty(index, this.currentJobs);
    this.enter(index, { tty: slave, uid: cred.fsuid, gid: TTY_GROUP });
    return new TtyFile(dentry, flags, master, this);
  }

  /** TtyOwner. */
  closed(tty: Tty): void {
    const { driver, link } = tty;
    if (driver instanceof PtyMaster && link !== null) this.masterClosed(driver.index, tty, link);
    else this.slaveClosed(tty);
  }

  private masterClosed(index: number, master: Tty, slave: Tty): void {
    this.slaves.delete(index);
    master.isPacket = false;
    slave.isOtherClosed = true;
    const isOpen = slave.openCount > 0;
    slave.hangUp();
    if (isOpen) this.lingering.add(index);
    slave.queue.wake(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLERR | POLLHUP);
  }

  /** Opens a terminal that exists: a slave, the console, or the caller's own by /dev/tty. */
  open(tty: Tty, dentry: Dentry, flags: number, takesControl = true): TtyFile | number {
    const master = tty.link?.driver;
    if (tty.isOtherClosed || (master instanceof PtyMaster && master.isLocked)) return -EIO;
    if (tty.isExclusive && !this.jobs.isPrivileged) return -EBUSY;
    const file = new TtyFile(dentry, flags, tty, this);
    if (tty.link !== null) tty.link.isOtherClosed = false;
    const { current } = this.jobs;
    const isLeader = current !== null && current.tgid === current.sid && current.tty === null;
    if (takesControl && (flags & O_NOCTTY) === 0 && isLeader && tty.session === null && file.canRead) {
      acquireTerminal(current, tty);
    }
    return file;
  }

  private slaveClosed(tty: Tty): void {
    if (tty.openCount > 0) return;
    const { link } = tty;
    if (link === null) return;
    const master = link.driver;
    if (master instanceof PtyMaster && tty.isOtherClosed) this.lingering.delete(master.index);
    link.isOtherClosed = true;
    link.queue.wake(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLHUP);
  }

  /** /dev/tty: the caller's controlling terminal. */
  openOwn(dentry: Dentry, flags: number): TtyFile | number {
    const tty = this.jobs.current?.tty ?? null;
    return tty === null ? -ENXIO : this.open(tty, dentry, flags & ~O_NONBLOCK, false);
  }

  /** /dev/console. */
  openConsole(dentry: Dentry, flags: number): TtyFile | number {
    return this.console === null ? -ENXIO : this.open(this.console, dentry, flags, false);
  }

  /** TIOCGPTPEER: the slave of an open master, whatever its name leads to. */
  openPeer(file: TtyFile, dentry: Dentry, flags: number): TtyFile | number {
    const { link, driver } = file.tty;
    if (link === null || !(driver instanceof PtyMaster)) return -EIO;
    return this.open(link, dentry, flags);
  }
}

savable('vfs/tty/terminals', { Terminals }, { isPlace: true });
