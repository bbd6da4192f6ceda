// SPDX-License-Identifier: MIT
//
// `trapline bench workshop`: a class on the loopback. So many clients, each with its cookie, have a lesson's guest run on a
// real server every two seconds and take the recording; latency from the click to the last byte, failures, memory.

import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { TraplineError } from '../base/errors.ts';
import { API } from '../workshop/api.ts';
import type { JobAccepted, RunRequest } from '../workshop/api.ts';
import { cliPath, type Figure } from './bench-figure.ts';
import { ExitStatus } from './exit-status.ts';

export interface LoadOptions {
  readonly seconds: number;
  readonly clients: number;
}

/** The figure that the README names. */
export const CLASS: LoadOptions = { seconds: 600, clients: 40 };
/** A class for as long as `trapline bench` as a whole can afford. */
export const SHORT_CLASS: LoadOptions = { ...CLASS, seconds: 20 };

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const EVERY_MS = 2000;
const WORKERS = 2;
const PAGE_BYTES = 4096;
/** 100,000 instructions with a call from one site in every thousand. */
const GUEST = `
    mov $100, %ebx
again:
    mov $39, %eax
    syscall
    mov $498, %ecx
inner:
    dec %ecx
    jnz inner
    dec %ebx
    jnz again
    mov $60, %eax
    xor %edi, %edi
    syscall
`;

interface Load {
  readonly milliseconds: number[];
  readonly failures: string[];
  /** Resident bytes of the server and its workers, one sample a second. */
  readonly memory: number[];
  bytes: number;
  /** Processor time of the server and its workers. */
  cpuMilliseconds: number;
}

/** Runs a class and says how it went. */
export async function* measureWorkshop(options: LoadOptions): AsyncGenerator<Figure> {
  const { seconds, clients } = options;
  const server = spawn(process.execPath, [cliPath(), 'workshop', '--port', '0', '--workers', String(WORKERS)]);
  // A signal to this process alone ends the server, too.
  const interrupt = (_: NodeJS.Signals, signo: number): void => {
    server.kill('SIGTERM');
    process.exit(ExitStatus.signalBase + signo);
  };
  for (const signal of SIGNALS) process.once(signal, interrupt);
  const load: Load = { milliseconds: [], failures: [], memory: [], bytes: 0, cpuMilliseconds: 0 };
  try {
    const port = await portOf(server);
    const end = performance.now() + seconds * 1000;
    const watch = setInterval(
      () => load.memory.push(family(server.pid ?? 0).reduce((sum, pid) => sum + residentBytes(pid), 0)),
      1000,
    );
    // They arrive one after the other over two seconds, as people do.
    await Promise.all(
      Array.from({ length: clients }, async (_, index) => {
        await sleep((EVERY_MS * index) / clients);
        await new Client(port, load, index).work(end);
      }),
    );
    clearInterval(watch);
    load.cpuMilliseconds = family(server.pid ?? 0).reduce((sum, pid) => sum + cpuMilliseconds(pid), 0);
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
    server.kill('SIGINT');
    await once(server, 'close');
  }
  yield* figuresOf(load, `workshop, ${clients} clients, ${seconds} s`);
}

function* figuresOf(load: Load, name: string): Generator<Figure> {
  const sorted = [...load.milliseconds].sort((a, b) => a - b);
  const share = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
  yield { name: `${name}: jobs done`, value: sorted.length, unit: 'jobs' };
  yield { name: `${name}: jobs failed`, value: load.failures.length, unit: 'jobs', goal: 0 };
  const [first] = load.failures;
  if (first !== undefined) process.stderr.write(`trapline: the first failure: ${first}\n`);
  yield { name: `${name}: a job, median`, value: share(0.5), unit: 'ms' };
  yield { name: `${name}: a job, p95`, value: share(0.95), unit: 'ms', goal: 1000 };
  // Two processors have a hundred milliseconds for each of twenty jobs a second.
  const cpu = load.cpuMilliseconds / sorted.length;
  if (cpu > 0) yield { name: `${name}: processor time a job`, value: cpu, unit: 'ms', goal: 70 };
  yield { name: `${name}: an answer`, value: load.bytes / sorted.length / 1024, unit: 'KiB' };
  // The beginning is left out: processes have to come to their size first.
  const { memory } = load;
  const tenth = Math.max(1, Math.floor(memory.length / 10));
  const early = median(memory.slice(tenth, 3 * tenth));
  const late = median(memory.slice(-2 * tenth));
  if (!(early > 0)) return;
  yield { name: `${name}: memory of all processes`, value: late / 2 ** 20, unit: 'MiB' };
  yield { name: `${name}: memory, end against beginning`, value: late / early, unit: 'times', goal: 1.1 };
}

/** One student: a browser with a cookie and a few connections. */
class Client {
  readonly #port: number;
  readonly #load: Load;
  readonly #index: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 2 });
  #cookie = '';
  #runs = 0;

  constructor(port: number, load: Load, index: number) {
    this.#port = port;
    this.#load = load;
    this.#index = index;
  }

  /** Runs a job every two seconds until a time. */
  async work(end: number): Promise<void> {
    try {
      await this.#call('GET', API.status);
      for (let next = performance.now(); next < end; next += EVERY_MS) {
        await sleep(Math.max(0, next - performance.now()));
        await this.#job();
      }
    } catch (error) {
      this.#load.failures.push(error instanceof Error ? error.message : String(error));
    } finally {
      this.#agent.destroy();
    }
  }

  async #job(): Promise<void> {
    const job: RunRequest = {
      kind: 'run',
      code: { asm: GUEST },
      mode: this.#runs % 2 === 0 ? 'upstream' : 'hardened',
      // No two jobs of the class are the same.
      scheduling: { seed: this.#index * 100_000 + this.#runs++ },
    };
    const start = performance.now();
    const accepted = JSON.parse((await this.#call('POST', API.jobs, JSON.stringify(job))).toString()) as JobAccepted;
    for (;;) {
      const answer = await this.#call('GET', `${API.jobs}/${accepted.id}?wait=15`);
      // The state is the first field: parsing the recording is the browser's work, not the server's.
      const state = /^\{"state":"(\w+)"/.exec(answer.subarray(0, 40).toString('latin1'))?.[1];
      if (state === 'queued' || state === 'running') continue;
      if (state !== 'done') throw new TraplineError('BENCH', `a job of the class: ${answer.toString().slice(0, 300)}`);
      this.#load.milliseconds.push(performance.now() - start);
      return;
    }
  }

  #call(method: string, path: string, body?: string): Promise<Buffer> {
    return new Promise((done, failed) => {
      const headers = {
        Cookie: this.#cookie,
        'Accept-Encoding': 'gzip',
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      };
      const call = request(
        { host: '127.0.0.1', port: this.#port, method, path, headers, agent: this.#agent },
        (response) => {
          const [cookie] = response.headers['set-cookie'] ?? [];
          if (cookie !== undefined) this.#cookie = cookie.split(';')[0] ?? '';
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const bytes = Buffer.concat(chunks);
            this.#load.bytes += bytes.length;
            const text = response.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
            if ((response.statusCode ?? 500) < 300) done(text);
            else failed(new Error(`status ${response.statusCode}: ${text.toString().slice(0, 300)}`));
          });
          response.on('error', failed);
        },
      );
      call.on('error', failed);
      call.end(body);
    });
  }
}

/** The port that the server says it listens on. */
async function portOf(server: ChildProcessWithoutNullStreams): Promise<number> {
  let said = '';
  server.stderr.on('data', (data: Buffer) => (said += data.toString()));
  for await (const chunk of server.stdout.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    const port = /:(\d+)\/\n/.exec(chunk.toString())?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new TraplineError('BENCH', `the workshop's server did not start: ${said}`);
}

/** A process and its children; empty where the system does not say. */
function family(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean);
    return [pid, ...children.map(Number)];
  } catch {
    return [];
  }
}

function residentBytes(pid: number): number {
  return Number(procFile(pid, 'statm')[1] ?? 0) * PAGE_BYTES;
}

/** proc(5): utime and stime, in hundredths of a second. */
function cpuMilliseconds(pid: number): number {
  const [, , , , , , , , , , , user = 0, system = 0] = procFile(pid, 'stat').slice(-50).map(Number);
  return (user + system) * 10;
}

function procFile(pid: number, name: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1').trim().split(' ');
  } catch {
    // It has just ended.
    return [];
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
