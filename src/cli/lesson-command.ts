// SPDX-License-Identifier: MIT
//
// `trapline lesson`: the workshop's lessons as plain text. At a terminal single keys act at once; from a pipe every line
// is a command; where the output is no terminal the whole lesson is printed.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { openUnicorn } from '../cpu/unicorn/index.ts';
import { packageFolder } from '../cpu/unicorn/setup/index.ts';
import { Disassembler } from '../isa/disassembler.ts';
import type { Recording } from '../trace/recording/format.ts';
import { DEFAULT_JOB_LIMITS } from '../workshop/api.ts';
import type { JobRequest, LabResult } from '../workshop/api.ts';
import { decodeWith } from '../workshop/lessons/judge.ts';
import type { JudgeTools } from '../workshop/lessons/judge.ts';
import { parseJsonFile } from '../workshop/lessons/json-reader.ts';
import { lessonView, readLessons } from '../workshop/lessons/lesson-set.ts';
import type { LessonSet, LessonView } from '../workshop/lessons/lesson-set.ts';
import { readLessonTexts } from '../workshop/lessons/lesson-texts.ts';
import { parseResults, RecordedLab } from '../workshop/lessons/recorded-results.ts';
import { parseLesson } from '../workshop/lessons/schema.ts';
import { TextLesson } from '../workshop/lessons/text-lesson.ts';
import { executeJob } from '../workshop/server/execute.ts';
import { failureOf } from '../workshop/server/failure.ts';
import { LessonTerminal } from './lesson-terminal.ts';
import { readLessonFolder } from './lesson-files.ts';
import { tryReadFile } from './input-file.ts';
import { writeToStdout } from './output-file.ts';
import { UsageError } from './usage-error.ts';

/** More is no lesson. */
const LARGEST_LESSON = 4 * 2 ** 20;

/** Options as the command line has them. */
export interface RawLessonOptions {
  readonly list?: boolean;
  readonly print?: boolean;
}

/**
 * Gives the exit status: 0, or 1 when the commands of a pipe do not reach every goal.
 * @param which a number, a name, or a file
 */
export async function lessonCommand(which: string | undefined, options: RawLessonOptions): Promise<number> {
  const files = readLessonFolder();
  const set = readLessons(files);
  if (options.list === true || which === undefined) {
    writeToStdout(listText(set));
    return 0;
  }
  const lesson = findLesson(set, which);
  const disassembler = new Disassembler(createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86'));
  try {
    const player = new TextLesson(lesson, set, judgeTools(files, disassembler));
    const isTalk = process.stdin.isTTY === true && process.stdout.isTTY === true;
    if (options.print === true || (!isTalk && process.stdin.isTTY === true)) {
      writeToStdout(await player.whole());
      return 0;
    }
    if (isTalk) {
      await new LessonTerminal(player).run();
      return 0;
    }
    return await answerLines(player);
  } finally {
    disassembler.dispose();
  }
}

function listText({ lessons }: LessonSet): string {
  const rows = lessons.map(({ number, id, minutes, texts }) =>
    [String(number).padStart(2), id.padEnd(16), `${String(minutes).padStart(2)} min`, texts.concept].join('  '),
  );
  return `${rows.join('\n')}\n`;
}

function findLesson(set: LessonSet, which: string): LessonView {
  const found = set.lessons.find((lesson) => String(lesson.number) === which || lesson.id === which);
  if (found !== undefined) return found;
  if (which.endsWith('.json')) return ownLesson(which);
  const last = set.lessons.at(-1)?.number ?? 0;
  throw new UsageError(
    `there is no lesson "${which}"; use 1 to ${last}, a name of trapline lesson --list, or a file .json`,
  );
}

/** A teacher's own: the lesson's file with its texts in it. */
function ownLesson(path: string): LessonView {
  const bytes = tryReadFile(path, LARGEST_LESSON);
  if (typeof bytes === 'string') throw new UsageError(`${path}: ${bytes}`);
  const text = new TextDecoder().decode(bytes);
  const file = basename(path);
  const { texts, ...lesson } = parseJsonFile(file, text).object((fields) => {
    const own = fields.need('texts');
    const rest = Object.fromEntries(fields.names().map((name) => [name, fields.need(name).value]));
    return { texts: readLessonTexts(own), ...rest };
  });
  return lessonView(file, parseLesson(file, JSON.stringify(lesson)), texts);
}

function judgeTools(files: ReadonlyMap<string, string>, disassembler: Disassembler): JudgeTools {
  const read = new Map<string, Recording>();
  const recording = async (name: string): Promise<Recording> => {
    const content = files.get(`recordings/${name}.json`);
    if (content === undefined) throw new UsageError(`there is no recording "${name}" among those of the lessons`);
    const found = read.get(name) ?? (JSON.parse(content) as Recording);
    read.set(name, found);
    return found;
  };
  const recorded = new RecordedLab({
    results: async () => parseResults(JSON.parse(files.get('results.json') ?? 'null')),
    recording,
  });
  return {
    recording,
    decoder: async () => decodeWith(disassembler),
    async ask(request) {
      const answer = await recorded.submit(request);
      return answer.ok ? answer : runHere(request, disassembler);
    },
  };
}

/** What was not recorded runs on this machine's engine. */
async function runHere(request: JobRequest, disassembler: Disassembler): Promise<LabResult> {
  const guest = (name: string): Uint8Array =>
    new Uint8Array(readFileSync(join(packageFolder(), 'guests', 'bin', `${basename(name)}.elf`)));
  try {
    const laboratory = { openCpu: openUnicorn, disassembler: () => disassembler, guest };
    return { ok: true, ...(await executeJob(request, DEFAULT_JOB_LIMITS, laboratory)) };
  } catch (error) {
    return { ok: false, ...failureOf(error) };
  }
}

/** Every line of the input is a command; without any, the whole lesson. */
async function answerLines(player: TextLesson): Promise<number> {
  let hasBegun = false;
  for await (const line of createInterface({ input: process.stdin })) {
    if (!hasBegun && line.trim() === '') continue;
    if (!hasBegun) writeToStdout(await player.begin());
    hasBegun = true;
    const { text, ended } = await player.take(line);
    writeToStdout(text);
    if (ended) break;
  }
  if (!hasBegun) writeToStdout(await player.whole());
  return !hasBegun || player.isDone ? 0 : 1;
}
