// SPDX-License-Identifier: MIT

import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cacheEntry, cacheFolder, withLock } from '../../../../src/cpu/unicorn/setup/cache.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trapline-cache-'));
  vi.stubEnv('XDG_CACHE_HOME', folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

describe('cacheFolder', () => {
  it('makes every folder that is missing', () => {
    vi.stubEnv('XDG_CACHE_HOME', join(folder, 'a', 'b'));
    expect(cacheFolder()).toBe(join(folder, 'a', 'b', 'trapline'));
    expect(existsSync(join(folder, 'a', 'b', 'trapline'))).toBe(true);
  });

  it('says so at once where no folder can be made', () => {
    vi.stubEnv('XDG_CACHE_HOME', '/dev/null/nope');
    expect(() => cacheFolder()).toThrow(/cannot make the cache folder .*set XDG_CACHE_HOME/);
  });

  it.runIf(process.platform === 'linux')('does not hang below /proc', () => {
    vi.stubEnv('XDG_CACHE_HOME', '/proc/nope');
    expect(() => cacheFolder()).toThrow(/cannot make the cache folder/);
  });
});

describe('cacheEntry', () => {
  it('fills an entry once and then hands it out', () => {
    let fills = 0;
    const fill = (aside: string): void => {
      fills++;
      writeFileSync(join(aside, 'file'), 'content');
    };
    const first = cacheEntry('entry', fill);
    expect(cacheEntry('entry', fill)).toBe(first);
    expect(fills).toBe(1);
    expect(readFileSync(join(first, 'file'), 'utf8')).toBe('content');
  });

  it('leaves nothing behind when filling fails', () => {
    const fill = (aside: string): void => {
      writeFileSync(join(aside, 'half'), '');
      throw new Error('disk full');
    };
    expect(() => cacheEntry('entry', fill)).toThrow('disk full');
    expect(readdirSync(cacheFolder())).toEqual([]);
  });

  it('shows an entry only when it is whole', () => {
    cacheEntry('entry', () => {
      expect(existsSync(join(cacheFolder(), 'entry'))).toBe(false);
    });
    expect(existsSync(join(cacheFolder(), 'entry'))).toBe(true);
  });
});

describe('cacheFolder', () => {
  it('says what to set when it cannot be made', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    vi.stubEnv('XDG_CACHE_HOME', file);
    expect(() => cacheFolder()).toThrow(/cannot make the cache folder .* set XDG_CACHE_HOME to a writable folder/);
  });
});

describe('withLock', () => {
  it('removes its lock after the work, also when that fails', () => {
    const lock = join(folder, 'lock');
    expect(withLock(lock, () => readFileSync(lock, 'utf8'))).toBe(String(process.pid));
    expect(() =>
      withLock(lock, () => {
        throw new Error('failed');
      }),
    ).toThrow('failed');
    expect(existsSync(lock)).toBe(false);
  });

  it('takes over the lock of a process that is gone', () => {
    const lock = join(folder, 'lock');
    // Beyond the largest pid that Linux hands out.
    writeFileSync(lock, '4194999');
    expect(withLock(lock, () => 'done')).toBe('done');
  });
});
