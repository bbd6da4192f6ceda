// SPDX-License-Identifier: MIT
//
// A C compiler for x86-64 Linux, where this machine has one.

import { spawnSync } from 'node:child_process';

/** Its command, or undefined. */
export function findCCompiler(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const candidates = [process.env['CC'] ?? 'cc', 'gcc', 'clang'];
  return candidates.find((command) => spawnSync(command, ['--version']).status === 0);
}
