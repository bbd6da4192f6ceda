// SPDX-License-Identifier: MIT
//
// The folder outside the package where downloaded libraries and built addons live, shared by all versions and
// checkouts of Trapline. Entries appear whole (built aside, then renamed) and are never changed afterwards.

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { TraplineError } from '../../../base/errors.ts';

/** A build that takes longer than this has died in a way that left its lock. */
const LOCK_PATIENCE_MS = 300_000;

/** Makes a folder and those above it. Node's recursive mkdir never returns where a parent answers ENOENT, as /proc does. */
function makeFolders(folder: string): void {
  const missing: string[] = [];
  for (let at = folder; !existsSync(at); at = dirname(at)) missing.push(at);
  for (const at of missing.reverse()) {
    try {
      mkdirSync(at, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** `$XDG_CACHE_HOME/trapline` or `~/.cache/trapline`; made when missing. */
export function cacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME'];
  const folder = join(base !== undefined && base.startsWith('/') ? base : join(homedir(), '.cache'), 'trapline');
  try {
    makeFolders(folder);
  } catch (cause) {
    throw new TraplineError(
      'SETUP_CACHE',
      `cannot make the cache folder ${folder} (${(cause as Error).message}); set XDG_CACHE_HOME to a writable folder`,
      { cause },
    );
  }
  return folder;
}

/**
 * Returns the folder `name` of the cache, made by `fill` when it is not there yet. Two processes that want the
 * same entry at once do the work once: the second waits for the first.
 *
 * @param fill puts everything into the (empty) folder that it is given; when it throws, no entry appears
 */
export function cacheEntry(name: string, fill: (folder: string) => void): string {
  const root = cacheFolder();
  const entry = join(root, name);
  if (existsSync(entry)) return entry;
  return withLock(join(root, `${name}.lock`), () => {
    if (existsSync(entry)) return entry;
    const aside = join(root, `${name}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`);
    mkdirSync(aside, { mode: 0o700 });
    try {
      fill(aside);
      try {
        renameSync(aside, entry);
      } catch (error) {
        // Without the lock (see LOCK_PATIENCE_MS) another process can have been faster; its entry is as good.
        if (!existsSync(entry)) throw error;
      }
      return entry;
    } finally {
      rmSync(aside, { recursive: true, force: true });
    }
  });
}

/** Runs `work` while holding a lock file. A lock whose owner is gone is taken over. */
export function withLock<T>(path: string, work: () => T): T {
  const since = Date.now();
  let held = false;
  while (!held) {
    try {
      const file = openSync(path, 'wx', 0o600);
      writeSync(file, String(process.pid));
      closeSync(file);
      held = true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (isAbandoned(path)) {
        rmSync(path, { force: true });
      } else if (Date.now() - since > LOCK_PATIENCE_MS) {
        break;
      } else {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
      }
    }
  }
  try {
    return work();
  } finally {
    if (held) rmSync(path, { force: true });
  }
}

function isAbandoned(path: string): boolean {
  let owner: number;
  try {
    owner = Number(readFileSync(path, 'utf8'));
    // The owner writes its number just after making the file: an empty file is abandoned only when it has aged.
    if (owner === 0) return Date.now() - statSync(path).mtimeMs > 2_000;
  } catch {
    return false;
  }
  try {
    process.kill(owner, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
