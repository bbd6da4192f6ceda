// SPDX-License-Identifier: MIT
//
// Signal sets and siginfo as strace prints them.

import { Siginfo } from '../../abi/signal-frame.ts';
import {
  CLD_CONTINUED,
  CLD_DUMPED,
  CLD_EXITED,
  CLD_KILLED,
  CLD_STOPPED,
  CLD_TRAPPED,
  NSIG,
  SIGBUS,
  SIGCHLD,
  SIGFPE,
  SIGILL,
  SIGIO,
  SIGSEGV,
  SIGSYS,
  SIGTRAP,
  SI_KERNEL,
  SI_QUEUE,
  SI_TIMER,
  SI_USER,
  signalName,
} from '../../abi/signal.ts';
import * as signal from '../../abi/signal.ts';
import { syscallName } from '../../abi/sysno.ts';
import { getI64, getU64 } from '../../abi/words.ts';
import { hex } from '../../base/addr.ts';
import { enumTable } from './enums.ts';
import type { EnumTable } from './enums.ts';

/** `NULL` or `0x…`. */
export function pointerText(addr: number | bigint): string {
  return addr === 0 || addr === 0n ? 'NULL' : hex(addr);
}

/** `[INT CHLD]`; a set with two thirds of all signals or more as what it leaves out: `~[RTMIN RT_1]`. */
export function sigsetText(low: number, high: number): string {
  const has = (signo: number): boolean => (((signo <= 32 ? low : high) >>> ((signo - 1) % 32)) & 1) === 1;
  let count = 0;
  for (let signo = 1; signo <= NSIG; signo++) if (has(signo)) count++;
  const inverted = count >= Math.floor((NSIG * 2) / 3);
  const names: string[] = [];
  for (let signo = 1; signo <= NSIG; signo++) {
    if (has(signo) !== inverted) names.push(signalName(signo).slice(3));
  }
  return `${inverted ? '~' : ''}[${names.join(' ')}]`;
}

/** The set of 8 bytes at `at`. */
export function sigsetAt(view: DataView, at: number): string {
  return sigsetText(view.getUint32(at, true), view.getUint32(at + 4, true));
}

const ANY_CODE = enumTable('SI_???', signal, /^SI_(?!GIO)/);
const CODES: ReadonlyMap<number, EnumTable> = new Map([
  [SIGILL, enumTable('ILL_???', signal, /^ILL_/)],
  [SIGFPE, enumTable('FPE_???', signal, /^FPE_/)],
  [SIGSEGV, enumTable('SEGV_???', signal, /^SEGV_/)],
  [SIGBUS, enumTable('BUS_???', signal, /^BUS_/)],
  [SIGTRAP, enumTable('TRAP_???', signal, /^TRAP_/)],
  [SIGCHLD, enumTable('CLD_???', signal, /^CLD_/)],
  [SIGIO, enumTable('POLL_???', signal, /^POLL_/)],
  [SIGSYS, enumTable('SYS_???', signal, /^SYS_/)],
]);

const CHILD_CODES: readonly number[] = [CLD_EXITED, CLD_KILLED, CLD_DUMPED, CLD_TRAPPED, CLD_STOPPED, CLD_CONTINUED];

/** `SEGV_MAPERR`, `SI_USER`. */
export function siginfoCodeName(signo: number, code: number): string {
  const own = CODES.get(signo);
  const name = own?.names.get(code) ?? ANY_CODE.names.get(code);
  return name ?? hex(code >>> 0);
}

/** `{si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x8}` of the 128 bytes of a siginfo_t. */
export function siginfoText(view: DataView): string {
  const signo = view.getInt32(Siginfo.signo, true);
  const code = view.getInt32(Siginfo.code, true);
  const errno = view.getInt32(Siginfo.errno, true);
  if (signo === 0) return '{}';
  let text = `{si_signo=${signo >= 1 && signo <= NSIG ? signalName(signo) : signo}, si_code=${siginfoCodeName(signo, code)}`;
  if (errno !== 0) text += `, si_errno=${errno}`;
  return text + detail(view, signo, code) + '}';
}

function detail(view: DataView, signo: number, code: number): string {
  if (code === SI_TIMER) {
    const timer = view.getUint32(Siginfo.timerId, true);
    const overrun = view.getInt32(Siginfo.overrun, true);
    return `, si_timerid=${timer === 0 ? '0' : hex(timer)}, si_overrun=${overrun}${value(view)}`;
  }
  if (code <= SI_USER) return sender(view) + (code <= SI_QUEUE ? value(view) : '');
  switch (signo) {
    case SIGILL:
    case SIGFPE:
    case SIGSEGV:
    case SIGBUS:
    case SIGTRAP:
      return `, si_addr=${pointerText(getU64(view, Siginfo.addr))}`;
    case SIGCHLD:
      return CHILD_CODES.includes(code) ? sender(view) + child(view, code) : '';
    case SIGSYS:
      return (
        `, si_call_addr=${pointerText(getU64(view, Siginfo.callAddr))}, si_syscall=__NR_` +
        `${syscallName(view.getInt32(Siginfo.syscall, true))}, si_arch=AUDIT_ARCH_X86_64`
      );
    default:
      return code === SI_KERNEL ? '' : sender(view);
  }
}

function sender(view: DataView): string {
  return `, si_pid=${view.getInt32(Siginfo.pid, true)}, si_uid=${view.getInt32(Siginfo.uid, true)}`;
}

function value(view: DataView): string {
  const pointer = view.getBigUint64(Siginfo.value, true);
  return pointer === 0n ? '' : `, si_int=${view.getInt32(Siginfo.value, true)}, si_ptr=${hex(pointer)}`;
}

function child(view: DataView, code: number): string {
  const status = view.getInt32(Siginfo.status, true);
  const shown = code === CLD_EXITED ? String(status) : signalName(status);
  return `, si_status=${shown}, si_utime=${getI64(view, Siginfo.utime)}, si_stime=${getI64(view, Siginfo.stime)}`;
}
