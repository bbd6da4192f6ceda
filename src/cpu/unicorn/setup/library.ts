// SPDX-License-Identifier: MIT
//
// Finds a libunicorn that is new enough: the one that the user names, the system's, or Debian's package from the
// cache or the mirror. A library's version is what the library itself answers, never what its file is called.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TraplineError } from '../../../base/errors.ts';
import {
  cachedDebianPackage,
  canFetchDebianPackages,
  fetchDebianPackage,
  type DebianPackage,
} from './debian-package.ts';
import { installCommand } from './system.ts';
import { compareVersions, MINIMUM_UNICORN } from './versions.ts';

/** Opens a library and asks it for its version, such as `2.1.4`; throws with the loader's words. */
export type AskVersion = (path: string) => string;

export interface Library {
  /** What to hand to the dynamic loader: a path, or a bare name that it looks up. */
  readonly path: string;
  readonly version: string;
  readonly origin: 'TRAPLINE_LIBUNICORN' | 'system' | 'debian';
}

/** Where libraries are looked for, so that tests can put other places there. */
export interface LibraryPlaces {
  readonly override: string | undefined;
  readonly system: readonly string[];
  /** Undefined where Debian's packages cannot be had. */
  readonly debian: () => DebianPackage | undefined;
}

const SYSTEM_NAMES: Partial<Record<string, readonly string[]>> = {
  linux: ['libunicorn.so.2', 'libunicorn.so'],
  darwin: ['libunicorn.2.dylib', '/opt/homebrew/lib/libunicorn.2.dylib', '/usr/local/lib/libunicorn.2.dylib'],
  win32: ['unicorn.dll'],
};

// Debian renames a library's package when its ABI changes; any name of the family will do.
const UNICORN_PACKAGE = { name: /^libunicorn\d+(t64)?$/, suites: ['testing', 'sid'], minimum: MINIMUM_UNICORN };

export function libraryPlaces(): LibraryPlaces {
  const override = process.env['TRAPLINE_LIBUNICORN'];
  return {
    override: override === '' ? undefined : override,
    system: SYSTEM_NAMES[process.platform] ?? ['libunicorn.so'],
    debian: () =>
      cachedDebianPackage(UNICORN_PACKAGE) ??
      (canFetchDebianPackages() ? fetchDebianPackage(UNICORN_PACKAGE) : undefined),
  };
}

/**
 * The library to use.
 * @throws TraplineError `SETUP_LIBRARY` with what to do, when there is none
 */
export function findLibrary(ask: AskVersion, places: LibraryPlaces = libraryPlaces()): Library {
  if (places.override !== undefined) return overridden(ask, places.override);
  let tooOld: string | undefined;
  for (const path of places.system) {
    const version = answer(ask, path);
    if (version === undefined) continue;
    if (compareVersions(version, MINIMUM_UNICORN) >= 0) return { path, version, origin: 'system' };
    tooOld ??= version;
  }
  const unpacked = places.debian();
  if (unpacked !== undefined) return fromDebian(ask, unpacked);
  const found = tooOld === undefined ? 'libunicorn was not found' : `the system's libunicorn is ${tooOld}`;
  const command = installCommand('library');
  const how = command === undefined ? 'install it' : `run \`${command}\``;
  throw new TraplineError(
    'SETUP_LIBRARY',
    `${found}, and Trapline needs ${MINIMUM_UNICORN} or later; ${how}, or set TRAPLINE_LIBUNICORN to the path of such a library`,
  );
}

function overridden(ask: AskVersion, path: string): Library {
  const fail = (what: string): never => {
    throw new TraplineError('SETUP_LIBRARY', `TRAPLINE_LIBUNICORN=${path}: ${what}; correct or unset it`);
  };
  if (path.includes('/') && !existsSync(path)) fail('there is no such file');
  let version = '';
  try {
    version = ask(path);
  } catch (error) {
    fail(`this is no libunicorn that loads here (${(error as Error).message})`);
  }
  if (compareVersions(version, MINIMUM_UNICORN) < 0)
    fail(`this is libunicorn ${version}, and ${MINIMUM_UNICORN} or later is needed`);
  return { path, version, origin: 'TRAPLINE_LIBUNICORN' };
}

function fromDebian(ask: AskVersion, unpacked: DebianPackage): Library {
  const path = libraryFile(join(unpacked.folder, 'usr', 'lib'));
  if (path === undefined) {
    throw new TraplineError(
      'SETUP_LIBRARY',
      `Debian's ${unpacked.name} ${unpacked.version} holds no libunicorn.so; set TRAPLINE_LIBUNICORN`,
    );
  }
  try {
    return { path, version: ask(path), origin: 'debian' };
  } catch (cause) {
    throw new TraplineError(
      'SETUP_LIBRARY',
      `Debian's ${unpacked.name} ${unpacked.version} does not load on this system (${(cause as Error).message}); set TRAPLINE_LIBUNICORN to a library that does`,
      { cause },
    );
  }
}

/** The library stands in `usr/lib/<multiarch triplet>`. */
function libraryFile(folder: string): string | undefined {
  for (const entry of existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : []) {
    if (/(^|\/)libunicorn\.so(\.\d+)*$/.test(entry)) return join(folder, entry);
  }
  return undefined;
}

function answer(ask: AskVersion, path: string): string | undefined {
  try {
    return ask(path);
  } catch {
    return undefined;
  }
}
