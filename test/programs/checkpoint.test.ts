// SPDX-License-Identifier: MIT
//
// Programs of this machine, saved in the middle of what they do and restored: a shell with pipelines and jobs, an
// interpreter with threads, timers, sockets and mapped files; and trees that have changed meanwhile.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TraplineError } from '../../src/base/errors.ts';
import { openHostDirectory, openHostPath } from '../../src/sandbox/host-node/index.ts';
import type { ProgramOptions } from '../sandbox/checkpoint/continuations.ts';
import { goOn, runTaking, spread } from '../sandbox/checkpoint/continuations.ts';
import { hasCompiler, compile } from './guest-run.ts';

const SHELL = `
for i in $(seq 20); do echo $i; done | sort -r | head -3
x=$(echo hi | tr a-z A-Z); echo $x
(sleep 0.1; echo late) & wait
mkdir -p /tmp/d; echo a > /tmp/d/f; cat /tmp/d/f; ls /tmp/d
trap "echo trapped" USR1; kill -USR1 $$
cat < <(echo proc); read -r line; echo "read $line"
`;

const PYTHON = `
import os, threading, subprocess, select, signal, time, mmap, socket, tempfile, fcntl
def work(n, out):
    for i in range(3): time.sleep(0.001 * n); out.append((n, i))
out = []; ts = [threading.Thread(target=work, args=(k, out)) for k in range(3)]
[t.start() for t in ts]; [t.join() for t in ts]; print(sorted(out)[:4])
print(subprocess.run(['echo', 'child'], capture_output=True).stdout)
a, b = socket.socketpair(); a.send(b'x' * 10); print(b.recv(20))
r, w = os.pipe(); os.write(w, b'data'); print(select.select([r], [], [], 1)[0] == [r])
ep = select.epoll(); ep.register(r, select.EPOLLIN); print(ep.poll(0.01))
f = tempfile.TemporaryFile(); f.write(b'hello' * 1000); f.flush()
m = mmap.mmap(f.fileno(), 0); print(m[5:10]); m[0:2] = b'HE'; f.seek(0); print(f.read(5))
fcntl.flock(f, fcntl.LOCK_EX)
signal.signal(signal.SIGALRM, lambda *a: print('alarm')); signal.setitimer(signal.ITIMER_REAL, 0.01); time.sleep(0.05)
pid = os.fork()
if pid == 0: time.sleep(0.01); os._exit(3)
print(os.waitpid(pid, 0)[1] >> 8)
print(open('/proc/self/status').readline().strip(), len(os.listdir('/proc/self/fd')), open('/proc/sys/kernel/random/boot_id').read())
s = socket.socket(socket.AF_UNIX); s.bind('\\0name'); s.listen(1)
c = socket.socket(socket.AF_UNIX); c.connect('\\0name'); d, _ = s.accept(); c.send(b'ping'); print(d.recv(4))
`;

const root = openHostDirectory('/', { writable: false });
const shared = {
  env: ['PATH=/usr/bin:/bin', 'HOME=/'],
  memoryBytes: 256 * 2 ** 20,
  timeoutSec: 900,
};

/** Gives how many tasks were stopped by a tracer at the points. */
async function check(options: ProgramOptions, points: number): Promise<number> {
  const { outcome: plain } = await runTaking(options, []);
  expect(plain.ended).toBeUndefined();
  const { outcome, taken } = await runTaking(options, spread(plain.metrics.instructions, points));
  expect(outcome).toEqual(plain);
  expect(taken).toHaveLength(points);
  for (const each of taken) expect(await goOn(each, options), `from ${each.at}`).toEqual(plain);
  return taken.reduce((sum, { traced }) => sum + traced, 0);
}

describe.runIf(process.platform === 'linux')('a program that is saved and restored', () => {
  it.each(['upstream', 'hardened'] as const)('goes on as if nothing had been: bash, %s', async (patch) => {
    const argv = ['bash', '-c', SHELL];
    await check({ ...shared, root, program: '/usr/bin/bash', argv, patch, input: 'a line\n' }, 5);
  });

  it('goes on as if nothing had been: python3', async () => {
    const argv = ['python3', '-c', PYTHON];
    await check({ ...shared, root, program: '/usr/bin/python3', argv, patch: 'hardened' }, 4);
  });
});

/** Debian's tracers, and what they do: each spends its time with a tracee that is stopped. */
const TRACERS: readonly (readonly [program: string, ...args: string[]])[] = [
  ['/usr/bin/strace', '-f', '-o', '/dev/stdout', '/bin/sh', '-c', 'echo a | cat; exit 3'],
  ['/usr/bin/gdb', '-nx', '-batch', '-ex', 'catch syscall write', '-ex', 'run', '-ex', 'bt', '-ex', 'c', '/bin/echo'],
];
describe.runIf(process.platform === 'linux')('a tracer that is saved and restored with its tracee', () => {
  for (const [program, ...args] of TRACERS)
    it.runIf(existsSync(program))(`goes on as if nothing had been: ${program}`, async () => {
      expect(await check({ ...shared, root, program, argv: [program, ...args] }, 6)).toBeGreaterThan(0);
    });
});

describe.runIf(hasCompiler('musl-gcc'))('a program of one family of calls that is saved and restored', () => {
  let folder = '';
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'trapline-checkpoint-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const families = [
    'epoll',
    'posix-mq',
    'sysv-sem',
    'sysv-msg',
    'sysv-shm',
    'exec',
    'job-control',
    'pty-lines',
    'seccomp-bpf',
  ];
  it.each(families)('goes on as if nothing had been: %s', async (name) => {
    const program = join(folder, name);
    compile('musl-gcc', name, program);
    await check({ ...shared, program, programFile: openHostPath(program, { writable: false }), patch: 'hardened' }, 3);
  });
});

describe.runIf(hasCompiler('gcc'))('a program that traces others, saved and restored', () => {
  let folder = '';
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'trapline-checkpoint-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  // Many points: a tracee is stopped for a part of the time only.
  it.each(['ptrace-data', 'ptrace-events', 'ptrace-jobs', 'ptrace-seccomp', 'ptrace-stops'])(
    'goes on as if nothing had been, its tracees stopped: %s',
    async (name) => {
      const program = join(folder, name);
      compile('gcc', name, program);
      const options: ProgramOptions = { ...shared, program, programFile: openHostPath(program, { writable: false }) };
      expect(await check({ ...options, patch: 'hardened' }, 12)).toBeGreaterThan(0);
    },
  );
});

describe.runIf(process.platform === 'linux')('a tree that a checkpoint needs', () => {
  let folder = '';
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'trapline-tree-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('must be given again, with the files as they were', async () => {
    const file = join(folder, 'data');
    writeFileSync(file, 'before\n');
    const bind = (): ProgramOptions['binds'] => [{ ...openHostPath(folder, { writable: true }), guestPath: '/bound' }];
    const argv = [
      'bash',
      '-c',
      'exec 3</bound/data; read -r a <&3; echo $a; echo new > /bound/made; cat /bound/made; sleep 1; echo end',
    ];
    const options: ProgramOptions = { ...shared, root, binds: bind() ?? [], program: '/usr/bin/bash', argv };
    const { outcome } = await runTaking(options, []);
    const { taken } = await runTaking(options, spread(outcome.metrics.instructions, 4));
    const last = taken.at(-1);
    if (last === undefined) throw new Error('no checkpoint was taken');
    expect(await goOn(last, { ...options, binds: bind() ?? [] })).toMatchObject({ output: outcome.output });

    const code = async (given: ProgramOptions): Promise<string> => {
      try {
        await goOn(last, given);
        return 'restored';
      } catch (error) {
        return error instanceof TraplineError ? `${error.code}: ${error.message}` : String(error);
      }
    };
    const { root: _, ...rootless } = options;
    expect(await code(rootless)).toMatch(/^CHECKPOINT_TREE: .*--root/);
    expect(await code({ ...options, binds: [] })).toMatch(/^CHECKPOINT_TREE: .*--bind/);
    writeFileSync(file, 'after, and longer\n');
    expect(await code({ ...options, binds: bind() ?? [] })).toMatch(/^CHECKPOINT_TREE: .*data has changed/);
  });
});
