// SPDX-License-Identifier: MIT
//
// The kernel of a race as gVisor's Systrap is: a trapped syscall goes through the stub's check and may be patched, the
// guard byte goes to the fault handler, a trampoline ends at the syshandler. The steps are usertrap's own generators.

import { toHex } from '../../base/bytes.ts';
import { Reg } from '../../cpu/regs.ts';
import { MOV_EAX_IMM32, SITE_BYTES, siteSysno, SYSCALL_OFFSET } from '../../isa/syscall-site.ts';
import { handleFault } from '../../usertrap/fault-handler.ts';
import type { FaultOutcome } from '../../usertrap/fault-handler.ts';
import type { Guards } from '../../usertrap/guards.ts';
import { jumpOperand, JUMP_OPCODE, readTrap, TRAP_USED_BYTES } from '../../usertrap/layout.ts';
import { patchSyscall } from '../../usertrap/patcher.ts';
import type { PatchOutcome } from '../../usertrap/patcher.ts';
import type { PatchProtocol } from '../../usertrap/protocol.ts';
import type { StepResult } from '../../usertrap/steps.ts';
import { checkTrappedSite, isPatchable } from '../../usertrap/stub-check.ts';
import type { StubOutcome } from '../../usertrap/stub-check.ts';
import type { Failure } from '../search/system.ts';
import type { Mutants } from '../protocols.ts';
import type { Behaviour, Decoded, Injected, Then, UserStop, WorldStep, WorldSteps } from '../world/behaviour.ts';
import { readSpace } from '../world/space.ts';
import type { Local, ServedCall, Shared, Space, Work } from '../world/state.ts';
import { PROT_EXEC, PROT_READ } from '../../abi/mman.ts';

export interface GvisorOptions {
  /** The site that names of stores and texts are relative to. */
  readonly site: number;
  /** Number that the program asks for at the site. */
  readonly sysno: number;
  readonly guards: Guards;
  readonly protocol: PatchProtocol;
  readonly mutants: Mutants;
  /** Byte 5 of a patched site: bits 16 to 23 of the table's address. */
  readonly guardByte: number;
  /** The way back from a signal serialises. */
  readonly returnSerialises: boolean;
  /** What the program has or may have at the site, from its first byte on. */
  readonly programs: readonly Uint8Array[];
}

const LOW_32 = 0xffffffffn;

/** A look at the Sentry's own records, which the world reads off the site. */
export const RECORDS = 'records of sites';
/** A store that the program makes with an instruction of its own. */
export const OWN_STORE = 'new number';
/** Accesses that cannot fail: those two, and to sites and slots that a patch has written: their pages have frames. */
const SAFE: ReadonlySet<string> = new Set([RECORDS, OWN_STORE, 'is it patched', 'own bytes', 'faulting site', 'slot']);

export function hexNumber(n: number): string {
  return n < 1024 ? String(n) : `0x${n.toString(16)}`;
}

function isJump(bytes: Uint8Array): boolean {
  return JUMP_OPCODE.every((b, i) => bytes[i] === b);
}

/** See the file's head. What comes after a served call, and what else a scenario has, is a subclass's. */
export class GvisorBehaviour implements Behaviour {
  protected readonly options: GvisorOptions;

  constructor(options: GvisorOptions) {
    this.options = options;
  }

  start(kind: string, local: Local): WorldSteps<unknown> {
    const { guards, protocol, guardByte } = this.options;
    const rip = Number(local.regs[Reg.rip]);
    const rax = local.regs[Reg.rax] as bigint;
    if (kind === 'stub-check') return checkTrappedSite(rip, rax, guards.compareSysno, guardByte);
    if (kind === 'fault') return handleFault(rip, rax, guards, guardByte);
    const request = {
      ip: rip,
      sysno: Number(rax & LOW_32),
      hasTracer: false,
      closed: null,
      knownBoundary: this.boundaryOf(rip),
    };
    return patchSyscall(request, { guards, protocol });
  }

  /** Where an instruction is known to start, at or before the site whose `syscall` ends at `rip`. */
  protected boundaryOf(rip: number): number {
    return rip - SITE_BYTES;
  }

  finish(kind: string, outcome: unknown, local: Local): Then {
    const sysno = Number((local.regs[Reg.rax] as bigint) & LOW_32);
    const serialises = this.options.returnSerialises;
    switch (kind) {
      case 'stub-check': {
        const check = outcome as StubOutcome;
        if (check.kind === 'rewind') return { kind: 'user', local, rip: check.ip, serialises };
        if (check.canBePatched) return { kind: 'work', local, work: 'patch', note: 'patchable' };
        return this.serve(local, { sysno, via: 'trap' });
      }
      case 'fault': {
        const fault = outcome as FaultOutcome;
        if (fault.kind === 'restart') return { kind: 'user', local, rip: fault.ip, serialises };
        if (fault.kind === 'handle-as-syscall') return this.serve(local, { sysno, via: 'restart' });
        return {
          kind: 'fail',
          local,
          failure: { signature: 'SIGILL', text: '{actor} got SIGILL: the fault handler did not know its site' },
        };
      }
      default:
        return this.patched(outcome as PatchOutcome, this.serve(local, { sysno, via: 'trap' }));
    }
  }

  /** After an attempt to patch; `then` serves the call that trapped. */
  protected patched(_outcome: PatchOutcome, then: Then): Then {
    return then;
  }

  protected get programs(): readonly Uint8Array[] {
    return this.options.programs;
  }

  /** A syscall reaches the Sentry. An actor that asks for another number than the site's has it as its note `sysno`. */
  protected serve(local: Local, call: ServedCall): Then {
    const wanted = local.notes['sysno'] ?? this.options.sysno;
    if (call.sysno === wanted) return { kind: 'end', local, call };
    const text = `{actor} made syscall ${hexNumber(call.sysno)} where the program asks for ${hexNumber(wanted)}`;
    return { kind: 'end', local, call, failure: { signature: 'wrong number', text } };
  }

  userStop(stop: UserStop, local: Local): Then {
    if (stop.kind === 'runaway') {
      const failure = { signature: 'runaway', text: '{actor} runs and runs outside the site' };
      return { kind: 'fail', local, failure };
    }
    if (stop.kind === 'entered') {
      return this.serve(local, { sysno: Number((local.regs[Reg.rax] as bigint) & LOW_32), via: 'trampoline' });
    }
    switch (stop.stop.kind) {
      case 'syscall':
        return { kind: 'work', local: withoutClobbered(local), work: 'stub-check', note: 'trap' };
      case 'invalid-opcode':
        return { kind: 'work', local, work: 'fault' };
      default: {
        const { kind, access, address } = stop.stop;
        const what = kind === 'page-fault' ? `SIGSEGV: ${access} of 0x${address.toString(16)}` : kind;
        const at = this.#place(Number(local.regs[Reg.rip]));
        const failure = { signature: `fault at ${at}: ${what}`, text: `{actor} died at ${at}: ${what}` };
        return { kind: 'fail', local, failure };
      }
    }
  }

  /** From +0 a whole mov or a whole jump through a filled slot, from +5 the syscall or the guard; or what the program has. */
  decode(decoded: Decoded): { text: string; failure?: (consequence: string) => Failure; readsData?: boolean } {
    const { bytes, length, at } = decoded;
    // The processor's fault tells the rest.
    if (length === 0 && readSpace(decoded.space, at, 1, PROT_EXEC).length === 0) return { text: 'no code' };
    const offset = at - this.options.site;
    const isSite = offset >= 0 && offset < SITE_BYTES;
    const where = this.#place(at);
    const text = this.describe(bytes.subarray(0, isSite ? Math.max(2, SITE_BYTES - offset) : bytes.length), length);
    if (this.isLegal(decoded.space, offset, bytes, length)) return { text, readsData: isJump(bytes) };
    return {
      text,
      failure: (consequence) => ({
        signature: `illegal decode ${text} at ${where}`,
        text: `{actor} decoded ${text} at ${where} (${consequence})`,
      }),
    };
  }

  #place(at: number): string {
    const offset = at - this.options.site;
    return offset >= 0 && offset <= SITE_BYTES ? `site+${offset}` : `0x${at.toString(16)}`;
  }

  protected isLegal(space: Space, offset: number, bytes: Uint8Array, length: number): boolean {
    const { site, programs } = this.options;
    const isOfProgram = (code: Uint8Array): boolean =>
      code.length > offset && code.subarray(offset, offset + length).every((b, i) => b === bytes[i]);
    if (length > 0 && offset >= 0 && programs.some(isOfProgram)) return true;
    if (offset < 0 || offset >= SITE_BYTES) {
      // Other code, a slot's: as memory has it now.
      const now = readSpace(space, site + offset, length, PROT_READ | PROT_EXEC);
      return length > 0 && now.every((b, i) => b === bytes[i]);
    }
    if (offset === SYSCALL_OFFSET) return (bytes[0] === 0x0f && bytes[1] === 0x05) || length === 0;
    if (offset !== 0) return false;
    if (bytes[0] === MOV_EAX_IMM32) return true;
    if (!isJump(bytes)) return false;
    const slot = jumpOperand(bytes);
    const body = readSpace(space, slot, TRAP_USED_BYTES, PROT_READ | PROT_EXEC);
    return readTrap(body, slot)?.returnAddress === site + SITE_BYTES;
  }

  /** What an instruction of the site is, for a table. */
  protected describe(bytes: Uint8Array, length: number): string {
    if (bytes[0] === MOV_EAX_IMM32) return `mov $${hexNumber(siteSysno(bytes))},%eax`;
    if (bytes[0] === 0x0f && bytes[1] === 0x05) return 'syscall';
    if (length === 0 && bytes[0] === this.options.guardByte) return '(bad): #UD';
    if (isJump(bytes) && bytes.length >= SITE_BYTES) return `jmp *0x${(jumpOperand(bytes) >>> 0).toString(16)}`;
    return `"${toHex(bytes.subarray(0, length === 0 ? 2 : length), ' ')}"`;
  }

  label(step: WorldStep): { name: string; text: string } {
    switch (step.op) {
      case 'lock':
        return {
          name: step.exclusive ? 'lock' : 'rlock',
          text: step.exclusive ? 'lock' : 'read-lock, look at the site, unlock',
        };
      case 'unlock':
        return { name: 'unlock', text: 'unlock' };
      case 'store': {
        const from = step.addr - this.options.site;
        if (from < 0 || from > SITE_BYTES) return { name: step.what, text: `store the ${step.what}` };
        const to = from + step.bytes.length - 1;
        const range = from === to ? `+${from}` : `+${from}..+${to}`;
        const name = from === to ? `+${from}` : `+${from}.${step.bytes.length}`;
        return { name, text: `${step.what}: ${range} = ${toHex(step.bytes, ' ')}` };
      }
      case 'load': {
        const names: Record<string, string> = { 'stub read 1': 'read1', 'stub read 2': 'read2' };
        return { name: names[step.what] ?? 'read', text: step.what === 'code' ? this.#range(step) : step.what };
      }
      default:
        return { name: step.op, text: step.what };
    }
  }

  #range(step: WorldStep & { op: 'load' }): string {
    const from = step.addr - this.options.site;
    return step.length <= 1 ? `site+${from}` : `site+${from}..+${from + step.length - 1}`;
  }

  /** Of the stub's first read only its verdict matters later, or what it jumps through. */
  liveResults(work: Work, local: Local): string | undefined {
    if (work.kind !== 'stub-check') return undefined;
    const [first] = work.results;
    if (!(first instanceof Uint8Array) || work.results.length > 1 || isJump(first.subarray(1))) return undefined;
    return isPatchable(first, local.regs[Reg.rax] as bigint) ? 'patchable' : 'plain';
  }

  answer(work: Work, step: WorldStep, _local: Local): StepResult | undefined {
    const { dieAfter, unlockedFork, unlockedRecovery, singleRead } = this.options.mutants;
    if (unlockedFork && work.kind === 'fork' && (step.op === 'lock' || step.op === 'unlock')) return 1;
    if (unlockedRecovery && work.kind === 'fault' && (step.op === 'lock' || step.op === 'unlock')) return 1;
    if (singleRead && step.op === 'load' && step.what === 'stub read 2') return null;
    const isSiteStore = step.op === 'store' && step.what.startsWith('step ');
    if (dieAfter !== null && isSiteStore && work.kind === 'patch' && work.stores >= dieAfter) return 0;
    return undefined;
  }

  inject(_work: Work, step: WorldStep, local: Local): Injected | null {
    const { faults, loadFaults } = this.options.mutants;
    const isSlotStore = step.op === 'store' && step.what === 'slot';
    if ((step.op !== 'store' && step.op !== 'load') || (SAFE.has(step.what) && !isSlotStore)) return null;
    const [note, most] = step.op === 'store' ? (['faults', faults] as const) : (['loadFaults', loadFaults] as const);
    const soFar = local.notes[note] ?? 0;
    if (soFar >= most) return null;
    const { name, text } = this.label(step);
    const notes = { ...local.notes, [note]: soFar + 1 };
    const result = step.op === 'store' ? 0 : null;
    return { name: `${name}!`, text: `${text}: fails`, result, local: { ...local, notes } };
  }

  stuck(_shared: Shared, locals: readonly Local[], actors: readonly string[]): Failure | undefined {
    const waiting = actors.filter((_, i) => locals[i]?.phase !== 'ended');
    if (waiting.length > 0) return { signature: 'deadlock', text: `${waiting.join(', ')} wait for ever` };
    return undefined;
  }

  outcome(_shared: Shared, locals: readonly Local[], actors: readonly string[]): string {
    return actors
      .map((name, i) => `${name} ${locals[i]?.served.map((c) => `${c.via} ${hexNumber(c.sysno)}`).join(' and ') ?? ''}`)
      .join(', ');
  }
}

/** rcx and r11, which a trap overwrites and no code of these scenarios reads. */
function withoutClobbered(local: Local): Local {
  const regs = local.regs.slice();
  regs[Reg.rcx] = 0n;
  regs[Reg.r11] = 0n;
  return { ...local, regs };
}
