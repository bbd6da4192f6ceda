// SPDX-License-Identifier: MIT
//
// Which requests are listened to at all: Host against DNS rebinding, Origin and Fetch Metadata against other sites (RFC
// 6454, W3C Fetch Metadata), paths without tricks; and the headers of every answer.

import { isIP } from 'node:net';
import type { IncomingMessage } from 'node:http';

/** A request that is refused: status and a sentence. */
export interface Refusal {
  readonly status: number;
  readonly sentence: string;
}

const LONGEST_URL = 2048;

/** Names and addresses under which the server may be called. */
export class HostNames {
  readonly #names: ReadonlySet<string>;
  readonly #takesAddresses: boolean;

  /**
   * @param names beside those of the loopback
   * @param takesAddresses any literal address is a name of this server: nobody can rebind one
   */
  constructor(names: readonly string[], takesAddresses: boolean) {
    this.#names = new Set(['localhost', '127.0.0.1', '::1', ...names.map((name) => name.toLowerCase())]);
    this.#takesAddresses = takesAddresses;
  }

  /** @param host as the header has it, with or without a port */
  has(host: string | undefined): boolean {
    const name = hostName(host);
    if (name === undefined) return false;
    return this.#names.has(name) || (this.#takesAddresses && isIP(name) !== 0);
  }
}

/** The name in a Host header; undefined when it is none. */
function hostName(host: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::\d{1,5})?$/i.exec(host ?? '');
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

/** Why a request is not listened to; undefined when it is. */
export function refusalOf(request: IncomingMessage, hosts: HostNames): Refusal | undefined {
  const { url = '', headers, rawHeaders } = request;
  const hostHeaders = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  if (hostHeaders.length !== 1 || !hosts.has(headers.host)) {
    return {
      status: 421,
      sentence: 'This server is not called by that name; start it with --allow-host to permit it.',
    };
  }
  if (url.length > LONGEST_URL) return { status: 400, sentence: 'The address is too long.' };
  if (!/^\/[A-Za-z0-9._/-]*(\?[A-Za-z0-9._=&%-]*)?$/.test(url) || url.startsWith('//')) {
    return { status: 400, sentence: 'The address holds what no address of this server does.' };
  }
  return crossSite(request);
}

/** A request that another site has caused. */
function crossSite({ headers, method, url = '' }: IncomingMessage): Refusal | undefined {
  const { origin } = headers;
  const site = headers['sec-fetch-site'];
  const isRead = method === 'GET' || method === 'HEAD';
  const isApi = url.startsWith('/api/');
  const other: Refusal = { status: 403, sentence: 'The request comes from a page of another site.' };
  if (origin !== undefined && origin !== `http://${headers.host}` && origin !== `https://${headers.host}`) return other;
  // A link from elsewhere may lead to the page; nothing else from elsewhere is served.
  const isNavigation = isRead && !isApi && headers['sec-fetch-mode'] === 'navigate';
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isNavigation) return other;
  return undefined;
}

/** Headers that every answer has. */
export function securityHeaders(scriptHashes: readonly string[]): Record<string, string> {
  const policy = [
    "default-src 'none'",
    ["script-src 'self' 'wasm-unsafe-eval'", ...scriptHashes].join(' '),
    // CodeMirror and xterm make style elements while they run.
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ];
  return {
    'Content-Security-Policy': policy.join('; '),
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
  };
}
