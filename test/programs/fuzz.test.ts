// SPDX-License-Identifier: MIT
//
// Typed random calls through the real dispatch: whatever a guest does, it gets results and signals, and Trapline
// never an exception. `npm run fuzz` makes more of them and replays those that did harm.

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EFAULT, EINVAL, ENOSYS } from '../../src/abi/errno.ts';
import { syscallName } from '../../src/abi/sysno.ts';
import { SYSCALL_TABLE_SIZE } from '../../src/kernel/syscalls/table.ts';
import { EventKind } from '../../src/trace/events.ts';
import type { TraceEvent } from '../../src/trace/events.ts';
import type { TraceConsumer } from '../../src/trace/ring.ts';
import { StraceText } from '../../src/report/strace-text.ts';
import { PerfettoJson } from '../../src/report/perfetto.ts';
import type { Chunk } from './fuzz/call-list.ts';
import { CALLS_IN_CHUNK, decodeChunks, describe as textOf, encodeChunks } from './fuzz/call-list.ts';
import type { PatchMode } from './fuzz/fuzz-run.ts';
import { FuzzWorld, minimise } from './fuzz/fuzz-run.ts';
import { makeChunk } from './fuzz/generator.ts';

const CALLS = Number(process.env.TRAPLINE_FUZZ_CALLS ?? 200_000);
const SEED = Number(process.env.TRAPLINE_FUZZ_SEED ?? 1);
const ONLY_MODE = process.env.TRAPLINE_FUZZ_PATCH;
const REPLAY = process.env.TRAPLINE_FUZZ_REPLAY;

const MODES: readonly PatchMode[] = ['off', 'upstream', 'hardened'];
const CHUNKS_IN_RUN = 50;
const MINIMISING_RUNS = 120;
const MAX_RESIDENT_BYTES = 2 ** 31;
/** Somebody reads what is said: .ci/fuzz.mjs. */
const IS_TOLD = process.env.TRAPLINE_FUZZ_PROGRESS !== undefined;

describe('Calls of any kind with any arguments', () => {
  let world: FuzzWorld;
  const seen = new Outcomes();
  beforeAll(() => {
    world = new FuzzWorld();
  });
  afterAll(() => {
    world.dispose();
  });

  /** Runs them; what fails is made small and kept. */
  async function check(chunks: readonly Chunk[], patch: PatchMode, from: string, isTraced: boolean): Promise<number> {
    const { calls, failure } = await world.run(chunks, patch, isTraced ? [...renderers(), seen] : []);
    if (failure === undefined) return calls;
    console.log(`fuzz: ${from}, --patch ${patch}: ${failure}`);
    const fails = async (some: readonly Chunk[]): Promise<boolean> => {
      const again = await world.run(some, patch, isTraced ? renderers() : []);
      if (IS_TOLD) console.log(`fuzz: ${some.length} chunks: ${again.failure === undefined ? 'no harm' : 'it fails'}`);
      return again.failure !== undefined;
    };
    const small = await minimise(chunks, fails, MINIMISING_RUNS);
    const file = join(mkdtempSync(join(tmpdir(), 'trapline-fuzz-failure-')), 'calls');
    writeFileSync(file, encodeChunks(small));
    const lines = small.map((chunk) => textOf(chunk, syscallName)).join('\n');
    throw new Error(`${from}: ${failure}\nnpm run fuzz -- --patch ${patch} --replay ${file}\n${lines}`);
  }

  const replay = async (file: string): Promise<void> => {
    const chunks = decodeChunks(readFileSync(file));
    for (const mode of MODES)
      if (ONLY_MODE === undefined || ONLY_MODE === mode) await check(chunks, mode, 'replay', true);
    expect(chunks.length).toBeGreaterThan(0);
    if (IS_TOLD) console.log(`fuzz: ${file}: ${chunks.length * CALLS_IN_CHUNK} calls, no harm`);
  };

  const generate = async (): Promise<void> => {
    let made = 0;
    for (let run = 0; made < CALLS; run++) {
      const patch = (ONLY_MODE as PatchMode | undefined) ?? (MODES[run % MODES.length] as PatchMode);
      const first = run * CHUNKS_IN_RUN;
      const chunks = Array.from({ length: CHUNKS_IN_RUN }, (_, i) => makeChunk(SEED, first + i));
      if (IS_TOLD) {
        console.log(`fuzz: seed ${SEED}, chunks from ${first} on, --patch ${patch}: ${made} calls so far`);
      }
      made += await check(
        chunks,
        patch,
        `seed ${SEED}, chunks ${first} to ${first + CHUNKS_IN_RUN - 1}`,
        run % 4 === 3,
      );
      expect(process.memoryUsage().rss).toBeLessThan(MAX_RESIDENT_BYTES);
    }
    if (IS_TOLD) console.log(`${seen.summary()}\nfuzz: seed ${SEED}: ${made} calls, no harm`);
    expect(made).toBeGreaterThanOrEqual(CALLS);
  };

  const title = REPLAY === undefined ? `seed ${SEED}, ${CALLS} calls` : 'replayed';
  it(`do no harm: ${title}`, { timeout: 2 ** 31 - 1 }, () => (REPLAY === undefined ? generate() : replay(REPLAY)));

  it('make a list that is read back as it was written', () => {
    const chunks = [makeChunk(3, 0), makeChunk(3, 1)];
    expect(decodeChunks(encodeChunks(chunks)).map((chunk) => chunk.image)).toEqual(chunks.map((chunk) => chunk.image));
    expect(encodeChunks(decodeChunks(encodeChunks(chunks)))).toEqual(encodeChunks(chunks));
    expect(chunks[0]?.calls.length).toBe(CALLS_IN_CHUNK);
  });

  it('are made smaller as long as they fail', async () => {
    const chunks = [makeChunk(3, 0), makeChunk(3, 1), makeChunk(3, 2)];
    const culprit = chunks[1]?.calls[77];
    const fails = (some: readonly Chunk[]): Promise<boolean> =>
      Promise.resolve(some.some((chunk) => chunk.calls.some((call) => call === culprit)));
    const small = await minimise(chunks, fails, 1000);
    expect(small.map((chunk) => chunk.calls)).toEqual([[culprit]]);
  });

  it('reach the kernel: most calls fail in several ways, and many succeed', async () => {
    const seen = new Outcomes();
    for (let run = 0; run < 4; run++) {
      const chunks = Array.from({ length: CHUNKS_IN_RUN }, (_, i) => makeChunk(7, run * CHUNKS_IN_RUN + i));
      expect(await world.run(chunks, 'hardened', [seen])).not.toHaveProperty('failure');
    }
    expect(seen.calls()).toBeGreaterThan(300);
    expect(seen.withResult((result) => result >= 0)).toBeGreaterThan(180);
    expect(seen.withResult((result) => result === -EFAULT)).toBeGreaterThan(80);
    expect(seen.withResult((result) => result === -EINVAL)).toBeGreaterThan(80);
  });
});

/** Everything that makes texts of a run. */
function renderers(): TraceConsumer[] {
  const write = (): void => undefined;
  return [new StraceText({ write, immediate: false, times: true, epochNs: () => 0n }), new PerfettoJson(write)];
}

/** Which results each call had. */
class Outcomes implements TraceConsumer {
  readonly wantsText = true;
  readonly immediate = false;
  readonly #results = new Map<number, Set<number>>();

  event({ kind, a, b }: TraceEvent): void {
    if (kind !== EventKind.syscallExit) return;
    const results = this.#results.get(a) ?? new Set();
    this.#results.set(a, results.add(b));
  }

  calls(): number {
    return this.#results.size;
  }

  /** Calls that never had a result other than errors: do arguments that make sense reach them? */
  summary(): string {
    const failed = [...this.#results].filter(
      ([number, results]) =>
        number < SYSCALL_TABLE_SIZE && ![...results].some((result) => !(result < 0) || result === -ENOSYS),
    );
    const lines = failed.map(([number, results]) => `  ${syscallName(number)}: ${[...results].sort().join(' ')}`);
    return [`fuzz: ${this.#results.size} calls in the runs that are traced; these only failed:`, ...lines].join('\n');
  }

  withResult(matches: (result: number) => boolean): number {
    return [...this.#results.values()].filter((results) => [...results].some(matches)).length;
  }
}
