// SPDX-License-Identifier: MIT
//
// --strace against the real strace on programs as a distribution has them: dynamic, many processes, interpreters,
// compilers. Each program runs natively under `strace -f` and as a guest with the same tree.

import { spawnSync } from 'node:child_process';
import type { StdioOptions } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byTask, hasStrace, childrenLast } from './strace-lines.ts';
import { CLI } from './trapline.ts';

const ENVIRONMENT = { PATH: '/usr/bin:/bin', HOME: '/nonexistent', TERM: 'dumb', LC_ALL: 'C' };

/** A name, the command, and the tasks that it has at least. */
const PROGRAMS: readonly (readonly [string, number, ...string[]])[] = [
  ['ls', 1, '/bin/ls', 'src'],
  ['cat', 1, '/bin/cat', 'src/a.c', 'src/none'],
  ['sort', 1, '/usr/bin/sort', '--parallel=1', '-S', '1M', '-r', 'text'],
  ['a pipeline of sort and head', 3, '/bin/dash', '-c', 'sort --parallel=1 -S 1M text | head -n 3'],
  [
    'a shell with children',
    6,
    '/bin/bash',
    '-c',
    'echo a | cat; (exit 3); x=$(echo b | sort --parallel=1 -S 1M); echo $x; kill -TERM $$',
  ],
  [
    'a background job and a trap',
    3,
    '/bin/dash',
    '-c',
    'sleep 0.01 & wait; ls none; trap "echo t" USR1; kill -USR1 $$',
  ],
  ['a loop of processes', 4, '/bin/bash', '-c', 'for i in 1 2 3; do /bin/true; done; /bin/false; kill -9 $$'],
  ['find', 2, '/usr/bin/find', 'src', '-name', '*.c', '-exec', 'wc', '-c', '{}', '+'],
  ['find with a process for each file', 3, '/usr/bin/find', 'src', '-name', '*.c', '-exec', 'wc', '-c', '{}', ';'],
  ['tar', 1, '/bin/tar', 'cf', '/dev/null', 'src'],
  ['sed', 1, '/bin/sed', '-n', 's/line/row/p', 'text'],
  ['git', 1, '/usr/bin/git', 'hash-object', 'src/a.c', 'text'],
  ['python3', 2, '/usr/bin/python3', '-IS', '-c', 'import os\nif os.fork() == 0: os._exit(3)\nprint(os.wait()[1])'],
  ['perl', 2, '/usr/bin/perl', '-e', '$| = 1; print `echo hi`; kill 10, $$'],
  ['gcc', 3, '/usr/bin/gcc', '-c', '-o', '/dev/null', 'src/a.c'],
];

describe.runIf(hasStrace)('--strace --root /', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-strace-'));
    mkdirSync(join(folder, 'tree', 'src'), { recursive: true });
    writeFileSync(join(folder, 'tree', 'src', 'a.c'), 'int main(void) { return 3; }\n');
    writeFileSync(join(folder, 'tree', 'src', 'b.c'), 'int b;\n');
    writeFileSync(
      join(folder, 'tree', 'text'),
      Array.from({ length: 300 }, (_, i) => `${(i * 7919) % 301} line\n`).join(''),
    );
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function traces(command: readonly string[]): { native: string[][]; guest: string[][] } {
    const out = join(folder, 'out');
    const cwd = join(folder, 'tree');
    const stdio: StdioOptions = ['ignore', 'pipe', 'ignore'];
    const variables = Object.entries(ENVIRONMENT).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
    const uid = ['--uid', String(process.getuid?.() ?? 1000)];
    const run = ['run', '--root', '/', '--cwd', cwd, ...uid, ...variables, '--strace-file', out, '--', ...command];
    // The guest comes first: it leaves the tree as it is.
    spawnSync(process.execPath, [CLI, ...run], { stdio, env: process.env });
    const guest = byTask(readFileSync(out, 'latin1'), /^\[pid +(\d+)\] /);
    spawnSync('strace', ['-f', '-o', out, ...command], { cwd, stdio, env: ENVIRONMENT });
    return { native: childrenLast(byTask(readFileSync(out, 'latin1'), /^(\d+) +/)), guest: childrenLast(guest) };
  }

  for (const [name, tasks, ...command] of PROGRAMS) {
    it.runIf(existsSync(command[0] ?? ''))(`of ${name} is what strace prints`, () => {
      const { native, guest } = traces(command);
      expect(native.length).toBeGreaterThanOrEqual(tasks);
      expect(guest).toEqual(native);
    });
  }
});
