// SPDX-License-Identifier: MIT
//
// `trapline sites`: reads a program and shows where it makes system calls and what patching would do there.

import { readFileSync, statSync } from 'node:fs';
import { TraplineError } from '../base/errors.ts';
import { sitesCommand } from '../usertrap/site-report.ts';
import { ExitStatus } from './exit-status.ts';
import { reason, writeToStdout } from './output-file.ts';
import { UsageError } from './usage-error.ts';

/** Prints the report and gives the exit status. */
export function sitesOfFile(path: string, options: { readonly json?: boolean }): number {
  const result = analyse(path, readProgram(path));
  writeToStdout(options.json === true ? `${JSON.stringify(result.json, null, 2)}\n` : result.text);
  return result.exitCode;
}

function analyse(path: string, program: Uint8Array): ReturnType<typeof sitesCommand> {
  try {
    return sitesCommand(program);
  } catch (error) {
    if (!(error instanceof TraplineError)) throw error;
    throw new UsageError(`${path}: ${error.message}`, ExitStatus.notExecutable);
  }
}

function readProgram(path: string): Uint8Array {
  try {
    if (statSync(path).isDirectory()) throw new UsageError(`${path}: is a directory`, ExitStatus.notExecutable);
    return readFileSync(path);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new UsageError(`${path}: ${reason(error)}`, isMissing ? ExitStatus.notFound : ExitStatus.notExecutable);
  }
}
