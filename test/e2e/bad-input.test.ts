// SPDX-License-Identifier: MIT
//
// Mistakes of the caller: one clear line on stderr, the right status, no stack trace, nothing left behind.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, DEFAULT_MEMORY_BYTES } from '../../src/sandbox/sandbox.ts';
import { DEFAULT_MEMORY_LIMITS } from '../../src/vfs/memory-file-system.ts';
import { CLI, ONE_LINE, guest, trapline } from './trapline.ts';

describe('The command', () => {
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-bad-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function file(name: string, content: Uint8Array | string, mode = 0o755): string {
    const path = join(folder, name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  }

  /** The hello guest with some bytes changed. */
  function changed(name: string, change: (elf: Buffer) => Buffer | void): string {
    const elf = readFileSync(guest('hello'));
    return file(name, change(elf) ?? elf);
  }

  function expectRefusal(args: readonly string[], status: number, words: RegExp): void {
    const run = trapline(args);
    expect(run.stderr).toMatch(ONE_LINE);
    expect(run.stderr).toMatch(words);
    expect({ status: run.status, stdout: run.stdout }).toEqual({ status, stdout: '' });
  }

  it('refuses what is no command, no option, or lacks its value', () => {
    expectRefusal(['no-such-command'], 125, /unknown command 'no-such-command'/);
    expectRefusal(['run', '--no-such-option', 'x'], 125, /unknown option '--no-such-option'/);
    expectRefusal(['run'], 125, /missing required argument 'program'/);
    expectRefusal(['run', '--seed'], 125, /argument missing/);
    expectRefusal(['replay', 'token'], 125, /no token/);
  });

  it.each([
    ['--patch', 'sometimes', /--patch: "sometimes" is not one of off, upstream, hardened/],
    ['--upstream', '2020-01', /--upstream: "2020-01" is not one of 2023-02, 2024-07, 3c5eee1/],
    ['--seed', 'abc', /--seed: "abc" is not a whole number/],
    ['--seed', '1.5', /whole number/],
    ['--uid', '-1', /--uid: "-1" is not a whole number/],
    ['--memory', 'lots', /--memory: "lots" is not a size/],
    ['--memory', '1K', /16M to 4G/],
    ['--memory', '9G', /16M to 4G/],
    ['--timeout', '0', /--timeout: "0" is not a number of seconds above 0/],
    ['--timeout', 'soon', /seconds/],
    ['--max-instructions', '0', /whole number/],
    ['--engine', 'qemu', /--engine: "qemu" is not one of unicorn/],
    ['--strace-format', 'json', /--strace-format/],
    ['--log-level', 'loud', /--log-level/],
    ['--env', '=x', /--env: "=x" is not K=V/],
    ['--bind', '/tmp', /--bind: "\/tmp" is not HOST:GUEST/],
    ['--bind', '/tmp:relative', /absolute GUEST/],
    ['--bind', '/tmp:/x:maybe', /HOST:GUEST/],
    ['--cwd', 'relative', /--cwd: relative is not absolute/],
  ])('refuses %s %s', (option, value, words) => {
    expectRefusal(['run', option, value, guest('hello')], 125, words);
  });

  it('says that a program is not found, with status 127', () => {
    expectRefusal(['run', join(folder, 'missing')], 127, /missing: not found/);
    expectRefusal(['run', 'no-such-program-anywhere'], 127, /no-such-program-anywhere: not found/);
    expectRefusal(['run', ''], 127, /empty/);
    expectRefusal(['sites', join(folder, 'missing')], 127, /missing/);
  });

  it('says what to do where the interpreter of a program is not in its tree', () => {
    const script = file('script', '#!/bin/sh\necho hi\n');
    expectRefusal(['run', script], 127, /script: its interpreter \/bin\/sh cannot be found; .*--root \//);
    expectRefusal(['check', script], 127, /its interpreter \/bin\/sh cannot be found; .*--root \//);
    mkdirSync(join(folder, 'tree'));
    const inTree = trapline(['run', '--root', join(folder, 'tree'), script]);
    expect(inTree.stderr).toBe(`trapline: ${script}: its interpreter /bin/sh cannot be found\n`);
  });

  it('calls a program what the caller called it', () => {
    const path = file('no-program', 'x');
    expectRefusal(['run', path], 126, new RegExp(`^trapline: ${path}: not an ELF file$`, 'm'));
    const elsewhere = trapline(['run', './no-program'], { cwd: folder });
    expect(elsewhere.stderr).toBe('trapline: ./no-program: not an ELF file\n');
  });

  it('says why a file cannot be executed, with status 126', () => {
    expectRefusal(['run', folder], 126, /is a directory/);
    expectRefusal(['run', file('text', 'not a program\n')], 126, /text: /);
    expectRefusal(['run', file('empty', '')], 126, /empty: /);
    expectRefusal(['run', file('no-x', readFileSync(guest('hello')), 0o644)], 126, /permission denied/);
    expectRefusal(['sites', file('text2', 'no')], 126, /not an ELF/);
  });

  it.each<[string, (elf: Buffer) => Buffer | void]>([
    ['of 32 bits', (elf) => void elf.writeUInt8(1, 4)],
    ['of another byte order', (elf) => void elf.writeUInt8(2, 5)],
    ['for another machine', (elf) => void elf.writeUInt16LE(183, 18)],
    ['that is an object file', (elf) => void elf.writeUInt16LE(1, 16)],
    ['cut in its header', (elf) => elf.subarray(0, 40)],
    ['cut in its program headers', (elf) => elf.subarray(0, 80)],
    ['whose program headers lie beyond its end', (elf) => void elf.writeBigUInt64LE(1n << 40n, 32)],
    ['whose program headers have a wrong size', (elf) => void elf.writeUInt16LE(3, 54)],
    ['with 65535 program headers', (elf) => void elf.writeUInt16LE(0xffff, 56)],
    ['without program headers', (elf) => void elf.writeUInt16LE(0, 56)],
  ])('refuses an ELF file %s', (name, change) => {
    const path = changed(name.replaceAll(' ', '-'), change);
    for (const command of ['run', 'check', 'sites']) expectRefusal([command, path], 126, new RegExp(`${path}: `));
  });

  it('ends with a fatal signal or a refusal, and no stack trace, whatever a program header says', () => {
    for (let offset = 64; offset < 64 + 56; offset += 8) {
      const run = trapline([
        'run',
        changed(`phdr-${offset}`, (elf) => void elf.writeBigUInt64LE(0xfffffffffffff123n, offset)),
      ]);
      expect([0, 126, 128 + 4, 128 + 9, 128 + 11]).toContain(run.status);
      expect(run.stderr).not.toMatch(/\n\s+at /);
    }
  });

  it('refuses a root and binds that are not there', () => {
    expectRefusal(['run', '--root', join(folder, 'nowhere'), guest('hello')], 125, /--root: .*nowhere/);
    expectRefusal(['run', '--root', guest('hello'), guest('hello')], 125, /--root: /);
    expectRefusal(['run', '--bind', `${join(folder, 'nowhere')}:/x`, guest('hello')], 125, /--bind: .*nowhere/);
    expectRefusal(['run', '--cwd', '/no/such/place', guest('hello')], 125, /no directory \/no\/such\/place/);
  });

  it('says before the guest starts that a file cannot be written', () => {
    const inside = join(folder, 'nowhere', 'file');
    for (const option of ['--metrics', '--trace', '--strace-file', '--log-file', '--checkpoint', '--html']) {
      const missing = new RegExp(`${option}: cannot write .*nowhere/file: no such file or directory$`, 'm');
      expectRefusal(['run', option, inside, guest('hello')], 125, missing);
      expectRefusal(['run', option, folder, guest('hello')], 125, new RegExp(`${option}: cannot write .*: it is a`));
      expectRefusal(['run', option, '', guest('hello')], 125, new RegExp(`${option}: the name of the file is empty`));
    }
  });

  it('refuses two uses of one file', () => {
    const path = join(folder, 'twice');
    const run = ['run', '--trace', path, '--metrics', `${folder}/./twice`, guest('hello')];
    expectRefusal(run, 125, /--metrics: .*twice is the file of --trace already/);
    const race = ['race', 'patch-vs-exec', '--json', path, '--junit', path];
    expectRefusal(race, 125, /--junit: .*twice is the file of --json already/);
    expect(trapline(['run', '--trace', '/dev/null', '--metrics', '/dev/null', guest('hello')]).status).toBe(0);
  });

  it('writes over nothing that it reads, under whatever name', () => {
    const program = file('a-program', readFileSync(guest('threads-counter')));
    const saved = join(folder, 'a-checkpoint');
    expect(trapline(['run', '--checkpoint', saved, '--checkpoint-at', '10000', program]).status).toBe(0);
    linkSync(program, join(folder, 'hard'));
    symlinkSync(saved, join(folder, 'soft'));
    const before = [program, saved].map((path) => readFileSync(path));
    for (const output of [program, `${folder}/./a-program`, join(folder, 'hard')]) {
      for (const option of ['--trace', '--metrics', '--html', '--strace-file'])
        expectRefusal(['run', option, output, program], 125, /is the file of PROGRAM already; name another/);
      for (const option of ['--json', '--sarif'])
        expectRefusal(['check', option, output, program], 125, /is the file of PROGRAM already; name another/);
    }
    for (const output of [saved, join(folder, 'soft')])
      expectRefusal(['run', '--restore', saved, '--metrics', output], 125, /is the file of --restore already/);
    expect([program, saved].map((path) => readFileSync(path))).toEqual(before);
    // A checkpoint takes the place of the one before.
    expect(trapline(['run', '--restore', saved, '--checkpoint', saved]).status).toBe(0);
  });

  it.runIf(process.platform === 'linux')(
    'follows links, and leaves devices and its own streams in their places',
    () => {
      const [target, link, stream, all] = ['target', 'link', 'stream', 'all'].map((name) => join(folder, name)) as [
        string,
        string,
        string,
        string,
      ];
      writeFileSync(target, '');
      symlinkSync(target, link);
      symlinkSync('/proc/self/fd/1', stream);
      expect(trapline(['run', '--metrics', link, guest('hello')]).status).toBe(0);
      expect(readlinkSync(link)).toBe(target);
      expect(JSON.parse(readFileSync(target, 'utf8'))).toMatchObject({ version: 1 });
      // As /dev/stdout is, when a shell sends the output to a file.
      spawnSync('sh', [
        '-c',
        '"$@" >"$0"; echo "end $?" >>"$0"',
        all,
        process.execPath,
        CLI,
        'run',
        '--metrics',
        stream,
        guest('hello'),
      ]);
      expect(readFileSync(all, 'latin1')).toMatch(/^hello from a guest\n\{\n {2}"version": 1,[^]*\n\}\nend 0\n$/);
      expect(readlinkSync(stream)).toBe('/proc/self/fd/1');
      const pipe = join(folder, 'pipe');
      spawnSync('mkfifo', [pipe]);
      expectRefusal(
        ['run', '--checkpoint', pipe, guest('hello')],
        125,
        /--checkpoint: cannot write .*pipe: it is no file/,
      );
      expect(lstatSync(pipe).isFIFO()).toBe(true);
    },
  );

  it('says of an empty name that it is empty', () => {
    expectRefusal(['run', '--restore', ''], 125, /--restore: the name of the file is empty/);
    expectRefusal(['sites', ''], 127, /the name of the program is empty/);
    expectRefusal(['check', ''], 127, /the name of the program is empty/);
  });

  it.each([
    [['--upstream', '2023-02'], /--upstream: it is for --patch upstream/],
    [['--stub-preemption'], /--stub-preemption: it is for --patch upstream/],
    [['--disable-patching', '--patch', 'off'], /--disable-patching: it is for --patch upstream/],
    [['--strace-times'], /--strace-times: it is for --strace or --strace-file/],
    [['--strace-format', 'gvisor'], /--strace-format: it is for --strace or --strace-file/],
  ])('refuses %s, which would do nothing', (options, words) => {
    expectRefusal(['run', ...options, guest('hello')], 125, words);
  });

  it.each([
    ['--cwd', '/'],
    ['--env', 'K=V'],
    ['--argv0', 'x'],
    ['--uid', '5'],
    ['--seed', '5'],
    ['--memory', '64M'],
    ['--aslr'],
    ['--wall-clock'],
    ['--entropy'],
    ['--stub-preemption'],
  ])('refuses %s for a machine that is restored', (...option) => {
    const words = new RegExp(`${option[0]}: with --restore it is what the checkpoint says`);
    expectRefusal(['run', '--restore', join(folder, 'none'), ...option], 125, words);
  });

  it('lets environment twins of options be set that a run does not need', () => {
    const env = { TRAPLINE_UPSTREAM: '2023-02', TRAPLINE_STRACE_TIMES: '1' };
    expect(trapline(['run', guest('hello')], { env }).status).toBe(0);
  });

  it('refuses to read what is not there, is a folder, or has no end', () => {
    const readers = [
      ['run', '--restore'],
      ['replay'],
      ['facts', '--compare'],
      ['workshop', '--verify'],
      ['race', 'guest-patcher', '--protocol-elf'],
    ];
    const reasons = { '/dev/zero': 'it is a device', [folder]: 'directory', [join(folder, 'none')]: 'no such file' };
    for (const reader of readers) {
      for (const [path, why] of Object.entries(reasons)) {
        const given = reader.includes('--protocol-elf') ? `${path}:patch` : path;
        expectRefusal([...reader, given], 125, new RegExp(`${path}.*${why}`));
      }
    }
  });

  it.runIf(process.platform === 'linux')('says in one line that there is too little address space', () => {
    for (const kibibytes of [3_000_000, 3_500_000]) {
      const limited = `ulimit -v ${kibibytes}; exec "$0" "$@"`;
      const run = spawnSync('sh', ['-c', limited, process.execPath, CLI, 'run', guest('hello')], {
        encoding: 'latin1',
      });
      expect([0, 125]).toContain(run.status);
      if (run.status === 125) expect(run.stderr).toMatch(/^trapline: [^\n]*address space[^\n]*\n$/m);
    }
  });

  it.runIf(process.platform === 'linux')('says of each file that the disk is too small for it', () => {
    const [trace, metrics] = [join(folder, 'large-trace'), join(folder, 'large-metrics')];
    const limited = ['-c', 'ulimit -f 1; exec "$0" "$@"', process.execPath, CLI, 'run', '--trace', trace];
    const run = spawnSync('bash', [...limited, '--metrics', metrics, guest('threads-counter')], { encoding: 'latin1' });
    const text = `trapline: ${metrics}: file too large; ${trace}: not complete: file too large\n`;
    expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 125, stderr: text });
    expect(readdirSync(folder).filter((name) => name.startsWith('large'))).toEqual(['large-trace']);
  });

  it.runIf(process.platform === 'linux')('says of each report of a check that the disk is too small for it', () => {
    const [json, sarif] = [join(folder, 'small-json'), join(folder, 'small-sarif')];
    const limited = ['-c', 'ulimit -f 1; exec "$0" "$@"', process.execPath, CLI, 'check', '--json', json];
    const run = spawnSync('bash', [...limited, '--sarif', sarif, guest('g08-false-mov')], { encoding: 'latin1' });
    expect(run.stderr).toMatch(new RegExp(`\ntrapline: ${json}: file too large; ${sarif}: file too large\n$`));
    expect(run.status).toBe(125);
    expect(readdirSync(folder).filter((name) => name.startsWith('small'))).toEqual([]);
  });

  it('says in one line that its own output cannot be written', () => {
    const readOnly = openSync(file('read-only', ''), 'r');
    for (const args of [['sites', guest('hello')], ['doctor'], ['--version']]) {
      const run = spawnSync(process.execPath, [CLI, ...args], { stdio: ['ignore', readOnly, 'pipe'] });
      expect(run.stderr.toString()).toBe('trapline: cannot write to standard output: bad file descriptor\n');
      expect(run.status).toBe(125);
    }
    closeSync(readOnly);
  });

  it('leaves no temporary file behind when a run fails', () => {
    const out = join(folder, 'out');
    mkdirSync(out);
    trapline(['run', '--metrics', join(out, 'm.json'), '--cwd', '/no/such/place', guest('hello')]);
    expect(readdirSync(out)).toEqual([]);
  });

  it('refuses a scenario that does not exist', () => {
    expectRefusal(['race', 'no-such-scenario'], 125, /no-such-scenario/);
    expectRefusal(['race'], 125, /no scenario was given/);
    expectRefusal(['race', 'patch-vs-exec', 'no-such-scenario'], 125, /no-such-scenario/);
    expectRefusal(['race', 'patch-vs-exec', '--all'], 125, /--all or names/);
    expectRefusal(['race', 'patch-vs-exec', '--protocol', 'zzz'], 125, /zzz/);
  });

  it('tells its version', () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(trapline(['--version'])).toEqual({ status: 0, stdout: `trapline ${version}\n`, stderr: '' });
  });

  it('shows the help on stderr when called with nothing, and on stdout when asked', () => {
    const bare = trapline([]);
    expect({ status: bare.status, stdout: bare.stdout }).toEqual({ status: 125, stdout: '' });
    expect(bare.stderr).toMatch(/^Usage: trapline/);
    const asked = trapline(['run', '--help']);
    expect({ status: asked.status, stderr: asked.stderr }).toEqual({ status: 0, stderr: '' });
    expect(asked.stdout).toMatch(/TRAPLINE_SEED/);
    const [memory, tasks, output] = [
      DEFAULT_MEMORY_BYTES / 2 ** 30,
      DEFAULT_LIMITS.tasks,
      DEFAULT_LIMITS.outputBytes / 2 ** 30,
    ];
    expect(asked.stdout).toContain(
      `${memory} GiB of memory (--memory), ${tasks} tasks at once, ${output} GiB of output`,
    );
    const { bytes, inodes } = DEFAULT_MEMORY_LIMITS;
    expect(asked.stdout).toContain(`at most ${bytes / 2 ** 20} MiB in ${inodes} files`);
  });
});
