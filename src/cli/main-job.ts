// SPDX-License-Identifier: MIT
//
// What `npm start` shows: a busybox that Debian built works on real files as a guest and natively, with the same
// output; threads race on fresh sites; figures; and one site before and after. Everything goes through the
// `trapline` command as a user would call it.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex } from '../base/bytes.ts';
import { TraplineError } from '../base/errors.ts';
import { Prng } from '../base/prng.ts';
import {
  canFetchDebianPackages,
  fetchDebianPackage,
  findCommand,
  packageFolder,
  showSteps,
} from '../cpu/unicorn/setup/index.ts';
import { Disassembler, formatListing } from '../isa/disassembler.ts';

const DIRECTORIES = 150;
const FILES_PER_DIRECTORY = 20;
const TEXT_LINES = 60_000;
const BINARY_BYTES = 6 << 20;

/** What the job takes from a run's metrics file (schema version 1). */
interface Metrics {
  readonly instructions: number;
  readonly wallMs: number;
  readonly syscalls: number;
  readonly trapped: number;
  readonly patchedCalls: number;
  readonly restarted: number;
  readonly sites: readonly unknown[];
}

interface Row {
  readonly name: string;
  readonly verdict: string;
  readonly metrics: Metrics;
}

interface Finished {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error: Error | undefined;
  readonly output: Buffer;
}

class MainJob {
  readonly #folder: string;
  readonly #rows: Row[] = [];
  #differences = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Exit status: 0 when all outputs were right. */
  async run(): Promise<number> {
    const busybox = findBusybox();
    console.log(`busybox: ${busybox}`);
    const root = join(this.#folder, 'root');
    buildTree(root);
    console.log(
      `data: ${DIRECTORIES * FILES_PER_DIRECTORY} files in ${DIRECTORIES} folders, ${TEXT_LINES} lines, ${BINARY_BYTES >> 20} MiB\n`,
    );
    copyFileSync(busybox, join(root, 'busybox'));
    for (const command of ['find data', 'ls -lR data', 'sort text', 'sha256sum binary', 'gzip -c text']) {
      this.#compare(root, command.split(' '));
    }
    this.#judge('4 threads, 40 fresh sites', 'g11-threads-fresh-site');
    this.#judge('a read, interrupted', 'restart-read');
    this.#table();
    await this.#showSite();
    if (this.#differences > 0) console.log(`\n${this.#differences} results were wrong`);
    return this.#differences === 0 ? 0 : 1;
  }

  /** Runs one applet as a guest and natively, each into a file, and compares the files. */
  #compare(root: string, command: readonly string[]): void {
    const guest = this.#trapline(
      ['--root', root, '--cwd', '/', '--env', 'TZ=UTC0', '--uid', String(process.getuid?.() ?? 1000)],
      ['/busybox', ...command],
    );
    let verdict = guest.status === 0 ? 'not compared' : `status ${guest.status}`;
    if (process.platform === 'linux' && process.arch === 'x64') {
      const native = this.#intoFile(join(root, 'busybox'), command, { cwd: root, env: { TZ: 'UTC0' } });
      // find lists a folder in the order that its file system keeps, which a guest has otherwise than the host.
      const normal = (output: Buffer): string => {
        const text = output.toString('latin1');
        return command[0] === 'find' ? text.split('\n').sort().join('\n') : text;
      };
      const same = native.status === guest.status && normal(native.output) === normal(guest.output);
      verdict = same ? 'same as native' : 'DIFFERS from native';
      if (!same) this.#differences++;
    } else if (guest.status !== 0) {
      this.#differences++;
    }
    this.#rows.push({ name: `busybox ${command[0] ?? ''}`, verdict, metrics: guest.metrics });
  }

  /** A guest that checks every one of its calls itself. */
  #judge(name: string, guestName: string): void {
    const guest = this.#trapline([], [join(packageFolder(), 'guests', 'bin', `${guestName}.elf`)]);
    if (guest.status !== 0) this.#differences++;
    const verdict = guest.status === 0 ? 'every call right' : `CHECK ${guest.status} FAILED`;
    this.#rows.push({ name, verdict, metrics: guest.metrics });
  }

  #table(): void {
    const heading = ['', 'syscalls', 'trapped', 'patched', 'sites', 'restarts', 'instructions', 'MIPS', ''];
    const lines = this.#rows.map(({ name, verdict, metrics }) => [
      name,
      ...[
        metrics.syscalls,
        metrics.trapped,
        metrics.patchedCalls,
        metrics.sites.length,
        metrics.restarted,
        metrics.instructions,
      ].map(String),
      (metrics.instructions / 1000 / Math.max(metrics.wallMs, 0.001)).toFixed(0),
      verdict,
    ]);
    const widths = heading.map((_, column) =>
      Math.max(...[heading, ...lines].map((line) => (line[column] ?? '').length)),
    );
    for (const line of [heading, ...lines]) {
      const cells = line.map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 || column === line.length - 1 ? cell.padEnd(width) : cell.padStart(width);
      });
      console.log(cells.join('  ').trimEnd());
    }
  }

  /** A guest that reads its own text before and after the site was executed. */
  async #showSite(): Promise<void> {
    const guest = this.#trapline([], [join(packageFolder(), 'guests', 'bin', 'show-site.elf')]);
    if (guest.status !== 0 || guest.output.length !== 22) {
      console.log('\nthe guest that shows its site failed');
      this.#differences++;
      return;
    }
    const address = Number(guest.output.readBigUInt64LE(0));
    const disassembler = new Disassembler(await import('iced-x86'));
    console.log('\none site, as the guest reads it in its own text');
    for (const [label, bytes] of [
      ['before', guest.output.subarray(8, 15)],
      ['after', guest.output.subarray(15, 22)],
    ] as const) {
      console.log(`${label}: ${toHex(bytes)}`);
      console.log(formatListing(disassembler.disassemble(new Uint8Array(bytes), address)));
    }
    disassembler.dispose();
  }

  #trapline(
    options: readonly string[],
    guest: readonly string[],
  ): Pick<Finished, 'status' | 'output'> & { metrics: Metrics } {
    const metricsFile = join(this.#folder, 'metrics.json');
    rmSync(metricsFile, { force: true });
    const args = [join(packageFolder(), 'dist', 'cli.js'), 'run', '--metrics', metricsFile, ...options, '--', ...guest];
    const run = this.#intoFile(process.execPath, args, {});
    if (run.signal !== null || run.status === 130) throw new TraplineError('INTERRUPTED', 'interrupted');
    if (run.error !== undefined || run.status === 125 || !existsSync(metricsFile)) {
      throw new TraplineError('MAIN_JOB', `trapline run ${guest.join(' ')} failed`, { cause: run.error });
    }
    return {
      status: run.status,
      output: run.output,
      metrics: JSON.parse(readFileSync(metricsFile, 'utf8')) as Metrics,
    };
  }

  /** Runs a program with its output redirected to a file, as a shell would, and returns what the file then holds. */
  #intoFile(program: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv }): Finished {
    const path = join(this.#folder, 'output');
    const file = openSync(path, 'w');
    const { status, signal, error } = spawnSync(program, args, { ...options, stdio: ['ignore', file, 'inherit'] });
    closeSync(file);
    return { status, signal, error, output: readFileSync(path) };
  }
}

/** A static busybox for x86-64: the one on PATH, or Debian's by apt into the cache. */
function findBusybox(): string {
  const found = findCommand('busybox');
  if (found !== undefined && isStaticX64(found)) return found;
  if (canFetchDebianPackages()) {
    showSteps();
    const { folder } = fetchDebianPackage({
      name: /^busybox-static$/,
      suites: ['release'],
      minimum: '1.30',
      architecture: 'amd64',
    });
    for (const path of ['usr/bin/busybox', 'bin/busybox']) {
      if (existsSync(join(folder, path))) return join(folder, path);
    }
  }
  throw new TraplineError(
    'MAIN_JOB',
    'no static busybox for x86-64 is on PATH, and none can be had by apt; install one (such as busybox-static)',
  );
}

/** ELF64, x86-64, and no program header of type PT_INTERP. */
function isStaticX64(path: string): boolean {
  const elf = readFileSync(path);
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf.readUInt16LE(18) !== 62)
    return false;
  const table = Number(elf.readBigUInt64LE(32));
  for (let i = 0; i < elf.readUInt16LE(56); i++) {
    const header = table + i * elf.readUInt16LE(54);
    if (header + 4 > elf.length || elf.readUInt32LE(header) === 3) return false;
  }
  return true;
}

/** The same files with the same content and times on every machine. */
function buildTree(root: string): void {
  const prng = new Prng(1).stream('main-job');
  const then = new Date('2001-02-03T04:05:06Z');
  mkdirSync(join(root, 'data'), { recursive: true });
  mkdirSync(join(root, 'etc'));
  for (const name of ['passwd', 'group']) {
    // ls names owners by these; without them it prints numbers, here as there.
    if (existsSync(`/etc/${name}`)) copyFileSync(`/etc/${name}`, join(root, 'etc', name));
  }
  const folders = [join(root, 'data')];
  for (let i = 0; i < DIRECTORIES; i++) {
    const folder = join(folders[prng.below(Math.min(folders.length, 40))] ?? root, `folder-${i}`);
    mkdirSync(folder);
    folders.push(folder);
    for (let j = 0; j < FILES_PER_DIRECTORY; j++) {
      const path = join(folder, `file-${j}`);
      writeFileSync(path, 'x'.repeat(prng.below(5000)));
      chmodSync(path, j % 7 === 0 ? 0o755 : 0o644);
      utimesSync(path, then, then);
    }
    symlinkSync(`file-${i % FILES_PER_DIRECTORY}`, join(folder, 'link'));
    lutimesSync(join(folder, 'link'), then, then);
  }
  for (const folder of folders) utimesSync(folder, then, then);
  const lines: string[] = [];
  for (let i = 0; i < TEXT_LINES; i++) lines.push(`${prng.below(2 ** 31).toString(36)} ${prng.below(1000)} line\n`);
  writeFileSync(join(root, 'text'), lines.join(''));
  const binary = new Uint32Array(BINARY_BYTES / 4);
  for (let i = 0; i < binary.length; i++) binary[i] = prng.below(2 ** 32);
  writeFileSync(join(root, 'binary'), binary);
}

const folder = mkdtempSync(join(tmpdir(), 'trapline-'));
// Ctrl-C ends the guest's run; this process then clears its folder away and goes.
process.once('SIGINT', () => {});
try {
  process.exitCode = await new MainJob(folder).run();
} catch (error) {
  if (!(error instanceof TraplineError)) throw error;
  process.stderr.write(`trapline: ${error.message}\n`);
  process.exitCode = error.code === 'INTERRUPTED' ? 130 : 125;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
