// SPDX-License-Identifier: MIT
//
// `npm run fuzz -- --calls N [--seed S] [--patch off|upstream|hardened] [--replay FILE]`: random system calls in the
// sandbox, in the background of other work or over night. A run that says nothing for long hangs: it is ended, and its
// last line tells the seed.

import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const SILENCE_MS = 5 * 60_000;
/** What a run says at its end. A worker that dies does not make the test fail. */
const DONE = 'calls, no harm';

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '200000' },
    seed: { type: 'string', default: '1' },
    patch: { type: 'string' },
    replay: { type: 'string' },
  },
});
const child = spawn(
  process.execPath,
  [
    join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    '--config',
    '.ci/vitest.config.mjs',
    '-t',
    'do no harm',
    'test/programs/fuzz.test.ts',
  ],
  {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      TRAPLINE_FUZZ_PROGRESS: '1',
      TRAPLINE_FUZZ_CALLS: values.calls,
      TRAPLINE_FUZZ_SEED: values.seed,
      ...(values.patch === undefined ? {} : { TRAPLINE_FUZZ_PATCH: values.patch }),
      ...(values.replay === undefined ? {} : { TRAPLINE_FUZZ_REPLAY: values.replay }),
    },
  },
);
const hangs = () => {
  console.error(`fuzz: nothing was said for ${SILENCE_MS / 60_000} minutes: the last run hangs`);
  child.kill('SIGKILL');
};
let said = '';
let isDone = false;
let timer = setTimeout(hangs, SILENCE_MS);
child.stdout.on('data', (piece) => {
  process.stdout.write(piece);
  said = said.slice(-DONE.length) + piece.toString();
  isDone ||= said.includes(DONE);
  clearTimeout(timer);
  timer = setTimeout(hangs, SILENCE_MS);
});
child.on('close', (status) => {
  clearTimeout(timer);
  process.exitCode = isDone ? (status ?? 1) : 1;
});
