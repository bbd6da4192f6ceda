// SPDX-License-Identifier: MIT
//
// `trapline workshop`: serves the page and its laboratory until Ctrl-C, exports it as files, or checks what was handed in.

import { availableParallelism } from 'node:os';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { packageFolder } from '../cpu/unicorn/setup/index.ts';
import { readClassKey } from '../workshop/server/class-key.ts';
import { checkHandIn } from '../workshop/hand-in.ts';
import type { HandInVerdict } from '../workshop/hand-in.ts';
import type { ClassKey } from '../workshop/server/class-key.ts';
import { exportSite } from '../workshop/server/export-site.ts';
import { isLoopback, startWorkshop } from '../workshop/server/index.ts';
import type { ServerLog } from '../workshop/server/server-log.ts';
import { ExitStatus } from './exit-status.ts';
import { readInputFile } from './input-file.ts';
import { PINO_OPTIONS } from './logger.ts';
import { StreamFile, writeToStderr, writeToStdout } from './output-file.ts';
import { packageVersion } from './package-version.ts';
import { parseChoice, parseCount } from './sizes.ts';
import { UsageError } from './usage-error.ts';
import type { RawWorkshopOptions } from './workshop-options.ts';

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
/** More is no list of a class. */
const LARGEST_LIST = 4 * 2 ** 20;

/** Gives the exit status. */
export async function workshopCommand(raw: RawWorkshopOptions): Promise<number> {
  if (raw.verify !== undefined && raw.export !== undefined) {
    throw new UsageError('workshop: --verify and --export are two commands; give one of them');
  }
  if (raw.verify !== undefined) return verify(raw.verify, raw.classKey);
  if (raw.export !== undefined) return exportTo(raw.export, raw);
  if (raw.browser !== undefined) throw new UsageError('--browser is for --export');
  return serve(raw);
}

async function serve(raw: RawWorkshopOptions): Promise<number> {
  const host = raw.host;
  const port = parseCount('--port', raw.port, 0, 65_535);
  const workers = raw.workers === undefined ? defaultWorkers() : parseCount('--workers', raw.workers, 1, 64);
  const log = serverLog(raw);
  const classKey = openKey(raw.classKey);
  const server = await startWorkshop({
    port,
    host,
    names: raw.allowHost,
    workers,
    buildFolder: join(packageFolder(), 'dist', 'workshop'),
    workerPath: join(packageFolder(), 'dist', 'workshop', 'server', 'worker.js'),
    version: packageVersion(),
    classKey,
    log,
    ...(raw.jobSeconds !== undefined && {
      limits: { seconds: parseCount('--job-seconds', raw.jobSeconds, 1, 600) },
    }),
  });
  writeToStdout(`The workshop is at http://${urlHost(host)}:${server.port}/\n`);
  writeToStdout(scope(host, server.port));
  if (classKey === undefined) writeToStdout('Hand-in lines carry a checksum only; --class-key FILE signs them.\n');
  writeToStdout('Ctrl-C ends it.\n');
  log.debug({ port: server.port, workers }, 'the workshop is open');
  await interrupted();
  await server.close();
  log.debug({}, 'the workshop is closed');
  log.close();
  return 0;
}

/** Exit status 0, or 3 when there is all but pictures. */
async function exportTo(target: string, { browser, pictures }: RawWorkshopOptions): Promise<number> {
  if (browser !== undefined && !pictures) throw new UsageError('--browser and --no-pictures exclude each other');
  const result = await exportSite({
    target,
    buildFolder: join(packageFolder(), 'dist', 'workshop'),
    browser: pictures ? (browser === undefined ? undefined : { path: browser }) : 'none',
  });
  const made = `${result.files} files in ${target}: ${result.slides} slides, ${result.pictures} pictures`;
  writeToStdout(`${made}; open index.html\n`);
  if (result.leftOut === undefined) return 0;
  writeToStderr(`trapline: the pictures were left out: ${result.leftOut}\n`);
  return ExitStatus.incomplete;
}

/** One is left for the server, the browser and the teacher. */
function defaultWorkers(): number {
  return Math.max(2, Math.min(8, availableParallelism() - 1));
}

/** An address as it stands in a URL; all addresses are called by one of them. */
function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

/** Who can reach the server, and what that means. */
function scope(host: string, port: number): string {
  if (isLoopback(host)) return 'Only this machine can reach it; --host 0.0.0.0 opens it to the network.\n';
  return [
    'Everybody who can reach this machine over the network can open it and run guest programs here, within its limits.',
    'It has no passwords and no encryption: use it in a network that you trust, and end it after class.',
    `Others open http://ADDRESS-OF-THIS-MACHINE:${port}/ ; for a name instead of an address add --allow-host NAME.`,
    '',
  ].join('\n');
}

/** Resolves at the first SIGINT, SIGTERM or SIGHUP; a second one ends the process at once. */
function interrupted(): Promise<void> {
  return new Promise((done) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => done());
  });
}

function openKey(path: string | undefined): ClassKey | undefined {
  if (path === undefined) return undefined;
  const { key, isNew } = readClassKey(path, true);
  if (isNew) writeToStderr(`trapline: made a new class key in ${path}; keep it to check what is handed in\n`);
  return key;
}

/** A pino logger: JSON lines into a file, plain ones to stderr. */
function serverLog(raw: RawWorkshopOptions): ServerLog & { close(): void } {
  const level = parseChoice('--log-level', raw.logLevel, LOG_LEVELS);
  const file = raw.logFile === undefined ? undefined : new StreamFile('--log-file', raw.logFile);
  const { pino, stdTimeFunctions } = createRequire(import.meta.url)('pino') as typeof import('pino');
  const write = file === undefined ? plainLine : (line: string): void => file.write(line);
  // Unlike a run's log this one tells what happened when.
  const logger = pino({ ...PINO_OPTIONS, level, timestamp: stdTimeFunctions.isoTime }, { write });
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    close: () => file?.close(),
  };
}

function plainLine(line: string): void {
  const { msg, level: _level, time, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const facts = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  writeToStderr(`trapline: ${String(time).slice(11, 19)} ${String(msg)} ${facts.join(' ')}`.trimEnd() + '\n');
}

const VERDICTS: Readonly<Record<HandInVerdict['verdict'], string>> = {
  signed: 'signed',
  checksum: 'checksum only',
  wrong: 'WRONG',
  'no-key': 'NOT CHECKED (--class-key FILE is needed)',
  unreadable: 'NO HAND-IN LINE',
};

/** Checks a list of lines; exit status 0 when all are signed or, without a key, have a right checksum; 1 otherwise. */
function verify(path: string, keyPath: string | undefined): number {
  const key = keyPath === undefined ? undefined : readClassKey(keyPath, false).key;
  const lines = readList(path).filter((line) => line.trim() !== '');
  if (lines.length === 0) throw new UsageError(`--verify: ${path} holds no lines`);
  let bad = 0;
  for (const line of lines) {
    const result = key?.check(line) ?? checkHandIn(line, undefined);
    // With a key, a line that anybody can make is not enough.
    if (result.verdict !== 'signed' && !(result.verdict === 'checksum' && key === undefined)) bad++;
    writeToStdout(`${verdictLine(result, line)}\n`);
  }
  writeToStdout(`${lines.length - bad} of ${lines.length} lines are right\n`);
  return bad === 0 ? 0 : 1;
}

function verdictLine(result: HandInVerdict, line: string): string {
  const text = printable(line.trim());
  if (result.verdict === 'unreadable') return `${VERDICTS.unreadable}: ${text.slice(0, 60)}`;
  const { name, lesson, done, tasks, steps, seconds, at } = result.handIn;
  return `${VERDICTS[result.verdict]}: ${printable(name)}, ${lesson}, ${done} of ${tasks} tasks, ${steps} steps, ${seconds} s, ${at}`;
}

/** A student's text on a teacher's terminal: no control characters. */
function printable(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}

function readList(path: string): string[] {
  return new TextDecoder().decode(readInputFile('--verify', path, LARGEST_LIST)).split('\n');
}
