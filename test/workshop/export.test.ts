// SPDX-License-Identifier: MIT
//
// `trapline workshop --export`: the folder as a whole, what it refuses, and what is in it, opened from disk in Chromium.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkedLine } from '../../src/workshop/hand-in.ts';
import { ONE_LINE, trapline } from '../e2e/trapline.ts';
import { CHROMIUM, PageHarness, PHONE } from '../page/browser.ts';

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trapline-export-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function filesOf(site: string): Record<string, string> {
  const { files } = JSON.parse(readFileSync(join(site, 'trapline-export.json'), 'utf8')) as {
    files: Record<string, string>;
  };
  return files;
}

describe('an export', () => {
  it('holds the site, slides, handouts and licences, the same each time', () => {
    const [one, two] = [join(folder, 'one'), join(folder, 'two')];
    for (const site of [one, two]) {
      const run = trapline(['workshop', '--export', site, '--no-pictures']);
      expect(run).toMatchObject({ status: 0, stderr: '' });
    }
    expect(filesOf(two)).toEqual(filesOf(one));
    const names = Object.keys(filesOf(one));
    for (const name of ['index.html', 'check.html', 'slides.html', 'teaching.html', 'LICENSE-CC-BY-4.0.txt']) {
      expect(names).toContain(name);
    }
    expect(names.filter((name) => /^handouts\/0\d-.*-teacher\.html$/.test(name))).toHaveLength(9);
    for (const name of names) expect(existsSync(join(one, name)), name).toBe(true);
  });

  it('replaces one that it made before', () => {
    const site = join(folder, 'one');
    rmSync(join(site, 'slides.html'));
    expect(trapline(['workshop', '--export', site, '--no-pictures']).status).toBe(0);
    expect(existsSync(join(site, 'slides.html'))).toBe(true);
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('goes into a folder that is empty', () => {
    mkdirSync(join(folder, 'empty'));
    expect(trapline(['workshop', '--export', join(folder, 'empty'), '--no-pictures']).status).toBe(0);
  });

  it.each([
    [
      'a folder of somebody',
      (path: string) => (mkdirSync(path), writeFileSync(join(path, 'thesis.txt'), 'x')),
      /did not make it/,
    ],
    ['a file', (path: string) => writeFileSync(path, 'x'), /is no folder/],
    ['a link', (path: string) => symlinkSync(folder, path), /is no folder/],
    [
      'an export with something else in it',
      (path: string) => (
        trapline(['workshop', '--export', path, '--no-pictures']),
        writeFileSync(join(path, 'notes.txt'), 'x')
      ),
      /holds notes\.txt/,
    ],
    [
      'an export that somebody has changed',
      (path: string) => (
        trapline(['workshop', '--export', path, '--no-pictures']),
        writeFileSync(join(path, 'index.html'), 'x')
      ),
      /index\.html was changed/,
    ],
  ])('leaves %s alone', (name, make, message) => {
    const path = join(folder, name.replaceAll(' ', '-'));
    make(path);
    const before = readdirSync(folder).sort();
    const run = trapline(['workshop', '--export', path, '--no-pictures']);
    expect(run).toMatchObject({ status: 125, stdout: '' });
    expect(run.stderr).toMatch(ONE_LINE);
    expect(run.stderr).toMatch(message);
    expect(readdirSync(folder).sort()).toEqual(before);
  });

  it('leaves nothing behind when it fails', () => {
    const before = readdirSync(folder).sort();
    const site = join(folder, 'failed');
    for (const options of [
      ['--export', join(folder, 'no', 'parent')],
      ['--export', site, '--browser', '/nonexistent/browser'],
      ['--export', site, '--browser', '/bin/true'],
      ['--export', site, '--browser', '/bin/true', '--no-pictures'],
    ]) {
      const run = trapline(['workshop', ...options]);
      expect(run.stderr, options.join(' ')).toMatch(ONE_LINE);
      expect(run).toMatchObject({ status: 125, stdout: '' });
    }
    expect(readdirSync(folder).sort()).toEqual(before);
  });

  it('without a browser says what was left out, and exits with 3', () => {
    const site = join(folder, 'no-browser');
    const run = trapline(['workshop', '--export', site], { env: { PATH: folder } });
    expect(run.status).toBe(3);
    expect(run.stderr).toBe(
      'trapline: the pictures were left out: no Chromium was found; name one with --browser PATH\n',
    );
    expect(existsSync(join(site, 'slides.html'))).toBe(true);
    expect(existsSync(join(site, 'pictures'))).toBe(false);
  });
});

describe.runIf(CHROMIUM !== undefined)('an export in Chromium', () => {
  let harness: PageHarness;
  let site = '';

  beforeAll(async () => {
    harness = await PageHarness.start();
    site = join(folder, 'whole');
    const run = trapline(['workshop', '--export', site, '--browser', CHROMIUM ?? '']);
    expect(run).toMatchObject({ status: 0, stderr: '' });
  });
  afterAll(async () => {
    await harness.close();
  });

  it('has a picture of each slide, 1280 by 720', () => {
    const pictures = readdirSync(join(site, 'pictures'));
    expect(pictures.length).toBeGreaterThan(40);
    for (const name of pictures) {
      const png = readFileSync(join(site, 'pictures', name));
      expect(png.subarray(1, 4).toString()).toBe('PNG');
      expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1280, 720]);
    }
    // They are not all of the same slide.
    expect(new Set(pictures.map((name) => readFileSync(join(site, 'pictures', name)).toString('base64'))).size).toBe(
      pictures.length,
    );
  });

  it('opens from disk without a network, and says that there is no server', async () => {
    const opened = await harness.openFile(join(site, 'index.html'));
    await opened.page.waitForSelector('main, [role=main], #app *');
    await opened.page.waitForTimeout(300);
    expect(opened.problems).toEqual([]);
    expect(opened.requests.filter((url) => !url.startsWith('file://') && !url.startsWith('data:'))).toEqual([]);
    await opened.close();
  });

  it('shows slides that keep within their borders, one after the other by keys', async () => {
    const opened = await harness.openFile(join(site, 'slides.html'));
    const count = await opened.page.locator('.slide').count();
    const tooLong: string[] = [];
    for (let i = 0; i < count; i++) {
      const slide = opened.page.locator('.slide.shown');
      const [id, bottom] = await slide.evaluate((element) => {
        const boxes = [...element.children].filter((child) => child.tagName !== 'FOOTER');
        return [element.id, Math.max(...boxes.map((box) => box.getBoundingClientRect().bottom))] as const;
      });
      if (bottom > 700) tooLong.push(`${id}: ${bottom}`);
      await opened.press('ArrowRight');
    }
    expect(tooLong).toEqual([]);
    expect(opened.page.url()).toContain('#09-read-the-crash-');
    await opened.press('Home');
    expect(opened.page.url()).toContain('#00-title');
    expect(await opened.axe()).toEqual([]);
    expect(opened.problems).toEqual([]);
    await opened.close();
  });

  it('has handouts and a page for teachers that axe finds nothing against, on a phone as well', async () => {
    for (const name of ['handouts/04-break-it.html', 'handouts/04-break-it-teacher.html', 'teaching.html']) {
      const opened = await harness.openFile(join(site, ...name.split('/')), { viewport: PHONE });
      expect(await opened.axe(), name).toEqual([]);
      expect(opened.problems, name).toEqual([]);
      await opened.close();
    }
  });

  it('has links that lead somewhere', async () => {
    const opened = await harness.openFile(join(site, 'teaching.html'));
    const links = await opened.page
      .locator('a')
      .evaluateAll((all) => all.map((link) => link.getAttribute('href') ?? ''));
    expect(links.length).toBeGreaterThan(15);
    for (const link of links) expect(existsSync(join(site, link)), link).toBe(true);
    await opened.close();
  });

  it('checks lines with checksums, and says that signed ones need the key', async () => {
    const opened = await harness.openFile(join(site, 'check.html'));
    const { page } = opened;
    const ada = {
      lesson: 'break-it',
      done: 2,
      tasks: 3,
      steps: 4,
      seconds: 61,
      at: '2026-11-23T17:40:00Z',
      name: '<b>Ada</b>',
    };
    const good = checkedLine(ada);
    await page.fill(
      'textarea',
      [good, good.replace(' 4 ', ' 5 '), good.replace(/c:.*/, 's:abc'), 'nonsense'].join('\n'),
    );
    await page.click('button');
    const rows = await page.locator('tbody tr').allInnerTexts();
    expect(rows[0]).toMatch(/^checksum is right.*<b>Ada<\/b>.*break-it.*2\/3.*1 min 1 s/s);
    expect(rows[1]).toMatch(/^WRONG/);
    expect(rows[2]).toMatch(/^signed, not checked/);
    expect(rows[3]).toMatch(/^no hand-in line/);
    expect(await opened.axe()).toEqual([]);
    expect(opened.problems).toEqual([]);
    await opened.close();
  });
});
