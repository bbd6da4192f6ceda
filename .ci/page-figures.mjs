// SPDX-License-Identifier: MIT
//
// What the page weighs and how fast it is, in Chromium on the loopback: first load, time until it can be used, and steps
// in a recording that is as long as they get. Needs the build and Chromium.
//
//   node .ci/page-figures.mjs

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const page = join(root, 'dist', 'workshop', 'page');
const BROWSER = process.env.TRAPLINE_CHROMIUM ?? '/usr/bin/chromium';
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' };
const STEPS = 100_000;
const MOVES = 100;

if (!existsSync(page) || !existsSync(BROWSER)) {
  console.error('the page is measured after npm run build, with Chromium installed');
  process.exit(2);
}

const scratch = mkdtempSync(join(tmpdir(), 'trapline-figures-'));
const server = createServer((request, response) => {
  const path = new URL(request.url ?? '/', 'http://loopback').pathname;
  if (path === '/api/status') return void response.writeHead(200).end('{"version":0}');
  const file = path === '/long.html' ? join(scratch, 'long.html') : join(page, path === '/' ? 'index.html' : path);
  response.writeHead(existsSync(file) ? 200 : 404, { 'content-type': TYPES[extname(file)] ?? 'text/plain' });
  response.end(existsSync(file) ? readFileSync(file) : '');
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const url = `http://127.0.0.1:${server.address().port}`;
const browser = await chromium.launch({
  executablePath: BROWSER,
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
try {
  await firstLoad();
  await longRecording();
} finally {
  await browser.close();
  server.close();
  rmSync(scratch, { recursive: true, force: true });
}

async function firstLoad() {
  const tab = await browser.newPage({ viewport: { width: 1280, height: 720 } });
  const files = new Set();
  tab.on('request', (request) => files.add(new URL(request.url()).pathname));
  const times = [];
  for (let i = 0; i < 5; i++) {
    await tab.goto('about:blank');
    const start = performance.now();
    await tab.goto(`${url}/`);
    await tab.waitForSelector('.welcome ol button');
    times.push(performance.now() - start);
  }
  await tab.close();
  const local = [...files].map((path) => join(page, path === '/' ? 'index.html' : path)).filter(existsSync);
  const weight = local.reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0);
  report('first load, lessons listed (gzip)', `${(weight / 1000).toFixed(0)} kB`, '300 kB');
  report('can be used, loopback (median)', `${times.sort((a, b) => a - b)[2].toFixed(0)} ms`, '2,000 ms');
}

async function longRecording() {
  const args = ['dist/cli.js', 'run', '--html', join(scratch, 'long.html'), '--html-steps', String(STEPS)];
  const made = spawnSync(process.execPath, [...args, 'guests/bin/getpid-loop.elf'], { cwd: root, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`the recording could not be made: ${made.stderr}`);
  const tab = await browser.newPage({ viewport: { width: 1280, height: 720 } });
  const start = performance.now();
  await tab.goto(`${url}/long.html`);
  await tab.waitForSelector('.lane-row');
  const opened = performance.now() - start;
  const length = Number(await tab.getAttribute('.slider input', 'max'));
  report(
    'recording as a page of its own',
    `${(statSync(join(scratch, 'long.html')).size / 1e6).toFixed(1)} MB`,
    '5 MB',
  );
  report(`opens, ${length} steps`, `${opened.toFixed(0)} ms`, '');
  for (const [name, key, from] of [
    ['a step forward', 'ArrowRight', length / 2],
    ['a step back', 'ArrowLeft', length / 2],
    ['to the next event', 'n', 0],
    ['from one end to the other', 'HomeEnd', 0],
  ]) {
    const times = await moves(tab, key, Math.floor(from));
    const [median, p95] = [times[MOVES / 2], times[Math.floor(MOVES * 0.95)]];
    report(`${name}, median / 95 %`, `${median.toFixed(1)} / ${p95.toFixed(1)} ms`, '50 ms');
  }
  await tab.close();
}

/** Milliseconds from a key until what it changed is laid out, sorted. */
async function moves(tab, key, from) {
  return tab.evaluate(
    async ([pressed, moment, count]) => {
      location.hash = `#s=v1;m=${moment}`;
      await new Promise((done) => setTimeout(done, 800));
      const out = [];
      for (let i = 0; i < count; i++) {
        const name = pressed === 'HomeEnd' ? (i % 2 === 0 ? 'End' : 'Home') : pressed;
        const start = performance.now();
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true, cancelable: true }));
        // Preact draws in a microtask or the next frame; what follows a frame has its layout.
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        void document.body.offsetHeight;
        out.push(performance.now() - start);
      }
      return out.sort((a, b) => a - b);
    },
    [key, from, MOVES],
  );
}

function report(what, figure, goal) {
  console.log(`${what.padEnd(40)}${figure.padStart(18)}${goal === '' ? '' : `   (at most ${goal})`}`);
}
