// SPDX-License-Identifier: MIT
//
// What the build makes of the page: its weight, its policy, and that it is silent.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtPage, CHROMIUM, PageHarness } from './browser.ts';

describe('The built page', () => {
  it('loads at most 300 kB of gzip before it can be used', () => {
    const folder = builtPage();
    const html = readFileSync(join(folder, 'index.html'));
    const first = [...html.toString().matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, path]) => path ?? '');
    expect(first.length).toBeGreaterThan(0);
    const sizes = [html, ...first.map((path) => readFileSync(join(folder, path)))].map((file) => gzipSync(file).length);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThanOrEqual(300_000);
  });

  it('carries the licences of what it is made of, in each of its files', () => {
    const folder = builtPage();
    const all = readFileSync(join(folder, 'LICENSES.md'), 'utf8');
    for (const name of ['preact', '@xterm/xterm', 'uplot', '@codemirror/view', 'iced-x86'])
      expect(all).toContain(`## ${name} `);
    for (const file of ['viewer.html', 'static.html']) {
      expect(readFileSync(join(folder, file), 'utf8')).toMatch(
        /id="licences">[^]*## preact [^]*Permission is hereby granted/,
      );
    }
  });

  it('names no address of the network', () => {
    const folder = builtPage();
    for (const file of ['index.html', 'viewer.html', 'static.html']) {
      const html = readFileSync(join(folder, file), 'utf8').replace(
        /<script type="(?:module|text\/plain)"[^>]*>[^]*?<\/script>/g,
        '',
      );
      expect(html).not.toMatch(/(src|href|url\()\s*=?\s*["']?(https?:)?\/\//);
    }
    for (const file of readdirSync(join(folder, 'assets')).filter((name) => name.endsWith('.css'))) {
      expect(readFileSync(join(folder, 'assets', file), 'utf8')).not.toMatch(/url\((?!data:)/);
    }
  });
});

describe.skipIf(CHROMIUM === undefined)('The built page in a browser', () => {
  let harness: PageHarness;
  beforeAll(async () => {
    harness = await PageHarness.start();
  });
  afterAll(() => harness?.close());

  it('opens without a word in the console, and asks nobody but its own server', async () => {
    const opened = await harness.open('/');
    await opened.page.waitForSelector('#app *');
    expect(opened.problems).toEqual([]);
    expect(opened.requests.filter((url) => !url.startsWith(harness.url('')) && !url.startsWith('data:'))).toEqual([]);
    await opened.close();
  });

  it('may not reach anybody from a page of its own, whatever its script tries', async () => {
    const opened = await harness.openFile(join(harness.folder, 'viewer.html'));
    const outcome = await opened.page.evaluate(
      (url) =>
        fetch(url).then(
          () => 'answered',
          () => 'blocked',
        ),
      harness.url('/index.html'),
    );
    expect(outcome).toBe('blocked');
    expect(opened.problems.join()).toContain('Content Security Policy');
    await opened.close();
  });

  it('opens from disk as one file, with no request at all', async () => {
    for (const file of ['viewer.html', 'static.html']) {
      const opened = await harness.openFile(join(harness.folder, file));
      await opened.page.waitForSelector('#app *');
      expect(opened.problems).toEqual([]);
      expect(opened.requests.filter((url) => !url.startsWith('file:') && !url.startsWith('data:'))).toHaveLength(0);
      expect(opened.requests.filter((url) => url.startsWith('file:'))).toHaveLength(1);
      await opened.close();
    }
  });
});
