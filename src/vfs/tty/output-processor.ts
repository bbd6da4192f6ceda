// SPDX-License-Identifier: MIT
//
// The way out of a terminal: output processing with its column, and the queue of echoes, which wait for room without
// holding up input. Models drivers/tty/n_tty.c (do_output_char, process_echoes).

import { savable } from '../../base/savable.ts';
import { ECHOCTL, IUTF8, OCRNL, OLCUC, ONLCR, ONLRET, ONOCR, OPOST, TABDLY, XTABS } from '../../abi/termios.ts';
import { BACKSPACE, BLANK, CARET, NEWLINE, RETURN, TAB, isControl, toUpper } from './characters.ts';
import type { Termios } from './termios.ts';

/** Where processed output goes. */
export interface OutputSink {
  /** Bytes that `put` takes now; 0 while output is stopped. */
  room(): number;
  /** Takes at most `room()` bytes, which stay the caller's. */
  put(bytes: Uint8Array): void;
  /** Whoever shows it processes output and echoes by itself. */
  readonly isCooked: boolean;
}

const PIECE = 4096;
/** Echoes that wait at most; the oldest are dropped, as input must go on. */
const MOST_ECHOES = 4096 - 288;
/** Waiting echoes that are shown before their chunk of input is over. */
const COMMIT_AT = 256;

// An echo is a byte or one of these with an operand in its low byte.
const AS_CONTROL = 0x100;
const ERASE_TAB = 0x200;
const NOTE_COLUMN = 0x300;
const BACK_COLUMN = 0x400;
/** In an erased tab's operand: counted from a tab before it, not from the start of the line. */
const AFTER_TAB = 0x80;

/** One terminal's output. */
export class OutputProcessor {
  private readonly termios: Termios;
  private readonly sink: OutputSink;
  private column = 0;
  /** Column where the line that is being edited began. */
  private lineColumn = 0;
  private echoes: number[] = [];
  /** Echoes of whole characters, and those that may be shown: of input that has been taken in. */
  private marked = 0;
  private committed = 0;
  private readonly piece = new Uint8Array(PIECE);
  private length = 0;
  private room = 0;

  constructor(termios: Termios, sink: OutputSink) {
    this.termios = termios;
    this.sink = sink;
  }

  /** Takes what there is room for: bytes of `bytes`. */
  write(bytes: Uint8Array): number {
    if ((this.termios.oflag & OPOST) === 0 || this.sink.isCooked) {
      const n = Math.min(bytes.length, this.sink.room());
      if (n > 0) this.sink.put(n === bytes.length ? bytes : bytes.subarray(0, n));
      return n;
    }
    this.begin();
    let n = 0;
    for (; n < bytes.length; n++) {
      if (!this.character(bytes[n] as number)) {
        // A full piece is no full terminal.
        this.end();
        this.begin();
        if (!this.character(bytes[n] as number)) break;
      }
    }
    this.end();
    return n;
  }

  private begin(): void {
    this.length = 0;
    this.room = Math.min(this.sink.room(), PIECE);
  }

  private end(): void {
    if (this.length > 0) this.sink.put(this.piece.subarray(0, this.length));
    this.length = 0;
  }

  private put(c: number): void {
    this.piece[this.length++] = c;
  }

  private fits(bytes: number): boolean {
    return this.length + bytes <= this.room;
  }

  /** Processes one character; false when it does not fit. */
  private character(given: number): boolean {
    const { oflag, iflag } = this.termios;
    let c = given;
    if (!this.fits(1)) return false;
    switch (c) {
      case NEWLINE:
        if ((oflag & ONLRET) !== 0) this.column = 0;
        if ((oflag & ONLCR) !== 0) {
          if (!this.fits(2)) return false;
          this.column = 0;
          this.put(RETURN);
        }
        this.lineColumn = this.column;
        break;
      case RETURN:
        if ((oflag & ONOCR) !== 0 && this.column === 0) return true;
        if ((oflag & OCRNL) !== 0) {
          c = NEWLINE;
          if ((oflag & ONLRET) === 0) break;
        }
        this.column = 0;
        this.lineColumn = 0;
        break;
      case TAB: {
        const width = 8 - (this.column & 7);
        if ((oflag & TABDLY) === XTABS) {
          if (!this.fits(width)) return false;
          for (let i = 0; i < width; i++) this.put(BLANK);
          this.column += width;
          return true;
        }
        this.column += width;
        break;
      }
      case BACKSPACE:
        if (this.column > 0) this.column--;
        break;
      default:
        if (isControl(c)) break;
        if ((oflag & OLCUC) !== 0) c = toUpper(c);
        if ((iflag & IUTF8) === 0 || (c & 0xc0) !== 0x80) this.column++;
    }
    this.put(c);
    return true;
  }

  // ---- echoes

  /** Echoes a byte as it is. */
  echoRaw(c: number): void {
    this.echoes.push(c);
  }

  /** Echoes a character; a control character as ^X with ECHOCTL. */
  echo(c: number): void {
    const shows = (this.termios.lflag & ECHOCTL) !== 0 && isControl(c) && c !== TAB;
    this.echoes.push(shows ? AS_CONTROL | c : c);
  }

  /** Goes back over a tab: `columns` characters stand between it and the tab or line start before it. */
  echoTabErased(columns: number, isAfterTab: boolean): void {
    this.echoes.push(ERASE_TAB | (columns & 7) | (isAfterTab ? AFTER_TAB : 0));
  }

  /** Remembers the column in which a line of input begins. */
  echoNoteColumn(): void {
    this.echoes.push(NOTE_COLUMN);
  }

  /** What was echoed last takes no column. */
  echoBackColumn(): void {
    this.echoes.push(BACK_COLUMN);
  }

  /** A character's echo is complete. Many are shown at once, few when the chunk of input is over. */
  commitEchoes(): void {
    this.marked = this.echoes.length;
    if (this.marked >= COMMIT_AT && this.marked % COMMIT_AT === 0) this.showEchoes();
  }

  dropEchoes(): void {
    this.echoes = [];
    this.marked = 0;
    this.committed = 0;
  }

  /** A chunk of input is over: shows its echoes. Without new ones, what waits for room goes on waiting. */
  flushEchoes(): void {
    if (this.committed === this.echoes.length) return;
    this.committed = this.echoes.length;
    this.show();
  }

  /** Shows the echoes of whole characters as far as there is room. */
  showEchoes(): void {
    if (this.marked === 0) return;
    this.committed = this.marked;
    this.show();
  }

  private show(): void {
    if (this.sink.isCooked) {
      this.dropEchoes();
      return;
    }
    let shown = 0;
    this.begin();
    while (shown < this.committed) {
      if (!this.showEcho(this.echoes[shown] as number)) {
        this.end();
        this.begin();
        if (!this.showEcho(this.echoes[shown] as number)) break;
      }
      shown++;
    }
    this.end();
    shown = Math.max(shown, this.echoes.length - MOST_ECHOES);
    if (shown === 0) return;
    this.echoes.splice(0, shown);
    this.marked = Math.max(0, this.marked - shown);
    this.committed = Math.max(0, this.committed - shown);
  }

  private showEcho(echo: number): boolean {
    const operand = echo & 0xff;
    switch (echo & ~0xff) {
      case AS_CONTROL:
        if (!this.fits(2)) return false;
        this.put(CARET);
        this.put(operand ^ 0o100);
        this.column += 2;
        return true;
      case ERASE_TAB: {
        const before = (operand & AFTER_TAB) !== 0 ? operand : operand + this.lineColumn;
        const back = 8 - (before & 7);
        if (!this.fits(back)) return false;
        for (let i = 0; i < back; i++) this.put(BACKSPACE);
        this.column = Math.max(0, this.column - back);
        return true;
      }
      case NOTE_COLUMN:
        this.lineColumn = this.column;
        return true;
      case BACK_COLUMN:
        if (this.column > 0) this.column--;
        return true;
    }
    if (echo === 0xff) {
      // The kernel's mark of a special echo: shown as it is, and always one column wide.
      if (!this.fits(1)) return false;
      this.put(echo);
      this.column++;
      return true;
    }
    if ((this.termios.oflag & OPOST) !== 0) return this.character(echo);
    if (!this.fits(1)) return false;
    this.put(echo);
    return true;
  }
}

savable('vfs/tty/output-processor', { OutputProcessor });
