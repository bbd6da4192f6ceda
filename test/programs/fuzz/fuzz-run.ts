// SPDX-License-Identifier: MIT
//
// Runs chunks of calls in a sandbox of their own, and sees that Trapline takes no harm: no exception, no run without
// end, no descriptor left open, nothing changed on the host. What goes wrong is made smaller until nothing can go.

import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Host, HostStream } from '../../../src/base/host.ts';
import { openUnicorn } from '../../../src/cpu/unicorn/index.ts';
import { nodeHost, openHostDirectory } from '../../../src/sandbox/host-node/index.ts';
import type { SandboxOptions } from '../../../src/sandbox/sandbox.ts';
import { Sandbox } from '../../../src/sandbox/sandbox.ts';
import { SyscallTracer } from '../../../src/kernel/decode/tracer.ts';
import type { TraceConsumer } from '../../../src/trace/ring.ts';
import type { Chunk } from './call-list.ts';
import { encodeChunks } from './call-list.ts';

const GUEST = fileURLToPath(new URL('../../../guests/bin/fuzz.elf', import.meta.url));

/** Calls that the first process makes for each chunk, and the child before its own begin. */
const OWN_CALLS = 14;
const TIME_LIMIT_SEC = 600;

export type PatchMode = NonNullable<SandboxOptions['patch']>;

export interface FuzzResult {
  /** Calls made out of the list, by all processes. */
  readonly calls: number;
  /** What went wrong. */
  readonly failure?: string;
}

/** A host folder with a guest's tree in it, and things beside that tree that no guest may reach. */
export class FuzzWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'trapline-fuzz-'));
  readonly #root = join(this.folder, 'root');

  constructor() {
    for (const name of ['root', 'root/etc', 'root/fuzz', 'root/tmp', 'outside']) mkdirSync(join(this.folder, name));
    chmodSync(join(this.#root, 'tmp'), 0o1777);
    writeFileSync(join(this.#root, 'etc', 'canary'), 'the canary sings\n');
    symlinkSync('../../outside/secret', join(this.#root, 'etc', 'link'));
    writeFileSync(join(this.folder, 'outside', 'secret'), 'nobody reads this\n');
    copyFileSync(GUEST, join(this.#root, 'fuzz', 'program'));
    writeFileSync(join(this.#root, 'fuzz', 'calls'), '');
  }

  /** @param consumers see the run's events, texts too: then the decoder meets all these arguments, as well */
  async run(chunks: readonly Chunk[], patch: PatchMode, consumers: readonly TraceConsumer[] = []): Promise<FuzzResult> {
    writeFileSync(join(this.#root, 'fuzz', 'calls'), encodeChunks(chunks));
    const before = fingerprint(this.folder);
    const descriptors = openDescriptors();
    let outcome: FuzzResult;
    try {
      outcome = await this.#runSandbox(chunks.length, patch, consumers);
    } catch (error) {
      outcome = { calls: 0, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    if (outcome.failure !== undefined) return outcome;
    if (fingerprint(this.folder) !== before) return { ...outcome, failure: 'the host directory has changed' };
    const left = openDescriptors() - descriptors;
    return left > 0 ? { ...outcome, failure: `${left} descriptors of the host are left open` } : outcome;
  }

  async #runSandbox(chunks: number, patch: PatchMode, consumers: readonly TraceConsumer[]): Promise<FuzzResult> {
    const real = nodeHost();
    const breathe = (): Promise<void> => {
      // A privileged child may stop the first process, which nobody then wakes: the rest of the list is not for it.
      if (sandbox.kernel.init?.leader.state === 'stopped') sandbox.stop();
      return real.breathe();
    };
    const host: Host = { ...real, stdin: NOTHING, stdout: NOTHING, stderr: NOTHING, breathe };
    const root = openHostDirectory(this.#root, { writable: false });
    const sandbox = Sandbox.create({
      host,
      openCpu: openUnicorn,
      program: '/fuzz/program',
      root,
      uid: 0,
      patch,
      memoryBytes: 128 * 2 ** 20,
      timeoutSec: TIME_LIMIT_SEC,
      limits: { tasks: 64, outputBytes: 2 ** 30 },
      consumers,
      makeTracer: (trace) => new SyscallTracer(trace),
    });
    try {
      const { metrics, ended } = await sandbox.run();
      const calls = Math.max(0, metrics.syscalls - chunks * OWN_CALLS);
      return ended === 'timeout' ? { calls, failure: `it did not end within ${TIME_LIMIT_SEC} s` } : { calls };
    } finally {
      sandbox.dispose();
      root.dispose();
      real.dispose();
    }
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Gives the end of the input and takes everything. */
const NOTHING: HostStream = {
  isTerminal: false,
  windowSize: () => ({ rows: 24, columns: 80 }),
  read: () => 0,
  onReadable: (callback) => callback(),
  write: (from) => from.length,
};

function openDescriptors(): number {
  return process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
}

/** Everything that a guest could change of a host folder, but for times of access. */
function fingerprint(folder: string): string {
  const hash = createHash('sha256');
  const walk = (path: string): void => {
    const { mode, size, mtimeMs, ctimeMs, ino, uid, gid, nlink } = lstatSync(path);
    hash.update(JSON.stringify([path, mode, size, mtimeMs, ctimeMs, ino, uid, gid, nlink]));
    const kind = mode & 0o170000;
    if (kind === 0o040000) for (const name of readdirSync(path).sort()) walk(join(path, name));
    else if (kind === 0o120000) hash.update(readlinkSync(path));
    else hash.update(readFileSync(path));
  };
  walk(folder);
  return hash.digest('hex');
}

/** The fewest chunks, and the fewest calls in each, that still fail; `fails` is asked at most `tries` times. */
export async function minimise(
  chunks: readonly Chunk[],
  fails: (chunks: readonly Chunk[]) => Promise<boolean>,
  tries: number,
): Promise<readonly Chunk[]> {
  let left = tries;
  const ask = async (candidate: readonly Chunk[]): Promise<boolean> => left-- > 0 && (await fails(candidate));
  let small = await without(chunks, ask);
  for (let i = 0; i < small.length; i++) {
    const chunk = small[i] as Chunk;
    const put = (calls: Chunk['calls']): readonly Chunk[] => small.with(i, { ...chunk, calls });
    small = put(await without(chunk.calls, (calls) => ask(put(calls))));
  }
  return small;
}

/** Leaves out parts, large ones first, as long as what is left fails. */
async function without<T>(
  items: readonly T[],
  fails: (items: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let rest = items;
  for (let size = Math.ceil(items.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < rest.length && rest.length > 1;) {
      const fewer = rest.toSpliced(at, size);
      if (fewer.length > 0 && (await fails(fewer))) rest = fewer;
      else at += size;
    }
  }
  return rest;
}
