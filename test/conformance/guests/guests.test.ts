// SPDX-License-Identifier: MIT
//
// Every guest of guests/manifest.json in every mode, through the command line, and on the real kernel and processor
// where this host has them. A guest judges itself; this file compares how it ended with what the manifest says. With
// TRAPLINE_RUNSC set to a runsc that works here, that one runs them, too.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants, tmpdir } from 'node:os';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

type End = { readonly exit: number } | { readonly signal: number };
type Mode = 'off' | 'upstream' | 'hardened';

interface Guest extends Partial<Record<Mode, End>> {
  readonly name: string;
  readonly native: End | null;
  /** Under a real runsc with Systrap, where that is not what `upstream` gives; null: by chance. */
  readonly runsc?: End | null;
  readonly output?: string;
  readonly options?: readonly string[];
  readonly upstreamOptions?: readonly string[];
  readonly sha256: string;
}

const root = fileURLToPath(new URL('../../../', import.meta.url));
const { guests } = JSON.parse(readFileSync(join(root, 'guests/manifest.json'), 'utf8')) as { guests: Guest[] };
const elf = (guest: Guest): string => join(root, 'guests', 'bin', `${guest.name}.elf`);

/** How a process of the host ended, and what it wrote to its standard output (its beginning). */
interface Ended {
  readonly status: number | null;
  readonly signal: number | null;
  readonly output: string;
  readonly errors: string;
}

function execute(program: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 600_000 });
    let output = '';
    let errors = '';
    child.stdout.on('data', (data: Buffer) => {
      if (output.length < 4096) output += data.toString('latin1');
    });
    child.stderr.on('data', (data: Buffer) => {
      if (errors.length < 4096) errors += data.toString();
    });
    child.on('error', reject);
    child.on('close', (status, signal) => {
      resolve({ status, signal: signal === null ? null : constants.signals[signal], output, errors });
    });
  });
}

describe('the manifest', () => {
  it.each(guests)('has the hash of $name', (guest) => {
    expect(
      createHash('sha256')
        .update(readFileSync(elf(guest)))
        .digest('hex'),
    ).toBe(guest.sha256);
  });
});

describe('guests', () => {
  let scratch = '';
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'trapline-guests-'));
  });
  afterAll(() => {
    rmSync(scratch, { recursive: true, force: true });
  });

  for (const mode of ['off', 'upstream', 'hardened'] as const) {
    describe(`with --patch ${mode}`, () => {
      it.concurrent.each(guests)('$name ends as it must', async (guest) => {
        const expected = guest[mode] ?? guest.native;
        const metricsFile = join(scratch, `${guest.name}-${mode}.json`);
        const own = [...(guest.options ?? []), ...(mode === 'upstream' ? (guest.upstreamOptions ?? []) : [])];
        const options = ['--patch', mode, '--metrics', metricsFile, ...own];
        const run = await execute(process.execPath, [
          join(root, 'dist', 'cli.js'),
          'run',
          ...options,
          '--',
          elf(guest),
        ]);
        const says = `status ${run.status}, stderr:\n${run.errors}`;
        expect(run.signal, says).toBeNull();
        expect(run.status, says).not.toBe(125);
        if (run.status === 124) {
          expect({ exit: 124 }, says).toEqual(expected);
          return;
        }
        const { exit } = JSON.parse(readFileSync(metricsFile, 'utf8')) as {
          exit: { code: number } | { signal: number };
        };
        expect('code' in exit ? { exit: exit.code } : { signal: exit.signal }, says).toEqual(expected);
        expect(run.status).toBe('code' in exit ? exit.code : 128 + exit.signal);
        if (guest.output !== undefined) expect(run.output).toBe(guest.output);
      });
    });
  }
});

describe.runIf(process.platform === 'linux' && process.arch === 'x64')('guests on the real Linux', () => {
  it.concurrent.each(guests.filter((guest) => guest.native !== null))(
    '$name ends as the manifest says',
    async (guest) => {
      const run = await execute(elf(guest), []);
      expect(run.signal === null ? { exit: run.status } : { signal: run.signal }).toEqual(guest.native);
      if (guest.output !== undefined) expect(run.output).toBe(guest.output);
    },
  );
});

const runsc = process.env['TRAPLINE_RUNSC'];
if (runsc !== undefined && runsc !== '') {
  describe('guests under the runsc of TRAPLINE_RUNSC', () => {
    let room = '';
    beforeAll(() => {
      room = mkdtempSync(join(tmpdir(), 'trapline-runsc-'));
    });
    afterAll(() => {
      rmSync(room, { recursive: true, force: true });
    });

    it.each(guests.filter((guest) => guest.native !== null && guest.runsc !== null))(
      '$name ends as upstream has it',
      async (guest) => {
        const expected = guest.runsc ?? guest.upstream ?? guest.native;
        const program = join(room, guest.name);
        copyFileSync(elf(guest), program);
        const options = [`--root=${room}`, '--network=none', '--ignore-cgroups', '--platform=systrap'];
        const { status } = await execute(runsc, [...options, 'do', program]);
        const end = (status ?? 0) > 128 ? { signal: (status ?? 0) - 128 } : { exit: status };
        expect(end).toEqual(expected);
      },
    );
  });
}
