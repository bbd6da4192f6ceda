// SPDX-License-Identifier: MIT
//
// The program laboratory without a server: what was recorded runs in every mode, by keyboard; what was not says that it
// needs a server; what is wrong with the code is said while it is typed.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EXAMPLES } from '../../src/workshop/lab/examples.ts';
import { ServerProcess } from '../workshop/server-process.ts';
import { CHROMIUM, PageHarness, PHONE, type OpenPage } from './browser.ts';

describe.skipIf(CHROMIUM === undefined)('The program laboratory', () => {
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

describe.skipIf(CHROMIUM === undefined)('The program laboratory with a server', () => {
  let harness: PageHarness;
  let server: ServerProcess;
  beforeAll(async () => {
    harness = await PageHarness.start();
    // Nothing here ends by its time, however busy the machine is.
    server = await ServerProcess.start('--workers', '1', '--job-seconds', '600');
  });
  afterAll(async () => {
    await server?.stop();
    await harness?.close();
  });

  async function open(hash: string): Promise<OpenPage> {
    const opened = await harness.open(`${server.url}/${hash}`);
    await opened.ready('.program-column .lab-server, .lesson .task');
    return opened;
  }

  async function runs(opened: OpenPage, source: string): Promise<string> {
    const { page } = opened;
    await page.fill('.program-column textarea', source);
    await page.click('.program-column .primary-button');
    await page.waitForSelector('.program-column .answer-answered, .program-column .answer-refused');
    return opened.text('.program-column .answer');
  }

  it('runs a program of one’s own, shows what it wrote, and every step', async () => {
    const opened = await open('#s=v1;col=program');
    const hello = EXAMPLES.find((example) => example.id === 'hello')?.source ?? '';
    expect(await runs(opened, hello.replace('hello', 'good morning'))).toBe('The program ended with status 0.');
    expect(await opened.text('.program-report')).toBe('good morning from the lab');
    expect(await opened.page.inputValue('.moment input')).toBe('0');
    expect(await runs(opened, 'ud2')).toMatch(/^The signal SIGILL ended the program after \d+ instructions\.$/);
    expect(opened.problems).toEqual([]);
    await opened.close();
  });

  it('ends what never ends, by itself and by a button', async () => {
    const opened = await open('#s=v1;col=program');
    const { page } = opened;
    expect(await runs(opened, 'a: jmp a')).toMatch(/^The program was ended after 2\d{7} instructions/);
    await page.selectOption('.program-column select >> nth=1', 'off');
    // However fast the run is, the page hears of it when the button was pressed.
    let release = (): void => {};
    const isPressed = new Promise<void>((done) => (release = done));
    await page.route('**/api/jobs/*', async (route) => {
      if (route.request().method() === 'GET') await isPressed;
      await route.continue();
    });
    await page.click('.program-column .primary-button');
    const cancelled = page.waitForRequest((request) => request.method() === 'DELETE');
    await page.click('.program-column .answer-busy + button');
    await cancelled;
    release();
    await page.waitForSelector('.program-column .answer-answered, .program-column .answer-refused');
    expect(opened.problems).toEqual([]);
    await opened.close();
  });

  it('judges a program of a lesson that nobody has recorded', async () => {
    const opened = await open('#s=v1;lesson=be-adversarial');
    const { page } = opened;
    const task = '.task[data-task="broken-program"]';
    const program = (value: string): string =>
      [
        '_start: mov $2,%ebx',
        'again: xor %r9d,%r9d',
        'mov $39,%eax',
        `movabs $${value},%r9`,
        'syscall',
        `movabs $${value},%rcx`,
        'cmp %rcx,%r9',
        'mov $1,%edi',
        'jne end',
        'dec %ebx',
        'jnz again',
        'xor %edi,%edi',
        'end: mov $231,%ecx',
        'mov %ecx,%eax',
        'syscall',
      ].join('\n');
    // The five bytes are there, but not with the number of the call: nothing is patched, and nothing differs.
    await page.fill(`${task} textarea`, program('0x28b8112233'));
    await page.click(`${task} .check-button`);
    await page.locator(`${task} .verdict .refused`, { hasText: 'ends in the same way' }).waitFor();
    await page.fill(`${task} textarea`, program('0x27b8112233'));
    await page.click(`${task} .check-button`);
    await page.waitForSelector(`${task}.is-done`);
    expect(opened.problems).toEqual([]);
    await opened.close();
  });
});
