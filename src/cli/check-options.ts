// SPDX-License-Identifier: MIT
//
// The options of `trapline check`, apart from what runs it, so that showing help loads nothing.

import type { Command } from 'commander';
import { declareRunOptions } from './run-options.ts';

/** Options of `run` that mean the same here, by the names that commander gives them. */
const RUN_OPTIONS = new Set([
  'upstream',
  'root',
  'bind',
  'cwd',
  'env',
  'argv0',
  'uid',
  'seed',
  'aslr',
  'memory',
  'timeout',
  'maxInstructions',
  'engine',
  'logLevel',
  'logFile',
]);

const HELP = `
Runs PROGRAM with patching off, as gVisor patches (upstream) and hardened, and compares each task's calls with their
arguments and results, signals, registers, output, exit, and memory at each process's end. PROGRAM's output is that of
the first run; its input is read once and given to all of them. The report goes to stderr.

Exit status: 0 when every mode is the same (or only slower), 1 when one differs, 124 when a limit ended the runs;
125, 126 and 127 as for run.
`;

/** Declares the options on the `check` command. */
export function declareCheckOptions(command: Command): void {
  command
    .option('--patch <MODE>', 'check only this mode: upstream or hardened (default: both)')
    .option('--json <FILE>', 'write the result as one JSON object')
    .option('--sarif <FILE>', 'write what differs as a SARIF 2.1.0 log');
  declareRunOptions(command, RUN_OPTIONS);
  command.addHelpText('after', HELP);
}
