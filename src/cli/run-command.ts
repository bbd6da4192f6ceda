// SPDX-License-Identifier: MIT
//
// `trapline run`: opens what the run writes, makes a sandbox, runs it, reports, and gives the exit status.

import { SIGABRT, SIGBUS, SIGFPE, SIGHUP, SIGILL, SIGINT, SIGSEGV, SIGSYS, SIGTERM, SIGTRAP } from '../abi/signal.ts';
import { hex } from '../base/addr.ts';
import { utf8 } from '../base/bytes.ts';
import { TraplineError } from '../base/errors.ts';
import { Reg } from '../cpu/regs.ts';
import type { CrashReport } from '../kernel/crash-report.ts';
import { STRING_LIMIT, quote } from '../kernel/decode/strings.ts';
import { crashText } from '../report/crash-text.ts';
import { GvisorText } from '../report/gvisor-text.ts';
import { PerfettoJson } from '../report/perfetto.ts';
import { RESULT_COLUMN, StraceText, secondsText } from '../report/strace-text.ts';
import type { StraceOptions } from '../report/strace-text.ts';
import { SyscallSummary } from '../report/syscall-summary.ts';
import { nodeHost } from '../sandbox/host-node/index.ts';
import { DEFAULT_LIMITS, Sandbox } from '../sandbox/sandbox.ts';
import type { RunRecordingSession } from '../sandbox/recording/record-run.ts';
import type { RunResult, SandboxOptions } from '../sandbox/sandbox.ts';
import type { TraceConsumer } from '../trace/ring.ts';
import { TraceFileWriter } from '../trace/trace-file.ts';
import { ExitStatus } from './exit-status.ts';
import { CheckpointFile, readCheckpoint } from './checkpoint-file.ts';
import { lazyDisassembler, openGuest, openTree, withStatus } from './guest.ts';
import { makeLogger } from './logger.ts';
import { finishAll, ResultFile, StreamFile, writeToStderr } from './output-file.ts';
import { RecordingFile } from './recording-file.ts';
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
  /** Opened last: what it needs may be missing. */
  readonly recording: RecordingFile | undefined;
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
    this.recording = options.html === undefined ? undefined : new RecordingFile(options.html);
  }

  #open(option: string, path: string): StreamFile {
    const file = new StreamFile(option, path);
    this.#files.push(file);
    return file;
  }

  /**
   * The run begins.
   * @param call how the program was started: strace's first line; undefined when it goes on from a checkpoint
   * @param epochNs the guest's date when its time was 0
   */
  start(call: string | undefined, epochNs: bigint): void {
    this.#epochNs = epochNs;
    if (!this.#showsCalls || call === undefined) return;
    const [before, after] = this.#showsTimes ? [`${secondsText(epochNs)} `, ' <0.000000>'] : ['', ''];
    this.#writeStrace(`${`${before}${call} `.padEnd(RESULT_COLUMN)}= 0${after}\n`);
  }

  /**
   * Writes everything out.
   * @param recorded of a run that --html records
   */
  finish(result: RunResult, recorded: RunRecordingSession | undefined, program: string): void {
    for (const renderer of this.renderers) renderer.close?.();
    if (this.#summary !== undefined) this.#writeStrace(this.#summary.text());
    finishAll([
      () => this.#metrics?.finish(`${JSON.stringify(result.metrics, null, 2)}\n`),
      ...this.#files.map((file) => () => file.close()),
      () => recorded && this.recording?.finish([recorded.finish(result)], program),
    ]);
  }

  /** The run failed: what is there is written out, but no result appears. */
  discard(): void {
    for (const renderer of this.renderers) renderer.close?.();
    this.#metrics?.discard();
    this.recording?.discard();
  }
}

/** The decoder takes time to load and is of use only when something is recorded. */
async function tracing(isRecording: boolean): Promise<Pick<SandboxOptions, 'makeTracer'>> {
  if (!isRecording) return {};
  const { SyscallTracer } = await import('../kernel/decode/tracer.ts');
  return { makeTracer: (trace) => new SyscallTracer(trace) };
}

/** The recorder takes time to load, too. */
async function recordingOf(
  sandbox: SandboxOptions,
  program: string,
  args: readonly string[],
  { htmlSteps }: RunOptions,
): Promise<RunRecordingSession> {
  const { RunRecordingSession } = await import('../sandbox/recording/record-run.ts');
  const options = [
    '--patch',
    sandbox.patch ?? 'hardened',
    ...(htmlSteps === undefined ? [] : ['--html-steps', htmlSteps]),
  ];
  return new RunRecordingSession(sandbox, {
    command: ['trapline run', ...options, '--', program, ...args].join(' '),
    disassembler: lazyDisassembler(),
    ...(htmlSteps === undefined ? {} : { steps: htmlSteps }),
  });
}

/**
 * Runs one program.
 * @param args the guest's own arguments
 * @returns the exit status
 */
export async function runCommand(program: string, args: readonly string[], options: RunOptions): Promise<number> {
  const saved = options.restore === undefined ? undefined : readCheckpoint(options.restore);
  const guest = saved === undefined ? await openGuest(program, args, options) : undefined;
  const host = nodeHost();
  const outputs = new Outputs(options);
  const logger = makeLogger({ level: options.logLevel, file: options.logFile });
  const disassembler = lazyDisassembler();
  let sandbox: Sandbox | undefined;
  let checkpoints: CheckpointFile | undefined;
  try {
    const parts = {
      host,
      consumers: outputs.renderers,
      ...(await tracing(outputs.renderers.length > 0)),
      logger,
      disassembler,
    };
    const { patch, givenPatch, upstream, stubPreemption, disablePatching, wallClock, entropy } = options;
    if (options.checkpoint !== undefined) {
      checkpoints = new CheckpointFile(options.checkpoint, options.checkpointAt, logger);
    }
    let recorded: RunRecordingSession | undefined;
    if (guest === undefined) {
      sandbox = Sandbox.restore(saved ?? new Uint8Array(0), {
        ...(await openTree(options)),
        ...parts,
        disablePatching,
        ...(givenPatch === undefined ? {} : { patch: givenPatch }),
      });
    } else {
      const upstreamOnly = { upstream, stubPreemption, disablePatching };
      const plain = { ...guest.options, ...parts, patch, ...upstreamOnly, wallClock, entropy };
      recorded = outputs.recording && (await recordingOf(plain, program, args, options));
      sandbox = Sandbox.create(recorded?.options ?? plain);
      recorded?.attach(sandbox);
    }
    checkpoints?.watch(sandbox);
    const signals = new ToolSignals(sandbox);
    const { clock } = sandbox.kernel;
    outputs.start(
      guest === undefined
        ? undefined
        : firstLine(sandbox, guest.path, [options.argv0 ?? program, ...args], options.env.length),
      clock.realtimeNs() - BigInt(clock.now()),
    );
    let result: RunResult;
    try {
      result = await sandbox.run();
    } finally {
      signals.dispose();
      checkpoints?.close();
    }
    outputs.finish(result, recorded, program);
    if (result.crash !== undefined && isReported(result.crash)) {
      writeToStderr(crashText(result.crash, (code, address) => disassembler().disassemble(code, address)));
    }
    const limit = limitText(result, options);
    if (limit !== undefined) logger.warn(limit);
    checkpoints?.finish();
    return exitStatus(result, signals.stoppedBy);
  } catch (error) {
    outputs.discard();
    throw withStatus(ofFile(error, options.restore), guest, program);
  } finally {
    sandbox?.dispose();
    logger.close();
    host.dispose();
  }
}

const FILE_ERRORS: readonly string[] = ['CHECKPOINT_FORMAT', 'CHECKPOINT_VERSION', 'CHECKPOINT_CORRUPT'];

/** What is wrong with a file is said with its name. */
function ofFile(error: unknown, path: string | undefined): unknown {
  const isFile = error instanceof TraplineError && FILE_ERRORS.includes(error.code);
  return isFile && path !== undefined ? new UsageError(`--restore: ${path}: ${error.message}`) : error;
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
