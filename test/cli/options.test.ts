// SPDX-License-Identifier: MIT
//
// Values of options, and which file a program's name means.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from '../../src/cli/find-program.ts';
import { RUN_SWITCH_VARIABLES, declareRunOptions, readRunOptions } from '../../src/cli/run-options.ts';
import type { RawRunOptions, RunOptions } from '../../src/cli/run-options.ts';
import { parseCount, parseSeconds, parseSize } from '../../src/cli/sizes.ts';
import { UsageError } from '../../src/cli/usage-error.ts';

describe('Sizes', () => {
  it('have units of 1024', () => {
    expect(parseSize('--memory', '65536')).toBe(65536);
    expect(parseSize('--memory', '512M')).toBe(512 * 2 ** 20);
    expect(parseSize('--memory', '2g')).toBe(2 * 2 ** 30);
    expect(parseSize('--memory', '3KiB')).toBe(3072);
  });

  it('are either understood or refused, whatever is written', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const parse of [
          () => parseSize('--x', text),
          () => parseCount('--x', text, 0, 100),
          () => parseSeconds('--x', text),
        ]) {
          try {
            expect(parse()).toBeGreaterThanOrEqual(0);
          } catch (error) {
            expect(error).toBeInstanceOf(UsageError);
          }
        }
      }),
    );
  });

  it('of counts may be in hex and must be within their bounds', () => {
    expect(parseCount('--seed', '0x10', 0, 100)).toBe(16);
    expect(() => parseCount('--uid', '101', 0, 100)).toThrow(/from 0 to 100/);
    expect(() => parseSeconds('--timeout', '0')).toThrow(UsageError);
    expect(parseSeconds('--timeout', '.5')).toBe(0.5);
  });
});

describe('Options of run', () => {
  /** What the command makes of these arguments. */
  function options(...args: string[]): { options: RunOptions; rest: string[] } {
    const command = new Command('run').argument('<program>').argument('[args...]').passThroughOptions().exitOverride();
    declareRunOptions(command);
    let result: { options: RunOptions; rest: string[] } | undefined;
    command.action((program: string, rest: string[], raw: RawRunOptions) => {
      result = { options: readRunOptions(raw), rest: [program, ...rest] };
    });
    command.parse(args, { from: 'user' });
    if (result === undefined) throw new Error('the command did not run');
    return result;
  }

  it('end at the program', () => {
    const { options: read, rest } = options(
      '--strace',
      '--seed',
      '7',
      './guest',
      '-s',
      '--seed',
      '9',
      '--',
      '--strace-file',
      'x',
    );
    expect(read).toMatchObject({ strace: true, seed: 7, straceFile: undefined });
    expect(rest).toEqual(['./guest', '-s', '--seed', '9', '--', '--strace-file', 'x']);
  });

  it('have defaults', () => {
    expect(options('x').options).toMatchObject({
      patch: 'hardened',
      engine: 'unicorn',
      uid: 1000,
      seed: 0,
      memoryBytes: 2 ** 30,
      wallClock: false,
      entropy: false,
      aslr: false,
      binds: [],
      timeoutSec: undefined,
      maxInstructions: undefined,
      logLevel: 'warn',
      straceFormat: 'linux',
    });
  });

  it('may be given several times where that makes sense', () => {
    const { options: read } = options('--bind', '/a:/b', '--bind', '/c:/d:rw', '--env', 'A=1', '--env', 'A=2', 'x');
    expect(read.binds).toEqual([
      { host: '/a', guest: '/b', writable: false },
      { host: '/c', guest: '/d', writable: true },
    ]);
    expect(read.env.filter((entry) => entry.startsWith('A='))).toEqual(['A=2']);
  });

  it('that take no value have environment twins that can say no', () => {
    expect(RUN_SWITCH_VARIABLES).toEqual([
      'TRAPLINE_STUB_PREEMPTION',
      'TRAPLINE_DISABLE_PATCHING',
      'TRAPLINE_WALL_CLOCK',
      'TRAPLINE_ASLR',
      'TRAPLINE_ENTROPY',
      'TRAPLINE_STRACE',
      'TRAPLINE_STRACE_TIMES',
      'TRAPLINE_STRACE_SUMMARY',
    ]);
  });
});

describe('findProgram', () => {
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-find-'));
    writeFileSync(join(folder, 'program'), '');
    chmodSync(join(folder, 'program'), 0o755);
    writeFileSync(join(folder, 'data'), '', { mode: 0o644 });
    mkdirSync(join(folder, 'folder'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const nothing = (): boolean => false;

  it('prefers the guest: absolute, below the working directory, or in its PATH', () => {
    const exists = (path: string): boolean => ['/bin/ls', '/home/tool', '/opt/bare'].includes(path);
    expect(findProgram('/bin/ls', '/', '/bin', exists)).toEqual({ guestPath: '/bin/ls', hostPath: undefined });
    expect(findProgram('./tool', '/home', '/bin', exists)).toEqual({ guestPath: '/home/tool', hostPath: undefined });
    expect(findProgram('bare', '/', '/bin:/opt', exists)).toEqual({ guestPath: '/opt/bare', hostPath: undefined });
  });

  it('takes a file of the host otherwise, and shows it as /NAME', () => {
    const path = join(folder, 'program');
    expect(findProgram(path, '/', '/bin', nothing)).toEqual({ guestPath: '/program', hostPath: path });
  });

  it('tells not found, directories and files that cannot be executed apart', () => {
    const statusOf = (program: string): number => {
      try {
        findProgram(program, '/', '/bin', nothing);
        return 0;
      } catch (error) {
        return error instanceof UsageError ? error.status : -1;
      }
    };
    expect(statusOf(join(folder, 'missing'))).toBe(127);
    expect(statusOf(join(folder, 'folder'))).toBe(126);
    expect(statusOf(join(folder, 'data'))).toBe(126);
    expect(statusOf('')).toBe(127);
    expect(statusOf('no-such-name-in-any-path')).toBe(127);
  });
});
