// SPDX-License-Identifier: MIT
//
// Recordings of real runs for tests: a prebuilt guest or a few bytes of code on the real engine, with a host in memory.

import { createRequire } from 'node:module';
import { fromLatin1 } from '../../../src/base/bytes.ts';
import type { Host, HostStream } from '../../../src/base/host.ts';
import { openUnicorn } from '../../../src/cpu/unicorn/index.ts';
import { Disassembler } from '../../../src/isa/disassembler.ts';
import { nodeHost, openHostPath } from '../../../src/sandbox/host-node/index.ts';
import { recordRun } from '../../../src/sandbox/recording/record-run.ts';
import type { RecordingSettings } from '../../../src/sandbox/recording/record-run.ts';
import { Sandbox } from '../../../src/sandbox/sandbox.ts';
import type { RunResult, SandboxOptions } from '../../../src/sandbox/sandbox.ts';
import type { RunRecording } from '../../../src/trace/recording/format.ts';
import { guest } from '../../e2e/trapline.ts';
import { directoryWith, elfOf } from '../../kernel/code-guest.ts';

let made: Disassembler | undefined;

/** One for all tests of a file. */
export function disassembler(): Disassembler {
  return (made ??= new Disassembler(createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86')));
}

export interface Recorded {
  readonly recording: RunRecording;
  readonly result: RunResult;
  readonly output: string;
}

export type Settings = Partial<SandboxOptions> & Partial<Omit<RecordingSettings, 'disassembler'>>;

function memoryStream(sink: (text: string) => void): HostStream {
  return {
    isTerminal: false,
    windowSize: () => ({ rows: 24, columns: 80 }),
    read: () => 0,
    onReadable: (callback) => callback(),
    write(from) {
      sink(fromLatin1(from));
      return from.length;
    },
  };
}

function optionsOf(sink: (text: string) => void, real: Host, settings: Settings): SandboxOptions {
  return {
    openCpu: openUnicorn,
    program: '/guest',
    memoryBytes: 64 * 2 ** 20,
    timeoutSec: 60,
    ...settings,
    host: { ...real, stdin: memoryStream(sink), stdout: memoryStream(sink), stderr: memoryStream(sink) },
  };
}

/** Records a guest of guests/bin by its name, or bytes of code. */
export async function record(program: string | Uint8Array, settings: Settings = {}): Promise<Recorded> {
  const real = nodeHost();
  let output = '';
  const options = optionsOf((text) => (output += text), real, { ...programOf(program), ...settings });
  try {
    const done = await recordRun(options, { disassembler, ...settings });
    return { ...done, output };
  } finally {
    real.dispose();
  }
}

/** Runs the same without a recorder. */
export async function runPlain(
  program: string | Uint8Array,
  settings: Settings = {},
): Promise<Omit<Recorded, 'recording'>> {
  const real = nodeHost();
  let output = '';
  const sandbox = Sandbox.create(optionsOf((text) => (output += text), real, { ...programOf(program), ...settings }));
  try {
    return { result: await sandbox.run(), output };
  } finally {
    sandbox.dispose();
    real.dispose();
  }
}

function programOf(program: string | Uint8Array): Pick<SandboxOptions, 'programFile'> {
  return {
    programFile:
      typeof program === 'string'
        ? openHostPath(guest(program), { writable: false })
        : { directory: directoryWith('guest', elfOf(program)), entry: 'guest' },
  };
}
