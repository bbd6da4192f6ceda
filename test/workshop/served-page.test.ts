// SPDX-License-Identifier: MIT
//
// The page in Chromium on the real server: under its policy, with its cookie, and when the server goes away.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM, PageHarness } from '../page/browser.ts';
import { ServerProcess } from './server-process.ts';

describe.runIf(CHROMIUM !== undefined)('the page on its server', () => {
  let harness: PageHarness;
  let server: ServerProcess;
  let folder = '';

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-served-'));
    harness = await PageHarness.start();
    // Nothing here ends by its time, however busy the machine is.
    const patient = ['--workers', '1', '--job-seconds', '600'];
    server = await ServerProcess.start(...patient, '--class-key', join(folder, 'key'));
  });
  afterAll(async () => {
    await server.stop('SIGKILL');
    await harness.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    ['/', '.welcome ol button'],
    ['/#s=v1;lesson=see-a-trap', '.lesson .task'],
    ['/#s=v1;rec=patch;machine=terminal', '.xterm'],
    ['/#s=v1;lesson=be-adversarial', '.lesson .task'],
    ['/#s=v1;col=race;rec=sample-race;tasks=curve', '.lab-server'],
    ['/check', '[role=status]:not(:empty)'],
    ['/slides.html', 'h1'],
  ])('breaks no rule of its policy at %s', async (path, last) => {
    const opened = await harness.open(server.url + path);
    await opened.ready(last);
    expect(opened.problems).toEqual([]);
    expect(opened.requests.filter((url) => !url.startsWith(server.url) && !url.startsWith('data:'))).toEqual([]);
    await opened.close();
  });

  it('may not be framed by another page, nor be asked by one', async () => {
    harness.serve('/evil.html', `<!doctype html><iframe src="${server.url}/"></iframe>`);
    const opened = await harness.open('/evil.html');
    const frame = opened.page.frames().find((one) => one !== opened.page.mainFrame());
    const framed = await frame?.evaluate<string>('document.body.innerText').catch(() => '');
    expect(framed ?? '').not.toMatch(/Trapline/);
    const answer = await opened.page.evaluate(async (url) => {
      const attempts = await Promise.allSettled([
        fetch(`${url}/api/status`),
        fetch(`${url}/api/jobs`, { method: 'POST', body: '{"kind":"check","code":{"guest":"hello"}}' }),
        fetch(`${url}/api/jobs`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }),
        fetch(`${url}/api/status`, { mode: 'no-cors', credentials: 'include' }).then((r) => r.type),
      ]);
      return attempts.map((one) => one.status);
    }, server.url);
    expect(answer.slice(0, 3)).toEqual(['rejected', 'rejected', 'rejected']);
    await opened.close();
  });

  it('checks signed lines with the key that it does not have', async () => {
    const opened = await harness.open(`${server.url}/check`);
    const { page } = opened;
    await page.locator('[role=status]', { hasText: 'class key' }).waitFor();
    const line = await page.evaluate(async () => {
      const response = await fetch('/api/hand-in', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ lesson: 'break-it', steps: 4, seconds: 61, name: 'Ada', answers: {} }),
      });
      return ((await response.json()) as { line: string }).line;
    });
    await page.fill('textarea', `${line}\n${line.replace(' 4 ', ' 5 ')}`);
    await page.click('button');
    await page.waitForSelector('tbody tr');
    const rows = await page.locator('tbody tr').allInnerTexts();
    expect(rows[0]).toMatch(/^signed: this class/);
    expect(rows[1]).toMatch(/^WRONG/);
    await opened.close();
  });

  it("runs a student's own program and opens its recording; one that never ends is ended with a sentence", async () => {
    const opened = await harness.open(`${server.url}/#s=v1;col=program`);
    const { page } = opened;
    await page.waitForSelector('.lab-server');
    const run = async (source: string, answer: RegExp): Promise<void> => {
      await page.fill('.program-column textarea', source);
      await page.click('.program-column .primary-button');
      await page.locator('.program-column .answer', { hasText: answer }).waitFor();
    };
    await run('movl $39, %eax\nsyscall\nmovl $60, %eax\nmovl $9, %edi\nsyscall\n', /status 9/);
    expect(await page.locator('.pane-site').innerText()).toMatch(/b8 27 00 00 00 0f 05|getpid/);
    await run('again: jmp again\n', /that is the limit here/);
    await run('ud2\n', /SIGILL/);
    expect(opened.problems).toEqual([]);
    await opened.close();
  });

  it('explores a race on the server, and says so when the server has gone; recordings still play', async () => {
    const own = await ServerProcess.start('--workers', '1', '--job-seconds', '600');
    const opened = await harness.open(`${own.url}/#s=v1;col=race`);
    const { page } = opened;
    const status = page.locator('.lab-status');
    await page.waitForSelector('.lab-server');
    await page.click('.race-form button[type=submit]');
    await page.waitForSelector('.answer-answered');
    expect(await page.locator('.answer-answered').innerText()).toMatch(/fail/i);
    expect(opened.problems).toEqual([]);
    await own.stop('SIGKILL');
    await page.selectOption('.race-form select >> nth=3', 'stale');
    await page.click('.race-form button[type=submit]');
    await page.waitForSelector('.lab-lost');
    expect(await status.innerText()).toContain('The server is gone');
    await opened.press('Escape');
    await page.locator('main').focus();
    await page.keyboard.press('Home');
    expect(await page.inputValue('.moment input')).toBe('0');
    await page.keyboard.press('End');
    expect(`of ${await page.inputValue('.moment input')}`).toBe(await opened.text('.moment .muted'));
    await opened.close();
  });
});
