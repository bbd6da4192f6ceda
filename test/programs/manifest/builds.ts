// SPDX-License-Identifier: MIT
//
// The programs that rows run from sources/: which compiler builds which variant, and the building.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Row } from './row.ts';

const SOURCES = fileURLToPath(new URL('sources/', import.meta.url));
/** musl's own headers leave the kernel's to the system. */
const MUSL_HEADERS = ['-idirafter', '/usr/include', '-idirafter', '/usr/include/x86_64-linux-gnu'];
const C = ['-std=gnu17', '-O2', '-w', '-pthread', '-D_GNU_SOURCE'];

interface Variant {
  readonly extension: string;
  readonly compiler: string;
  /** Arguments, with `IN` and `OUT` for the files. */
  readonly args: readonly string[];
}

/** By the end of a program's name. */
const VARIANTS: Readonly<Record<string, Variant>> = {
  glibc: { extension: 'c', compiler: 'gcc', args: [...C, '-o', 'OUT', 'IN', '-lm'] },
  static: { extension: 'c', compiler: 'gcc', args: [...C, '-static', '-o', 'OUT', 'IN', '-lm'] },
  musl: { extension: 'c', compiler: 'musl-gcc', args: [...C, '-static', ...MUSL_HEADERS, '-o', 'OUT', 'IN', '-lm'] },
  'musl-dynamic': { extension: 'c', compiler: 'musl-gcc', args: [...C, ...MUSL_HEADERS, '-o', 'OUT', 'IN', '-lm'] },
  cxx: { extension: 'cc', compiler: 'g++', args: ['-std=c++17', '-O2', '-pthread', '-o', 'OUT', 'IN'] },
  'cxx-static': {
    extension: 'cc',
    compiler: 'g++',
    args: ['-std=c++17', '-O2', '-pthread', '-static', '-o', 'OUT', 'IN'],
  },
  go: { extension: 'go', compiler: 'go', args: ['build', '-o', 'OUT', 'IN'] },
  rust: { extension: 'rs', compiler: '/usr/bin/rustc', args: ['-O', '--edition', '2021', '-o', 'OUT', 'IN'] },
};

interface Build {
  readonly source: string;
  readonly variant: Variant;
  readonly file: string;
}

function buildOf(row: Row): Build | undefined {
  const match = /^\$BIN\/([\w-]+)\.([\w-]+)$/.exec(row.command[0] ?? '');
  if (match === null) return undefined;
  const [, name = '', kind = ''] = match;
  const variant = VARIANTS[kind];
  if (variant === undefined) throw new Error(`${row.name}: no variant ${kind}`);
  return { source: join(SOURCES, `${name}.${variant.extension}`), variant, file: `${name}.${kind}` };
}

function isThere(command: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$0"', command], { stdio: 'ignore' }).status === 0;
}

/** The commands of a row that this machine lacks. */
export function missing(row: Row): string[] {
  const build = buildOf(row);
  const [program = ''] = row.command;
  const wanted = [...(row.needs ?? []), ...(build === undefined ? [program] : [build.variant.compiler])];
  return wanted.filter((command) => !isThere(command));
}

/** Builds a row's program into `folder` unless it is there. */
export function build(row: Row, folder: string): void {
  const wanted = buildOf(row);
  if (wanted === undefined) return;
  const out = join(folder, wanted.file);
  if (existsSync(out)) return;
  const { compiler, args } = wanted.variant;
  execFileSync(
    compiler,
    args.map((arg) => (arg === 'OUT' ? out : arg === 'IN' ? wanted.source : arg)),
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, CGO_ENABLED: '0', GOCACHE: join(folder, '.go-cache'), GO111MODULE: 'off' },
    },
  );
}
