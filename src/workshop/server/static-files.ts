// SPDX-License-Identifier: MIT
//
// The files of the page: a list made at the start from the build's own folder. Requests choose from the list by its exact
// text; no path of a request ever reaches the file system, so there is nothing to escape from.

import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { gzipSync } from 'node:zlib';
import { TraplineError } from '../../base/errors.ts';

export interface StaticFile {
  readonly type: string;
  readonly bytes: Uint8Array;
  /** Undefined where it would not be smaller. */
  readonly gzipped: Uint8Array | undefined;
  readonly etag: string;
  /** Its name changes with its content. */
  readonly isImmutable: boolean;
  /** Of a document: hashes of its inline scripts, for the policy. */
  readonly scriptHashes: readonly string[];
}

export const HTML = 'text/html; charset=utf-8';
const TYPES: Readonly<Record<string, string>> = {
  '.html': HTML,
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
};
/** As Vite names what it bundles. */
const HASHED_NAME = /-[A-Za-z0-9_-]{8}\.\w+$/;
/** Names that a request can have; a file with another one is left out. */
const PLAIN_PATH = /^\/[A-Za-z0-9._/-]*$/;
const MAX_FILES = 2000;

/**
 * All files below a folder, by the path of a request; `/` is index.html.
 * @throws TraplineError `WORKSHOP_PAGE` when the page is not there
 */
export function listStaticFiles(folder: string): ReadonlyMap<string, StaticFile> {
  const files = new Map<string, StaticFile>();
  for (const path of filesBelow(folder)) {
    const name = `/${relative(folder, path).split(sep).join('/')}`;
    const type = TYPES[extname(path)];
    if (type === undefined || !PLAIN_PATH.test(name) || name.includes('/.')) continue;
    files.set(name, staticFile(name, type, readFileSync(path)));
  }
  const index = files.get('/index.html');
  if (index === undefined) {
    throw new TraplineError('WORKSHOP_PAGE', 'the page of the workshop is not built: run npm run build');
  }
  files.set('/', index);
  return files;
}

/** One file out of memory. */
export function staticFile(name: string, type: string, bytes: Uint8Array): StaticFile {
  const gzipped = /^(text|application)\/|svg/.test(type) ? gzipSync(bytes, { level: 9 }) : undefined;
  const isHtml = type === HTML;
  return {
    type,
    bytes,
    gzipped: gzipped !== undefined && gzipped.length < bytes.length ? gzipped : undefined,
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    isImmutable: HASHED_NAME.test(name),
    scriptHashes: isHtml ? inlineScriptHashes(Buffer.from(bytes).toString('utf8')) : [],
  };
}

/** Regular files only: a link could lead out of the folder. */
function filesBelow(folder: string): string[] {
  let entries: string[];
  try {
    entries = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch {
    return [];
  }
  return entries
    .map((entry) => join(folder, entry))
    .filter((path) => lstatSync(path).isFile())
    .sort()
    .slice(0, MAX_FILES);
}

/** CSP level 2: the hash of exactly what stands between the tags. */
function inlineScriptHashes(html: string): string[] {
  return [...html.matchAll(/<script\b([^>]*)>([\s\S]*?)<\/script>/g)]
    .filter(([, attributes = '', text = '']) => !/\bsrc\s*=|application\/json/.test(attributes) && text !== '')
    .map(([, , text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`);
}
