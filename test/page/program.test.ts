// SPDX-License-Identifier: MIT
//
// The program laboratory without a server: what was recorded runs in every mode, by keyboard; what was not says that it
// needs a server; what is wrong with the code is said while it is typed.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EXAMPLES } from '../../src/workshop/lab/examples.ts';
import { CHROMIUM, PageHarness, PHONE, type OpenPage } from './browser.ts';

describe.skipIf(CHROMIUM === undefined)('The program laboratory', () => {
  let harness: PageHarness;
  let opened: OpenPage | undefined;
  beforeAll(async () => {
    harness = await PageHarness.start();
  });
  afterAll(() => harness?.close());
  afterEach(async () => {
    const problems = (opened?.problems ?? []).filter((problem) => !/404|api\/status/.test(problem));
    await opened?.close();
    opened = undefined;
    expect(problems).toEqual([]);
  });

  async function open(options: Parameters<PageHarness['open']>[1] = {}): Promise<OpenPage> {
    opened = await harness.open('/#s=v1;col=program', options);
    await opened.page.waitForSelector('.program-column');
    return opened;
  }

  const answer = (page: OpenPage, text: RegExp): Promise<unknown> =>
    page.page.waitForFunction(
      (wanted) => new RegExp(wanted).test(document.querySelector('.program-column .answer')?.textContent ?? ''),
      text.source,
    );

  it('runs what was recorded in every mode, and the panes show it', async () => {
    const page = await open();
    for (const example of EXAMPLES.filter((e) => e.isRecorded)) {
      await page.page.selectOption('.program-column select >> nth=0', example.id);
      for (const mode of ['off', 'upstream', 'hardened']) {
        await page.page.selectOption('.program-column select >> nth=1', mode);
        await page.page.focus('.program-column .primary-button');
        await page.press('Enter');
        await answer(page, /The program ended with status \d/);
        const status = await page.text('.program-column .answer');
        // The path that jumps to the other one's syscall gets getpid's result where gVisor's way is followed.
        const isWrong = example.id === 'shared-tail' && mode === 'upstream';
        expect([example.id, mode, status]).toEqual([
          example.id,
          mode,
          `The program ended with status ${isWrong ? 1 : 0}.`,
        ]);
        await page.page.waitForSelector('.panes .pane-site');
      }
    }
  });

  it('compares the modes', async () => {
    const page = await open();
    await page.page.selectOption('.program-column select >> nth=0', 'shared-tail');
    await page.page.focus('.program-buttons button >> nth=1');
    await page.press('Enter');
    await answer(page, /Patching changes what it does/);
    expect(await page.text('.program-report')).toContain('shared');
  });

  it('says what needs a server', async () => {
    const page = await open();
    await page.page.focus('.program-column textarea');
    await page.press('Control+A');
    await page.page.keyboard.insertText('mov $60,%eax\nxor %edi,%edi\nsyscall\n');
    await page.page.focus('.program-column .primary-button');
    await page.press('Enter');
    await answer(page, /not been recorded, and there is no server/);
  });

  it('says what is wrong with the code while it is typed, and does not run it', async () => {
    const page = await open();
    await page.page.focus('.program-column textarea');
    await page.press('Control+A');
    await page.page.keyboard.insertText('nop\n  moov $1,%eax\n');
    await page.page.waitForFunction(() =>
      document
        .querySelector('.program-source .refused')
        ?.textContent?.includes('Line 2, column 3: "moov" is no instruction'),
    );
    expect(await page.page.getAttribute('.program-column .primary-button', 'aria-disabled')).toBe('true');
    await page.page.check('.code-kinds input[value=bytes]');
    await page.page.fill('.program-column textarea', 'b8 2');
    await page.page.waitForSelector('.program-source .refused');
    await page.page.fill('.program-column textarea', '90');
    await page.page.waitForSelector('.program-source .muted');
  });

  it.each([
    ['on a projector', {}],
    ['in the dark', { dark: true }],
    ['on a phone', { viewport: PHONE }],
  ] as const)('%s axe finds nothing serious, and nothing is cut off', async (_, options) => {
    const page = await open(options);
    expect(await page.axe()).toEqual([]);
    expect(await page.cutOff()).toEqual([]);
    expect(await page.scrolls()).toEqual([false, false]);
  });
});
