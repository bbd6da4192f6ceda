// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';
import { fromHex, latin1Bytes } from '../../src/base/bytes.ts';
import { TraplineError } from '../../src/base/errors.ts';
import { guestText } from '../../src/sandbox/sandbox.ts';
import { directoryWith, elfOf, runCode } from '../kernel/code-guest.ts';

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
        'estimates',
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

  it('ends a guest that writes without end at the limit of its output', async () => {
    const forever = 'b801000000 bf01000000 be00104000 ba40000000 0f05 ebe8';
    const { result, output } = await runCode(fromHex(forever), { limits: { outputBytes: 1000 } });
    expect(result.ended).toBe('output');
    expect(output.length).toBe(1000);
  });

  it('starts its clock at a fixed date, or at the midnight after a newer tree was made', async () => {
    // write(1, &time, 8)
    const code = fromHex('31ff b8c9000000 0f05 50 bf01000000 4889e6 ba08000000 b801000000 0f05' + EXIT_0);
    const start = async (mtime: string): Promise<string> => {
      const root = directoryWith('guest', elfOf(code), BigInt(Date.parse(mtime)) * 1_000_000n);
      const { output } = await runCode(code, { root });
      const seconds = new DataView(latin1Bytes(output).buffer).getBigInt64(0, true);
      return new Date(Number(seconds) * 1000).toISOString();
    };
    expect(await start('2020-05-05T05:05:05Z')).toBe('2026-01-01T00:00:00.000Z');
    expect(await start('2026-11-23T07:56:01Z')).toBe('2026-11-24T00:00:00.000Z');
    expect(await start('2026-11-23T22:10:00Z')).toBe('2026-11-24T00:00:00.000Z');
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
