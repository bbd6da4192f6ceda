// SPDX-License-Identifier: MIT
//
// Compiles a C program, runs it on this machine's kernel and in a sandbox, and keeps what it printed.

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Host, HostStream } from '../../src/base/host.ts';
import type { Logger } from '../../src/base/logger.ts';
import { Disassembler } from '../../src/isa/disassembler.ts';
import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import type { RunResult, SandboxOptions } from '../../src/sandbox/sandbox.ts';
import { Sandbox } from '../../src/sandbox/sandbox.ts';
import { nodeHost, openHostPath } from '../../src/sandbox/host-node/index.ts';
import { fromLatin1 } from '../../src/base/bytes.ts';

export const isLinux = process.platform === 'linux' && process.arch === 'x64';

export function hasCompiler(command: string): boolean {
  return isLinux && spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** Compiles sources/NAME.c to `out`, which is a static program unless `flags` say otherwise. */
export function compile(compiler: string, name: string, out: string, flags: readonly string[] = ['-static']): void {
  const source = fileURLToPath(new URL(`sources/${name}.c`, import.meta.url));
  // musl's own headers leave the kernel's to the system.
  const extra =
    compiler === 'musl-gcc' ? ['-idirafter', '/usr/include', '-idirafter', '/usr/include/x86_64-linux-gnu'] : [];
  const args = ['-std=gnu17', '-O1', '-w', '-pthread', ...extra, '-o', out, source, ...flags];
  const made = spawnSync(compiler, args, { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`${compiler} ${args.join(' ')} failed: ${made.stderr}`);
}

/** What a program did: its output and how it ended. */
export interface Outcome {
  readonly output: string;
  readonly exit: RunResult['exit'];
}

export function runNatively(program: string, args: readonly string[] = []): Outcome {
  const ended = spawnSync(program, args, { encoding: 'latin1', env: {}, timeout: 600_000 });
  if (ended.status === null) throw new Error(`${program} was ended by ${String(ended.signal)}`);
  return { output: ended.stdout, exit: { code: ended.status } };
}

/** A stream that keeps what is written to it, and gives `input` and then the end. */
function memoryStream(sink: (text: string) => void, input: Uint8Array = new Uint8Array(0)): HostStream {
  let at = 0;
  return {
    isTerminal: false,
    windowSize: () => ({ rows: 24, columns: 80 }),
    read(into) {
      const part = input.subarray(at, at + into.length);
      into.set(part);
      at += part.length;
      return part.length;
    },
    onReadable(callback) {
      callback();
    },
    write(from) {
      sink(fromLatin1(from));
      return from.length;
    },
  };
}

export interface GuestRun extends Outcome {
  readonly errors: string;
  readonly warnings: readonly string[];
  readonly result: RunResult;
}

let disassembler: Disassembler | undefined;

/** Runs a host file in a sandbox of its own. */
export async function runGuest(
  program: string,
  options: Partial<SandboxOptions> & { readonly input?: Uint8Array } = {},
): Promise<GuestRun> {
  const real = nodeHost();
  let output = '';
  let errors = '';
  const host: Host = {
    ...real,
    stdin: memoryStream(() => undefined, options.input),
    stdout: memoryStream((text) => (output += text)),
    stderr: memoryStream((text) => (errors += text)),
  };
  const warnings: string[] = [];
  const logger: Logger = { warn: (message) => warnings.push(message), debug: () => undefined };
  const sandbox = Sandbox.create({
    host,
    openCpu: openUnicorn,
    program,
    programFile: openHostPath(program, { writable: false }),
    // Programs compare their ids with what they have natively.
    uid: process.getuid?.() ?? 1000,
    memoryBytes: 256 * 2 ** 20,
    timeoutSec: 600,
    logger,
    disassembler: () =>
      (disassembler ??= new Disassembler(createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86'))),
    ...options,
  });
  try {
    const result = await sandbox.run();
    return { output, errors, warnings, result, exit: result.exit };
  } finally {
    sandbox.dispose();
    real.dispose();
  }
}
