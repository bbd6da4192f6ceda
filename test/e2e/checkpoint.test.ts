// SPDX-License-Identifier: MIT
//
// `run --checkpoint` and `run --restore`: files, signals, statuses and messages.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLI, ended, guest, ONE_LINE, start, trapline } from './trapline.ts';

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trapline-checkpoint-'));
  file = join(folder, 'saved');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('run --checkpoint', () => {
  it('saves a run that goes on, and --restore goes on from there with the same status and figures', () => {
    const figures = (name: string): string => join(folder, name);
    const run = ['run', '--metrics', figures('whole'), '--checkpoint', file, '--checkpoint-at', '30000'];
    const whole = trapline([...run, '--', guest('threads-counter')]);
    expect(whole).toMatchObject({ status: 0, stderr: '' });
    expect(readdirSync(folder).sort()).toEqual(['saved', 'whole']);
    const rest = trapline(['run', '--restore', file, '--metrics', figures('rest')]);
    expect(rest).toMatchObject({ status: 0, stderr: '' });
    const [a, b] = ['whole', 'rest'].map((name) => {
      const { wallMs: _, ...metrics } = JSON.parse(readFileSync(figures(name), 'utf8')) as Record<string, unknown>;
      return metrics;
    });
    expect(b).toEqual(a);
  });

  it('of a run that is recorded is refused, and so is --restore: each says what to do', () => {
    const html = ['--html', join(folder, 'page.html')];
    for (const [args, hint] of [
      [['--checkpoint', file, ...html, guest('hello')], 'take the checkpoint without --html'],
      [['--restore', file, ...html], 'record the run from its start'],
    ] as const) {
      const { status, stderr } = trapline(['run', ...args]);
      expect({ args, status }).toEqual({ args, status: 125 });
      expect(stderr).toMatch(ONE_LINE);
      expect(stderr).toContain(hint);
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  it('saves when SIGUSR1 comes, and still waits for the count that it was given', async () => {
    const checkpoint = ['--checkpoint', file, '--checkpoint-at', '99999999999999'];
    const child = start(['run', '--strace', ...checkpoint, '--', guest('loop-forever')]);
    let said = '';
    child.stderr.on('data', (piece) => (said += String(piece)));
    const end = ended(child);
    // Its first line says that it runs.
    await new Promise((done) => child.stderr.once('data', done));
    child.kill('SIGUSR1');
    while (!existsSync(file)) await new Promise((done) => setTimeout(done, 50));
    child.kill('SIGTERM');
    expect(await end).toBe(128 + 15);
    expect(said).toMatch(/the run ended before instruction 99999999999999: none was taken there/);
    expect(readdirSync(folder)).toEqual(['saved']);
    const again = trapline(['run', '--restore', file, '--max-instructions', '1000000']);
    expect(again.status).toBe(124);
  });

  it('says so when the run ends before, and leaves no file', () => {
    const { status, stderr } = trapline(['run', '--checkpoint', file, '--checkpoint-at', '99999999', guest('hello')]);
    expect(status).toBe(0);
    expect(stderr).toMatch(/the run ended before instruction 99999999: nothing was written/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('that the disk is too small for leaves the guest alone, and ends with status 125', () => {
    const run = ['run', '--checkpoint', file, '--checkpoint-at', '10000', guest('threads-counter')];
    const limited = ['-c', 'ulimit -f 1; exec "$0" "$@"', process.execPath, CLI, ...run];
    const { status, stderr } = spawnSync('bash', limited, { encoding: 'latin1' });
    const lines = [
      'trapline: --checkpoint: nothing was written: file too large',
      `trapline: --checkpoint: cannot write ${file}: file too large`,
    ];
    expect({ status, lines: stderr.trimEnd().split('\n') }).toEqual({ status: 125, lines });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('wants a file that can be written, and to know where to', () => {
    for (const args of [
      ['--checkpoint', join(folder, 'nowhere', 'saved')],
      ['--checkpoint-at', '5'],
    ]) {
      const { status, stderr } = trapline(['run', ...args, guest('hello')]);
      expect({ args, status }).toEqual({ args, status: 125 });
      expect(stderr).toMatch(ONE_LINE);
    }
  });
});

describe('run --restore', () => {
  it('goes on without patches with --patch off, as it was with its own mode, and with no other', () => {
    const figures = join(folder, 'figures');
    trapline(['run', '--checkpoint', file, '--checkpoint-at', '30000', '--', guest('threads-counter')]);
    const modes = (...patch: string[]): unknown => {
      const { status, stderr } = trapline(['run', '--restore', file, '--metrics', figures, ...patch]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      return (JSON.parse(readFileSync(figures, 'utf8')) as Record<string, unknown>)['mode'];
    };
    expect([modes(), modes('--patch', 'hardened'), modes('--patch', 'off')]).toEqual(['hardened', 'hardened', 'off']);
    const { status, stderr } = trapline(['run', '--restore', file, '--patch', 'upstream']);
    expect(status).toBe(125);
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toMatch(/saved with --patch hardened .*leave --patch out, or give --patch off/);
  });

  it('says that the tree is another one where it lacks what the saved one had', () => {
    const [tree, other] = [join(folder, 'tree'), join(folder, 'other')];
    mkdirSync(join(tree, 'sys/devices/system'), { recursive: true });
    mkdirSync(other);
    const run = ['run', '--root', tree, '--checkpoint', file, '--checkpoint-at', '30000'];
    expect(trapline([...run, '--', guest('threads-counter')]).status).toBe(0);
    expect(trapline(['run', '--root', tree, '--restore', file])).toMatchObject({ status: 0, stderr: '' });
    const { status, stderr } = trapline(['run', '--root', other, '--restore', file]);
    expect(status).toBe(125);
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toContain('had another tree as /');
  });

  it('refuses what is no checkpoint, what was cut off, and a program beside it, in one line', () => {
    trapline(['run', '--checkpoint', file, '--checkpoint-at', '1000', '--', guest('threads-counter')]);
    const cut = join(folder, 'cut');
    writeFileSync(cut, readFileSync(file).subarray(0, 5000));
    expect(trapline(['run', '--restore', cut]).stderr).toContain(`--restore: ${cut}: the checkpoint is damaged`);
    for (const args of [[guest('hello')], [cut], [folder], [join(folder, 'missing')], [file, guest('hello')]]) {
      const { status, stdout, stderr } = trapline(['run', '--restore', ...args]);
      expect({ args, status, stdout }).toEqual({ args, status: 125, stdout: '' });
      expect(stderr).toMatch(ONE_LINE);
    }
  });
});
