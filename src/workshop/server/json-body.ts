// SPDX-License-Identifier: MIT
//
// Reads the JSON of a request: its type must be right, its size is bounded, and a refusal leaves the connection in order.

import type { IncomingMessage } from 'node:http';
import type { Refusal } from './request-guard.ts';

export type JsonBody = { readonly ok: true; readonly value: unknown } | ({ readonly ok: false } & Refusal);

/** @param most bytes */
export async function readJsonBody(request: IncomingMessage, most: number): Promise<JsonBody> {
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json(\s*;\s*charset=utf-8)?$/i.test(type)) {
    return { ok: false, status: 415, sentence: 'The body must be application/json in UTF-8.' };
  }
  if (request.headers['content-encoding'] !== undefined) {
    return { ok: false, status: 415, sentence: 'The body must not be compressed.' };
  }
  const tooLarge = { ok: false, status: 413, sentence: `The body has more than ${most} bytes.` } as const;
  if (Number(request.headers['content-length'] ?? 0) > most) return tooLarge;
  const bytes = await collect(request, most);
  if (bytes === undefined) return tooLarge;
  const text = decode(bytes);
  if (text === undefined) return { ok: false, status: 400, sentence: 'The body is not UTF-8.' };
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch {
    return { ok: false, status: 400, sentence: 'The body is not JSON.' };
  }
}

/**
 * All of the body, or undefined when there is too much. The stream is left as it is then, for the answer still goes out on
 * its connection.
 */
function collect(request: IncomingMessage, most: number): Promise<Uint8Array | undefined> {
  return new Promise((done, failed) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= most) chunks.push(chunk);
      else {
        request.pause();
        done(undefined);
      }
    });
    request.once('end', () => done(Buffer.concat(chunks)));
    request.once('error', failed);
    request.once('close', () => failed(new Error('the client went away')));
  });
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
