// SPDX-License-Identifier: MIT
//
// Scenarios as a test writes them: who runs which code, which protocol patches it, what must be true. A scenario is
// immutable; each call gives a new one. Exploring it needs an engine, which `createRace` brings.

import { TraplineError } from '../base/errors.ts';
import { parseProtocol } from './protocols.ts';
import { RaceState, violation } from './race-state.ts';
import type { Property } from './race-state.ts';
import { resultOf } from './result.ts';
import type { RaceResult } from './result.ts';
import { raceReport } from './report.ts';
import { replayToken, tokenIn } from './replay.ts';
import type { ReplayMode, ReplayResult } from './replay.ts';
import { DEFAULT_PARAMETERS } from './scenarios/scenario.ts';
import type { BuildOptions, Scenario, ScenarioParameters } from './scenarios/scenario.ts';
import { patcher, SiteBehaviour, siteScenario } from './scenarios/stage.ts';
import type { Jobs, Stage } from './scenarios/stage.ts';
import type { GvisorOptions } from './scenarios/gvisor-behaviour.ts';
import { explore } from './search/explore.ts';
import { parseSchedule, replay } from './search/schedule.ts';
import type { Exploration, Failure } from './search/system.ts';
import type { SiteCode } from './site-code.ts';
import { siteCode, symbolCode } from './site-code.ts';
import { contentDifference, contentHash, parseToken } from './token.ts';
import type { ActorStart } from './world/world.ts';
import { RACE_MEMORY_BYTES } from './world/machine.ts';
import { fetchNamed } from './world/model.ts';
import type { Model } from './world/model.ts';
import type { Local, Page, Shared } from './world/state.ts';
import { PAGE_SIZE, pageDown } from '../base/addr.ts';
import { originalBytes } from '../usertrap/layout.ts';

/** What exploring needs from outside, and what the environment says: RACE_REPLAY, RACE_SEED, RACE_BUDGET. */
export interface RaceHost {
  readonly openCpu: (options: { memoryBytes: number }) => BuildOptions['cpu'];
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Where the site lies and what it is. */
export interface Placement {
  /** Of the site in its 64-byte line, 0 to 63. */
  readonly offset?: number;
  /** The line is the last of its page. */
  readonly page?: boolean;
  readonly nr?: number;
  /** Address of the trap table. */
  readonly table?: number;
}

/** What `with` changes. A model is a name as on the command line, or parts of a {@link Model}. */
export interface Changes extends Placement {
  readonly patch?: 'upstream' | 'hardened';
  readonly protocol?: string;
  readonly model?: string | Partial<Model>;
  /** Threads, for scenarios that Trapline brings. */
  readonly threads?: number;
  readonly startAt?: 0 | 5;
}

export interface ExploreSettings {
  readonly model?: string | Partial<Model>;
  readonly strategy?: string;
  readonly seed?: number;
  /** States at most; schedules for strategies that make runs. Default 1,000,000. */
  readonly budget?: number;
}

/** Where a thread begins: an offset in the code, or of the site when there is none. */
export interface ThreadStart {
  readonly startAt?: number;
}

export interface KernelSettings {
  /** The fault handler takes the lock. Default true. */
  readonly handleFaultLock?: boolean;
  /** The stub looks a second time for the guard. Default true. */
  readonly faultOpcodeRecheck?: boolean;
  readonly returnBy?: 'iret' | 'sysret';
}

interface Actor {
  readonly name: string;
  readonly patches: boolean;
  readonly startAt: number;
}

interface Parts {
  readonly name: string;
  readonly code: SiteCode | null;
  readonly actors: readonly Actor[];
  readonly kernel: KernelSettings;
  readonly always: readonly Property[];
  readonly finally: readonly Property[];
  readonly changes: Changes;
}

const DEFAULT_BUDGET = 1_000_000;

function modelOf(base: Model, change: string | Partial<Model> | undefined): Model {
  if (change === undefined) return base;
  return typeof change === 'string' ? { ...base, ...fetchNamed(change) } : { ...base, ...change };
}

function refuse(message: string): TraplineError {
  return new TraplineError('RACE_OPTION', message);
}

/** The parameters that changes stand for. @throws TraplineError `RACE_OPTION` for what cannot be */
function parametersOf(base: ScenarioParameters, changes: Changes): ScenarioParameters {
  const { offset = base.offset, nr = base.sysno, threads = base.threads } = changes;
  if (!Number.isInteger(offset) || offset < 0 || offset > 63) throw refuse(`offset ${offset}: use 0 to 63`);
  if (!Number.isInteger(nr) || nr < 0 || nr >= 2 ** 32) throw refuse(`nr ${nr}: use a number of 32 bits`);
  if (!Number.isInteger(threads) || threads < 0 || threads > 6) throw refuse(`threads ${threads}: use 0 to 6`);
  return {
    ...base,
    patch: changes.patch ?? base.patch,
    protocol: changes.protocol === undefined ? base.protocol : parseProtocol(changes.protocol),
    model: modelOf(base.model, changes.model),
    offset,
    atPageEnd: changes.page ?? base.atPageEnd,
    sysno: nr,
    table: changes.table ?? base.table,
    threads,
    startAt: changes.startAt ?? base.startAt,
  };
}

/** The kernel with a test's properties. */
class PropertyBehaviour extends SiteBehaviour {
  readonly #properties: Pick<Parts, 'always' | 'finally'>;
  /** Absent where nothing is asked of each state: then steps are worked out by their own actor alone. */
  readonly always?: (shared: Shared, locals: readonly Local[], actors: readonly string[]) => Failure | undefined;

  constructor(options: GvisorOptions, jobs: Jobs, properties: Pick<Parts, 'always' | 'finally'>) {
    super(options, jobs);
    this.#properties = properties;
    if (properties.always.length > 0)
      this.always = (shared, locals, names) =>
        violation(properties.always, new RaceState(shared, locals, names, options.site));
  }

  override stuck(shared: Shared, locals: readonly Local[], actors: readonly string[]): Failure | undefined {
    return (
      super.stuck(shared, locals, actors) ??
      violation(this.#properties.finally, new RaceState(shared, locals, actors, this.options.site))
    );
  }
}

/** Writes code into the pages around the site. */
function place(pages: Map<number, Page>, stage: Omit<Stage, 'pages'>, code: SiteCode): void {
  const bytes = code.bytes.slice();
  bytes.set(originalBytes(stage.parameters.sysno), code.siteAt);
  const start = stage.site - code.siteAt;
  for (let page = pageDown(start); page < start + bytes.length; page += PAGE_SIZE) {
    const known = pages.get(page);
    const from = Math.max(page, start);
    const to = Math.min(page + PAGE_SIZE, start + bytes.length);
    if (known === undefined) throw refuse(`there is no room for ${bytes.length} bytes of code around the site`);
    const content = stage.machine.contents.with(known.content, from - page, bytes.subarray(from - start, to - start));
    pages.set(page, { ...known, content });
  }
}

function scenarioOf(parts: Parts): Scenario {
  const { code, actors } = parts;
  const built = siteScenario({
    name: parts.name,
    summary: parts.name,
    promise: [...parts.always, ...parts.finally].map((p) => p.name).join('; ') || 'every thread makes its own syscall',
    actors: (stage): ActorStart[] =>
      actors.map(({ name, patches, startAt }) => {
        if (patches) return patcher(stage, name);
        return { name, local: stage.actor('T', stage.site - (code?.siteAt ?? 0) + startAt) };
      }),
    behaviour: (options, jobs) => new PropertyBehaviour(options, jobs, parts),
    ...(code !== null && {
      prepare: (pages: Map<number, Page>, stage: Omit<Stage, 'pages'>) => place(pages, stage, code),
      programs: (p: ScenarioParameters) => {
        const bytes = code.bytes.slice();
        bytes.set(originalBytes(p.sysno), code.siteAt);
        return [bytes.subarray(code.siteAt)];
      },
    }),
  });
  const hasProperties = parts.always.length + parts.finally.length > 0;
  return {
    ...built,
    // Properties may ask for actors by name.
    build: (parameters, options) =>
      built.build(parameters, { ...(hasProperties && { exchangesEqualActors: false }), ...options }),
  };
}

/** A scenario that can be changed and explored. */
export class RaceScenario {
  readonly #host: RaceHost;
  readonly #parts: Parts;
  /** One that Trapline brings, instead of parts. */
  readonly #known: Scenario | null;

  constructor(host: RaceHost, known: Scenario | null, parts: Parts) {
    this.#host = host;
    this.#known = known;
    this.#parts = parts;
  }

  /** A scenario with nobody in it yet. */
  static empty(host: RaceHost, name: string): RaceScenario {
    const parts = { name, code: null, actors: [], kernel: {}, always: [], finally: [], changes: {} };
    return new RaceScenario(host, null, parts);
  }

  get name(): string {
    return this.#parts.name;
  }

  /** The site: its placement and number. */
  site(placement: Placement): RaceScenario {
    return this.with(placement);
  }

  /** Machine code around the site, as bytes or hex digits; the first `mov $number,%eax; syscall` in it is the site. */
  code(code: Uint8Array | string, siteAt?: number): RaceScenario {
    return this.#withCode(siteCode(code, siteAt));
  }

  /** The code of a function of an ELF file (default: its entry), where it lies in its cache line there. */
  function(elf: Uint8Array, symbol?: string): RaceScenario {
    return this.#withCode(symbolCode(elf, symbol));
  }

  /** A thread; by default it starts with the code, or at the site where there is no other code. */
  thread(name: string, start: ThreadStart = {}): RaceScenario {
    return this.#withActor({ name, patches: false, startAt: start.startAt ?? 0 });
  }

  /** Somebody who has just trapped on the site and patches it; the protocol is that of {@link with}. */
  patcher(name: string, protocol?: string): RaceScenario {
    const next = this.#withActor({ name, patches: true, startAt: 0 });
    return protocol === undefined ? next : next.with({ protocol });
  }

  /** What the kernel does and leaves out. */
  kernel(settings: KernelSettings): RaceScenario {
    const { returnBy, ...rest } = settings;
    const next = this.#change({ kernel: { ...this.#parts.kernel, ...rest } });
    return returnBy === undefined ? next : next.with({ model: { ...this.parameters().model, returnBy } });
  }

  /** A property of each state that is reached. */
  always(name: string, holds: (state: RaceState) => boolean): RaceScenario {
    return this.#change({ always: [...this.#parts.always, { name, holds }] });
  }

  /** A property of each state in which nobody goes on. */
  finally(name: string, holds: (state: RaceState) => boolean): RaceScenario {
    return this.#change({ finally: [...this.#parts.finally, { name, holds }] });
  }

  /** The same with other parameters. */
  with(changes: Changes): RaceScenario {
    const model =
      typeof changes.model === 'object' && typeof this.#parts.changes.model === 'string'
        ? { ...fetchNamed(this.#parts.changes.model), ...changes.model }
        : changes.model;
    return this.#change({ changes: { ...this.#parts.changes, ...changes, ...(model !== undefined && { model }) } });
  }

  /** Its parameters. @throws TraplineError `RACE_…` for what is not known or cannot be */
  parameters(model?: string | Partial<Model>): ScenarioParameters {
    const { code, changes } = this.#parts;
    const base = {
      ...DEFAULT_PARAMETERS,
      ...(code !== null && { sysno: code.sysno, offset: code.lineOffset ?? DEFAULT_PARAMETERS.offset }),
    };
    const { handleFaultLock = true, faultOpcodeRecheck = true } = this.#parts.kernel;
    const left = `${handleFaultLock ? '' : ':nolock'}${faultOpcodeRecheck ? '' : ':single-read'}`;
    const protocol = `${changes.protocol ?? base.protocol.text}${left}`;
    const parameters = parametersOf(base, { ...changes, protocol });
    return { ...parameters, model: modelOf(parameters.model, model) };
  }

  /** As the explorer takes it. @throws TraplineError `RACE_OPTION` when nobody is in it */
  scenario(): Scenario {
    if (this.#known !== null) return this.#known;
    if (this.#parts.actors.length === 0) throw refuse(`"${this.name}" has no thread and no patcher`);
    const names = this.#parts.actors.map((actor) => actor.name);
    const wrong = names.find((name, i) => !/^\w+$/.test(name) || names.indexOf(name) !== i);
    if (wrong !== undefined) throw refuse(`"${wrong}" cannot name an actor: letters and digits, each name once`);
    return scenarioOf(this.#parts);
  }

  /**
   * Explores it, or replays the schedule of RACE_REPLAY where that is one of this scenario.
   * @throws TraplineError `RACE_…` for what is not known or cannot be
   */
  explore(settings: ExploreSettings = {}): RaceResult {
    const env = this.#host.env ?? {};
    const given = env['RACE_REPLAY'];
    if (given !== undefined && given !== '') {
      const token = parseToken(tokenIn(given));
      if (token.scenario === this.name) return this.#replayAsResult(given);
    }
    const scenario = this.scenario();
    const parameters = this.parameters(settings.model);
    const budget = settings.budget ?? number('RACE_BUDGET', env) ?? DEFAULT_BUDGET;
    const seed = settings.seed ?? number('RACE_SEED', env) ?? 1;
    return this.#withWorld(scenario, parameters, (world) => {
      const strategy = settings.strategy ?? 'exhaustive';
      const exploration = explore(world, { strategy, seed, budget });
      return resultOf({ scenario, parameters, world, exploration, seed, budget });
    });
  }

  /** The report of a result. */
  report(result: RaceResult): string {
    return raceReport(result);
  }

  /** Replays a token of this scenario. @throws TraplineError `RACE_TOKEN` when it is none of this scenario */
  replay(text: string, mode: ReplayMode = 'strict'): ReplayResult {
    const token = parseToken(tokenIn(text));
    if (token.scenario !== this.name)
      throw new TraplineError('RACE_TOKEN', `the token is of the scenario "${token.scenario}", not of "${this.name}"`);
    const scenario = this.scenario();
    return this.#withWorld(scenario, token.parameters, (world) =>
      replayToken(token, scenario, world, { mode, budget: DEFAULT_BUDGET }),
    );
  }

  /**
   * Runs one schedule: each number chooses among all steps that are possible, and goes on until nobody can.
   * @returns how the run ended, or what failed
   */
  run(choices: readonly number[], model?: string | Partial<Model>): { outcome: string; failure: Failure | null } {
    return this.#withWorld(this.scenario(), this.parameters(model), ({ plain }) => {
      let state = plain.initial;
      for (let i = 0; ; i++) {
        const moves = plain.actors.flatMap((_, actor) => plain.moves(state, actor));
        const move = moves[Math.abs(choices[i] ?? 0) % Math.max(1, moves.length)];
        if (move === undefined) return { outcome: plain.outcome(state), failure: plain.stuck(state) ?? null };
        if (move.failure !== null) return { outcome: move.failure.signature, failure: move.failure };
        state = move.to;
      }
    });
  }

  #replayAsResult(text: string): RaceResult {
    const token = parseToken(tokenIn(text));
    const scenario = this.scenario();
    return this.#withWorld(scenario, token.parameters, (world) => {
      const different = contentDifference(token, contentHash(world, token.parameters));
      if (different !== null)
        throw new TraplineError(
          'RACE_TOKEN',
          `RACE_REPLAY: ${different}; replay(token, 'lenient') runs it all the same`,
        );
      const run = replay(world.plain, parseSchedule(world.actors, token.schedule));
      if (run.kind === 'diverged')
        throw new TraplineError('RACE_TOKEN', `RACE_REPLAY no longer fits: ${run.problem ?? ''}`);
      const { failure, steps, switches } = run;
      const exploration: Exploration = {
        verdict: failure === undefined ? 'incomplete' : 'fails',
        complete: false,
        strategy: 'replay',
        stoppedBy: null,
        states: 0,
        transitions: steps.length,
        schedules: 1,
        outcomes: new Map([[failure?.signature ?? world.outcome(run.state), 1]]),
        witnesses: failure === undefined ? [] : [{ failure, steps, switches, isMinimal: false }],
        switchesCovered: -1,
        estimate: null,
      };
      return resultOf({ scenario, parameters: token.parameters, world, exploration, seed: 1, budget: 1 });
    });
  }

  #withWorld<T>(
    scenario: Scenario,
    parameters: ScenarioParameters,
    use: (world: ReturnType<Scenario['build']>) => T,
  ): T {
    const cpu = this.#host.openCpu({ memoryBytes: RACE_MEMORY_BYTES });
    try {
      return use(scenario.build(parameters, { cpu }));
    } finally {
      cpu.dispose();
    }
  }

  #withCode(code: SiteCode): RaceScenario {
    return this.#change({ code });
  }

  #withActor(actor: Actor): RaceScenario {
    return this.#change({ actors: [...this.#parts.actors, actor] });
  }

  #change(change: Partial<Parts>): RaceScenario {
    if (this.#known !== null && Object.keys(change).some((name) => name !== 'changes'))
      throw refuse(`"${this.name}" is complete: only its parameters can be changed (with)`);
    return new RaceScenario(this.#host, this.#known, { ...this.#parts, ...change });
  }
}

function number(name: string, env: Readonly<Record<string, string | undefined>>): number | undefined {
  const value = env[name];
  if (value === undefined || value === '') return undefined;
  const parsed = Number(value);
  if (!Number.isSafeInteger(parsed) || parsed < 0) throw refuse(`${name}=${value} is no whole number`);
  return parsed;
}
