// SPDX-License-Identifier: MIT
//
// One side of a terminal: settings, size, line discipline, the input on its way to it, and who has it open or controls
// with it. Models struct tty_struct, drivers/tty/tty_io.c and the flip buffers of tty_buffer.c.

import { Winsize } from '../../abi/ioctl.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM } from '../../abi/poll.ts';
import { SIGCONT, SIGHUP, SIGWINCH } from '../../abi/signal.ts';
import {
  EXTPROC,
  IXON,
  OPOST,
  TIOCPKT_DOSTOP,
  TIOCPKT_FLUSHREAD,
  TIOCPKT_FLUSHWRITE,
  TIOCPKT_IOCTL,
  TIOCPKT_NOSTOP,
  TIOCPKT_START,
  TIOCPKT_STOP,
  VSTART,
  VSTOP,
} from '../../abi/termios.ts';
import { WaitQueue } from '../../base/wait-queue.ts';
import { savable } from '../../base/savable.ts';
import type { JobControl } from './job-control.ts';
import { LineDiscipline } from './line-discipline.ts';
import type { LineHost } from './line-discipline.ts';
import { OutputProcessor } from './output-processor.ts';
import type { OutputSink } from './output-processor.ts';
import { Termios } from './termios.ts';
import type { TtyFile } from './tty-file.ts';

const READABLE = POLLIN | POLLRDNORM;
const WRITABLE = POLLOUT | POLLWRNORM;

/** What is at the other end of the line. */
export interface TtyDriver {
  /** It processes output and echoes by itself: a host's terminal in its own line mode. */
  readonly isCooked: boolean;
  /** Bytes that can be taken now. */
  room(): number;
  /** Takes at most `room()` bytes, which stay the caller's. */
  put(bytes: Uint8Array): void;
  /** Throws away what was put and has gone nowhere yet. */
  flush(): void;
  /** There is room for input again. */
  inputTaken(): void;
}

export interface TtyOptions {
  /** Where it is found: `pts/0`. */
  readonly name: string;
  readonly device: number;
  readonly termios: Termios;
  /** Bytes of input that may wait in front of the line discipline. */
  readonly inputBytes: number;
  /** Whose processes use it; looked at each time, because a kernel comes later. */
  readonly jobs: () => JobControl;
}

/** A terminal, or the master of one. */
export class Tty implements LineHost, OutputSink {
  readonly name: string;
  readonly device: number;
  readonly termios: Termios;
  readonly line: LineDiscipline;
  readonly output: OutputProcessor;
  readonly queue = new WaitQueue();
  /** Who has it open and has not lost it by a hangup. */
  readonly files = new Set<TtyFile>();
  /** All who have it open. */
  openCount = 0;
  /** Set right after construction. */
  driver: TtyDriver | null = null;
  /** The other side of a pseudo-terminal. */
  link: Tty | null = null;
  /** struct winsize. */
  windowSize: Uint8Array = new Uint8Array(Winsize.size);
  /** The session that it controls, and that session's foreground group. */
  session: number | null = null;
  foreground: number | null = null;
  isExclusive = false;
  /** Output is held back by the stop key or TCXONC. */
  isStopped = false;
  /** By TCXONC: only TCXONC lets it go on. */
  isStoppedByCall = false;
  /** Nobody has the other side open any more. */
  isOtherClosed = false;
  /** The input has ended for good; what is there can still be read. */
  hasEnded = false;
  /** TIOCPKT, on a master. */
  isPacket = false;
  /** TIOCPKT_ bits that the master has not read yet; on the slave. */
  packetStatus = 0;
  private readonly jobControl: () => JobControl;
  private readonly inputBytes: number;
  /** Input that the line discipline has had no room for. */
  private waiting: Uint8Array = new Uint8Array(0);

  constructor(options: TtyOptions) {
    this.name = options.name;
    this.device = options.device;
    this.termios = options.termios;
    this.inputBytes = options.inputBytes;
    this.jobControl = options.jobs;
    this.output = new OutputProcessor(this.termios, this);
    this.line = new LineDiscipline(this.termios, this.output, this);
  }

  get jobs(): JobControl {
    return this.jobControl();
  }

  // ---- input

  /** Bytes that `receive` takes now. */
  get inputRoom(): number {
    return this.inputBytes - this.waiting.length;
  }

  /** Takes what the other end sends, at most `inputRoom` bytes. */
  receive(bytes: Uint8Array): void {
    if (this.waiting.length > 0) {
      this.waiting = joined(this.waiting, bytes);
      return;
    }
    const n = this.line.receive(bytes);
    if (n < bytes.length) this.waiting = bytes.slice(n);
  }

  /** The line discipline has room again. */
  pump(): void {
    if (this.waiting.length === 0) return;
    const bytes = this.waiting;
    this.waiting = new Uint8Array(0);
    const n = this.line.receive(bytes);
    // Whoever answers to an echo may have sent more.
    if (n < bytes.length) this.waiting = joined(bytes.subarray(n), this.waiting);
    if (n > 0) this.driver?.inputTaken();
  }

  /** Forgets input that has not reached the line discipline. */
  flushWaiting(): void {
    if (this.waiting.length === 0) return;
    this.waiting = new Uint8Array(0);
    this.driver?.inputTaken();
  }

  /** No more input will come. */
  endInput(): void {
    this.hasEnded = true;
    this.queue.wake(READABLE | POLLHUP);
  }

  // ---- LineHost: what the line discipline asks for

  start(): void {
    if (!this.isStopped || this.isStoppedByCall) return;
    this.isStopped = false;
    this.tellMaster(TIOCPKT_START, TIOCPKT_STOP);
    this.outputPossible();
  }

  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.tellMaster(TIOCPKT_STOP, TIOCPKT_START);
  }

  signal(signo: number): void {
    if (this.foreground !== null) this.jobs.signalGroup(this.foreground, signo);
  }

  flushForSignal(): void {
    this.flushOutput();
    this.line.flushInput();
    this.tellMaster(TIOCPKT_FLUSHREAD);
  }

  wakeReaders(): void {
    this.queue.wake(READABLE);
  }

  // ---- OutputSink: where processed output goes

  get isCooked(): boolean {
    return this.driver?.isCooked ?? false;
  }

  room(): number {
    return this.isStopped ? 0 : (this.driver?.room() ?? 0);
  }

  put(bytes: Uint8Array): void {
    this.driver?.put(bytes);
  }

  /** Bytes of a write that surely find room: output processing makes eight of a tab. */
  get writeRoom(): number {
    return (this.termios.oflag & OPOST) === 0 || this.isCooked ? this.room() : this.room() >>> 3;
  }

  /** The other end has room again: writers go on; echoes wait for the next input or write. */
  outputPossible(): void {
    this.queue.wake(WRITABLE);
  }

  // ---- requests

  /** Discards input that nobody has read. */
  flushInput(): void {
    this.line.flushInput();
    this.tellMaster(TIOCPKT_FLUSHREAD);
  }

  /** Discards output that the other end has not taken. */
  flushOutput(): void {
    this.driver?.flush();
    this.tellMaster(TIOCPKT_FLUSHWRITE);
  }

  /** New settings are in force. */
  setTermios(termios: Termios): void {
    const old = this.termios.clone();
    this.termios.copyFrom(termios);
    if (this.link?.isPacket === true) this.tellOfTermios(old);
    this.line.termiosChanged(old);
    this.queue.wake(READABLE | WRITABLE);
  }

  private tellOfTermios(old: Termios): void {
    const flows = (t: Termios): boolean => (t.iflag & IXON) !== 0 && t.cc[VSTOP] === 0o23 && t.cc[VSTART] === 0o21;
    const isExternal = (t: Termios): boolean => (t.lflag & EXTPROC) !== 0;
    if (flows(old) !== flows(this.termios)) {
      if (flows(this.termios)) this.tellMaster(TIOCPKT_DOSTOP, TIOCPKT_NOSTOP);
      else this.tellMaster(TIOCPKT_NOSTOP, TIOCPKT_DOSTOP);
    }
    if (isExternal(old) || isExternal(this.termios)) this.tellMaster(TIOCPKT_IOCTL);
  }

  private tellMaster(set: number, clear = 0): void {
    const { link } = this;
    if (link === null || !link.isPacket) return;
    this.packetStatus = (this.packetStatus & ~clear) | set;
    link.queue.wake(READABLE | POLLPRI);
  }

  /** A new size, which the foreground group hears of. */
  resize(size: Uint8Array): void {
    if (size.every((byte, i) => byte === this.windowSize[i])) return;
    this.windowSize = size;
    const other = this.link;
    if (other !== null) other.windowSize = size;
    this.signal(SIGWINCH);
    if (other !== null && other.foreground !== this.foreground) other.signal(SIGWINCH);
  }

  /** Ready events as a poll(2) mask. */
  poll(): number {
    let events = 0;
    if (this.line.isReadable(true) || this.hasEnded) events |= READABLE;
    if (this.isPacket && this.link !== null && this.link.packetStatus !== 0) events |= POLLPRI | READABLE;
    if (this.isOtherClosed) events |= POLLHUP;
    if (this.writeRoom > 0) events |= WRITABLE;
    return events;
  }

  /** Everybody who has it open loses it: the line is gone. */
  hangUp(): void {
    const { jobs, session, foreground } = this;
    for (const file of this.files) file.isHungUp = true;
    this.files.clear();
    if (session !== null) {
      for (const process of jobs.session(session)) {
        if (process.tty === this) process.tty = null;
        if (process.tgid !== process.sid) continue;
        jobs.signalProcess(process, SIGHUP);
        jobs.signalProcess(process, SIGCONT);
        process.hungUpGroup = foreground ?? 0;
      }
    }
    this.session = null;
    this.foreground = null;
    this.isStopped = false;
    this.isStoppedByCall = false;
    this.output.dropEchoes();
    this.line.flushInput();
    this.setTermios(Termios.standard());
    this.queue.wake(READABLE | WRITABLE | POLLERR | POLLHUP);
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

savable('vfs/tty/tty', { Tty });
