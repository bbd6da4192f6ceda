// SPDX-License-Identifier: MIT
//
// Patchers of the user's own, as guest code: void patch(unsigned char *site, const unsigned char *code) in a program or a
// shared object. They write a jump over a five-byte nop that threads execute. Their stores to the page are steps, of their
// real sizes; so are membarrier, mprotect and futex. A thread that meets an int3 tries again, as a handler of SIGTRAP would.

import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../abi/mman.ts';
import { PAGE_SIZE, pageDown } from '../../base/addr.ts';
import { Reg } from '../../cpu/regs.ts';
import { SITE_BYTES } from '../../isa/syscall-site.ts';
import { FUTEX_PRIVATE_FLAG, FUTEX_WAIT, FUTEX_WAKE } from '../../abi/futex.ts';
import { SYS } from '../../abi/sysno.ts';
import { TraplineError } from '../../base/errors.ts';
import { imagePages } from '../guest-image.ts';
import type { ImagePages } from '../guest-image.ts';
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
/** In the first page of code: the bytes that patchers are told to write, and where they start and end. */
const NEW_BYTES = TEXT + 0x800;
const START = TEXT + 0xe00;
const START_BYTES = 0x20;
/** Where the file of the patchers is: near enough to call it. */
const IMAGE = 0x10000000;
const MOST_PATCHERS = 4;
const PRIVATE_LIMIT = 10_000;
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
    const operation = Number(local.regs[Reg.rsi]) & ~FUTEX_PRIVATE_FLAG;
    if (sysno === SYS.futex && operation === FUTEX_WAIT) return { kind: 'work', local, work: 'futex-wait' };
    if (sysno === SYS.futex && operation === FUTEX_WAKE) return { kind: 'work', local, work: 'futex-wake' };
    if (sysno === SYS.exit) return { kind: 'end', local };
    const text = `{actor} makes syscall ${sysno}, which a patcher of a race cannot make`;
    return { kind: 'fail', local, failure: { signature: 'patcher', text } };
  }
}

/** The call returns what its work came to. */
function returning(local: Local, result: unknown): Then {
  const regs = local.regs.slice();
  regs[Reg.rax] = BigInt.asUintN(64, BigInt(typeof result === 'number' ? result : 0));
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
  'futex-wait': {
    *steps({ regs }) {
      const [addr, value] = [Number(regs[Reg.rdi]), Number(regs[Reg.rdx]) >>> 0];
      const result = yield { op: 'futex-wait', addr, value, what: `futex wait while ${value}` };
      if (result !== 0) return result;
      yield { op: 'futex-woken', addr, what: 'is woken' };
      return 0;
    },
    afterwards: returning,
  },
  'futex-wake': {
    *steps({ regs }) {
      const [addr, count] = [Number(regs[Reg.rdi]), Number(regs[Reg.rdx]) >>> 0];
      return yield { op: 'futex-wake', addr, count, what: `futex wake ${count}` };
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

/** Where the functions of the patchers are, and the pages that they need. */
interface Patchers {
  readonly addresses: readonly number[];
  readonly pages: ImagePages;
}

function patchersOf(elf: Uint8Array, symbols: readonly string[]): Patchers {
  const image = imagePages(elf, IMAGE);
  const functions = symbols.map((symbol) => functionCode(elf, symbol));
  if (image !== null) return { addresses: functions.map(({ address }) => IMAGE + address), pages: image };
  // Bound to its own address, where the scenario has other things: the function alone, which may refer to nothing else.
  const [only] = functions;
  if (only === undefined || functions.length > 1)
    throw new TraplineError('RACE_CODE', 'several patchers need a position-independent file (cc -pie or -shared)');
  const bytes = new Uint8Array(PAGE_SIZE);
  bytes.set(only.bytes);
  return { addresses: [IMAGE], pages: new Map([[IMAGE, { bytes, prot: CODE_PROT }]]) };
}

function startOf(index: number): number {
  return START + index * START_BYTES;
}

function prepare(pages: Map<number, Page>, { site, machine, image }: Omit<Stage, 'pages'>, patchers: Patchers): void {
  const text = image(program([...NOP]));
  const put = (address: number, bytes: readonly number[]): void => text.set(bytes, address - TEXT);
  put(NEW_BYTES, jump(site, site + TARGET_OFFSET, 0xe9));
  for (const [i, address] of patchers.addresses.entries())
    put(startOf(i), [...jump(startOf(i), address, 0xe8), ...call(SYS.exit)]);
  put(site + TARGET_OFFSET, call(NEW_NUMBER));
  for (const address of [TEXT, pageDown(site), pageDown(site + TARGET_OFFSET)]) {
    const content = machine.contents.of(text.slice(address - TEXT, address - TEXT + PAGE_SIZE));
    pages.set(address, { content, prot: CODE_PROT, isCow: false });
  }
  for (const address of [pageDown(site), pageDown(site + SITE_BYTES - 1)]) {
    const page = pages.get(address);
    if (page !== undefined) pages.set(address, { ...page, prot: CODE_PROT | PROT_WRITE });
  }
  for (const [address, { bytes, prot }] of patchers.pages)
    pages.set(address, { content: machine.contents.of(bytes), prot, isCow: false });
}

/**
 * Threads that execute a nop while functions of an ELF file make it a jump.
 * @param symbols names, separated by commas: each is called by an actor of its own
 * @throws TraplineError `RACE_CODE` when there is no such function
 */
export function guestPatcher(elf: Uint8Array, symbols: string): Scenario {
  const names = symbols.split(',');
  if (names.length > MOST_PATCHERS)
    throw new TraplineError('RACE_CODE', `${names.length} patchers are too many; ${MOST_PATCHERS} is the most`);
  const patchers = patchersOf(elf, names);
  return siteScenario({
    name: 'guest-patcher',
    summary: `${names.join(' and ')} writes a jump over a nop that threads execute`,
    promise: 'every thread executes the nop or the jump, and nothing else',
    actors: (stage) => [
      ...names.map((_, i) => {
        const local = stage.actor('G', startOf(i));
        local.regs[Reg.rdi] = BigInt(stage.site);
        local.regs[Reg.rsi] = BigInt(NEW_BYTES);
        return { name: names.length === 1 ? 'G' : `G${i}`, local };
      }),
      ...threads(stage),
    ],
    jobs: () => JOBS,
    behaviour: (options, jobs) => new Poked(options, jobs),
    programs: (p) => {
      const site = siteAddress(p);
      return [[...NOP], jump(site, site + TARGET_OFFSET, 0xe9), [INT3, ...NOP.subarray(1)]].map(program);
    },
    prepare: (pages, stage) => prepare(pages, stage, patchers),
    privateLimit: PRIVATE_LIMIT,
    changesCode: true,
  });
}
