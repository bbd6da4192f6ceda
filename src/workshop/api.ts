// SPDX-License-Identifier: MIT
//
// What the page and the server of the workshop say to each other, and the laboratory behind which the page does not see
// whether a server is there. Data only; api-requests.ts checks what comes from outside.

import type { RaceNames } from '../race/race-names.ts';

/** Raised when an older page and a newer server can no longer talk. */
export const API_VERSION = 1;

/** Paths of the interface. */
export const API = {
  status: '/api/status',
  jobs: '/api/jobs',
  handIn: '/api/hand-in',
  handInCheck: '/api/hand-in/check',
} as const;

/**
 * A student's program: machine code as hex digits, put where the lessons' guests lie; text for the lessons' assembler; or the
 * name of a guest that comes with Trapline (`guests/bin`, without `.elf`).
 */
export type GuestCode = { readonly bytes: string } | { readonly asm: string } | { readonly guest: string };

export type PatchModeName = 'off' | 'upstream' | 'hardened';

/** Runs a program on the real engine. */
export interface RunRequest {
  readonly kind: 'run';
  readonly code: GuestCode;
  readonly mode: PatchModeName;
  /** Which gVisor `mode: 'upstream'` is, as `trapline run --upstream`. */
  readonly upstream?: string;
  /** Single guards of the mode, switched on or off, by their names in src/usertrap/guards.ts. */
  readonly guards?: Readonly<Record<string, boolean>>;
  readonly scheduling?: {
    readonly seed?: number;
    /** The host may take the processor from a stub thread in the middle of a trampoline; `upstream` only. */
    readonly stubPreemption?: boolean;
  };
  readonly record?: {
    /** Every instruction is a step, instead of those around each site. */
    readonly everyInstruction?: boolean;
    /** Steps at most. */
    readonly steps?: number;
  };
  readonly limits?: {
    readonly instructions?: number;
  };
}

/** Explores a scenario. Its budget is never more than the server allows. */
export interface RaceRequest extends RaceNames {
  readonly kind: 'race';
}

/** One step of a schedule, by its names in the recording. */
export interface ScheduleStep {
  readonly actor: string;
  readonly name: string;
}

/** Replays a token's scenario with other steps; those that do not fit are left out. */
export interface ScheduleRequest {
  readonly kind: 'schedule';
  readonly token: string;
  /** All steps in their new order; the token's own when left out. */
  readonly steps?: readonly ScheduleStep[];
}

/** Compares the patch modes, as `trapline check`. */
export interface CheckRequest {
  readonly kind: 'check';
  readonly code: GuestCode;
}

export type JobRequest = RunRequest | RaceRequest | ScheduleRequest | CheckRequest;

/** Why a run ended, when not the guest decided. */
export type RunLimit = 'budget' | 'timeout' | 'output' | 'deadlock' | 'stopped';

/** What came of a run. */
export interface RunOutcome {
  readonly kind: 'run';
  readonly exit: { readonly code: number } | { readonly signal: number };
  /** The limit that ended it. */
  readonly ended?: RunLimit;
  /** What happened, in a sentence, when a limit or a signal ended it. */
  readonly sentence?: string;
  /** What it wrote to stdout and stderr, in order, as Latin-1; at most 64 KiB. */
  readonly output: string;
  /** Schema of `trapline run --metrics`, without `wallMs`. */
  readonly metrics: Readonly<Record<string, unknown>>;
}

/** What came of an exploration. */
export interface RaceOutcome {
  readonly kind: 'race';
  readonly verdict: 'holds' | 'fails' | 'incomplete';
  /** The report as `trapline race` prints it. */
  readonly text: string;
  /** Schema of `trapline race --json`. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** What came of a changed schedule. */
export interface ScheduleOutcome {
  readonly kind: 'schedule';
  readonly outcome: 'failed' | 'passed';
  /** The failure in words. */
  readonly failure: string | null;
  /** Steps that fit before the first that did not. */
  readonly fits: number;
  /** Why that one did not fit. */
  readonly problem: string | null;
  /** Steps that were left out. */
  readonly skipped: number;
  /** Steps that were added at the end, so that everybody comes to an end. */
  readonly added: number;
  /** Of the steps that were made. */
  readonly token: string;
}

export interface CheckOutcome {
  readonly kind: 'check';
  readonly verdict: 'same' | 'slower-only' | 'differs' | 'incomplete';
  /** The report as `trapline check` prints it. */
  readonly text: string;
  /** Schema of `trapline check --json`. */
  readonly json: Readonly<Record<string, unknown>>;
}

export type JobOutcome = RunOutcome | RaceOutcome | ScheduleOutcome | CheckOutcome;

/**
 * Why a request was not answered with an outcome.
 *
 * | reason | meaning |
 * |---|---|
 * | `request` | it is malformed, or names what is not there |
 * | `code` | the assembler does not take the program; `line` and `column` say where |
 * | `busy` | this student has a job already |
 * | `full` | too many jobs wait |
 * | `limit` | it took too long or too much and was ended |
 * | `crash` | the process that ran it ended; another has taken its place |
 * | `gone` | the result is no longer kept, or the server was started again |
 * | `unreachable` | there is no server, or it does not answer |
 * | `not-recorded` | only a server could answer this |
 * | `failed` | Trapline failed |
 */
export type FailureReason =
  'request' | 'code' | 'busy' | 'full' | 'limit' | 'crash' | 'gone' | 'unreachable' | 'not-recorded' | 'failed';

/** A refusal, a failure: what an answer with another status than 2xx holds. */
export interface Failed {
  readonly reason: FailureReason;
  /** What happened and what to do, for people. */
  readonly sentence: string;
  readonly line?: number;
  readonly column?: number;
}

/** How a job stands; `GET /api/jobs/ID?wait=SECONDS` answers when it changes. */
export type JobState =
  | { readonly state: 'queued'; /** 1: the next. */ readonly position: number }
  | { readonly state: 'running' }
  | {
      readonly state: 'done';
      readonly outcome: JobOutcome;
      /** Recordings as src/trace/recording defines them: a run's one, a race's failures or its sample path. */
      readonly recordings: readonly unknown[];
    }
  | ({ readonly state: 'failed' } & Failed);

/** `POST /api/jobs` answers 202 with this. */
export interface JobAccepted {
  readonly id: string;
  readonly state: 'queued' | 'running';
  readonly position: number;
}

/** `GET /api/status`. */
export interface ServerStatus {
  readonly version: number;
  /** Version of Trapline. */
  readonly trapline: string;
  readonly engine: string;
  readonly workers: number;
  readonly running: number;
  readonly waiting: number;
  /** Most that a job may ask for. */
  readonly limits: JobLimits;
  /** Hand-in lines of this server are signed with the class's key. */
  readonly signs: boolean;
}

/** Bounds of one job. */
export interface JobLimits {
  readonly instructions: number;
  /** Of real time. */
  readonly seconds: number;
  /** Of the guest's machine. */
  readonly memoryBytes: number;
  readonly outputBytes: number;
  /** Steps of a recording. */
  readonly steps: number;
  /** Bytes of an answer, recordings included. */
  readonly resultBytes: number;
  /** States of an exploration. */
  readonly states: number;
  readonly tasks: number;
}

export const DEFAULT_JOB_LIMITS: JobLimits = {
  instructions: 20_000_000,
  seconds: 10,
  memoryBytes: 16 * 2 ** 20,
  outputBytes: 64 * 2 ** 10,
  steps: 100_000,
  resultBytes: 24 * 2 ** 20,
  states: 300_000,
  tasks: 64,
};

/** `POST /api/hand-in`: what a line of text is made of; see hand-in.ts. */
export interface HandInRequest {
  readonly lesson: string;
  readonly steps: number;
  readonly seconds: number;
  readonly name: string;
  /** By task: what was right (`Attempt` of lessons/lesson.ts). The server judges it again and counts what it finds right. */
  readonly answers: Readonly<Record<string, unknown>>;
}

// The laboratory.

/** A value that changes; signals of Preact are such. */
export interface Observable<T> {
  readonly value: T;
  /** Calls back now and at each change. @returns ends it */
  subscribe(callback: (value: T) => void): () => void;
}

/** Where a laboratory stands. */
export type LabStatus =
  /** Nobody has asked yet. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'server'; readonly status: ServerStatus }
  /** Answers come from results that were recorded before. */
  | { readonly kind: 'recorded' }
  /** There was a server, and it no longer answers; recordings still play. */
  | { readonly kind: 'lost' };

export type LabResult =
  | { readonly ok: true; readonly outcome: JobOutcome; readonly recordings: readonly unknown[] }
  | ({ readonly ok: false } & Failed);

export interface SubmitOptions {
  /** Hears of each place in the queue, and of the start. */
  readonly onProgress?: (
    state: { readonly state: 'queued'; readonly position: number } | { readonly state: 'running' },
  ) => void;
  /** Ends the job. */
  readonly signal?: AbortSignal;
}

/** Answers requests: a server does (page/server-lab.ts), or recorded results do. Never rejects. */
export interface Lab {
  readonly status: Observable<LabStatus>;
  submit(request: JobRequest, options?: SubmitOptions): Promise<LabResult>;
}
