// SPDX-License-Identifier: MIT
//
// `trapline run`: opens what the run writes, makes a sandbox, runs it, reports, and gives the exit status.

import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { SIGABRT, SIGBUS, SIGFPE, SIGHUP, SIGILL, SIGINT, SIGSEGV, SIGSYS, SIGTERM, SIGTRAP } from '../abi/signal.ts';
import { hex } from '../base/addr.ts';
import { utf8 } from '../base/bytes.ts';
import { TraplineError } from '../base/errors.ts';
import type { HostDirectory } from '../base/host.ts';
import { openUnicorn } from '../cpu/unicorn/index.ts';
import { Reg } from '../cpu/regs.ts';
import { Disassembler } from '../isa/disassembler.ts';
import type { CrashReport } from '../kernel/crash-report.ts';
import { STRING_LIMIT, quote } from '../kernel/decode/strings.ts';
import { crashText } from '../report/crash-text.ts';
import { GvisorText } from '../report/gvisor-text.ts';
import { PerfettoJson } from '../report/perfetto.ts';
import { RESULT_COLUMN, StraceText, secondsText } from '../report/strace-text.ts';
import type { StraceOptions } from '../report/strace-text.ts';
import { SyscallSummary } from '../report/syscall-summary.ts';
import { nodeHost, openHostArchive, openHostDirectory, openHostPath } from '../sandbox/host-node/index.ts';
import { DEFAULT_LIMITS, Sandbox, guestText } from '../sandbox/sandbox.ts';
import type { RunResult, SandboxOptions } from '../sandbox/sandbox.ts';
import type { TraceConsumer } from '../trace/ring.ts';
import { TraceFileWriter } from '../trace/trace-file.ts';
import { ExitStatus } from './exit-status.ts';
import { findProgram } from './find-program.ts';
import { makeLogger } from './logger.ts';
import { ResultFile, StreamFile, writeToStderr } from './output-file.ts';
import type { RunOptions } from './run-options.ts';
import { UsageError } from './usage-error.ts';

/** A renderer that has an end. */
interface Renderer extends TraceConsumer {
  close?(): void;
}

/** What a run writes beside the guest's output, opened before the guest starts. */
class Outputs {
  readonly renderers: Renderer[] = [];
  readonly #files: StreamFile[] = [];
  readonly #summary: SyscallSummary | undefined;
  readonly #metrics: ResultFile | undefined;
  /** Single calls are shown, in the format of strace. */
  readonly #showsCalls: boolean;
  readonly #showsTimes: boolean;
  #epochNs = 0n;
  /** Lines of strace, and the summary after them. */
  readonly #writeStrace: (text: string) => void;

  constructor(options: RunOptions) {
    const file = options.straceFile === undefined ? undefined : this.#open('--strace-file', options.straceFile);
    this.#writeStrace = file === undefined ? writeToStderr : (text) => file.write(text);
    const showsCalls = options.strace || (file !== undefined && !options.straceSummary);
    this.#showsTimes = options.straceTimes;
    this.#showsCalls = showsCalls && options.straceFormat === 'linux';
    if (showsCalls) {
      const strace: StraceOptions = {
        write: this.#writeStrace,
        immediate: file === undefined,
        times: options.straceTimes,
        epochNs: () => this.#epochNs,
      };
      this.renderers.push(options.straceFormat === 'gvisor' ? new GvisorText(strace) : new StraceText(strace));
    }
    if (options.straceSummary) {
      this.#summary = new SyscallSummary();
      this.renderers.push(this.#summary);
    }
    if (options.trace !== undefined) {
      const trace = this.#open('--trace', options.trace);
      const write = (piece: string): void => trace.write(piece);
      this.renderers.push(options.trace.endsWith('.ndjson') ? new TraceFileWriter(write) : new PerfettoJson(write));
    }
    this.#metrics = options.metrics === undefined ? undefined : new ResultFile('--metrics', options.metrics);
  }

  #open(option: string, path: string): StreamFile {
    const file = new StreamFile(option, path);
    this.#files.push(file);
    return file;
  }

  /**
   * The run begins.
   * @param call how the program was started: strace's first line
   * @param epochNs the guest's date when its time was 0
   */
  start(call: string, epochNs: bigint): void {
    this.#epochNs = epochNs;
    if (!this.#showsCalls) return;
    const [before, after] = this.#showsTimes ? [`${secondsText(epochNs)} `, ' <0.000000>'] : ['', ''];
    this.#writeStrace(`${`${before}${call} `.padEnd(RESULT_COLUMN)}= 0${after}\n`);
  }

  /** Writes everything out. */
  finish(result: RunResult): void {
    for (const renderer of this.renderers) renderer.close?.();
    if (this.#summary !== undefined) this.#writeStrace(this.#summary.text());
    this.#metrics?.finish(`${JSON.stringify(result.metrics, null, 2)}\n`);
    for (const file of this.#files) file.close();
  }

  /** The run failed: what is there is written out, but no result appears. */
  discard(): void {
    for (const renderer of this.renderers) renderer.close?.();
    this.#metrics?.discard();
  }
}

/** The decoder takes time to load and is of use only when something is recorded. */
async function tracing(isRecording: boolean): Promise<Pick<SandboxOptions, 'makeTracer'>> {
  if (!isRecording) return {};
  const { SyscallTracer } = await import('../kernel/decode/tracer.ts');
  return { makeTracer: (trace) => new SyscallTracer(trace) };
}

/**
 * Runs one program.
 * @param args the guest's own arguments
 * @returns the exit status
 */
export async function runCommand(program: string, args: readonly string[], options: RunOptions): Promise<number> {
  const root = options.root === undefined ? undefined : await openRoot(options.root);
  const cwd = options.cwd ?? '/';
  if (!cwd.startsWith('/')) throw new UsageError(`--cwd: ${cwd} is not absolute; it is a path of the guest`);
  const searchPath = options.env.find((entry) => entry.startsWith('PATH='))?.slice(5) ?? '/bin';
  const found = findProgram(program, cwd, searchPath, (path) => root !== undefined && existsIn(root, path));
  const host = nodeHost();
  const outputs = new Outputs(options);
  const logger = makeLogger({ level: options.logLevel, file: options.logFile });
  const disassembler = lazyDisassembler();
  let sandbox: Sandbox | undefined;
  try {
    sandbox = Sandbox.create({
      host,
      openCpu: openUnicorn,
      program: guestText(found.guestPath),
      argv: [options.argv0 ?? program, ...args].map(guestText),
      env: options.env.map(guestText),
      cwd: guestText(cwd),
      uid: options.uid,
      patch: options.patch,
      binds: options.binds.map((bind) => ({ ...openBind(bind.host, bind.writable), guestPath: guestText(bind.guest) })),
      seed: options.seed,
      memoryBytes: options.memoryBytes,
      wallClock: options.wallClock,
      entropy: options.entropy,
      aslr: options.aslr,
      consumers: outputs.renderers,
      ...(await tracing(outputs.renderers.length > 0)),
      logger,
      disassembler,
      ...(found.hostPath === undefined ? {} : { programFile: openHostPath(found.hostPath, { writable: false }) }),
      ...(root === undefined ? {} : { root }),
      ...(options.timeoutSec === undefined ? {} : { timeoutSec: options.timeoutSec }),
      ...(options.maxInstructions === undefined ? {} : { maxInstructions: options.maxInstructions }),
    });
    const signals = new ToolSignals(sandbox);
    const { clock } = sandbox.kernel;
    outputs.start(
      firstLine(sandbox, found.guestPath, [options.argv0 ?? program, ...args], options.env.length),
      clock.realtimeNs() - BigInt(clock.now()),
    );
    let result: RunResult;
    try {
      result = await sandbox.run();
    } finally {
      signals.dispose();
    }
    outputs.finish(result);
    if (result.crash !== undefined && isReported(result.crash)) {
      writeToStderr(crashText(result.crash, (code, address) => disassembler().disassemble(code, address)));
    }
    const limit = limitText(result, options);
    if (limit !== undefined) logger.warn(limit);
    return exitStatus(result, signals.stoppedBy);
  } catch (error) {
    outputs.discard();
    throw withStatus(error);
  } finally {
    sandbox?.dispose();
    logger.close();
    host.dispose();
  }
}

/** `execve("/h", ["./h"], 0x7ffe…)`, with the environment's address on the first stack. */
function firstLine(sandbox: Sandbox, path: string, argv: readonly string[], variables: number): string {
  const stack = sandbox.kernel.init?.leader.regs.get(Reg.rsp) ?? 0;
  const environment = stack + 8 * (argv.length + 2);
  const text = (s: string, limit: number): string => {
    const bytes = utf8(s);
    return bytes.length > limit ? `${quote(bytes.subarray(0, limit))}...` : quote(bytes);
  };
  const shown = argv.slice(0, STRING_LIMIT).map((arg) => text(arg, STRING_LIMIT));
  if (argv.length > shown.length) shown.push('...');
  return `execve(${text(path, Infinity)}, [${shown.join(', ')}], ${hex(environment)} /* ${variables} vars */)`;
}

/** Signals that mean a mistake of the guest; of others, somebody wanted its end, and a report would only be in the way. */
const REPORTED_SIGNALS: readonly number[] = [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP];

function isReported({ signo, patchedSite }: CrashReport): boolean {
  return REPORTED_SIGNALS.includes(signo) || patchedSite !== undefined;
}

/** Which limit ended the run; the kernel has said so itself for a dead end. */
function limitText(result: RunResult, options: RunOptions): string | undefined {
  const after = `after ${result.metrics.instructions} instructions`;
  switch (result.ended) {
    case 'timeout':
      return `the run was ended ${after}: its time of ${options.timeoutSec ?? 0} s is over (--timeout)`;
    case 'budget':
      return `the run was ended ${after}: that is the limit (--max-instructions)`;
    case 'output':
      return `the run was ended ${after}: it has written ${DEFAULT_LIMITS.outputBytes} bytes, which is the limit`;
    default:
      return undefined;
  }
}

/** The status that tells how the run ended. */
function exitStatus(result: RunResult, stoppedBy: number | undefined): number {
  switch (result.ended) {
    case 'timeout':
    case 'budget':
    case 'output':
      return ExitStatus.limitReached;
    case 'deadlock':
      return ExitStatus.limitReached;
    case 'stopped':
      return ExitStatus.signalBase + (stoppedBy ?? SIGINT);
    default:
      return 'code' in result.exit ? result.exit.code : ExitStatus.signalBase + result.exit.signal;
  }
}

/**
 * SIGINT, SIGTERM and SIGHUP to the tool: the first goes to the guest, as a terminal or kill(1) would send it; a
 * second one ends the run. Keys of a terminal in raw mode are no signals to the tool.
 */
class ToolSignals {
  /** The signal that ended the run. */
  stoppedBy: number | undefined;
  readonly #sandbox: Sandbox;
  #isSecond = false;
  readonly #onInterrupt = (): void => this.#take(SIGINT);
  readonly #onTerminate = (): void => this.#take(SIGTERM);
  readonly #onHangup = (): void => this.#take(SIGHUP);

  constructor(sandbox: Sandbox) {
    this.#sandbox = sandbox;
    process.on('SIGINT', this.#onInterrupt);
    process.on('SIGTERM', this.#onTerminate);
    process.on('SIGHUP', this.#onHangup);
  }

  #take(signo: number): void {
    if (this.#isSecond) {
      this.stoppedBy = signo;
      this.#sandbox.stop();
    } else {
      this.#isSecond = true;
      this.#sandbox.interrupt(signo);
    }
  }

  dispose(): void {
    process.off('SIGINT', this.#onInterrupt);
    process.off('SIGTERM', this.#onTerminate);
    process.off('SIGHUP', this.#onHangup);
  }
}

/** A directory, or else an archive. */
async function openRoot(path: string): Promise<HostDirectory> {
  try {
    return isDirectory(path) ? openHostDirectory(path, { writable: false }) : await openHostArchive(path);
  } catch (error) {
    throw new UsageError(`--root: ${messageOf(error)}`);
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function openBind(path: string, writable: boolean): { directory: HostDirectory; entry: string } {
  try {
    return openHostPath(path, { writable });
  } catch (error) {
    throw new UsageError(`--bind: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  if (error instanceof TraplineError) return error.message;
  throw error;
}

/** Whether a guest path leads to something in the root; a link counts, the kernel follows it. */
function existsIn(root: HostDirectory, path: string): boolean {
  let at = '';
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
      continue;
    }
    at = at === '' ? part : `${at}/${part}`;
    const stat = root.stat(guestText(at));
    if (typeof stat === 'number') return false;
    if (stat.kind === 'symlink') return true;
  }
  return true;
}

/** Errors about the program have statuses of their own. */
function withStatus(error: unknown): unknown {
  if (!(error instanceof TraplineError)) return error;
  if (error.code === 'RUN_NOT_FOUND') return new UsageError(error.message, ExitStatus.notFound);
  if (error.code === 'RUN_NOT_EXECUTABLE') return new UsageError(error.message, ExitStatus.notExecutable);
  return error;
}

/** iced-x86 takes a while to load: only when something is shown. */
function lazyDisassembler(): () => Disassembler {
  let made: Disassembler | undefined;
  return () => {
    made ??= new Disassembler(createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86'));
    return made;
  };
}
