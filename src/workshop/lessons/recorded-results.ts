// SPDX-License-Identifier: MIT
//
// Answers of the laboratory that were worked out before, on the real engine: with them the exercises go on where there
// is no server. results.json holds them; `npm run docs` makes it anew.

import { TraplineError } from '../../base/errors.ts';
import type { JobOutcome, JobRequest, Lab, LabResult, LabStatus, Observable } from '../api.ts';
import type { RaceRequest } from './lesson.ts';

/** One request with its answer. */
export interface RecordedResult {
  readonly request: JobRequest;
  readonly outcome: JobOutcome;
  /** Names of files of recordings/. */
  readonly recordings: readonly string[];
}

export interface ResultsFile {
  readonly format: 'trapline-lesson-results';
  readonly version: 1;
  readonly results: readonly RecordedResult[];
}

/** Where the lessons' table for a guard begins: its byte is the third of every slot's address. */
function tableOf(guard: number): number {
  return guard * 0x10000 + 0x1000;
}

/** The request that a lesson's race is. */
export function labRequest({ scenario, patch, protocol, model, offset, guard }: RaceRequest): JobRequest {
  return { kind: 'race', scenario, patch, protocol, model, offset, table: tableOf(guard) };
}

/** The request that asks whether patching changes a program. */
export function checkRequest(source: string): JobRequest {
  return { kind: 'check', code: { asm: source } };
}

/** Reads results.json. @throws TraplineError `LESSON_FILE` */
export function parseResults(value: unknown): ResultsFile {
  const file = value as Partial<ResultsFile> | null;
  if (file?.format !== 'trapline-lesson-results' || file.version !== 1 || !Array.isArray(file.results))
    throw new TraplineError('LESSON_FILE', 'results.json: is none of this version; make it anew with npm run docs');
  return file as ResultsFile;
}

/** What a request is found by: its fields in the order of their names, assembly without layout and comments. */
export function requestKey(request: JobRequest): string {
  return JSON.stringify(request, (name, value: unknown) => {
    if (name === 'asm' && typeof value === 'string') return value.replaceAll(/#.*/g, '').trim().split(/\s+/).join(' ');
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** What the recorded laboratory needs: files that are loaded when they are first asked for. */
export interface ResultLoader {
  results(): Promise<ResultsFile>;
  recording(name: string): Promise<unknown>;
}

/** A laboratory that knows what was recorded and says so where it does not. */
export class RecordedLab implements Lab {
  readonly status: Observable<LabStatus>;
  readonly #loader: ResultLoader;
  #known: Promise<ReadonlyMap<string, RecordedResult>> | undefined;

  constructor(loader: ResultLoader) {
    this.#loader = loader;
    const value: LabStatus = { kind: 'recorded' };
    this.status = {
      value,
      subscribe(callback) {
        callback(value);
        return () => {};
      },
    };
  }

  async submit(request: JobRequest): Promise<LabResult> {
    try {
      this.#known ??= this.#loader
        .results()
        .then((file) => new Map(file.results.map((r) => [requestKey(r.request), r])));
      const found = (await this.#known).get(requestKey(request));
      if (found === undefined) return { ok: false, reason: 'not-recorded', sentence: NOT_RECORDED };
      const recordings = await Promise.all(found.recordings.map((name) => this.#loader.recording(name)));
      return { ok: true, outcome: found.outcome, recordings };
    } catch (error) {
      this.#known = undefined;
      return { ok: false, reason: 'unreachable', sentence: `The recorded answers cannot be read: ${messageOf(error)}` };
    }
  }
}

const NOT_RECORDED =
  'This has not been recorded, and there is no server to run it. Start one with: npx trapline workshop';

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
