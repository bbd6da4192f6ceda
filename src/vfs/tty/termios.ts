// SPDX-License-Identifier: MIT
//
// The settings of a terminal and the three forms in which ioctl carries them. Models struct ktermios and
// drivers/tty/tty_ioctl.c.

import { Termios as TermiosLayout } from '../../abi/ioctl.ts';
import {
  B38400,
  BOTHER,
  CBAUD,
  CBAUDEX,
  CREAD,
  CS8,
  CSIZE,
  ECHO,
  ECHOCTL,
  ECHOE,
  ECHOK,
  ECHOKE,
  IBSHIFT,
  ICANON,
  ICRNL,
  IEXTEN,
  ISIG,
  IXON,
  ONLCR,
  OPOST,
  PARENB,
  Termio,
  Termios2,
} from '../../abi/termios.ts';
import { viewOf } from '../../base/bytes.ts';
import { savable } from '../../base/savable.ts';

/** struct termios, termios2 (with speeds) and System V's termio. */
export type TermiosForm = 'termios' | 'termios2' | 'termio';

export const TERMIOS_SIZE: Record<TermiosForm, number> = {
  termios: TermiosLayout.size,
  termios2: Termios2.size,
  termio: Termio.size,
};

/** Speeds by their number in c_cflag; those from 16 on have CBAUDEX set. */
const SPEEDS = [
  0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800,
  500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000,
];

/** VINTR ^C, VQUIT ^\, VERASE DEL, VKILL ^U, VEOF ^D, VMIN 1, VSTART ^Q, VSTOP ^S, VSUSP ^Z, VREPRINT ^R … */
const STANDARD_CHARACTERS = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22];

/** The settings of one terminal. */
export class Termios {
  iflag = 0;
  oflag = 0;
  cflag = B38400 | CS8 | CREAD;
  lflag = 0;
  line = 0;
  readonly cc = new Uint8Array(TermiosLayout.ccCount);
  inputSpeed = 38400;
  outputSpeed = 38400;

  /** A master's: nothing is processed. */
  static raw(): Termios {
    const made = new Termios();
    made.cc.set(STANDARD_CHARACTERS);
    return made;
  }

  /** A terminal's as it is when nobody has changed them. */
  static standard(): Termios {
    const made = Termios.raw();
    made.iflag = ICRNL | IXON;
    made.oflag = OPOST | ONLCR;
    made.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
    return made;
  }

  copyFrom(other: Termios): void {
    this.iflag = other.iflag;
    this.oflag = other.oflag;
    this.cflag = other.cflag;
    this.lflag = other.lflag;
    this.line = other.line;
    this.cc.set(other.cc);
    this.inputSpeed = other.inputSpeed;
    this.outputSpeed = other.outputSpeed;
  }

  clone(): Termios {
    const made = new Termios();
    made.copyFrom(this);
    return made;
  }

  encode(form: TermiosForm): Uint8Array {
    const bytes = new Uint8Array(TERMIOS_SIZE[form]);
    const view = viewOf(bytes);
    if (form === 'termio') {
      view.setUint16(Termio.iflag, this.iflag & 0xffff, true);
      view.setUint16(Termio.oflag, this.oflag & 0xffff, true);
      view.setUint16(Termio.cflag, this.cflag & 0xffff, true);
      view.setUint16(Termio.lflag, this.lflag & 0xffff, true);
      bytes[Termio.line] = this.line;
      bytes.set(this.cc.subarray(0, Termio.ccCount), Termio.cc);
      return bytes;
    }
    view.setUint32(TermiosLayout.iflag, this.iflag, true);
    view.setUint32(TermiosLayout.oflag, this.oflag, true);
    view.setUint32(TermiosLayout.cflag, this.cflag, true);
    view.setUint32(TermiosLayout.lflag, this.lflag, true);
    bytes[TermiosLayout.line] = this.line;
    bytes.set(this.cc, TermiosLayout.cc);
    if (form === 'termios2') {
      view.setUint32(Termios2.ispeed, this.inputSpeed, true);
      view.setUint32(Termios2.ospeed, this.outputSpeed, true);
    }
    return bytes;
  }

  /** Takes the settings over as a pseudo-terminal does: eight bits, no parity, whatever was asked for. */
  decode(form: TermiosForm, bytes: Uint8Array): void {
    const view = viewOf(bytes);
    if (form === 'termio') {
      const low = (old: number, at: number): number => ((old & 0xffff_0000) | view.getUint16(at, true)) >>> 0;
      this.iflag = low(this.iflag, Termio.iflag);
      this.oflag = low(this.oflag, Termio.oflag);
      this.cflag = low(this.cflag, Termio.cflag);
      this.lflag = low(this.lflag, Termio.lflag);
      this.line = bytes[Termio.line] ?? 0;
      this.cc.set(bytes.subarray(Termio.cc, Termio.cc + Termio.ccCount));
    } else {
      this.iflag = view.getUint32(TermiosLayout.iflag, true);
      this.oflag = view.getUint32(TermiosLayout.oflag, true);
      this.cflag = view.getUint32(TermiosLayout.cflag, true);
      this.lflag = view.getUint32(TermiosLayout.lflag, true);
      this.line = bytes[TermiosLayout.line] ?? 0;
      this.cc.set(bytes.subarray(TermiosLayout.cc, TermiosLayout.cc + TermiosLayout.ccCount));
    }
    if (form === 'termios2') {
      this.inputSpeed = view.getUint32(Termios2.ispeed, true);
      this.outputSpeed = view.getUint32(Termios2.ospeed, true);
    }
    this.outputSpeed = speedOf(this.cflag & CBAUD, this.outputSpeed);
    const inputCode = (this.cflag >>> IBSHIFT) & CBAUD;
    this.inputSpeed = inputCode === 0 ? this.outputSpeed : speedOf(inputCode, this.inputSpeed);
    this.cflag = ((this.cflag & ~(CSIZE | PARENB)) | CS8 | CREAD) >>> 0;
  }
}

function speedOf(code: number, other: number): number {
  if (code === BOTHER) return other;
  return SPEEDS[(code & CBAUDEX) === 0 ? code : (code & ~CBAUDEX) + 15] ?? 0;
}

savable('vfs/tty/termios', { Termios });
