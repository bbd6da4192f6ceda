// SPDX-License-Identifier: MIT
//
// N_TTY's way in: turns what is typed into lines, signals and echoes, and keeps it until somebody reads.
// Models drivers/tty/n_tty.c.

import { savable } from '../../base/savable.ts';
import {
  ECHO,
  ECHOCTL,
  ECHOE,
  ECHOK,
  ECHOKE,
  ECHONL,
  ECHOPRT,
  EXTPROC,
  ICANON,
  ICRNL,
  IEXTEN,
  IGNCR,
  INLCR,
  ISIG,
  ISTRIP,
  IUCLC,
  IUTF8,
  IXANY,
  IXON,
  NOFLSH,
  PARMRK,
  VEOF,
  VEOL,
  VEOL2,
  VERASE,
  VINTR,
  VKILL,
  VLNEXT,
  VMIN,
  VQUIT,
  VREPRINT,
  VSTART,
  VSTOP,
  VSUSP,
  VTIME,
  VWERASE,
} from '../../abi/termios.ts';
import { SIGINT, SIGQUIT, SIGTSTP } from '../../abi/signal.ts';
import type { ByteSink } from '../open-file.ts';
import { BACKSPACE, BLANK, CARET, NEWLINE, RETURN, TAB, isControl, isWord, toLower } from './characters.ts';
import type { OutputProcessor } from './output-processor.ts';
import type { Termios } from './termios.ts';

/** Bytes of input that wait for a reader. */
export const INPUT_BYTES = 4096;
const MASK = INPUT_BYTES - 1;
const MARK_BYTE = 0xff;
/** What an end-of-file key leaves in the buffer, and the character that is no key at all. */
const NONE = 0;
const BACKSLASH = 0x5c;
const SLASH = 0x2f;

/** What a line discipline asks of its terminal. */
export interface LineHost {
  readonly isStopped: boolean;
  start(): void;
  stop(): void;
  /** To the foreground group. */
  signal(signo: number): void;
  /** A key that signals also drops what was on its way in either direction. */
  flushForSignal(): void;
  /** There is something to read. */
  wakeReaders(): void;
}

/** One terminal's input. Positions count up for ever; the buffer holds the last 4096. */
export class LineDiscipline {
  private readonly termios: Termios;
  private readonly output: OutputProcessor;
  private readonly host: LineHost;
  private buffer: Uint8Array | null = null;
  /** Positions that end a line. */
  private readonly ends = new Set<number>();
  private tail = 0;
  private head = 0;
  /** End of the last whole line. */
  private lineHead = 0;
  /** End of what a raw reader may have. */
  private readyHead = 0;
  private isRaw = false;
  private isLine = false;
  /** The next character is taken literally. */
  private isLiteral = false;
  /** Within an erasure that ECHOPRT shows between slashes. */
  private isErasing = false;
  private readonly special = new Uint8Array(256);

  constructor(termios: Termios, output: OutputProcessor, host: LineHost) {
    this.termios = termios;
    this.output = output;
    this.host = host;
    this.isLine = (termios.lflag & ICANON) !== 0;
    this.classify();
  }

  /** The settings were changed. */
  termiosChanged(old: Termios): void {
    const { iflag, lflag } = this.termios;
    if (((lflag ^ old.lflag) & (ICANON | EXTPROC)) !== 0) {
      this.ends.clear();
      if ((lflag & ICANON) === 0 || this.head === this.tail) this.lineHead = this.tail;
      else {
        // What was typed before counts as a line.
        this.ends.add(this.head - 1);
        this.lineHead = this.head;
      }
      this.readyHead = this.head;
      this.isErasing = false;
      this.isLiteral = false;
    }
    this.isLine = (lflag & ICANON) !== 0;
    this.classify();
    if ((iflag & IXON) === 0 && (old.iflag & IXON) !== 0) {
      this.host.start();
      this.output.showEchoes();
    }
  }

  /** Which characters need a closer look under the present settings. */
  private classify(): void {
    const { iflag, lflag, cc } = this.termios;
    const special = this.special.fill(0);
    const looksAt = ISTRIP | IUCLC | IGNCR | ICRNL | INLCR | IXON | PARMRK;
    this.isRaw = (iflag & looksAt) === 0 && (lflag & (ICANON | ISIG | ECHO)) === 0;
    if (this.isRaw) return;
    const key = (...indices: number[]): void => {
      for (const index of indices) special[cc[index] as number] = 1;
    };
    if ((iflag & (IGNCR | ICRNL)) !== 0) special[RETURN] = 1;
    if ((iflag & INLCR) !== 0) special[NEWLINE] = 1;
    if ((lflag & ICANON) !== 0) {
      key(VERASE, VKILL, VEOF, VEOL);
      special[NEWLINE] = 1;
      if ((lflag & IEXTEN) !== 0) {
        key(VWERASE, VLNEXT, VEOL2);
        if ((lflag & ECHO) !== 0) key(VREPRINT);
      }
    }
    if ((iflag & IXON) !== 0) key(VSTART, VSTOP);
    if ((lflag & ISIG) !== 0) key(VINTR, VQUIT, VSUSP);
    special[NONE] = 0;
  }

  // ---- what comes in

  /** Takes input; gives how many bytes it took. The rest must come again once somebody has read. */
  receive(bytes: Uint8Array): number {
    let taken = 0;
    while (taken < bytes.length) {
      let room = INPUT_BYTES - (this.head - this.tail);
      if ((this.termios.iflag & PARMRK) !== 0) room = Math.ceil(room / 3);
      room--;
      if (room <= 0) {
        // A line that is too long loses its end but must still be able to end.
        const overflows = this.isLine && this.lineHead === this.tail;
        if (!overflows) break;
        if (room < 0) this.head--;
        room = 1;
      }
      const n = Math.min(bytes.length - taken, room);
      this.takePiece(bytes.subarray(taken, taken + n));
      taken += n;
    }
    return taken;
  }

  private takePiece(bytes: Uint8Array): void {
    const { lflag } = this.termios;
    const isExternal = (lflag & EXTPROC) !== 0;
    if (this.isRaw) for (const c of bytes) this.put(c);
    else {
      for (const c of bytes) this.take(c, isExternal);
      if ((lflag & (ECHO | ECHONL)) !== 0) this.output.flushEchoes();
    }
    if (this.isLine && !isExternal) return;
    this.readyHead = this.head;
    if (this.head !== this.tail) this.host.wakeReaders();
  }

  private take(given: number, isExternal: boolean): void {
    const { iflag, lflag } = this.termios;
    let c = given;
    if ((iflag & ISTRIP) !== 0) c &= 0x7f;
    if ((iflag & IUCLC) !== 0 && (lflag & IEXTEN) !== 0) c = toLower(c);
    if (this.isLiteral) {
      this.isLiteral = false;
      this.ordinary(c);
    } else if (isExternal) this.put(c);
    else if (this.special[c] === 1) this.key(c);
    else this.ordinary(c);
  }

  private put(c: number): void {
    this.buffer ??= new Uint8Array(INPUT_BYTES);
    this.buffer[this.head & MASK] = c;
    this.head++;
  }

  private at(position: number): number {
    return this.buffer?.[position & MASK] ?? 0;
  }

  /** A character that is only data. */
  private ordinary(c: number): void {
    const { iflag, lflag } = this.termios;
    this.restart();
    if ((lflag & ECHO) !== 0) {
      this.finishErasing();
      if (this.lineHead === this.head) this.output.echoNoteColumn();
      this.output.echo(c);
      this.output.commitEchoes();
    }
    if (c === MARK_BYTE && (iflag & PARMRK) !== 0) this.put(c);
    this.put(c);
  }

  /** With IXANY any character lets output go on. */
  private restart(): void {
    if (!this.host.isStopped || (this.termios.iflag & (IXON | IXANY)) !== (IXON | IXANY)) return;
    this.host.start();
    this.output.showEchoes();
  }

  /** A character with a meaning under the present settings. */
  private key(given: number): void {
    const { iflag, lflag, cc } = this.termios;
    const output = this.output;
    let c = given;
    if ((iflag & IXON) !== 0 && (c === cc[VSTART] || c === cc[VSTOP])) {
      if (c === cc[VSTART]) {
        this.host.start();
        output.showEchoes();
      } else this.host.stop();
      return;
    }
    if ((lflag & ISIG) !== 0) {
      const signo = c === cc[VINTR] ? SIGINT : c === cc[VQUIT] ? SIGQUIT : c === cc[VSUSP] ? SIGTSTP : 0;
      if (signo !== 0) {
        this.signalKey(signo, c);
        return;
      }
    }
    this.restart();
    if (c === RETURN) {
      if ((iflag & IGNCR) !== 0) return;
      if ((iflag & ICRNL) !== 0) c = NEWLINE;
    } else if (c === NEWLINE && (iflag & INLCR) !== 0) c = RETURN;
    if (this.isLine && this.edit(c)) return;
    if ((lflag & ECHO) !== 0) {
      this.finishErasing();
      if (c === NEWLINE) output.echoRaw(c);
      else {
        if (this.lineHead === this.head) output.echoNoteColumn();
        output.echo(c);
      }
      output.commitEchoes();
    }
    if (c === MARK_BYTE && (iflag & PARMRK) !== 0) this.put(c);
    this.put(c);
  }

  private signalKey(signo: number, c: number): void {
    const { iflag, lflag } = this.termios;
    this.host.signal(signo);
    if ((lflag & NOFLSH) === 0) {
      this.output.dropEchoes();
      this.host.flushForSignal();
    }
    if ((iflag & IXON) !== 0) this.host.start();
    if ((lflag & ECHO) !== 0) {
      this.output.echo(c);
      this.output.commitEchoes();
    } else this.output.showEchoes();
  }

  /** Line editing and line ends; false when the character is data after all. */
  private edit(c: number): boolean {
    const { iflag, lflag, cc } = this.termios;
    const output = this.output;
    const echoes = (lflag & ECHO) !== 0;
    const extends_ = (lflag & IEXTEN) !== 0;
    if (c === cc[VERASE] || c === cc[VKILL] || (c === cc[VWERASE] && extends_)) {
      this.erase(c);
      output.commitEchoes();
      return true;
    }
    if (c === cc[VLNEXT] && extends_) {
      this.isLiteral = true;
      if (!echoes) return true;
      this.finishErasing();
      if ((lflag & ECHOCTL) !== 0) {
        output.echoRaw(CARET);
        output.echoRaw(BACKSPACE);
        output.commitEchoes();
      }
      return true;
    }
    if (c === cc[VREPRINT] && echoes && extends_) {
      this.finishErasing();
      output.echo(c);
      output.echoRaw(NEWLINE);
      for (let at = this.lineHead; at < this.head; at++) output.echo(this.at(at));
      output.commitEchoes();
      return true;
    }
    if (c === NEWLINE) {
      if ((lflag & (ECHO | ECHONL)) !== 0) {
        output.echoRaw(c);
        output.commitEchoes();
      }
      this.endLine(c);
      return true;
    }
    if (c === cc[VEOF]) {
      this.endLine(NONE);
      return true;
    }
    if (c !== cc[VEOL] && !(c === cc[VEOL2] && extends_)) return false;
    if (echoes) {
      if (this.lineHead === this.head) output.echoNoteColumn();
      output.echo(c);
      output.commitEchoes();
    }
    if (c === MARK_BYTE && (iflag & PARMRK) !== 0) this.put(c);
    this.endLine(c);
    return true;
  }

  private endLine(c: number): void {
    this.ends.add(this.head);
    this.put(c);
    this.lineHead = this.head;
    this.host.wakeReaders();
  }

  /** The end of the input itself: an end-of-file key that no setting can take away. */
  receiveEnd(): void {
    if (this.head - this.tail < INPUT_BYTES) this.endLine(NONE);
  }

  private isContinuation(c: number): boolean {
    return (this.termios.iflag & IUTF8) !== 0 && (c & 0xc0) === 0x80;
  }

  private finishErasing(): void {
    if (!this.isErasing) return;
    this.output.echoRaw(SLASH);
    this.isErasing = false;
  }

  /** VERASE, VWERASE or VKILL. */
  private erase(key: number): void {
    const { lflag, cc } = this.termios;
    const echoes = (lflag & ECHO) !== 0;
    if (this.head === this.lineHead) return;
    const isOne = key === cc[VERASE];
    const isWordKey = !isOne && key === cc[VWERASE];
    if (!isOne && !isWordKey) {
      const showsAll = (lflag & (ECHOK | ECHOKE | ECHOE)) === (ECHOK | ECHOKE | ECHOE);
      if (!echoes || !showsAll) {
        this.head = this.lineHead;
        if (!echoes) return;
        this.finishErasing();
        this.output.echo(cc[VKILL] as number);
        if ((lflag & ECHOK) !== 0) this.output.echoRaw(NEWLINE);
        return;
      }
    }
    let isInWord = false;
    while (this.head !== this.lineHead) {
      let start = this.head - 1;
      while (this.isContinuation(this.at(start)) && start !== this.lineHead) start--;
      const c = this.at(start);
      // Half a character is not erased.
      if (this.isContinuation(c)) break;
      if (isWordKey) {
        if (isWord(c)) isInWord = true;
        else if (isInWord) break;
      }
      const end = this.head;
      this.head = start;
      if (echoes) this.echoErased(c, start, end, isOne);
      if (isOne) break;
    }
    if (this.head === this.lineHead && echoes) this.finishErasing();
  }

  /** Shows that the character `c`, which was at `start` to `end`, is gone. */
  private echoErased(c: number, start: number, end: number, isOne: boolean): void {
    const { lflag, cc } = this.termios;
    const output = this.output;
    if ((lflag & ECHOPRT) !== 0) {
      if (!this.isErasing) output.echoRaw(BACKSLASH);
      this.isErasing = true;
      output.echo(c);
      for (let at = start + 1; at < end; at++) {
        output.echoRaw(this.at(at));
        output.echoBackColumn();
      }
      return;
    }
    if (isOne && (lflag & ECHOE) === 0) {
      output.echo(cc[VERASE] as number);
      return;
    }
    if (c === TAB) {
      this.echoErasedTab();
      return;
    }
    const showsControl = (lflag & ECHOCTL) !== 0;
    const width = isControl(c) ? (showsControl ? 2 : 0) : 1;
    for (let i = 0; i < width; i++) {
      output.echoRaw(BACKSPACE);
      output.echoRaw(BLANK);
      output.echoRaw(BACKSPACE);
    }
  }

  /** Going back over a tab needs the columns of what stands before it. */
  private echoErasedTab(): void {
    let columns = 0;
    for (let at = this.head - 1; at >= this.lineHead; at--) {
      const c = this.at(at);
      if (c === TAB) {
        this.output.echoTabErased(columns, true);
        return;
      }
      if (isControl(c)) columns += (this.termios.lflag & ECHOCTL) !== 0 ? 2 : 0;
      else if (!this.isContinuation(c)) columns++;
    }
    this.output.echoTabErased(columns, false);
  }

  // ---- what goes out to readers

  /** Lines count only when they are whole. */
  get isCanonical(): boolean {
    return this.isLine && (this.termios.lflag & EXTPROC) === 0;
  }

  /** Something can be read; for poll as much as VMIN asks for. */
  isReadable(isPoll = false): boolean {
    if (this.isCanonical) return this.lineHead !== this.tail;
    const { cc } = this.termios;
    const wanted = isPoll && cc[VTIME] === 0 ? Math.max(1, cc[VMIN] as number) : 1;
    return this.readyHead - this.tail >= wanted;
  }

  /** FIONREAD. */
  get waiting(): number {
    if (!this.isCanonical) return this.head - this.tail;
    let bytes = this.lineHead - this.tail;
    for (const end of this.ends) if (this.at(end) === NONE) bytes--;
    return Math.max(0, bytes);
  }

  /** Reads from the first whole line, at most to its end: bytes that `sink` took, -1 when it took none of them. */
  readLine(sink: ByteSink, count: number): number {
    const most = Math.min(count, this.lineHead - this.tail);
    let length = 0;
    while (length < most && !this.ends.has(this.tail + length)) length++;
    const isWhole = length < most;
    const end = this.tail + length;
    if (isWhole && this.at(end) !== NONE) length++;
    const taken = this.copy(sink, length);
    if (isWhole) {
      this.ends.delete(end);
      this.tail = end + 1;
    } else if (this.tail !== this.lineHead && this.ends.has(this.tail) && this.at(this.tail) === NONE) {
      // The buffer is full right before an end-of-file: the next read is not to give 0.
      this.ends.delete(this.tail);
      this.tail++;
    }
    return taken === 0 && length > 0 ? -1 : taken;
  }

  /** Reads what is there. */
  readRaw(sink: ByteSink, count: number): number {
    return this.copy(sink, Math.min(count, this.readyHead - this.tail));
  }

  private copy(sink: ByteSink, length: number): number {
    const buffer = this.buffer;
    if (buffer === null || length === 0) return 0;
    const from = this.tail & MASK;
    const first = Math.min(length, INPUT_BYTES - from);
    let taken = sink.put(buffer.subarray(from, from + first));
    if (taken === first && length > first) taken += sink.put(buffer.subarray(0, length - first));
    this.tail += length;
    return taken;
  }

  /** Forgets what nobody has read. */
  flushInput(): void {
    this.tail = this.head;
    this.lineHead = this.head;
    this.readyHead = this.head;
    this.ends.clear();
    this.isErasing = false;
  }
}

savable('vfs/tty/line-discipline', { LineDiscipline });
