// SPDX-License-Identifier: MIT
//
// Entry of the `trapline` command: reads the command line and turns every failure into one line and a status.
// Statuses: 0 or the guest's, 124 a limit ended the run, 125 Trapline failed, 126 not executable, 127 not found.

import { Command, CommanderError } from 'commander';
import { TraplineError } from '../base/errors.ts';
import type { BenchOptions } from './bench.ts';
import { declareCheckOptions } from './check-options.ts';
import { ExitStatus } from './exit-status.ts';
import type { RawFactsOptions } from './facts-command.ts';
import { writeToStderr, writeToStdout } from './output-file.ts';
import type { RawLessonOptions } from './lesson-command.ts';
import { packageVersion } from './package-version.ts';
import { declareRaceOptions } from './race-options.ts';
import type { RawRaceOptions } from './race-options.ts';
import type { RawReplayOptions } from './replay-command.ts';
import { RUN_SWITCH_VARIABLES, declareRunOptions, readRunOptions, refuseIdleOptions } from './run-options.ts';
import type { RawRunOptions } from './run-options.ts';
import type { SitesOptions } from './sites-command.ts';
import { UsageError } from './usage-error.ts';
import { declareWorkshopOptions } from './workshop-options.ts';
import type { RawWorkshopOptions } from './workshop-options.ts';

/** What the table of options does not say. */
const RUN_HELP = `
Options end at PROGRAM: everything behind it is the program's own.

Exit status: the program's; 128+n when signal n ended it; 124 when a limit ended the run;
125 when Trapline failed; 126 or 127 when PROGRAM cannot be executed or is not found.

Limits: 1 GiB of memory (--memory), 4000 tasks at once, 16 GiB of output, no limit of time or instructions.
What the guest writes to files beside --bind stays in memory of its own: at most 512 MiB in 250000 files.

The first SIGINT or SIGTERM goes to the program, a second one ends the run. On a terminal all keys are the
program's, Ctrl-C and Ctrl-Z too; three times Ctrl-] in a row ends the run.

A checkpoint (--checkpoint) holds memory, tasks, files in memory and what was read of PROGRAM; --restore goes on from
it as the run would have gone on. Files below --root and --bind must be what they were. A run on a terminal goes on at
the terminal of the new command.

Examples:
  trapline run ./hello
  trapline run --root rootfs --cwd /tmp --env LANG=C -- /bin/sh -c 'ls -l'
  trapline run --strace --metrics metrics.json ./server --port 80
`;

/**
 * Runs one command.
 * @param argv what follows the program's name
 * @returns the exit status
 */
export async function main(argv: readonly string[]): Promise<number> {
  let status: number = 0;
  ignoreFalseSwitches();
  const program = buildProgram((value) => {
    status = value;
  });
  // What a callback throws has no caller: it ends the tool in the same way.
  process.once('uncaughtException', (error) => process.exit(report(error)));
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return status;
  } catch (error) {
    return report(error);
  }
}

function buildProgram(setStatus: (status: number) => void): Command {
  const program = new Command('trapline')
    .description('Runs unmodified x86-64 Linux programs on an emulated CPU and patches their syscall sites in place.')
    .version(`trapline ${packageVersion()}`, '--version', 'show the version')
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError(false)
    .configureOutput({ writeOut: writeToStdout, writeErr: writeToStderr, outputError: () => {} });

  program
    .command('doctor')
    .description('show versions and test the engine')
    .option('--setup', 'only make ready what the first run would otherwise have to')
    .option('--quiet', 'print nothing when all is well')
    .action(async (options: { setup?: boolean; quiet?: boolean }) => {
      const { doctorCommand } = await import('./doctor.ts');
      setStatus(doctorCommand(options));
    });

  program
    .command('sites')
    .description("list a program's syscall sites: address, bytes, patched or refused and by which rule, hazards")
    .argument('<program>', 'an ELF program or shared library')
    .option('--json', 'print one JSON object')
    .option('--sarif', 'print a SARIF 2.1.0 log of what is dangerous or never patched')
    .option('--diff <before>', 'say what changed since this build; exit status 1 when a call lost its patch')
    .action(async (path: string, options: SitesOptions) => {
      const { sitesCommand } = await import('./sites-command.ts');
      setStatus(sitesCommand(path, options));
    });

  // Only options are declared here: what a command needs is loaded when it runs.
  const race = program
    .command('race')
    .description('explore every interleaving of a scenario: exit status 0 holds, 1 fails, 3 incomplete')
    .argument('[scenario...]', 'its name, or several; --list shows them');
  declareRaceOptions(race);
  race.action(async (scenarios: readonly string[], options: RawRaceOptions) => {
    const { raceCommand } = await import('./race-command.ts');
    setStatus(await raceCommand(scenarios, options));
  });

  program
    .command('replay')
    .description(
      'run one schedule of a race step by step: exit status 1 the failure comes again, 0 it passes, 3 it no longer fits',
    )
    .argument('[token]', 'a token, or a file with a report or a JSON result of race; RACE_REPLAY by default')
    .option('--mode <MODE>', 'strict, lenient (leaves out steps that do not fit), continue (explores from there on)')
    .option('--budget <N>', 'states to visit at most, for --mode continue')
    .option('--protocol-elf <FILE:SYMBOL>', 'the patcher of a token of guest-patcher')
    .option('--html <FILE>', 'record the schedule as a page of its own, or as it is to a FILE.json')
    .action(async (token: string | undefined, options: RawReplayOptions) => {
      const { replayCommand } = await import('./replay-command.ts');
      setStatus(await replayCommand(token, options));
    });

  program
    .command('bench')
    .description('measure the figures of the README on this machine')
    .argument('[part]', 'workshop: a class on the loopback, for ten minutes')
    .option('--json', 'print one JSON object')
    .option('--seconds <N>', 'workshop: for how long')
    .option('--clients <N>', 'workshop: how many at once')
    .action(async (part: string | undefined, options: BenchOptions) => {
      const { benchCommand } = await import('./bench.ts');
      setStatus(await benchCommand(part, options));
    });

  program
    .command('lesson')
    .description('a lesson of the workshop in the terminal: trapline lesson 1')
    .argument('[lesson]', "its number or name, or a teacher's own file .json")
    .option('--list', 'list the lessons')
    .option('--print', 'print all of it, with every step of its recordings')
    .action(async (which: string | undefined, options: RawLessonOptions) => {
      const { lessonCommand } = await import('./lesson-command.ts');
      setStatus(await lessonCommand(which, options));
    });

  const workshop = program
    .command('workshop')
    .description('serve the workshop: a page on which people see and try how calls are trapped, patched and raced');
  declareWorkshopOptions(workshop);
  workshop.action(async (options: RawWorkshopOptions) => {
    const { workshopCommand } = await import('./workshop-command.ts');
    setStatus(await workshopCommand(options));
  });

  const check = program
    .command('check')
    .usage('[options] [--] PROGRAM [ARG...]')
    .description('say what patching would break in a program, where and why: exit status 0 nothing, 1 something')
    .argument('<program>', 'a program, as for run')
    .argument('[args...]', 'its arguments, options included')
    .passThroughOptions();
  declareCheckOptions(check);
  check.action(async (name: string, args: readonly string[], raw: RawRunOptions) => {
    const { checkCommand } = await import('./check-command.ts');
    setStatus(await checkCommand(name, args, raw));
  });

  program
    .command('facts')
    .description('print what a program finds out about its own patching, to be held against a real runsc')
    .option('--patch <MODE>', 'off, upstream or hardened', 'upstream')
    .option('--upstream <VERSION>', 'which gVisor --patch upstream is, as for run', '3c5eee1')
    .option(
      '--compare <FILE>',
      "hold guests/bin/facts.elf's output from elsewhere against it: exit status 1 when they differ",
    )
    .action(async (options: RawFactsOptions) => {
      const { factsCommand } = await import('./facts-command.ts');
      setStatus(await factsCommand(options));
    });

  const run = program
    .command('run')
    .usage('[options] [--] PROGRAM [ARG...]')
    .description(
      "run a program; the exit status is the program's, 128+n when a signal killed it, 124 when a limit ended it",
    )
    .argument('[program]', 'an x86-64 Linux program')
    .argument('[args...]', 'its arguments, options included')
    .passThroughOptions();
  declareRunOptions(run);
  run.addHelpText('after', RUN_HELP);
  run.action(async (name: string | undefined, args: readonly string[], raw: RawRunOptions) => {
    const options = readRunOptions(raw, (option) => run.getOptionValueSource(option) !== 'default');
    refuseIdleOptions(options, (option) => run.getOptionValueSource(option) === 'cli');
    if (name === undefined && options.restore === undefined) run.error("error: missing required argument 'program'");
    if (name !== undefined && options.restore !== undefined) {
      throw new UsageError(`--restore: the program is in the checkpoint; leave ${name} out`);
    }
    const { runCommand } = await import('./run-command.ts');
    setStatus(await runCommand(name ?? '', args, options));
  });
  return program;
}

/** An environment twin of a switch that says no: commander would take any value for yes. */
function ignoreFalseSwitches(): void {
  for (const name of RUN_SWITCH_VARIABLES) {
    if (['', '0', 'false', 'no'].includes(process.env[name] ?? 'yes')) delete process.env[name];
  }
}

/** Says what went wrong, and gives the status for it. */
function report(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    // Called without a command: the help has been shown, on stderr.
    if (error.code === 'commander.help') return ExitStatus.traplineFailed;
    const message = error.message
      .replace(/^error: /, '')
      .replace(/\.?\s*\n\s*/g, ' ')
      .replace(/\.$/, '');
    writeToStderr(`trapline: ${message}; see trapline --help\n`);
    return ExitStatus.traplineFailed;
  }
  if (error instanceof UsageError) {
    writeToStderr(`trapline: ${error.message}\n`);
    return error.status;
  }
  const debug = (process.env['TRAPLINE_DEBUG'] ?? '') !== '';
  if (error instanceof TraplineError && error.code !== 'INVARIANT') {
    writeToStderr(`trapline: ${debug ? (error.stack ?? error.message) : error.message}\n`);
    return ExitStatus.traplineFailed;
  }
  const message = error instanceof Error ? error.message : String(error);
  const hint = debug ? '' : ' (a bug in Trapline; TRAPLINE_DEBUG=1 shows where)';
  writeToStderr(`trapline: ${message}${hint}\n`);
  if (debug && error instanceof Error) writeToStderr(`${error.stack ?? ''}\n`);
  return ExitStatus.traplineFailed;
}
