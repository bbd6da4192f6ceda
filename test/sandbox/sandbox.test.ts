// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';
import { fromHex } from '../../src/base/bytes.ts';
import { TraplineError } from '../../src/base/errors.ts';
import { guestText } from '../../src/sandbox/sandbox.ts';
import { runCode } from '../kernel/code-guest.ts';

const EXIT_0 = '31ff b83c000000 0f05';

async function codeOf(run: Promise<unknown>): Promise<string> {
  try {
    await run;
    return 'no error';
  } catch (error) {
    return error instanceof TraplineError ? error.code : `not ours: ${String(error)}`;
  }
}

describe('Sandbox', () => {
  it('says why a program cannot run', async () => {
    const code = fromHex(EXIT_0);
    expect(await codeOf(runCode(code, { program: '/nowhere/guest', programFile: undefined }))).toBe('RUN_NOT_FOUND');
    expect(await codeOf(runCode(code, { program: '/', programFile: undefined }))).toBe('RUN_NOT_EXECUTABLE');
    expect(await codeOf(runCode(code, { program: '/guest/deeper', programFile: undefined }))).toBe('RUN_NOT_FOUND');
    expect(await codeOf(runCode(code, { cwd: '/nowhere' }))).toBe('RUN_CWD');
  });

  it('gives the metrics of schema 1', async () => {
    // Three getpid at one site, then exit.
    const loop = 'bb03000000 b827000000 0f05 ffcb 75f5';
    const { result } = await runCode(fromHex(loop + EXIT_0), { patch: 'upstream' });
    const { wallMs, engine, ...rest } = result.metrics;
    expect(wallMs).toBeGreaterThan(0);
    expect(engine).toMatch(/^unicorn 2\./);
    expect(rest).toMatchObject({
      version: 1,
      mode: 'upstream',
      exit: { code: 0 },
      syscalls: 4,
      trapped: 2,
      patchedCalls: 2,
      restarted: 0,
      tasks: 1,
      signals: 0,
      slots: { used: 2 },
    });
    // The site of exit was patched, too, but was never executed again.
    expect(rest.sites).toContainEqual({
      address: '0x401005',
      sysno: 39,
      slot: expect.stringMatching(/^0x6[0-9a-f]{4}$/),
      calls: 2,
    });
    expect(Object.keys(result.metrics).sort()).toEqual(
      [
        'engine',
        'exit',
        'faults',
        'instructions',
        'mode',
        'patchedCalls',
        'refused',
        'restarted',
        'sites',
        'signals',
        'slots',
        'syscalls',
        'tasks',
        'trapped',
        'version',
        'wallMs',
      ].sort(),
    );
  });

  it('passes arguments, environment and user id', async () => {
    // exit(argc * 16 + getuid)
    const program = '8b1c24 c1e304 b866000000 0f05 01c3 89df b83c000000 0f05';
    const { result } = await runCode(fromHex(program), { argv: ['a', 'b', 'c'], env: ['X=1'], uid: 5 });
    expect(result.exit).toEqual({ code: 3 * 16 + 5 });
  });

  it('counts instructions from its own start and is the same each time', async () => {
    const [first, second] = [await runCode(fromHex(EXIT_0)), await runCode(fromHex(EXIT_0))];
    expect(first.result.metrics.instructions).toBe(3);
    expect({ ...second.result.metrics, wallMs: 0 }).toEqual({ ...first.result.metrics, wallMs: 0 });
  });
});

describe('guestText', () => {
  it('makes one character of each byte of UTF-8', () => {
    expect(guestText('aé€')).toBe('a\u00c3\u00a9\u00e2\u0082\u00ac');
  });
});
