// SPDX-License-Identifier: MIT
//
// Measures the Unicorn engine: the kernels through Cpu.run beside the same code on the bare library, and the cost of
// each way in and out of guest code. For `trapline bench`.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TraplineError } from '../../../base/errors.ts';
import { FPU_BYTES } from '../../cpu.ts';
import { Reg, Regs } from '../../regs.ts';
import { openUnicorn } from '../index.ts';
import { ensureUnicorn, findCompiler, packageFolder } from '../setup/index.ts';
import type { UnicornCpu } from '../unicorn-cpu.ts';
import { ARENA, BenchGuest } from './guest.ts';
import { KERNELS, type Kernel } from './kernels.ts';

/** One figure. `ratio` is what the figure is worth beside its reference: above 1 is better than the reference. */
export interface EngineFigure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly reference?: number;
  readonly ratio?: number;
  /** Kernels: the ratio to a C program that counts blocks for a budget and does nothing else. */
  readonly countedRatio?: number;
}

const UNLIMITED = 2 ** 52;
const REPEATS = 3;

/** Nanoseconds of CPU time of this process. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

/** Least CPU time of `repeats` calls. */
function best(repeats: number, body: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < repeats; i++) {
    const start = cpuTime();
    body();
    least = Math.min(least, cpuTime() - start);
  }
  return least;
}

/** Compiles the comparator; undefined where there is no compiler. */
function buildReference(folder: string): string | undefined {
  const compiler = findCompiler();
  if (compiler === undefined) return undefined;
  const native = join(packageFolder(), 'src', 'cpu', 'unicorn', 'native');
  const program = join(folder, 'reference');
  const sources = [
    'bench/reference.cc',
    'machine.cc',
    'abort-guard.cc',
    'fpu.cc',
    'lean-access.cc',
    'unicorn-api.cc',
  ].map((f) => join(native, f));
  const [command = 'c++', ...options] = compiler;
  execFileSync(command, [...options, '-std=c++17', '-O2', ...sources, '-o', program, '-ldl'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return program;
}

function runKernel(guest: BenchGuest, root: number, kernel: Kernel): void {
  guest.enter(root, kernel.rounds);
  const stop = guest.cpu.run(UNLIMITED);
  if (stop.kind !== 'breakpoint')
    throw new TraplineError('BENCH_KERNEL', `the kernel ${kernel.name} ended with ${stop.kind}`);
}

function measureKernel(kernel: Kernel, reference: string | undefined, library: string): EngineFigure {
  const cpu = openUnicorn({ memoryBytes: ARENA });
  const guest = new BenchGuest(cpu);
  const { root } = guest.space(kernel.code);
  let ours = Number.POSITIVE_INFINITY;
  let theirs = Number.POSITIVE_INFINITY;
  let counted = Number.POSITIVE_INFINITY;
  // By turns, so that whatever else the machine does hits both.
  for (let i = 0; i < REPEATS; i++) {
    ours = Math.min(
      ours,
      best(1, () => runKernel(guest, root, kernel)),
    );
    if (reference === undefined) continue;
    const time = (hooks: 'bare' | 'counted'): number => {
      const args = [library, kernel.code, String(kernel.rounds), '1', hooks];
      return Number(execFileSync(reference, args, { encoding: 'utf8' })) * kernel.rounds;
    };
    theirs = Math.min(theirs, time('bare'));
    counted = Math.min(counted, time('counted'));
  }
  const before = cpu.instructions;
  runKernel(guest, root, kernel);
  const instructions = cpu.instructions - before;
  cpu.dispose();
  const value = (instructions / ours) * 1000;
  const figure = { name: `kernel ${kernel.name}`, value, unit: 'MIPS' };
  if (!Number.isFinite(theirs)) return figure;
  return { ...figure, reference: (instructions / theirs) * 1000, ratio: theirs / ours, countedRatio: counted / ours };
}

/** The 8 MiB kernel with early TLB flushes, beside without. */
function measureEarlyFlushes(): EngineFigure {
  const kernel = KERNELS.find((k) => k.name === 'mem8') as Kernel;
  const [plain, early] = [false, true].map((on) => {
    const cpu = openUnicorn({ memoryBytes: ARENA });
    cpu.setEarlyFlushes(on);
    const guest = new BenchGuest(cpu);
    const { root } = guest.space(kernel.code);
    const small = { ...kernel, rounds: kernel.rounds / 2 };
    const time = best(2, () => runKernel(guest, root, small));
    const value = (small.rounds * 14 * 1000) / time;
    cpu.dispose();
    return value;
  }) as [number, number];
  return {
    name: 'kernel mem8, early TLB flushes against none',
    value: early,
    unit: 'MIPS',
    reference: plain,
    ratio: early / plain,
  };
}

/** mov eax, 39; syscall; jmp back */
const SYSCALL_LOOP = 'b827000000 0f05 ebf7';

function measureCalls(cpu: UnicornCpu): EngineFigure[] {
  const guest = new BenchGuest(cpu);
  const { root, codeFrame } = guest.space(SYSCALL_LOOP, 65536);
  const other = guest.space(SYSCALL_LOOP, 65536);
  const figures: EngineFigure[] = [];
  const add = (name: string, count: number, body: () => void): void => {
    figures.push({ name, value: best(REPEATS, body) / count, unit: 'ns' });
  };

  const count = 300_000;
  let left = 0;
  cpu.onSyscall = () => {
    cpu.regs.set(Reg.rax, 42);
    return --left > 0;
  };
  add('syscall served inside the run', count, () => {
    left = count;
    guest.enter(root, 0);
    cpu.run(UNLIMITED);
  });
  cpu.onSyscall = null;
  guest.enter(root, 0);
  add('stop at a syscall and restart', count, () => {
    for (let i = 0; i < count; i++) cpu.run(UNLIMITED);
  });

  const switches = 50_000;
  const tasks = [root, other.root].map((r) => {
    guest.enter(r, 0);
    const regs = new Regs();
    regs.copyFrom(cpu.regs);
    return { root: r, regs, fpu: new Uint8Array(FPU_BYTES) };
  });
  for (const task of tasks) cpu.saveFpu(task.fpu);
  add('context switch: registers, FPU, root, run to a syscall', switches, () => {
    for (let i = 0; i < switches; i++) {
      const task = tasks[i % 2] as (typeof tasks)[0];
      cpu.regs.copyFrom(task.regs);
      cpu.loadFpu(task.fpu);
      cpu.root = task.root;
      cpu.run(UNLIMITED);
      task.regs.copyFrom(cpu.regs);
      cpu.saveFpu(task.fpu);
    }
  });

  add('single step', switches, () => {
    guest.enter(root, 0);
    for (let i = 0; i < switches; i++) cpu.step();
  });
  add('invalidateCode of one page', switches, () => {
    for (let i = 0; i < switches; i++) cpu.invalidateCode(codeFrame, 16);
  });
  return figures;
}

/**
 * Measures everything; takes some ten seconds. Without a compiler the kernels have no reference.
 * @throws TraplineError `BENCH_KERNEL` when a kernel does not end as it must
 */
export function measureEngine(): EngineFigure[] {
  const { libraryPath } = ensureUnicorn();
  const folder = mkdtempSync(join(tmpdir(), 'trapline-bench-'));
  try {
    const reference = buildReference(folder);
    const figures = KERNELS.map((k) => measureKernel(k, reference, libraryPath));
    figures.push(measureEarlyFlushes());
    const cpu = openUnicorn({ memoryBytes: ARENA });
    figures.push(...measureCalls(cpu));
    cpu.dispose();
    return figures;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
