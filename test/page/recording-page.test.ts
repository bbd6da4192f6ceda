// SPDX-License-Identifier: MIT
//
// Pages of --html opened from disk in a real browser: what a guest has chosen is shown and never run, nothing is asked
// of a network, and large recordings open.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordingPage, recordingsJson } from '../../src/report/recording-page.ts';
import type { Recording, Step } from '../../src/trace/recording/format.ts';
import { parseRecordings } from '../../src/trace/recording/parse.ts';
import { CHROMIUM, PageHarness } from './browser.ts';
import type { OpenPage } from './browser.ts';

const SAMPLE = new URL('../../src/workshop/lessons/recordings/sample-run.json', import.meta.url);
const FOLDER = mkdtempSync(join(tmpdir(), 'trapline-page-'));
const STEPS = 100_000;

function sample(): Recording {
  const [recording] = parseRecordings(readFileSync(SAMPLE, 'utf8'));
  if (recording === undefined) throw new Error('no sample');
  return recording;
}

/** Everything that a guest can choose tries to set `hacked`. */
function hostile(): Recording {
  const text = `</script><script>hacked=1</script><img src=x onerror="hacked=1">\u2028<!--`;
  const recording = sample();
  return {
    ...recording,
    title: text,
    origin: { ...recording.origin, command: text },
    actors: recording.actors.map((actor) => ({ ...actor, name: text })),
    calls: recording.calls.map((call) => ({ ...call, enter: text, exit: text })),
    maps: recording.maps.map((maps) => ({ ...maps, text })),
    sites: recording.sites.map((site) => ({ ...site, name: text })),
    texts: recording.texts.map(() => text),
    output: [{ at: 1, fd: 1, bytes: Buffer.from(`${text}\u001b]0;x\u0007\u001b[31m`).toString('hex') }],
  };
}

describe.skipIf(CHROMIUM === undefined)('a page of --html', () => {
  let harness: PageHarness;

  beforeAll(async () => {
    harness = await PageHarness.start();
  });

  afterAll(async () => {
    await harness.close();
    rmSync(FOLDER, { recursive: true, force: true });
  });

  async function openPage(name: string, recordings: readonly Recording[], where = ''): Promise<OpenPage> {
    const template = readFileSync(join(harness.folder, 'viewer.html'), 'utf8');
    const path = join(FOLDER, name);
    writeFileSync(path, recordingPage(template, recordingsJson(recordings, name), deflateSync));
    return harness.open(`file://${path}${where}`);
  }

  it('shows what a guest has chosen, and runs nothing of it', async () => {
    const page = await openPage('hostile.html', [hostile()]);
    await page.page.waitForSelector('.time-bar');
    for (let i = 0; i < 12; i++) await page.press('ArrowRight');
    const text = await page.page.innerText('body');
    expect(text).toContain('</script><script>hacked=1</script>');
    expect(await page.page.evaluate(() => 'hacked' in globalThis)).toBe(false);
    expect(await page.page.locator('img').count()).toBe(0);
    expect(page.problems).toEqual([]);
    expect(page.requests.filter((url) => !url.startsWith('file:') && !url.startsWith('data:'))).toEqual([]);
    await page.close();
  });

  it('opens with 100,000 steps, at any of them', async () => {
    const recording = sample();
    const steps: Step[] = [];
    while (steps.length < STEPS) steps.push(...recording.steps.filter(({ kind }) => kind === 'instruction'));
    const page = await openPage(
      'large.html',
      [{ ...recording, steps: steps.slice(0, STEPS), events: [] }],
      '#s=v1;m=77777',
    );
    await page.page.waitForFunction(() => document.querySelector<HTMLInputElement>('.moment input')?.value === '77777');
    await page.press('ArrowRight');
    await page.page.waitForFunction(() => document.querySelector<HTMLInputElement>('.moment input')?.value === '77778');
    expect(page.problems).toEqual([]);
    await page.close();
  });
});
