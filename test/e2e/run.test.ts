// SPDX-License-Identifier: MIT
//
// `trapline run` as a process: statuses, what the guest gets of the command line, limits, files it writes.

import {
  chmodSync,
  copyFileSync,
  existsSync,
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
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guest, trapline } from './trapline.ts';

const BUSYBOX = '/bin/busybox';

interface Metrics {
  readonly version: number;
  readonly mode: string;
  readonly engine: string;
  readonly exit: { code?: number; signal?: number };
  readonly instructions: number;
  readonly wallMs: number;
  readonly syscalls: number;
  readonly trapped: number;
  readonly patchedCalls: number;
  readonly restarted: number;
  readonly faults: number;
  readonly sites: readonly { address: string; sysno: number; slot: string; calls: number }[];
  readonly refused: readonly { address: string; bytes: string; rule: string; traps: number }[];
  readonly slots: { used: number; capacity: number };
  readonly tasks: number;
  readonly signals: number;
}

describe('trapline run', () => {
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-run-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('passes the output through untouched and exits with the status of the guest', () => {
    expect(trapline(['run', guest('hello')])).toEqual({ status: 0, stdout: 'hello from a guest\n', stderr: '' });
  });

  it.each([
    ['fault-uncaught', 11, /SIGSEGV \(SEGV_MAPERR, address 0x0\) at 0x[0-9a-f]+ \(follow_pointer/],
    ['jump-nowhere', 11, /SIGSEGV/],
  ])('exits with 128 + the signal that killed %s, and reports the crash', (name, signo, words) => {
    const run = trapline(['run', guest(name)]);
    expect(run.status).toBe(128 + signo);
    expect(run.stdout).toBe('');
    expect(run.stderr).toMatch(words);
    for (const part of ['registers:', 'rip ', 'maps:', '[stack]']) expect(run.stderr).toContain(part);
  });

  it.each(['upstream', 'hardened'])('accounts for every trapped call in the metrics of --patch %s', (mode) => {
    for (const name of ['getpid-unpatchable', 'g01-baseline', 'signal-basic']) {
      const path = join(folder, `traps-${name}.json`);
      trapline(['run', '--patch', mode, '--metrics', path, guest(name)]);
      const { trapped, sites, refused } = JSON.parse(readFileSync(path, 'utf8')) as Metrics;
      const total = refused.reduce((sum, { traps }) => sum + traps, sites.length);
      expect({ name, total }).toEqual({ name, total: trapped });
      expect(refused.length, name).toBeGreaterThan(0);
      for (const { rule } of refused) expect(rule).toBe('not-mov-eax');
    }
  });

  it('tells in the report whether a patched site was involved', () => {
    const broken = trapline(['run', '--patch', 'upstream', guest('g08-false-mov')]);
    expect(broken.stderr).toMatch(
      /\nthe task's last call came from a patched syscall site: 0x4000cf \(ioctl\), trap slot 0x/,
    );
    const trapped = trapline(['run', '--patch', 'off', guest('fault-uncaught')]);
    expect(trapped.stderr).toContain('\nno patched syscall site was involved\n');
  });

  it('ends an endless loop at its instructions or its time, with status 124 and one line', () => {
    for (const limit of [
      ['--max-instructions', '1000000'],
      ['--timeout', '0.3'],
    ]) {
      const run = trapline(['run', ...limit, guest('loop-forever')]);
      expect({ status: run.status, stdout: run.stdout }).toEqual({ status: 124, stdout: '' });
      expect(run.stderr).toMatch(/^trapline: [^\n]+\n$/);
    }
  });

  it('takes its options from the environment, and gives way to the command line', () => {
    const env = { TRAPLINE_MAX_INSTRUCTIONS: '100000', TRAPLINE_STRACE: '0' };
    expect(trapline(['run', guest('loop-forever')], { env }).status).toBe(124);
    expect(trapline(['run', guest('hello')], { env: { TRAPLINE_STRACE: '1' } }).stderr).toContain('write(1, ');
    expect(trapline(['run', '--patch', 'off', guest('hello')], { env: { TRAPLINE_PATCH: 'nonsense' } }).status).toBe(0);
  });

  it("finds a bare name in the guest's PATH, through links where they lead", () => {
    const root = join(folder, 'linked');
    mkdirSync(join(root, 'usr', 'bin'), { recursive: true });
    mkdirSync(join(root, 'empty'));
    copyFileSync(guest('hello'), join(root, 'usr', 'bin', 'hi'));
    chmodSync(join(root, 'usr', 'bin', 'hi'), 0o755);
    for (const [to, name] of [
      ['empty', 'first'],
      ['/loop', 'loop'],
      ['usr/bin', 'second'],
    ] as const)
      symlinkSync(to, join(root, name));
    const run = (path: string): number | null =>
      trapline(['run', '--root', root, '--env', `PATH=${path}`, '--', 'hi']).status;
    expect(run('/first:/loop:/first/../second')).toBe(0);
    expect(run('/first:/loop')).toBe(127);
  });

  describe.runIf(existsSync(BUSYBOX))('with a busybox', () => {
    it('gives the guest everything behind its name, options included', () => {
      const run = trapline(['run', '--seed', '7', BUSYBOX, 'echo', '-s', '--seed', '9', '--', '--help']);
      expect(run).toEqual({ status: 0, stdout: '-s --seed 9 -- --help\n', stderr: '' });
      expect(trapline(['run', '--', BUSYBOX, 'echo', 'x']).stdout).toBe('x\n');
    });

    it('finds a bare name in the current directory and in PATH', () => {
      expect(trapline(['run', 'busybox', 'echo', 'here']).stdout).toBe('here\n');
      expect(trapline(['run', 'hello.elf'], { cwd: join(guest('hello'), '..') }).stdout).toBe('hello from a guest\n');
    });

    it('gives the guest PATH, HOME and TERM and nothing of its own environment', () => {
      const run = trapline(['run', BUSYBOX, 'env'], { env: { SECRET_OF_THE_HOST: '1' } });
      expect(
        run.stdout
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => line.split('=')[0]),
      ).toEqual(['PATH', 'HOME', 'TERM']);
    });

    it('sets and copies environment variables', () => {
      const run = trapline(
        ['run', '--env', 'A=b=c', '--env', 'COPIED', '--env', 'ABSENT', '--env', 'TERM=x', BUSYBOX, 'env'],
        { env: { COPIED: 'yes' } },
      );
      expect(run.stdout).toMatch(/^A=b=c$/m);
      expect(run.stdout).toMatch(/^COPIED=yes$/m);
      expect(run.stdout).toMatch(/^TERM=x$/m);
      expect(run.stdout).not.toContain('ABSENT');
    });

    it('sets argv[0], the user, the directory and passes stdin', () => {
      expect(trapline(['run', '--argv0', 'cat', BUSYBOX], { input: 'from stdin\n' }).stdout).toBe('from stdin\n');
      expect(trapline(['run', '--uid', '42', BUSYBOX, 'id', '-u']).stdout).toBe('42\n');
      expect(trapline(['run', '--cwd', '/tmp', BUSYBOX, 'pwd']).stdout).toBe('/tmp\n');
    });

    it('keeps names and output that are not UTF-8', () => {
      expect(trapline(['run', BUSYBOX, 'printf', '\\377\\376\\0x']).stdout).toBe('\xff\xfe\0x');
      expect(Buffer.from(trapline(['run', BUSYBOX, 'echo', 'grüße']).stdout, 'latin1').toString('utf8')).toBe(
        'grüße\n',
      );
    });

    it('shows a root read-only below a memory layer, and the program that is not in it', () => {
      const root = join(folder, 'root');
      mkdirSync(join(root, 'sub'), { recursive: true });
      writeFileSync(join(root, 'file'), 'content\n');
      const run = trapline([
        'run',
        '--uid',
        '0',
        '--root',
        root,
        BUSYBOX,
        'sh',
        '-c',
        'cat /file; echo new > /sub/new; rm /file; ls / /sub; cat /sub/new',
      ]);
      expect(run).toEqual({ status: 0, stdout: 'content\n/:\nsub\n\n/sub:\nnew\nnew\n', stderr: '' });
      expect(readdirSync(join(root, 'sub'))).toEqual([]);
      expect(readFileSync(join(root, 'file'), 'utf8')).toBe('content\n');
    });

    it('binds a directory read-only, and writable only when asked', () => {
      const bound = join(folder, 'bound');
      mkdirSync(bound);
      writeFileSync(join(bound, 'in'), 'in\n');
      const refused = trapline([
        'run',
        '--uid',
        '0',
        '--bind',
        `${bound}:/data`,
        BUSYBOX,
        'sh',
        '-c',
        'cat /data/in; echo x > /data/out',
      ]);
      expect(refused).toMatchObject({ status: 1, stdout: 'in\n' });
      expect(refused.stderr).toContain('Read-only file system');
      const written = trapline([
        'run',
        '--uid',
        '0',
        '--bind',
        `${bound}:/data:rw`,
        BUSYBOX,
        'sh',
        '-c',
        'echo x > /data/out',
      ]);
      expect(written).toEqual({ status: 0, stdout: '', stderr: '' });
      expect(readFileSync(join(bound, 'out'), 'utf8')).toBe('x\n');
    });

    it('exits as a shell would when the guest kills itself', () => {
      const run = trapline(['run', BUSYBOX, 'sh', '-c', 'kill -TERM $$']);
      expect(run).toEqual({ status: 143, stdout: '', stderr: '' });
      expect(trapline(['run', BUSYBOX, 'sh', '-c', 'exit 77']).status).toBe(77);
    });

    it('is deterministic: the same command twice gives the same bytes everywhere', () => {
      const once = (name: string): unknown => {
        const out = join(folder, name);
        mkdirSync(out);
        const options = [
          '--seed',
          '5',
          '--metrics',
          join(out, 'm'),
          '--strace-file',
          join(out, 's'),
          '--strace-times',
          '--trace',
          join(out, 't'),
        ];
        const script =
          'for i in 1 2 3; do (head -c 40 /dev/urandom | md5sum; date; echo $$) & done; wait; ls -la /proc/self/';
        const run = trapline(['run', ...options, BUSYBOX, 'sh', '-c', script]);
        const metrics = JSON.parse(readFileSync(join(out, 'm'), 'utf8')) as Record<string, unknown>;
        delete metrics['wallMs'];
        return {
          run,
          metrics,
          strace: readFileSync(join(out, 's'), 'latin1'),
          trace: readFileSync(join(out, 't'), 'latin1'),
        };
      };
      const first = once('one');
      expect(once('two')).toEqual(first);
      expect((first as { run: { status: number } }).run.status).toBe(0);
    });

    it('draws other random bytes from another seed, and the same from the same', () => {
      const bytes = (seed: string): string =>
        trapline(['run', '--seed', seed, BUSYBOX, 'head', '-c', '16', '/dev/urandom']).stdout;
      expect(bytes('1')).toHaveLength(16);
      expect(bytes('1')).toBe(bytes('1'));
      expect(bytes('1')).not.toBe(bytes('2'));
    });

    it('writes metrics of schema version 1', () => {
      const path = join(folder, 'metrics.json');
      writeFileSync(path, 'old');
      expect(trapline(['run', '--patch', 'upstream', '--metrics', path, BUSYBOX, 'seq', '1', '200']).status).toBe(0);
      const metrics = JSON.parse(readFileSync(path, 'utf8')) as Metrics;
      expect(Object.keys(metrics)).toEqual([
        'version',
        'mode',
        'engine',
        'exit',
        'instructions',
        'wallMs',
        'syscalls',
        'trapped',
        'patchedCalls',
        'restarted',
        'faults',
        'sites',
        'refused',
        'slots',
        'tasks',
        'signals',
        'estimates',
      ]);
      expect(metrics).toMatchObject({ version: 1, mode: 'upstream', exit: { code: 0 }, tasks: 1 });
      expect(metrics.syscalls).toBe(metrics.trapped + metrics.patchedCalls);
      expect(metrics.slots.used).toBe(metrics.sites.length);
      for (const n of [
        metrics.instructions,
        metrics.syscalls,
        metrics.faults,
        metrics.slots.capacity,
        metrics.signals,
        metrics.restarted,
      ]) {
        expect(Number.isInteger(n)).toBe(true);
      }
      for (const site of metrics.sites) expect(site.address).toMatch(/^0x[0-9a-f]+$/);
      expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    });

    it('writes a trace that is JSON, with slices that nest', () => {
      const path = join(folder, 'trace.json');
      expect(trapline(['run', '--trace', path, BUSYBOX, 'sh', '-c', 'echo a | cat']).status).toBe(0);
      const { traceEvents } = JSON.parse(readFileSync(path, 'utf8')) as {
        traceEvents: { ph: string; tid: number; ts: number; dur: number; name: string }[];
      };
      const ends = new Map<number, number>();
      const slices = traceEvents.filter((event) => event.ph === 'X').sort((a, b) => a.ts - b.ts);
      expect(slices.length).toBeGreaterThan(20);
      for (const slice of slices) {
        // Sums of decimal fractions: a picosecond is no overlap.
        expect(slice.ts).toBeGreaterThanOrEqual((ends.get(slice.tid) ?? 0) - 1e-6);
        ends.set(slice.tid, slice.ts + slice.dur);
      }
    });

    it('prints a summary of system calls', () => {
      const run = trapline(['run', '--strace-summary', BUSYBOX, 'echo', 'x']);
      expect(run.stdout).toBe('x\n');
      expect(run.stderr).toMatch(/^% time +seconds +usecs\/call +calls +errors +trapped +patched syscall\n/);
      expect(run.stderr).toMatch(/ write\n/);
      expect(run.stderr).toMatch(/ total\n/);
    });

    it('writes a log of JSON lines without addresses as numbers, or plain lines on stderr', () => {
      const path = join(folder, 'log');
      const unknown = ['sh', '-c', 'true'];
      expect(trapline(['run', '--log-level', 'debug', '--log-file', path, BUSYBOX, ...unknown])).toEqual({
        status: 0,
        stdout: '',
        stderr: '',
      });
      for (const line of readFileSync(path, 'utf8')
        .split('\n')
        .filter((text) => text !== '')) {
        expect(Object.keys(JSON.parse(line) as object)).toEqual(expect.arrayContaining(['level', 'msg']));
      }
    });
  });
});
