// SPDX-License-Identifier: MIT
//
// The workshop's HTTP server: connections and their bounds, guards, files of the page; what lies below /api/ is api-routes.ts.
// A client that is slow, broken or hostile costs one connection, for a bounded time.

import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { TraplineError } from '../../base/errors.ts';
import type { Failed } from '../api.ts';
import type { ApiAnswer, ApiRoutes } from './api-routes.ts';
import { refusalOf, securityHeaders } from './request-guard.ts';
import type { HostNames, Refusal } from './request-guard.ts';
import { RefusalLog, shown } from './server-log.ts';
import type { ServerLog } from './server-log.ts';
import type { StaticFile } from './static-files.ts';

export interface HttpOptions {
  readonly files: ReadonlyMap<string, StaticFile>;
  readonly routes: ApiRoutes;
  readonly hosts: HostNames;
  readonly log: ServerLog;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Connections at once; further ones are closed. A class of 40 with six each needs 240. */
const MAX_CONNECTIONS = 1000;
/** Of one address: a class behind one router is one, and so is a student with a script. */
const MAX_OF_ADDRESS = 300;
const HEADERS_MS = 10_000;
const REQUEST_MS = 20_000;
const KEEP_ALIVE_MS = 15_000;
/** Neither side says anything: longer than a request for a job's state is held. */
const IDLE_MS = 60_000;
const CHECK_MS = 2000;
const HEADER_BYTES = 16 * 1024;

export class WorkshopHttp {
  readonly #options: HttpOptions;
  readonly #refusals: RefusalLog;
  readonly #server: Server;
  readonly #connections = new Map<string, number>();

  constructor(options: HttpOptions) {
    this.#options = options;
    this.#refusals = new RefusalLog(options.log, options.now);
    this.#server = createServer(
      {
        headersTimeout: HEADERS_MS,
        requestTimeout: REQUEST_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        connectionsCheckingInterval: CHECK_MS,
        maxHeaderSize: HEADER_BYTES,
        insecureHTTPParser: false,
        requireHostHeader: false,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.maxHeadersCount = 64;
    this.#server.setTimeout(IDLE_MS, (socket: Socket) => socket.destroy());
    this.#server.on('connection', (socket: Socket) => this.#count(socket));
    this.#server.on('clientError', (error, socket) => this.#clientError(error, socket as Socket));
    this.#server.on('drop', () => this.#refusals.refused({}, 'a connection was closed: there are too many'));
    // Neither is a protocol of ours.
    this.#server.on('upgrade', (_request, socket) => socket.destroy());
    this.#server.on('connect', (_request, socket) => socket.destroy());
  }

  /**
   * Listens.
   * @returns the port
   * @throws TraplineError `WORKSHOP_PORT` when that is not possible
   */
  listen(port: number, host: string): Promise<number> {
    return new Promise((done, failed) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => failed(listenError(error, port, host)));
      this.#server.listen({ port, host }, () => done((this.#server.address() as AddressInfo).port));
    });
  }

  /** Ends all connections. */
  close(): Promise<void> {
    return new Promise((done) => {
      this.#server.close(() => done());
      this.#server.closeAllConnections();
    });
  }

  /** Closes a connection of somebody who has too many. */
  #count(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const count = (this.#connections.get(address) ?? 0) + 1;
    this.#connections.set(address, count);
    socket.once('close', () => {
      const left = (this.#connections.get(address) ?? 1) - 1;
      if (left > 0) this.#connections.set(address, left);
      else this.#connections.delete(address);
    });
    if (count <= MAX_OF_ADDRESS) return;
    this.#refusals.refused({ from: address }, 'a connection was closed: its address has too many');
    socket.destroy();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {});
    try {
      const refusal = refusalOf(request, this.#options.hosts);
      if (refusal !== undefined) return this.#refuse(request, response, refusal);
      const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
      if (path.startsWith('/api/')) {
        const answer = await this.#options.routes.answer(request, path, new URLSearchParams(query));
        this.#sendApi(request, response, answer);
      } else this.#sendFile(request, response, path);
    } catch (error) {
      if (request.destroyed && !request.complete) return;
      this.#options.log.error({ error: error instanceof Error ? error.message : String(error) }, 'a request failed');
      if (!response.headersSent) this.#refuse(request, response, { status: 500, sentence: 'Trapline failed at this.' });
      else response.destroy();
    }
  }

  #refuse(request: IncomingMessage, response: ServerResponse, { status, sentence }: Refusal): void {
    this.#refusals.refused(
      {
        status,
        method: shown(request.method),
        url: shown(request.url),
        from: request.socket.remoteAddress ?? '',
        host: shown(request.headers.host),
        ...(request.headers.origin !== undefined && { origin: shown(request.headers.origin) }),
      },
      'a request was refused',
    );
    this.#send(request, response, status, {}, failedBody({ reason: 'request', sentence }));
  }

  #sendFile(request: IncomingMessage, response: ServerResponse, path: string): void {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return this.#refuse(request, response, { status: 405, sentence: 'Files are read with GET.' });
    }
    const file = this.#options.files.get(path === '/check' ? '/check.html' : path);
    if (file === undefined) return this.#refuse(request, response, { status: 404, sentence: 'There is no such file.' });
    const headers: Record<string, string> = {
      ...securityHeaders(file.scriptHashes),
      'Content-Type': file.type,
      ETag: file.etag,
      'Cache-Control': file.isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      Vary: 'Accept-Encoding',
    };
    if (request.headers['if-none-match'] === file.etag) {
      response.writeHead(304, headers).end();
      return;
    }
    const zipped = acceptsGzip(request) ? file.gzipped : undefined;
    if (zipped !== undefined) headers['Content-Encoding'] = 'gzip';
    const body = zipped ?? file.bytes;
    response.writeHead(200, { ...headers, 'Content-Length': body.length });
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  #sendApi(request: IncomingMessage, response: ServerResponse, answer: ApiAnswer): void {
    const { status, cookie } = answer;
    const headers: Record<string, string> = cookie === undefined ? {} : { 'Set-Cookie': cookie };
    if (status >= 400 && 'json' in answer) {
      const { sentence } = answer.json as Partial<Failed>;
      const facts = { status, url: shown(request.url), from: request.socket.remoteAddress ?? '' };
      this.#refusals.refused({ ...facts, sentence: shown(sentence) }, 'a request was refused');
    }
    if ('gzipped' in answer) {
      if (acceptsGzip(request)) {
        this.#send(request, response, status, { ...headers, 'Content-Encoding': 'gzip' }, answer.gzipped);
      } else this.#send(request, response, status, headers, gunzipSync(answer.gzipped));
    } else this.#send(request, response, status, headers, Buffer.from(JSON.stringify(answer.json)));
  }

  /** Sends JSON. What was not read of the request cannot be skipped safely: the connection ends then. */
  #send(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
  ): void {
    response.writeHead(status, {
      ...securityHeaders([]),
      'Content-Type': 'application/json; charset=utf-8',
      'Cache-Control': 'no-store',
      'Content-Length': body.length,
      ...headers,
      ...(request.complete ? {} : { Connection: 'close' }),
    });
    response.end(request.method === 'HEAD' ? undefined : body, () => {
      if (!request.complete) request.socket.destroySoon();
    });
  }

  #clientError(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code === 'ECONNRESET' || !socket.writable) return;
    this.#refusals.refused({ code: error.code, from: socket.remoteAddress ?? '' }, 'a request could not be read');
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
    const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
    const line = late ? '408 Request Timeout' : status;
    // Whoever does not close its side would keep the connection.
    socket.end(`HTTP/1.1 ${line}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
  }
}

function failedBody(failed: Failed): Uint8Array {
  return Buffer.from(JSON.stringify(failed));
}

function acceptsGzip(request: IncomingMessage): boolean {
  return /\bgzip\b/.test(request.headers['accept-encoding']?.toString() ?? '');
}

function listenError(error: NodeJS.ErrnoException, port: number, host: string): TraplineError {
  const where = `${host} port ${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new TraplineError('WORKSHOP_PORT', `${where} is in use: choose another with --port, or --port 0 for any`);
    case 'EACCES':
      return new TraplineError('WORKSHOP_PORT', `${where} may not be used by this user: choose a port above 1023`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new TraplineError('WORKSHOP_PORT', `${host} is no address of this machine: see --host`);
    default:
      return new TraplineError('WORKSHOP_PORT', `${where}: ${error.message}`);
  }
}
