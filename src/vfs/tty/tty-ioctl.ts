// SPDX-License-Identifier: MIT
//
// Requests to terminals: settings, size, flow, flushing, job control, and what only masters have.
// Models drivers/tty/tty_io.c (tty_ioctl), tty_ioctl.c, tty_jobctrl.c and pty.c.

import { EFAULT, EINVAL, EIO, ENOTTY, EPERM, ESRCH } from '../../abi/errno.ts';
import {
  FIONREAD,
  TCFLSH,
  TCGETA,
  TCGETS,
  TCGETS2,
  TCSBRK,
  TCSBRKP,
  TCSETA,
  TCSETAF,
  TCSETAW,
  TCSETS,
  TCSETS2,
  TCSETSF,
  TCSETSF2,
  TCSETSW,
  TCSETSW2,
  TCXONC,
  TIOCCBRK,
  TIOCCONS,
  TIOCEXCL,
  TIOCGDEV,
  TIOCGETD,
  TIOCGEXCL,
  TIOCGPGRP,
  TIOCGPKT,
  TIOCGPTLCK,
  TIOCGPTN,
  TIOCGPTPEER,
  TIOCGSID,
  TIOCGSOFTCAR,
  TIOCGWINSZ,
  TIOCNOTTY,
  TIOCNXCL,
  TIOCOUTQ,
  TIOCPKT,
  TIOCSBRK,
  TIOCSCTTY,
  TIOCSETD,
  TIOCSIG,
  TIOCSPGRP,
  TIOCSPTLCK,
  TIOCSTI,
  TIOCSWINSZ,
  TIOCVHANGUP,
  Winsize,
} from '../../abi/ioctl.ts';
import { SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTOU } from '../../abi/signal.ts';
import {
  N_TTY,
  TCIFLUSH,
  TCIOFF,
  TCIOFLUSH,
  TCION,
  TCOFLUSH,
  TCOOFF,
  TCOON,
  VSTART,
  VSTOP,
} from '../../abi/termios.ts';
import { viewOf } from '../../base/bytes.ts';
import type { UserMemory } from '../open-file.ts';
import { acquireTerminal, checkForeground, leaveTerminal, stealTerminal } from './job-control.ts';
import { PtyMaster } from './pty.ts';
import { TERMIOS_SIZE } from './termios.ts';
import type { TermiosForm } from './termios.ts';
import type { Tty } from './tty.ts';
import type { TtyFile } from './tty-file.ts';

function putInt(memory: UserMemory, addr: number, value: number): number {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setInt32(0, value, true);
  return memory.copyOut(addr, bytes) === 4 ? 0 : -EFAULT;
}

function getInt(memory: UserMemory, addr: number): number | undefined {
  const bytes = new Uint8Array(4);
  return memory.copyIn(addr, bytes) === 4 ? viewOf(bytes).getInt32(0, true) : undefined;
}

/** The request `request` on an open terminal. */
export function ttyIoctl(file: TtyFile, request: number, argument: number, memory: UserMemory): number {
  const { tty } = file;
  // A master answers for its slave where settings and processes are meant.
  const real = tty.driver instanceof PtyMaster && tty.link !== null ? tty.link : tty;
  const settings = SETTINGS.get(request);
  if (settings !== undefined) return changeSettings(real, settings, argument, memory);
  switch (request) {
    case FIONREAD:
      return putInt(memory, argument, tty.line.waiting);
    case TIOCOUTQ:
      return putInt(memory, argument, 0);
    case TIOCGWINSZ:
      return memory.copyOut(argument, tty.windowSize) === Winsize.size ? 0 : -EFAULT;
    case TIOCSWINSZ: {
      const size = new Uint8Array(Winsize.size);
      if (memory.copyIn(argument, size) < Winsize.size) return -EFAULT;
      tty.resize(size);
      return 0;
    }
    case TCSBRK:
    case TCSBRKP:
    case TIOCSBRK:
    case TIOCCBRK:
      // There is no line that a break could be sent on.
      return checkForeground(tty.jobs, tty, SIGTTOU);
    case TCXONC:
      return checkForeground(tty.jobs, tty, SIGTTOU) || controlFlow(tty, argument | 0);
    case TCFLSH:
      return checkForeground(tty.jobs, tty, SIGTTOU) || flush(tty, argument | 0);
    case TIOCEXCL:
    case TIOCNXCL:
      tty.isExclusive = request === TIOCEXCL;
      return 0;
    case TIOCGEXCL:
      return putInt(memory, argument, tty.isExclusive ? 1 : 0);
    case TIOCGETD:
      return putInt(memory, argument, N_TTY);
    case TIOCSETD: {
      const refused = checkForeground(tty.jobs, tty, SIGTTOU);
      if (refused < 0) return refused;
      const discipline = getInt(memory, argument);
      return discipline === undefined ? -EFAULT : discipline === N_TTY ? 0 : -EINVAL;
    }
    case TIOCGSOFTCAR:
      return putInt(memory, argument, 0);
    case TIOCGDEV:
      return putInt(memory, argument, tty.device);
    case TIOCSTI:
      return simulateInput(tty, argument, memory);
    case TIOCCONS:
      return tty.jobs.isPrivileged ? 0 : -EPERM;
    case TIOCVHANGUP:
      if (!tty.jobs.isPrivileged) return -EPERM;
      tty.hangUp();
      return 0;
    case TIOCGPTPEER:
      // With a descriptor as its result: the caller has dealt with masters already.
      return -EIO;
    case TIOCNOTTY:
      return giveUp(tty);
    case TIOCSCTTY:
      return makeControlling(file, real, argument | 0);
    case TIOCGPGRP:
      if (tty === real && tty.jobs.current?.tty !== tty) return -ENOTTY;
      return putInt(memory, argument, real.foreground ?? 0);
    case TIOCGSID:
      if (tty === real && tty.jobs.current?.tty !== tty) return -ENOTTY;
      return real.session === null ? -ENOTTY : putInt(memory, argument, real.session);
    case TIOCSPGRP:
      return setForeground(real, argument, memory);
    default:
      return tty.driver instanceof PtyMaster ? masterIoctl(tty, tty.driver, request, argument, memory) : -ENOTTY;
  }
}

interface Settings {
  readonly form: TermiosForm;
  readonly sets: boolean;
  readonly flushes: boolean;
}

const SETTINGS: ReadonlyMap<number, Settings> = new Map([
  [TCGETS, { form: 'termios', sets: false, flushes: false }],
  [TCSETS, { form: 'termios', sets: true, flushes: false }],
  [TCSETSW, { form: 'termios', sets: true, flushes: false }],
  [TCSETSF, { form: 'termios', sets: true, flushes: true }],
  [TCGETS2, { form: 'termios2', sets: false, flushes: false }],
  [TCSETS2, { form: 'termios2', sets: true, flushes: false }],
  [TCSETSW2, { form: 'termios2', sets: true, flushes: false }],
  [TCSETSF2, { form: 'termios2', sets: true, flushes: true }],
  [TCGETA, { form: 'termio', sets: false, flushes: false }],
  [TCSETA, { form: 'termio', sets: true, flushes: false }],
  [TCSETAW, { form: 'termio', sets: true, flushes: false }],
  [TCSETAF, { form: 'termio', sets: true, flushes: true }],
]);

function changeSettings(tty: Tty, { form, sets, flushes }: Settings, argument: number, memory: UserMemory): number {
  if (!sets) {
    const bytes = tty.termios.encode(form);
    // The last byte of struct termio is padding, which Linux does not write.
    const told = form === 'termio' ? bytes.subarray(0, bytes.length - 1) : bytes;
    return memory.copyOut(argument, told) === told.length ? 0 : -EFAULT;
  }
  const refused = checkForeground(tty.jobs, tty, SIGTTOU);
  if (refused < 0) return refused;
  const bytes = new Uint8Array(TERMIOS_SIZE[form]);
  const wanted = form === 'termio' ? bytes.subarray(0, bytes.length - 1) : bytes;
  if (memory.copyIn(argument, wanted) < wanted.length) return -EFAULT;
  const termios = tty.termios.clone();
  termios.decode(form, bytes);
  if (flushes) tty.flushInput();
  tty.setTermios(termios);
  return 0;
}

function controlFlow(tty: Tty, action: number): number {
  switch (action) {
    case TCOOFF:
      tty.stop();
      tty.isStoppedByCall = true;
      return 0;
    case TCOON:
      if (tty.isStoppedByCall) {
        tty.isStoppedByCall = false;
        tty.start();
      }
      return 0;
    case TCIOFF:
    case TCION: {
      const key = tty.termios.cc[action === TCIOFF ? VSTOP : VSTART] as number;
      if (key !== 0) tty.driver?.put(Uint8Array.of(key));
      return 0;
    }
    default:
      return -EINVAL;
  }
}

function flush(tty: Tty, queues: number): number {
  switch (queues) {
    case TCIFLUSH:
    case TCIOFLUSH:
      tty.flushWaiting();
      tty.flushInput();
      if (queues === TCIOFLUSH) tty.flushOutput();
      return 0;
    case TCOFLUSH:
      tty.flushOutput();
      return 0;
    default:
      return -EINVAL;
  }
}

/** TIOCSTI: a byte as if it had been typed. */
function simulateInput(tty: Tty, argument: number, memory: UserMemory): number {
  const { jobs } = tty;
  if (jobs.current?.tty !== tty && !jobs.isPrivileged) return -EPERM;
  const byte = new Uint8Array(1);
  if (memory.copyIn(argument, byte) < 1) return -EFAULT;
  if (tty.inputRoom > 0) tty.receive(byte);
  return 0;
}

// ---- job control

function giveUp(tty: Tty): number {
  const { current } = tty.jobs;
  if (current === null || current.tty !== tty) return -ENOTTY;
  if (current.tgid === current.sid) leaveTerminal(tty.jobs, current, [SIGHUP, SIGCONT]);
  current.tty = null;
  return 0;
}

function makeControlling(file: TtyFile, tty: Tty, steals: number): number {
  const { jobs } = tty;
  const { current } = jobs;
  if (current === null) return -EPERM;
  const isLeader = current.tgid === current.sid;
  if (isLeader && tty.session === current.sid) return 0;
  if (!isLeader || current.tty !== null) return -EPERM;
  if (tty.session !== null) {
    if (steals !== 1 || !jobs.isPrivileged) return -EPERM;
    stealTerminal(jobs, tty);
  }
  if (!file.canRead && !jobs.isPrivileged) return -EPERM;
  acquireTerminal(current, tty);
  return 0;
}

function setForeground(tty: Tty, argument: number, memory: UserMemory): number {
  const { jobs } = tty;
  const refused = checkForeground(jobs, tty, SIGTTOU);
  if (refused < 0) return refused === -EIO ? -ENOTTY : refused;
  const pgid = getInt(memory, argument);
  if (pgid === undefined) return -EFAULT;
  if (pgid < 0) return -EINVAL;
  const { current } = jobs;
  if (current === null || current.tty !== tty || tty.session !== current.sid) return -ENOTTY;
  const session = jobs.sessionOf(pgid);
  if (session === undefined) return -ESRCH;
  if (session !== current.sid) return -EPERM;
  tty.foreground = pgid;
  return 0;
}

// ---- masters

function masterIoctl(tty: Tty, master: PtyMaster, request: number, argument: number, memory: UserMemory): number {
  switch (request) {
    case TIOCGPTN:
      return putInt(memory, argument, master.index);
    case TIOCSPTLCK: {
      const value = getInt(memory, argument);
      if (value === undefined) return -EFAULT;
      master.isLocked = value !== 0;
      return 0;
    }
    case TIOCGPTLCK:
      return putInt(memory, argument, master.isLocked ? 1 : 0);
    case TIOCPKT: {
      const value = getInt(memory, argument);
      if (value === undefined) return -EFAULT;
      if (value !== 0 && !tty.isPacket && tty.link !== null) tty.link.packetStatus = 0;
      tty.isPacket = value !== 0;
      return 0;
    }
    case TIOCGPKT:
      return putInt(memory, argument, tty.isPacket ? 1 : 0);
    case TIOCSIG: {
      const signo = argument | 0;
      if (signo !== SIGINT && signo !== SIGQUIT && signo !== SIGTSTP) return -EINVAL;
      tty.link?.signal(signo);
      return 0;
    }
    default:
      return -ENOTTY;
  }
}
