// SPDX-License-Identifier: MIT
//
// Options of `trapline workshop`.

import { Option } from 'commander';
import type { Command } from 'commander';

/** Options as commander hands them over. */
export interface RawWorkshopOptions {
  readonly port: string;
  readonly host: string;
  readonly allowHost: readonly string[];
  readonly workers?: string;
  readonly jobSeconds?: string;
  readonly classKey?: string;
  readonly verify?: string;
  readonly export?: string;
  readonly browser?: string;
  /** `--no-pictures` */
  readonly pictures: boolean;
  readonly logLevel: string;
  readonly logFile?: string;
}

export function declareWorkshopOptions(command: Command): void {
  command
    .option('--port <N>', 'port to listen on, 0 for any', '7117')
    .option('--host <ADDRESS>', 'address to listen on; 0.0.0.0 for all of this machine', '127.0.0.1')
    .addOption(
      new Option('--allow-host <NAME>', 'a name by which others call this machine (repeatable)')
        .argParser((name: string, names: readonly string[]) => [...names, name])
        .default([], 'its addresses only'),
    )
    .option('--workers <N>', 'processes that run jobs')
    .option('--job-seconds <N>', 'time that one job may take')
    .option('--class-key <FILE>', 'sign what students hand in; made when it is not there')
    .option('--verify <FILE>', 'check a list of hand-in lines: exit status 0 all are right, 1 some are not')
    .option('--export <DIR>', 'write the workshop as files that need no server, with slides and handouts, and end')
    .option('--browser <PATH>', 'the Chromium that takes pictures of the slides for --export')
    .option('--no-pictures', 'leave the pictures of the slides out of an export')
    .option('--log-level <L>', 'debug, info, warn, error or silent', 'info')
    .option('--log-file <FILE>', 'log as JSON lines into FILE instead of stderr');
}
