// SPDX-License-Identifier: MIT
//
// A lesson as plain text: takes one line after the other and gives back what is to be shown. Neither terminal nor pipe
// is known here; the texts, the goals and the sentence of each step are those of the page.

import { toHex } from '../../base/bytes.ts';
import { SITE_BYTES } from '../../isa/syscall-site.ts';
import { RecordingCursor } from '../../trace/recording/cursor.ts';
import type { Recording } from '../../trace/recording/format.ts';
import { stepSentence } from '../texts/step-sentence.ts';
import { cursorSteps } from './cursor-steps.ts';
import { judgeAttempt, taskRecording } from './judge.ts';
import type { JudgeTools, Judgement } from './judge.ts';
import { reasonText } from './lesson-set.ts';
import type { LessonSet, LessonView, TaskView } from './lesson-set.ts';
import type { Attempt, StepPattern } from './lesson.ts';
import { fillIn } from './lesson-texts.ts';
import type { Texts } from './lesson-texts.ts';
import { findStep } from './recorded-steps.ts';
import { wrapped } from './wrapped.ts';

/** What a line led to. */
export interface Shown {
  readonly text: string;
  /** Nothing more is taken. */
  readonly ended: boolean;
}

/** A lesson that is being worked on. */
export class TextLesson {
  readonly #lesson: LessonView;
  readonly #set: LessonSet;
  readonly #texts: Texts;
  readonly #tools: JudgeTools;
  #number = 0;
  #hints = 0;
  #cursor: RecordingCursor | undefined;
  /** Of the task that is shown. */
  #recording: Recording | undefined;
  readonly #answers: Record<string, Attempt> = {};
  /** The bytes of the site that were shown last. */
  #shownBytes = '';
  /** Lines of a program that is being typed. */
  #program: string[] | undefined;

  /** @param set all lessons; one that is not among them is somebody's own */
  constructor(lesson: LessonView, set: LessonSet, tools: JudgeTools) {
    this.#lesson = lesson;
    this.#set = set;
    this.#texts = set.texts;
    this.#tools = tools;
  }

  /** Whether all tasks are done. */
  get isDone(): boolean {
    return this.#number >= this.#lesson.tasks.length;
  }

  /** Keys that act at once where no line has been begun: none while a program is typed. */
  get keys(): string {
    const kind = this.#task?.goal.kind;
    if (this.#program !== undefined || kind === undefined || kind === 'code') return '';
    // An answer may begin with these letters: they are digits of bytes, and steps of an order.
    return kind === 'bytes' || kind === 'order' ? 'nphstlq' : 'npehstlq!';
  }

  get #task(): TaskView | undefined {
    return this.#lesson.tasks[this.#number];
  }

  /** Title, text and the first task. */
  async begin(): Promise<string> {
    return `${this.#intro()}\n${await this.#openTask()}`;
  }

  /** What may be typed now. */
  prompt(): string {
    const task = this.#task;
    return task === undefined ? '' : `[${this.#say(`terminal.prompt.${task.goal.kind}`)}] > `;
  }

  /** Takes one line. */
  async take(line: string): Promise<Shown> {
    const task = this.#task;
    if (task === undefined) return { text: '', ended: true };
    if (this.#program !== undefined) return this.#typeProgram(task, line);
    const text = line.trim();
    if (text === '') return shown('');
    if (text === 'q')
      return {
        text: `${this.#say('terminal.left', { number: this.#number + 1 })}\n`,
        ended: true,
      };
    const looked = this.#look(task, text);
    if (looked !== undefined) return shown(looked);
    if (task.goal.kind === 'code') {
      this.#program = [];
      return this.#typeProgram(task, line);
    }
    const attempt = this.#attempt(task, text);
    if (attempt === undefined) return shown(`${this.#say('terminal.again')}\n`);
    return this.#judge(task, attempt);
  }

  /** Everything at once, for pipes and printers: texts, tasks, and every step of the recordings. */
  async whole(): Promise<string> {
    const parts = [this.#intro()];
    const shownRecordings = new Set<string>();
    for (const [i, task] of this.#lesson.tasks.entries()) {
      parts.push(this.#taskText(task, i + 1));
      if (task.recording === undefined || shownRecordings.has(task.recording)) continue;
      shownRecordings.add(task.recording);
      this.#cursor = new RecordingCursor(await this.#tools.recording(task.recording));
      this.#shownBytes = '';
      parts.push(this.#stepsText());
    }
    return `${parts.join('\n')}\n`;
  }

  #intro(): string {
    const { number, minutes, texts } = this.#lesson;
    const { lessons } = this.#set;
    const isOwn = !lessons.includes(this.#lesson);
    const head = this.#say(isOwn ? 'lesson.own' : 'lesson.number', { number, count: lessons.length, minutes });
    const title = `${texts.title}\n${'='.repeat(texts.title.length)}`;
    return [head, '', title, '', wrapped(texts.concept), ...texts.text.map((p) => `\n${wrapped(p)}`), ''].join('\n');
  }

  #taskText(task: TaskView, number: number): string {
    const title = this.#say('task.title', { number, title: task.texts.title });
    const lines = [title, '-'.repeat(title.length), ...task.texts.text.map((p) => wrapped(p)), wrapped(task.texts.ask)];
    if (task.goal.kind === 'choice')
      lines.push(...task.goal.options.map((o, i) => wrapped(`${i + 1}) ${task.texts.options[o.id] ?? o.id}`, '   ')));
    if (task.goal.kind === 'bytes') lines.push(`   ${task.goal.start}`);
    if (task.goal.kind === 'order') {
      const [guard = 6] = task.goal.guards;
      lines.push(...['a', 'b', 'c'].map((s) => `   ${s}: ${this.#say(`order.step.${s}`, { guard: byteHex(guard) })}`));
      if (task.goal.guards.length > 1)
        lines.push(`   ${this.#say('order.guard')}: ${task.goal.guards.map(byteHex).join(' ')}`);
      lines.push(`   ${this.#say('order.model')}: ${task.goal.models.join(' ')}`);
    }
    if (task.goal.kind === 'code')
      lines.push(
        '',
        ...task.goal.start
          .trimEnd()
          .split('\n')
          .map((l) => `    ${l}`),
      );
    return `${lines.join('\n')}\n`;
  }

  /** The current task, with its recording at its start. */
  async #openTask(): Promise<string> {
    const task = this.#task;
    if (task === undefined) return '';
    this.#hints = 0;
    let step = '';
    const recording = await taskRecording(task, this.#answers, this.#tools);
    if (recording !== undefined && recording !== this.#recording) {
      this.#recording = recording;
      this.#open(recording, task.from);
      step = `\n${this.#stepText()}`;
    }
    const keys = task.goal.kind === 'code' ? '' : `${wrapped(this.#say('terminal.help'))}\n`;
    return `${this.#taskText(task, this.#number + 1)}${step}${keys}`;
  }

  #open(recording: Recording, from?: StepPattern): void {
    this.#cursor = new RecordingCursor(recording);
    const at = from === undefined ? undefined : findStep(cursorSteps(new RecordingCursor(recording)), from);
    if (at !== undefined) this.#cursor.goTo(at + 1);
    this.#shownBytes = '';
  }

  /** Keys that only look; undefined when the line is none. */
  #look(task: TaskView, text: string): string | undefined {
    const cursor = this.#cursor;
    const moment = cursor?.moment ?? 0;
    const isShort = this.keys.includes(text[0] ?? ' ') && text.length === 1;
    if (cursor !== undefined && isShort && 'npe'.includes(text)) {
      const to = text === 'n' ? moment + 1 : text === 'p' ? moment - 1 : cursor.eventFrom(moment, 1)?.at;
      cursor.goTo(to ?? cursor.length);
      return this.#stepText();
    }
    const jump = /^g\s*(\d{1,7})$/.exec(text);
    if (cursor !== undefined && jump !== null && task.goal.kind !== 'code') {
      cursor.goTo(Number(jump[1]));
      return this.#stepText();
    }
    if (text === 'h') return this.#hint(task);
    if (text === 's') return this.#solution(task);
    if (text === 't') return this.#taskText(task, this.#number + 1);
    if (text === 'l') return this.#intro();
    return undefined;
  }

  #hint(task: TaskView): string {
    const hint = task.texts.hints[this.#hints];
    if (hint === undefined) return `${this.#say('terminal.no-more-hints')}\n`;
    this.#hints++;
    return `${wrapped(`${this.#say('hint', { number: this.#hints, count: task.texts.hints.length })}: ${hint}`)}\n`;
  }

  #solution({ texts, solution }: TaskView): string {
    const source = typeof solution !== 'string' && solution.kind === 'code' ? `\n${solution.source}` : '';
    return `${wrapped(`${this.#say('solution')} ${texts.solution}`)}\n${source}`;
  }

  /** What a line means as an answer. */
  #attempt(task: TaskView, text: string): Attempt | undefined {
    switch (task.goal.kind) {
      case 'moment':
        return text === '!' ? { kind: 'moment', step: (this.#cursor?.moment ?? 0) - 1 } : undefined;
      case 'answer':
        return { kind: 'answer', text };
      case 'bytes':
        return /^([0-9a-f]{2}\s*)+$/i.test(text) ? { kind: 'bytes', bytes: text } : undefined;
      case 'choice': {
        const option = task.goal.options[Number(text) - 1];
        return option === undefined ? undefined : { kind: 'choice', option: option.id };
      }
      case 'order': {
        const [order = '', guard = '06', model = 'coherent'] = text.split(/\s+/);
        if (!/^[abc]{3}$/.test(order) || !/^[0-9a-f]{2}$/i.test(guard)) return undefined;
        return { kind: 'order', order, guard: Number.parseInt(guard, 16), model };
      }
      case 'code':
        return undefined;
    }
  }

  #typeProgram(task: TaskView, line: string): Promise<Shown> | Shown {
    if (line.trim() !== '.') {
      this.#program?.push(line);
      return shown('');
    }
    const source = `${(this.#program ?? []).join('\n')}\n`;
    this.#program = undefined;
    return this.#judge(task, { kind: 'code', source });
  }

  async #judge(task: TaskView, attempt: Attempt): Promise<Shown> {
    const judgement = await judgeAttempt(task, attempt, this.#tools, this.#answers);
    const { outcome, recordings } = judgement;
    const report = reportText(judgement);
    if (!outcome.reached) {
      const reason = wrapped(`${reasonText(outcome, task, this.#texts)} ${judgement.refusal ?? ''}`.trim());
      return shown(`${report}${reason}\n`);
    }
    const [recording] = recordings ?? [];
    if (recording !== undefined) {
      this.#recording = undefined;
      this.#open(recording);
    }
    this.#answers[task.id] = attempt;
    const done = wrapped(`${this.#say('reached')} ${task.texts.done}`);
    this.#number++;
    if (this.#task !== undefined) return shown(`${report}${done}\n\n${await this.#openTask()}`);
    const end = [done, '', this.#say('terminal.end'), wrapped(this.#lesson.texts.summary), this.#nextText()];
    return { text: `${report}${end.join('\n')}\n`, ended: true };
  }

  #nextText(): string {
    const { lessons } = this.#set;
    const at = lessons.indexOf(this.#lesson);
    const next = at < 0 ? undefined : lessons[at + 1];
    return next === undefined ? '' : this.#say('terminal.next', { number: next.number });
  }

  /** Every step, a sentence each. */
  #stepsText(): string {
    const cursor = this.#cursor;
    if (cursor === undefined) return '';
    const lines: string[] = [];
    for (let moment = 0; moment <= cursor.length; moment++) {
      cursor.goTo(moment);
      lines.push(this.#stepText());
    }
    return lines.join('');
  }

  /** The moment: who, what, why, and the site where its bytes have changed. */
  #stepText(): string {
    const cursor = this.#cursor;
    if (cursor === undefined) return '';
    const { moment, length, step, recording } = cursor;
    const { what, why } = stepSentence(cursor, moment);
    const who = step === undefined ? '' : `${recording.actors[step.actor]?.name ?? ''}  `;
    const code = step?.text === undefined ? '' : `${cursor.text(step.text)}`;
    const head = `${this.#say('terminal.step', { step: moment, count: length })}  ${who}${code}`.trimEnd();
    return `${[head, wrapped(`${what} ${why}`.trim(), '    '), ...this.#registers(), ...this.#siteLines()].join('\n')}\n`;
  }

  #registers(): string[] {
    const changes = this.#cursor?.step?.changes?.flatMap((c) => Object.entries(c.regs ?? {})) ?? [];
    return changes.length === 0 ? [] : [`    ${changes.map(([name, value]) => `${name}=${value}`).join(' ')}`];
  }

  /** The site that a step is about, when its bytes are not those that were shown last. */
  #siteLines(): string[] {
    const cursor = this.#cursor;
    const index = cursor?.step?.kind === 'store' || cursor?.moment === 0 ? siteOf(cursor) : undefined;
    const bytes = index === undefined ? null : (cursor?.siteBytes(index) ?? null);
    if (cursor === undefined || index === undefined || bytes === null) return [];
    const text = toHex(bytes.subarray(0, SITE_BYTES), ' ');
    if (text === this.#shownBytes) return [];
    this.#shownBytes = text;
    const entries = cursor.decode(index, bytes)?.entries ?? [];
    const rows = entries
      .filter(({ offset }) => offset === 0 || offset === 5)
      .map(({ offset, rows: found }) => `      +${offset}  ${found.map((row) => cursor.text(row[2])).join('; ')}`);
    return [`    ${text}`, ...rows];
  }

  #say(key: string, data: Readonly<Record<string, string | number>> = {}): string {
    return fillIn(this.#texts.labels[key] ?? key, data);
  }
}

/** The site that a store goes to; at the start the first one. */
function siteOf(cursor: RecordingCursor): number | undefined {
  const { sites } = cursor.recording;
  const stores = cursor.step?.stores;
  if (stores === undefined) return sites.length > 0 ? 0 : undefined;
  const found = sites.findIndex(({ address }) =>
    stores.some((s) => s.address < address + SITE_BYTES && s.address + s.bytes.length / 2 > address),
  );
  return found < 0 ? undefined : found;
}

function reportText({ report }: Judgement): string {
  return report === undefined ? '' : `\n${report.trimEnd()}\n\n`;
}

function shown(text: string): Shown {
  return { text, ended: false };
}

function byteHex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
