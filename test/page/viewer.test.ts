// SPDX-License-Identifier: MIT
//
// The viewer in a real browser: one point in time, moved by keyboard, that every pane follows; links; what is read
// aloud; files that are damaged; nothing that overlaps or is cut off.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM, PageHarness, PHONE, PROJECTOR, type OpenPage } from './browser.ts';

const RECORDINGS = fileURLToPath(new URL('../../src/workshop/lessons/recordings/', import.meta.url));
const RUN = readFileSync(join(RECORDINGS, 'sample-run.json'), 'utf8');
const STEPS = (JSON.parse(RUN) as { steps: { kind: string }[] }).steps;

/** Moment after the first step of a kind. */
function momentOf(kind: string): number {
  return STEPS.findIndex((step) => step.kind === kind) + 1;
}

describe.skipIf(CHROMIUM === undefined)('The viewer', () => {
  let harness: PageHarness;
  let opened: OpenPage | undefined;
  beforeAll(async () => {
    harness = await PageHarness.start();
    harness.serve('/run.html', pageWith(RUN));
  });
  afterAll(() => harness?.close());
  afterEach(async () => {
    const problems = opened?.problems ?? [];
    await opened?.close();
    opened = undefined;
    expect(problems).toEqual([]);
  });

  /** What `--html FILE` makes: the template with a recording in it. */
  function pageWith(json: string): string {
    const template = readFileSync(join(harness.folder, 'viewer.html'), 'utf8');
    return template.replace(
      'id="trapline-recording"></',
      () => `id="trapline-recording">${json.replaceAll('<', '\\u003c')}</`,
    );
  }

  async function open(hash = '', options: Parameters<PageHarness['open']>[1] = {}): Promise<OpenPage> {
    opened = await harness.open(`/run.html${hash}`, options);
    await opened.ready('.panes');
    return opened;
  }

  const moment = async (page: OpenPage): Promise<string> => page.page.inputValue('.moment input');

  it('moves by keyboard, and all panes follow', async () => {
    const page = await open();
    expect(await moment(page)).toBe('0');
    await page.press('ArrowRight', 'ArrowRight', 'ArrowRight');
    expect(await moment(page)).toBe('3');
    expect(await page.text('.lane-row.is-current .lane-number')).toBe('3');
    await page.press('ArrowLeft');
    expect(await moment(page)).toBe('2');
    await page.press('Shift+ArrowRight');
    expect(await moment(page)).toBe('12');
    await page.press('End');
    expect(await moment(page)).toBe(String(STEPS.length));
    await page.press('ArrowRight');
    expect(await moment(page)).toBe(String(STEPS.length));
    await page.press('Home');
    expect(await moment(page)).toBe('0');
  });

  it('goes from event to event', async () => {
    const page = await open();
    const seen: string[] = [];
    for (let i = 0; i < 3; i++) {
      await page.press('n');
      seen.push(await moment(page));
    }
    expect(seen.map(Number)).toEqual([...seen.map(Number)].sort((a, b) => a - b));
    await page.press('p');
    expect(await moment(page)).toBe(seen[1]);
    await page.page.selectOption('.time-events select', 'patched');
    await page.press('Home');
    await page.page.locator('h1').click();
    await page.press('Home', 'n');
    expect(await moment(page)).toBe(String(momentOf('patched')));
  });

  it('plays by itself, and stops at the end', async () => {
    const page = await open(`#s=v1;m=${STEPS.length - 2}`);
    await page.page.selectOption('.speed', '20');
    await page.page.locator('h1').click();
    await page.press(' ');
    await page.page.waitForFunction(
      (last) => document.querySelector<HTMLInputElement>('.moment input')?.value === last,
      String(STEPS.length),
    );
    expect(await page.page.getAttribute('.time-buttons button:nth-child(3)', 'aria-label')).toBe('Play');
  });

  it('shows each store in the seven bytes, and the decode from every entry', async () => {
    const guard =
      STEPS.findIndex((step) => step.kind === 'store' && (step as { data?: { offset?: number } }).data?.offset === 5) +
      1;
    const page = await open(`#s=v1;m=${guard}`);
    const bytes = await page.page.locator('.bytes-now td:not(.note)').allInnerTexts();
    expect(bytes.map((text) => text.slice(0, 2))).toEqual(['b8', '27', '00', '00', '00', '06', '05']);
    expect(await page.page.locator('.bytes-now td.stored').count()).toBe(1);
    expect(await page.page.locator('tr.decode').count()).toBe(7);
    expect(await page.text('tr.decode:nth-of-type(7) .meaning')).toBe('faults, is sent back');
    expect(await page.text('.sentence')).toContain('guard byte');
    await page.press('End');
    expect((await page.page.locator('.bytes-now td:not(.note)').allInnerTexts()).slice(0, 3)).toEqual([
      'ff',
      '24',
      '25',
    ]);
    expect(await page.text('.decode-jump .meaning')).toBe('to the slot');
  });

  it('says what a step did in a region that screen readers follow', async () => {
    const page = await open();
    const before = await page.text('.sentence [aria-live=polite]');
    await page.press('ArrowRight');
    expect(await page.text('.sentence [aria-live=polite]')).not.toBe(before);
  });

  it('opens the same moment, panes and tabs from its own link', async () => {
    const page = await open();
    await page.press('n', 'n', '3');
    await page.page.getByRole('tab', { name: 'Registers' }).click();
    await page.page.waitForFunction(() => location.hash.includes('tasks=registers'));
    const link = new URL(page.page.url()).hash;
    const at = await moment(page);
    await page.close();
    const again = await open(link);
    expect(await moment(again)).toBe(at);
    expect(await again.page.locator('.pane').count()).toBe(2);
    expect(await again.page.getByRole('tab', { name: 'Registers' }).getAttribute('aria-selected')).toBe('true');
    await again.page.evaluate(() => {
      location.hash = '#s=v1;m=5';
    });
    await again.page.waitForFunction(() => document.querySelector<HTMLInputElement>('.moment input')?.value === '5');
  });

  it('opens a damaged link without a word', async () => {
    const page = await open('#s=v1;m=99999999;site=77;panes=;tasks=%ZZ;machine=nothing');
    expect(await moment(page)).toBe(String(STEPS.length));
  });

  it('opens every tab by arrows, also those whose library comes then', async () => {
    const page = await open('#s=v1;m=60');
    for (const list of ['tasks', 'machine']) {
      const tabs = page.page.locator(`[id^=${list}-tab-]`);
      await tabs.first().focus();
      const names = await tabs.allInnerTexts();
      for (const name of names) {
        expect(await page.page.locator(`[id^=${list}-tab-][aria-selected=true]`).innerText()).toBe(name);
        await page.ready(`#${list}-panel`);
        expect(
          (await page.text(`#${list}-panel`)).length +
            (await page.page.locator(`#${list}-panel canvas, #${list}-panel .xterm`).count()),
        ).toBeGreaterThan(0);
        await page.press('ArrowRight');
      }
    }
    expect(await page.page.locator('[id^=machine-tab-][aria-selected=true]').innerText()).toBe('Code');
  });

  it.each([
    ['Code', false, '.listing .cm-content'],
    ['Code', true, '.listing .cm-content'],
    ['Terminal', false, '.xterm-helper-textarea'],
    ['Terminal', true, '.xterm-helper-textarea'],
  ] as const)(
    'reaches every control by Tab, with %s open (dark: %s), and shows where the focus is',
    async (tab, dark, last) => {
      const page = await open(`#s=v1;m=20;machine=${tab === 'Code' ? 'table' : 'terminal'}`, { dark });
      const seen = new Set<string>();
      let isInside = false;
      let isOut = false;
      for (let i = 0; i < 200; i++) {
        await page.press('Tab');
        const at = await page.page.evaluate((inside) => {
          const element = document.activeElement as HTMLElement;
          // The frame of what scrolls, or cannot be seen itself, has the ring.
          const style = getComputedStyle(element.closest('.listing, .terminal-frame') ?? element);
          return {
            name: element.getAttribute('aria-label') ?? element.innerText,
            outline: style.outlineStyle,
            width: Number.parseInt(style.outlineWidth, 10),
            isBody: element === document.body,
            isInside: element.matches(inside),
          };
        }, last);
        isOut ||= at.isBody;
        if (isOut) break;
        expect(at.outline, at.name).not.toBe('none');
        expect(at.width, at.name).toBeGreaterThanOrEqual(2);
        seen.add(at.name.slice(0, 40));
        isInside ||= at.isInside;
      }
      expect({ isInside, isOut }).toEqual({ isInside: true, isOut: true });
      for (const name of ['One step forward', 'Moment', 'Site', 'Lanes', 'Keys'])
        expect([...seen].join('|')).toContain(name);
    },
  );

  it('takes a file, and says the sentence of the parser when it is damaged', async () => {
    const page = await open();
    const input = page.page.locator('input[type=file]');
    await input.setInputFiles({
      name: 'x.json',
      mimeType: 'application/json',
      buffer: Buffer.from('{"format":"trapline-recording","version":7}'),
    });
    await page.page.waitForSelector('.problem');
    expect(await page.text('[role=alert]')).toMatch(/cannot be opened\. .*version 7/);
    expect(await moment(page)).toBe('0');
    const race = readFileSync(join(RECORDINGS, 'sample-race.json'));
    await input.setInputFiles({ name: 'race.json', mimeType: 'application/json', buffer: race });
    await page.page.waitForSelector('.is-flip');
    expect(await page.page.locator('.problem').count()).toBe(0);
    const whole = Buffer.from(pageWith(RUN));
    await input.setInputFiles({ name: 'run.html', mimeType: 'text/html', buffer: whole });
    await page.page.waitForFunction(
      (last) => document.querySelector('.moment .muted')?.textContent === `of ${last}`,
      STEPS.length,
    );
  });

  it('takes a file that is dropped onto it', async () => {
    const page = await open();
    const data = await page.page.evaluateHandle(
      (json) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([json], 'race.json', { type: 'application/json' }));
        return transfer;
      },
      readFileSync(join(RECORDINGS, 'sample-race.json'), 'utf8'),
    );
    await page.page.dispatchEvent('body', 'dragover', { dataTransfer: data });
    await page.page.waitForSelector('.drop-here');
    await page.page.dispatchEvent('body', 'drop', { dataTransfer: data });
    await page.page.waitForSelector('.is-flip');
    expect(await page.page.locator('.drop-here').count()).toBe(0);
  });

  for (const [name, viewport] of [
    ['a projector', PROJECTOR],
    ['a phone', PHONE],
  ] as const) {
    it(`fits ${name} at every moment: nothing overlaps, is cut off, or scrolls with the page`, async () => {
      const page = await open('', { viewport });
      for (const at of [0, momentOf('patch-begin'), momentOf('store') + 3, momentOf('call'), STEPS.length]) {
        await page.page.evaluate((m) => {
          location.hash = `#s=v1;m=${m}`;
        }, at);
        await page.page.waitForFunction(
          (m) => document.querySelector<HTMLInputElement>('.moment input')?.value === String(m),
          at,
        );
        for (const pane of viewport === PHONE ? ['Site', 'Tasks', 'Machine'] : ['Site']) {
          if (viewport === PHONE) await page.page.locator('.front-tabs').getByText(pane).click();
          await page.ready('.panes');
          expect(await page.cutOff(), `${pane} at ${at}`).toEqual([]);
          expect(await page.overlaps(), `${pane} at ${at}`).toEqual([]);
          expect(await page.scrolls()).toEqual([false, false]);
        }
      }
    });

    it(`moves nothing but its content on ${name}`, async () => {
      const page = await open('', { viewport });
      const boxes = (): Promise<string> =>
        page.page.evaluate(() =>
          JSON.stringify(
            [
              ...document.querySelectorAll('.top, .time-bar, .sentence, .panes, .pane, .sheet, .step-changes, .tabs'),
            ].map((element) => {
              const { x, y, width, height } = element.getBoundingClientRect();
              return [element.className, Math.round(x), Math.round(y), Math.round(width), Math.round(height)];
            }),
          ),
        );
      const first = await boxes();
      for (let i = 0; i < 40; i++) {
        await page.press('ArrowRight');
        expect(await boxes(), `step ${i + 1}`).toBe(first);
      }
    });
  }

  for (const dark of [false, true]) {
    it(`gives axe nothing serious to find in ${dark ? 'dark' : 'light'} colours`, async () => {
      const page = await open(`#s=v1;m=${momentOf('store') + 2}`, { dark });
      expect(await page.axe()).toEqual([]);
      for (const name of ['Registers', 'Calls', 'Events', 'Cost', 'Maps', 'Terminal', 'About']) {
        await page.page.getByRole('tab', { name }).click();
        await page.ready('.panes');
        expect(await page.axe(), name).toEqual([]);
      }
      await page.press('?');
      expect(await page.axe()).toEqual([]);
    });
  }

  it('changes its colours by a switch, whatever the system says', async () => {
    const page = await open();
    const background = (): Promise<string> => page.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await background();
    await page.page.getByRole('button', { name: 'Use dark colours' }).click();
    expect(await background()).not.toBe(light);
    await page.page.getByRole('button', { name: 'Use light colours' }).click();
    expect(await background()).toBe(light);
  });
});
