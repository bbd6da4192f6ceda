// SPDX-License-Identifier: MIT
//
// The page in a real browser: builds it once, serves it over loopback or opens it from disk, and collects what the
// console and the network say. Helpers ask what a person would: what has the focus, what is cut off, what axe finds.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page, type ViewportSize } from 'playwright-core';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Where distributions put Chromium. */
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The browser's binary, or undefined where there is none. */
export const CHROMIUM = [process.env['TRAPLINE_CHROMIUM'], ...PLACES].find(
  (path): path is string => path !== undefined && existsSync(path),
);

const HANGS_MS = 5 * 60_000;

export const PROJECTOR: ViewportSize = { width: 1280, height: 720 };
export const PHONE: ViewportSize = { width: 390, height: 844 };

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.md': 'text/plain; charset=utf-8',
};

/** The folder of the built page; built when its sources have changed since the last time. */
export function builtPage(): string {
  const digest = createHash('sha256');
  for (const folder of ['src/workshop', 'src/trace', 'src/base', 'src/isa']) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      digest.update(path.slice(root.length)).update(readFileSync(path));
    }
  }
  digest.update(readFileSync(join(root, '.ci', 'page.mjs')));
  const cache = join(root, 'node_modules', '.cache', 'trapline-page');
  const folder = join(cache, digest.digest('hex').slice(0, 16));
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const aside = `${folder}.${process.pid}`;
  const { status, stderr } = spawnSync(process.execPath, ['.ci/page.mjs', aside], { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the page could not be built: ${stderr}`);
  if (!existsSync(folder)) renameSync(aside, folder);
  return folder;
}

/** One browser and one server of static files, for a test file. */
export class PageHarness {
  readonly folder: string;
  readonly #browser: Browser;
  readonly #server: Server;
  readonly #extra = new Map<string, string>();

  private constructor(folder: string, browser: Browser, server: Server) {
    this.folder = folder;
    this.#browser = browser;
    this.#server = server;
  }

  /** Starts both; `close` when done. */
  static async start(): Promise<PageHarness> {
    const folder = builtPage();
    const browser = await chromium.launch({
      executablePath: CHROMIUM ?? '',
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    });
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const harness = new PageHarness(folder, browser, server);
    server.on('request', (request, response) => {
      const path = normalize(new URL(request.url ?? '/', 'http://loopback').pathname);
      const file = join(folder, path === '/' ? 'index.html' : path);
      // A server that this page does not know: it goes on with recorded answers.
      if (path === '/api/status') return void response.writeHead(200).end('{"version":0}');
      const content = harness.#extra.get(path) ?? (existsSync(file) ? readFileSync(file) : undefined);
      response.writeHead(content === undefined ? 404 : 200, {
        'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      });
      response.end(content);
    });
    return harness;
  }

  /** Serves `content` at `path` as well. */
  serve(path: string, content: string): void {
    this.#extra.set(path, content);
  }

  url(path = '/'): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`;
  }

  /** Opens an address, or a path of the server, in a fresh profile. */
  async open(
    where: string,
    options: { viewport?: ViewportSize; dark?: boolean; calm?: boolean } = {},
  ): Promise<OpenPage> {
    const context = await this.#browser.newContext({
      viewport: options.viewport ?? PROJECTOR,
      colorScheme: options.dark === true ? 'dark' : 'light',
      reducedMotion: options.calm === false ? 'no-preference' : 'reduce',
    });
    // For what hangs only: how long something takes on a busy machine is no reason to fail.
    context.setDefaultTimeout(HANGS_MS);
    const page = await context.newPage();
    const opened = new OpenPage(page);
    const url = where.includes('://') ? where : this.url(where);
    await page.goto(url);
    return opened;
  }

  /** Opens a file of this disk. */
  openFile(path: string, options: Parameters<PageHarness['open']>[1] = {}): Promise<OpenPage> {
    return this.open(pathToFileURL(path).href, options);
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await new Promise((done) => this.#server.close(done));
  }
}

/** A page that remembers what went wrong on it. */
export class OpenPage {
  readonly page: Page;
  /** Errors of scripts, of the console, and requests that failed. */
  readonly problems: string[] = [];
  /** Every address that was asked for. */
  readonly requests: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on('pageerror', (error) => this.problems.push(`error: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.problems.push(message.text());
    });
    page.on('request', (request) => this.requests.push(request.url()));
    page.on('requestfailed', (request) => this.problems.push(`failed: ${request.url()}`));
  }

  /** Presses keys one after the other. */
  async press(...keys: string[]): Promise<void> {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** Waits until an element is there, and whatever comes late with it. */
  async ready(selector: string): Promise<void> {
    await this.page.waitForSelector(selector);
    await this.page.waitForSelector('[aria-busy=true]', { state: 'detached' });
  }

  /** Text of the first element that the selector finds. */
  async text(selector: string): Promise<string> {
    return (await this.page.locator(selector).first().innerText()).trim();
  }

  /** What axe-core finds that is serious or critical, as lines. */
  async axe(): Promise<string[]> {
    const source = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
    // The page's own policy lets no script in: axe comes through the debugger.
    await this.page.evaluate(readFileSync(source, 'utf8'));
    return this.page.evaluate(async () => {
      interface Found {
        violations: { id: string; impact: string | null; nodes: { html: string; failureSummary?: string }[] }[];
      }
      const { axe } = globalThis as unknown as { axe: { run(): Promise<Found> } };
      const { violations } = await axe.run();
      return violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .flatMap(({ id, nodes }) =>
          nodes.map((node) => `${id}: ${node.html.slice(0, 200)} ${node.failureSummary ?? ''}`),
        );
    });
  }

  /** Elements whose text is cut off, as lines; what may scroll or is hidden on purpose does not count. */
  cutOff(): Promise<string[]> {
    return this.page.evaluate(CUT_OFF) as Promise<string[]>;
  }

  /** Pairs of pieces of text that lie on each other, as lines. */
  overlaps(): Promise<string[]> {
    return this.page.evaluate(OVERLAPS) as Promise<string[]>;
  }

  /** Whether the page itself scrolls, [across, down]. */
  scrolls(): Promise<[boolean, boolean]> {
    return this.page.evaluate(
      `[document.documentElement.scrollWidth > innerWidth, document.documentElement.scrollHeight > innerHeight]`,
    );
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}

const LEAVES = `
  const seen = (element) => {
    const style = getComputedStyle(element);
    return style.visibility !== 'hidden' && style.display !== 'none' && !element.closest('.visually-hidden, [inert]');
  };
  const leaves = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.data.trim() === '' || !node.parentElement || /^(SCRIPT|STYLE|OPTION)$/.test(node.parentElement.tagName)) continue;
    if (!seen(node.parentElement)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      if (box.width > 0 && box.height > 0) leaves.push({ node, element: node.parentElement, box });
    }
  }
  /** The part of a box that its ancestors let through; scrolling away is no loss. */
  const shown = ({ element, box }) => {
    let { left, right, top, bottom } = box;
    for (let up = element; up; up = up.parentElement) {
      const style = getComputedStyle(up);
      if (style.overflowX === 'visible' && style.overflowY === 'visible') continue;
      const at = up.getBoundingClientRect();
      if (style.overflowX !== 'visible') { left = Math.max(left, at.left); right = Math.min(right, at.right); }
      if (style.overflowY !== 'visible') { top = Math.max(top, at.top); bottom = Math.min(bottom, at.bottom); }
    }
    return { left, right, top, bottom };
  };
`;

const CUT_OFF = `(() => {${LEAVES}
  /** An ellipsis is no loss where the whole text can be had. */
  const isShortened = (element) => getComputedStyle(element).textOverflow === 'ellipsis' && element.closest('[title], [aria-label]') !== null;
  const out = [];
  for (const leaf of leaves) {
    const { element, node, box } = leaf;
    if (isShortened(element)) continue;
    if (box.right > innerWidth + 1 || box.left < -1) {
      const scroller = (() => { for (let up = element; up; up = up.parentElement) if (/auto|scroll/.test(getComputedStyle(up).overflowX) && up.scrollWidth > up.clientWidth) return up; })();
      if (!scroller) out.push('outside: ' + node.data.trim().slice(0, 60));
    }
    for (let up = element; up; up = up.parentElement) {
      const style = getComputedStyle(up);
      const at = up.getBoundingClientRect();
      if (style.overflowX === 'hidden' || style.overflowX === 'clip') {
        if (box.right > at.right + 1.5 || box.left < at.left - 1.5) out.push('cut: ' + node.data.trim().slice(0, 60) + ' in .' + up.className);
      }
      if (/auto|scroll/.test(style.overflowX)) break;
    }
  }
  return [...new Set(out)];
})()`;

const OVERLAPS = `(() => {${LEAVES}
  const boxes = leaves.map((leaf) => ({ ...leaf, at: shown(leaf) })).filter(({ at }) => at.right - at.left > 2 && at.bottom - at.top > 2);
  const out = [];
  for (let i = 0; i < boxes.length; i++) {
    for (let j = i + 1; j < boxes.length; j++) {
      const a = boxes[i], b = boxes[j];
      if (a.node === b.node || a.element.closest('[data-layer]') !== b.element.closest('[data-layer]')) continue;
      const across = Math.min(a.at.right, b.at.right) - Math.max(a.at.left, b.at.left);
      const down = Math.min(a.at.bottom, b.at.bottom) - Math.max(a.at.top, b.at.top);
      if (across > 2 && down > 4) out.push(a.node.data.trim().slice(0, 40) + ' | ' + b.node.data.trim().slice(0, 40));
    }
  }
  return [...new Set(out)];
})()`;
