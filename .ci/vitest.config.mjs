// SPDX-License-Identifier: MIT

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  // The example imports the package by its name, as a copy of it would.
  resolve: { alias: { 'trapline/testing': fileURLToPath(new URL('../src/testing/index.ts', import.meta.url)) } },
  test: {
    include: ['test/**/*.test.ts'],
    // A crash inside the native engine must end one file's worker, not the whole run.
    pool: 'forks',
    maxWorkers: 2,
    maxConcurrency: 3,
    // For what hangs: how long a test takes on a slow and busy machine is no reason to fail.
    testTimeout: 20 * 60_000,
    hookTimeout: 20 * 60_000,
    allowOnly: false,
    passWithNoTests: false,
  },
});
