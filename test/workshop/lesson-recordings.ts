// SPDX-License-Identifier: MIT
//
// Makes what the lessons show: recordings and recorded answers, by the real engine, through the code that the server's
// workers run. `npm run docs` writes them to src/workshop/lessons/recordings, and a test compares.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { Disassembler } from '../../src/isa/disassembler.ts';
import { DEFAULT_JOB_LIMITS } from '../../src/workshop/api.ts';
import type { JobRequest } from '../../src/workshop/api.ts';
import { EXAMPLES } from '../../src/workshop/lab/examples.ts';
import type { LessonSet } from '../../src/workshop/lessons/lesson-set.ts';
import type { RaceRequest, Task } from '../../src/workshop/lessons/lesson.ts';
import { checkRequest, labRequest } from '../../src/workshop/lessons/recorded-results.ts';
import type { RecordedResult, ResultsFile } from '../../src/workshop/lessons/recorded-results.ts';
import { executeJob } from '../../src/workshop/server/execute.ts';
import type { Execution, Laboratory } from '../../src/workshop/server/execute.ts';
import { committedLessons } from './lesson-files.ts';

/** No answer depends on how fast this machine is. */
const LIMITS = { ...DEFAULT_JOB_LIMITS, seconds: 600 };

/** Runs, by the names of their recordings. */
const RUNS: Readonly<Record<string, readonly [guest: string, mode: 'off' | 'upstream']>> = {
  trap: ['lesson-getpid', 'off'],
  patch: ['lesson-getpid', 'upstream'],
  int3: ['lesson-int3', 'off'],
  'shared-tail': ['g06-shared-tail', 'upstream'],
  crash: ['g08-false-mov', 'upstream'],
};

/** The recording `recovery` changes the schedule of this one: */
const RECOVERY_OF = 'race-abc-06';
/** A thread runs into the guard, waits for the patcher, and is sent back. */
const RECOVERY = 'T0:X P:lock P:+5 T0:X P:+1.4 P:+3.4 P:+0 P:unlock';

const ORDERS = ['abc', 'acb', 'bac', 'bca', 'cab', 'cba'];

/** A laboratory of this process, and what frees it. */
export function openLaboratory(root: string): { readonly laboratory: Laboratory; readonly close: () => void } {
  const disassembler = new Disassembler(createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86'));
  const laboratory: Laboratory = {
    openCpu: openUnicorn,
    disassembler: () => disassembler,
    guest: (name) => new Uint8Array(readFileSync(join(root, 'guests', 'bin', `${name}.elf`))),
  };
  return { laboratory, close: () => disassembler.dispose() };
}

/** The content of every file that is made, by its name in the folder of the lessons: for `npm run docs`. */
export async function lessonRecordings(root: string): Promise<Map<string, string>> {
  const { recordings, results } = await makeRecordings(root, () => true);
  const files = new Map([...recordings].map(([name, content]) => [`recordings/${name}.json`, content]));
  const file: ResultsFile = { format: 'trapline-lesson-results', version: 1, results };
  return files.set('results.json', `${JSON.stringify(file, undefined, 1)}\n`);
}

/** What was made: recordings by name, and answers in the order of the file. */
export interface MadeRecordings {
  readonly recordings: ReadonlyMap<string, string>;
  readonly results: readonly RecordedResult[];
}

/**
 * Makes recordings, and answers of those races that are wanted.
 * @param isWanted leaves out what takes long
 */
export async function makeRecordings(root: string, isWanted: (race: RaceRequest) => boolean): Promise<MadeRecordings> {
  const { laboratory, close } = openLaboratory(root);
  try {
    return await makeAll(committedLessons(root), isWanted, (request) => executeJob(request, LIMITS, laboratory));
  } finally {
    close();
  }
}

/** Races that are kept with what happened in them: the choices that people make first. */
export function isRecorded({ scenario, patch, protocol, model, guard }: RaceRequest): boolean {
  const isPlain = scenario === 'patch-vs-exec' && patch === 'upstream' && /^[abc]+$/.test(protocol);
  return (
    isPlain && (guard === 6 ? model === 'coherent' || model === 'torn-asc' : protocol === 'abc' && model === 'coherent')
  );
}

async function makeAll(
  { lessons }: LessonSet,
  isWanted: (race: RaceRequest) => boolean,
  execute: (request: JobRequest) => Promise<Execution>,
): Promise<MadeRecordings> {
  const tasks = lessons.flatMap((lesson) => lesson.tasks);
  const recordings = new Map<string, string>();
  const add = (name: string, recording: unknown): void => {
    recordings.set(name, `${JSON.stringify(recording)}\n`);
  };
  for (const [name, [guest, mode]] of Object.entries(RUNS)) {
    const record = { everyInstruction: true };
    add(name, (await execute({ kind: 'run', code: { guest }, mode, record })).recordings[0]);
  }
  const results: RecordedResult[] = [];
  for (const race of racesOf(tasks).filter(isWanted)) {
    const request = labRequest(race);
    const { outcome, recordings: made } = await execute(request);
    if (outcome.kind !== 'race') throw new Error('a race gives the outcome of a race');
    const fetch = race.model === 'coherent' ? '' : `-${race.model}`;
    const name = `race-${race.protocol}-${race.guard.toString(16).padStart(2, '0')}${fetch}`;
    const names = isRecorded(race) ? [name] : [];
    if (isRecorded(race)) add(name, made[0]);
    if (name === RECOVERY_OF && isRecorded(race)) add('recovery', await recovery(made[0], execute));
    const text = isRecorded(race) ? outcome.text : `${outcome.text.split('\n')[0] ?? ''}\n`;
    results.push({ request, outcome: { ...outcome, text, json: {} }, recordings: names });
  }
  for (const source of programsOf(tasks)) {
    const request = checkRequest(source);
    const { outcome } = await execute(request);
    if (outcome.kind !== 'check') throw new Error('a check gives the outcome of a check');
    results.push({ request, outcome: { ...outcome, json: {} }, recordings: [] });
  }
  for (const { id, source, isRecorded: isKept } of EXAMPLES) {
    if (!isKept) continue;
    const code = { asm: source };
    for (const mode of ['off', 'upstream', 'hardened'] as const) {
      const request: JobRequest = { kind: 'run', code, mode, record: { everyInstruction: true } };
      const { outcome, recordings: made } = await execute(request);
      add(`program-${id}-${mode}`, made[0]);
      results.push({ request, outcome, recordings: [`program-${id}-${mode}`] });
    }
    const request: JobRequest = { kind: 'check', code };
    const { outcome } = await execute(request);
    results.push({ request, outcome: outcome.kind === 'check' ? { ...outcome, json: {} } : outcome, recordings: [] });
  }
  return { recordings, results };
}

async function recovery(recording: unknown, execute: (request: JobRequest) => Promise<Execution>): Promise<unknown> {
  const { token } = (recording as { readonly race: { readonly token: string } }).race;
  const steps = RECOVERY.split(' ').map((step) => {
    const [actor = '', name = ''] = step.split(':');
    return { actor, name };
  });
  return (await execute({ kind: 'schedule', token, steps })).recordings[0];
}

/** Every race that a choice of the lessons can ask for, each once. */
export function racesOf(tasks: readonly Task[]): RaceRequest[] {
  const races = new Map<string, RaceRequest>();
  const add = (race: RaceRequest): void => {
    races.set(JSON.stringify(race), race);
  };
  for (const { goal } of tasks) {
    if (goal.kind === 'choice') for (const race of goal.options.flatMap((o) => o.races ?? [])) add(race);
    if (goal.kind !== 'order') continue;
    for (const model of goal.models)
      for (const guard of goal.guards)
        for (const protocol of ORDERS)
          add({ scenario: 'patch-vs-exec', patch: 'upstream', protocol, model, offset: 0, guard });
  }
  return [...races.values()];
}

/** Programs of lessons that only a run can judge. */
function programsOf(tasks: readonly Task[]): string[] {
  return tasks.flatMap(({ goal, solution, wrong }) => {
    if (goal.kind !== 'code' || goal.judge !== 'differs') return [];
    return [goal.start, solution, wrong].flatMap((a) =>
      typeof a === 'string' ? (a === 'goal' ? [] : [a]) : a.kind === 'code' ? [a.source] : [],
    );
  });
}
