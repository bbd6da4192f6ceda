// SPDX-License-Identifier: MIT
//
// What `check` does around the comparison: input, output, limits, worlds that change, long runs.

import { describe, expect, it } from 'vitest';
import { fromHex, latin1Bytes } from '../../../src/base/bytes.ts';
import { TraplineError } from '../../../src/base/errors.ts';
import type { HostDirectory } from '../../../src/base/host.ts';
import { MAX_INPUT, SharedStreams } from '../../../src/sandbox/check/run-streams.ts';
import { checked, guestFile } from '../../conformance/guests/checked.ts';
import type { Checked, CheckedOptions } from '../../conformance/guests/checked.ts';
import { directoryWith, elfOf } from '../../kernel/code-guest.ts';

/** Checks a few bytes of machine code. */
function checkedCode(code: string, options: CheckedOptions = {}): Promise<Checked> {
  const directory = directoryWith('guest', elfOf(fromHex(code)));
  return checked(guestFile('hello'), { programFile: { directory, entry: 'guest' }, ...options });
}

/** open("/x/file"), read one byte, exit with it. */
const EXIT_WITH_FILE =
  '488d3d25000000 31f6 b802000000 0f05 89c7 488d7424f0 ba01000000 31c0 0f05 0fb67c24f0 b83c000000 0f05 2f782f66696c6500';

/** Copies its input to its output, 100 bytes at a time: read, write what came, until nothing comes. */
const COPY = '488d6c248031ff4889eeba6400000031c00f0585c07e1389c2bf010000004889eeb8010000000f05ebdb31ffb83c0000000f05';

describe('checkProgram', () => {
  it('gives the input to each run and shows the output once', async () => {
    const input = Array.from({ length: 700 }, (_, i) => String.fromCharCode(33 + (i % 90))).join('');
    const result = await checkedCode(COPY, { input });
    expect(result.output).toBe(input);
    expect(result.verdict).toBe('same');
    for (const { metrics } of result.modes) expect(metrics.syscalls).toBe(result.reference.syscalls);
  });

  it('asks for no input that the program does not read', async () => {
    let asked = 0;
    const endless = { read: (): number => ++asked };
    await checked(guestFile('hello'), { source: endless.read });
    expect(asked).toBe(0);
  });

  it('refuses more input than it can keep', () => {
    const stream = new SharedStreams((into) => into.length).openInput();
    const into = new Uint8Array(65536);
    const readAll = (): void => {
      for (let read = 0; read <= MAX_INPUT; read += into.length) stream.read(into);
    };
    expect(readAll).toThrowError(expect.objectContaining({ code: 'CHECK_INPUT' }));
  });

  it('is no verdict when two runs with patching off differ', async () => {
    let reads = 0;
    const changing: HostDirectory = {
      ...directoryWith('file', latin1Bytes('0')),
      open: (path, write) => directoryWith('file', latin1Bytes(String(reads++))).open(path, write),
    };
    const run = checkedCode(EXIT_WITH_FILE, { binds: [{ directory: changing, entry: '', guestPath: '/x' }] });
    await expect(run).rejects.toBeInstanceOf(TraplineError);
    await expect(run).rejects.toMatchObject({ code: 'CHECK_UNREPEATABLE', message: /^\/x\/file: another program/ });
  });

  it('is incomplete when a limit ends the program first', async () => {
    const result = await checked(guestFile('loop-forever'), { maxInstructions: 300_000 });
    expect(result.modes.map((mode) => mode.verdict)).toEqual(['incomplete', 'incomplete']);
  });

  it('finds a difference before the limit all the same', async () => {
    const result = await checked(guestFile('g37-rcx'), { maxInstructions: 10_000 });
    expect(result.mode('upstream').verdict).toBe('differs');
  });

  it('takes the same number of instructions in every mode', async () => {
    for (const name of ['getpid-loop', 'threads-counter', 'signal-storm', 'fork-wait', 'time-sleep']) {
      const result = await checked(guestFile(name));
      for (const { mode, verdict, metrics } of result.modes) {
        expect([name, mode, verdict === 'same' || verdict === 'slower-only']).toEqual([name, mode, true]);
        expect([name, mode, metrics.instructions]).toEqual([name, mode, result.reference.instructions]);
      }
    }
  });

  it('gives the same result for the same seed, byte for byte', async () => {
    const text = async (): Promise<string> => {
      const { modes } = await checked(guestFile('g08-false-mov'), { seed: 5 });
      return JSON.stringify(modes, (key, value: unknown) =>
        typeof value === 'bigint' ? String(value) : key === 'wallMs' ? 0 : value,
      );
    };
    expect(await text()).toBe(await text());
  });
});
