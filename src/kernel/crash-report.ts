// SPDX-License-Identifier: MIT
//
// What is known when a signal's default action ends a process: the facts, as data. src/report makes text of them.

import { USER_HALF_END } from '../base/addr.ts';
import { viewOf } from '../base/bytes.ts';
import { savable } from '../base/savable.ts';
import { REG_NAMES, Reg } from '../cpu/regs.ts';
import { readSymbols } from '../loader/index.ts';
import type { Kernel } from './kernel.ts';
import type { SignalInfo } from './signals/siginfo.ts';
import type { Task } from './task.ts';

/** A syscall of the past. */
export interface PastCall {
  readonly tid: number;
  readonly sysno: number;
  /** Undefined while it has not returned. */
  readonly result: number | undefined;
  /** Address after the syscall instruction. */
  readonly rip: number;
}

/** A name for an address. */
export interface NamedAddress {
  readonly address: number;
  readonly symbol: string | undefined;
  readonly offset: number;
}

export interface CrashReport {
  readonly tid: number;
  readonly tgid: number;
  /** comm. */
  readonly name: string;
  readonly signo: number;
  readonly code: number;
  /** si_addr of a fault; undefined for other signals. */
  readonly faultAddress: bigint | undefined;
  /** Sender of a signal that a process sent. */
  readonly senderPid: number | undefined;
  readonly instructions: number;
  readonly registers: readonly { readonly name: string; readonly value: bigint }[];
  readonly rip: NamedAddress;
  /** Bytes at rip, as many as can be read, at most 48. */
  readonly instructionBytes: Uint8Array;
  /** Eight-byte words from rsp upwards. */
  readonly stack: readonly { readonly address: number; readonly value: bigint }[];
  readonly maps: string;
  /** Oldest first. */
  readonly lastCalls: readonly PastCall[];
  /** A patched site that rip lies in, or whose trampoline it lies in. */
  readonly patchedSite: PatchedSite | undefined;
  /** The patched site that the task's last call came from: what runs just after it may depend on bytes it lost. */
  readonly lastCallSite: PatchedSite | undefined;
}

/** A site that now jumps through its slot of the trap table. */
export interface PatchedSite {
  readonly address: number;
  readonly sysno: number;
  readonly slot: number;
}

const CODE_BYTES = 48;
const STACK_WORDS = 16;
const SITE_BYTES = 7;
const SLOT_BYTES = 80;

/** Remembers the last calls without allocating. */
export class CallHistory {
  private readonly rows: Float64Array;
  private readonly capacity: number;
  private count = 0;

  constructor(capacity = 16) {
    this.capacity = capacity;
    this.rows = new Float64Array(capacity * 4);
  }

  enter(tid: number, sysno: number, rip: number): void {
    const at = (this.count++ % this.capacity) * 4;
    const rows = this.rows;
    rows[at] = tid;
    rows[at + 1] = sysno;
    rows[at + 2] = rip;
    rows[at + 3] = Number.NaN;
  }

  /** The last call, if it is this task's: others that slept in between have no result here. */
  exit(tid: number, result: number): void {
    const at = ((this.count - 1) % this.capacity) * 4;
    if (this.rows[at] === tid) this.rows[at + 3] = result;
  }

  list(): PastCall[] {
    const first = Math.max(0, this.count - this.capacity);
    return Array.from({ length: this.count - first }, (_, i) => {
      const at = ((first + i) % this.capacity) * 4;
      const [tid = 0, sysno = 0, rip = 0, result = 0] = this.rows.subarray(at, at + 4);
      return { tid, sysno, rip, result: Number.isNaN(result) ? undefined : result };
    });
  }
}

/** Names an address by the program's symbols. */
export function nameAddress(kernel: Kernel, task: Task, address: number): NamedAddress {
  const image = kernel.programImage(task.mm);
  if (image === null) return { address, symbol: undefined, offset: 0 };
  const found = readSymbols(image.source).lookup(address - image.bias);
  return { address, symbol: found?.name, offset: found?.offset ?? 0 };
}

export function makeCrashReport(task: Task, info: SignalInfo): CrashReport {
  const { kernel, regs, mm } = task;
  const rip = regs.get(Reg.rip);
  const rsp = regs.get(Reg.rsp);
  const buffer = new Uint8Array(CODE_BYTES);
  const length = rip < USER_HALF_END ? mm.copyIn(rip, buffer, true) : 0;
  const words = new Uint8Array(STACK_WORDS * 8);
  const readable = rsp < USER_HALF_END ? mm.copyIn(rsp, words) : 0;
  const stackView = viewOf(words);
  const v = viewOf(info.bytes);
  const isFault = info.fault !== undefined;
  const lastCalls = kernel.history.list();
  const lastCall = lastCalls.findLast(({ tid }) => tid === task.tid);
  return {
    tid: task.tid,
    tgid: task.group.tgid,
    name: task.name,
    signo: info.signo,
    code: info.code,
    faultAddress: isFault ? v.getBigUint64(16, true) : undefined,
    senderPid: !isFault && info.code <= 0 ? v.getInt32(16, true) : undefined,
    instructions: kernel.cpu.instructions,
    // The platform keeps a GS base of its own while it patches; the program's is what counts.
    registers: REG_NAMES.map((name, i) => ({
      name,
      value: i === Reg.gsBase ? BigInt(kernel.platform.guestGsBase(task)) : (regs.u64[i] as bigint),
    })),
    rip: nameAddress(kernel, task, rip),
    instructionBytes: buffer.slice(0, length),
    stack: Array.from({ length: Math.floor(readable / 8) }, (_, i) => ({
      address: rsp + 8 * i,
      value: stackView.getBigUint64(8 * i, true),
    })),
    maps: mm.mapsText(true),
    lastCalls,
    patchedSite: findSite(kernel, (s) => isWithin(rip, s.address, SITE_BYTES) || isWithin(rip, s.slot, SLOT_BYTES)),
    lastCallSite: lastCall && findSite(kernel, (s) => s.address + SITE_BYTES === lastCall.rip),
  };
}

function isWithin(address: number, start: number, length: number): boolean {
  return address >= start && address < start + length;
}

function findSite(kernel: Kernel, matches: (site: PatchedSite) => boolean): PatchedSite | undefined {
  const site = kernel.platform.metrics().sites.find(matches);
  return site === undefined ? undefined : { address: site.address, sysno: site.sysno, slot: site.slot };
}

/** True for the prefixes of AVX and AVX-512 in 64-bit code, after legacy prefixes. */
export function isVectorExtension(code: Uint8Array): boolean {
  let at = 0;
  while ([0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65].includes(code[at] ?? 0)) at++;
  return code[at] === 0xc4 || code[at] === 0xc5 || code[at] === 0x62;
}

savable('kernel/crash-report', { CallHistory }, { isPlace: true });
