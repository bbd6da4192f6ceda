// SPDX-License-Identifier: MIT
//
// What signal a processor exception is, as Linux's arch/x86/kernel/traps.c and mm/fault.c decide it.

import {
  BUS_ADRALN,
  FPE_FLTDIV,
  FPE_FLTINV,
  FPE_FLTOVF,
  FPE_FLTRES,
  FPE_FLTUND,
  FPE_INTDIV,
  ILL_ILLOPN,
  SI_KERNEL,
  SIGBUS,
  SIGFPE,
  SIGILL,
  SIGSEGV,
  SIGTRAP,
  TRAP_TRACE,
} from '../abi/signal.ts';
import { USER_HALF_END } from '../base/addr.ts';
import type { Stop } from '../cpu/cpu.ts';
import { STATUS_STEP } from './breakpoints.ts';
import type { PlatformEvent } from './sentry.ts';

/** Page-fault error code bits (SDM vol. 3, figure 4-12). */
const PF_PRESENT = 1;
const PF_WRITE = 2;
const PF_USER = 4;
const PF_FETCH = 16;

/** si_code of an unmasked exception: `flags` are IE, DE, ZE, OE, UE, PE as both status words have them. */
function floatCode(flags: number): number {
  if ((flags & 0x01) !== 0) return FPE_FLTINV;
  if ((flags & 0x04) !== 0) return FPE_FLTDIV;
  if ((flags & 0x08) !== 0) return FPE_FLTOVF;
  if ((flags & 0x12) !== 0) return FPE_FLTUND;
  return (flags & 0x20) !== 0 ? FPE_FLTRES : 0;
}

export function pageFaultErrorCode(stop: Stop): number {
  const access = stop.access === 'write' ? PF_WRITE : stop.access === 'execute' ? PF_FETCH : 0;
  // Linux calls every access to its own half a protection fault, so that nobody learns what is mapped there.
  return PF_USER | access | (stop.present || stop.address >= USER_HALF_END ? PF_PRESENT : 0);
}

function set(event: PlatformEvent, trapno: number, signo: number, code: number, addr: number): void {
  event.kind = 'fault';
  event.trapno = trapno;
  event.errorCode = 0;
  event.debugStatus = STATUS_STEP;
  event.signo = signo;
  event.code = code;
  event.addr = addr;
}

/**
 * Fills `event` for an exception other than a page fault or a recovered invalid opcode.
 * @param rip as the stop left it
 * @param fpu gives an up-to-date FXSAVE image; only asked for floating-point errors
 */
export function exceptionEvent(event: PlatformEvent, stop: Stop, rip: number, fpu: () => Uint8Array): void {
  switch (stop.kind) {
    case 'invalid-opcode':
      return set(event, 6, SIGILL, ILL_ILLOPN, rip);
    case 'divide-error':
      return set(event, 0, SIGFPE, FPE_INTDIV, rip);
    case 'breakpoint':
      return set(event, 3, SIGTRAP, SI_KERNEL, 0);
    case 'debug':
      return set(event, 1, SIGTRAP, TRAP_TRACE, rip);
    case 'stack-fault':
      return set(event, 12, SIGBUS, SI_KERNEL, 0);
    case 'alignment-check':
      return set(event, 17, SIGBUS, BUS_ADRALN, 0);
    case 'fpu-error': {
      const view = new DataView(fpu().buffer);
      const control = view.getUint16(0, true);
      return set(event, 16, SIGFPE, floatCode(view.getUint16(2, true) & ~control & 0x3f), rip);
    }
    case 'simd-error': {
      const mxcsr = new DataView(fpu().buffer).getUint32(24, true);
      return set(event, 19, SIGFPE, floatCode(mxcsr & ~(mxcsr >>> 7) & 0x3f), rip);
    }
    default:
      return set(event, 13, SIGSEGV, SI_KERNEL, 0);
  }
}
