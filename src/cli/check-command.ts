// SPDX-License-Identifier: MIT
//
// `trapline check`: runs a program with patching off and in each patch mode and says whether it could tell the
// difference. Exit status 0 when it could not, 1 when it could, 124 when a limit ended the runs.

import { readSync } from 'node:fs';
import { TraplineError } from '../base/errors.ts';
import { checkJson } from '../report/check-json.ts';
import { checkSarif } from '../report/check-sarif.ts';
import { checkText } from '../report/check-text.ts';
import { checkProgram } from '../sandbox/check/check.ts';
import type { CheckedMode, CheckResult } from '../sandbox/check/check-result.ts';
import { nodeHost } from '../sandbox/host-node/index.ts';
import { ExitStatus } from './exit-status.ts';
import { lazyDisassembler, openGuest, withStatus } from './guest.ts';
import { makeLogger } from './logger.ts';
import { finishAll, ResultFile, writeToStderr } from './output-file.ts';
import { packageVersion } from './package-version.ts';
import { readRunOptions } from './run-options.ts';
import type { RawRunOptions } from './run-options.ts';
import { parseChoice } from './sizes.ts';
import { UsageError } from './usage-error.ts';

const MODES = ['upstream', 'hardened'] as const satisfies readonly CheckedMode[];

/**
 * Checks one program.
 * @param args the guest's own arguments
 * @returns the exit status
 */
export async function checkCommand(program: string, args: readonly string[], raw: RawRunOptions): Promise<number> {
  const options = readRunOptions({ ...raw, patch: 'hardened' });
  const modes = raw['patch'] === undefined ? MODES : [parseChoice('--patch', String(raw['patch']), MODES)];
  for (const bind of options.binds) {
    if (!bind.writable) continue;
    throw new UsageError(`--bind: ${bind.host} cannot be bound rw: every one of the runs would write to it`);
  }
  const guest = await openGuest(program, args, options);
  const json = resultFile('--json', raw['json']);
  const sarif = resultFile('--sarif', raw['sarif']);
  const logger = makeLogger({ level: options.logLevel, file: options.logFile });
  const disassembler = lazyDisassembler();
  let result: CheckResult;
  try {
    result = await checkProgram({
      program: { ...guest.options, host: nodeHost(), upstream: options.upstream, logger, disassembler },
      modes,
      input: readInput,
      disassembler,
    });
  } catch (error) {
    json?.discard();
    sarif?.discard();
    throw withStatus(error, guest, program);
  }
  writeToStderr(checkText(result));
  finishAll([
    () => json?.finish(`${JSON.stringify(checkJson(result), null, 2)}\n`),
    () => sarif?.finish(`${JSON.stringify(checkSarif(result, program, packageVersion()), null, 2)}\n`),
  ]);
  if (result.verdict === 'differs') return 1;
  return result.verdict === 'incomplete' ? ExitStatus.limitReached : 0;
}

function resultFile(option: string, path: RawRunOptions[string]): ResultFile | undefined {
  return typeof path === 'string' ? new ResultFile(option, path) : undefined;
}

/** Waits for input as a plain program does: the runs must not depend on when it comes. */
function readInput(into: Uint8Array): number {
  for (;;) {
    try {
      return readSync(0, into, 0, into.length, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Nothing there is the end; a descriptor that somebody made non-blocking is asked again.
      if (code === 'EOF' || code === 'EBADF') return 0;
      if (code !== 'EAGAIN')
        throw new TraplineError('CHECK_INPUT', 'the standard input cannot be read', { cause: error });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
