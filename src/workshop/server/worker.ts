// SPDX-License-Identifier: MIT
//
// A worker process of the workshop: does the jobs that the server sends, one after the other, each in a sandbox of its
// own. It may crash, hang or be killed at any time: the server puts another in its place.

import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { TraplineError } from '../../base/errors.ts';
import { openUnicorn } from '../../cpu/unicorn/index.ts';
import { packageFolder } from '../../cpu/unicorn/setup/index.ts';
import { Disassembler } from '../../isa/disassembler.ts';
import type { Failed, JobState } from '../api.ts';
import { executeJob } from './execute.ts';
import type { Laboratory } from './execute.ts';
import { failureOf } from './failure.ts';
import type { JobMessage, WorkerMessage } from './worker-messages.ts';

/** Guests that come with Trapline: only names of this list are ever opened. */
function guestImages(): Laboratory['guest'] {
  const folder = join(packageFolder(), 'guests', 'bin');
  const names = new Set(readdirSync(folder).filter((name) => name.endsWith('.elf')));
  const images = new Map<string, Uint8Array>();
  return (name) => {
    const file = `${name}.elf`;
    if (!names.has(file)) return undefined;
    const image = images.get(file) ?? new Uint8Array(readFileSync(join(folder, file)));
    images.set(file, image);
    return image;
  };
}

/** Kept for the life of the process: loading it takes longer than a small job. */
function keptDisassembler(): Laboratory['disassembler'] {
  let made: Disassembler | undefined;
  return () => {
    made ??= new Disassembler(createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86'));
    return made;
  };
}

async function perform({ job, request, limits }: JobMessage, laboratory: Laboratory): Promise<WorkerMessage> {
  let state: JobState;
  try {
    state = { state: 'done', ...(await executeJob(request, limits, laboratory)) };
  } catch (error) {
    state = { state: 'failed', ...failureOf(error) };
  }
  let text = JSON.stringify(state);
  if (text.length > limits.resultBytes) {
    const failed: Failed = {
      reason: 'limit',
      sentence: `The recording has ${text.length} bytes, and the limit is ${limits.resultBytes}: ask for fewer steps.`,
    };
    state = { state: 'failed', ...failed };
    text = JSON.stringify(state);
  }
  return { kind: 'done', job, succeeded: state.state === 'done', body: gzipSync(text, { level: 1 }) };
}

function send(message: WorkerMessage): void {
  // Without a channel there is nobody left to work for.
  process.send?.(message, undefined, undefined, (error) => {
    if (error !== null) process.exit(0);
  });
}

/** Opens the engine once, so that what is missing shows before the first job, and later ones find it loaded. */
function openEngine(): WorkerMessage {
  try {
    const cpu = openUnicorn({ memoryBytes: 2 ** 24 });
    cpu.dispose();
    return { kind: 'ready', engine: cpu.name };
  } catch (error) {
    if (!(error instanceof TraplineError)) throw error;
    return { kind: 'unable', sentence: error.message };
  }
}

process.on('disconnect', () => process.exit(0));
// The server ends its workers itself when somebody presses Ctrl-C.
process.on('SIGINT', () => {});
const laboratory: Laboratory = {
  openCpu: openUnicorn,
  disassembler: keptDisassembler(),
  guest: guestImages(),
};
process.on('message', (message: JobMessage) => {
  void perform(message, laboratory).then(send);
});
const opened = openEngine();
send(opened);
