// SPDX-License-Identifier: MIT
//
// The options of `trapline run`: what they are called, what they mean, and their values after checking.

import { Option } from 'commander';
import type { Command } from 'commander';
import { UPSTREAM_VERSION_NAMES } from '../usertrap/versions.ts';
import type { UpstreamVersionName } from '../usertrap/versions.ts';
import { MOST_STEPS } from '../trace/recording/format.ts';
import { parseChoice, parseCount, parseSeconds, parseSize } from './sizes.ts';
import { UsageError } from './usage-error.ts';

export const PATCH_MODES = ['off', 'upstream', 'hardened'] as const;
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const ENGINES = ['unicorn'] as const;
const STRACE_FORMATS = ['linux', 'gvisor'] as const;

const MIN_MEMORY = 16 * 2 ** 20;
const MAX_MEMORY = 4 * 2 ** 30;
const MAX_UID = 0xfffffffe;

/** Environment of a guest when no --env is given: the same on every host. */
export const DEFAULT_ENVIRONMENT: readonly string[] = [
  'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  'HOME=/',
  'TERM=dumb',
];

/** One `--bind`. */
export interface Bind {
  readonly host: string;
  readonly guest: string;
  readonly writable: boolean;
}

/** The options of one run, checked. */
export interface RunOptions {
  readonly patch: (typeof PATCH_MODES)[number];
  readonly upstream: UpstreamVersionName;
  readonly stubPreemption: boolean;
  readonly disablePatching: boolean;
  readonly engine: (typeof ENGINES)[number];
  readonly root: string | undefined;
  readonly binds: readonly Bind[];
  readonly cwd: string | undefined;
  readonly env: readonly string[];
  readonly argv0: string | undefined;
  readonly uid: number;
  readonly seed: number;
  readonly wallClock: boolean;
  readonly entropy: boolean;
  readonly aslr: boolean;
  readonly memoryBytes: number;
  readonly timeoutSec: number | undefined;
  readonly maxInstructions: number | undefined;
  readonly strace: boolean;
  readonly straceFile: string | undefined;
  readonly straceTimes: boolean;
  readonly straceFormat: (typeof STRACE_FORMATS)[number];
  readonly straceSummary: boolean;
  readonly metrics: string | undefined;
  readonly trace: string | undefined;
  readonly html: string | undefined;
  readonly htmlSteps: number | undefined;
  readonly checkpoint: string | undefined;
  readonly checkpointAt: number | undefined;
  readonly restore: string | undefined;
  /** `--patch`, where it was given: a restored machine has a mode of its own. */
  readonly givenPatch: RunOptions['patch'] | undefined;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly logFile: string | undefined;
}

/** What commander hands over. */
export type RawRunOptions = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

interface Row {
  readonly flags: string;
  readonly text: string;
  /** Default as the help shows it. */
  readonly preset?: string;
  readonly repeats?: boolean;
}

const ROWS: readonly Row[] = [
  {
    flags: '--patch <MODE>',
    text: 'off: trap every syscall; upstream: patch as gVisor does; hardened: patch, and always right',
    preset: 'hardened',
  },
  {
    flags: '--upstream <VERSION>',
    text: `which gVisor --patch upstream is: ${UPSTREAM_VERSION_NAMES.join(', ')}`,
    preset: '3c5eee1',
  },
  {
    flags: '--stub-preemption',
    text: '--patch upstream: turns may end in trampolines and stub code, as on real processors',
  },
  {
    flags: '--disable-patching',
    text: "--patch upstream: gVisor's --systrap-disable-syscall-patching; with --restore, what is patched stays so",
  },
  {
    flags: '--root <DIR|TAR>',
    text: "the guest's /, read-only below a memory layer: a directory or a tar archive, plain, gzip or zstd (default: an empty tree holding only PROGRAM)",
  },
  {
    flags: '--bind <HOST:GUEST>',
    text: 'show one host file or directory to the guest; with :rw behind it the guest may write',
    repeats: true,
  },
  { flags: '--cwd <DIR>', text: "the guest's working directory (default: /)" },
  { flags: '--env <K=V>', text: 'set an environment variable; K alone copies it from here', repeats: true },
  { flags: '--argv0 <NAME>', text: 'argv[0] (default: PROGRAM as given)' },
  { flags: '--uid <N>', text: 'user and group of the guest', preset: '1000' },
  { flags: '--seed <N>', text: 'seed of everything random: schedule, getrandom, addresses', preset: '0' },
  { flags: '--wall-clock', text: "the guest's clocks follow the real ones" },
  { flags: '--aslr', text: 'programs lie at random addresses, taken from the seed, instead of always the same' },
  { flags: '--entropy', text: "the guest's random bytes come from this system" },
  { flags: '--memory <SIZE>', text: "the guest's memory, such as 512M or 2G", preset: '1G' },
  { flags: '--timeout <SEC>', text: 'end the run after this much real time, with status 124' },
  { flags: '--max-instructions <N>', text: 'end the run after this many instructions, with status 124' },
  { flags: '--strace', text: 'print system calls and signals to stderr as strace -f does' },
  { flags: '--strace-file <FILE>', text: 'the same into a file' },
  { flags: '--strace-times', text: 'with the columns of strace -ttt -T (virtual time)' },
  { flags: '--strace-format <NAME>', text: 'linux or gvisor', preset: 'linux' },
  { flags: '--strace-summary', text: 'print a table of system calls at the end, as strace -c does' },
  { flags: '--metrics <FILE>', text: 'write the figures of the run as one JSON object' },
  {
    flags: '--trace <FILE>',
    text: 'write the events of the run for Perfetto or chrome://tracing, or as they are to a FILE.ndjson',
  },
  {
    flags: '--html <FILE>',
    text: 'record the run, step by step, as a page of its own that opens from disk, or as it is to a FILE.json; neither with --checkpoint nor with --restore',
  },
  { flags: '--html-steps <N>', text: 'steps of such a recording at most (default: 20000)' },
  {
    flags: '--checkpoint <FILE>',
    text: 'save the whole machine to a file whenever SIGUSR1 comes; the run goes on',
  },
  { flags: '--checkpoint-at <N>', text: 'save it after so many instructions, too' },
  {
    flags: '--restore <FILE>',
    text: 'go on from such a file instead of starting PROGRAM; --root and --bind are given again, the rest is in the file; --patch off goes on without patches',
  },
  { flags: '--engine <NAME>', text: 'the processor emulator: unicorn', preset: 'unicorn' },
  { flags: '--log-level <LEVEL>', text: LOG_LEVELS.join(', '), preset: 'warn' },
  { flags: '--log-file <FILE>', text: 'write the log as JSON lines into a file (default: stderr)' },
];

/** `--strace-file` has the twin TRAPLINE_STRACE_FILE. */
function twin(flags: string): string {
  const name = /^--([a-z0-9-]+)/.exec(flags)?.[1] ?? '';
  return `TRAPLINE_${name.toUpperCase().replaceAll('-', '_')}`;
}

/** Environment twins of the options that take no value. */
export const RUN_SWITCH_VARIABLES: readonly string[] = ROWS.filter((row) => !row.flags.includes('<')).map((row) =>
  twin(row.flags),
);

/** What commander calls an option: `--max-instructions` is `maxInstructions`. */
function attribute(flags: string): string {
  const name = /^--([a-z0-9-]+)/.exec(flags)?.[1] ?? '';
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

const PRESETS = new Map(ROWS.map((row) => [attribute(row.flags), row.preset]));

/**
 * Declares the options on the `run` command.
 * @param only names of those that another command takes, too
 */
export function declareRunOptions(command: Command, only?: ReadonlySet<string>): void {
  for (const row of ROWS) {
    if (only !== undefined && !only.has(attribute(row.flags))) continue;
    const option = new Option(row.flags, row.text).env(twin(row.flags));
    if (row.preset !== undefined) option.default(row.preset);
    if (row.repeats === true) {
      option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
    }
    command.addOption(option);
  }
}

/** Options that --html excludes, and why. */
const NOT_RECORDED = [
  [
    'checkpoint',
    'what watches a recorded run is no part of a machine that can be saved; take the checkpoint without --html, it is the same run',
  ],
  [
    'restore',
    'a recording begins where its program does, which a checkpoint has behind it; record the run from its start',
  ],
] as const;

/**
 * Checks what was given.
 * @param isGiven by the name that commander gives an option: it is not its default that `raw` holds
 * @throws UsageError
 */
export function readRunOptions(raw: RawRunOptions, isGiven: (name: string) => boolean = () => true): RunOptions {
  const text = (name: string): string | undefined => (typeof raw[name] === 'string' ? raw[name] : undefined);
  const required = (name: string): string => text(name) ?? PRESETS.get(name) ?? '';
  const list = (name: string): readonly string[] => (Array.isArray(raw[name]) ? raw[name] : []);
  const on = (name: string): boolean => raw[name] === true;
  const memoryBytes = parseSize('--memory', required('memory'));
  if (memoryBytes < MIN_MEMORY || memoryBytes > MAX_MEMORY) {
    throw new UsageError(`--memory: ${required('memory')} is out of range; give 16M to 4G`);
  }
  const timeout = text('timeout');
  const maxInstructions = text('maxInstructions');
  const checkpointAt = text('checkpointAt');
  if (checkpointAt !== undefined && text('checkpoint') === undefined) {
    throw new UsageError('--checkpoint-at: say with --checkpoint FILE where to');
  }
  const htmlSteps = text('htmlSteps');
  if (htmlSteps !== undefined && text('html') === undefined) {
    throw new UsageError('--html-steps: say with --html FILE where the recording goes');
  }
  for (const [name, why] of NOT_RECORDED) {
    if (text('html') !== undefined && text(name) !== undefined) throw new UsageError(`--html: ${why}`);
  }
  const patch = parseChoice('--patch', required('patch'), PATCH_MODES);
  return {
    patch,
    upstream: parseChoice('--upstream', required('upstream'), UPSTREAM_VERSION_NAMES),
    stubPreemption: on('stubPreemption'),
    disablePatching: on('disablePatching'),
    engine: parseChoice('--engine', required('engine'), ENGINES),
    root: text('root'),
    binds: list('bind').map(parseBind),
    cwd: text('cwd'),
    env: readEnvironment(list('env')),
    argv0: text('argv0'),
    uid: parseCount('--uid', required('uid'), 0, MAX_UID),
    seed: parseCount('--seed', required('seed'), 0, Number.MAX_SAFE_INTEGER),
    wallClock: on('wallClock'),
    entropy: on('entropy'),
    aslr: on('aslr'),
    memoryBytes,
    timeoutSec: timeout === undefined ? undefined : parseSeconds('--timeout', timeout),
    maxInstructions:
      maxInstructions === undefined
        ? undefined
        : parseCount('--max-instructions', maxInstructions, 1, Number.MAX_SAFE_INTEGER),
    strace: on('strace'),
    straceFile: text('straceFile'),
    straceTimes: on('straceTimes'),
    straceFormat: parseChoice('--strace-format', required('straceFormat'), STRACE_FORMATS),
    straceSummary: on('straceSummary'),
    metrics: text('metrics'),
    trace: text('trace'),
    html: text('html'),
    htmlSteps: htmlSteps === undefined ? undefined : parseCount('--html-steps', htmlSteps, 1, MOST_STEPS),
    checkpoint: text('checkpoint'),
    checkpointAt:
      checkpointAt === undefined ? undefined : parseCount('--checkpoint-at', checkpointAt, 0, Number.MAX_SAFE_INTEGER),
    restore: text('restore'),
    givenPatch: text('patch') !== undefined && isGiven('patch') ? patch : undefined,
    logLevel: parseChoice('--log-level', required('logLevel'), LOG_LEVELS),
    logFile: text('logFile'),
  };
}

/** Options that mean nothing without another one: `upstream` stands for `--patch upstream`. */
const IDLE_WITHOUT: readonly (readonly [name: string, flag: string, needs: 'upstream' | 'strace'])[] = [
  ['upstream', '--upstream', 'upstream'],
  ['stubPreemption', '--stub-preemption', 'upstream'],
  ['disablePatching', '--disable-patching', 'upstream'],
  ['straceTimes', '--strace-times', 'strace'],
  ['straceFormat', '--strace-format', 'strace'],
];

/** Options that say how a machine is made, which a checkpoint does: its machine keeps what it has. */
const OF_NEW_MACHINES: readonly (readonly [name: string, flag: string])[] = [
  ['cwd', '--cwd'],
  ['env', '--env'],
  ['argv0', '--argv0'],
  ['uid', '--uid'],
  ['seed', '--seed'],
  ['memory', '--memory'],
  ['aslr', '--aslr'],
  ['wallClock', '--wall-clock'],
  ['entropy', '--entropy'],
  ['stubPreemption', '--stub-preemption'],
];

/**
 * Refuses what was asked for and would do nothing. Environment twins may stay set for runs that do not need them.
 * @param isTyped by the name that commander gives an option: it is on the command line
 * @throws UsageError
 */
export function refuseIdleOptions(options: RunOptions, isTyped: (name: string) => boolean): void {
  // The mode of a restored machine is in its file.
  const has = {
    upstream: options.patch === 'upstream' || options.restore !== undefined,
    strace: options.strace || options.straceFile !== undefined,
  };
  const words = { upstream: 'it is for --patch upstream', strace: 'it is for --strace or --strace-file FILE' };
  for (const [name, flag, needs] of IDLE_WITHOUT) {
    if (isTyped(name) && !has[needs]) throw new UsageError(`${flag}: ${words[needs]}, which is not given`);
  }
  if (options.restore === undefined) return;
  for (const [name, flag] of OF_NEW_MACHINES) {
    if (isTyped(name)) throw new UsageError(`${flag}: with --restore it is what the checkpoint says; leave it out`);
  }
}

/** `HOST:GUEST` or `HOST:GUEST:rw`. A host path with a colon cannot be written. */
function parseBind(text: string): Bind {
  const [host = '', guest = '', mode, ...rest] = text.split(':');
  const isValid =
    host !== '' && guest.startsWith('/') && rest.length === 0 && (mode === undefined || mode === 'rw' || mode === 'ro');
  if (!isValid) throw new UsageError(`--bind: "${text}" is not HOST:GUEST or HOST:GUEST:rw with an absolute GUEST`);
  return { host, guest, writable: mode === 'rw' };
}

/** The default environment with what was asked for on top; a name given twice keeps its first place. */
function readEnvironment(given: readonly string[]): string[] {
  const variables = new Map<string, string>();
  for (const entry of [...DEFAULT_ENVIRONMENT, ...given]) {
    const equals = entry.indexOf('=');
    const name = equals < 0 ? entry : entry.slice(0, equals);
    if (name === '' || entry.includes('\0')) throw new UsageError(`--env: "${entry}" is not K=V`);
    const value = equals < 0 ? process.env[name] : entry.slice(equals + 1);
    if (value !== undefined) variables.set(name, value);
  }
  return [...variables].map(([name, value]) => `${name}=${value}`);
}
