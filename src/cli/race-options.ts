// SPDX-License-Identifier: MIT
//
// The options of `trapline race`, apart from what runs it, so that showing help loads nothing.

import { Option } from 'commander';
import type { Command } from 'commander';

/** Options as commander hands them over. */
export type RawRaceOptions = Readonly<Record<string, string | boolean | undefined>>;

/** Declares the options on the `race` command. */
export function declareRaceOptions(command: Command): void {
  command
    .option('--list', 'list the scenarios')
    .option('--all', 'explore all scenarios but hardware, whose failures are what a processor showed')
    .option('--patch <MODE>', 'upstream or hardened')
    .option(
      '--protocol <NAME>',
      'how a site is patched: gvisor, abc-sync, one-shot, one-store, an order of the steps a, b, c such as acb, or stores such as 5,1.4,5.2,0; then :sync=ab :split=byte :guard=cc :stop :nolock :single-read :die=1',
    )
    .option(
      '--protocol-elf <FILE:SYMBOL>',
      'for guest-patcher: functions patch(site, code) of a program or shared object, SYMBOL,SYMBOL… for several',
    )
    .option('--model <NAME>', 'what a fetch may see: coherent, torn-asc, torn-any, stale-window=N, stale, xmc-strict')
    .option('--granule <N>', 'bytes that a fetch reads at once: 64, 32, 16, 8, 1')
    .option('--grain <NAME>', 'how a copy becomes stores: isa, step, byte')
    .option('--atom <N>', 'a store is split where it crosses a multiple of 64, 8 or 1 bytes')
    .option('--return <HOW>', 'how the kernel returns from a signal: iret (serialises) or sysret')
    .option('--threads <N>', 'threads that execute the site')
    .option('--offset <N>', 'of the site in its 64-byte line')
    .option('--page', 'the line is the last of its page')
    .option('--start <N>', 'byte of the site that the threads start at: 0 or 5')
    .option('--nr <N>', 'system call number of the site')
    .option('--table <ADDRESS>', 'address of the trap table')
    .option(
      '--strategy <NAME>',
      'exhaustive, or sampling: random, pct, urw, portfolio; dpor for a search that keeps no states',
    )
    .addOption(new Option('--seed <N>', 'of everything that sampling chooses').env('RACE_SEED'))
    .addOption(
      new Option('--budget <N>', 'states to visit at most; schedules to run at most for the other strategies').env(
        'RACE_BUDGET',
      ),
    )
    .option(
      '--workers <N>',
      'processes that explore a large model exhaustively, each its part of the states, where processors are free; default 1',
    )
    .option('--time <SECONDS>', 'stop after so long: incomplete unless something failed')
    .option('--json <FILE>', 'write the result as one JSON object')
    .option(
      '--html <FILE>',
      'record how it fails, or one path where it does not, as a page of its own, or as it is to a FILE.json',
    )
    .option('--junit <FILE>', 'write the result as JUnit XML');
}
