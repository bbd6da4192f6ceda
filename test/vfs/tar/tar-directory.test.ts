// SPDX-License-Identifier: MIT
//
// An archive as a tree: every form of entry that tar programs write, and a plain word for each that nobody can use.

import { spawnSync } from 'node:child_process';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fc, test } from '@fast-check/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENOENT, ENOTDIR } from '../../../src/abi/errno.ts';
import { fromLatin1, latin1Bytes } from '../../../src/base/bytes.ts';
import { TraplineError } from '../../../src/base/errors.ts';
import { TarDirectory } from '../../../src/vfs/tar/tar-directory.ts';
import { getXattr, listXattrs, setXattr } from '../../../src/vfs/xattrs.ts';
import { at, makeTree } from '../fixture.ts';
import { archive, contents, directoryOf, entry, inMemory, pax } from './archives.ts';

const hasTar = spawnSync('tar', ['--version'], { stdio: 'ignore' }).status === 0;
const LONG = 'directory-with-a-long-name/'.repeat(5);

describe.runIf(hasTar)('an archive by the tar command', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-tar-'));
    const tree = join(folder, 'tree');
    mkdirSync(join(tree, LONG), { recursive: true });
    writeFileSync(join(tree, LONG, 'leaf'), 'far down');
    writeFileSync(join(tree, 'file'), 'some text', { mode: 0o640 });
    linkSync(join(tree, 'file'), join(tree, 'other'));
    symlinkSync('x'.repeat(150), join(tree, 'long-link'));
    writeFileSync(join(tree, 'b\u00fccher'), 'umlaut');
    utimesSync(join(tree, 'file'), 1_234_567_890.25, 1_234_567_890.25);
    writeFileSync(join(tree, 'holes'), 'begin');
    truncateSync(join(tree, 'holes'), 3_000_000);
    writeFileSync(join(tree, 'holes'), 'end', { flag: 'a' });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const made = (...options: string[]): TarDirectory => {
    const out = join(folder, 'out.tar');
    const ended = spawnSync('tar', ['cf', out, ...options, '-C', join(folder, 'tree'), '.'], { encoding: 'utf8' });
    expect(ended.stderr).toBe('');
    return new TarDirectory(inMemory(readFileSync(out)));
  };

  it.each([
    ['gnu', ['--format=gnu']],
    ['gnu, sparse', ['--format=gnu', '--sparse']],
    ['pax', ['--format=pax']],
    ['pax, sparse 0.0', ['--format=pax', '--sparse', '--sparse-version=0.0']],
    ['pax, sparse 0.1', ['--format=pax', '--sparse', '--sparse-version=0.1']],
    ['pax, sparse 1.0', ['--format=pax', '--sparse', '--sparse-version=1.0']],
  ])('in the form %s shows the tree that was packed', (_form, options) => {
    const tree = made(...options);
    expect(tree.list('')).toEqual([
      'b\u00c3\u00bccher',
      'directory-with-a-long-name',
      'file',
      'holes',
      'long-link',
      'other',
    ]);
    expect(contents(tree, `${LONG}leaf`)).toBe('far down');
    expect(contents(tree, 'b\u00c3\u00bccher')).toBe('umlaut');
    expect(tree.readlink('long-link')).toBe('x'.repeat(150));
    const { ino, mode, uid } = lstatSync(join(folder, 'tree', 'file'));
    expect(ino).toBeGreaterThan(0);
    expect(tree.stat('file')).toMatchObject({ kind: 'file', mode: mode & 0o7777, uid, size: 9, nlink: 2 });
    expect(tree.stat('other')).toEqual(tree.stat('file'));
    const { mtimeNs } = tree.stat('file') as { mtimeNs: bigint };
    expect(mtimeNs / 1_000_000_000n).toBe(1_234_567_890n);
    if (options[0] === '--format=pax') expect(mtimeNs % 1_000_000_000n).toBe(250_000_000n);
    const holes = contents(tree, 'holes') as string;
    expect([holes.length, holes.slice(0, 5), holes.slice(-3)]).toEqual([3_000_003, 'begin', 'end']);
    expect(holes.slice(5, -3)).toBe('\0'.repeat(3_000_003 - 8));
  });

  it('is shorter than its sparse files', () => {
    const tree = made('--format=pax', '--sparse');
    const { blocks } = tree.stat('holes') as { blocks: number };
    expect(blocks).toBeLessThan(100);
  });

  it('in the old ustar form shows short names', () => {
    const out = join(folder, 'ustar.tar');
    spawnSync('tar', ['cf', out, '--format=ustar', '-C', join(folder, 'tree'), LONG, 'file']);
    const tree = new TarDirectory(inMemory(readFileSync(out)));
    expect(contents(tree, `${LONG}leaf`)).toBe('far down');
  });
});

describe('a tar archive', () => {
  it('gives the last of several entries of one name', () => {
    const tree = directoryOf(entry({ name: 'a', data: 'old' }), entry({ name: './a', data: 'new' }));
    expect([tree.list(''), contents(tree, 'a')]).toEqual([['a'], 'new']);
  });

  it('keeps what lies in a directory that comes twice', () => {
    const tree = directoryOf(
      entry({ name: 'd/', type: '5', mode: 0o700 }),
      entry({ name: 'd/f', data: 'x' }),
      entry({ name: 'd', type: '5', mode: 0o711 }),
    );
    expect(tree.stat('d')).toMatchObject({ mode: 0o711, nlink: 2 });
    expect(contents(tree, 'd/f')).toBe('x');
  });

  it('keeps a hard link to a file that was replaced', () => {
    const tree = directoryOf(
      entry({ name: 'a', data: 'first' }),
      entry({ name: 'b', type: '1', linkName: './a' }),
      entry({ name: 'a', data: 'second' }),
    );
    expect([contents(tree, 'a'), contents(tree, 'b')]).toEqual(['second', 'first']);
    expect(tree.stat('b')).toMatchObject({ nlink: 1 });
  });

  it('takes a leading slash for the root of the tree', () => {
    expect(contents(directoryOf(entry({ name: '/etc//./passwd', data: 'x' })), 'etc/passwd')).toBe('x');
  });

  it('reads sizes above 8 GiB and owners above 2 million in base 256', () => {
    const size = new Uint8Array(12);
    size[0] = 0x80;
    size[7] = 5;
    const header = entry({ name: 'big', size, uid: Uint8Array.from([0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe]) });
    const whole = { pread: inMemory(header).pread, size: () => 512 + 5 * 2 ** 32 + 1024 };
    const tree = new TarDirectory({
      size: whole.size,
      pread(into, position) {
        if (position < 512) return whole.pread(into, position);
        return into.fill(0).length;
      },
    });
    expect(tree.stat('big')).toMatchObject({ size: 5 * 2 ** 32, uid: 0xfffffffe });
  });

  it('takes names, sizes, times and attributes from extended headers', () => {
    const name = `${'n'.repeat(200)}/${'m'.repeat(255)}`;
    const tree = directoryOf(
      pax({ mtime: '5.5', uid: '7' }, 'g'),
      pax({ path: name, mtime: '1700000000.123456789', 'SCHILY.xattr.user.note': 'a=b\nc' }),
      entry({ name: 'cut', data: 'x' }),
      entry({ name: 'plain' }),
    );
    expect(tree.stat(name)).toMatchObject({ mtimeNs: 1_700_000_000_123_456_789n, uid: 7 });
    expect(tree.stat('plain')).toMatchObject({ mtimeNs: 5_500_000_000n, uid: 7 });
    expect([...(tree.xattrs(name) ?? [])]).toEqual([['user.note', Uint8Array.from('a=b\nc', (c) => c.charCodeAt(0))]]);
    expect(tree.xattrs('plain')).toBeNull();
  });

  it('gives its attributes to guests, who may change them in memory', () => {
    const root = directoryOf(
      pax({ 'SCHILY.xattr.user.note': 'old', 'SCHILY.xattr.acl.x': 'no class' }),
      entry({ name: 'f' }),
    );
    const tree = makeTree({ root });
    const f = at(tree.root, '/f');
    const read = (): string => fromLatin1(getXattr(f, tree.root.cred, 'user.note', 100) as Uint8Array);
    expect([listXattrs(f, tree.root.cred, 0), read()]).toEqual(['user.note\0', 'old']);
    expect(setXattr(f, tree.root.cred, 'user.note', latin1Bytes('new'), 0)).toBe(0);
    expect(read()).toBe('new');
    expect(fromLatin1(root.xattrs('f')?.get('user.note') ?? new Uint8Array(0))).toBe('old');
  });

  it('keeps devices and pipes as names', () => {
    const tree = directoryOf(entry({ name: 'null', type: '3' }), entry({ name: 'pipe', type: '6' }));
    expect(tree.stat('null')).toMatchObject({ kind: 'char' });
    expect(tree.stat('pipe')).toMatchObject({ kind: 'fifo' });
  });

  it('follows no link and finds nothing below a file', () => {
    const tree = directoryOf(
      entry({ name: 'l', type: '2', linkName: 'd' }),
      entry({ name: 'd/f' }),
      entry({ name: 'f' }),
    );
    expect([tree.stat('f/x'), tree.list('f'), tree.stat('none'), contents(tree, 'none')]).toEqual([
      -ENOTDIR,
      -ENOTDIR,
      -ENOENT,
      -ENOENT,
    ]);
    expect(tree.stat('l/f')).toBeLessThan(0);
  });

  it.each([
    ['a name with ..', [entry({ name: 'a/../../etc/passwd' })], 'leads out of the tree'],
    ['a hard link with ..', [entry({ name: 'a', type: '1', linkName: '../x' })], 'leads out of the tree'],
    ['a hard link to nothing', [entry({ name: 'a', type: '1', linkName: 'b' })], 'not there before it'],
    [
      'a hard link to a directory',
      [entry({ name: 'd/', type: '5' }), entry({ name: 'a', type: '1', linkName: 'd' })],
      'to a directory',
    ],
    ['a file below a file', [entry({ name: 'a' }), entry({ name: 'a/b' })], 'lies below a, which is no directory'],
    [
      'a file below a link',
      [entry({ name: 'a', type: '2', linkName: '/etc' }), entry({ name: 'a/b' })],
      'lies below a',
    ],
    ['a file in place of a full directory', [entry({ name: 'd/f' }), entry({ name: 'd' })], 'replace a directory'],
    ['a file as the root', [entry({ name: './' }), entry({ name: '.' })], 'replace the root'],
    ['a part of 256 bytes', [pax({ path: 'x'.repeat(256) }), entry({ name: 'a' })], '255 bytes'],
    ['too deep a path', [pax({ path: 'd/'.repeat(300) }), entry({ name: 'a' })], 'directories deep'],
    [
      'a size that is none',
      [entry({ name: 'a', size: Uint8Array.from('zzzzzzzzzzzz', (c) => c.charCodeAt(0)) })],
      'no valid size',
    ],
    ['a negative size', [entry({ name: 'a', size: new Uint8Array(12).fill(0xff) })], 'no valid size'],
    ['a type that nobody knows', [entry({ name: 'a', type: 'M' })], 'a type that is not known: "M"'],
    ['a time that is none', [pax({ mtime: 'soon' }), entry({ name: 'a' })], 'no valid mtime'],
    ['an owner that is none', [pax({ uid: '-1' }), entry({ name: 'a' })], 'no valid uid'],
    [
      'records that are damaged',
      [entry({ name: 'x', type: 'x', data: '99 path=a\n' }), entry({ name: 'a' })],
      'damaged',
    ],
    ['a link without a target', [entry({ name: 'a', type: '2' })], 'no valid target'],
    [
      'pieces of a sparse file that overlap',
      [pax({ 'GNU.sparse.size': '100', 'GNU.sparse.map': '0,20,10,20' }), entry({ name: 'a', data: 'x'.repeat(40) })],
      'map of its holes',
    ],
    [
      'a sparse file of more data than there is',
      [pax({ 'GNU.sparse.size': '100', 'GNU.sparse.map': '0,50' }), entry({ name: 'a', data: 'x'.repeat(40) })],
      'map of its holes',
    ],
    [
      'a sparse file whose map is no map',
      [
        pax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9' }),
        entry({ name: 'a', data: 'pieces' }),
      ],
      'map of its holes',
    ],
  ])('is refused for %s', (_what, entries, words) => {
    expect(() => directoryOf(...entries)).toThrow(words);
    expect(() => directoryOf(...entries)).toThrow(TraplineError);
  });

  it('shows no control characters of a bad name', () => {
    expect(() => directoryOf(entry({ name: '\x1b[31m/../x' }))).toThrow('its entry ?[31m/../x leads');
  });

  it.each([
    ['text', Uint8Array.from('hello '.repeat(200), (c) => c.charCodeAt(0)), 'no tar archive'],
    ['nothing', new Uint8Array(0), 'not complete'],
    ['a cut header', entry({ name: 'a' }).subarray(0, 300), 'not complete'],
    ['cut data', archive(entry({ name: 'a', data: 'x'.repeat(5000) })).subarray(0, 2000), 'not complete'],
    ['no end mark', entry({ name: 'a', data: 'x' }), 'not complete'],
    [
      'rubbish after an entry',
      Uint8Array.from([...entry({ name: 'a' }), ...new Uint8Array(1024).fill(7)]),
      'no valid header at byte 512',
    ],
  ])('is no archive when it is %s', (_what, bytes, words) => {
    expect(() => new TarDirectory(inMemory(bytes))).toThrow(words);
  });

  test.prop([fc.integer({ min: 0, max: 6000 }), fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 8000 })], {
    numRuns: 500,
  })('with any byte changed and any length still is a tree or refused in words', (position, byte, length) => {
    const bytes = archive(
      pax({ path: 'a/b', 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9' }),
      entry({ name: 'cut', data: `1\n0\n3\n`.padEnd(512, '\0') + 'abc' }),
      entry({ name: 'long', type: 'L', data: 'name' }),
      entry({ name: 'n', type: 'S', magic: 'ustar  \0' }),
      entry({ name: 'l', type: '2', linkName: 't' }),
    );
    bytes[position] = byte;
    try {
      const tree = new TarDirectory(inMemory(bytes.subarray(0, Math.max(length, 2000))));
      for (const name of tree.list('') as string[]) contents(tree, name);
    } catch (error) {
      expect(error).toBeInstanceOf(TraplineError);
    }
  });
});
