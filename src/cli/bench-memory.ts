// SPDX-License-Identifier: MIT
//
// A process of its own for `trapline bench`: runs the program of its arguments with this system's files as its tree and
// prints how much memory the guest's machine and this process took at most.

import { readFileSync } from 'node:fs';
import { openUnicorn } from '../cpu/unicorn/index.ts';
import { nodeHost, openHostDirectory } from '../sandbox/host-node/index.ts';
import { guestText, Sandbox } from '../sandbox/sandbox.ts';
import { DEFAULT_ENVIRONMENT } from './run-options.ts';

const argv = process.argv.slice(2).map(guestText);
const host = nodeHost();
const sandbox = Sandbox.create({
  host,
  openCpu: openUnicorn,
  program: argv[0] ?? '',
  argv,
  env: DEFAULT_ENVIRONMENT,
  root: openHostDirectory('/', { writable: false }),
});
const { exit } = await sandbox.run();
const status = readFileSync('/proc/self/status', 'latin1');
const told = {
  exit,
  peakFrames: sandbox.kernel.memory.peakFrames,
  peakKibibytes: Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN),
};
process.stderr.write(`${JSON.stringify(told)}\n`);
sandbox.dispose();
host.dispose();
