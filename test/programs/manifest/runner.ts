// SPDX-License-Identifier: MIT
//
// Runs a row of the manifest on this machine's kernel and through the command, in the same folder and with the same
// environment, and gives what can be compared and measured.

import { spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Metrics } from '../../../src/sandbox/metrics.ts';
import type { Row } from './row.ts';

const CLI = process.env['TRAPLINE_CLI'] ?? fileURLToPath(new URL('../../../dist/cli.js', import.meta.url));
const SCRIPTS = fileURLToPath(new URL('scripts', import.meta.url));

export const MODES = ['off', 'upstream', 'hardened'] as const;
export type Mode = (typeof MODES)[number];

/** A program that takes longer hangs. */
const NATIVE_PATIENCE_MS = 600_000;
const PATIENCE_SEC = 900;

/** All that a program shows of itself. */
export interface Outcome {
  /** 128 + n when a signal ended it, as a shell says it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface GuestRun {
  readonly outcome: Outcome;
  readonly metrics: Metrics;
  /** Processes of the run, by the calls in its strace text. */
  readonly processes: number;
  /** Hash of the strace text, and the file if the caller wants to look. */
  readonly straceHash: string;
  readonly straceFile: string;
}

/** The folders of one run of the suite: scripts, programs, and one working folder for each row. */
export class Workplace {
  readonly base: string;
  readonly scripts: string;
  readonly bin: string;

  constructor() {
    this.base = mkdtempSync(join(tmpdir(), 'trapline-manifest-'));
    // A row may run as another user.
    chmodSync(this.base, 0o755);
    this.scripts = join(this.base, 'scripts');
    this.bin = join(this.base, 'bin');
    cpSync(SCRIPTS, this.scripts, { recursive: true });
    for (const name of ['bin', 'work', 'results']) mkdirSync(join(this.base, name));
  }

  dispose(): void {
    rmSync(this.base, { recursive: true, force: true });
  }

  /** An empty folder for a row: what a native run has left there is gone. */
  #folder(row: Row): string {
    const folder = join(this.base, 'work', slug(row.name));
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    return folder;
  }

  #environment(row: Row, folder: string): Record<string, string> {
    return {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: folder,
      TERM: 'dumb',
      LC_ALL: 'C',
      TZ: 'UTC',
      SCRIPTS: this.scripts,
      BIN: this.bin,
      ...row.env,
    };
  }

  #command(row: Row): string[] {
    return row.command.map((word) => word.replaceAll('$SCRIPTS', this.scripts).replaceAll('$BIN', this.bin));
  }

  #stdin(row: Row): Buffer {
    return row.stdin === undefined ? Buffer.alloc(0) : readFileSync(join(this.scripts, row.stdin));
  }

  /** The row on this machine's kernel. */
  async runNatively(row: Row): Promise<Outcome> {
    const folder = this.#folder(row);
    const [program = '', ...args] = this.#command(row);
    try {
      return await execute(program, args, {
        cwd: folder,
        env: this.#environment(row, folder),
        input: this.#stdin(row),
        patienceMs: NATIVE_PATIENCE_MS,
      });
    } finally {
      this.#folder(row);
    }
  }

  /** The row in a sandbox over this machine's root; what it writes stays in the sandbox's memory. */
  async runInside(row: Row, mode: Mode, label: string): Promise<GuestRun> {
    const folder = join(this.base, 'work', slug(row.name));
    mkdirSync(folder, { recursive: true });
    const files = join(this.base, 'results', `${slug(row.name)}-${label}`);
    const [straceFile, metricsFile] = [`${files}.strace`, `${files}.json`];
    const options = [
      ...['--root', '/', '--cwd', folder, '--uid', String(process.getuid?.() ?? 1000), '--patch', mode],
      ...['--strace-file', straceFile, '--metrics', metricsFile, '--timeout', String(PATIENCE_SEC)],
      ...Object.entries(this.#environment(row, folder)).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    ];
    const outcome = await execute(process.execPath, [CLI, 'run', ...options, '--', ...this.#command(row)], {
      cwd: this.base,
      env: process.env,
      input: this.#stdin(row),
      patienceMs: (PATIENCE_SEC + 60) * 1000,
    });
    let metrics: Metrics;
    try {
      metrics = JSON.parse(readFileSync(metricsFile, 'utf8')) as Metrics;
    } catch {
      throw new Error(`${row.name}: the command left no metrics and ended with ${outcome.status}: ${outcome.stderr}`);
    }
    const strace = readFileSync(straceFile);
    const straceHash = createHash('sha256').update(strace).digest('hex');
    const processes = processesOf(strace.toString('latin1'));
    return {
      outcome: { ...outcome, stderr: withoutReport(outcome.stderr) },
      metrics,
      processes,
      straceHash,
      straceFile,
    };
  }

  /** Removes the strace text of a run that was good. */
  forget(run: GuestRun): void {
    rmSync(run.straceFile, { force: true });
  }
}

/** What the tool itself says of a guest's death is no part of the guest's output. */
function withoutReport(stderr: string): string {
  const at = stderr.search(/^trapline: task \d+ \(.*\) died of SIG/m);
  return at < 0 ? stderr : stderr.slice(0, at);
}

/** The first process, and one for each call that makes a process rather than a thread. */
function processesOf(strace: string): number {
  return 1 + [...strace.matchAll(/^(?:\[pid +\d+\] )?(?:clone3?|v?fork)\((?!.*CLONE_THREAD)/gm)].length;
}

function slug(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9]+/g, '-');
}

interface Execution {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly input: Buffer;
  readonly patienceMs: number;
}

function execute(program: string, args: readonly string[], options: Execution): Promise<Outcome> {
  const { cwd, env, input, patienceMs } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, timeout: patienceMs, killSignal: 'SIGKILL' });
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (data: Buffer) => out.push(data));
    child.stderr.on('data', (data: Buffer) => err.push(data));
    // A program need not read what it is given.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({
        status: code ?? 128 + constants.signals[signal ?? 'SIGKILL'],
        stdout: Buffer.concat(out).toString('latin1'),
        stderr: Buffer.concat(err).toString('latin1'),
      });
    });
  });
}
