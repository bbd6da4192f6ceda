// SPDX-License-Identifier: MIT
//
// `trapline sites`: reads one program, or two builds of one, and prints what patching would do with their calls.

import { closeSync, openSync, fstatSync, readSync, constants } from 'node:fs';
import { createRequire } from 'node:module';
import { TraplineError, reason } from '../base/errors.ts';
import { Disassembler } from '../isa/disassembler.ts';
import { sarifLog } from '../report/sarif.ts';
import { diffFindings, SITE_RULES, siteFindings } from '../report/site-findings.ts';
import { diffJson, diffText, sitesJson, sitesText, type DescribeInstruction } from '../report/site-list.ts';
import { diffSites, isWorse } from '../usertrap/site-diff.ts';
import { analyseSites, type ProgramSites } from '../usertrap/site-report.ts';
import { ExitStatus } from './exit-status.ts';
import { writeToStdout } from './output-file.ts';
import { packageVersion } from './package-version.ts';
import { UsageError } from './usage-error.ts';

export interface SitesOptions {
  readonly json?: boolean;
  readonly sarif?: boolean;
  /** The build before. */
  readonly diff?: string;
}

/** What is read at most: programs are smaller, and each byte of code costs time. */
const MAX_PROGRAM_BYTES = 512 * 2 ** 20;

/**
 * Prints the report.
 * @returns 0; for a comparison 1 when a call loses its patch or becomes dangerous
 */
export function sitesCommand(path: string, options: SitesOptions): number {
  if (options.json === true && options.sarif === true)
    throw new UsageError('--json and --sarif exclude each other', ExitStatus.traplineFailed);
  const describe = instructionText();
  const before = options.diff === undefined ? undefined : analyse(options.diff);
  const program = analyse(path);
  if (before === undefined || options.diff === undefined) {
    if (options.sarif === true) print(sarifLog(tool(), SITE_RULES, siteFindings(path, program, describe)));
    else if (options.json === true) print(sitesJson(path, program, describe));
    else writeToStdout(sitesText(program, describe));
    return 0;
  }
  const diff = diffSites(before.sites, program.sites);
  if (options.sarif === true) print(sarifLog(tool(), SITE_RULES, diffFindings(path, diff, describe)));
  else if (options.json === true) print(diffJson([options.diff, path], diff, describe));
  else writeToStdout(diffText(diff));
  return isWorse(diff) ? 1 : 0;
}

function tool(): { name: string; version: string } {
  return { name: 'trapline sites', version: packageVersion() };
}

function print(value: object): void {
  writeToStdout(`${JSON.stringify(value, null, 2)}\n`);
}

/** iced-x86 takes a while to load: only when something is shown. */
function instructionText(): DescribeInstruction {
  let made: Disassembler | undefined;
  return ({ address, bytes }) => {
    made ??= new Disassembler(createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86'));
    return made.disassemble(bytes, address, 1)[0]?.text ?? '(bad)';
  };
}

function analyse(path: string): ProgramSites {
  try {
    return analyseSites(readProgram(path));
  } catch (error) {
    if (!(error instanceof TraplineError)) throw error;
    throw new UsageError(`${path}: ${error.message}`, ExitStatus.notExecutable);
  }
}

function readProgram(path: string): Uint8Array {
  if (path === '') throw new UsageError('the name of the program is empty', ExitStatus.notFound);
  let fd: number | undefined;
  try {
    // A pipe without a writer would let the open wait.
    fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error(stat.isDirectory() ? 'is a directory' : 'is no regular file');
    if (stat.size > MAX_PROGRAM_BYTES) throw new Error(`has ${stat.size} bytes; programs of up to 512 MiB are read`);
    const bytes = new Uint8Array(stat.size);
    let done = 0;
    for (let n = -1; n !== 0 && done < bytes.length; done += n)
      n = readSync(fd, bytes, done, bytes.length - done, null);
    return bytes.subarray(0, done);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new UsageError(`${path}: ${reason(error)}`, isMissing ? ExitStatus.notFound : ExitStatus.notExecutable);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
