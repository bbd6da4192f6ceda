// SPDX-License-Identifier: MIT
//
// Builds the native half of the Unicorn engine with one compiler call, against the headers that npm brought.
// The addon uses only the stable Node-API, so that one binary serves every Node version on this platform.

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TraplineError } from '../../../base/errors.ts';
import { cacheEntry, cacheFolder } from './cache.ts';
import { findCommand, installCommand, say } from './system.ts';

const require = createRequire(import.meta.url);

const FLAGS = [
  '-std=c++17',
  '-O2',
  '-fPIC',
  '-shared',
  '-fvisibility=hidden',
  '-Wall',
  '-Wextra',
  '-DNAPI_VERSION=8',
  '-DNAPI_DISABLE_CPP_EXCEPTIONS',
  '-DNODE_ADDON_API_DISABLE_DEPRECATED',
];

/** The command that compiles C++ here, with the arguments that `$CXX` may carry; undefined when there is none. */
export function findCompiler(): readonly string[] | undefined {
  const chosen = process.env['CXX']?.trim().split(/\s+/);
  if (chosen?.[0] !== undefined && chosen[0] !== '') return findCommand(chosen[0]) === undefined ? undefined : chosen;
  const name = ['c++', 'g++', 'clang++'].find((candidate) => findCommand(candidate) !== undefined);
  return name === undefined ? undefined : [name];
}

/** First line of what the compiler says of its version. */
export function compilerVersion(compiler: readonly string[]): string {
  const [command = '', ...args] = compiler;
  const result = spawnSync(command, [...args, '--version'], { encoding: 'utf8' });
  return (result.stdout ?? '').split('\n')[0]?.trim() ?? '';
}

/**
 * Path of the built addon, built now when the cache has none for these sources, flags and platform.
 * @throws TraplineError `SETUP_COMPILER` when there is no C++ compiler, `SETUP_BUILD` when it fails
 */
export function ensureAddon(): string {
  const sources = nativeSources();
  const name = `addon-${process.platform}-${process.arch}${libc()}-${fingerprint(sources)}`;
  // A finished addon needs no compiler any more.
  const finished = join(cacheFolder(), name, 'trapline.node');
  if (existsSync(finished)) return finished;
  const compiler = findCompiler();
  if (compiler === undefined) {
    const chosen = process.env['CXX'];
    const hint = installCommand('compiler');
    throw new TraplineError(
      'SETUP_COMPILER',
      chosen !== undefined && chosen !== ''
        ? `the C++ compiler that CXX names (${chosen}) is not there; correct or unset CXX`
        : `no C++ compiler (c++, g++ or clang++) is on PATH; ${hint === undefined ? 'install one' : `run \`${hint}\``}, then try again`,
    );
  }
  const folder = cacheEntry(name, (aside) => {
    say(`compiling the Unicorn binding with ${compiler.join(' ')} into ${cacheFolder()}`);
    compile(compiler, sources, join(aside, 'trapline.node'));
  });
  return join(folder, 'trapline.node');
}

function compile(compiler: readonly string[], sources: readonly string[], output: string): void {
  const [command = '', ...args] = compiler;
  const headers = [
    join(dirname(require.resolve('node-api-headers/package.json')), 'include'),
    dirname(require.resolve('node-addon-api/package.json')),
  ];
  const exported = sources.find((path) => path.endsWith('.map'));
  const link =
    process.platform === 'darwin'
      ? ['-undefined', 'dynamic_lookup']
      : ['-ldl', '-pthread', ...(exported === undefined ? [] : [`-Wl,--version-script=${exported}`])];
  try {
    execFileSync(
      command,
      [
        ...args,
        ...FLAGS,
        // Other people's headers are not ours to warn about.
        ...headers.flatMap((folder) => ['-isystem', folder]),
        ...sources.filter((path) => path.endsWith('.cc')),
        '-o',
        output,
        ...link,
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    );
  } catch (cause) {
    const output = String((cause as { stderr?: unknown }).stderr ?? '');
    const line =
      output.split('\n').find((text) => /error/i.test(text)) ??
      `it ended with status ${(cause as { status?: number | null }).status}`;
    throw new TraplineError('SETUP_BUILD', `${command} could not compile the Unicorn binding: ${line}`, { cause });
  }
}

function nativeSources(): string[] {
  const folder = join(packageFolder(), 'src', 'cpu', 'unicorn', 'native');
  return readdirSync(folder)
    .filter((name) => /\.(cc|h|map)$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

function fingerprint(sources: readonly string[]): string {
  const hash = createHash('sha256');
  hash.update(FLAGS.join(' '));
  hash.update(process.env['CXX'] ?? '');
  for (const name of ['node-api-headers', 'node-addon-api']) {
    hash.update((require(`${name}/package.json`) as { version: string }).version);
  }
  for (const path of sources) {
    hash.update(`\0${path.slice(path.lastIndexOf('/') + 1)}\0`);
    hash.update(readFileSync(path));
  }
  return hash.digest('hex').slice(0, 20);
}

/** glibc and musl load each other's libraries badly; only Linux has the choice. */
function libc(): string {
  if (process.platform !== 'linux') return '';
  return readFileSync('/proc/self/maps', 'latin1').includes('/ld-musl-') ? '-musl' : '';
}

/** The folder of this package's package.json, from the sources as from what is built of them. */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const file = join(folder, 'package.json');
    if (existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name === 'trapline')
      return folder;
    const parent = dirname(folder);
    if (parent === folder)
      throw new TraplineError('SETUP_PACKAGE', 'the package.json of trapline is not above its code; install it again');
    folder = parent;
  }
}
