// SPDX-License-Identifier: MIT
//
// Each lesson from its start to its end in a real browser, by keyboard alone: the recorded wrong attempt is refused, the
// solution is taken, and the next lesson is offered.

import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { RecordingCursor } from '../../src/trace/recording/cursor.ts';
import type { Recording } from '../../src/trace/recording/format.ts';
import { cursorSteps } from '../../src/workshop/lessons/cursor-steps.ts';
import { readLessons } from '../../src/workshop/lessons/lesson-set.ts';
import type { TaskView } from '../../src/workshop/lessons/lesson-set.ts';
import type { Attempt, Goal } from '../../src/workshop/lessons/lesson.ts';
import { solutionOf } from '../../src/workshop/lessons/solutions.ts';
import { readLessonFolder } from '../../src/cli/lesson-files.ts';
import { CHROMIUM, PageHarness, PHONE, type OpenPage } from './browser.ts';

const files = readLessonFolder(fileURLToPath(new URL('../../src/workshop/lessons', import.meta.url)));
const { lessons } = readLessons(files);

function solution(task: TaskView): Attempt {
  const content = files.get(`recordings/${task.recording ?? ''}.json`);
  const recording = content === undefined ? undefined : (JSON.parse(content) as Recording);
  const found = solutionOf(task, recording && cursorSteps(new RecordingCursor(recording)));
  if (found === undefined) throw new Error(`${task.id} has no solution`);
  return found;
}

/** Somebody with a keyboard and nothing else. */
class Student {
  readonly opened: OpenPage;

  constructor(opened: OpenPage) {
    this.opened = opened;
  }

  /** Moves the focus to what a selector finds, by Tab. */
  async tabTo(selector: string): Promise<void> {
    const { page } = this.opened;
    for (let i = 0; i < 400; i++) {
      const isThere = await page.evaluate((wanted) => document.activeElement?.matches(wanted) === true, selector);
      if (isThere) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`Tab does not lead to ${selector}`);
  }

  async attempt({ id, goal }: TaskView, given: Attempt): Promise<void> {
    const { page } = this.opened;
    const task = `.task[data-task="${id}"]`;
    // The task before this one may have been done a moment ago.
    await this.opened.ready(task);
    switch (given.kind) {
      case 'moment':
        await this.tabTo(`${task} .check-button`);
        await this.goTo(given.step + 1);
        return page.keyboard.press('Enter');
      case 'answer':
        return this.type(`${task} input`, given.text);
      case 'bytes':
        return this.type(`${task} .bytes-input`, given.bytes);
      case 'choice':
        return this.choose(task, goal, given.option);
      case 'order':
        return this.order(task, given);
      case 'code':
        await this.tabTo(`${task} textarea`);
        await page.keyboard.press('Control+A');
        await page.keyboard.insertText(given.source);
        await this.tabTo(`${task} .check-button`);
        return page.keyboard.press('Enter');
    }
  }

  /** By the keys of the time bar, wherever the focus is. */
  async goTo(moment: number): Promise<void> {
    const { page } = this.opened;
    await page.keyboard.press('Home');
    for (let left = moment; left > 0; left -= left >= 10 ? 10 : 1)
      await page.keyboard.press(left >= 10 ? 'Shift+ArrowRight' : 'ArrowRight');
    expect(await page.inputValue('.moment input')).toBe(String(moment));
  }

  async type(selector: string, text: string): Promise<void> {
    const { page } = this.opened;
    await this.tabTo(selector);
    await page.keyboard.press('Control+A');
    await page.keyboard.type(text);
    await page.waitForSelector(`${selector.replace(/ [^ ]+$/, '')} .check-button:enabled`);
    await page.keyboard.press('Enter');
  }

  async choose(task: string, goal: Goal, option: string): Promise<void> {
    const { page } = this.opened;
    const options = goal.kind === 'choice' ? goal.options.map((o) => o.id) : [];
    await this.tabTo(`${task} input[type=radio]`);
    await page.keyboard.press('Space');
    const chosen = (): Promise<string> => page.inputValue(`${task} input[type=radio]:checked`);
    for (let i = 0; i < options.length && (await chosen()) !== option; i++) await page.keyboard.press('ArrowDown');
    expect(await chosen()).toBe(option);
    await page.keyboard.press('Enter');
  }

  async order(task: string, given: Extract<Attempt, { kind: 'order' }>): Promise<void> {
    const { page } = this.opened;
    const current = (): Promise<string[]> =>
      page.$$eval(`${task} [data-step]`, (items) => items.map((item) => item.getAttribute('data-step') ?? ''));
    for (const [i, step] of [...given.order].entries()) {
      for (;;) {
        const at = (await current()).indexOf(step);
        if (at <= i) break;
        await this.tabTo(`${task} [data-step="${step}"] [data-to="earlier"]`);
        await page.keyboard.press('Enter');
        await page.waitForFunction(
          ([wanted, before]) => document.querySelector(`${wanted}`)?.getAttribute('data-at') !== `${before}`,
          [`${task} [data-step="${step}"]`, at],
        );
      }
    }
    expect((await current()).join('')).toBe(given.order);
    if ((await page.$(`${task} select.mono`)) !== null) {
      await this.tabTo(`${task} select.mono`);
      await page.keyboard.type(given.guard.toString(16).padStart(2, '0'));
      expect(await page.inputValue(`${task} select.mono`)).toBe(String(given.guard));
    }
    await this.tabTo(`${task} .check-button`);
    await page.keyboard.press('Enter');
  }
}

describe.skipIf(CHROMIUM === undefined)('In the page', () => {
  let harness: PageHarness;
  let opened: OpenPage | undefined;
  beforeAll(async () => {
    harness = await PageHarness.start();
  });
  afterAll(() => harness?.close());
  afterEach(async () => {
    const problems = opened?.problems ?? [];
    await opened?.close();
    opened = undefined;
    expect(problems).toEqual([]);
  });

  async function open(id: string, options: Parameters<PageHarness['open']>[1] = {}): Promise<OpenPage> {
    opened = await harness.open(`/#s=v1;lesson=${id}`, options);
    await opened.ready('.lesson .task');
    return opened;
  }

  it.each(lessons)('lesson $number, $id, is done by keyboard, and wrong attempts are refused', async (lesson) => {
    const { page } = await open(lesson.id);
    const student = new Student(opened as OpenPage);
    for (const task of lesson.tasks) {
      const section = page.locator(`.task[data-task="${task.id}"]`);
      await student.attempt(task, task.wrong);
      await section.locator('.verdict .refused').waitFor();
      expect(await section.getAttribute('class')).not.toContain('is-done');
      await student.attempt(task, solution(task));
      await page.waitForSelector(`.task.is-done[data-task="${task.id}"]`);
      expect(await section.locator('.verdict .reached').innerText()).toContain(
        task.texts.done.replaceAll('`', '').slice(0, 30),
      );
    }
    await page.waitForSelector('.lesson-end');
    const next = lessons.find((l) => l.number === lesson.number + 1);
    if (next === undefined) return;
    await student.tabTo('.lesson-end .check-button');
    await page.keyboard.press('Enter');
    await page.waitForFunction(
      (title) => document.querySelector('.lesson h2')?.textContent === title,
      next.texts.title,
    );
  });

  it('what opens after an order was broken is that order, and its failing step is the right one', async () => {
    const { page } = await open('break-it');
    const student = new Student(opened as OpenPage);
    const [order, failing] = lessons[3]?.tasks ?? [];
    if (order === undefined || failing === undefined) throw new Error('the lesson has two tasks');
    const length = (steps: number): Promise<unknown> =>
      page.waitForFunction((n) => document.querySelector('.moment .muted')?.textContent === `of ${n}`, steps);
    await student.attempt(order, { kind: 'order', order: 'bac', guard: 6, model: 'coherent' });
    await length(11);
    // The last step of the order acb.
    await student.attempt(failing, { kind: 'moment', step: 3 });
    await page.locator('[data-task="failing-step"] .verdict .refused').waitFor();
    await student.attempt(failing, { kind: 'moment', step: 10 });
    await page.waitForSelector('[data-task="failing-step"].is-done');
    await length(4);
    expect(await page.inputValue('.moment input')).toBe('4');
  });

  it('what was done is kept, and can be begun anew', async () => {
    const { page } = await open('count-bytes');
    const student = new Student(opened as OpenPage);
    const [first] = lessons[1]?.tasks ?? [];
    if (first === undefined) throw new Error('the lesson has a task');
    await student.attempt(first, solution(first));
    await page.waitForSelector('.task.is-done');
    await page.reload();
    await page.waitForSelector('.task.is-done');
    await student.tabTo('.lesson > p:last-child button');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelector('.task.is-done') === null);
  });

  it('hints come one after the other, then the solution, and it leads to the moment', async () => {
    const { page } = await open('see-a-trap');
    const student = new Student(opened as OpenPage);
    const task = lessons[0]?.tasks[0];
    const hints = task?.texts.hints.length ?? 0;
    await student.tabTo('.task .help > button');
    for (let i = 1; i <= hints; i++) {
      await page.keyboard.press('Enter');
      await page.waitForFunction((n) => document.querySelectorAll('.task .hints li').length === n, i);
    }
    expect(await page.locator('.task .solution').count()).toBe(0);
    await page.keyboard.press('Enter');
    await page.waitForSelector('.task .solution');
    await student.tabTo('.task .help > button');
    await page.keyboard.press('Enter');
    await page.waitForFunction(
      () => (document.querySelector('.moment input') as HTMLInputElement | null)?.value === '6',
    );
  });

  it('a moment of another recording is not the one that is asked for', async () => {
    const { page } = await open('see-a-trap');
    await page.evaluate(() => {
      location.hash = '#s=v1;lesson=see-a-trap;rec=sample-run;m=6';
    });
    await page.waitForFunction(
      () => (document.querySelector('.moment input') as HTMLInputElement | null)?.value === '6',
    );
    await page.click('[data-task="first-trap"] .check-button');
    await page.locator('[data-task="first-trap"] .refused', { hasText: 'Another recording is open' }).waitFor();
    await page.locator('[data-task="first-trap"] button', { hasText: 'Open the recording' }).click();
    await page.waitForFunction(
      () => (document.querySelector('.moment input') as HTMLInputElement | null)?.value === '0',
    );
  });

  it('bytes are decoded from every entry offset while they are typed', async () => {
    const { page } = await open('patch-by-hand');
    const student = new Student(opened as OpenPage);
    const rows = (): Promise<string[]> =>
      page.$$eval('[data-task="guard-byte"] .entry-decode tr', (all) => all.map((row) => row.textContent ?? ''));
    expect(await rows()).toHaveLength(7);
    expect((await rows())[5]).toBe('+5syscall');
    await student.tabTo('[data-task="guard-byte"] .bytes-input');
    await page.keyboard.press('Control+A');
    await page.keyboard.type('b8 27 00 00 00 06 05');
    await page.waitForFunction(() =>
      document.querySelectorAll('[data-task="guard-byte"] .entry-decode tr')[5]?.textContent?.includes('fault'),
    );
    expect((await rows())[0]).toContain('mov $0x27,%eax');
    await page.keyboard.type(' x');
    await page.waitForSelector('[data-task="guard-byte"] .refused');
  });

  it('all of it works from a file of this disk, without any request', async () => {
    const url = pathToFileURL(join(harness.folder, 'static.html')).href;
    opened = await harness.open(`${url}#s=v1;lesson=count-bytes`);
    const { page } = opened;
    const student = new Student(opened);
    for (const task of lessons[1]?.tasks ?? []) {
      await student.attempt(task, solution(task));
      await page.waitForSelector(`.task.is-done[data-task="${task.id}"]`);
    }
    expect(opened.requests.filter((request) => !/^(file|data|blob):/.test(request))).toEqual([]);
  });

  it('a lesson that is done gives a line to hand in', async () => {
    const { page } = await open('break-it');
    const student = new Student(opened as OpenPage);
    for (const task of lessons[3]?.tasks ?? []) {
      await student.attempt(task, solution(task));
      await page.waitForSelector(`.task.is-done[data-task="${task.id}"]`);
    }
    await student.tabTo('.hand-in input');
    await page.keyboard.type('Ada Lovelace');
    await page.keyboard.press('Enter');
    const line = page.locator('.hand-in-line');
    await line.waitFor();
    expect(await line.innerText()).toMatch(/^TL1 break-it 3\/3 3 \d+ \S+Z Ada%20Lovelace c:[0-9a-f]{8}$/);
  });

  it.each([
    ['on a projector', {}],
    ['in the dark', { dark: true }],
    ['on a phone', { viewport: PHONE }],
  ] as const)('%s axe finds nothing serious, and nothing is cut off', async (_, options) => {
    for (const id of ['see-a-trap', 'patch-by-hand', 'fix-it', 'be-adversarial']) {
      const page = await open(id, options);
      expect(await page.axe()).toEqual([]);
      expect(await page.cutOff()).toEqual([]);
      expect((await page.scrolls())[0]).toBe(false);
      await page.close();
    }
  });
});
