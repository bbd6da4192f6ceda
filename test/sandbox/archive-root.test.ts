// SPDX-License-Identifier: MIT
//
// `--root` with a tar archive: programs run from it as from a directory, however it is packed, and a file that cannot
// be used is refused in words.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromLatin1 } from '../../src/base/bytes.ts';
import { openHostArchive } from '../../src/sandbox/host-node/index.ts';
import { runGuest } from '../programs/guest-run.ts';
import { archive, entry, pax } from '../vfs/tar/archives.ts';

const BUSYBOX = '/bin/busybox';
const has = (command: string): boolean => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;

describe.runIf(existsSync(BUSYBOX) && has('tar') && has('zstd'))('a root from an archive', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-archive-'));
    const tree = join(folder, 'tree');
    for (const name of ['bin', 'etc', 'usr/share', 'root']) mkdirSync(join(tree, name), { recursive: true });
    copyFileSync(BUSYBOX, join(tree, 'bin', 'busybox'));
    for (const name of ['sh', 'ls', 'cat']) symlinkSync('busybox', join(tree, 'bin', name));
    writeFileSync(join(tree, 'etc', 'motd'), 'welcome\n');
    linkSync(join(tree, 'etc', 'motd'), join(tree, 'etc', 'motd.link'));
    writeFileSync(join(tree, 'usr', 'share', 'Case'), 'upper\n');
    writeFileSync(join(tree, 'usr', 'share', 'case'), 'lower\n');
    writeFileSync(join(tree, 'root', 'large'), Buffer.alloc(3_000_000, 'abcdefghij'));
    const packed = spawnSync('tar', ['cf', join(folder, 'plain'), '--owner=0', '--group=0', '-C', tree, '.']);
    expect(packed.status).toBe(0);
    // Names tell nothing: the contents do.
    writeFileSync(join(folder, 'gz.dat'), gzipSync(readFileSync(join(folder, 'plain'))));
    spawnSync('zstd', ['-q', join(folder, 'plain'), '-o', join(folder, 'zst.dat')]);
    const members = [...gzipSync(readFileSync(join(folder, 'plain')).subarray(0, 70_000))];
    const rest = [...gzipSync(readFileSync(join(folder, 'plain')).subarray(70_000))];
    writeFileSync(join(folder, 'members.dat'), Uint8Array.from([...members, ...rest]));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const SCRIPT = `
    cat /etc/motd /usr/share/Case /usr/share/case
    ls -l /etc | busybox cut -c1-15
    busybox sha256sum /root/large
    echo more >> /etc/motd && cat /etc/motd.link
    busybox mv /usr/share/Case /etc/moved && busybox rm -r /usr && ls / /etc
    busybox tail -c 25 /root/large`;

  it.each(['plain', 'gz.dat', 'members.dat', 'zst.dat'])('runs busybox from %s', async (name) => {
    const root = await openHostArchive(join(folder, name));
    const before = readFileSync(join(folder, name));
    const { output, errors, exit } = await runGuest('/bin/busybox', { root, uid: 0, argv: ['sh', '-c', SCRIPT] });
    root.dispose();
    expect({ errors, exit }).toEqual({ errors: '', exit: { code: 0 } });
    const sum = createHash('sha256')
      .update(readFileSync(join(folder, 'tree/root/large')))
      .digest('hex');
    expect(output.replace(sum, 'SUM')).toMatchInlineSnapshot(`
      "welcome
      upper
      lower
      total 8
      -rw-r--r--    2
      -rw-r--r--    2
      SUM  /root/large
      welcome
      more
      /:
      bin
      etc
      root

      /etc:
      motd
      motd.link
      moved
      fghijabcdefghijabcdefghij"
    `);
    expect(readFileSync(join(folder, name)).equals(before)).toBe(true);
  });

  it.runIf(existsSync('/bin/bash') && has('ldd'))('runs dynamic programs of the system from an archive', async () => {
    const programs = ['/bin/bash', '/usr/bin/sort', '/usr/bin/ls'];
    const linked = spawnSync('ldd', programs, { encoding: 'utf8' }).stdout;
    const libraries = new Set([...linked.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path ?? ''));
    const path = join(folder, 'system.tar');
    const names = [...programs, ...libraries].map((name) => name.slice(1));
    const packed = spawnSync('tar', ['cf', path, '--dereference', '-C', '/', ...names], { encoding: 'utf8' });
    expect(packed.stderr).toBe('');
    const root = await openHostArchive(path);
    const script = 'for i in 3 1 2; do echo $i; done | sort -r | while read n; do echo n$n; done; ls /';
    const { output, errors, exit } = await runGuest('/bin/bash', {
      root,
      argv: ['bash', '-c', script],
      env: ['PATH=/bin:/usr/bin'],
    });
    root.dispose();
    expect({ errors, exit }).toEqual({ errors: '', exit: { code: 0 } });
    expect(output).toMatch(/^n3\nn2\nn1\nbin\nlib/);
  });

  it('shows extended attributes and modes of an archive', async () => {
    const path = join(folder, 'pax.tar');
    const header = pax({ 'SCHILY.xattr.user.origin': 'archive', mtime: '1.000000002' });
    writeFileSync(path, archive(header, entry({ name: 'marked', data: 'text', mode: 0o4751 })));
    const root = await openHostArchive(path);
    const program = '/bin/busybox';
    const { output } = await runGuest(program, {
      root,
      uid: 0,
      argv: ['busybox', 'stat', '-c', '%a %s %Y', '/marked'],
    });
    expect(output).toBe('4751 4 1\n');
    expect(fromLatin1(root.xattrs('marked')?.get('user.origin') ?? new Uint8Array(0))).toBe('archive');
    root.dispose();
  });

  it('leaves nothing in the temporary folder', async () => {
    const before = process.env['TMPDIR'];
    const own = join(folder, 'tmp');
    mkdirSync(own);
    process.env['TMPDIR'] = own;
    try {
      const root = await openHostArchive(join(folder, 'gz.dat'));
      expect(readdirSync(own)).toEqual([]);
      expect(root.list('etc')).toEqual(['motd', 'motd.link']);
      root.dispose();
    } finally {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
    }
  });

  it('is refused when it is a pipe, without waiting for its other end', async () => {
    const path = join(folder, 'pipe');
    expect(spawnSync('mkfifo', [path]).status).toBe(0);
    await expect(openHostArchive(path)).rejects.toThrow('pipe: it is neither a directory nor a file');
  });

  it.each([
    ['none', () => undefined, 'no such file or directory'],
    ['text', () => Buffer.alloc(4096, 'text'), 'no tar archive'],
    ['empty', () => Buffer.alloc(0), 'not complete'],
    ['cut.tar', () => readFileSync(join(folder, 'plain')).subarray(0, 100_000), 'not complete'],
    [
      'cut.gz',
      () => readFileSync(join(folder, 'gz.dat')).subarray(0, 100_000),
      'gzip data are damaged or end too soon',
    ],
    ['bad.gz', () => damaged('gz.dat'), 'gzip data are damaged or end too soon'],
    ['text.gz', () => gzipSync(Buffer.alloc(4096, 'text')), 'no tar archive'],
    [
      'cut.zst',
      () => readFileSync(join(folder, 'zst.dat')).subarray(0, 100_000),
      'zstd data are damaged or end too soon',
    ],
    ['bad.zst', () => readFileSync(join(folder, 'zst.dat')).fill(0xff, 5000, 9000), 'zstd data are damaged'],
    [
      'wide.zst',
      () => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0xa8, ...Buffer.alloc(100)]),
      'window of more than 128 MiB',
    ],
    [
      'wide-segment.zst',
      () => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x7f, ...Buffer.alloc(100)]),
      'window of more',
    ],
    ['x.xz', () => Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0]), 'packed by xz'],
    ['x.bz2', () => Buffer.from('BZh91AY&SY'), 'packed by bzip2'],
    ['x.zip', () => Buffer.from([0x50, 0x4b, 3, 4, 0, 0, 0, 0]), 'packed by zip'],
  ])('is refused in words: %s', async (name, make, words) => {
    const path = join(folder, name);
    const bytes = make();
    if (bytes !== undefined) writeFileSync(path, bytes);
    await expect(openHostArchive(path)).rejects.toMatchObject({ code: 'HOST_ARCHIVE' });
    await expect(openHostArchive(path)).rejects.toThrow(words);
  });

  function damaged(name: string): Buffer {
    const bytes = readFileSync(join(folder, name));
    return bytes.fill(0x55, 3000, 9000);
  }
});
