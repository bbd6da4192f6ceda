// SPDX-License-Identifier: MIT
//
// One figure of `trapline bench`: what it is compared with, how it is printed, and where the things lie that are measured.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TraplineError } from '../base/errors.ts';
import { packageFolder } from '../cpu/unicorn/setup/index.ts';

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the figure is compared with, when that was measured too: the same unit, and how often it goes in. */
  readonly reference?: number;
  readonly ratio?: number;
  /** Kernels: the ratio to a C program that counts blocks, as anything with a budget must. */
  readonly countedRatio?: number;
  /** The most that it should be, in the same unit. */
  readonly goal?: number;
  /** The least that the ratio should be. */
  readonly ratioGoal?: number;
}

/** One line. */
export function formatFigure(figure: Figure): string {
  const { name, value, unit, ratio, countedRatio, goal, ratioGoal } = figure;
  const notes: string[] = [];
  if (ratio !== undefined) notes.push(`${round(ratio)} of the reference`);
  if (countedRatio !== undefined) notes.push(`${round(countedRatio)} of one that counts blocks`);
  if (goal !== undefined) notes.push(`goal: at most ${goal}`);
  if (ratioGoal !== undefined) notes.push(`goal: at least ${ratioGoal}`);
  if (value > (goal ?? value) || (ratio ?? 1) < (ratioGoal ?? 0)) notes.push('MISSED');
  return `${name.padEnd(54)}${round(value).padStart(8)} ${unit.padEnd(10)}${notes.join(', ')}`.trimEnd();
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** The command line tool itself. */
export function cliPath(): string {
  return join(packageFolder(), 'dist', 'cli.js');
}

/** One of the guests that come with Trapline. */
export function benchGuest(name: string): string {
  const path = join(packageFolder(), 'guests', 'bin', `${name}.elf`);
  if (!existsSync(path)) throw new TraplineError('BENCH', `${path} is not there; install trapline again`);
  return path;
}
