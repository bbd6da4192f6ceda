// SPDX-License-Identifier: MIT
//
// A real `trapline workshop` for tests: the process, students with cookies, raw sockets.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import type { JobAccepted, JobState } from '../../src/workshop/api.ts';
import { start } from '../e2e/trapline.ts';

/** A server that runs. */
export class ServerProcess {
  readonly child: ChildProcessWithoutNullStreams;
  readonly port: number;
  stdout: string;
  stderr = '';

  private constructor(child: ChildProcessWithoutNullStreams, port: number, stdout: string) {
    this.child = child;
    this.port = port;
    this.stdout = stdout;
    child.stdout.on('data', (data: Buffer) => (this.stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (this.stderr += data.toString()));
  }

  /** Starts `trapline workshop` on a free port and waits until it says that it listens. */
  static async start(...options: string[]): Promise<ServerProcess> {
    const child = start(['workshop', '--port', '0', ...options]);
    let stderr = '';
    const listen = (data: Buffer): void => void (stderr += data.toString());
    child.stderr.on('data', listen);
    let stdout = '';
    for await (const chunk of child.stdout.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      stdout += chunk.toString();
      const port = /:(\d+)\/\n/.exec(stdout)?.[1];
      if (port === undefined || !stdout.includes('Ctrl-C')) continue;
      child.stderr.off('data', listen);
      const server = new ServerProcess(child, Number(port), stdout);
      server.stderr = stderr;
      return server;
    }
    throw new Error(`the server did not start: ${stderr}`);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Process ids of the workers, as Linux tells them. */
  async workers(): Promise<number[]> {
    const { pid = 0 } = this.child;
    const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'latin1');
    return text.split(' ').filter(Boolean).map(Number);
  }

  /** Sends a signal to all workers. */
  async signalWorkers(signal: NodeJS.Signals): Promise<void> {
    for (const pid of await this.workers()) process.kill(pid, signal);
  }

  /** Ctrl-C. @returns status or signal */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<number | NodeJS.Signals | null> {
    const closed = once(this.child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    this.child.kill(signal);
    const [status, by] = await closed;
    return status ?? by;
  }

  /** Sends bytes as they are and gives what comes back until the server closes. */
  raw(bytes: string): Promise<string> {
    return new Promise((done, failed) => {
      let text = '';
      const socket = connect(this.port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
      socket.on('data', (data: Buffer) => (text += data.toString('latin1')));
      socket.on('close', () => done(text));
      socket.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNRESET' || error.code === 'EPIPE') done(text);
        else failed(error);
      });
    });
  }

  /** The status of a raw GET of a path. */
  async rawStatus(path: string): Promise<number> {
    const answer = await this.raw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
  }
}

/** Somebody with a browser. */
export class Student {
  readonly #server: ServerProcess;
  readonly cookie: string;

  private constructor(server: ServerProcess, cookie: string) {
    this.#server = server;
    this.cookie = cookie;
  }

  static async arrive(server: ServerProcess): Promise<Student> {
    const response = await fetch(`${server.url}/api/status`);
    await response.text();
    return new Student(server, response.headers.get('set-cookie')?.split(';')[0] ?? '');
  }

  request(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.#server.url}${path}`, { ...init, headers: { Cookie: this.cookie, ...init.headers } });
  }

  post(path: string, body: unknown): Promise<Response> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.request(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: text });
  }

  async submit(job: unknown): Promise<JobAccepted> {
    const response = await this.post('/api/jobs', job);
    const answer = (await response.json()) as JobAccepted & { sentence?: string };
    if (response.status !== 202) throw new Error(`status ${response.status}: ${answer.sentence ?? ''}`);
    return answer;
  }

  async state(id: string, wait = 0): Promise<JobState> {
    const response = await this.request(`/api/jobs/${id}${wait > 0 ? `?wait=${wait}` : ''}`);
    return (await response.json()) as JobState;
  }

  /** Waits for the end of a job. */
  async result(id: string): Promise<Extract<JobState, { state: 'done' | 'failed' }>> {
    for (;;) {
      const state = await this.state(id, 10);
      if (state.state === 'done' || state.state === 'failed') return state;
    }
  }

  async run(job: unknown): Promise<Extract<JobState, { state: 'done' | 'failed' }>> {
    const { id } = await this.submit(job);
    return this.result(id);
  }
}
