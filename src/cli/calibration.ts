// SPDX-License-Identifier: MIT
//
// What this machine can do without Trapline, shown beside the figures of `trapline bench`: a slow or busy machine shows
// here first.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCompiler } from '../cpu/unicorn/setup/index.ts';

const COPY_BYTES = 64 * 2 ** 20;
const RUNS = 5;

/** A figure of the host. */
export interface Calibration {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

const NATIVE_GETPID = `
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int main() {
  const long calls = 1000000;
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  for (long i = 0; i < calls; i++) syscall(SYS_getpid);
  clock_gettime(CLOCK_MONOTONIC, &b);
  printf("%f", ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / calls);
}
`;

/**
 * Measures the host.
 * @param folder for what has to be compiled
 */
export function* calibrate(folder: string): Generator<Calibration> {
  yield { name: 'this machine: copying memory', value: copyRate(), unit: 'GiB/s' };
  const getpid = nativeGetpid(folder);
  if (getpid !== undefined) yield { name: 'this machine: getpid', value: getpid, unit: 'ns a call' };
}

function copyRate(): number {
  const from = new Uint8Array(COPY_BYTES).fill(1);
  const into = new Uint8Array(COPY_BYTES);
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < RUNS; i++) {
    const before = performance.now();
    into.set(from);
    best = Math.min(best, performance.now() - before);
  }
  return COPY_BYTES / 2 ** 30 / (best / 1000);
}

/** Undefined where there is no Linux on x86-64, or no compiler. */
function nativeGetpid(folder: string): number | undefined {
  const [compiler, ...options] = findCompiler() ?? [];
  if (compiler === undefined || process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const source = join(folder, 'getpid.cc');
  const program = join(folder, 'getpid');
  writeFileSync(source, NATIVE_GETPID);
  if (spawnSync(compiler, [...options, '-O2', '-o', program, source]).status !== 0) return undefined;
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < RUNS; i++) {
    const run = spawnSync(program, { encoding: 'utf8' });
    if (run.status === 0) best = Math.min(best, Number(run.stdout));
  }
  return Number.isFinite(best) ? best : undefined;
}
