// SPDX-License-Identifier: MIT
//
// The same program, options and seed give the same run: schedule, syscalls, output and figures. Another seed gives
// other random numbers.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHostDirectory } from '../../src/sandbox/host-node/index.ts';
import type { Cpu } from '../../src/cpu/cpu.ts';
import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { SyscallTracer } from '../../src/kernel/decode/tracer.ts';
import type { SandboxOptions } from '../../src/sandbox/sandbox.ts';
import type { TraceSink } from '../../src/trace/events.ts';
import type { TraceConsumer } from '../../src/trace/ring.ts';
import { compile, hasCompiler, runGuest } from './guest-run.ts';

const makeTracer = (trace: TraceSink): SyscallTracer => new SyscallTracer(trace);

/** Keeps every event as a line. */
function recorder(): { consumer: TraceConsumer; lines: string[] } {
  const lines: string[] = [];
  const consumer: TraceConsumer = {
    wantsText: true,
    immediate: true,
    event: (e) => lines.push(`${e.timeNs} ${e.tid} ${e.kind} ${e.a} ${e.b} ${e.c} ${e.text ?? ''}`),
  };
  return { consumer, lines };
}

describe.runIf(hasCompiler('musl-gcc'))('a run', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-determinism-'));
    for (const name of ['futexes', 'signals', 'processes', 'seeds']) compile('musl-gcc', name, join(folder, name));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  async function record(name: string, options: Partial<SandboxOptions>): Promise<unknown> {
    const { consumer, lines } = recorder();
    const { output, result } = await runGuest(resolve(folder, name), { ...options, consumers: [consumer], makeTracer });
    return { output, lines, metrics: { ...result.metrics, wallMs: 0 } };
  }

  for (const patch of ['off', 'upstream', 'hardened'] as const) {
    it.each(['futexes', 'signals'])(`of %s with patching ${patch} is the same every time`, async (name) => {
      const first = await record(name, { patch });
      expect(await record(name, { patch })).toEqual(first);
    });
  }

  it.runIf(existsSync('/bin/bash')).each([false, true])(
    'of pipelines of bash is the same every time, with random addresses: %s',
    async (aslr) => {
      const script =
        'for i in $(seq 20); do echo $i; done | sort -r | head -3; (sleep 0.1; echo late) & wait; date; echo $RANDOM';
      const options = { aslr, argv: ['bash', '-c', script], env: ['PATH=/usr/bin:/bin'] };
      const runs: unknown[] = [];
      for (let i = 0; i < 2; i++) {
        const root = openHostDirectory('/', { writable: false });
        runs.push(await record('/bin/bash', { ...options, root }));
      }
      expect(runs[0]).toEqual(runs[1]);
      expect(runs[0]).toMatchObject({ output: expect.stringMatching(/^9\n8\n7\nlate\n/) as string });
    },
  );

  it('draws other random numbers with another seed, and the same with the same', async () => {
    const [first, again, other] = [
      await runGuest(join(folder, 'seeds'), { seed: 1 }),
      await runGuest(join(folder, 'seeds'), { seed: 1 }),
      await runGuest(join(folder, 'seeds'), { seed: 2 }),
    ];
    expect(first.output).toMatch(/^[0-9a-f]{64}\n$/);
    expect(again.output).toBe(first.output);
    expect(other.output).not.toBe(first.output);
  });

  it('goes on identically when the host interrupts it all the time, because slices are counted in instructions', async () => {
    const first = await record('processes', { patch: 'off' });
    let interruptions = 0;
    const impatient = (options: { memoryBytes: number }): Cpu => {
      const cpu = openUnicorn(options);
      const arm = cpu.armWatchdog.bind(cpu);
      cpu.armWatchdog = (ms) => {
        interruptions++;
        arm(ms > 0 ? 1 : 0);
      };
      return cpu;
    };
    expect(await record('processes', { patch: 'off', openCpu: impatient })).toEqual(first);
    expect(interruptions).toBeGreaterThan(20);
  });
});
