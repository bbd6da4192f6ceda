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
    server = await ServerProcess.start('--workers', '1', '--class-key', join(folder, 'key'));
  }, 240_000);
  afterAll(async () => {
    await server.stop('SIGKILL');
    await harness.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    '/',
    '/#s=v1;lesson=see-a-trap',
    '/#s=v1;lesson=be-adversarial',
    '/#s=v1;col=race',
    '/check',
    '/slides.html',
  ])('breaks no rule of its policy at %s', async (path) => {
    const opened = await harness.open(server.url + path);
    await opened.page.waitForTimeout(800);
    expect(opened.problems).toEqual([]);
    expect(opened.requests.filter((url) => !url.startsWith(server.url) && !url.startsWith('data:'))).toEqual([]);
    await opened.close();
  });

  it('may not be framed by another page, nor be asked by one', async () => {
    harness.serve('/evil.html', `<!doctype html><iframe src="${server.url}/"></iframe>`);
    const opened = await harness.open('/evil.html');
    await opened.page.waitForTimeout(300);
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
    await page.waitForFunction(`document.querySelector('[role=status]')?.textContent.includes('class key')`);
    const line = await page.evaluate(async () => {
      const response = await fetch('/api/hand-in', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ lesson: 'break-it', steps: 4, seconds: 61, name: 'Ada' }),
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
});
