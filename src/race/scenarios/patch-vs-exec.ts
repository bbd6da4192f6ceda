// SPDX-License-Identifier: MIT
//
// The scenario "patch versus execute": one site, a patcher P that has just trapped on it, and threads T0, T1 … about
// to execute it. Each actor's run ends with its first syscall, which must have the program's number.

import { PROT_EXEC, PROT_READ } from '../../abi/mman.ts';
import { PAGE_SIZE, pageDown } from '../../base/addr.ts';
import { toHex } from '../../base/bytes.ts';
import { TraplineError } from '../../base/errors.ts';
import { Reg } from '../../cpu/regs.ts';
import { SITE_BYTES } from '../../isa/syscall-site.ts';
import { STUB_CODE } from '../../platform/stub-layout.ts';
import { HARDENED_GUARDS, UPSTREAM_GUARDS } from '../../usertrap/guards.ts';
import { looksPatched, originalBytes, TABLE_BYTES } from '../../usertrap/layout.ts';
import type { Failure } from '../search/system.ts';
import { Machine } from '../world/machine.ts';
import type { Local, Page, Shared } from '../world/state.ts';
import { readSpace } from '../world/space.ts';
import { Stepper } from '../world/stepper.ts';
import { World } from '../world/world.ts';
import { GvisorBehaviour } from './gvisor-behaviour.ts';
import type { BuildOptions, Scenario, ScenarioParameters } from './scenario.ts';

const TEXT = 0x400000;
const TEXT_BYTES = 3 * PAGE_SIZE;
const STACK = 0x600000;
const LINE = TEXT + PAGE_SIZE + 0x40;
const LAST_LINE = TEXT + 2 * PAGE_SIZE - 64;
const NOP = 0x90;
/** Instructions of a trampoline and of what may come before it. */
const PRIVATE_LIMIT = 64;

function siteAddress(offset: number, atPageEnd: boolean): number {
  return (atPageEnd ? LAST_LINE : LINE) + offset;
}

class PatchVersusExec extends GvisorBehaviour {
  override stuck(shared: Shared, locals: readonly Local[], actors: readonly string[]): Failure | undefined {
    const waiting = super.stuck(shared, locals, actors);
    const space = shared.spaces[0];
    if (waiting !== undefined || space === undefined) return waiting;
    const site = readSpace(space, this.options.site, SITE_BYTES, PROT_READ);
    const isOriginal = toHex(site) === toHex(originalBytes(this.options.sysno));
    if (isOriginal || looksPatched(site, this.options.guardByte)) return undefined;
    return { signature: 'torn site', text: `the site is left as ${toHex(site, ' ')}` };
  }
}

/** Pages of a fresh address space: code with the site in it, and the table. */
function freshPages(machine: Machine, site: number, sysno: number, table: number): Map<number, Page> {
  const text = new Uint8Array(TEXT_BYTES).fill(NOP);
  text.set(originalBytes(sysno), site - TEXT);
  const pages = new Map<number, Page>();
  const add = (address: number, bytes: Uint8Array): void => {
    pages.set(address, { content: machine.contents.of(bytes), prot: PROT_READ | PROT_EXEC, isCow: false });
  };
  for (let at = 0; at < TEXT_BYTES; at += PAGE_SIZE) add(TEXT + at, text.slice(at, at + PAGE_SIZE));
  for (let at = 0; at < TABLE_BYTES; at += PAGE_SIZE) add(table + at, new Uint8Array(PAGE_SIZE));
  return pages;
}

function checkTable(table: number): void {
  const isFree = (from: number, to: number): boolean => table + TABLE_BYTES <= from || table >= to;
  const fits = table % PAGE_SIZE === 0 && table >= PAGE_SIZE && table + TABLE_BYTES <= 0x7fff0000;
  if (fits && isFree(TEXT, TEXT + TEXT_BYTES) && isFree(pageDown(STACK), STACK + PAGE_SIZE)) return;
  throw new TraplineError(
    'RACE_OPTION',
    `the trap table cannot be at 0x${table.toString(16)}: it needs the start of a page below 2 GiB, away from code at 0x${TEXT.toString(16)} and the stack at 0x${STACK.toString(16)}`,
  );
}

/**
 * The scenario as a transition system.
 * @throws TraplineError `RACE_OPTION` when the table cannot be where it is wanted
 */
function build(parameters: ScenarioParameters, options: BuildOptions): World {
  const { patch, sysno, table, model } = parameters;
  const { patch: protocol, mutants } = parameters.protocol;
  checkTable(table);
  const site = siteAddress(parameters.offset, parameters.atPageEnd);
  const machine = new Machine(options.cpu, patch, [STACK]);
  const split = model.grain === 'isa' ? protocol.split : model.grain;
  const behaviour = new PatchVersusExec({
    site,
    sysno,
    guards: patch === 'upstream' ? UPSTREAM_GUARDS : HARDENED_GUARDS,
    protocol: { ...protocol, split },
    mutants,
    guardByte: (table >>> 16) & 0xff,
    returnSerialises: model.returnBy === 'iret',
  });
  const hot = [{ address: site, length: SITE_BYTES }];
  const stepper = new Stepper({ machine, model, behaviour, hot, entries: [STUB_CODE], privateLimit: PRIVATE_LIMIT });
  const clocks = new Array<number>(model.strict ? SITE_BYTES : 0).fill(0);
  const shared: Shared = {
    spaces: [
      {
        pages: freshPages(machine, site, sysno, table),
        next: 1,
        base: table,
        isLocked: false,
        readers: 0,
        isStopped: false,
        versions: clocks,
        published: clocks,
      },
    ],
    notes: {},
  };
  const privates = machine.freshPrivates();
  const actor = (role: string, rip: number): Local => {
    const regs = machine.freshRegs(rip, STACK + PAGE_SIZE / 2);
    // At +5 and after the syscall the number has been loaded.
    if (rip !== site) regs[Reg.rax] = BigInt(sysno);
    return {
      role,
      space: 0,
      phase: 'user',
      regs,
      fpu: machine.fresh,
      privates,
      fetched: stepper.segments.map(() => null),
      work: null,
      served: [],
      isStopper: false,
      touchesShared: false,
      signals: [],
      known: clocks,
      synced: clocks,
      notes: {},
    };
  };
  const start = site + parameters.startAt;
  return new World({
    stepper,
    behaviour,
    shared,
    actors: [
      { name: 'P', local: actor('P', site + SITE_BYTES), work: 'patch' },
      ...Array.from({ length: parameters.threads }, (_, i) => ({ name: `T${i}`, local: actor('T', start) })),
    ],
    ...(options.recheckEvery !== undefined && { recheckEvery: options.recheckEvery }),
    ...(options.exchangesEqualActors !== undefined && { exchangesEqualActors: options.exchangesEqualActors }),
  });
}

export const PATCH_VS_EXEC: Scenario = {
  name: 'patch-vs-exec',
  summary: 'one site, a patcher, and threads that execute it',
  promise: 'every thread makes its syscall once, with its own number',
  site: ({ offset, atPageEnd }) => siteAddress(offset, atPageEnd),
  build,
};
