// SPDX-License-Identifier: MIT
//
// Machines that are broken on purpose, one for each invariant: a guard switched off, a protocol with its steps in another
// order, a store that goes astray, memory poked at the worst moment. The observer must notice each.

import { MAP_ANONYMOUS, MAP_FIXED, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE } from '../../../src/abi/mman.ts';
import { toHex } from '../../../src/base/bytes.ts';
import { Reg } from '../../../src/cpu/regs.ts';
import { Msg, STUB_CODE } from '../../../src/platform/stub-layout.ts';
import { upstreamStubCode } from '../../../src/platform/stub-code.ts';
import { HARDENED_GUARDS, UPSTREAM_GUARDS } from '../../../src/usertrap/guards.ts';
import type { Guards } from '../../../src/usertrap/guards.ts';
import { handleFault } from '../../../src/usertrap/fault-handler.ts';
import { patchSyscall } from '../../../src/usertrap/patcher.ts';
import { GVISOR_PROTOCOL, protocolNamed } from '../../../src/usertrap/protocol.ts';
import { drain, lock, store, unlock } from '../../../src/usertrap/steps.ts';
import type { Step, StepPerformer, Steps } from '../../../src/usertrap/steps.ts';
import { call, DATA, END, EXIT, GETPID, GETUID, Machine, TEXT } from '../../platform/machine.ts';
import { trapsOf } from './invariant-observer.ts';

const RW = PROT_READ | PROT_WRITE;
const SITE = TEXT + 0x101;
const OTHER = TEXT + 0x201;

type Mode = 'upstream' | 'hardened';

function machine(mode: Mode, guards: Partial<Guards> = {}, protocol = 'gvisor'): Machine {
  const m = new Machine(mode, { guards, protocol: protocolNamed(protocol) ?? GVISOR_PROTOCOL, isBroken: true });
  for (const site of [SITE, OTHER]) m.poke(site - 1, `90 ${call(GETPID)} 90 ${END}`);
  return m;
}

/** With the first site patched. */
function patched(mode: Mode, guards: Partial<Guards> = {}): Machine {
  const m = machine(mode, guards);
  m.run(SITE - 1);
  return m;
}

function slotOf(m: Machine): number {
  return trapsOf(m.guest).bySlot.keys().next().value ?? 0;
}

/** Does something to the machine right after a step was made. */
function after(m: Machine, what: string, act: () => void): Machine {
  const { observer } = m;
  const look = observer.onStep.bind(observer);
  observer.onStep = (traps, step, result) => {
    look(traps, step, result);
    if (step.what === what) act();
  };
  return m;
}

/** Steps of the protocol, some of them others than they are. */
function* changed<T>(steps: Steps<T>, change: (step: Step) => Step): Steps<T> {
  let next = steps.next();
  while (next.done !== true) next = steps.next(yield change(next.value));
  return next.value;
}

/** Patches the second site as a call of it would, with steps changed. */
function patchOther(m: Machine, change: (step: Step) => Step, mode: Mode = 'hardened'): Machine {
  const guards = mode === 'hardened' ? HARDENED_GUARDS : UPSTREAM_GUARDS;
  const traps = trapsOf(m.guest);
  const request = { ip: OTHER + 7, sysno: GETPID, hasTracer: false, closed: null, knownBoundary: OTHER - 1 };
  const outcome = drain(changed(patchSyscall(request, { guards, protocol: GVISOR_PROTOCOL }), change), traps);
  if (outcome.kind === 'patched') traps.addSite({ address: outcome.site, sysno: GETPID, slot: outcome.slot, calls: 0 });
  m.observer.onPatch(m.guest, traps, request, outcome);
  return m;
}

/** A change of the stores with one name. */
function movedBy(what: string, offset: number): (step: Step) => Step {
  return (step) => (step.op === 'store' && step.what === what ? { ...step, addr: step.addr + offset } : step);
}

function withBytes(what: string, edit: (bytes: Uint8Array) => void): (step: Step) => Step {
  return (step) => {
    if (step.op !== 'store' || step.what !== what) return step;
    const bytes = step.bytes.slice();
    edit(bytes);
    return { ...step, bytes };
  };
}

/** Bytes in the record of the guest's stub thread. */
function pokeRecord(m: Machine, at: number, value: number): void {
  m.poke(TEXT + 0x300, `65 c7 04 25 ${le32(at)} ${le32(value)} ${END}`); // movl $value,%gs:at
  m.run(TEXT + 0x300);
}

function le32(value: number): string {
  return toHex(new Uint8Array(new Uint32Array([value]).buffer), ' ');
}

/** Overwrites stub code that restores a register by code that does not. */
function spoilStub(m: Machine, from: string, to: string): void {
  const { bytes } = upstreamStubCode(false);
  const arena = new Uint8Array(m.cpu.memory);
  const text = toHex(bytes);
  const at = text.indexOf(from) / 2;
  for (let page = 0; page < arena.length; page += 4096) {
    if (toHex(arena.subarray(page, page + bytes.length)) === text) {
      arena.set(
        Uint8Array.from(to.match(/../g) ?? [], (b) => Number.parseInt(b, 16)),
        page + at,
      );
      m.memory.written(page + at, to.length / 2);
    }
  }
}

/** Enters a site behind its mov. */
function enterBehindMov(m: Machine, rax: number): void {
  m.guest.regs.set(Reg.rax, rax);
  m.run(SITE + 5);
}

export const MUTANTS: readonly { readonly invariant: number; readonly make: () => Machine }[] = [
  {
    invariant: 1,
    make: () => {
      const m = machine('hardened');
      m.map(0x90000, 0x5000, PROT_READ | PROT_EXEC);
      Object.assign(trapsOf(m.guest), { base: 0x90000, next: 1 });
      m.run(SITE - 1);
      return m;
    },
  },
  {
    invariant: 2,
    make: () => {
      const m = patched('hardened', { exactCapacity: false });
      trapsOf(m.guest).next = 255;
      m.run(OTHER - 1);
      return m;
    },
  },
  { invariant: 3, make: () => patchOther(patched('hardened'), movedBy('slot', 3920)) },
  { invariant: 4, make: () => patchOther(patched('hardened'), movedBy('slot', 1)) },
  {
    invariant: 5,
    make: () =>
      patchOther(
        patched('hardened'),
        withBytes('slot', (b) => (b[0] = (b[0] ?? 0) + 12)),
      ),
  },
  {
    invariant: 6,
    make: () =>
      patchOther(
        patched('hardened'),
        withBytes('slot', (b) => (b[40] = (b[40] ?? 0) + 1)),
      ),
  },
  { invariant: 7, make: () => patchOther(patched('hardened'), movedBy('header', 4)) },
  {
    invariant: 8,
    make: () => {
      const m = patched('hardened', { surviveTableLoss: false });
      after(m, 'step c', () => m.mm.munmap(trapsOf(m.guest).base + 0x4000, 0x1000));
      m.run(OTHER - 1);
      return m;
    },
  },
  {
    invariant: 9,
    make: () => {
      const m = machine('hardened');
      const flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;
      m.mm.mmap({ addr: 0x60000, length: 0x5000, prot: RW | PROT_EXEC, flags, name: '[usertrap]', force: true });
      Object.assign(trapsOf(m.guest), { base: 0x60000, next: 1 });
      m.run(SITE - 1);
      return m;
    },
  },
  {
    invariant: 10,
    make: () => {
      const m = patched('upstream');
      m.poke(slotOf(m) + 58, le32(GETUID));
      m.run(SITE);
      return m;
    },
  },
  {
    invariant: 11,
    make: () => {
      const m = patched('hardened');
      const traps = trapsOf(m.guest);
      const site = m.peek(SITE, 7);
      drain(
        (function* (): Steps<void> {
          yield lock(true);
          yield { op: 'load', addr: SITE, length: 7, what: 'site' };
          yield store(SITE, site, 'step c');
          yield unlock(true);
        })(),
        traps,
      );
      return m;
    },
  },
  { invariant: 12, make: () => ran(machine('hardened', {}, 'one-shot')) },
  { invariant: 13, make: () => ran(machine('hardened', {}, 'acb')) },
  {
    invariant: 14,
    make: () => {
      const m = patched('hardened');
      after(m, 'slot', () => m.poke(trapsOf(m.guest).base + 2 * 80 + 60, 'ff'));
      m.run(OTHER - 1);
      return m;
    },
  },
  {
    invariant: 15,
    make: () => {
      const m = patched('hardened');
      const traps = trapsOf(m.guest);
      traps.perform(lock(true));
      m.run(OTHER - 1);
      return m;
    },
  },
  {
    invariant: 16,
    make: () => {
      const m = machine('hardened', { validateAllBytes: false });
      return ran(after(m, 'stub read 2', () => m.poke(SITE + 1, le32(GETUID))));
    },
  },
  {
    invariant: 17,
    make: () => {
      const m = machine('hardened', { instructionBoundary: false });
      m.poke(TEXT + 0x40, `b8 10 00 00 00 90 c7 44 24 b8 10 00 00 00 0f 05 90 ${END}`);
      m.run(TEXT + 0x40);
      return m;
    },
  },
  {
    invariant: 18,
    make: () => {
      const m = patched('hardened', { compareSysno: false });
      enterBehindMov(m, GETUID);
      return m;
    },
  },
  {
    invariant: 19,
    make: () => {
      const m = patched('upstream');
      m.poke(TEXT + 0x300, `e9 ${le32(SITE + 3 - (TEXT + 0x305))}`); // jmp SITE+3
      m.run(TEXT + 0x300);
      return m;
    },
  },
  { invariant: 20, make: () => unwritable({ keepFailedSlot: false, refuseSharedFrames: false }) },
  {
    invariant: 21,
    make: () => {
      const m = machine('hardened', { refuseSharedFrames: false, refuseWritableCode: false });
      const flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;
      m.mm.mmap({ addr: 0x900000, length: 0x1000, prot: RW | PROT_EXEC, flags });
      m.poke(0x900040, `90 ${call(GETPID)} 90 ${END}`);
      m.run(0x900040);
      return m;
    },
  },
  {
    invariant: 22,
    make: () => {
      const m = machine('hardened', { refusePageSplit: false });
      const site = TEXT + 0x1000 - 4;
      m.poke(site - 1, `90 ${call(GETPID)} 90 ${END}`);
      m.mm.mprotect(TEXT + 0x1000, 0x1000, RW | PROT_EXEC);
      (m.mm.findVma(TEXT) as { maxProt: number }).maxProt = PROT_READ | PROT_EXEC;
      m.run(site - 1);
      return m;
    },
  },
  {
    invariant: 23,
    make: () => {
      const m = patched('hardened', { assertGs: false });
      m.poke(TEXT + 0x300, `f3 48 0f ae da ${END}`); // wrgsbase %rdx
      m.guest.regs.set(Reg.rdx, DATA);
      m.run(TEXT + 0x300);
      m.run(TEXT + 0x300);
      return m;
    },
  },
  {
    invariant: 24,
    make: () => {
      const m = patched('hardened', { assertRecord: false });
      pokeRecord(m, Msg.syshandler, 0x1234);
      m.run(OTHER - 1, m.newGuest(m.mm));
      m.run(OTHER - 1);
      return m;
    },
  },
  {
    invariant: 25,
    make: () => {
      const m = patched('hardened', { assertRecord: false });
      pokeRecord(m, Msg.state, 2);
      m.run(OTHER - 1, m.newGuest(m.mm));
      m.poke(TEXT + 0x400, `${END}`);
      m.run(TEXT + 0x400);
      return m;
    },
  },
  {
    invariant: 26,
    make: () => {
      const m = patched('upstream');
      m.poke(slotOf(m) + 20 + 5, le32(0x10_0000));
      m.run(SITE);
      return m;
    },
  },
  {
    invariant: 27,
    make: () => {
      const m = patched('upstream');
      m.poke(slotOf(m) + 16, '03');
      m.run(SITE);
      return m;
    },
  },
  {
    invariant: 28,
    make: () => {
      const m = patched('hardened');
      m.poke(slotOf(m) + 58, le32(GETUID));
      m.run(SITE);
      return m;
    },
  },
  {
    invariant: 29,
    make: () => {
      const m = machine('upstream');
      // Once more: the site, then a nop, in turns of one instruction.
      m.run(SITE - 1);
      spoilStub(m, '488b91680e0000', '90909090909090');
      m.guest.regs.set(Reg.rdx, 0x7777);
      m.guest.regs.set(Reg.rip, SITE);
      for (let i = 0; i < 200 && m.guest.regs.get(Reg.rip) !== SITE + 7; i++) m.platform.switchTo(m.guest, 1);
      return m;
    },
  },
  {
    invariant: 30,
    make: () => {
      const m = patched('hardened');
      const image = m.guest.fpu.slice();
      image[160] = 0x55;
      m.cpu.loadFpu(image);
      m.run(SITE);
      return m;
    },
  },
  {
    invariant: 31,
    make: () => {
      const m = patched('upstream');
      m.guest.regs.u64[Reg.rflags] = 0x302n;
      m.guest.regs.set(Reg.rip, SITE);
      for (let i = 0; i < 3; i++) m.platform.switchTo(m.guest, 100);
      return m;
    },
  },
  {
    invariant: 32,
    make: () => {
      // A stub without the jump to where it gives the context back.
      const m = new Machine('upstream', { stubPreemption: true, isBroken: true });
      m.poke(SITE - 1, `90 ${call(GETPID)} eb fe`);
      m.guest.regs.set(Reg.rip, SITE - 1);
      while (m.platform.metrics().sites.length === 0) m.platform.switchTo(m.guest, 100);
      spoilStub(m, '83b96c0f0000000f85', '83b96c0f000000660f1f440000');
      interruptBehindGate(m);
      m.platform.switchTo(m.guest, 1000);
      return m;
    },
  },
  {
    invariant: 33,
    make: () => {
      const m = patched('upstream');
      m.run(slotOf(m) + 20);
      return m;
    },
  },
  {
    invariant: 34,
    make: () => {
      const m = patched('upstream');
      m.poke(slotOf(m), '00'.repeat(70));
      m.run(slotOf(m) + 8);
      return m;
    },
  },
  {
    invariant: 35,
    make: () => {
      const m = patched('upstream');
      m.poke(slotOf(m) + 58, le32(GETUID));
      m.run(SITE);
      return m;
    },
  },
  {
    invariant: 36,
    make: () => {
      const m = patched('upstream');
      after(m, 'read-unlock', () => m.poke(slotOf(m) + 58, le32(GETUID)));
      enterBehindMov(m, GETPID);
      return m;
    },
  },
  {
    invariant: 37,
    make: () => {
      const m = patched('upstream');
      m.poke(TEXT + 0x300, `b8 db 00 00 00 e9 ${le32(SITE + 5 - (TEXT + 0x30a))}`); // mov $219,%eax; jmp SITE+5
      m.run(TEXT + 0x300);
      return m;
    },
  },
  {
    invariant: 38,
    make: () => {
      const m = patched('hardened', { checkSlot: false });
      const slot = slotOf(m);
      m.poke(TEXT + 0x300, `90 ff 24 25 ${le32(slot)} ${END}`);
      m.guest.regs.set(Reg.rax, GETPID);
      m.run(TEXT + 0x306);
      return m;
    },
  },
  {
    invariant: 39,
    make: () => {
      const m = machine('hardened');
      after(m, 'stub read 1', () => m.poke(SITE + 5, '06'));
      m.run(SITE - 1);
      return m;
    },
  },
  {
    invariant: 40,
    make: () => {
      const m = patched('upstream');
      after(m, 'faulting site', () => m.poke(SITE, '90'));
      m.guest.regs.set(Reg.rax, GETPID);
      m.observer.onRecovery(
        m.guest,
        trapsOf(m.guest),
        SITE + 5,
        BigInt(GETPID),
        drain(handleFault(SITE + 5, BigInt(GETPID), UPSTREAM_GUARDS), trapsOf(m.guest)),
      );
      return m;
    },
  },
  {
    invariant: 41,
    make: () => {
      const m = patched('hardened', { inheritTable: false });
      m.poke(trapsOf(m.guest).base, le32(1));
      const mm = m.mm.fork();
      if (mm === undefined || m.platform.forkSpace(m.mm, mm) !== 0) throw new Error('no memory to fork');
      m.run(OTHER - 1, m.newGuest(mm));
      return m;
    },
  },
  {
    invariant: 42,
    make: () => {
      const m = patched('hardened');
      return patchOther(
        m,
        withBytes('header', (b) => b.set([0x2c, 1])),
      );
    },
  },
  {
    invariant: 43,
    make: () => {
      const m = machine('hardened');
      after(m, 'site', () => (m.guest.hasTracer = true));
      m.run(SITE - 1);
      return m;
    },
  },
  {
    invariant: 44,
    make: () => {
      const m = patched('hardened');
      const mm = m.newSpace();
      mm.mmap({ addr: 0x60000, length: 0x5000, prot: 5, flags: 0x32, name: '[usertrap]', force: true });
      m.guest.mm = mm;
      m.platform.moveContext(m.guest);
      return m;
    },
  },
  {
    invariant: 45,
    make: () => {
      const m = patched('hardened');
      const { bySlot } = trapsOf(m.guest);
      for (let i = 0; i < 260; i++) bySlot.set(i, { address: i * 16, sysno: EXIT, slot: i, calls: 0 });
      m.run(OTHER - 1);
      return m;
    },
  },
];

/**
 * Upstream, where a child finds 300 in its table's header and patches a site.
 * @param isChecked false: the allocator does not ask whether that is an index of the table
 */
export function childOfHeader300(isChecked: boolean): Machine {
  const m = patched('upstream');
  m.poke(trapsOf(m.guest).base, le32(300));
  const mm = m.mm.fork();
  if (mm === undefined || m.platform.forkSpace(m.mm, mm) !== 0) throw new Error('no memory to fork');
  const child = m.newGuest(mm);
  const traps = trapsOf(child);
  let lie = 0;
  const io: StepPerformer = {
    perform: (step) => {
      // The slot goes where the index says, as it would without the question.
      if (step.op === 'store' && step.what === 'slot') return traps.perform({ ...step, addr: step.addr + lie });
      const result = traps.perform(step);
      if (isChecked || step.op !== 'get' || step.field !== 'next' || typeof result !== 'number' || result < 256)
        return result;
      lie = (result - 256) * 80;
      return 255;
    },
  };
  const request = { ip: OTHER + 7, sysno: GETPID, hasTracer: false, closed: null, knownBoundary: OTHER - 1 };
  const outcome = drain(patchSyscall(request, { guards: UPSTREAM_GUARDS, protocol: GVISOR_PROTOCOL }), io);
  m.observer.onPatch(child, traps, request, outcome);
  return m;
}

/** Interrupts a patched call right behind the gate, where the thread is not yet the context's again. */
function interruptBehindGate(m: Machine): void {
  const { guest } = m;
  const gate = STUB_CODE + upstreamStubCode(false).gateReturn - 2;
  guest.regs.set(Reg.rip, SITE);
  m.platform.switchTo(guest, 1);
  for (let i = 0; i < 200 && guest.regs.get(Reg.rip) !== gate; i++) m.cpu.step();
  m.platform.switchTo(guest, 1);
  m.platform.interrupt(guest);
}

function ran(m: Machine): Machine {
  m.run(SITE - 1);
  return m;
}

/** A call at a site in a shared mapping that may not be written. */
function unwritable(guards: Partial<Guards>): Machine {
  const m = machine('hardened', guards);
  const at = 0x900000;
  m.mm.mmap({ addr: at, length: 0x1000, prot: RW, flags: MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED });
  m.poke(at + 0x40, `90 ${call(GETPID)} 90 ${END}`);
  m.mm.mprotect(at, 0x1000, PROT_READ | PROT_EXEC);
  (m.mm.findVma(at) as { maxProt: number }).maxProt = PROT_READ | PROT_EXEC;
  m.run(at + 0x40);
  return m;
}
