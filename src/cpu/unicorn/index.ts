// SPDX-License-Identifier: MIT
//
// Opens the Unicorn engine: finds libunicorn and the addon, checks the size of the arena.

import { createRequire } from 'node:module';
import { PAGE_SIZE } from '../../base/addr.ts';
import { TraplineError } from '../../base/errors.ts';
import { CPUID_TABLE } from '../cpuid.ts';
import { resetState } from '../fresh-state.ts';
import type { Addon, NativeEngine } from './addon.ts';
import { ensureUnicorn } from './setup/index.ts';
import { RESERVED_BYTES, UnicornCpu } from './unicorn-cpu.ts';

export { UnicornCpu } from './unicorn-cpu.ts';

export interface UnicornOptions {
  /** Size of the physical arena: a multiple of 4 KiB, at most 4 GiB. */
  memoryBytes: number;
  /** The library to open in place of the one that set-up finds. */
  libraryPath?: string;
}

/** The largest ArrayBuffer of Node 20. */
const MAX_MEMORY = 2 ** 32;
const MIN_MEMORY = 2 * RESERVED_BYTES;

let addon: Addon | undefined;

function loadAddon(path: string): Addon {
  addon ??= createRequire(import.meta.url)(path) as Addon;
  return addon;
}

/**
 * A processor on Unicorn, in the state of a fresh process, with its arena zeroed.
 * @throws TraplineError `CPU_MEMORY_SIZE` when the arena cannot have that size; `SETUP_…` when the engine is not
 *   installed; `CPU_LIBRARY` or `CPU_ENGINE_FAILED` when libunicorn is not what the engine knows how to drive
 * @example const cpu = openUnicorn({ memoryBytes: 64 * 2 ** 20 });
 * @since 0.1.0
 */
export function openUnicorn(options: UnicornOptions): UnicornCpu {
  const { memoryBytes } = options;
  if (memoryBytes > MAX_MEMORY) {
    throw new TraplineError(
      'CPU_MEMORY_SIZE',
      `an arena of ${memoryBytes} bytes was asked for, but an ArrayBuffer of Node 20 holds at most 4 GiB; ask for less memory`,
    );
  }
  if (!(memoryBytes >= MIN_MEMORY) || memoryBytes % PAGE_SIZE !== 0) {
    throw new TraplineError(
      'CPU_MEMORY_SIZE',
      `an arena must be a multiple of 4096 bytes and at least ${MIN_MEMORY}, not ${memoryBytes}; ask for another size`,
    );
  }
  const setup = ensureUnicorn();
  let native: NativeEngine;
  try {
    native = loadAddon(setup.addonPath).openEngine(options.libraryPath ?? setup.libraryPath, memoryBytes);
  } catch (cause) {
    const { code, message } = cause as Error & { code?: string };
    throw new TraplineError(
      code ?? 'CPU_ENGINE_FAILED',
      `the Unicorn engine does not open: ${message}; run "trapline doctor"`,
      { cause },
    );
  }
  native.setCpuid(CPUID_TABLE);
  const cpu = new UnicornCpu(native);
  resetState(cpu);
  return cpu;
}
