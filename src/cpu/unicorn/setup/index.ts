// SPDX-License-Identifier: MIT
//
// Makes the Unicorn engine usable on this machine: the addon built, a libunicorn found. Called on first use and
// by `trapline doctor --setup`; says on stderr what takes time, and nothing when all is there.

import { createRequire } from 'node:module';
import { TraplineError } from '../../../base/errors.ts';
import { ensureAddon } from './addon.ts';
import { findLibrary, type Library } from './library.ts';

export { compilerVersion, findCompiler, packageFolder } from './addon.ts';
export { fetchDebianPackage, canFetchDebianPackages, type DebianPackage } from './debian-package.ts';
export { findCommand, showSteps } from './system.ts';

export interface UnicornSetup {
  /** What the addon hands to the dynamic loader. */
  readonly libraryPath: string;
  readonly libraryVersion: string;
  readonly libraryOrigin: Library['origin'];
  readonly addonPath: string;
}

/** The function of the addon that this folder uses. */
interface AddonProbe {
  /** Version of the library at `path`, such as `2.1.4`; throws with the loader's message. */
  libraryVersion(path: string): string;
}

let done: UnicornSetup | undefined;

/**
 * Finds or makes everything that the Unicorn engine needs; quick when it is there.
 * @throws TraplineError `SETUP_…` with one line that says what to do; the command line ends with 125
 */
export function ensureUnicorn(): UnicornSetup {
  if (done !== undefined) return done;
  const addonPath = ensureAddon();
  let probe: AddonProbe;
  try {
    probe = createRequire(import.meta.url)(addonPath) as AddonProbe;
  } catch (cause) {
    throw new TraplineError(
      'SETUP_BUILD',
      `the built Unicorn binding does not load (${(cause as Error).message}); remove ${addonPath} and try again`,
      { cause },
    );
  }
  const library = findLibrary((path) => probe.libraryVersion(path));
  done = { addonPath, libraryPath: library.path, libraryVersion: library.version, libraryOrigin: library.origin };
  return done;
}
