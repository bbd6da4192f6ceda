// SPDX-License-Identifier: MIT
//
// A patcher of the user's own, as guest code: void patch(unsigned char *site, const unsigned char *code). It writes a jump
// over a five-byte nop that threads execute. Its stores to the page are steps, of their real sizes; so are its membarrier
// and mprotect calls. A thread that meets an int3 tries again, as a handler of SIGTRAP would have it.

import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../abi/mman.ts';
import { PAGE_SIZE, pageDown } from '../../base/addr.ts';
import { Reg } from '../../cpu/regs.ts';
import { SITE_BYTES } from '../../isa/syscall-site.ts';
import { SYS } from '../../abi/sysno.ts';
import { functionCode } from '../site-code.ts';
import type { Then, UserStop } from '../world/behaviour.ts';
import type { Local, Page } from '../world/state.ts';
import type { Scenario } from './scenario.ts';
import { SiteBehaviour, siteAddress, siteScenario, TEXT, threads } from './stage.ts';
import type { Jobs, Stage } from './stage.ts';

const NOP = Uint8Array.of(0x0f, 0x1f, 0x44, 0x00, 0x00);
const INT3 = 0xcc;
/** getpid where the site is a nop, gettid where it jumps to. */
const OLD_NUMBER = 39;
const NEW_NUMBER = 186;
const TARGET_OFFSET = 0x80;
/** In the first page of code: the patcher, the bytes that it is told to write, and where it starts and ends. */
const NEW_BYTES = TEXT + 0x800;
const START = TEXT + 0xe00;
const CODE_PROT = PROT_READ | PROT_EXEC;

function call(number: number): number[] {
  return [0xb8, number, 0, 0, 0, 0x0f, 0x05];
}

function jump(from: number, to: number, opcode: number): number[] {
  const bytes = new Uint8Array(SITE_BYTES - 2);
  bytes[0] = opcode;
  new DataView(bytes.buffer).setInt32(1, to - from - bytes.length, true);
  return [...bytes];
}

/** What may be at the site, with the call behind it. */
function program(first: readonly number[]): Uint8Array {
  return Uint8Array.from([...first, ...call(OLD_NUMBER)]);
}

class Poked extends SiteBehaviour {
  override userStop(stop: UserStop, local: Local): Then {
    const kind = stop.kind === 'stop' ? stop.stop.kind : stop.kind;
    if (local.role === 'T' && kind === 'breakpoint')
      return { kind: 'user', local, rip: this.options.site, serialises: true };
    if (kind !== 'syscall') return super.userStop(stop, local);
    const sysno = Number(local.regs[Reg.rax]);
    if (local.role === 'T') {
      const served = { sysno, via: 'trap' } as const;
      if (sysno === OLD_NUMBER || sysno === NEW_NUMBER) return { kind: 'end', local, call: served };
      return this.serve(local, served);
    }
    if (sysno === SYS.membarrier) return { kind: 'work', local, work: 'membarrier' };
    const isPage = Number(local.regs[Reg.rdi]) % PAGE_SIZE === 0;
    if (sysno === SYS.mprotect && isPage) return { kind: 'work', local, work: 'mprotect' };
    // Nobody waits for a patcher of a race.
    if (sysno === SYS.futex) return returning(local);
    if (sysno === SYS.exit) return { kind: 'end', local };
    const text = `{actor} makes syscall ${sysno}, which a patcher of a race cannot make`;
    return { kind: 'fail', local, failure: { signature: 'patcher', text } };
  }
}

function returning(local: Local): Then {
  const regs = local.regs.slice();
  regs[Reg.rax] = 0n;
  return { kind: 'user', local: { ...local, regs }, serialises: true };
}

const JOBS: Jobs = {
  mprotect: {
    *steps({ regs }) {
      const [addr, length, prot] = [Reg.rdi, Reg.rsi, Reg.rdx].map((r) => Number(regs[r])) as [number, number, number];
      yield { op: 'protect', addr, length, prot, what: `mprotect(${prot})` };
    },
    afterwards: returning,
  },
  membarrier: {
    *steps() {
      yield { op: 'sync', what: 'membarrier: all others serialise' };
    },
    afterwards: returning,
  },
};

function prepare(pages: Map<number, Page>, { site, machine, image }: Omit<Stage, 'pages'>, patch: Uint8Array): void {
  const text = image(program([...NOP]));
  const put = (address: number, bytes: readonly number[]): void => text.set(bytes, address - TEXT);
  put(TEXT, [...patch]);
  put(NEW_BYTES, jump(site, site + TARGET_OFFSET, 0xe9));
  put(START, [...jump(START, TEXT, 0xe8), ...call(SYS.exit)]);
  put(site + TARGET_OFFSET, call(NEW_NUMBER));
  for (const address of [TEXT, pageDown(site), pageDown(site + TARGET_OFFSET)]) {
    const content = machine.contents.of(text.slice(address - TEXT, address - TEXT + PAGE_SIZE));
    pages.set(address, { content, prot: CODE_PROT, isCow: false });
  }
  for (const address of [pageDown(site), pageDown(site + SITE_BYTES - 1)]) {
    const page = pages.get(address);
    if (page !== undefined) pages.set(address, { ...page, prot: CODE_PROT | PROT_WRITE });
  }
}

/**
 * Threads that execute a nop while a function of an ELF file makes it a jump.
 * @throws TraplineError `RACE_CODE` when there is no such function
 */
export function guestPatcher(elf: Uint8Array, symbol: string): Scenario {
  const patch = functionCode(elf, symbol).bytes;
  return siteScenario({
    name: 'guest-patcher',
    summary: `${symbol} writes a jump over a nop that threads execute`,
    promise: 'every thread executes the nop or the jump, and nothing else',
    actors: (stage) => {
      const local = stage.actor('G', START);
      local.regs[Reg.rdi] = BigInt(stage.site);
      local.regs[Reg.rsi] = BigInt(NEW_BYTES);
      return [{ name: 'G', local }, ...threads(stage)];
    },
    jobs: () => JOBS,
    behaviour: (options, jobs) => new Poked(options, jobs),
    programs: (p) => {
      const site = siteAddress(p);
      return [[...NOP], jump(site, site + TARGET_OFFSET, 0xe9), [INT3, ...NOP.subarray(1)]].map(program);
    },
    prepare: (pages, stage) => prepare(pages, stage, patch),
    changesCode: true,
  });
}
