// SPDX-License-Identifier: MIT
//
// The choice among libraries and the words when there is none. The function that asks a library for its version
// stands in for the dynamic loader.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findLibrary, type LibraryPlaces } from '../../../../src/cpu/unicorn/setup/library.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trapline-library-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function places(changes: Partial<LibraryPlaces>): LibraryPlaces {
  return { override: undefined, system: [], debian: () => undefined, ...changes };
}

function answering(versions: Record<string, string>): (path: string) => string {
  return (path) => {
    const version = versions[path];
    if (version === undefined) throw new Error(`${path}: cannot open shared object file`);
    return version;
  };
}

function unpackedPackage(): { name: string; version: string; folder: string } {
  const lib = join(folder, 'usr', 'lib', 'x86_64-linux-gnu');
  mkdirSync(lib, { recursive: true });
  writeFileSync(join(lib, 'libunicorn.so.2'), 'library');
  return { name: 'libunicorn2t64', version: '2.1.4-4', folder };
}

describe('findLibrary', () => {
  it("takes the system's library when it is new enough", () => {
    const ask = answering({ 'libunicorn.so.2': '2.1.4' });
    const found = findLibrary(ask, places({ system: ['libunicorn.so.2'] }));
    expect(found).toEqual({ path: 'libunicorn.so.2', version: '2.1.4', origin: 'system' });
  });

  it("passes over the system's library when it is too old, for Debian's package", () => {
    const unpacked = unpackedPackage();
    const file = join(folder, 'usr/lib/x86_64-linux-gnu/libunicorn.so.2');
    const ask = answering({ 'libunicorn.so.2': '2.0.1', [file]: '2.1.4' });
    const found = findLibrary(ask, places({ system: ['libunicorn.so.2'], debian: () => unpacked }));
    expect(found).toEqual({ path: file, version: '2.1.4', origin: 'debian' });
  });

  it('says which version is too old and how to get another where no package can be had', () => {
    const ask = answering({ 'libunicorn.so.2': '2.0.1' });
    expect(() => findLibrary(ask, places({ system: ['libunicorn.so.2'] }))).toThrow(
      /^the system's libunicorn is 2\.0\.1, and Trapline needs 2\.1\.4 or later; .*TRAPLINE_LIBUNICORN/,
    );
  });

  it('says that none was found where there is none', () => {
    expect(() => findLibrary(answering({}), places({}))).toThrow(/^libunicorn was not found/);
  });

  it('explains a package that does not load', () => {
    expect(() => findLibrary(answering({}), places({ debian: unpackedPackage }))).toThrow(
      /libunicorn2t64 2\.1\.4-4 does not load on this system \(.*cannot open/,
    );
  });

  describe('with TRAPLINE_LIBUNICORN', () => {
    it('prefers it to everything else', () => {
      const path = join(folder, 'mine.so');
      writeFileSync(path, '');
      const ask = answering({ [path]: '2.2.0', 'libunicorn.so.2': '2.1.4' });
      expect(findLibrary(ask, places({ override: path, system: ['libunicorn.so.2'] })).path).toBe(path);
    });

    it.each([
      ['a missing file', false, undefined, /there is no such file; correct or unset it$/],
      ['a file that does not load', true, undefined, /this is no libunicorn that loads here \(.*cannot open/],
      ['an old library', true, '2.1.1', /this is libunicorn 2\.1\.1, and 2\.1\.4 or later is needed/],
    ])('does not go on with %s', (_what, exists, version, message) => {
      const path = join(folder, 'mine.so');
      if (exists) writeFileSync(path, '');
      const ask = answering({ 'libunicorn.so.2': '2.1.4', ...(version !== undefined && { [path]: version }) });
      const find = (): unknown => findLibrary(ask, places({ override: path, system: ['libunicorn.so.2'] }));
      expect(find).toThrow(message);
    });
  });
});
