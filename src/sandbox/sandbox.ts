// SPDX-License-Identifier: MIT
//
// The façade: puts host, processor, memory, files, platform and kernel together, runs one program and says how it
// ended. Everything that another room needs of a run goes through here.

import { EACCES, ENOENT, ENOTDIR } from '../abi/errno.ts';
import { errnoText } from '../abi/errno-text.ts';
import { SIGKILL } from '../abi/signal.ts';
import { latin1Bytes, utf8 } from '../base/bytes.ts';
import { TraplineError } from '../base/errors.ts';
import type { Host, HostDirectory } from '../base/host.ts';
import type { Logger } from '../base/logger.ts';
import { SILENT_LOGGER } from '../base/logger.ts';
import { Prng } from '../base/prng.ts';
import type { Cpu } from '../cpu/cpu.ts';
import type { Disassembler } from '../isa/disassembler.ts';
import { Clock } from '../kernel/clock.ts';
import { initialCredentials } from '../kernel/credentials.ts';
import type { CrashReport } from '../kernel/crash-report.ts';
import { makeCrashReport } from '../kernel/crash-report.ts';
import type { SyscallTracer } from '../kernel/decode/tracer.ts';
import { exitGroup } from '../kernel/exit.ts';
import { HostInput } from '../kernel/host-input.ts';
import type { RunEnd } from '../kernel/kernel.ts';
import { Kernel } from '../kernel/kernel.ts';
import { defaultLimits } from '../kernel/limits.ts';
import { procSource } from '../kernel/proc-source.ts';
import { startFirstProgram } from '../kernel/start.ts';
import { makeSyscallTable } from '../kernel/syscalls/index.ts';
import { PhysicalMemory } from '../mm/address-space.ts';
import type { PlatformObserver } from '../platform/observer.ts';
import { Platform } from '../platform/platform.ts';
import type { PatchMode } from '../platform/sentry.ts';
import type { TraceConsumer } from '../trace/ring.ts';
import { TraceRing } from '../trace/ring.ts';
import { EventKind, NULL_TRACE } from '../trace/events.ts';
import type { Guards } from '../usertrap/guards.ts';
import type { UpstreamVersionName } from '../usertrap/versions.ts';
import type { TraceSink } from '../trace/events.ts';
import { FsContext } from '../vfs/fs-context.ts';
import { newestTime } from '../vfs/host-contents.ts';
import { Vfs } from '../vfs/vfs.ts';
import { ProcFileSystemBase } from '../vfs/proc-nodes.ts';
import { CheckpointFile, STREAM_NAMES, writeCheckpoint, writeGraph } from './checkpoint/checkpoint.ts';
import type { CheckpointHead, CheckpointState, Machine, StreamName } from './checkpoint/checkpoint.ts';
import { memoryParts } from './checkpoint/memory-image.ts';
import { fixedParts } from './checkpoint/parts.ts';
import { machineFacts } from './machine-facts.ts';
import type { Metrics } from './metrics.ts';
import { makeMetrics } from './metrics.ts';

/** A place on the host that the caller opened: `entry` below `directory`, '' for all of it. */
export interface HostPlace {
  readonly directory: HostDirectory;
  readonly entry: string;
}

/** One `--bind`. */
export interface Bind extends HostPlace {
  readonly guestPath: string;
}

/** Bounds of a run; each has a default that a hostile guest meets before the host suffers. */
export interface SandboxLimits {
  /** Tasks alive at once. */
  readonly tasks: number;
  /** Bytes to the tool's stdout and stderr together. */
  readonly outputBytes: number;
}

export const DEFAULT_LIMITS: SandboxLimits = { tasks: 4000, outputBytes: 16 * 2 ** 30 };
export const DEFAULT_MEMORY_BYTES = 2 ** 30;
export const DEFAULT_UID = 1000;

export interface SandboxOptions {
  readonly host: Host;
  /** Opens the engine, e.g. `openUnicorn`. */
  readonly openCpu: (options: { memoryBytes: number }) => Cpu;
  /** Guest path of the program. */
  readonly program: string;
  /** The program on the host, for when the guest's tree does not hold it. */
  readonly programFile?: HostPlace;
  /** Arguments, argv[0] first; default: the program's path alone. Latin-1 strings, one character a byte. */
  readonly argv?: readonly string[];
  /** `NAME=value`, Latin-1; default none. */
  readonly env?: readonly string[];
  /** Guest path; default `/`. */
  readonly cwd?: string;
  readonly uid?: number;
  readonly patch?: PatchMode;
  /** Single guards of the patch mode, switched on or off. */
  readonly guards?: Partial<Guards>;
  /** Patch mode `upstream`: of which gVisor; default `3c5eee1`. */
  readonly upstream?: UpstreamVersionName;
  /**
   * Patch mode `upstream`: the host may take the processor from a stub thread in the middle of a trampoline or of the stub's
   * code, as it does in life. Default: never there, so that defects which need it do not show.
   */
  readonly stubPreemption?: boolean;
  /** Patch mode `upstream`: gVisor's --systrap-disable-syscall-patching. */
  readonly disablePatching?: boolean;
  /** The guest's / : read-only below a memory layer. Default: an empty tree. */
  readonly root?: HostDirectory;
  readonly binds?: readonly Bind[];
  readonly seed?: number;
  /** Physical memory of the machine. */
  readonly memoryBytes?: number;
  /** Host seconds. */
  readonly timeoutSec?: number;
  readonly maxInstructions?: number;
  /** Times are the host's instead of virtual. */
  readonly wallClock?: boolean;
  /** Randomness is the host's instead of the seed's. */
  readonly entropy?: boolean;
  /** Programs lie at random places, taken from the seed; default: always at the same. */
  readonly aslr?: boolean;
  /**
   * Time counts the program's own instructions alone, and tasks take turns at calls: a correct program then takes the same
   * course in every patch mode.
   */
  readonly comparable?: boolean;
  /** Renderers of the trace: strace text, recordings. None: nothing is decoded or kept. */
  readonly consumers?: readonly TraceConsumer[];
  /** Makes what records syscalls for the consumers; not imported here, because few runs need the decoder. */
  readonly makeTracer?: (trace: TraceSink) => SyscallTracer;
  readonly logger?: Logger;
  readonly limits?: Partial<SandboxLimits>;
  /** For hardware breakpoints, and for the line about instructions that the engine lacks; made when first needed. */
  readonly disassembler?: () => Disassembler;
  /** Looks at the platform while it runs. @internal */
  readonly observer?: PlatformObserver;
}

/** What a restored machine is given; the rest is in the checkpoint. */
export type RestoreOptions = Pick<
  SandboxOptions,
  | 'host'
  | 'openCpu'
  | 'root'
  | 'binds'
  | 'timeoutSec'
  | 'maxInstructions'
  | 'consumers'
  | 'makeTracer'
  | 'logger'
  | 'disassembler'
  | 'observer'
  | 'guards'
  | 'upstream'
  | 'disablePatching'
> & {
  /**
   * `off`: goes on with every call trapped, as under a platform without stubs. Otherwise the mode that the machine was saved
   * with, which is the default.
   */
  readonly patch?: PatchMode;
};

/** How a run ended. */
export interface RunResult {
  /** The first process's exit code or signal. */
  readonly exit: RunEnd['exit'];
  /** Set when a limit or a dead end decided, not the guest. */
  readonly ended?: NonNullable<RunEnd['ended']>;
  readonly metrics: Metrics;
  /** The first process died of a signal. */
  readonly crash?: CrashReport;
}

/** One program in its own machine. Runs once; dispose of it afterwards. */
export class Sandbox {
  readonly kernel: Kernel;
  readonly platform: Platform;
  readonly vfs: Vfs;
  readonly cpu: Cpu;
  /** Null without consumers. */
  readonly trace: TraceRing | null;
  #options: SandboxOptions;
  readonly #random: Prng;
  readonly #input: HostInput;
  #firstInstruction: number;
  #crash: CrashReport | undefined;
  #hasRun = false;
  #isRestored = false;
  readonly #onEscape = (): void => this.stop();

  /** @internal Use {@link Sandbox.create}. */
  constructor(options: SandboxOptions, cpu: Cpu) {
    this.#options = options;
    this.cpu = cpu;
    this.#firstInstruction = cpu.instructions;
    const { host } = options;
    const logger = options.logger ?? SILENT_LOGGER;
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const memoryBytes = options.memoryBytes ?? DEFAULT_MEMORY_BYTES;
    const prng = new Prng(options.seed ?? 0);
    const clock = new Clock(cpu, options.wallClock === true ? host : null, startTime(options));
    const consumers = options.consumers ?? [];
    this.trace = consumers.length === 0 ? null : new TraceRing(() => clock.now());
    for (const consumer of consumers) this.trace?.attach(consumer);
    const trace = this.trace ?? NULL_TRACE;
    const input = new HostInput(host);
    this.#input = input;
    const random = prng.stream('device');
    this.#random = random;
    this.vfs = new Vfs({
      clock: { nowNs: () => clock.realtimeNs() },
      random: (into) => (options.entropy === true ? host.entropy(into) : random.fill(into)),
      host: input.host,
      outputBytes: limits.outputBytes,
      onOutputLimit: () => this.kernel.finish({ exit: { signal: SIGKILL }, ended: 'output' }),
      onEscape: this.#onEscape,
      ...(options.root === undefined ? {} : { root: options.root }),
    });
    const { disassembler } = options;
    let platform: Platform | undefined;
    this.kernel = new Kernel({
      cpu,
      host,
      hostInput: input,
      prng,
      clock,
      trace,
      logger,
      memoryBytes,
      vfs: this.vfs,
      memory: new PhysicalMemory(cpu, memoryBytes),
      table: makeSyscallTable(),
      machine: machineFacts(),
      tracer: this.trace === null ? null : (options.makeTracer?.(this.trace) ?? null),
      entropy: options.entropy === true,
      aslr: options.aslr === true,
      refusesGs: options.patch === 'upstream',
      maxTasks: limits.tasks,
      timeoutMs: (options.timeoutSec ?? Infinity) * 1000,
      maxInstructions: options.maxInstructions ?? Infinity,
      comparable: options.comparable === true,
      makePlatform: (sentry) => {
        platform = new Platform(cpu, sentry, {
          patch: options.patch ?? 'hardened',
          prng: prng.stream('platform'),
          trace,
          countsStub: options.comparable !== true,
          stubPreemption: options.stubPreemption === true,
          disablePatching: options.disablePatching === true,
          ...(options.upstream === undefined ? {} : { upstream: options.upstream }),
          ...(disassembler === undefined
            ? {}
            : { readOperands: (code, address) => disassembler().memoryOperands(code, address) }),
          ...(options.guards === undefined ? {} : { guards: options.guards }),
          ...(options.observer === undefined ? {} : { observer: options.observer }),
        });
        return platform;
      },
      disassemble: (code, address) => disassembler?.().disassemble(code, address, 1)[0]?.text ?? '(vector instruction)',
    });
    // The kernel's constructor calls makePlatform.
    this.platform = platform as unknown as Platform;
    this.kernel.onFatalSignal = (task, info) => {
      if (task.group === this.kernel.init) this.#crash = makeCrashReport(task, info);
    };
  }

  /**
   * A machine with the program loaded.
   * @throws TraplineError `RUN_NOT_FOUND` or `RUN_NOT_EXECUTABLE` for the program, `RUN_CWD`, `RUN_BIND`, or what
   *   the engine and the host throw
   */
  static create(options: SandboxOptions): Sandbox {
    const memoryBytes = options.memoryBytes ?? DEFAULT_MEMORY_BYTES;
    const cpu = options.openCpu({ memoryBytes });
    try {
      const sandbox = new Sandbox(options, cpu);
      sandbox.#prepare();
      return sandbox;
    } catch (error) {
      cpu.dispose();
      throw error;
    }
  }

  /** What is there before any program is. */
  #prepareTree(): void {
    const options = this.#options;
    const { kernel, vfs } = this;
    vfs.mountDev();
    vfs.mountQueues(kernel.ipc.queues.fs);
    const source = procSource(kernel);
    vfs.coverSys(source);
    vfs.mountProc(source);
    const uid = options.uid ?? DEFAULT_UID;
    for (const bind of options.binds ?? []) {
      const mounted = vfs.bind(bind.directory, bind.entry, bind.guestPath, { uid, gid: uid });
      if (typeof mounted === 'number') {
        throw new TraplineError('RUN_BIND', `nothing can be bound at ${bind.guestPath}: ${errnoText(-mounted)}`);
      }
    }
  }

  #prepare(): void {
    const options = this.#options;
    const { kernel, vfs } = this;
    this.#prepareTree();
    const uid = options.uid ?? DEFAULT_UID;
    if (options.programFile !== undefined) {
      const { directory, entry } = options.programFile;
      const placed = vfs.placeHostFile(directory, entry, options.program, options.root !== undefined);
      if (typeof placed === 'number') throw programError(options.program, placed, errnoText(-placed));
    }
    const cwd = vfs.lookup(options.cwd ?? '/');
    if (typeof cwd === 'number' || !cwd.inode.isDirectory) {
      throw new TraplineError('RUN_CWD', `the guest has no directory ${options.cwd ?? '/'}`);
    }
    const creds = initialCredentials(uid);
    const started = startFirstProgram(kernel, {
      path: options.program,
      argv: (options.argv ?? [options.program]).map(latin1Bytes),
      envp: (options.env ?? []).map(latin1Bytes),
      fs: new FsContext(vfs.root, cwd),
      files: vfs.openConsoles(uid, uid),
      creds,
      limits: defaultLimits(kernel.options.maxTasks),
    });
    if (started !== null) throw programError(options.program, started.errno, started.message);
  }

  /** Runs the program to its end. */
  async run(): Promise<RunResult> {
    if (this.#hasRun) throw new TraplineError('RUN_TWICE', 'a sandbox runs once: make another');
    this.#hasRun = true;
    const { kernel, cpu, platform } = this;
    const { host } = this.#options;
    const startMs = host.monotonicMs();
    this.trace?.emitText(EventKind.runStart, 0, this.#options.program, this.#options.seed ?? 0);
    let end: RunEnd;
    try {
      this.vfs.hostTerminal?.start();
      end = await kernel.run();
    } catch (error) {
      throw this.#isRestored ? notGoingOn(error) : error;
    } finally {
      this.vfs.hostTerminal?.stop();
    }
    const instructions = cpu.instructions - this.#firstInstruction;
    const exitValue = 'code' in end.exit ? end.exit.code : -end.exit.signal;
    this.trace?.emit(EventKind.runEnd, 0, exitValue, instructions);
    this.trace?.flush();
    const metrics = makeMetrics(
      {
        mode: this.#options.patch ?? 'hardened',
        engine: cpu.name,
        exit: end.exit,
        instructions,
        wallMs: host.monotonicMs() - startMs,
        tasks: kernel.tasksStarted,
        signals: kernel.signalsDelivered,
      },
      platform.metrics(),
    );
    return {
      exit: end.exit,
      metrics,
      ...(end.ended === undefined ? {} : { ended: end.ended }),
      ...(this.#crash === undefined || end.ended !== undefined ? {} : { crash: this.#crash }),
    };
  }

  /**
   * The machine as a file, from which `Sandbox.restore` makes it again in another process. To be called while no guest
   * code runs: before `run`, or in what `checkpointAt` calls.
   * @throws TraplineError `CHECKPOINT_STATE` naming what cannot be saved
   */
  save(): Uint8Array {
    for (const fs of this.vfs.binds) fs.rest();
    return writeCheckpoint(this.#machine(), this.#head(), this.#state());
  }

  /** Everything that keeps `save` from saving, where it is and why; empty when nothing does. */
  refusals(): readonly string[] {
    const messages = new Set<string>();
    writeGraph(this.#machine(), this.#state(), (message) => messages.add(message));
    return [...messages];
  }

  #state(): CheckpointState {
    return {
      instructions: this.cpu.instructions,
      firstInstruction: this.#firstInstruction,
      consumers: this.trace?.saveConsumers() ?? [],
    };
  }

  /**
   * Calls `take` at the first scheduling point at or after so many instructions of this run (0: as soon as possible).
   * The run goes on afterwards as if nothing had been.
   */
  checkpointAt(instructions: number, take: () => void): void {
    this.kernel.pause(this.#firstInstruction + instructions, take);
  }

  #head(): CheckpointHead {
    const options = this.#options;
    const { maxTasks, memoryBytes } = this.kernel.options;
    return {
      patch: options.patch ?? 'hardened',
      upstream: options.upstream ?? '',
      stubPreemption: options.stubPreemption === true,
      memoryBytes,
      seed: options.seed ?? 0,
      uid: options.uid ?? DEFAULT_UID,
      wallClock: options.wallClock === true,
      entropy: options.entropy === true,
      aslr: options.aslr === true,
      comparable: options.comparable === true,
      tasks: maxTasks,
      outputBytes: options.limits?.outputBytes ?? DEFAULT_LIMITS.outputBytes,
      hasRoot: options.root !== undefined,
      binds: bindNames(options.binds),
      terminals: this.vfs.hostTerminal === null ? [] : STREAM_NAMES.filter((name) => options.host[name].isTerminal),
      program: options.program,
      instructions: this.cpu.instructions - this.#firstInstruction,
      engine: this.cpu.name,
    };
  }

  #machine(): Machine {
    const { kernel, vfs, platform, cpu } = this;
    const { options } = kernel;
    const { host } = this.#input;
    return {
      memory: kernel.memory,
      usedSpaces: () => [...kernel.tasks.values()].filter(({ state }) => state !== 'ended').map(({ mm }) => mm),
      heldPages: () => platform.heldPages(kernel.tasks.values()),
      generated: vfs.setUp.filter((fs) => fs instanceof ProcFileSystemBase),
      searched: {
        kernel,
        vfs,
        platform,
        random: this.#random,
        ...(kernel.tracer === null ? {} : { tracer: kernel.tracer }),
      },
      named: {
        cpu,
        registers: cpu.regs,
        arena: cpu.memory,
        host: options.host,
        streams: host,
        stdin: host.stdin,
        stdout: host.stdout,
        stderr: host.stderr,
        trace: options.trace,
        clock: vfs.clock,
        'random source': vfs.random,
        escape: this.#onEscape,
        'job control': vfs.terminals.currentJobs,
        'running process': kernel.ipc.queues.current,
        ...platform.fixedParts(),
        ...memoryParts(kernel.memory),
        ...fixedParts(options.table),
      },
    };
  }

  /**
   * A machine as it was saved. What the file does not hold is given again: the host, the engine, the tree and binds.
   * @param options as for `create`; what the file says takes the place of what says how the machine is made
   * @throws TraplineError `CHECKPOINT_…`, and what `create` throws
   */
  static restore(file: Uint8Array, options: RestoreOptions): Sandbox {
    const checkpoint = new CheckpointFile(file);
    const { head } = checkpoint;
    checkTree(head, options);
    checkTerminal(head, options.host);
    checkMode(head, options);
    const made: SandboxOptions = {
      ...options,
      program: head.program,
      patch: head.patch as PatchMode,
      upstream: options.upstream ?? (head.upstream === '' ? undefined : (head.upstream as UpstreamVersionName)),
      stubPreemption: head.stubPreemption,
      memoryBytes: head.memoryBytes,
      seed: head.seed,
      uid: head.uid,
      wallClock: head.wallClock,
      entropy: head.entropy,
      aslr: head.aslr,
      comparable: head.comparable,
      limits: { tasks: head.tasks, outputBytes: head.outputBytes },
    };
    const cpu = options.openCpu({ memoryBytes: head.memoryBytes });
    try {
      const sandbox = new Sandbox(made, cpu);
      sandbox.#prepareTree();
      sandbox.#isRestored = true;
      const state = checkpoint.restore(sandbox.#machine());
      cpu.instructions = state.instructions;
      sandbox.#firstInstruction = state.firstInstruction;
      sandbox.trace?.restoreConsumers(state.consumers);
      if (options.patch === 'off' && head.patch !== 'off') sandbox.#leaveStubs();
      return sandbox;
    } catch (error) {
      cpu.dispose();
      throw error;
    }
  }

  #leaveStubs(): void {
    this.platform.leaveStubs([...this.kernel.groups.values()].flatMap((group) => group.tasks));
    this.#options = { ...this.#options, patch: 'off' };
  }

  /** Sends a signal to the guest's first process group, as a terminal or `kill` would. */
  interrupt(signo: number): void {
    this.kernel.signalFromHost(signo);
  }

  /** Ends the run as soon as possible. */
  stop(): void {
    this.kernel.finish({ exit: { signal: SIGKILL }, ended: 'stopped' });
    this.cpu.interrupt();
  }

  /** Frees the engine and lets go of host files. */
  dispose(): void {
    try {
      this.vfs.hostTerminal?.stop();
      for (const group of [...this.kernel.groups.values()]) {
        const [task] = group.tasks;
        if (task !== undefined) exitGroup(task, SIGKILL);
      }
      this.vfs.dispose();
    } catch (error) {
      // A machine from a damaged file may not even be able to end.
      if (!this.#isRestored) throw error;
    } finally {
      this.cpu.dispose();
    }
  }
}

function bindNames(binds: readonly Bind[] | undefined): string[] {
  return (binds ?? []).map(({ guestPath, directory }) => (directory.writable ? `${guestPath}:rw` : guestPath));
}

/** What goes wrong in a restored machine is the file's fault, as long as nothing says otherwise. */
function notGoingOn(error: unknown): unknown {
  if (error instanceof TraplineError && error.code !== 'INVARIANT') return error;
  return new TraplineError(
    'CHECKPOINT_CORRUPT',
    `the restored machine cannot go on (${String(error)}): its checkpoint may be damaged; take another one`,
    { cause: error },
  );
}

/** A machine that has jumps to slots of one mode, or none, cannot become one of another. */
function checkMode(head: CheckpointHead, { patch }: RestoreOptions): void {
  if (patch === undefined || patch === 'off' || patch === head.patch) return;
  const orOff = head.patch === 'off' ? '' : ', or give --patch off to go on without patches';
  throw new TraplineError(
    'CHECKPOINT_MODE',
    `the machine was saved with --patch ${head.patch} and cannot go on with --patch ${patch}: leave --patch out${orOff}`,
  );
}

/** The tree must be made of the same parts: the file cannot open any of them. */
function checkTree(head: CheckpointHead, options: RestoreOptions): void {
  const given = bindNames(options.binds);
  if (head.hasRoot !== (options.root !== undefined)) {
    const what = head.hasRoot ? 'a tree as /: give the same again with --root' : 'no tree as /: leave --root out';
    throw new TraplineError('CHECKPOINT_TREE', `the saved machine had ${what}`);
  }
  if (given.join('\n') !== head.binds.join('\n')) {
    const had = head.binds.length === 0 ? 'none' : head.binds.join(', ');
    throw new TraplineError(
      'CHECKPOINT_TREE',
      `the saved machine had other binds (${had}): give the same host paths again, in the same order, with --bind`,
    );
  }
}

const STREAM_TEXTS: Readonly<Record<StreamName, readonly [text: string, redirected: string]>> = {
  stdin: ['standard input', '<FILE'],
  stdout: ['standard output', '>FILE'],
  stderr: ['standard error', '2>FILE'],
};

/**
 * What was the guest's terminal must be one again; what stood beside it must not, because output passes a terminal in raw
 * mode as it is. A machine that had none goes on with any streams: it takes a terminal for the pipe that was there.
 */
function checkTerminal(head: CheckpointHead, host: Host): void {
  if (head.terminals.length === 0) return;
  for (const name of STREAM_NAMES) {
    const had = head.terminals.includes(name);
    if (host[name].isTerminal === had) continue;
    const [text, redirected] = STREAM_TEXTS[name];
    throw new TraplineError(
      'CHECKPOINT_TERMINAL',
      had
        ? `the saved machine had a terminal as its ${text}: restore it in a terminal, with that one not redirected`
        : `the saved machine had a terminal, but not as its ${text}: redirect that one, with ${redirected}`,
    );
  }
}

const DAY_NS = 86_400_000_000_000n;

/**
 * The midnight after everything in the caller's trees was made: `ls -l` shows the files of a fresh tree as it does
 * natively. A whole day, because with `--root /` the tree changes by the files that a run itself writes (--strace-file),
 * and the next run is to read the same times.
 */
function startTime(options: SandboxOptions): bigint {
  const directories = [options.root, ...(options.binds ?? []).map((bind) => bind.directory)];
  let newest = 0n;
  for (const directory of directories) {
    const time = directory === undefined ? 0n : newestTime(directory);
    if (time > newest) newest = time;
  }
  return newest - (newest % DAY_NS) + DAY_NS;
}

function programError(program: string, errno: number, message: string): TraplineError {
  const isMissing = errno === -ENOENT || errno === -ENOTDIR;
  if (isMissing) return new TraplineError('RUN_NOT_FOUND', `${program}: ${message === '' ? 'not found' : message}`);
  const reason = errno === -EACCES && message === '' ? 'permission denied' : message;
  return new TraplineError('RUN_NOT_EXECUTABLE', `${program}: ${reason}`);
}

/** Bytes of text as the options want them: UTF-8 as a Latin-1 string. */
export function guestText(text: string): string {
  return String.fromCharCode(...utf8(text));
}
