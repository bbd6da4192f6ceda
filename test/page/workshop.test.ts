// SPDX-License-Identifier: MIT
//
// The workshop's page in a real browser: recordings by name, the race laboratory with a server and without one, steps
// that are moved by keyboard and by pointer, the verdict book.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ServerProcess } from '../workshop/server-process.ts';
import { CHROMIUM, PageHarness, PHONE, PROJECTOR, type OpenPage } from './browser.ts';

/** In one word, as links have it. */
const SCHEDULE = (
  JSON.parse(readFileSync(new URL('../../src/workshop/lessons/recordings/recovery.json', import.meta.url), 'utf8')) as {
    race: { compactToken: string };
  }
).race.compactToken;

describe.skipIf(CHROMIUM === undefined)('The workshop without a server', () => {
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

  it('begins with what there is to do, by keyboard alone', async () => {
    opened = await harness.open('/');
    await opened.page.waitForSelector('.welcome ol button');
    expect(await opened.page.locator('.welcome ol button').count()).toBeGreaterThanOrEqual(9);
    await opened.page.getByRole('button', { name: 'Recordings' }).focus();
    await opened.press('Enter', 'ArrowDown', 'ArrowDown', 'Enter');
    await opened.page.waitForSelector('.pane-site');
    expect(await opened.page.evaluate(() => document.activeElement?.textContent)).toContain('Recordings');
    await opened.page.waitForFunction(() => location.hash.includes('rec='));
  });

  it('shows at once what it is about: the live decode, which can be stepped through', async () => {
    opened = await harness.open('/');
    await opened.ready('.picture .sheet');
    expect(await opened.page.locator('.picture tr.decode').count()).toBe(7);
    expect(await opened.text('.picture .is-here .meaning')).toBe('WRONG: other code');
    await opened.page.getByRole('button', { name: 'Next step' }).click();
    await opened.page.getByRole('button', { name: 'From the start' }).click();
    expect(await opened.text('.picture .is-here .meaning')).toBe('as in the program');
    await opened.page.getByRole('button', { name: 'Open this recording' }).click();
    await opened.page.waitForSelector('.is-flip');
  });

  it('says of a link to a recording that is not there what may be wrong', async () => {
    opened = await harness.open('/#s=v1;rec=gone;m=3');
    await opened.page.waitForSelector('.problem');
    expect(await opened.text('[role=alert]')).toContain('no recording named “gone”');
  });

  it('opens a link to a moment beside a lesson, and lets the lesson go on from there', async () => {
    opened = await harness.open('/#s=v1;lesson=recover;rec=patch;m=40;panes=site');
    const { page } = opened;
    await opened.ready('.column progress');
    expect(await page.inputValue('.moment input')).toBe('40');
    expect(await page.locator('.pane:not(.column)').count()).toBe(1);
    await page.getByRole('button', { name: 'Lessons' }).click();
    await page.getByRole('menuitemradio', { name: '1.' }).click();
    await page.waitForFunction(() => location.hash.includes('lesson=see-a-trap;rec=trap'));
  });

  it('answers what was recorded, and says plainly what needs a server', async () => {
    opened = await harness.open('/#s=v1;col=race');
    const { page } = opened;
    await page.waitForSelector('.lab-recorded');
    expect(await opened.text('.lab-status')).toContain('recorded answers');
    await page.getByRole('button', { name: 'Explore all orders' }).click();
    await page.waitForSelector('.answer-answered');
    expect(await opened.text('.answer')).toMatch(/^It fails, in \d/);
    await page.waitForSelector('.is-flip');
    await page.getByLabel('Fetch').selectOption('stale');
    await page.getByLabel('Placement').selectOption('page, k=3');
    await page.getByRole('button', { name: 'Explore all orders' }).click();
    await page.waitForSelector('.answer-refused');
    expect(await opened.text('.answer')).toContain('npx trapline workshop');
  });

  it.each([
    ['a damaged token', 'xr1.Ag Ac', /it is neither a token nor a question/],
    ['half a question', '{"kind":"race"}', /cannot be opened: .*scenario must be a text/],
    ['another question', '{"kind":"run","code":{"guest":"hello"},"mode":"off"}', /it asks for a run, which is no race/],
    ['anything', '<b>', /it is neither a token nor a question/],
    ['too much', 'x'.repeat(5000), /it has more than 4000 characters/],
  ])('says of a link with %s in place of a race what is wrong', async (_, race, sentence) => {
    opened = await harness.open(`/#s=v1;col=race;race=${encodeURIComponent(race)};m=3`);
    await opened.page.waitForSelector('.problem');
    expect(await opened.text('[role=alert]')).toMatch(sentence);
  });

  it('says of a link to a moved schedule that it needs a server', async () => {
    opened = await harness.open(`/#s=v1;race=${encodeURIComponent(SCHEDULE)};m=3`);
    await opened.page.waitForSelector('.answer-refused');
    expect(await opened.text('.answer')).toContain('npx trapline workshop');
  });

  it('works as one file from disk, lessons and all, with no request to anybody', async () => {
    opened = await harness.openFile(join(harness.folder, 'static.html'));
    const { page } = opened;
    await page.locator('.welcome ol button').first().click();
    await page.waitForSelector('.column h2');
    await page.getByRole('button', { name: 'Race lab' }).click();
    await page.getByRole('button', { name: 'Explore all orders' }).click();
    await page.waitForSelector('.answer-answered');
    expect(opened.requests.filter((url) => !url.startsWith('data:'))).toHaveLength(1);
  });

  it('gives axe nothing serious to find beside a race, at the start, and in the verdict book', async () => {
    for (const dark of [false, true]) {
      opened = await harness.open('/', { dark });
      await opened.page.waitForSelector('.welcome ol button');
      expect(await opened.axe()).toEqual([]);
      await opened.page.getByRole('button', { name: 'Lessons' }).click();
      expect(await opened.axe()).toEqual([]);
      await opened.close();
      opened = await harness.open('/#s=v1;rec=sample-race;m=3;col=race;panes=site,tasks', { dark });
      await opened.ready('.remedies');
      expect(await opened.axe()).toEqual([]);
      await opened.page.getByRole('tab', { name: 'Certainty' }).click();
      await opened.ready('.curve-frame canvas');
      expect(await opened.axe()).toEqual([]);
      await opened.page.getByRole('button', { name: 'Open the verdict book' }).click();
      expect(await opened.axe()).toEqual([]);
      if (!dark) await opened.close();
    }
  });

  it('fits a phone and a projector at its start', async () => {
    for (const viewport of [PROJECTOR, PHONE]) {
      opened = await harness.open('/', { viewport });
      await opened.ready('.picture .sheet');
      expect(await opened.cutOff()).toEqual([]);
      expect(await opened.overlaps()).toEqual([]);
      expect(await opened.scrolls()).toEqual([false, false]);
      if (viewport === PROJECTOR) await opened.close();
    }
  });

  it('fits a phone and a projector with a race beside the panes', async () => {
    for (const viewport of [undefined, PHONE]) {
      opened = await harness.open('/#s=v1;rec=sample-race;m=3;col=race;panes=site,tasks', {
        ...(viewport !== undefined && { viewport }),
      });
      await opened.page.waitForSelector('.remedies', { state: 'attached' });
      for (const name of viewport === undefined ? [''] : ['Race', 'Site', 'Tasks', 'Machine']) {
        if (name !== '') await opened.page.locator('.front-tabs').getByText(name, { exact: true }).click();
        await opened.ready('.panes');
        expect(await opened.cutOff(), name).toEqual([]);
        expect(await opened.overlaps(), name).toEqual([]);
        expect(await opened.scrolls()).toEqual([false, false]);
      }
      if (viewport === undefined) await opened.close();
    }
  });
});

describe.skipIf(CHROMIUM === undefined)('The race laboratory with a server', () => {
  let harness: PageHarness;
  let server: ServerProcess;
  beforeAll(async () => {
    harness = await PageHarness.start();
    // Nothing here ends by its time, however busy the machine is.
    server = await ServerProcess.start('--workers', '1', '--job-seconds', '600');
  });
  afterAll(async () => {
    await server?.stop('SIGKILL');
    await harness?.close();
  });

  const rows = (page: OpenPage['page']): Promise<string[]> => page.locator('.lane-row .lane-text').allInnerTexts();

  async function explored(): Promise<OpenPage> {
    const opened = await harness.open(`${server.url}/#s=v1;col=race;panes=site,tasks`);
    await opened.page.waitForSelector('.lab-server');
    await opened.page.getByRole('button', { name: 'Explore all orders' }).click();
    await opened.page.waitForSelector('.answer-answered');
    await opened.page.waitForSelector('.lane-row');
    return opened;
  }

  it('runs a schedule again whose failing step was moved by keyboard: nothing goes wrong any more', async () => {
    const opened = await explored();
    const { page } = opened;
    const before = await rows(page);
    const last = before.length - 1;
    await page.locator(`.lane-row[data-index="${last}"] button`).focus();
    await opened.press('Alt+ArrowUp');
    await page.waitForSelector(`.lane-row[data-index="${last - 1}"].is-moving`);
    await opened.press('Escape');
    expect(await rows(page)).toEqual(before);
    await page.waitForSelector(`.lane-row[data-index="${last}"] button:focus`);
    await opened.press('Alt+ArrowUp', 'Enter');
    await page.waitForSelector('.answer.is-good');
    expect(await opened.text('.answer')).toContain('nothing goes wrong');
    const after = await rows(page);
    expect(after.length).toBeGreaterThan(before.length);
    await opened.press('ArrowRight', 'ArrowRight');
    await page.waitForFunction(() => /;race=xr1.*;m=2;/.test(location.hash));
    const link = new URL(page.url()).hash;
    expect(link.length).toBeLessThan(500);
    const again = await harness.open(`${server.url}/${link}`);
    await again.page.waitForSelector('.answer.is-good');
    expect(await rows(again.page)).toEqual(after);
    expect(await again.page.inputValue('.moment input')).toBe('2');
    expect(await again.page.locator('.race-form').getByLabel('Stores').inputValue()).toBe('acb');
    expect(again.problems).toEqual([]);
    await again.close();
    const cut = await harness.open(`${server.url}/${link.replace(/(race=xr1[^;]{30})[^;]*/, '$1')}`);
    await cut.page.waitForSelector('.answer-refused');
    expect(await cut.text('.answer')).toMatch(/token/);
    expect(cut.problems).toEqual([]);
    await cut.close();
    await page.getByRole('button', { name: 'Back to what was explored' }).click();
    expect(await rows(page)).toEqual(before);
    expect(opened.problems).toEqual([]);
    await opened.close();
  });

  it('does the same by pointer, and offers what helps as buttons', async () => {
    const opened = await explored();
    const { page } = opened;
    const box = async (i: number): Promise<{ x: number; y: number }> =>
      (await page.locator(`.lane-row[data-index="${i}"] button`).boundingBox()) ?? { x: 0, y: 0 };
    const count = (await rows(page)).length;
    const [from, to] = [await box(count - 1), await box(count - 2)];
    await page.mouse.move(from.x + 20, from.y + 8);
    await page.mouse.down();
    await page.mouse.move(from.x + 20, to.y + 8, { steps: 6 });
    await page.mouse.up();
    await page.waitForSelector('.answer.is-good');
    await page.getByRole('button', { name: 'Back to what was explored' }).click();
    await page.locator('.remedies button').first().click();
    await page.waitForFunction(() => document.querySelector('.answer')?.textContent?.startsWith('It holds'));
    expect(await page.locator('.race-form').getByLabel('Stores').inputValue()).toBe('abc');
    expect(opened.problems).toEqual([]);
    await opened.close();
  });

  it('shows what could have come instead of a step, and puts it there', async () => {
    const opened = await explored();
    const { page } = opened;
    await opened.press('Home', 'ArrowRight', 'ArrowRight', 'ArrowRight');
    expect(await page.locator('.alternative').allInnerTexts()).toEqual(['T0 its next instruction']);
    await page.locator('button.alternative').click();
    await page.waitForSelector('.answer.is-good');
    expect((await rows(page)).slice(0, 4)).toEqual(['lock', '+5 ← 06', 'mov $0x27,%eax', expect.any(String)]);
    expect(opened.problems).toEqual([]);
    await opened.close();
  });

  it('opens an explored race, and which of its ways to fail, from its link', async () => {
    const opened = await harness.open(`${server.url}/#s=v1;col=race;panes=site,tasks`);
    const { page } = opened;
    await page.waitForSelector('.lab-server');
    await page.locator('.race-form').getByLabel('Stores').selectOption('cab');
    await page.getByRole('button', { name: 'Explore all orders' }).click();
    await page.waitForSelector('.answer-answered');
    await page.getByLabel('Recording of this file').selectOption('1');
    await opened.press('End');
    const shown = await rows(page);
    const moment = await page.inputValue('.moment input');
    await page.waitForFunction((m) => location.hash.includes(`i=1;m=${m};`), moment);
    const again = await harness.open(page.url());
    await again.page.waitForSelector('.answer-answered');
    await again.page.waitForFunction(
      (m) => document.querySelector<HTMLInputElement>('.moment input')?.value === m,
      moment,
    );
    expect(await rows(again.page)).toEqual(shown);
    await again.close();
    await opened.close();
  });

  it('runs a cell of the verdict book, with the verdict that the book has', async () => {
    const opened = await explored();
    const { page } = opened;
    await page.getByRole('button', { name: 'Open the verdict book' }).click();
    const cell = page.getByRole('button', { name: /^line: 6 bytes \| 1, torn-asc: fails/ });
    await cell.focus();
    expect(await opened.text('.book-line')).toMatch(/illegal decode|wrong/);
    await opened.press('Enter');
    await page.waitForFunction(() =>
      document.querySelector('.race-about')?.textContent?.includes('Stores in the order abc'),
    );
    expect(await opened.text('.answer')).toMatch(/^It fails/);
    await opened.press('End');
    expect(await page.locator('.fetched').count()).toBe(1);
    // The decode is the failing task's; memory has nothing wrong by now.
    const wrong = page.locator('.is-start .meaning-other, .is-start .meaning-no-instruction');
    expect(await wrong.count()).toBeGreaterThan(0);
    await page.getByLabel('Whose bytes are decoded').selectOption('always memory');
    expect(await wrong.count()).toBe(0);
    expect(opened.problems).toEqual([]);
    await opened.close();
  });
});
