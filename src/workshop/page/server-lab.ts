// SPDX-License-Identifier: MIT
//
// The laboratory that a server answers: sends a job, waits for it, says where it stands. A server that goes away is
// noticed by a request that fails, and noticed again when it is back.

import { signal } from '@preact/signals';
import { API, API_VERSION } from '../api.ts';
import type {
  Failed,
  HandInRequest,
  JobAccepted,
  JobRequest,
  JobState,
  Lab,
  LabResult,
  LabStatus,
  ServerStatus,
  SubmitOptions,
} from '../api.ts';
import type { HandInVerdict } from '../hand-in.ts';

/** A request for a job's state is held so long by the server. */
const WAIT_S = 15;
/** An answer that takes longer does not come; a long recording over a slow network takes a while. */
const ANSWER_MS = 45_000;
/** How often a server that has gone is looked for, and one that is there. */
const LOOK_FOR_MS = 5000;

type Answer<T> = { readonly ok: true; readonly value: T } | ({ readonly ok: false; readonly lost: boolean } & Failed);

/** Answers from `trapline workshop`. */
export class ServerLab implements Lab {
  readonly status = signal<LabStatus>({ kind: 'unknown' });
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Asks whether there is a server, which also gives this browser its cookie.
   * @returns true when it answers
   */
  async connect(): Promise<boolean> {
    const answer = await call<ServerStatus>('GET', API.status);
    if (answer.ok && answer.value.version === API_VERSION) {
      this.status.value = { kind: 'server', status: answer.value };
      return true;
    }
    this.#lose();
    return false;
  }

  async submit(request: JobRequest, options: SubmitOptions = {}): Promise<LabResult> {
    if (this.status.value.kind !== 'server' && !(await this.connect())) return unreachable();
    const accepted = await this.#call<JobAccepted>('POST', API.jobs, request);
    if (!accepted.ok) return failed(accepted);
    const { id, state, position } = accepted.value;
    const path = `${API.jobs}/${id}`;
    const cancel = (): void => void call('DELETE', path);
    options.signal?.addEventListener('abort', cancel, { once: true });
    try {
      options.onProgress?.(state === 'queued' ? { state, position } : { state });
      return await this.#result(path, options);
    } finally {
      options.signal?.removeEventListener('abort', cancel);
    }
  }

  /** A hand-in line: signed when the server has the class's key, with a checksum when not. */
  async handIn(request: HandInRequest): Promise<{ readonly line: string; readonly signed: boolean } | Failed> {
    const answer = await this.#call<{ line: string; signed: boolean }>('POST', API.handIn, request);
    return answer.ok ? answer.value : answer;
  }

  /** What lines are worth, by the server's key. */
  async checkHandIn(lines: readonly string[]): Promise<readonly HandInVerdict[] | Failed> {
    const answer = await this.#call<{ results: readonly HandInVerdict[] }>('POST', API.handInCheck, { lines });
    return answer.ok ? answer.value.results : answer;
  }

  async #result(path: string, { onProgress, signal: abort }: SubmitOptions): Promise<LabResult> {
    // The first look does not wait: a small job is often done by then.
    for (let wait = 0; ; wait = WAIT_S) {
      const answer = await this.#call<JobState>('GET', wait === 0 ? path : `${path}?wait=${wait}`);
      if (!answer.ok) return failed(answer);
      const { value } = answer;
      if (value.state === 'done') return { ok: true, outcome: value.outcome, recordings: value.recordings };
      if (value.state === 'failed') return failed(value);
      if (abort?.aborted === true) return { ok: false, reason: 'limit', sentence: 'The job was cancelled.' };
      onProgress?.(value);
    }
  }

  async #call<T>(method: string, path: string, body?: object): Promise<Answer<T>> {
    const answer = await call<T>(method, path, body);
    if (!answer.ok && answer.lost) this.#lose();
    return answer;
  }

  /** From now on recorded results answer, until the server is back. */
  #lose(): void {
    if (this.status.value.kind !== 'lost') this.status.value = { kind: 'lost' };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.connect(), LOOK_FOR_MS);
  }
}

/** One request; never rejects. */
async function call<T>(method: string, path: string, body?: object): Promise<Answer<T>> {
  let text: string;
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      credentials: 'same-origin',
      signal: AbortSignal.timeout(ANSWER_MS),
      ...(body !== undefined && {
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
    text = await response.text();
  } catch {
    return { ...unreachable(), lost: true };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ...unreachable(), lost: true };
  }
  if (response.ok) return { ok: true, value: value as T };
  const { reason = 'failed', sentence = `status ${response.status}` } = value as Partial<Failed>;
  return { ok: false, lost: false, reason, sentence };
}

function unreachable(): { readonly ok: false } & Failed {
  return { ok: false, reason: 'unreachable', sentence: 'The server of the workshop does not answer.' };
}

function failed({ reason, sentence, line, column }: Failed): LabResult {
  return {
    ok: false,
    reason,
    sentence,
    ...(line !== undefined && { line }),
    ...(column !== undefined && { column }),
  };
}
