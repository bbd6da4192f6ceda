// SPDX-License-Identifier: MIT
//
// `trapline facts`: runs the guest that finds out how its calls are patched, and prints what it found; with --compare,
// holds the same program's output under a real runsc against it.

import { join } from 'node:path';
import { TraplineError } from '../base/errors.ts';
import { fromLatin1 } from '../base/bytes.ts';
import type { Host, HostStream } from '../base/host.ts';
import { openUnicorn } from '../cpu/unicorn/index.ts';
import { packageFolder } from '../cpu/unicorn/setup/index.ts';
import { compareFacts, parseFacts } from '../report/fact-lines.ts';
import { nodeHost, openHostPath } from '../sandbox/host-node/index.ts';
import { Sandbox } from '../sandbox/sandbox.ts';
import type { SandboxOptions } from '../sandbox/sandbox.ts';
import { UPSTREAM_VERSION_NAMES } from '../usertrap/versions.ts';
import { readInputFile } from './input-file.ts';
import { writeToStdout } from './output-file.ts';
import { PATCH_MODES } from './run-options.ts';
import { parseChoice } from './sizes.ts';
import { UsageError } from './usage-error.ts';

/** More is not the output of the guest. */
const LARGEST_OUTPUT = 2 ** 20;

/** Options as commander hands them over. */
export interface RawFactsOptions {
  readonly patch: string;
  readonly upstream: string;
  readonly compare?: string;
}

/** Runs the guest and gives the exit status: 0, or 1 when something differs. */
export async function factsCommand(raw: RawFactsOptions): Promise<number> {
  const patch = parseChoice('--patch', raw.patch, PATCH_MODES);
  const upstream = parseChoice('--upstream', raw.upstream, UPSTREAM_VERSION_NAMES);
  const theirs = raw.compare === undefined ? undefined : readFacts(raw.compare);
  const text = await runFacts({ patch, upstream });
  if (theirs === undefined) {
    writeToStdout(text);
    return 0;
  }
  const differences = compareFacts(parseFacts(text), theirs);
  for (const line of differences) writeToStdout(`${line}\n`);
  if (differences.length === 0) writeToStdout(`all ${theirs.size} facts are equal (--patch ${patch})\n`);
  return differences.length === 0 ? 0 : 1;
}

function readFacts(path: string): ReturnType<typeof parseFacts> {
  const facts = parseFacts(fromLatin1(readInputFile('--compare', path, LARGEST_OUTPUT)));
  if (facts.size > 0) return facts;
  throw new UsageError(
    `--compare: ${path} has no line of the form "fact 1 key=value"; run guests/bin/facts.elf and give its output`,
  );
}

/** The guest's output. */
async function runFacts(mode: Pick<SandboxOptions, 'patch' | 'upstream'>): Promise<string> {
  let output = '';
  const quiet = (write: HostStream['write']): HostStream => ({
    isTerminal: false,
    windowSize: () => ({ rows: 0, columns: 0 }),
    read: () => 0,
    onReadable: (callback) => setImmediate(callback),
    write,
  });
  const host: Host = {
    ...nodeHost(),
    stdin: quiet((from) => from.length),
    stdout: quiet((from) => {
      output += fromLatin1(from);
      return from.length;
    }),
    stderr: quiet((from) => from.length),
  };
  const elf = join(packageFolder(), 'guests', 'bin', 'facts.elf');
  const sandbox = Sandbox.create({
    host,
    openCpu: openUnicorn,
    program: '/facts',
    programFile: openHostPath(elf, { writable: false }),
    ...mode,
  });
  try {
    const { exit } = await sandbox.run();
    if ('code' in exit && exit.code === 0) return output;
    throw new TraplineError('INVARIANT', `the guest of the facts ended with ${JSON.stringify(exit)}`);
  } finally {
    sandbox.dispose();
  }
}
