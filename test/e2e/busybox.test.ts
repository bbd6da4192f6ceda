// SPDX-License-Identifier: MIT
//
// A busybox that Debian built, on a tree of ordinary files: output equal to native in every mode, most calls
// patched, and the same run twice is the same byte for byte.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const BUSYBOX = '/bin/busybox';

interface Metrics {
  readonly syscalls: number;
  readonly trapped: number;
  readonly patchedCalls: number;
  readonly sites: readonly { readonly calls: number }[];
  wallMs: number;
}

const COMMANDS: readonly (readonly string[])[] = [
  ['echo', 'a', 'b'],
  // A folder's own order is its file system's: whatever shows it is sorted, or names its files.
  ['sh', '-c', 'find data | sort'],
  ['ls', '-lR', 'data'],
  ['ls', '-lR', 'etc'],
  ['sort', 'text'],
  ['sort', '-r', '-n', '-k', '2', 'text'],
  ['sha256sum', 'text', 'data/3/file'],
  ['gzip', '-c', 'text'],
  ['grep', '-c', 'x', 'data/1/file', 'data/2/file', 'text'],
  ['awk', '{ s += $2 } END { print s }', 'text'],
  ['sed', '-n', 's/line/LINE/p;20q', 'text'],
  ['tar', '-cf', '-', 'data/3/file', 'data/9/link', 'text'],
  ['cat', 'data/7/link'],
  ['cat', 'no-such-file'],
  ['stat', '-c', '%n %s %a %F %h', 'data/1/file', 'data'],
  ['du', '-a', 'data/2'],
  ['dd', 'if=text', 'bs=100', 'count=3', 'skip=2'],
  ['seq', '1', '500'],
  ['sh', '-c', 'for i in 1 2 3; do echo $i | cat; done; (exit 5)'],
  ['sh', '-c', 'cat text | sort | uniq -c | head -n 4; kill -9 $$'],
];

describe.runIf(existsSync(BUSYBOX))("Debian's busybox", () => {
  let root = '';
  let scratch = '';

  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'trapline-busybox-'));
    root = join(scratch, 'root');
    mkdirSync(join(root, 'data'), { recursive: true, mode: 0o755 });
    mkdirSync(join(root, 'etc'));
    for (const name of ['passwd', 'group']) copyFileSync(`/etc/${name}`, join(root, 'etc', name));
    copyFileSync(BUSYBOX, join(root, 'busybox'));
    const then = new Date('2003-04-05T06:07:08Z');
    for (let i = 0; i < 30; i++) {
      const folder = join(root, 'data', String(i));
      mkdirSync(folder);
      writeFileSync(join(folder, 'file'), 'x'.repeat(i * 331) + '\n');
      symlinkSync('file', join(folder, 'link'));
      utimesSync(join(folder, 'file'), then, then);
      lutimesSync(join(folder, 'link'), then, then);
      utimesSync(folder, then, then);
    }
    let text = '';
    for (let i = 0; i < 3000; i++) text += `${((i * 7919) % 3001).toString(36)} ${(i * 31) % 977} line\n`;
    writeFileSync(join(root, 'text'), text);
    for (const path of ['data', 'etc', 'etc/passwd', 'etc/group', 'text', 'busybox'])
      utimesSync(join(root, path), then, then);
    execFileSync('chmod', ['-R', 'a+rX', scratch]);
  });
  afterAll(() => {
    rmSync(scratch, { recursive: true, force: true });
  });

  function run(
    options: readonly string[],
    command: readonly string[],
  ): { status: number | null; output: string; errors: string } {
    const uid = String(process.getuid?.() ?? 1000);
    const common = ['--root', root, '--cwd', '/', '--uid', uid, '--env', 'TZ=UTC0', '--env', 'PATH=/'];
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [cli, 'run', ...common, ...options, '--', '/busybox', ...command],
      {
        maxBuffer: 1 << 26,
      },
    );
    return { status, output: stdout.toString('latin1'), errors: stderr.toString('latin1') };
  }

  for (const command of COMMANDS) {
    it(`gives the same output as natively: ${command.join(' ')}`, () => {
      const native = spawnSync('./busybox', command, {
        cwd: root,
        env: { TZ: 'UTC0', PATH: root },
        maxBuffer: 1 << 26,
      });
      const expected = {
        status: native.signal === null ? native.status : 128 + 9,
        output: native.stdout.toString('latin1'),
        errors: native.stderr.toString('latin1').replaceAll('./busybox', '/busybox'),
      };
      expect(run([], command)).toEqual(expected);
    });
  }

  it.each(['off', 'upstream', 'hardened'])('lists everything with --patch %s as natively', (mode) => {
    const native = spawnSync('./busybox', ['ls', '-lR', '.'], { cwd: root, env: { TZ: 'UTC0' } });
    expect(run(['--patch', mode], ['ls', '-lR', '.'])).toMatchObject({
      status: 0,
      output: native.stdout.toString('latin1'),
    });
  });

  it.each(['upstream', 'hardened'])('makes nearly all calls of repeated sites patched ones with --patch %s', (mode) => {
    const file = join(scratch, 'metrics.json');
    expect(run(['--patch', mode, '--metrics', file], ['ls', '-lR', '/']).status).toBe(0);
    const metrics = JSON.parse(readFileSync(file, 'utf8')) as Metrics;
    expect(metrics.syscalls).toBe(metrics.trapped + metrics.patchedCalls);
    const repeated = metrics.sites.filter((site) => site.calls > 0);
    const calls = repeated.reduce((sum, site) => sum + site.calls, 0);
    expect(calls).toBe(metrics.patchedCalls);
    // Each of these sites trapped once before.
    expect(calls / (calls + repeated.length)).toBeGreaterThan(0.9);
  });

  it.each(['off', 'upstream', 'hardened'])(
    'does the same twice with --patch %s, to the byte of strace and metrics',
    (mode) => {
      const once = (name: string): { strace: string; metrics: Metrics } => {
        const [strace, metricsFile] = [join(scratch, `${name}.strace`), join(scratch, `${name}.json`)];
        run(
          ['--patch', mode, '--strace-file', strace, '--metrics', metricsFile, '--seed', '5'],
          ['sh', '-c', 'find data | sort -r | head -n 20'],
        );
        const metrics = JSON.parse(readFileSync(metricsFile, 'utf8')) as Metrics;
        metrics.wallMs = 0;
        return { strace: readFileSync(strace, 'utf8'), metrics };
      };
      const first = once('first');
      expect(first.strace.split('\n').length).toBeGreaterThan(50);
      expect(once('second')).toEqual(first);
    },
  );
});
