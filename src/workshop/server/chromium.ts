// SPDX-License-Identifier: MIT
//
// Takes pictures of a page with a Chromium that is installed, over its debugging pipe (Chrome DevTools Protocol:
// file descriptors 3 and 4, JSON messages that end with NUL). No library, no port, no network.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { TraplineError } from '../../base/errors.ts';
import { findCommand } from '../../cpu/unicorn/setup/index.ts';

/** Names under which systems install it. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'microsoft-edge-stable'];
/** An answer that takes longer does not come. */
const ANSWER_MS = 30_000;
const REMOVAL_PAUSE_MS = 50;
const REMOVALS = 5;
const ABANDON_MS = 500;
const END = 0;

/** The browser on PATH; undefined when there is none. */
export function findChromium(): string | undefined {
  for (const name of NAMES) {
    const path = findCommand(name);
    if (path !== undefined) return path;
  }
  return undefined;
}

interface Answer {
  readonly id?: number;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/** One browser with one page. */
export class PictureBrowser {
  readonly #child: ChildProcess;
  readonly #profile: string;
  /** This process is ended before the browser is. */
  readonly #abandon = (): void => {
    this.#child.kill('SIGKILL');
    // Its other processes notice that, and end.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ABANDON_MS);
    try {
      rmSync(this.#profile, { recursive: true, force: true, maxRetries: REMOVALS });
    } catch {
      // One of its processes still writes: a temporary folder stays.
    }
  };
  readonly #waiting = new Map<number, { done: (answer: Answer) => void; failed: (error: Error) => void }>();
  #session: string | undefined;
  #nextId = 1;
  #received = Buffer.alloc(0);

  private constructor(path: string, width: number, height: number) {
    this.#profile = mkdtempSync(join(tmpdir(), 'trapline-browser-'));
    const isRoot = process.getuid?.() === 0;
    this.#child = spawn(
      path,
      [
        '--headless=new',
        '--remote-debugging-pipe',
        `--user-data-dir=${this.#profile}`,
        `--window-size=${width},${height}`,
        '--no-first-run',
        '--disable-extensions',
        '--disable-background-networking',
        '--disable-dev-shm-usage',
        '--disable-gpu',
        '--hide-scrollbars',
        // Chromium's own sandbox does not work for root; the page that is opened is ours.
        ...(isRoot ? ['--no-sandbox'] : []),
        'about:blank',
      ],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
    );
    this.#child.once('error', (error: NodeJS.ErrnoException) =>
      this.#fail(error.code === 'ENOENT' ? `there is no ${path}` : error.message),
    );
    this.#child.once('close', () => this.#fail('it ended'));
    process.once('exit', this.#abandon);
    (this.#child.stdio[3] as Writable).on('error', () => this.#fail('its pipe is closed'));
    (this.#child.stdio[4] as Readable).on('data', (data: Buffer) => this.#take(data));
  }

  /**
   * Starts a browser with a window of a size.
   * @throws TraplineError `WORKSHOP_BROWSER`
   */
  static async start(path: string, width: number, height: number): Promise<PictureBrowser> {
    const browser = new PictureBrowser(path, width, height);
    try {
      const { targetId } = await browser.#call('Target.createTarget', { url: 'about:blank' });
      const { sessionId } = await browser.#call('Target.attachToTarget', { targetId, flatten: true });
      browser.#session = String(sessionId);
      await browser.#call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
      return browser;
    } catch (error) {
      await browser.close();
      throw error;
    }
  }

  /** Opens a page and waits until its own script has run. */
  async open(url: string): Promise<void> {
    const { errorText } = await this.#call('Page.navigate', { url });
    if (typeof errorText === 'string') throw browserError(`${url}: ${errorText}`);
    await this.evaluate(
      "new Promise((done) => document.readyState === 'complete' ? done() : addEventListener('load', () => done()))",
    );
  }

  /** Runs an expression in the page and waits for its promise. */
  async evaluate(expression: string): Promise<void> {
    const { exceptionDetails } = await this.#call('Runtime.evaluate', { expression, awaitPromise: true });
    if (exceptionDetails !== undefined) throw browserError(`the page failed at ${expression.slice(0, 80)}`);
  }

  /** What the window shows, as PNG. */
  async picture(): Promise<Uint8Array> {
    const { data } = await this.#call('Page.captureScreenshot', { format: 'png' });
    if (typeof data !== 'string') throw browserError('it gave no picture');
    return Buffer.from(data, 'base64');
  }

  async close(): Promise<void> {
    process.off('exit', this.#abandon);
    const isRunning = (): boolean =>
      this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
    if (isRunning()) {
      const ended = once(this.#child, 'close');
      const patience = setTimeout(() => this.#child.kill('SIGKILL'), ANSWER_MS);
      // Asked to, it ends its other processes first. It need not answer, and whoever fails here has failed before.
      this.#session = undefined;
      await this.#call('Browser.close', {}).catch(() => this.#child.kill('SIGKILL'));
      await ended;
      clearTimeout(patience);
    }
    await removeFolder(this.#profile);
  }

  #call(method: string, params: object): Promise<Readonly<Record<string, unknown>>> {
    const id = this.#nextId++;
    const message = { id, method, params, ...(this.#session !== undefined && { sessionId: this.#session }) };
    return new Promise((done, failed) => {
      const timer = setTimeout(() => this.#fail(`it does not answer to ${method}`), ANSWER_MS);
      this.#waiting.set(id, {
        done: ({ result, error }) => {
          clearTimeout(timer);
          if (error === undefined) done(result ?? {});
          else failed(browserError(`${method}: ${error.message}`));
        },
        failed: (error) => {
          clearTimeout(timer);
          failed(error);
        },
      });
      (this.#child.stdio[3] as Writable).write(`${JSON.stringify(message)}\0`);
    });
  }

  #take(data: Buffer): void {
    this.#received = Buffer.concat([this.#received, data]);
    for (let end = this.#received.indexOf(END); end >= 0; end = this.#received.indexOf(END)) {
      const answer = JSON.parse(this.#received.subarray(0, end).toString('utf8')) as Answer;
      this.#received = this.#received.subarray(end + 1);
      if (answer.id === undefined) continue;
      this.#waiting.get(answer.id)?.done(answer);
      this.#waiting.delete(answer.id);
    }
  }

  #fail(why: string): void {
    for (const { failed } of this.#waiting.values()) failed(browserError(why));
    this.#waiting.clear();
  }
}

function browserError(why: string): TraplineError {
  return new TraplineError('WORKSHOP_BROWSER', `the browser cannot take pictures: ${why}`);
}

/** Processes of a browser that was killed may write into its profile for a moment yet. */
async function removeFolder(path: string): Promise<void> {
  const started = performance.now();
  for (;;) {
    try {
      rmSync(path, { recursive: true, force: true });
      return;
    } catch (error) {
      if (performance.now() - started > ANSWER_MS)
        throw browserError(`its profile cannot be removed: ${String(error)}`);
      await delay(REMOVAL_PAUSE_MS);
    }
  }
}
