#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// The `trapline` command. Checks the Node version before anything is loaded that needs it.

import { setFlagsFromString } from 'node:v8';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`trapline: Node 20.19 or later is needed, and this is ${process.versions.node}\n`);
  process.exitCode = 125;
} else {
  // Most runs are over before what the optimizing compiler makes of them could pay, and it takes as long as they do. With
  // eight times V8's budget (of the version that this was measured with), functions that go on for a while are compiled still.
  if (major === 20) setFlagsFromString('--interrupt-budget=540672');
  try {
    const { main } = await import('./cli/main.ts');
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    // What the command throws it reports itself: it could not be loaded.
    process.stderr.write(`trapline: it cannot be loaded: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 125;
  }
}
