#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// The `trapline` command. Checks the Node version before anything is loaded that needs it.

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`trapline: Node 20.19 or later is needed, and this is ${process.versions.node}\n`);
  process.exitCode = 125;
} else {
  const { main } = await import('./cli/main.ts');
  process.exitCode = await main(process.argv.slice(2));
}

export {};
