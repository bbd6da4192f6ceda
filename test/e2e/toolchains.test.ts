// SPDX-License-Identifier: MIT
//
// Programs built here by ordinary compilers against ordinary libraries must do under Trapline what they do on the
// host's kernel: static glibc, static PIE, musl, Go, Rust.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const sources = fileURLToPath(new URL('programs/', import.meta.url));
const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** A program: what builds it, with `OUT` for the file to make, and the arguments of the compiler. */
const PROGRAMS: readonly { readonly name: string; readonly compiler: string; readonly args: readonly string[] }[] = [
  { name: 'glibc, static', compiler: 'gcc', args: ['-O2', '-static', '-o', 'OUT', 'work.c', '-lm'] },
  { name: 'glibc, static PIE', compiler: 'gcc', args: ['-O2', '-static-pie', '-fPIE', '-o', 'OUT', 'work.c', '-lm'] },
  { name: 'glibc threads', compiler: 'gcc', args: ['-O2', '-static', '-pthread', '-o', 'OUT', 'threads.c'] },
  { name: 'musl', compiler: 'musl-gcc', args: ['-O2', '-static', '-o', 'OUT', 'work.c', '-lm'] },
  { name: 'musl threads', compiler: 'musl-gcc', args: ['-O2', '-static', '-pthread', '-o', 'OUT', 'threads.c'] },
  { name: 'Go', compiler: 'go', args: ['build', '-o', 'OUT', 'work.go'] },
  { name: 'Rust', compiler: 'rustc', args: ['-O', '-C', 'target-feature=+crt-static', '-o', 'OUT', 'work.rs'] },
];

const isNative = process.platform === 'linux' && process.arch === 'x64';

function isThere(compiler: string): boolean {
  return spawnSync(compiler, [compiler === 'go' ? 'version' : '--version'], { stdio: 'ignore' }).error === undefined;
}

interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

function execute(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Ended & { errors: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env, timeout: 600_000 });
    let output = '';
    let errors = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ status, signal, output, errors }));
  });
}

describe.runIf(isNative)('programs of ordinary toolchains', () => {
  let scratch = '';
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'trapline-toolchains-'));
    // The guest is an ordinary user and looks for its /tmp in here.
    chmodSync(scratch, 0o755);
    mkdirSync(join(scratch, 'tmp'));
    chmodSync(join(scratch, 'tmp'), 0o1777);
  });
  afterAll(() => {
    rmSync(scratch, { recursive: true, force: true });
  });

  for (const { name, compiler, args } of PROGRAMS) {
    describe.runIf(isThere(compiler))(name, () => {
      const file = name.replace(/\W+/g, '-');
      let expected: Ended;

      beforeAll(async () => {
        const program = join(scratch, file);
        execFileSync(
          compiler,
          args.map((arg) => (arg === 'OUT' ? program : arg)),
          {
            cwd: sources,
            stdio: ['ignore', 'pipe', 'pipe'],
            env: {
              ...process.env,
              CGO_ENABLED: '0',
              GOCACHE: join(scratch, 'go-cache'),
              GOFLAGS: '-mod=mod',
              GO111MODULE: 'off',
            },
          },
        );
        const { status, signal, output } = await execute(program, ['argument'], { GREETING: 'hello' });
        expected = { status, signal, output };
      });

      for (const mode of ['off', 'upstream', 'hardened']) {
        it(`does the same with --patch ${mode} as natively`, async () => {
          const options = ['--patch', mode, '--root', scratch, '--env', 'GREETING=hello'];
          const { errors, ...ended } = await execute(
            process.execPath,
            [cli, 'run', ...options, '--', join(scratch, file), 'argument'],
            process.env,
          );
          expect(ended, errors).toEqual(expected);
        });
      }
    });
  }
});
