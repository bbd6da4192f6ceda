// SPDX-License-Identifier: MIT
//
// The real CPU: compiles the helper once per content of its source and runs batches of cases through it.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FPU_BYTES } from '../../src/cpu/cpu.ts';
import { REG_COUNT } from '../../src/cpu/regs.ts';
import { baseImage } from './layout.ts';
import type { Case, Outcome } from './records.ts';
import { Trap, decodeOutcomes, encodeCase } from './records.ts';

const SOURCE = fileURLToPath(new URL('native/helper.c', import.meta.url));
const FLAGS = [
  '-O2',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-std=gnu11',
  '-fPIE',
  '-mno-red-zone',
  '-fcf-protection=none',
  '-fno-stack-protector',
  '-fno-builtin',
  '-nostdlib',
  '-static',
  '-Wl,-Ttext-segment=0x7d0000000000',
  '-Wl,--build-id=none',
  '-Wl,-z,noexecstack',
];

/** Why there is no native side on this machine, or undefined when there is one. */
export function nativeUnavailable(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `the real CPU is compared on x86-64 Linux only, this is ${process.platform}-${process.arch}`;
  const cc = process.env['CC'] ?? 'cc';
  if (spawnSync(cc, ['--version']).status !== 0) return `no C compiler (${cc}) to build the native helper with`;
  // The helper sets and reads the segment bases by these instructions.
  if (!/^flags\s*:.*\bfsgsbase\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'))) {
    return 'this CPU or kernel does not give ring 3 the FSGSBASE instructions';
  }
  return undefined;
}

function compileHelper(): string {
  const source = readFileSync(SOURCE);
  const digest = createHash('sha256').update(source).update(FLAGS.join(' ')).digest('hex').slice(0, 16);
  const folder = join(tmpdir(), `trapline-differential-${userInfo().uid}`);
  const binary = join(folder, `helper-${digest}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // The name can be guessed: what another user put there is not run.
  if (statSync(folder).uid !== userInfo().uid) throw new Error(`${folder} belongs to another user; remove it`);
  if (existsSync(binary)) return binary;
  // Built under a name of its own and renamed: two test runs may start at once.
  const fresh = `${binary}.${process.pid}`;
  const built = spawnSync(process.env['CC'] ?? 'cc', [...FLAGS, '-o', fresh, SOURCE], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`the native helper does not compile:\n${built.stderr}`);
  renameSync(fresh, binary);
  return binary;
}

const LOST: Outcome = {
  trap: Trap.lost,
  error: 0,
  cr2: 0n,
  regs: new BigUint64Array(REG_COUNT),
  fx: new Uint8Array(FPU_BYTES),
  changes: [],
  steps: [],
};

/** Cases per helper process: bounds its buffers. */
const BATCH = 4000;

export class NativeCpu {
  readonly #binary = compileHelper();
  readonly #image = baseImage();

  /** Runs every case; the outcome of one that killed the helper is `lost`. */
  run(cases: readonly Case[], traced = false): Outcome[] {
    const outcomes: Outcome[] = [];
    for (let i = 0; i < cases.length; i += BATCH) outcomes.push(...this.#runBatch(cases.slice(i, i + BATCH), traced));
    return outcomes;
  }

  #runBatch(cases: readonly Case[], traced: boolean): Outcome[] {
    const child = spawnSync(this.#binary, [], {
      input: Buffer.concat([this.#image, ...cases.map((c) => encodeCase(c, traced))]),
      maxBuffer: 2 ** 30,
      env: {},
      timeout: 1_200_000,
    });
    if (child.error) throw child.error;
    const outcomes = decodeOutcomes(child.stdout);
    if (child.status === 0 && outcomes.length === cases.length) return outcomes;
    if (child.signal === null && child.status !== 0)
      throw new Error(`the native helper gave up with status ${child.status} (see die() in helper.c)`);
    if (cases.length === 1) return [LOST];
    const half = cases.length >> 1;
    return [...this.#runBatch(cases.slice(0, half), traced), ...this.#runBatch(cases.slice(half), traced)];
  }
}
