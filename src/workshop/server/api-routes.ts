// SPDX-License-Identifier: MIT
//
// What lies below /api/: status, jobs, hand-in lines. Answers are data; http-server.ts sends them.

import type { IncomingMessage } from 'node:http';
import { TraplineError } from '../../base/errors.ts';
import { parseHandInCheck, parseHandInRequest, parseJobRequest } from '../api-requests.ts';
import { API } from '../api.ts';
import type { Failed, FailureReason, JobAccepted, ServerStatus } from '../api.ts';
import { checkHandIn, checkedLine } from '../hand-in.ts';
import type { ClassKey } from './class-key.ts';
import type { HandInVerdict } from '../hand-in.ts';
import type { JobBook, JobView } from './job-book.ts';
import type { HandInJudge } from './hand-in-judge.ts';
import { readJsonBody } from './json-body.ts';
import { newName, studentCookie, studentOf } from './students.ts';

/** An answer of the interface. */
export type ApiAnswer = { readonly status: number; readonly cookie?: string } & (
  | { readonly json: object }
  /** JSON, gzipped. */
  | { readonly gzipped: Uint8Array }
);

export interface RouteOptions {
  readonly book: JobBook;
  readonly status: () => ServerStatus;
  readonly classKey: ClassKey | undefined;
  readonly judge: HandInJudge;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
}

const JOB_BYTES = 256 * 1024;
const HAND_IN_BYTES = 256 * 1024;
/** A request for a job's state is held at most so long. */
const LONGEST_WAIT_S = 20;
const STATUS_OF: Readonly<Record<FailureReason, number>> = {
  request: 400,
  code: 400,
  busy: 429,
  full: 503,
  limit: 200,
  crash: 200,
  gone: 404,
  unreachable: 503,
  'not-recorded': 404,
  failed: 500,
};

export class ApiRoutes {
  readonly #options: RouteOptions;

  constructor(options: RouteOptions) {
    this.#options = options;
  }

  async answer(request: IncomingMessage, path: string, query: URLSearchParams): Promise<ApiAnswer> {
    const { method } = request;
    if (path === API.status) {
      if (method !== 'GET') return wrongMethod('GET');
      const cookie = studentOf(request) === undefined ? studentCookie(newName()) : undefined;
      return { status: 200, json: this.#options.status(), ...(cookie !== undefined && { cookie }) };
    }
    if (path === API.jobs) return method === 'POST' ? this.#submit(request) : wrongMethod('POST');
    if (path === API.handIn) return method === 'POST' ? this.#handIn(request) : wrongMethod('POST');
    if (path === API.handInCheck) return method === 'POST' ? this.#check(request) : wrongMethod('POST');
    const id = /^\/api\/jobs\/([A-Za-z0-9_-]{22})$/.exec(path)?.[1];
    if (id === undefined) return refused({ reason: 'request', sentence: 'There is no such address.' }, 404);
    if (method === 'GET') return this.#state(request, id, query.get('wait'));
    if (method === 'DELETE') return this.#cancel(request, id);
    return wrongMethod('GET and DELETE');
  }

  async #submit(request: IncomingMessage): Promise<ApiAnswer> {
    const student = studentOf(request);
    if (student === undefined) return withoutCookie();
    return withBody(request, JOB_BYTES, (value) => {
      const submitted = this.#options.book.submit(student, parseJobRequest(value));
      if ('reason' in submitted) return refused(submitted);
      const { id, view } = submitted;
      const accepted: JobAccepted = {
        id,
        state: view.state === 'queued' ? 'queued' : 'running',
        position: view.state === 'queued' ? view.position : 0,
      };
      return { status: 202, json: accepted };
    });
  }

  /** How a job stands; with `wait`, when it changes or that many seconds have passed. */
  async #state(request: IncomingMessage, id: string, wait: string | null): Promise<ApiAnswer> {
    const { book } = this.#options;
    const student = studentOf(request) ?? '';
    const seconds = wait === null ? 0 : Math.min(LONGEST_WAIT_S, Number(wait));
    if (!(seconds >= 0)) return refused({ reason: 'request', sentence: 'wait is a number of seconds.' });
    const view = book.view(student, id);
    if (seconds > 0 && (view?.state === 'queued' || view?.state === 'running')) {
      await changed(request, (callback) => book.onChange(id, callback), seconds * 1000);
    }
    return viewAnswer(book.view(student, id));
  }

  #cancel(request: IncomingMessage, id: string): ApiAnswer {
    const { book } = this.#options;
    const student = studentOf(request) ?? '';
    return book.cancel(student, id) ? viewAnswer(book.view(student, id)) : viewAnswer(undefined);
  }

  async #handIn(request: IncomingMessage): Promise<ApiAnswer> {
    const student = studentOf(request);
    if (student === undefined) return withoutCookie();
    return withBody(request, HAND_IN_BYTES, async (value) => {
      const { classKey, wallClock, judge } = this.#options;
      const { answers, ...asked } = parseHandInRequest(value);
      const judged = await judge.judge(student, asked.lesson, answers);
      if (judged === undefined)
        return refused({ reason: 'request', sentence: 'There is no lesson of that name here.' });
      const at = `${new Date(wallClock()).toISOString().slice(0, 19)}Z`;
      const handIn = { ...asked, ...judged, at };
      const line = classKey === undefined ? checkedLine(handIn) : classKey.sign(handIn);
      return { status: 200, json: { line, signed: classKey !== undefined } };
    });
  }

  #verdict(line: string): HandInVerdict {
    return this.#options.classKey?.check(line) ?? checkHandIn(line, undefined);
  }

  #check(request: IncomingMessage): Promise<ApiAnswer> {
    return withBody(request, HAND_IN_BYTES, (value) => ({
      status: 200,
      json: { results: parseHandInCheck(value).map((line) => this.#verdict(line)) },
    }));
  }
}

/** Reads the body and answers; what is wrong with it is told. */
async function withBody(
  request: IncomingMessage,
  most: number,
  use: (value: unknown) => ApiAnswer | Promise<ApiAnswer>,
): Promise<ApiAnswer> {
  const body = await readJsonBody(request, most);
  if (!body.ok) return refused({ reason: 'request', sentence: body.sentence }, body.status);
  try {
    return await use(body.value);
  } catch (error) {
    if (!(error instanceof TraplineError) || error.code !== 'API_REQUEST') throw error;
    return refused({ reason: 'request', sentence: error.message });
  }
}

function viewAnswer(view: JobView | undefined): ApiAnswer {
  if (view === undefined) {
    return refused({ reason: 'gone', sentence: 'There is no such job any more: start it again.' });
  }
  return view.state === 'ended' ? { status: 200, gzipped: view.body } : { status: 200, json: view };
}

function refused(failed: Failed, status = STATUS_OF[failed.reason]): ApiAnswer {
  return { status, json: failed };
}

function withoutCookie(): ApiAnswer {
  const sentence = 'Students are told apart by a cookie, which comes with /api/status: allow cookies for this page.';
  return refused({ reason: 'request', sentence }, 403);
}

function wrongMethod(right: string): ApiAnswer {
  return refused({ reason: 'request', sentence: `This address takes ${right}.` }, 405);
}

/** Resolves at a change, after a time, or when nobody waits any more. */
function changed(request: IncomingMessage, watch: (callback: () => void) => () => void, ms: number): Promise<void> {
  return new Promise((done) => {
    const end = (): void => {
      clearTimeout(timer);
      unwatch();
      request.socket.off('close', end);
      done();
    };
    const timer = setTimeout(end, ms);
    const unwatch = watch(end);
    request.socket.once('close', end);
  });
}
