// SPDX-License-Identifier: MIT
//
// Recordings, version 1: a run or a race as data that a page shows without knowing anything else. No sentence of any
// language is in one, only kinds and facts; README.md says how the parts belong together. cursor.ts walks one.

/** Raised by every change that an older reader would misunderstand. */
export const RECORDING_VERSION = 1;

/** The `format` of every recording. */
export const RECORDING_FORMAT = 'trapline-recording';

/** Steps of a recorded run unless more or fewer are asked for, and the most there can be. */
export const DEFAULT_STEPS = 20_000;
export const MOST_STEPS = 100_000;

/** Bytes as lower-case hex digits, two a byte, no spaces: `b8270000000f05`. */
export type Hex = string;

/** A 64-bit value as lower-case hex digits without prefix and leading zeros: `0`, `7fff`, `ffffffffffffffda`. */
export type Word = string;

/** A user-half address: at most 47 bits, so a number holds it exactly. */
export type Address = number;

/**
 * A moment: how many steps have been made. 0 is before the first, `steps.length` after the last. A fact "at" a moment
 * is there from this moment on, so `at - 1` is the index of the step that made it.
 */
export type Moment = number;

/** General registers, flags and segment bases in the order in which panes show them; `rip` is apart (see {@link ActorChange}). */
export const REGISTERS = [
  'rax',
  'rbx',
  'rcx',
  'rdx',
  'rsi',
  'rdi',
  'rbp',
  'rsp',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
  'rflags',
  'fsBase',
  'gsBase',
] as const;
export type RegisterName = (typeof REGISTERS)[number];

/**
 * What a step is.
 *
 * | kind | who | what happened | `data` |
 * |---|---|---|---|
 * | `instruction` | task | executed one instruction | `private`: how many more went by that nobody else can notice; races: `leadsTo`: the kernel's work that follows, `via`, `sysno`, `call`: the call that was served, `consequence` where it fails |
 * | `fetch` | task | its processor fetched a granule | `granule` |
 * | `skip` | task | executed what is not recorded one by one | `instructions`: how many |
 * | `trap` | task | a system call instruction stopped it (SIGSYS in life) | `sysno`, `name`, `site` |
 * | `call` | task | a patched call reached the Sentry through slot and stub | `sysno`, `name`, `site` |
 * | `served` | sentry | the call has its result, and the task goes on | `sysno`, `name`, `result` (signed), `via`; or none: it never returns |
 * | `rewind` | task | sent back to a site that was patched meanwhile | `site` |
 * | `fault` | task | an instruction faulted | `fault`: the stop's kind, such as `invalid-opcode`; `address`, `access` |
 * | `recover` | sentry | a fault at a guard was looked at | `outcome`: `restart`, `handle-as-syscall`, `not-ours`; `rax`, `site` |
 * | `patch-begin` | sentry | a trapped site is looked at | `site`, `sysno` |
 * | `patched` | sentry | the site is a jump now | `site`, `slot`, `index`, `sysno` |
 * | `refused` | sentry | the site was left alone | `site`, `rule`; `written`: stores that were made before one failed |
 * | `store` | sentry, or a task that patches | one machine store of the protocol | `what`: its step, as `step a`; `offset` in the site, where it lies in one |
 * | `load` | sentry, stub | a read of guest memory | `what`, `address`, `length`; `bytes`, or none when it cannot be read |
 * | `lock`, `unlock` | sentry | the table's lock | `exclusive` |
 * | `stop`, `resume` | sentry | all other tasks of the space stand still, and go on | |
 * | `sync` | sentry | every other processor serialises: what it fetched is gone | `what` |
 * | `record` | sentry | one of the Sentry's own notes of the table | `field`: `next` or `base`; `value`; `isWrite` |
 * | `table` | sentry | the trap table was looked for, mapped, or lost | `what`; `base` |
 * | `cow` | sentry | copy-on-write of the page: others serialise | |
 * | `map`, `unmap`, `protect` | task | changes mappings | `what` |
 * | `fork` | task | another task or space comes into being | `what`, `child`: actor |
 * | `signal` | task, sentry | a signal is posted, or taken | `signo`, `name`, `how`: `posted`, `delivered`, `ignored`, `fatal` |
 * | `handler` | sentry | the frame of a signal handler is on the stack | `signo`, `handler` |
 * | `sigreturn` | task | came back from a handler | |
 * | `exec` | task | the process runs another program | `path` |
 * | `start`, `exit` | task | a task exists; a task has ended | `parent`; `status` as wait(2) has it |
 * | `switch` | kernel | another task gets the processor | `from`, `to`: actors |
 * | `block`, `wake` | task | sleeps inside a call; is woken | `sysno`, `name` |
 * | `await`, `note` | any | waits for, or sets, something that a scenario keeps | `note`, `value` |
 * | `inject` | any | a step that is made to fail | |
 * | `other` | any | anything else; `text` says what | |
 */
export const STEP_KINDS = [
  'instruction',
  'fetch',
  'skip',
  'trap',
  'call',
  'served',
  'rewind',
  'fault',
  'recover',
  'patch-begin',
  'patched',
  'refused',
  'store',
  'load',
  'lock',
  'unlock',
  'stop',
  'resume',
  'sync',
  'record',
  'table',
  'cow',
  'map',
  'unmap',
  'protect',
  'fork',
  'signal',
  'handler',
  'sigreturn',
  'exec',
  'start',
  'exit',
  'switch',
  'block',
  'wake',
  'await',
  'note',
  'inject',
  'other',
] as const;
export type StepKind = (typeof STEP_KINDS)[number];

/** Where an instruction lies. */
export const PLACES = ['program', 'site', 'slot', 'stub', 'vdso'] as const;
export type Place = (typeof PLACES)[number];

/**
 * What an actor is doing.
 *
 * | state | |
 * |---|---|
 * | `unborn` | it does not exist yet |
 * | `user` | in its own code, or could be: it is runnable |
 * | `kernel` | the Sentry works for it |
 * | `waiting` | for the table's lock, or for a note of a scenario |
 * | `stopped` | another one made it stand still |
 * | `blocked` | asleep inside a system call |
 * | `ended` | it has done its part, or has exited |
 * | `failed` | what it has just done is the failure |
 */
export const ACTOR_STATES = ['unborn', 'user', 'kernel', 'waiting', 'stopped', 'blocked', 'ended', 'failed'] as const;
export type ActorStateName = (typeof ACTOR_STATES)[number];

/**
 * Fields of the record that GS points at, in the order of their offsets (gVisor's `struct sysmsg`): where the stub
 * finds its stack and the syshandler, and what the trampoline leaves there.
 */
export const RECORD_FIELDS = [
  'self',
  'retAddr',
  'syshandler',
  'syshandlerStack',
  'appStack',
  'interrupt',
  'state',
  'context',
] as const;
export type RecordField = (typeof RECORD_FIELDS)[number];

/** What can be jumped to. */
export const EVENT_KINDS = [
  'call',
  'patched',
  'refused',
  'restarted',
  'store',
  'signal',
  'output',
  'fault',
  'start',
  'exit',
  'exec',
  'table',
  'flip',
  'certain',
  'failure',
] as const;
export type EventKindName = (typeof EVENT_KINDS)[number];

/** What costs something on real hardware; the names of sandbox/cost-figures.ts. */
export const COST_EVENTS = ['native', 'ptrace', 'seccomp', 'userDispatch', 'patched', 'restart', 'fault'] as const;
export type CostEventName = (typeof COST_EVENTS)[number];

/** Facts of a step, by the names that {@link STEP_KINDS} gives; a page makes its sentences of these. */
export type Facts = Readonly<Record<string, string | number | boolean>>;

/** A task, or a part of the kernel. Its index in `actors` is how everything else names it. */
export interface Actor {
  /** `T0`, `P`; of a run `tid 1 hello`, and `sentry`. */
  readonly name: string;
  /** `patcher`: writes sites; the Sentry of a run. `kernel`: another part of it. */
  readonly role: 'task' | 'patcher' | 'kernel';
  /** Thread id; of tasks of a run. */
  readonly tid?: number;
  readonly tgid?: number;
}

/** Seven bytes that are, or look like, `mov $number,%eax; syscall`. */
export interface Site {
  /** A symbol and offset, or a name of the scenario, or `0x401005`. */
  readonly name: string;
  readonly space: number;
  readonly address: Address;
  /** The number in its immediate; null where the bytes are no site. */
  readonly sysno: number | null;
  /** Name of the call, such as `write`; absent where there is none. */
  readonly callName?: string;
  /** Of its first byte in the 64-byte line and in the page: what crosses which boundary follows from these. */
  readonly lineOffset: number;
  readonly pageOffset: number;
  /** Index of the region that holds its bytes, at least {@link DECODE_BYTES} of them from its first on where memory goes on. */
  readonly region: number;
  /** Bytes S-1 … S+6 as they were first seen; shorter where memory ends. */
  readonly before: Hex;
}

/** Bytes from a site's first on that decodes are made from: the seven, and what an instruction at +6 may reach. */
export const DECODE_BYTES = 22;

/** A piece of memory whose content is known at every moment. */
export interface Region {
  /** `text`: around a site. `table`: the table's header. `stack`: near a stack pointer. */
  readonly kind: 'text' | 'slot' | 'table' | 'stub' | 'stack' | 'data';
  readonly name: string;
  readonly space: number;
  readonly address: Address;
  /** Bytes. */
  readonly length: number;
  /** At moment 0; null: not there yet (see {@link Step.memory}). */
  readonly bytes: Hex | null;
  /** Text: the site that it surrounds. Slots: the site that jumps through it, where it is known. */
  readonly site?: number;
}

/** An instruction of a listing or of a decode: offset from the start, length, index into `texts`. */
export type InstructionRow = readonly [offset: number, length: number, text: number];

/** How some content of a region disassembles. Regions of kind `stack` and `data` have none. */
export interface Listing {
  readonly region: number;
  readonly bytes: Hex;
  readonly rows: readonly InstructionRow[];
}

/**
 * What a decode from one entry offset means.
 *
 * | meaning | |
 * |---|---|
 * | `as-before` | the same instructions as in the program's own bytes |
 * | `jump` | `jmp *slot`: into the trampoline |
 * | `guard` | nothing but a `mov` into eax, then the guard byte: #UD, and the fault handler sends the task on |
 * | `no-instruction` | #UD at once, where no recovery knows it |
 * | `other` | other instructions than the program has there: they would be executed |
 * | `cut` | the bytes end before the last instruction does |
 */
export const MEANINGS = ['as-before', 'jump', 'guard', 'no-instruction', 'other', 'cut'] as const;
export type Meaning = (typeof MEANINGS)[number];

/** The instructions that a processor finds when it begins at `offset` of a site. */
export interface EntryDecode {
  /** 0 … 6. */
  readonly offset: number;
  readonly meaning: Meaning;
  /** Offsets count from the site's first byte. At most until the seven bytes are passed. */
  readonly rows: readonly InstructionRow[];
}

/** The key picture: how some content of a site decodes from each entry offset. */
export interface Decode {
  readonly site: number;
  /** The content: {@link DECODE_BYTES} bytes from the site's first on, fewer where memory ends. */
  readonly bytes: Hex;
  /** Seven, for +0 … +6. */
  readonly entries: readonly EntryDecode[];
}

/** Bytes that a processor fetches at once, of those that may change: one line, or a smaller piece. */
export interface Granule {
  readonly address: Address;
  readonly length: number;
}

/** What a step changes of one actor; absent parts stay as they are. */
export interface ActorChange {
  /** Absent: the actor that makes the step. */
  readonly actor?: number;
  readonly state?: ActorStateName;
  readonly space?: number;
  /** Address of its next instruction. */
  readonly rip?: Address;
  readonly regs?: Readonly<Partial<Record<RegisterName, Word>>>;
  /** Fetch buffers by granule: bytes, or null: dropped. */
  readonly fetched?: readonly (readonly [granule: number, bytes: Hex | null])[];
  readonly record?: Readonly<Partial<Record<RecordField, Word>>>;
}

/** A store to memory. Where it touches regions, their content changes with it. */
export interface Store {
  readonly space: number;
  readonly address: Address;
  readonly bytes: Hex;
}

/** What the Sentry knows of an address space; absent parts stay as they are. */
export interface SpaceChange {
  readonly space: number;
  /** Start of the trap table, 0: none; the next unused slot, 0: before the first. */
  readonly base?: Address;
  readonly next?: number;
  readonly isLocked?: boolean;
  readonly readers?: number;
  readonly isStopped?: boolean;
}

/** One step: what leads from one moment to the next. */
export interface Step {
  /** Who makes it. */
  readonly actor: number;
  readonly kind: StepKind;
  /** Address of the instruction, or of the actor's next one. */
  readonly rip?: Address;
  /** Index into `texts`: the instruction as it was decoded, or a short technical name of the step. */
  readonly text?: number;
  readonly place?: Place;
  /** Races: the step's name in schedules and tokens, such as `X`, `F0`, `+5`, `lock`. */
  readonly name?: string;
  /** Bytes of the instruction as its processor saw them, where memory has others. */
  readonly seen?: Hex;
  readonly changes?: readonly ActorChange[];
  readonly stores?: readonly Store[];
  /** Regions that appear or vanish (null), or whose whole content is other now. */
  readonly memory?: readonly (readonly [region: number, bytes: Hex | null])[];
  readonly spaces?: readonly SpaceChange[];
  /** What this would cost on real hardware; figures are in `costs`. */
  readonly cost?: CostEventName;
  /** Races: share of all continuations that fail, from 0 to 1, after this step. */
  readonly share?: number;
  /** The step fails: it is the last one, and what it does is not in the state. */
  readonly fails?: true;
  /** Races: what could have been done instead here, as [actor, name of the step]. */
  readonly others?: readonly (readonly [actor: number, name: string])[];
  readonly data?: Facts;
}

/** A line of the system-call log. The line is `enter + exit`, as strace prints it. */
export interface CallLine {
  /** When it begins, and when it has its result: null where it has none. */
  readonly at: Moment;
  readonly end: Moment | null;
  readonly actor: number;
  readonly sysno: number;
  readonly name: string;
  /** `write(1, "hello\n", 6`, and `) = 6`; '' where there is none. */
  readonly enter: string;
  readonly exit: string;
  readonly via: 'trap' | 'trampoline' | 'restart';
  /** Address behind the instruction that made it. */
  readonly rip: Address;
  /** Index of the site, where it is one. */
  readonly site?: number;
}

/** Something to jump to. */
export interface Event {
  readonly at: Moment;
  readonly kind: EventKindName;
  readonly actor: number;
  /** Index into what the kind is about: `call` into `calls`, `output` into `output`, `patched` and `refused` into `sites`. */
  readonly index?: number;
  readonly data?: Facts;
}

/** Bytes that the guest wrote to the terminal. */
export interface Output {
  readonly at: Moment;
  /** 1 or 2. */
  readonly fd: 1 | 2;
  readonly bytes: Hex;
}

/** `/proc/self/maps` of an address space, from a moment on. */
export interface Maps {
  readonly at: Moment;
  readonly space: number;
  readonly text: string;
}

/** Nanoseconds of one event: least and most, and how they were got. */
export interface CostFigure {
  readonly low: number;
  readonly high: number;
  readonly how: string;
}

/** Figures of one source. */
export interface CostBasis {
  readonly name: string;
  /** Machine, method and document, in one sentence (of the measurement, not of the page). */
  readonly source: string;
  readonly figures: Readonly<Record<CostEventName, CostFigure>>;
}

/** Something that is not in the recording. */
export interface LeftOut {
  readonly what: 'steps' | 'instructions' | 'actors' | 'sites' | 'calls' | 'output' | 'maps' | 'events' | 'slots';
  /** How many; bytes for `output`. */
  readonly count: number;
  /** Since when. */
  readonly at: Moment;
}

/** How the recording was made. All of it can be shown; `command` makes it again. */
export interface Origin {
  /** `trapline run --patch upstream -- hello.elf`. */
  readonly command: string;
  /** Engine and version, e.g. `unicorn 2.1.4`. */
  readonly engine: string;
  readonly mode: 'off' | 'upstream' | 'hardened';
  /** `abc`, `acb`, …: the order of the stores. */
  readonly protocol: string;
  readonly seed: number;
}

/** What all recordings have. */
export interface RecordingBase {
  readonly format: typeof RECORDING_FORMAT;
  readonly version: typeof RECORDING_VERSION;
  readonly title: string;
  readonly origin: Origin;
  readonly actors: readonly Actor[];
  readonly sites: readonly Site[];
  readonly regions: readonly Region[];
  readonly granules: readonly Granule[];
  /** Instructions and names of steps, each once. */
  readonly texts: readonly string[];
  readonly listings: readonly Listing[];
  readonly decodes: readonly Decode[];
  /** The state at moment 0: one change for each actor, with everything; and one for each address space. */
  readonly start: { readonly actors: readonly ActorChange[]; readonly spaces: readonly SpaceChange[] };
  readonly steps: readonly Step[];
  readonly events: readonly Event[];
  readonly calls: readonly CallLine[];
  readonly output: readonly Output[];
  readonly maps: readonly Maps[];
  readonly costs: readonly CostBasis[];
  readonly leftOut: readonly LeftOut[];
}

/** How a run ended, and its figures (those of `--metrics`, without what depends on the host). */
export interface RunFacts {
  /** Guest path, and arguments; one character a byte. */
  readonly program: string;
  readonly argv: readonly string[];
  readonly exit: { readonly code: number } | { readonly signal: number };
  /** Which limit ended it, if one did. */
  readonly ended?: string;
  readonly instructions: number;
  readonly syscalls: number;
  readonly trapped: number;
  readonly patchedCalls: number;
  readonly restarted: number;
  readonly faults: number;
  readonly tasks: number;
  readonly signals: number;
  readonly slots: { readonly used: number; readonly capacity: number };
  readonly patched: readonly {
    readonly address: Address;
    readonly sysno: number;
    readonly slot: Address;
    readonly calls: number;
  }[];
  readonly refused: readonly {
    readonly address: Address;
    readonly bytes: Hex;
    readonly rule: string;
    readonly traps: number;
  }[];
}

/** A recorded run. */
export interface RunRecording extends RecordingBase {
  readonly kind: 'run';
  readonly run: RunFacts;
}

/** One way to fail. */
export interface RaceFailure {
  /** The same for every schedule that fails in the same way. */
  readonly signature: string;
  /** The report's line about it. */
  readonly text: string;
  /** The wrong decode in the report's words. */
  readonly explanation: string | null;
  readonly switches: number;
  readonly isMinimal: boolean;
  /** Indices of the two neighbouring steps whose exchange makes it pass. */
  readonly flip: readonly [number, number] | null;
  /** The first moment from which every continuation fails; null: not counted, or never before the end. */
  readonly certainAt: Moment | null;
  /** Share of all interleavings that fail; null: not counted. */
  readonly share: number | null;
}

/** What was explored, and what was found. */
export interface RaceFacts {
  readonly scenario: string;
  readonly promise: string;
  readonly patch: 'upstream' | 'hardened';
  readonly protocol: string;
  readonly model: {
    readonly name: string;
    readonly words: string;
    readonly granule: number;
    readonly grain: string;
    readonly atom: number;
    readonly returnBy: string;
  };
  readonly placement: {
    readonly offset: number;
    readonly atPageEnd: boolean;
    readonly startAt: number;
    readonly sysno: number;
    readonly table: Address;
    readonly threads: number;
  };
  /** `replayed`: this is one schedule, and nothing was explored. */
  readonly verdict: 'holds' | 'fails' | 'incomplete' | 'replayed';
  readonly complete: boolean;
  readonly states: number;
  readonly transitions: number;
  readonly schedules: number;
  readonly outcomes: readonly { readonly outcome: string; readonly count: number }[];
  /** Changes with which it holds, each explored: the report's words and the options that make it; null: not tried. */
  readonly passesWith: readonly { readonly text: string; readonly options: string }[] | null;
  /** How this schedule fails; null: it passes. */
  readonly failure: RaceFailure | null;
  /** This schedule as a token for `trapline replay`, and as one word. */
  readonly token: string;
  readonly compactToken: string;
  /** A changed schedule: steps of it that could not be made, and that were added to bring it to its end. */
  readonly skipped: number;
  readonly added: number;
}

/** One recorded schedule of a race. */
export interface RaceRecording extends RecordingBase {
  readonly kind: 'race';
  readonly race: RaceFacts;
}

export type Recording = RunRecording | RaceRecording;

/** Recordings in one file, at most. */
export const MOST_RECORDINGS = 64;

/** Several recordings in one file: the ways in which a race fails, each a tab. */
export interface RecordingSet {
  readonly format: typeof RECORDING_FORMAT;
  readonly version: typeof RECORDING_VERSION;
  readonly kind: 'set';
  readonly title: string;
  readonly recordings: readonly Recording[];
}
