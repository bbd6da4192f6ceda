// SPDX-License-Identifier: MIT
//
// The schema of events does not change unseen: a golden copy for each version, and the table that people read.

import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { EventKind, TRACE_VERSION } from '../../src/trace/events.ts';
import { SCHEMA } from '../../src/trace/schema.ts';
import { schemaTable } from './schema-docs.ts';

function read(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8');
}

describe('The event schema', () => {
  it('is the one that its version stands for: another one takes another version and another golden file', () => {
    const golden: unknown = JSON.parse(read(`schema-v${TRACE_VERSION}.json`));
    const kinds = Object.entries(EventKind).map(([name, kind]) => [
      name,
      { kind, ...SCHEMA[name as keyof typeof EventKind] },
    ]);
    expect(Object.fromEntries(kinds)).toEqual(golden);
  });

  it('gives every kind a number of its own', () => {
    const numbers = Object.values(EventKind);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(Object.keys(SCHEMA)).toEqual(Object.keys(EventKind));
  });

  it('names nothing that no component records', () => {
    const root = fileURLToPath(new URL('../../src/', import.meta.url));
    const files = ['kernel', 'platform', 'sandbox'].flatMap((folder) =>
      readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts'))
        .map((file) => readFileSync(`${root}${folder}/${file}`, 'utf8')),
    );
    const recorded = new Set(files.flatMap((text) => text.match(/(?<=EventKind\.)\w+/g) ?? []));
    expect(Object.keys(EventKind).filter((name) => !recorded.has(name))).toEqual([]);
  });

  it('is what the README shows (npm run docs writes it)', () => {
    expect(read('../../src/trace/README.md')).toContain(`<!-- events -->\n\n${schemaTable()}\n<!-- end -->`);
  });
});
