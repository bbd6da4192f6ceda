// SPDX-License-Identifier: MIT
//
// What most scenarios have in common: a page of code with one site, the trap table, gVisor's kernel around them, and
// actors that start somewhere near. A scenario says what is different, and which further jobs its actors have.

import { PROT_EXEC, PROT_READ } from '../../abi/mman.ts';
import { PAGE_SIZE, pageDown } from '../../base/addr.ts';
import { toHex } from '../../base/bytes.ts';
import { TraplineError } from '../../base/errors.ts';
import { Reg } from '../../cpu/regs.ts';
import { SITE_BYTES } from '../../isa/syscall-site.ts';
import { STUB_CODE } from '../../platform/stub-layout.ts';
import { HARDENED_GUARDS, UPSTREAM_GUARDS } from '../../usertrap/guards.ts';
import type { Guards } from '../../usertrap/guards.ts';
import { looksPatched, originalBytes, TABLE_BYTES } from '../../usertrap/layout.ts';
import type { Failure } from '../search/system.ts';
import type { Then, WorldSteps } from '../world/behaviour.ts';
import type { HotRange } from '../world/fetch.ts';
import { Machine } from '../world/machine.ts';
import { readSpace } from '../world/space.ts';
import type { Local, Page, Shared } from '../world/state.ts';
import { Stepper } from '../world/stepper.ts';
import { World } from '../world/world.ts';
import type { ActorStart } from '../world/world.ts';
import { GvisorBehaviour } from './gvisor-behaviour.ts';
import type { GvisorOptions } from './gvisor-behaviour.ts';
import type { BuildOptions, Scenario, ScenarioParameters } from './scenario.ts';

/** Where the code begins. */
export const TEXT = 0x400000;
const TEXT_BYTES = 3 * PAGE_SIZE;
const STACK = 0x600000;
const STACK_TOP = STACK + PAGE_SIZE / 2;
const LINE = TEXT + PAGE_SIZE + 0x40;
const LAST_LINE = TEXT + 2 * PAGE_SIZE - 64;
const NOP = 0x90;
/** Instructions of a trampoline and of what may come before it. */
const PRIVATE_LIMIT = 64;

export function siteAddress({ offset, atPageEnd }: Pick<ScenarioParameters, 'offset' | 'atPageEnd'>): number {
  return (atPageEnd ? LAST_LINE : LINE) + offset;
}

/** Something that an actor does in the kernel beside trapping, being recovered and patching. */
export interface Job {
  steps(local: Local): WorldSteps<unknown>;
  /** How the actor goes on, told what the steps came to; it has done its part where this is absent. */
  afterwards?(local: Local, outcome: unknown): Then;
}

export type Jobs = Readonly<Record<string, Job>>;

/** gVisor's kernel, with the jobs of a scenario. */
export class SiteBehaviour extends GvisorBehaviour {
  readonly #jobs: Jobs;

  constructor(options: GvisorOptions, jobs: Jobs) {
    super(options);
    this.#jobs = jobs;
  }

  override start(kind: string, local: Local): WorldSteps<unknown> {
    return this.#jobs[kind]?.steps(local) ?? super.start(kind, local);
  }

  override finish(kind: string, outcome: unknown, local: Local): Then {
    const job = this.#jobs[kind];
    if (job === undefined) return super.finish(kind, outcome, local);
    return job.afterwards?.(local, outcome) ?? { kind: 'end', local };
  }

  /** Nobody waits, and the site is as before or patched. */
  override stuck(shared: Shared, locals: readonly Local[], actors: readonly string[]): Failure | undefined {
    const waiting = super.stuck(shared, locals, actors);
    const space = shared.spaces[0];
    if (waiting !== undefined || space === undefined) return waiting;
    const site = readSpace(space, this.options.site, SITE_BYTES, PROT_READ);
    const isWhole = this.programs.some((code) => toHex(site) === toHex(code.subarray(0, SITE_BYTES)));
    if (isWhole || looksPatched(site, this.options.guardByte)) return undefined;
    return { signature: 'torn site', text: `the site is left as ${toHex(site, ' ')}` };
  }
}

/** What a scenario's jobs and actors are made with. */
export interface Stage {
  readonly parameters: ScenarioParameters;
  /** Of the mode, without those that the protocol takes away. */
  readonly guards: Guards;
  readonly site: number;
  /** Start of the pages of code. */
  readonly textStart: number;
  readonly stackTop: number;
  readonly machine: Machine;
  readonly pages: ReadonlyMap<number, Page>;
  /** `code` at the site, NOPs around it: the bytes of the site's pages. */
  image(code: Uint8Array): Uint8Array;
  /** An actor about to execute the instruction at `rip`. */
  actor(role: string, rip: number, changes?: Partial<Pick<Local, 'notes' | 'phase'>>, rax?: number): Local;
}

/** One file of `scenarios/`. */
export interface SiteScenario {
  readonly name: string;
  readonly summary: string;
  readonly promise: string;
  /** As {@link Scenario.observes}. */
  readonly observes?: boolean;
  actors(stage: Stage): readonly ActorStart[];
  jobs?(stage: Stage): Jobs;
  /** Default {@link SiteBehaviour}. */
  behaviour?(options: GvisorOptions, jobs: Jobs, stage: Stage): GvisorBehaviour;
  /** Further code that changes while it is executed. */
  hot?(parameters: ScenarioParameters): readonly HotRange[];
  /** What else the program may have at the site, from its first byte on. */
  programs?(parameters: ScenarioParameters): readonly Uint8Array[];
  /** Changes pages before anything runs. */
  prepare?(pages: Map<number, Page>, stage: Omit<Stage, 'pages'>): void;
  /** Where the site is, where that is not what the parameters say. */
  site?(parameters: ScenarioParameters): number;
  /** First slot that is free; default 1. */
  next?: number;
  /** Instructions that an actor makes between two visible steps, at most; default 64. */
  readonly privateLimit?: number;
  /** Hot bytes change without the lock, too. */
  changesCode?: boolean;
}

/** Pages of a fresh address space: code with the site in it, and the table. */
function freshPages(machine: Machine, text: Uint8Array, table: number): Map<number, Page> {
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

function sharedWith(pages: ReadonlyMap<number, Page>, table: number, next: number, clocks: readonly number[]): Shared {
  return {
    spaces: [
      {
        pages,
        next,
        base: table,
        freed: 0,
        inSlots: 0,
        tracees: 0,
        isLocked: false,
        readers: 0,
        isStopped: false,
        versions: clocks,
        published: clocks,
      },
    ],
    notes: {},
  };
}

function without(guards: Guards, names: readonly (keyof Guards)[]): Guards {
  return { ...guards, ...Object.fromEntries(names.map((name) => [name, false])) };
}

function build(scenario: SiteScenario, parameters: ScenarioParameters, options: BuildOptions): World {
  const { patch, sysno, table, model } = parameters;
  const { patch: protocol, mutants } = parameters.protocol;
  checkTable(table);
  const site = (scenario.site ?? siteAddress)(parameters);
  const machine = new Machine(options.cpu, patch, [STACK]);
  // A store that covers a byte behind the site matters where that byte changes, too.
  const covered = scenario.changesCode === true ? protocol.steps.map((s) => s.offset + s.length) : [];
  const hot = [{ address: site, length: Math.max(SITE_BYTES, ...covered) }, ...(scenario.hot?.(parameters) ?? [])];
  const hotBytes = new Set(hot.flatMap(({ address, length }) => Array.from({ length }, (_, i) => address + i))).size;
  const clocks = new Array<number>(model.strict ? hotBytes : 0).fill(0);
  const privates = machine.freshPrivates();
  // Its length is known once the stepper has divided the hot bytes by granules.
  const fetched: null[] = [];
  const image = (code: Uint8Array): Uint8Array => {
    const text = new Uint8Array(TEXT_BYTES).fill(NOP);
    text.set(code, site - TEXT);
    return text;
  };
  const actor: Stage['actor'] = (role, rip, changes = {}, rax = sysno) => {
    const regs = machine.freshRegs(rip, STACK_TOP);
    // Behind the mov the number has been loaded.
    if (rip !== site) regs[Reg.rax] = BigInt(rax);
    return {
      role,
      space: 0,
      phase: 'user',
      regs,
      fpu: machine.fresh,
      privates,
      fetched,
      work: null,
      served: [],
      isStopper: false,
      touchesShared: false,
      signals: [],
      known: clocks,
      synced: clocks,
      notes: {},
      ...changes,
    };
  };
  const guards = without(patch === 'upstream' ? UPSTREAM_GUARDS : HARDENED_GUARDS, mutants.without);
  const early = { parameters, guards, site, textStart: TEXT, stackTop: STACK_TOP, machine, image, actor };
  const pages = freshPages(machine, image(originalBytes(sysno)), table);
  scenario.prepare?.(pages, early);
  const stage: Stage = { ...early, pages };
  const gvisor: GvisorOptions = {
    site,
    sysno,
    guards,
    protocol: { ...protocol, split: model.grain === 'isa' ? protocol.split : model.grain },
    mutants,
    guardByte: (table >>> 16) & 0xff,
    returnSerialises: model.returnBy === 'iret',
    programs: [originalBytes(sysno), ...(scenario.programs?.(parameters) ?? [])],
  };
  const jobs = scenario.jobs?.(stage) ?? {};
  const behaviour = scenario.behaviour?.(gvisor, jobs, stage) ?? new SiteBehaviour(gvisor, jobs);
  const lockedStores = scenario.changesCode !== true;
  const entries = [STUB_CODE];
  const stepper = new Stepper({
    machine,
    model,
    behaviour,
    hot,
    entries,
    // A slot is filled in before its site jumps through it; scenarios that doubt it declare it hot.
    settled: [{ address: table, length: TABLE_BYTES }],
    privateLimit: scenario.privateLimit ?? PRIVATE_LIMIT,
    lockedStores,
    hidesCopies: !guards.keepCopiedPage,
    ...(guards.hideSlotRip && { emptied: { address: table, length: TABLE_BYTES } }),
  });
  for (let i = 0; i < stepper.segments.length; i++) fetched.push(null);
  return new World({
    stepper,
    behaviour,
    shared: sharedWith(pages, table, scenario.next ?? 1, clocks),
    actors: scenario.actors(stage),
    ...(options.recheckEvery !== undefined && { recheckEvery: options.recheckEvery }),
    ...(options.exchangesEqualActors !== undefined && { exchangesEqualActors: options.exchangesEqualActors }),
  });
}

/** A scenario of `trapline race`, from what is special about it. */
export function siteScenario(scenario: SiteScenario): Scenario {
  return {
    name: scenario.name,
    summary: scenario.summary,
    promise: scenario.promise,
    ...(scenario.observes !== undefined && { observes: scenario.observes }),
    site: scenario.site ?? siteAddress,
    build: (parameters, options) => build(scenario, parameters, options),
  };
}

/** A patcher that has just trapped on the site. */
export function patcher(stage: Stage, name = 'P'): ActorStart {
  return { name, local: stage.actor('P', stage.site + SITE_BYTES), work: 'patch' };
}

/** The threads that the parameters ask for, at the site or in the middle of it. */
export function threads(stage: Stage): ActorStart[] {
  const { threads: count, startAt } = stage.parameters;
  return Array.from({ length: count }, (_, i) => ({
    name: `T${i}`,
    local: stage.actor('T', stage.site + startAt),
  }));
}
