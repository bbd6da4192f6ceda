// SPDX-License-Identifier: MIT
//
// The tool's own stdin, stdout and stderr as guests see them: a terminal when the host's stream is one, else a pipe.
// Bytes pass unchanged; terminal settings are kept for the guest but not put into force. Models tty_ioctl(4).

import { EAGAIN, EFAULT, EINVAL, EIO, ENOTTY } from '../abi/errno.ts';
import {
  B38400,
  CREAD,
  CS8,
  ECHO,
  ECHOCTL,
  ECHOE,
  ECHOK,
  ECHOKE,
  FIONREAD,
  ICANON,
  ICRNL,
  IEXTEN,
  ISIG,
  IXON,
  ONLCR,
  OPOST,
  TCFLSH,
  TCGETS,
  TCSBRK,
  TCSBRKP,
  TCSETS,
  TCSETSF,
  TCSETSW,
  TCXONC,
  Termios,
  TIOCGPGRP,
  TIOCGSID,
  TIOCGWINSZ,
  TIOCNOTTY,
  TIOCOUTQ,
  TIOCSCTTY,
  TIOCSPGRP,
  TIOCSWINSZ,
  Winsize,
} from '../abi/ioctl.ts';
import { POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../abi/poll.ts';
import type { HostStream } from '../base/host.ts';
import { WaitQueue } from '../base/wait-queue.ts';
import type { Waiter } from '../base/wait-queue.ts';
import type { Credentials } from './credentials.ts';
import type { Dentry } from './dentry.ts';
import { Inode } from './inode.ts';
import type { FileSystem } from './inode.ts';
import { OpenFile } from './open-file.ts';
import type { ByteSink, ByteSource, UserMemory } from './open-file.ts';
import { scratchBuffer } from './regular-file.ts';

const INPUT_BYTES = 65536;
/** Bytes that one call writes at most. */
const MOST_OUTPUT = 16 * 1024 * 1024;

/** Counts what guests write to the outside, over all streams. */
export class OutputLimit {
  #left: number;
  readonly #onExceeded: () => void;

  constructor(bytes: number, onExceeded: () => void) {
    this.#left = bytes;
    this.#onExceeded = onExceeded;
  }

  /** How many of `bytes` may still be written. */
  take(bytes: number): number {
    const n = Math.min(bytes, this.#left);
    this.#left -= n;
    if (n < bytes) this.#onExceeded();
    return n;
  }
}

/** A queue that asks the host for input only while somebody waits on it. */
class InputQueue extends WaitQueue {
  readonly #arm: () => void;

  constructor(arm: () => void) {
    super();
    this.#arm = arm;
  }

  override add(waiter: Waiter, mask = ~0): void {
    super.add(waiter, mask);
    if ((mask & POLLIN) !== 0) this.#arm();
  }
}

/** What stands behind a console file: where input comes from and where output goes. */
export class ConsoleDevice {
  readonly isTerminal: boolean;
  readonly queue: WaitQueue;
  /** Process group and session that the terminal belongs to; kept for TIOCGPGRP. */
  foregroundGroup = 1;
  session = 1;
  readonly #input: HostStream | null;
  readonly #output: HostStream | null;
  readonly #limit: OutputLimit;
  readonly #termios = defaultTermios();
  #windowSize: Uint8Array | null = null;
  #buffer: Uint8Array | null = null;
  #from = 0;
  #to = 0;
  #isAtEnd = false;
  #isArmed = false;

  constructor(input: HostStream | null, output: HostStream | null, isTerminal: boolean, limit: OutputLimit) {
    this.#input = input;
    this.#output = output;
    this.isTerminal = isTerminal;
    this.#limit = limit;
    this.queue = new InputQueue(() => this.#arm());
  }

  #arm(): void {
    if (this.#isArmed || this.#input === null || this.#to > this.#from || this.#isAtEnd) return;
    this.#isArmed = true;
    this.#input.onReadable(() => {
      this.#isArmed = false;
      this.queue.wake(POLLIN | POLLRDNORM);
      // Waiters that stay (epoll) get the next event, too.
      if (this.queue.size > 0 && !this.#fill()) this.#arm();
    });
  }

  /** Takes what the host has; true when there is something to read or the end was met. */
  #fill(): boolean {
    if (this.#to > this.#from || this.#isAtEnd) return true;
    if (this.#input === null) return false;
    this.#buffer ??= new Uint8Array(INPUT_BYTES);
    const n = this.#input.read(this.#buffer);
    if (n === -EAGAIN) return false;
    if (n <= 0) {
      // A terminal gives more after its end-of-file key; anything else has ended for good.
      this.#isAtEnd = true;
      return true;
    }
    this.#from = 0;
    this.#to = n;
    return true;
  }

  read(sink: ByteSink, count: number): number {
    if (this.#input === null) return -EIO;
    if (count === 0) return 0;
    if (!this.#fill()) return -EAGAIN;
    if (this.#to === this.#from) {
      if (this.isTerminal) this.#isAtEnd = false;
      return 0;
    }
    const n = Math.min(count, this.#to - this.#from);
    const put = sink.put(this.#buffer?.subarray(this.#from, this.#from + n) ?? new Uint8Array(0));
    this.#from += put;
    return put === 0 ? -EFAULT : put;
  }

  write(source: ByteSource, count: number): number {
    if (this.#output === null) return -EIO;
    // One call is taken whole, however slow the reader is, so it must not be endless.
    const most = Math.min(count, MOST_OUTPUT);
    let done = 0;
    while (done < most) {
      const buffer = scratchBuffer().subarray(0, Math.min(most - done, INPUT_BYTES));
      const got = source.take(buffer);
      if (got === 0) return done > 0 ? done : -EFAULT;
      const allowed = this.#limit.take(got);
      if (allowed === 0) return done > 0 ? done : -EIO;
      const written = this.#output.write(buffer.subarray(0, allowed));
      if (written < 0) return done > 0 ? done : written;
      done += written;
      if (written < buffer.length) break;
    }
    return done;
  }

  poll(): number {
    let events = 0;
    if (this.#input !== null && this.#fill()) {
      events |= POLLIN | POLLRDNORM;
      if (this.#isAtEnd && this.#to === this.#from && !this.isTerminal) events |= POLLHUP;
    }
    if (this.#output !== null) events |= POLLOUT | POLLWRNORM;
    return events;
  }

  ioctl(request: number, argument: number, memory: UserMemory): number {
    if (request === FIONREAD) {
      this.#fill();
      return putU32(memory, argument, this.#to - this.#from);
    }
    if (!this.isTerminal) return -ENOTTY;
    switch (request) {
      case TCGETS:
        return put(memory, argument, this.#termios);
      case TCSETS:
      case TCSETSW:
      case TCSETSF:
        return memory.copyIn(argument, this.#termios) === Termios.size ? 0 : -EFAULT;
      case TIOCGWINSZ:
        return put(memory, argument, this.#windowSize ?? this.#hostWindowSize());
      case TIOCSWINSZ: {
        const size = new Uint8Array(Winsize.size);
        if (memory.copyIn(argument, size) < Winsize.size) return -EFAULT;
        this.#windowSize = size;
        return 0;
      }
      case TIOCGPGRP:
        return putU32(memory, argument, this.foregroundGroup);
      case TIOCGSID:
        return putU32(memory, argument, this.session);
      case TIOCSPGRP: {
        const bytes = new Uint8Array(4);
        if (memory.copyIn(argument, bytes) < 4) return -EFAULT;
        const group = new DataView(bytes.buffer).getInt32(0, true);
        if (group <= 0) return -EINVAL;
        this.foregroundGroup = group;
        return 0;
      }
      case TIOCOUTQ:
        return putU32(memory, argument, 0);
      case TCSBRK:
      case TCSBRKP:
      case TCXONC:
      case TCFLSH:
      case TIOCSCTTY:
      case TIOCNOTTY:
        return 0;
      default:
        return -ENOTTY;
    }
  }

  #hostWindowSize(): Uint8Array {
    const size = new Uint8Array(Winsize.size);
    const stream = this.#output?.isTerminal === true ? this.#output : this.#input;
    const view = new DataView(size.buffer);
    const { rows, columns } = stream?.windowSize() ?? { rows: 0, columns: 0 };
    view.setUint16(Winsize.rows, rows, true);
    view.setUint16(Winsize.columns, columns, true);
    return size;
  }
}

function put(memory: UserMemory, addr: number, bytes: Uint8Array): number {
  return memory.copyOut(addr, bytes) === bytes.length ? 0 : -EFAULT;
}

function putU32(memory: UserMemory, addr: number, value: number): number {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return put(memory, addr, bytes);
}

/** A terminal as login leaves it. */
function defaultTermios(): Uint8Array {
  const bytes = new Uint8Array(Termios.size);
  const view = new DataView(bytes.buffer);
  view.setUint32(Termios.iflag, ICRNL | IXON, true);
  view.setUint32(Termios.oflag, OPOST | ONLCR, true);
  view.setUint32(Termios.cflag, B38400 | CS8 | CREAD, true);
  view.setUint32(Termios.lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN, true);
  // VINTR ^C, VQUIT ^\, VERASE DEL, VKILL ^U, VEOF ^D, VTIME, VMIN 1, VSWTC, VSTART ^Q, VSTOP ^S, VSUSP ^Z, VEOL,
  // VREPRINT ^R, VDISCARD ^O, VWERASE ^W, VLNEXT ^V.
  bytes.set([3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22], Termios.cc);
  return bytes;
}

/** The inode of a console. */
export class ConsoleInode extends Inode {
  readonly device: ConsoleDevice;

  constructor(fs: FileSystem, ino: number, mode: number, uid: number, gid: number, device: ConsoleDevice) {
    super(fs, ino, mode, uid, gid);
    this.device = device;
  }

  override open(dentry: Dentry, flags: number, _cred: Credentials): OpenFile | number {
    return new ConsoleFile(dentry, flags, this.device);
  }
}

/** An open console. */
export class ConsoleFile extends OpenFile {
  override readonly isPollable = true;
  override readonly queue: WaitQueue;
  readonly device: ConsoleDevice;

  constructor(dentry: Dentry, flags: number, device: ConsoleDevice) {
    super(dentry, flags);
    this.device = device;
    this.queue = device.queue;
  }

  override readAt(sink: ByteSink, count: number): number {
    return this.device.read(sink, count);
  }

  override writeAt(source: ByteSource, count: number): number {
    return this.device.write(source, count);
  }

  override poll(): number {
    return this.device.poll();
  }

  override ioctl(request: number, argument: number, memory: UserMemory): number {
    return this.device.ioctl(request, argument, memory);
  }
}
