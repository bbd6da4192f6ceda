// SPDX-License-Identifier: MIT
//
// The machine under the scenario "patch versus execute": one address space with a site, a trap table and stub threads
// on the real engine. It puts memory and registers into a given state and executes single instructions.

import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE } from '../abi/mman.ts';
import { invariant } from '../base/errors.ts';
import { Prng } from '../base/prng.ts';
import type { Cpu, Stop } from '../cpu/cpu.ts';
import { FPU_BYTES } from '../cpu/cpu.ts';
import { Reg, Regs } from '../cpu/regs.ts';
import { SITE_BYTES } from '../isa/syscall-site.ts';
import { AddressSpace, PhysicalMemory } from '../mm/address-space.ts';
import { Platform } from '../platform/platform.ts';
import type { GuestContext, PatchMode } from '../platform/sentry.ts';
import { STUB_CODE, STUB_START } from '../platform/stub-layout.ts';
import { StubThread } from '../platform/stub-thread.ts';
import { NULL_TRACE } from '../trace/events.ts';
import { originalBytes, TABLE_BYTES, TABLE_NAME } from '../usertrap/layout.ts';
import type { PatchState } from './patch-state.ts';

/** Arena that is enough for a handful of pages. */
export const RACE_MEMORY_BYTES = 32 * 2 ** 20;

const TEXT = 0x400000;
const TEXT_BYTES = 0x3000;
/** Lines start here; the site lies `offset` bytes into one that has a line of the same page before it. */
const LINE = TEXT + 0x1040;
/** The last line of that page, for sites that leave it. */
const STACK = 0x600000;
const NOP = 0x90;
/** Instructions of a trampoline and of what may come before it. */
const PRIVATE_STEPS = 64;

/** Why an instruction did not simply complete. */
export type InstructionEnd =
  /** The next instruction is in the site again. */
  | { readonly kind: 'at-site' }
  | { readonly kind: 'syscall' }
  | { readonly kind: 'trampoline'; readonly sysno: number }
  | { readonly kind: 'invalid-opcode'; readonly at: number }
  | { readonly kind: 'fault'; readonly text: string; readonly at: number }
  | { readonly kind: 'runaway' };

/** Owns the engine while it lives. */
export class PatchMachine {
  readonly cpu: Cpu;
  readonly mm: AddressSpace;
  readonly siteAddr: number;
  readonly tableBase: number;
  readonly #threads: StubThread[] = [];
  #site: Uint8Array = new Uint8Array(SITE_BYTES);
  #stores: ReadonlyMap<number, Uint8Array> = new Map();

  /** @param offset of the site in its 64-byte line */
  constructor(
    cpu: Cpu,
    options: { patch: PatchMode; offset: number; tableBase: number; sysno: number; threads: number },
  ) {
    this.cpu = cpu;
    this.tableBase = options.tableBase;
    this.siteAddr = LINE + options.offset;
    const memory = new PhysicalMemory(cpu, RACE_MEMORY_BYTES / 2);
    this.mm = new AddressSpace(memory, { end: STUB_START });
    const sentry = { syscall: () => false };
    const platform = new Platform(cpu, sentry, { patch: options.patch, prng: new Prng(1), trace: NULL_TRACE });
    invariant(platform.adoptSpace(this.mm) === 0, () => 'no memory for the stub of a race');
    const map = (addr: number, length: number, prot: number, name?: string): void => {
      const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
      const got = this.mm.mmap({
        addr,
        length,
        prot,
        flags,
        force: true,
        lockEager: true,
        ...(name !== undefined && { name }),
      });
      invariant(got === addr, () => `no memory for a race (${got})`);
    };
    map(TEXT, TEXT_BYTES, PROT_READ | PROT_EXEC);
    map(STACK, 0x1000, PROT_READ | PROT_WRITE);
    map(this.tableBase, TABLE_BYTES, PROT_READ | PROT_EXEC, TABLE_NAME);
    this.mm.copyOut(TEXT, new Uint8Array(TEXT_BYTES).fill(NOP), true);
    this.#write(this.siteAddr, originalBytes(options.sysno));
    this.#site = originalBytes(options.sysno);
    for (let tid = 1; tid <= options.threads; tid++) {
      const ctx: GuestContext = {
        tid,
        regs: new Regs(),
        mm: this.mm,
        fpu: new Uint8Array(FPU_BYTES),
        hasTracer: false,
        breakpoints: null,
        faultsServed: 0,
        platformState: null,
      };
      invariant(platform.attach(ctx) === 0, () => 'no memory for the stub threads of a race');
      if (ctx.platformState instanceof StubThread) this.#threads.push(ctx.platformState);
    }
    cpu.root = this.mm.root;
  }

  /** Registers of a thread that is about to execute the instruction at `rip`. */
  freshRegs(thread: number, rip: number): BigUint64Array {
    const regs = new Regs();
    regs.set(Reg.rip, rip);
    regs.set(Reg.rsp, STACK + 0x800);
    regs.set(Reg.rflags, 0x202);
    regs.u64[Reg.gsBase] = this.#threads[thread]?.gsBase ?? 0n;
    return regs.u64;
  }

  /** Makes memory what it is in `state`. */
  apply(state: PatchState): void {
    if (state.stores !== this.#stores) {
      for (const [addr, bytes] of this.#stores)
        if (!state.stores.has(addr)) this.#write(addr, new Uint8Array(bytes.length));
      for (const [addr, bytes] of state.stores) if (this.#stores.get(addr) !== bytes) this.#write(addr, bytes);
      this.#stores = state.stores;
    }
    if (state.site !== this.#site) {
      this.#write(this.siteAddr, state.site);
      this.#site = state.site;
    }
  }

  read(addr: number, length: number): Uint8Array | null {
    const bytes = new Uint8Array(length);
    return this.mm.copyIn(addr, bytes) === length ? bytes : null;
  }

  /**
   * Executes the instruction at `regs` and what follows it privately, up to the next instruction of the site, a trap,
   * or the syshandler. `regs` are changed.
   */
  execute(thread: number, regs: BigUint64Array): InstructionEnd {
    const { cpu } = this;
    cpu.regs.u64.set(regs);
    this.#threads[thread]?.setIdle();
    const end = this.#steps();
    regs.set(cpu.regs.u64);
    return end;
  }

  #steps(): InstructionEnd {
    const { cpu } = this;
    for (let i = 0; i < PRIVATE_STEPS; i++) {
      const stop = cpu.step();
      const rip = cpu.regs.get(Reg.rip);
      switch (stop.kind) {
        case 'budget':
          if (rip === STUB_CODE) return { kind: 'trampoline', sysno: cpu.regs.u32[0] as number };
          if (rip >= this.siteAddr && rip < this.siteAddr + SITE_BYTES) return { kind: 'at-site' };
          break;
        case 'syscall':
          return { kind: 'syscall' };
        case 'invalid-opcode':
          return { kind: 'invalid-opcode', at: rip };
        case 'page-fault':
          if (this.mm.handleFault(stop.address, stop.access, stop.present, cpu.regs.get(Reg.rsp)) === 'fixed') break;
          return { kind: 'fault', at: rip, text: faultText(stop) };
        default:
          return { kind: 'fault', at: rip, text: stop.kind };
      }
    }
    return { kind: 'runaway' };
  }

  #write(addr: number, bytes: Uint8Array): void {
    const n = this.mm.copyOut(addr, bytes, true);
    invariant(n === bytes.length, () => `race memory at 0x${addr.toString(16)} cannot be written`);
  }
}

function faultText(stop: Stop): string {
  return `SIGSEGV: ${stop.access} of 0x${stop.address.toString(16)}`;
}
