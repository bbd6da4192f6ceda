// SPDX-License-Identifier: MIT
//
// The built command as a process.

import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** Path of a prebuilt guest. */
export function guest(name: string): string {
  return fileURLToPath(new URL(`../../guests/bin/${name}.elf`, import.meta.url));
}

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CallOptions {
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the command to its end; bytes as Latin-1. */
export function trapline(args: readonly string[], options: CallOptions = {}): Finished {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    input: options.input ?? '',
    maxBuffer: 1 << 27,
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  return { status, stdout: stdout.toString('latin1'), stderr: stderr.toString('latin1') };
}

/** Starts the command. */
export function start(args: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [CLI, ...args]);
}

/** Waits for the end: status or signal. */
export function ended(child: ChildProcessWithoutNullStreams): Promise<number | NodeJS.Signals | null> {
  return new Promise((done) => {
    child.on('close', (status, signal) => done(status ?? signal));
  });
}

/** One line without a stack trace. */
export const ONE_LINE = /^trapline: [^\n]+\n$/;
