// SPDX-License-Identifier: MIT
//
// Settings of terminals as strace prints them, abbreviated: flags by name, speeds, characters left out.

import { Termios } from '../../abi/ioctl.ts';
import * as abi from '../../abi/termios.ts';

type Flags = readonly (readonly [string, number])[];

function flags(names: string): Flags {
  const values: Readonly<Record<string, unknown>> = abi;
  return names.split(' ').map((name) => [name, values[name] as number] as const);
}

const INPUT = flags('IGNBRK BRKINT IGNPAR PARMRK INPCK ISTRIP INLCR IGNCR ICRNL IUCLC IXON IXANY IXOFF IMAXBEL IUTF8');
const OUTPUT = flags('OPOST OLCUC ONLCR OCRNL ONOCR ONLRET OFILL OFDEL');
const CONTROL = flags('CSTOPB CREAD PARENB PARODD HUPCL CLOCAL CMSPAR CRTSCTS');
const LOCAL = flags(
  'ISIG ICANON XCASE ECHO ECHOE ECHOK ECHONL NOFLSH IEXTEN ECHOCTL ECHOPRT ECHOKE FLUSHO PENDIN TOSTOP EXTPROC',
);
/** Delays: the mask of each and the names of its values. */
const DELAYS: readonly (readonly [number, readonly string[]])[] = [
  [abi.NLDLY, ['NL0', 'NL1']],
  [abi.CRDLY, ['CR0', 'CR1', 'CR2', 'CR3']],
  [abi.TABDLY, ['TAB0', 'TAB1', 'TAB2', 'XTABS']],
  [abi.BSDLY, ['BS0', 'BS1']],
  [abi.VTDLY, ['VT0', 'VT1']],
  [abi.FFDLY, ['FF0', 'FF1']],
];
const SPEEDS =
  '0 50 75 110 134 150 200 300 600 1200 1800 2400 4800 9600 19200 38400 OTHER 57600 115200 230400 460800 500000 576000 921600 1000000 1152000 1500000 2000000 2500000 3000000 3500000 4000000'.split(
    ' ',
  );
const SIZES = ['CS5', 'CS6', 'CS7', 'CS8'];

/** Names of the bits that have one, then the rest; nothing for nothing. */
function named(value: number, table: Flags): string {
  const names: string[] = [];
  let rest = value >>> 0;
  for (const [name, bit] of table) {
    if ((rest & bit) === 0) continue;
    names.push(name);
    rest = (rest & ~bit) >>> 0;
  }
  if (rest !== 0) names.push(`0x${rest.toString(16)}`);
  return names.join('|');
}

/** The value of a field within `mask`, counted from its lowest bit. */
function field(value: number, mask: number): number {
  return (value & mask) / (mask & -mask);
}

function speed(code: number): string {
  return `B${SPEEDS[(code & 0xf) | ((code & abi.CBAUDEX) === 0 ? 0 : 0x10)] ?? ''}`;
}

function outputText(value: number): string {
  let rest = value;
  let text = '';
  for (const [mask, names] of DELAYS) {
    text += `${names[field(value, mask)] ?? ''}|`;
    rest &= ~mask;
  }
  return text + named(rest, OUTPUT);
}

function controlText(value: number): string {
  const inputSpeed = (value >>> abi.IBSHIFT) & abi.CBAUD;
  const rest = value & ~abi.CBAUD & ~(abi.CBAUD << abi.IBSHIFT) & ~abi.CSIZE;
  const second = inputSpeed === 0 ? '' : `${speed(inputSpeed)}<<IBSHIFT|`;
  return `${speed(value & abi.CBAUD)}|${second}${SIZES[field(value, abi.CSIZE)] ?? ''}|${named(rest, CONTROL)}`;
}

function text(input: number, output: number, control: number, local: number): string {
  return `{c_iflag=${named(input, INPUT)}, c_oflag=${outputText(output)}, c_cflag=${controlText(control)}, c_lflag=${named(local, LOCAL)}, ...}`;
}

/** struct termios, and the head of termios2. */
export function termiosText(view: DataView): string {
  const at = (offset: number): number => view.getUint32(offset, true);
  return text(at(Termios.iflag), at(Termios.oflag), at(Termios.cflag), at(Termios.lflag));
}

/** struct termio. */
export function termioText(view: DataView): string {
  const at = (offset: number): number => view.getUint16(offset, true);
  return text(at(abi.Termio.iflag), at(abi.Termio.oflag), at(abi.Termio.cflag), at(abi.Termio.lflag));
}
