// SPDX-License-Identifier: MIT
//
// `trapline check` as a process: what goes where, statuses, files, bad input, and Debian's programs.

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkSarif } from '../report/sarif-check.ts';
import { CLI, ended, guest, ONE_LINE, start, trapline } from './trapline.ts';

const BUSYBOX = '/bin/busybox';
const hasBusybox = existsSync(BUSYBOX);

let scratch = '';
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'trapline-check-'));
});
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

interface CheckJson {
  readonly version: number;
  readonly verdict: string;
  readonly modes: readonly {
    readonly mode: string;
    readonly verdict: string;
    readonly divergence?: {
      readonly cause: string;
      readonly guard: string;
      readonly site: { readonly address: string; readonly is: readonly { readonly text: string }[] };
      readonly corrupted: readonly { readonly found: string }[];
      readonly advice: readonly string[];
    };
  }[];
}

describe('trapline check', () => {
  it('shows the output once, reports to stderr, and ends with 0 when nothing differs', () => {
    const { status, stdout, stderr } = trapline(['check', '--', guest('hello')]);
    expect(stdout).toBe('hello from a guest\n');
    expect(stderr).toMatch(/^check: \/hello\.elf, seed 0: \d+ calls of 1 task, exit 0\n/);
    expect(stderr).toMatch(/^upstream {2}same /m);
    expect(stderr).toMatch(/^hardened {2}same /m);
    expect(status).toBe(0);
  });

  it('names the false match of g08, the bytes that it destroys, and what to do', () => {
    const { status, stderr } = trapline(['check', '--', guest('g08-false-mov')]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^upstream {2}differs$/m);
    expect(stderr).toMatch(/found: +--- SIGSEGV \{si_code=SEGV_MAPERR\} --- at 0x[0-9a-f]*25$/m);
    expect(stderr).toMatch(/is: +0x[0-9a-f]+ {2}c7 44 24 b8 10 00 00 00 +movl \$0x10,-0x48\(%rsp\)$/m);
    expect(stderr).toMatch(
      /became: 0x[0-9a-f]+ {2}c7 44 24 ff 24 25 [0-9a-f ]+movl \$0x[0-9a-f]{4}2524,-0x1\(%rsp\)$/m,
    );
    expect(stderr).toMatch(
      /corrupted: 4 bytes at 0x[0-9a-f]+: 24 25 [0-9a-f]{2} [0-9a-f]{2} instead of .* \(bytes of the jump\)$/m,
    );
    expect(stderr).toContain(
      'upstream lacks the guard instructionBoundary; hardened mode refuses it: tail-of-instruction',
    );
    expect(stderr).toContain('--systrap-disable-syscall-patching');
    expect(stderr).toMatch(/^hardened {2}same /m);
  });

  it('writes one JSON object and a SARIF log', () => {
    const json = join(scratch, 'check.json');
    const sarif = join(scratch, 'check.sarif');
    const { status } = trapline(['check', '--json', json, '--sarif', sarif, '--', guest('g06-shared-tail')]);
    expect(status).toBe(1);
    const result = JSON.parse(readFileSync(json, 'utf8')) as CheckJson;
    expect(result).toMatchObject({ version: 1, verdict: 'differs' });
    const [upstream, hardened] = result.modes;
    expect(upstream).toMatchObject({
      mode: 'upstream',
      verdict: 'differs',
      divergence: { cause: 'shared-tail', guard: 'compareSysno', site: { address: '0x400100' } },
    });
    expect(upstream?.divergence?.advice.length).toBeGreaterThan(0);
    expect(hardened).toMatchObject({ mode: 'hardened', verdict: 'same' });
    const log = JSON.parse(readFileSync(sarif, 'utf8')) as unknown;
    checkSarif(log);
    expect(JSON.stringify(log)).toContain('check/shared-tail');
  });

  it('checks one mode alone', () => {
    const { status, stderr } = trapline(['check', '--patch', 'hardened', '--', guest('g08-false-mov')]);
    expect(status).toBe(0);
    expect(stderr).not.toContain('upstream  ');
  });

  it('ends with 124 when a limit ended the runs before anything differed', () => {
    const { status, stderr } = trapline(['check', '--max-instructions', '100000', '--', guest('getpid-loop')]);
    expect(status).toBe(124);
    expect(stderr).toMatch(/^hardened {2}incomplete/m);
  });

  it('refuses what cannot be compared in one line', () => {
    for (const [args, status] of [
      [['check', '--wall-clock', guest('hello')], 125],
      [['check', '--patch', 'off', guest('hello')], 125],
      [['check', '--bind', `${scratch}:/mnt:rw`, guest('hello')], 125],
      [['check', '--json', join(scratch, 'nowhere', 'x.json'), guest('hello')], 125],
      [['check', join(scratch, 'nothing')], 127],
      [['check', scratch], 126],
    ] as const) {
      const run = trapline(args);
      expect(run.stderr).toMatch(ONE_LINE);
      expect([args, run.status]).toEqual([args, status]);
    }
  });

  it.runIf(hasBusybox)('finds busybox the same in both modes, and gives its input to each run', () => {
    const input = Array.from({ length: 5000 }, (_, i) => `${(i * 7919) % 5003}\n`).join('');
    const { status, stdout, stderr } = trapline(['check', '--', BUSYBOX, 'sort', '-n'], { input });
    const sorted = input
      .trim()
      .split('\n')
      .map(Number)
      .sort((a, b) => a - b);
    expect(stdout).toBe(`${sorted.join('\n')}\n`);
    expect(stderr).toMatch(/^hardened {2}same /m);
    expect(status).toBe(0);
  });

  it.runIf(hasBusybox)('finds a tree of processes the same, whose output tells the time', () => {
    const script =
      'for i in 1 2 3; do date +%N; ls /usr/bin | wc -l; done; sleep 0.1 & wait; cat /proc/self/maps; free';
    const { status, stderr } = trapline(['check', '--root', '/', '--', 'busybox', 'sh', '-c', script]);
    expect(stderr).toMatch(/^hardened {2}same /m);
    expect(status).toBe(0);
  });

  const parting = [
    [
      'is the same while others write to what it looks at',
      "printf 'more\\n' >>log; touch late; chmod 600 log",
      0,
      /^hardened {2}same /m,
    ],
    [
      'is not judged when others change what it reads',
      'echo changed >log',
      125,
      /\/log: another program has changed it .*copy/,
    ],
  ] as const;
  it.runIf(hasBusybox).each(parting)('a program %s', { timeout: 20 * 60_000 }, async (_name, change, status, words) => {
    const folder = mkdtempSync(join(scratch, 'shared-'));
    writeFileSync(join(folder, 'log'), 'a first line\n');
    // The guest is another user.
    for (const each of [scratch, folder]) chmodSync(each, 0o755);
    // It reads its input in the first run; what is changed by then, the further runs would see.
    const script = `cd ${folder} || exit; ls -l; cat log; echo asks; read -r x; ls -l; cat log`;
    const child = start(['check', '--root', '/', '--', 'busybox', 'sh', '-c', script]);
    let [said, shown] = ['', ''];
    child.stderr.on('data', (piece) => (said += String(piece)));
    child.stdout.on('data', (piece) => {
      const before = shown.includes('asks');
      shown += String(piece);
      if (before || !shown.includes('asks')) return;
      spawnSync('sh', ['-c', change], { cwd: folder });
      child.stdin.end('go on\n');
    });
    expect([await ended(child), said]).toEqual([status, expect.stringMatching(words)]);
    expect(shown.match(/a first line/g)).toHaveLength(2);
  });

  it.runIf(hasBusybox)('finds a program the same whose reader goes away, or whose output finds no room', () => {
    const check = `"$0" ${CLI} check --root / -- /bin/busybox seq 100000`;
    for (const [rest, end] of [
      ['| head -n 1', 'signal 13'],
      ['>/dev/full', 'exit [1-9]\\d*'],
    ] as const) {
      const { stderr } = spawnSync('sh', ['-c', `${check} ${rest}`, process.execPath], { encoding: 'latin1' });
      expect(stderr).toMatch(new RegExp(`, ${end}\\nupstream {2}same .*\\nhardened {2}same `));
    }
  });

  // What these look at: processes, memory in every figure of /proc, processors and memory in /sys.
  const tools = [['ps', 'aux'], ['lscpu'], ['cat', '/proc/self/status', '/proc/self/smaps', '/proc/self/numa_maps']];
  it.runIf(existsSync('/usr/bin/ps')).each(tools)('finds what tells of the machine the same: %s', (...command) => {
    const { status, stderr } = trapline(['check', '--root', '/', '--', ...command]);
    expect(stderr).toMatch(/^upstream {2}same .*\nhardened {2}same /m);
    expect(status).toBe(0);
  });
});

describe('trapline facts', () => {
  it('prints eighteen lines, and finds its own output equal', () => {
    const first = trapline(['facts']);
    expect(first.status).toBe(0);
    expect(first.stdout.trim().split('\n')).toHaveLength(18);
    const file = join(scratch, 'facts.txt');
    writeFileSync(file, `a line of a log\n${first.stdout}`);
    const second = trapline(['facts', '--compare', file]);
    expect([second.status, second.stdout]).toEqual([0, 'all 18 facts are equal (--patch upstream)\n']);
  });

  it('names the fact and the value that differ', () => {
    const file = join(scratch, 'other.txt');
    const { stdout } = trapline(['facts']);
    writeFileSync(file, stdout.replace('header=0d000000', 'header=0e000000').replace(/^fact 17.*\n/m, ''));
    const { status, stdout: said } = trapline(['facts', '--compare', file]);
    expect(status).toBe(1);
    expect(said).toBe('fact 4: header: ours 0d000000, theirs 0e000000\nfact 17: only ours has it\n');
  });

  it('refuses a file without facts in one line', () => {
    const file = join(scratch, 'empty.txt');
    writeFileSync(file, 'nothing here\n');
    for (const args of [
      ['--compare', file],
      ['--compare', join(scratch, 'missing')],
      ['--patch', 'none'],
    ]) {
      const { status, stderr } = trapline(['facts', ...args]);
      expect(stderr).toMatch(ONE_LINE);
      expect(status).toBe(125);
    }
  });
});
