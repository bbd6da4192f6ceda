// SPDX-License-Identifier: MIT
//
// The options of `trapline race`, apart from what runs it, so that showing help loads nothing.

import type { Command } from 'commander';

/** Options as commander hands them over. */
export type RawRaceOptions = Readonly<Record<string, string | boolean | undefined>>;

/** Declares the options on the `race` command. */
export function declareRaceOptions(command: Command): void {
  command
    .option('--list', 'list the scenarios')
    .option('--patch <MODE>', 'upstream or hardened')
    .option(
      '--protocol <NAME>',
      'how a site is patched: gvisor, abc-sync, one-shot, or an order of the stores a, b, c such as acb',
    )
    .option('--model <NAME>', 'what a fetch may see: coherent')
    .option('--grain <NAME>', 'how finely threads interleave: isa, step, byte')
    .option('--threads <N>', 'threads that execute the site')
    .option('--offset <N>', 'of the site in its 64-byte line')
    .option('--nr <N>', 'system call number of the site')
    .option('--table <ADDRESS>', 'address of the trap table')
    .option('--budget <N>', 'states to visit at most')
    .option('--json <FILE>', 'write the result as one JSON object');
}
